"""The states of a promotion, what may follow what, and the exit codes that commands and CI rely on."""

from enum import IntEnum, StrEnum

from aquascene.errors import InvariantError


class Kind(StrEnum):
    """What a promotion brings: a release, the release before again, or a release's contracting migrations."""

    RELEASE = "release"
    ROLLBACK = "rollback"
    CONTRACT = "contract"


class State(StrEnum):
    """Where a promotion stands. Each says what is done; the next step is what follows."""

    REQUESTED = "requested"
    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting_approval"
    LOCKED = "locked"
    PREFLIGHTED = "preflighted"
    BACKED_UP = "backed_up"
    EXPANDED = "expanded"
    STAGED = "staged"
    VERIFIED = "verified"
    SHIFTING = "shifting"
    SHIFTED = "shifted"
    SMOKED = "smoked"
    SOAKING = "soaking"
    COMMITTED = "committed"
    CLEANED = "cleaned"
    REFUSED = "refused"
    ABORTED = "aborted"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"


class Exit(IntEnum):
    """Exit codes of `aquascene promote`; input errors, outside failures and bugs keep the codes of every other command."""

    COMMITTED = 0
    REFUSED = 10
    ROLLED_BACK = 20
    ROLLBACK_FAILED = 30
    LOCKED = 40
    NOT_APPROVED = 50
    DRIFT = 60


S = State
# Nothing was touched yet: a failure here ends in `aborted`.
UNTOUCHED = (S.LOCKED, S.PREFLIGHTED, S.BACKED_UP)
# The new version may be in front of readers or in the database: a failure here is rolled back.
TOUCHED = (S.EXPANDED, S.STAGED, S.VERIFIED, S.SHIFTING, S.SHIFTED, S.SMOKED, S.SOAKING)
WAITING = (S.REQUESTED, S.PLANNED, S.AWAITING_APPROVAL)
UNDER_WAY = (*UNTOUCHED, *TOUCHED, S.ROLLING_BACK)
ENDED = (S.REFUSED, S.ABORTED, S.ROLLED_BACK, S.COMMITTED, S.CLEANED)
# The lock of the environment goes with the write of one of these.
LETS_GO = (S.ABORTED, S.ROLLED_BACK, S.COMMITTED, S.CLEANED)

_FORWARD: dict[State, tuple[State, ...]] = {
    S.REQUESTED: (S.PLANNED, S.REFUSED),
    S.PLANNED: (S.PLANNED, S.AWAITING_APPROVAL, S.LOCKED, S.REFUSED),
    S.AWAITING_APPROVAL: (S.PLANNED, S.LOCKED, S.REFUSED),
    S.LOCKED: (S.PREFLIGHTED,),
    S.PREFLIGHTED: (S.BACKED_UP,),
    S.BACKED_UP: (S.EXPANDED,),
    S.EXPANDED: (S.STAGED, S.SMOKED),  # contracting migrations stage and shift nothing
    S.STAGED: (S.VERIFIED,),
    S.VERIFIED: (S.SHIFTING,),
    S.SHIFTING: (S.SHIFTING, S.SHIFTED),
    S.SHIFTED: (S.SMOKED,),
    S.SMOKED: (S.SOAKING,),
    S.SOAKING: (S.COMMITTED,),
    S.COMMITTED: (S.CLEANED,),
    S.ROLLING_BACK: (S.ROLLED_BACK, S.ROLLBACK_FAILED),
    S.ROLLBACK_FAILED: (S.ROLLING_BACK, S.EXPANDED),  # only when a person resumes it
}
_ON_FAILURE: dict[State, tuple[State, ...]] = dict.fromkeys(UNTOUCHED, (S.ABORTED,)) | dict.fromkeys(TOUCHED, (S.ROLLING_BACK, S.ROLLBACK_FAILED))


def allowed(old: State) -> tuple[State, ...]:
    """What may follow a state."""
    return _FORWARD.get(old, ()) + _ON_FAILURE.get(old, ())


def check(old: State, new: State) -> None:
    """Raise InvariantError where one state may not follow the other."""
    if new not in allowed(old):
        raise InvariantError(f"a promotion does not go from {old} to {new}")


def exit_code(state: State, reason_code: str = "") -> Exit:
    """What a command ends with when a promotion stands there."""
    if state is S.REFUSED and reason_code in _REASONS:
        return _REASONS[reason_code]
    return _CODES.get(state, Exit.LOCKED)


# Refusals that are no failure of the caller: what was asked for is there, or people or the world stand against it.
_REASONS = {
    "already-current": Exit.COMMITTED,
    "nothing-to-contract": Exit.COMMITTED,
    "denied": Exit.NOT_APPROVED,
    "approval-late": Exit.NOT_APPROVED,
    "drift": Exit.DRIFT,
}
_CODES = {
    S.COMMITTED: Exit.COMMITTED,
    S.CLEANED: Exit.COMMITTED,
    S.REFUSED: Exit.REFUSED,
    S.ABORTED: Exit.REFUSED,
    S.ROLLED_BACK: Exit.ROLLED_BACK,
    S.ROLLBACK_FAILED: Exit.ROLLBACK_FAILED,
    S.AWAITING_APPROVAL: Exit.NOT_APPROVED,
}
