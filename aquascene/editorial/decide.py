"""May this verdict be recorded? A refusal is a value: the caller says it to the editor."""

from enum import StrEnum

from aquascene.editorial.model import Decision, Matter

MAX_NOTE = 4000


class Refusal(StrEnum):
    """Why a verdict is not taken, in words for the editor."""

    NO_NOTE = "say in the note what to change (revise) or why not (reject)"
    LONG_NOTE = "the note is longer than 4000 characters"
    SUPERSEDED = "a newer version has taken this one's place; look at that one"
    DECIDED = "this version is decided already"
    EXPIRED = "the review has expired; open it again first"
    NOT_IN_REVIEW = "this version is not in review yet"
    CHANGED = "the content is not what you looked at: load it again and decide upon that"
    BLOCKED = "a blocking finding stands: revise or reject, or edit the draft until its checks pass"


INPUT = frozenset({Refusal.NO_NOTE, Refusal.LONG_NOTE})


def refusal(matter: Matter, decision: Decision, content_sha256: str, note: str) -> Refusal | None:
    """Find the reason not to record a verdict; None when it may be recorded."""
    return _state(matter) or _note(decision, note) or _content(matter, decision, content_sha256)


def is_repeat(matter: Matter, decision: Decision, content_sha256: str, decided_by: str) -> bool:
    """Tell whether the same person sends the recorded verdict again, as clients do after a lost answer."""
    was = matter.verdict
    return was is not None and (was.decision, was.content_sha256, was.decided_by) == (decision, content_sha256, decided_by)


def _state(matter: Matter) -> Refusal | None:
    if matter.review_state == "decided" or matter.draft_state in {"approved", "rejected"}:
        return Refusal.DECIDED
    if matter.draft_state == "superseded":
        return Refusal.SUPERSEDED
    if matter.review_state == "expired":
        return Refusal.EXPIRED
    if matter.draft_state != "in_review" or matter.review_state != "open":
        return Refusal.NOT_IN_REVIEW
    return None


def _note(decision: Decision, note: str) -> Refusal | None:
    if decision is not Decision.APPROVE and not note.strip():
        return Refusal.NO_NOTE
    return Refusal.LONG_NOTE if len(note) > MAX_NOTE else None


def _content(matter: Matter, decision: Decision, content_sha256: str) -> Refusal | None:
    if content_sha256 != matter.content_sha256:
        return Refusal.CHANGED
    return Refusal.BLOCKED if decision is Decision.APPROVE and matter.blocked else None


def further_instructions(before: str, version: int, note: str) -> str:
    """Append an editor's note to the instructions of a brief, so that the next version heeds it."""
    return "\n\n".join(part for part in (before.strip(), f"Editor's note on version {version}: {note.strip()}") if part)
