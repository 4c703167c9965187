"""What the ledger keeps: releases, environments, promotions, their steps and approvals. Immutable values; stores make new ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from aquascene.release.model import PromotionId, Release
from aquascene.release.plan import Plan
from aquascene.release.states import ENDED, UNDER_WAY, Kind, State
from aquascene.release.strategies import Strategy


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something; `authenticated` tells whether a key proved the name."""

    name: str
    authenticated: bool = False


@dataclass(frozen=True, slots=True)
class KeptRelease:
    """A release in the ledger; a blocked one is promoted nowhere."""

    release: Release
    created_at: datetime
    created_by: str
    blocked_at: datetime | None = None
    blocked_by: str = ""
    blocked_reason: str = ""


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """What an environment runs, and who holds it. `fence` only ever rises."""

    name: str
    current: str | None = None
    previous: str | None = None
    current_promotion: PromotionId | None = None
    committed_at: datetime | None = None
    fence: int = 0
    holder: str = ""
    lease_until_at: datetime | None = None
    locked_by: PromotionId | None = None
    frozen_reason: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """What a person asked for on top of the policy.

    `without_flows` leaves schedules and Prefect deployments alone, for when Prefect does not answer. `fix_forward` promotes
    although the environment is not what the ledger says, or is ill. `during_freeze` says why a freeze window is overruled.
    """

    without_flows: bool = False
    fix_forward: bool = False
    during_freeze: str = ""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One attempt to bring a release to an environment."""

    id: PromotionId
    kind: Kind
    environment: str
    release: str
    strategy: Strategy
    state: State
    requested_by: Actor
    created_at: datetime
    state_at: datetime
    options: Options = Options()
    plan: Plan | None = None
    weight: int = 0
    fence: int = 0
    reason_code: str = ""
    reason: str = ""
    stop_by: str = ""
    stop_reason: str = ""
    committed_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def under_way(self) -> bool:
        """Tell whether an engine has begun with it and not ended it."""
        return self.state in UNDER_WAY

    @property
    def ended(self) -> bool:
        """Tell whether nothing follows but cleaning up."""
        return self.state in ENDED


class Outcome(StrEnum):
    """What became of a step: driven there by us, found done, or not done."""

    DONE = "done"
    FOUND = "found"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a promotion: an intent, and after observing its outcome."""

    number: int
    step: str
    key: str = ""
    outcome: Outcome | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """An entry with its times and the fence of whoever wrote it."""

    entry: Entry
    fence: int
    intended_at: datetime
    concluded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's verdict on one plan; it counts for that plan hash alone."""

    promotion: PromotionId
    plan_hash: str
    by: str
    approved: bool
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """A release that an environment took: from the ledger's history."""

    environment: str
    digests: Mapping[str, str]
    kind: Kind
    at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to change an environment for one promotion, as long as nobody has a higher fence."""

    environment: str
    promotion: PromotionId
    holder: str
    fence: int


@dataclass(frozen=True, slots=True)
class Busy:
    """Why the lock was not given: another promotion, another engine, or a frozen environment."""

    environment: str
    promotion: PromotionId | None
    holder: str
    until: datetime | None
    frozen_reason: str = ""

    def __str__(self) -> str:
        if self.frozen_reason:
            return f"{self.environment} is frozen: {self.frozen_reason}"
        held = f" by {self.holder} until {self.until:%H:%M:%S} UTC" if self.until else "; its engine has ended, resume it or roll it back"
        return f"{self.environment} is locked for promotion {self.promotion}{held}"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One link of the audit chain."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    prev_hash: str
    hash: str
