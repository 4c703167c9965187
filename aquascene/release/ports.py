"""What promotion needs of the world. An adapter of the target is a module in adapters/clusters; the others are in adapters/promotion.

Rules for every port: `TransientError` means "ask again", and the engine does, after observing; `PermanentError` means that it
never will. Calls that change something take the `fence` of the caller, are safe to repeat, and raise LostLease when they have
seen a higher one. Calls may return before their effect is there: the engine looks until it is.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from aquascene.errors import Conflict, PermanentError
from aquascene.release.analysis import Sample
from aquascene.release.model import PromotionId, Release, Revision
from aquascene.release.observation import Colour, FlowsState, Observation, SchemaState
from aquascene.release.plan import Plan
from aquascene.release.records import (
    Actor,
    Approval,
    AuditRow,
    Busy,
    Commit,
    Entry,
    EnvironmentRecord,
    KeptEntry,
    KeptRelease,
    Lease,
    Options,
    Promotion,
)
from aquascene.release.states import Kind, State
from aquascene.release.strategies import Strategy


class LostLease(Conflict):
    """Somebody with a higher fence holds the environment: stop at once and change nothing more."""

    code = "lost-lease"


class StepFailed(PermanentError):
    """A step did not come to its end; the promotion is aborted or rolled back. `reason_code` is one word for machines."""

    code = "step-failed"

    def __init__(self, reason_code: str, reason: str) -> None:
        super().__init__(reason)
        self.reason_code = reason_code


class Target(Protocol):
    """Where the product runs: two colours and the weights in front of them.

    Weights are whole percents. After any change they sum to 100, or to 0 where nothing was ever live.
    """

    @property
    def strategies(self) -> frozenset[Strategy]:
        """The strategies that it can do."""

    @property
    def pause_seconds(self) -> float:
        """How long readers wait at most when traffic moves; 0 for targets that lose no request."""

    @property
    def live_url(self) -> str:
        """The address that readers use."""

    def preview_url(self, colour: Colour) -> str:
        """The address of one colour, whatever its weight."""

    def observe(self) -> Observation:
        """Look at both colours. Nothing is remembered: what it says is there."""

    def problems(self, release: Release) -> Sequence[str]:
        """List what would keep a release from running here: image not pullable, no room, router silent, foreign managers. Changes nothing."""

    def claim(self, fence: int) -> None:
        """Stamp a fence on everything, so that every later call with a lower one is refused. Called once by each new holder, before it looks."""

    def stage(self, colour: Colour, release: Release, fence: int) -> None:
        """Bring a release up in a colour without giving it traffic; replaces what runs in a colour without traffic."""

    def converged(self, colour: Colour, release: Release) -> bool:
        """Tell whether a colour runs this release alone, all of it is ready, and it could take traffic now.

        PermanentError when it never will: image missing, progress deadline exceeded, update rolled back by the target.
        """

    def set_weight(self, colour: Colour, percent: int, fence: int) -> None:
        """Give a colour this share and the other one the rest, in one switch. A rolling target begins its own update or its way back."""

    def remove(self, colour: Colour, fence: int) -> None:
        """Take a colour away; one that readers reach only when it is the only one (a first promotion that failed)."""


class Migrator(Protocol):
    """The product's database schema."""

    def state(self) -> SchemaState:
        """Read the revision and what is broken."""

    def problems(self) -> Sequence[str]:
        """List what would keep a migration from running. Changes nothing."""

    def upgrade(self, release: Release, revision: str, fence: int) -> None:
        """Bring the schema to a revision under the migrators' lock; lock time-outs are its own to retry, then TransientError."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup by its key; `verified` means that it was read back and its checksums hold."""

    key: str
    handle: str
    at: datetime
    verified: bool


@dataclass(frozen=True, slots=True)
class Drill:
    """The last rehearsal of a restore."""

    at: datetime
    passed: bool


class Backups(Protocol):
    """Backups by key: the same key never makes two."""

    def find(self, key: str) -> Backup | None:
        """Find and verify the backup with a key."""

    def make(self, key: str, fence: int) -> None:
        """Make the backup with a key; one that is there is left alone."""

    def last_good(self) -> datetime | None:
        """When the last verified backup was made."""

    def last_drill(self) -> Drill | None:
        """The last restore drill."""


class Flows(Protocol):
    """Schedules and deployments in Prefect. `promote` and the reconcilers are left out of all of it."""

    def state(self) -> FlowsState:
        """Look at deployments, schedules and running flow runs."""

    def pause(self, fence: int) -> None:
        """Pause the active schedules and remember which: those that a person paused stay that person's."""

    def register(self, release: Release, fence: int) -> None:
        """Point every deployment at a release's image and version."""

    def resume(self, fence: int) -> None:
        """Resume the schedules that `pause` paused, and no others."""


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """What the synthetic readers met; empty means that all is well."""

    failures: tuple[str, ...] = ()


class Smoke(Protocol):
    """Synthetic readers: tagged, self-cleaning, safe to repeat."""

    def run(self, url: str, release: Release, tag: str) -> SmokeReport:
        """Go through the product at an address; `/version` must tell the release."""


class Statistics(Protocol):
    """Numbers of what readers meet, by colour."""

    def sample(self, colour: Colour, window: timedelta) -> Sample:
        """Count what a colour did in the last `window`; TransientError when there are no numbers to be had."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people want to know; `page` asks for somebody at once."""

    promotion: Promotion
    event: str
    text: str
    page: bool = False


class Notifier(Protocol):
    """Tells people. What goes wrong here never fails a promotion."""

    def notify(self, notice: Notice) -> None:
        """Send one message."""


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """The present, aware."""

    def monotonic(self) -> float:
        """Seconds that never jump."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class Ledger(Protocol):
    """The truth about promotions. Each method is one committed transaction with its audit row; leases run by the ledger's own time.

    Methods that take a Lease raise LostLease, and change nothing, when another holder has taken a higher fence. Repeating a
    write that had come through is harmless.
    """

    # --- releases

    def add_release(self, release: Release, by: Actor) -> bool:
        """Keep a release; False when it is there already, Conflict when that version is there with other content."""

    def get_release(self, version: str) -> KeptRelease:
        """Read a release; NotFound when there is none."""

    def list_releases(self) -> list[KeptRelease]:
        """List all releases, newest first."""

    def block_release(self, version: str, by: Actor, reason: str) -> None:
        """Mark a release as bad: no promotion of it begins any more."""

    # --- promotions that nobody holds

    def get_environment(self, name: str) -> EnvironmentRecord:
        """Read an environment; one that was never promoted to is empty."""

    def request(self, promotion_id: PromotionId, environment: str, release: str, kind: Kind, strategy: Strategy, options: Options, by: Actor) -> Promotion:
        """Make a promotion, or find the one of this kind and release that has not ended there."""

    def save_plan(self, promotion_id: PromotionId, plan: Plan, strategy: Strategy, options: Options, by: Actor) -> Promotion:
        """Plan a promotion that has not begun (anew); Conflict when it has."""

    def await_approval(self, promotion_id: PromotionId) -> Promotion:
        """Note that a planned promotion waits for people."""

    def refuse(self, promotion_id: PromotionId, code: str, reason: str, by: Actor) -> Promotion:
        """End a promotion that has not begun."""

    def approve(self, approval: Approval, by: Actor) -> None:
        """Keep a verdict on a plan; the last one of a person counts."""

    def ask_stop(self, promotion_id: PromotionId, by: Actor, reason: str) -> Promotion:
        """Ask the engine that holds a promotion to stop and undo; it learns so with its next renewal."""

    def get_promotion(self, promotion_id: PromotionId) -> Promotion:
        """Read a promotion; NotFound when there is none."""

    def list_promotions(self, environment: str | None = None, limit: int = 50) -> list[Promotion]:
        """List promotions, newest first."""

    def unfinished(self, environment: str) -> list[Promotion]:
        """Promotions of an environment that began and did not end, and those that are committed but not cleaned, oldest first."""

    def commits(self, environment: str) -> list[Commit]:
        """What an environment took, oldest first; contracting migrations are none."""

    def entries(self, promotion_id: PromotionId) -> list[KeptEntry]:
        """The steps of a promotion, in order."""

    def approvals(self, promotion_id: PromotionId) -> list[Approval]:
        """The verdicts on a promotion's plans."""

    def audit_rows(self) -> Sequence[AuditRow]:
        """The audit chain from its start."""

    # --- under a lease

    def acquire(self, promotion_id: PromotionId, holder: str, lease: timedelta) -> Lease | Busy:
        """Take the environment with the next fence, unless a valid lease or another promotion holds it; a waiting promotion becomes locked."""

    def renew(self, held: Lease, lease: timedelta) -> str:
        """Prolong a lease; returns who asked for a stop and why, empty when nobody did."""

    def let_go(self, held: Lease) -> None:
        """End a lease early, so that somebody else can resume at once; the promotion keeps the environment."""

    def advance(self, held: Lease, old: State, new: State, *, weight: int | None = None, code: str = "", reason: str = "") -> Promotion:
        """Move a promotion on; Conflict when it is not in `old`. States that end it free the environment, `rollback_failed` freezes it."""

    def write(self, held: Lease, entry: Entry) -> None:
        """Write an intent, or the outcome of one; entries are known by their number."""

    def commit(self, held: Lease, expected: str | None) -> Promotion:
        """Make the release the environment's current one, if `expected` still is, and end the promotion: one transaction."""


def directly(name: str, step: Callable[[], None]) -> None:
    """Run a step as it is; the Prefect flow has each one as a task instead."""
    step()


@dataclass(frozen=True, slots=True)
class Own:
    """What the engine itself was built from: it must be the release's own engine, which knows its settings and migrations."""

    schema_sha256: str
    revisions: tuple[Revision, ...]


@dataclass(frozen=True)
class Ports:
    """The whole world of an engine. `pulse` keeps calling what it is given in the background, every 15 seconds or so."""

    ledger: Ledger
    target: Target
    migrator: Migrator
    backups: Backups
    flows: Flows
    smoke: Smoke
    statistics: Statistics
    notifier: Notifier
    clock: Clock
    jitter: Callable[[], float]
    new_id: Callable[[], PromotionId]
    pulse: Callable[[Callable[[], None]], AbstractContextManager[None]]
    around: Callable[[str, Callable[[], None]], None] = directly
