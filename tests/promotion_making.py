"""A small world for promotions: releases, a clock that sleeps at once, engines over rehearsed ports, and faults."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from aquascene.adapters.promotion.clock import still
from aquascene.adapters.promotion.memory_ledger import MemoryLedger
from aquascene.adapters.promotion.rehearsal import (
    Cell,
    MemoryCell,
    RehearsalBackups,
    RehearsalFlows,
    RehearsalMigrator,
    RehearsalSmoke,
    RehearsalStatistics,
    RehearsalTarget,
)
from aquascene.release.analysis import Check, Rules
from aquascene.release.engine import Engine
from aquascene.release.holding import Terms
from aquascene.release.model import PromotionId, Release, from_document
from aquascene.release.policy import BackupRules, Policy
from aquascene.release.ports import Ledger, Notice, Ports
from aquascene.release.records import Actor

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ADA = Actor("ada", authenticated=True)
PORTS = ("ledger", "target", "migrator", "backups", "flows", "smoke", "statistics", "notifier")
CHECKS = (Check("error_ratio", 0.01, max_ratio=1.5, ignore_below=0.002, critical=True), Check("latency_p95_ms", 800))


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def document(number: int, *revisions: str, **changes: Any) -> dict[str, Any]:
    """release.json of version 1.<number>.0; a revision is its id, `!` before it makes it a contracting one."""
    listed = [{"id": name.lstrip("!"), "phase": "contract" if name.startswith("!") else "expand"} for name in revisions or ("0001",)]
    oldest = [one["id"] for one in listed if one["phase"] == "expand"][-1]
    image = {"reference": f"registry.example/aquascene@{digest(number)}", "platforms": {"linux/amd64": digest(number + 1000)}}
    made = {
        "format": 1,
        "version": f"1.{number}.0",
        "git_sha": f"{number:040x}",
        "created": "2026-11-23T12:00:00Z",
        "images": {"web": image, "worker": image, "migrate": image},
        "configuration": {"schema_sha256": "a" * 64},
        "migrations": {"head": listed[-1]["id"], "runs_on": {"oldest": oldest, "newest": listed[-1]["id"]}, "revisions": listed},
        "prefect": {"version": "3.8.8"},
        "rendered": {"docker/stack.yaml": f"{number:064x}"},
    }
    return made | changes


def a_release(number: int, *revisions: str, **changes: Any) -> Release:
    return from_document(document(number, *revisions, **changes))


@dataclass
class QuickClock:
    """Time that passes only when somebody sleeps."""

    passed: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


class Inbox:
    """Keeps what people would have been told."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)

    @property
    def events(self) -> list[str]:
        return [notice.event for notice in self.notices]


class Killed(BaseException):
    """Stands for kill -9: nothing in the engine may catch it."""


@dataclass
class Wrapped:
    """A port whose calls pass through `around(port.name, call)`; properties are read as they are."""

    port: Any
    name: str
    around: Callable[[str, Callable[[], Any]], Any]

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self.port, attribute)
        if not callable(value):
            return value
        return lambda *args, **kwargs: self.around(f"{self.name}.{attribute}", lambda: value(*args, **kwargs))


@dataclass
class KillAt:
    """Kills before or after the nth call of any port; counts them."""

    at: int = -1
    after: bool = False
    calls: list[str] = field(default_factory=list)

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        number = len(self.calls)
        self.calls.append(name)
        if number == self.at and not self.after:
            raise Killed(name)
        result = call()
        if number == self.at:
            raise Killed(name)
        return result


def a_policy(**changes: Any) -> Policy:
    """A demo policy with checks, a soak and a rollback window."""
    rules = Rules(CHECKS, interval=timedelta(seconds=30), min_samples=100)
    given: dict[str, Any] = {"analysis": rules, "soak": timedelta(minutes=2), "rollback_window": timedelta(hours=2), "backup": BackupRules()}
    return Policy("demo", **given | changes)


class Ledgers:
    """Makes the ledger of a worksite: in memory, unless a test puts another one here."""

    def made(self) -> tuple[Ledger, QuickClock]:
        clock = QuickClock()
        return MemoryLedger(clock.now), clock


ledgers = Ledgers()


@dataclass
class Worksite:
    """One environment with everything that engines share; each engine is a process of its own."""

    policy: Policy = field(default_factory=a_policy)
    clock: QuickClock = None  # type: ignore[assignment]
    cell: Cell = field(default_factory=MemoryCell)
    ledger: Ledger = None  # type: ignore[assignment]
    inbox: Inbox = field(default_factory=Inbox)
    smoke: Any = field(default_factory=RehearsalSmoke)
    statistics: Any = None
    target: Any = None
    terms: Terms = field(default_factory=Terms)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        if self.ledger is None:
            self.ledger, self.clock = ledgers.made()
        self.target = self.target or RehearsalTarget(self.cell)
        self.statistics = self.statistics or RehearsalStatistics(tuple(check.name for check in CHECKS))

    def ports(self, around: Callable[[str, Callable[[], Any]], Any] | None = None) -> Ports:
        made = Ports(
            ledger=self.ledger,
            target=self.target,
            migrator=RehearsalMigrator(self.cell),
            backups=RehearsalBackups(self.cell, self.clock.now),
            flows=RehearsalFlows(self.cell),
            smoke=self.smoke,
            statistics=self.statistics,
            notifier=self.inbox,
            clock=self.clock,
            jitter=lambda: 0.5,
            new_id=lambda: PromotionId(UUID(int=next(self._ids))),
            pulse=still,
        )
        wrapped: dict[str, Any] = {name: Wrapped(getattr(made, name), name, around) for name in PORTS} if around else {}
        return replace(made, **wrapped)

    def engine(self, around: Callable[[str, Callable[[], Any]], Any] | None = None, **changes: Any) -> Engine:
        given: dict[str, Any] = {"policy": self.policy, "holder": f"engine-{next(self._ids)}", "by": ADA, "terms": self.terms}
        return Engine(self.ports(around), **given | changes)

    def add(self, *releases: Release) -> None:
        for release in releases:
            self.ledger.add_release(release, ADA)

    def running(self, release: Release) -> None:
        """Bring a first release here, cleaned and at rest."""
        self.add(release)
        result = self.engine().promote(release.version)
        assert result.code == 0, result.text
        self.clock.sleep(self.policy.rollback_window.total_seconds())
        self.engine().resume(result.promotion.id)

    @property
    def acts(self) -> list[str]:
        return self.cell.change(lambda state: list(state["acts"]))

    def weights(self) -> dict[str, int]:
        return {str(colour): weight for colour, weight in RehearsalTarget(self.cell).observe().weights().items()}

    def picture(self) -> dict[str, Any]:
        """What is there in the end, without fences and times."""
        state = self.cell.change(lambda state: {name: state[name] for name in ("colours", "schema", "flows")})
        here = self.ledger.get_environment(self.policy.environment)
        return state | {"current": here.current, "previous": here.previous, "locked": here.locked_by, "frozen": here.frozen_reason}
