"""The life of a chunk: which state follows which, as pure functions.

planned → sealed → accepted | not_accepted (→ sealed) | held (→ planned) | unknown → accepted | planned | abandoned (→ accepted)
A chunk in which nobody is left is cancelled. What is unknown is never sent again unless it is proven not accepted,
or a policy chosen by a person says so.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from aquascene.delivery.model import Accepted, ChunkState, Hold, NotAccepted, Outcome, Policy, Rejected, Unknown
from aquascene.errors import InvariantError

_S = ChunkState
FOLLOWS: dict[ChunkState, frozenset[ChunkState]] = {
    _S.PLANNED: frozenset({_S.SEALED, _S.CANCELLED}),
    _S.NOT_ACCEPTED: frozenset({_S.SEALED, _S.CANCELLED}),
    _S.SEALED: frozenset({_S.SEALED, _S.ACCEPTED, _S.NOT_ACCEPTED, _S.PLANNED, _S.HELD, _S.UNKNOWN, _S.CANCELLED}),
    _S.UNKNOWN: frozenset({_S.ACCEPTED, _S.NOT_ACCEPTED, _S.PLANNED, _S.HELD, _S.ABANDONED, _S.UNKNOWN}),
    _S.ABANDONED: frozenset({_S.ACCEPTED}),
    _S.HELD: frozenset({_S.PLANNED, _S.CANCELLED}),
    _S.ACCEPTED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.FENCED: frozenset(),
}
_FIRST_BACKOFF = timedelta(seconds=1)
_LONGEST_BACKOFF = timedelta(minutes=5)
HEALTHY_LATER_CHUNKS = 3
ABSENCE_AFTER = timedelta(minutes=60)
LOOKUP_GRACE = timedelta(seconds=2)  # what a killed sender had on its way must have arrived before "not found" counts


@dataclass(frozen=True, slots=True)
class Change:
    """What an outcome does to a chunk, its recipients, its campaign and the provider's bucket."""

    state: ChunkState
    reason: str = ""
    status: int | None = None
    message_id: str | None = None
    not_before_at: datetime | None = None
    failures: int = 0
    rejected: tuple[int, ...] = ()
    split: bool = False
    hold_reason: str | None = None
    freeze_until: datetime | None = None


def check(old: ChunkState, new: ChunkState) -> None:
    """Raise InvariantError for a step that must never happen."""
    if new not in FOLLOWS[old]:
        raise InvariantError(f"a chunk cannot go from {old} to {new}")


def after(outcome: Outcome, failures: int, now: datetime, jitter: float) -> Change:
    """Say what an outcome leads to; `failures` counts earlier tries that did not arrive, jitter is in [0, 1)."""
    match outcome:
        case Accepted(message_id, status):
            return Change(_S.ACCEPTED, status=status, message_id=message_id)
        case NotAccepted(reason, status, _, True):
            return Change(_S.NOT_ACCEPTED, reason, status, not_before_at=now, failures=failures, split=True)
        case NotAccepted(reason, status, retry_at, _) if retry_at is not None:
            again = retry_at + timedelta(seconds=jitter)  # a refusal for our speed is no fault of the chunk
            return Change(_S.NOT_ACCEPTED, reason, status, not_before_at=again, failures=failures, freeze_until=again)
        case NotAccepted(reason, status):
            return Change(_S.NOT_ACCEPTED, reason, status, not_before_at=now + backoff(failures, jitter), failures=failures + 1)
        case Rejected(indexes, reason, status):
            return Change(_S.PLANNED, reason, status, not_before_at=now, failures=failures, rejected=indexes)
        case Unknown(reason, status):
            return Change(_S.UNKNOWN, reason, status)
        case Hold(reason, status):
            return Change(_S.HELD, reason, status, hold_reason=reason)


def backoff(failures: int, jitter: float) -> timedelta:
    """How long to wait after a try that did not arrive: 1, 2, 4 … seconds, at most 5 minutes, up to half as much again."""
    return min(_FIRST_BACKOFF * (1 << min(failures, 16)), _LONGEST_BACKOFF) * (1 + jitter / 2)


@dataclass(frozen=True, slots=True)
class Proofs:
    """What is known of an unknown attempt."""

    unknown_since: datetime
    events: bool  # a delivery event names this attempt
    found: bool | None  # the provider's search: yes, no, or no answer
    later_chunks_proven: int  # chunks posted later whose events did arrive


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as proof, and for how long one is looked for."""

    policy: Policy
    lookup_is_authoritative: bool
    final_after: timedelta


def resolve(proofs: Proofs, rules: Rules, now: datetime) -> ChunkState:
    """Decide upon an unknown chunk: accepted, planned (proven absent), abandoned (nobody will ever know), or still unknown."""
    if proofs.events or proofs.found:
        return _S.ACCEPTED
    waited = now - proofs.unknown_since
    if proofs.found is False and rules.lookup_is_authoritative and waited >= LOOKUP_GRACE:
        return _S.PLANNED
    healthy = proofs.later_chunks_proven >= HEALTHY_LATER_CHUNKS
    if rules.policy is Policy.PREFER_NO_LOSS and waited >= ABSENCE_AFTER and healthy:
        return _S.PLANNED
    return _S.ABANDONED if waited >= rules.final_after else _S.UNKNOWN
