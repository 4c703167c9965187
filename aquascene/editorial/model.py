"""The nouns of the editorial stage: review and verdict."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Decision(StrEnum):
    """What an editor may say of a draft."""

    APPROVE = "approve"
    REVISE = "revise"
    REJECT = "reject"


class Door(StrEnum):
    """Where a verdict came in."""

    API = "api"
    DESK = "desk"
    PREFECT = "prefect"


@dataclass(frozen=True, slots=True)
class Review:
    """One look of an editor at one version of a draft; `flow_run_id` is the Prefect run that waits for it."""

    id: UUID
    draft_id: UUID
    state: str
    opened_at: datetime
    due_at: datetime
    reminded_at: datetime | None = None
    decided_at: datetime | None = None
    flow_run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided, upon which content, by whom, through which door."""

    id: UUID
    review_id: UUID
    draft_id: UUID
    decision: Decision
    content_sha256: str
    note: str
    decided_by: str
    door: Door
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Matter:
    """What must be known of a draft and its review before a verdict may be recorded."""

    draft_id: UUID
    brief_id: UUID
    version: int
    draft_state: str
    content_sha256: str
    blocked: bool
    review_id: UUID | None
    review_state: str | None
    verdict: Verdict | None = None
