"""What an environment asks of a promotion: config/environments.yaml in the types of this stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from aquascene.release.analysis import Rules
from aquascene.release.canonical import fingerprint
from aquascene.release.freeze import FreezeWindow
from aquascene.release.strategies import DWELLS, WEIGHTS, Strategy


@dataclass(frozen=True, slots=True)
class PromoteFrom:
    """The environment in which the same digests must have been committed, and for how long."""

    environment: str
    soak: timedelta


@dataclass(frozen=True, slots=True)
class Approvals:
    """How many other people must approve, and within which time of the plan."""

    count: int = 0
    within: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class BackupRules:
    """Whether a promotion makes a backup first, and how old the last good one and the last good drill may be."""

    required: bool = True
    max_age: timedelta | None = None
    drill_max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a step may take before it counts as failed."""

    read: timedelta = timedelta(minutes=1)
    backup: timedelta = timedelta(minutes=30)
    migrate: timedelta = timedelta(minutes=15)
    stage: timedelta = timedelta(minutes=10)
    smoke: timedelta = timedelta(minutes=5)
    shift: timedelta = timedelta(minutes=10)
    drain: timedelta = timedelta(minutes=30)
    flows: timedelta = timedelta(minutes=5)
    rollback: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that one environment asks for; `parts` names the adapter of each port that is not the target."""

    environment: str
    target: str = "none"
    target_options: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    strategy: Strategy = Strategy.BLUE_GREEN
    weights: tuple[int, ...] = WEIGHTS
    dwells: tuple[timedelta, ...] = DWELLS
    promote_from: PromoteFrom | None = None
    analysis: Rules = field(default_factory=Rules)
    soak: timedelta = timedelta(0)
    rollback_window: timedelta = timedelta(0)
    freeze: tuple[FreezeWindow, ...] = ()
    approvals: Approvals = Approvals()
    backup: BackupRules = BackupRules()
    deadlines: Deadlines = Deadlines()

    def terms(self) -> str:
        """A hash of what decides how a promotion is judged, so that an approval is bound to it, too."""
        judged = [self.soak, self.rollback_window, self.promote_from, self.analysis, self.approvals, self.backup, self.target]
        return fingerprint([repr(part) for part in judged])
