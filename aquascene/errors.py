"""The one error tree. A caller chooses a branch, never a message.

AquasceneError
├── TransientError        the same call may succeed later; flows retry it
├── PermanentError        it will not; the task records it on the row and goes on
│   ├── ConfigError       settings, YAML or environment are wrong; names the key and the file
│   ├── NotFound          the named row or object does not exist
│   └── Conflict          the row moved on since the caller read it
└── InvariantError        a bug: something that must always hold does not

Expected refusals (no consent, empty evidence, robots) are return values, not errors.
"""


class AquasceneError(Exception):
    """The root of every error that this product raises on purpose."""

    code = "error"


class TransientError(AquasceneError):
    """The outside world failed in a way that may pass: time-outs, 5xx, lost connections."""

    code = "transient"


class PermanentError(AquasceneError):
    """Trying again with the same input gives the same answer."""

    code = "permanent"


class ConfigError(PermanentError):
    """A setting, a YAML file or the environment is wrong; the message says what, where and what to do."""

    code = "config"


class NotFound(PermanentError):
    """The named row or object does not exist."""

    code = "not-found"


class Conflict(PermanentError):
    """The row is not in the state that the caller read."""

    code = "conflict"


class InvariantError(AquasceneError):
    """Something that must always hold does not: page someone."""

    code = "invariant"


def is_transient(error: BaseException) -> bool:
    """Tell whether a retry may help; the only place where that is decided."""
    return isinstance(error, TransientError)
