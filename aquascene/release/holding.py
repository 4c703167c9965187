"""Holding an environment: the lease and its heartbeat, and the one way in which every step acts.

A step observes, decides, acts and verifies. Its intent is in the ledger before it acts, its outcome after it has looked.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from aquascene.errors import PermanentError, TransientError
from aquascene.release.model import Release
from aquascene.release.plan import Plan
from aquascene.release.policy import Policy
from aquascene.release.ports import Clock, LostLease, Notice, Ports, StepFailed
from aquascene.release.records import Entry, Lease, Outcome, Promotion
from aquascene.release.states import State, check

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a lease lasts, how often it is renewed, and how long to wait between two looks."""

    lease: timedelta = timedelta(seconds=60)
    beat: timedelta = timedelta(seconds=15)
    poll: timedelta = timedelta(seconds=2)


def patiently(clock: Clock, jitter: Callable[[], float], read: Callable[[], T], within: timedelta) -> T:
    """Read something that changes nothing until it answers; the last TransientError when it does not in time."""
    ends, wait = clock.monotonic() + within.total_seconds(), 0.5
    while True:
        try:
            return read()
        except TransientError:
            if clock.monotonic() + wait > ends:
                raise
        clock.sleep(wait * (0.5 + jitter()))
        wait = min(wait * 2, 10.0)


def tell(ports: Ports, promotion: Promotion, event: str, text: str, *, page: bool = False) -> None:
    """Tell people; a silent messenger stops nothing."""
    try:
        ports.notifier.notify(Notice(promotion, event, text, page))
    except Exception as exc:  # noqa: BLE001 - whatever it raises, a promotion does not depend on it
        log.warning("notice_failed promotion_id=%s event=%s error=%s", promotion.id, event, type(exc).__name__)


@dataclass
class Hold:
    """A promotion under this engine's lease: what the steps work with."""

    ports: Ports
    policy: Policy
    terms: Terms
    lease: Lease
    promotion: Promotion
    release: Release
    previous: Release | None
    expected: str | None
    undoing: bool = False
    _renewed: float = field(default=0.0, init=False)
    _lost: str = field(default="", init=False)
    _stop: str = field(default="", init=False)
    _number: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._renewed = self.ports.clock.monotonic()
        self._number = max((entry.number for entry in self.entries()), default=0)
        if self.promotion.stop_by:
            self._stop = f"{self.promotion.stop_by} asked to stop: {self.promotion.stop_reason}"

    @property
    def plan(self) -> Plan:
        """The plan that is carried out."""
        if self.promotion.plan is None:
            raise StepFailed("no-plan", f"promotion {self.promotion.id} has no plan")
        return self.promotion.plan

    @property
    def fence(self) -> int:
        """The fence that every changing call carries."""
        return self.lease.fence

    # --- the lease

    def beat(self) -> None:
        """Renew the lease; safe from another thread."""
        began = self.ports.clock.monotonic()
        try:
            stop = self.ports.ledger.renew(self.lease, self.terms.lease)
        except LostLease as exc:
            self._lost = str(exc)
            raise
        self._renewed, self._stop = began, stop or self._stop

    def check(self) -> None:
        """Raise LostLease unless the lease is surely ours, and StepFailed when a person asked for a stop. Before every act."""
        if self._age() >= self.terms.beat.total_seconds() and not self._lost:
            try:
                self.beat()
            except TransientError as exc:
                if self._age() >= self.terms.lease.total_seconds():
                    self._lost = f"the ledger has not answered for the time of a lease: {exc}"
        if self._lost:
            raise LostLease(self._lost)
        if self._stop and not self.undoing:
            raise StepFailed("stopped", self._stop)

    def _age(self) -> float:
        return self.ports.clock.monotonic() - self._renewed

    def pause(self, seconds: float) -> None:
        """Let time pass, holding the lease."""
        ends = self.ports.clock.monotonic() + seconds
        while (left := ends - self.ports.clock.monotonic()) > 0:
            self.ports.clock.sleep(min(left, self.terms.beat.total_seconds()))
            self.check()

    # --- the ledger

    def written(self, write: Callable[[], T]) -> T:
        """Repeat a write until the ledger answers; LostLease when it does not for the time of a lease."""
        while True:
            try:
                return write()
            except TransientError as exc:
                if self._age() >= self.terms.lease.total_seconds():
                    self._lost = f"the ledger has not answered for the time of a lease: {exc}"
                    raise LostLease(self._lost) from exc
            self.ports.clock.sleep(0.5 + self.ports.jitter())

    def advance(self, new: State, *, weight: int | None = None, code: str = "", reason: str = "") -> None:
        """Move the promotion on."""
        old = self.promotion.state
        check(old, new)
        self.promotion = self.written(lambda: self.ports.ledger.advance(self.lease, old, new, weight=weight, code=code, reason=reason))
        log.info("promotion_state promotion_id=%s state=%s weight=%d", self.promotion.id, new, self.promotion.weight)

    def entries(self) -> list[Entry]:
        """What was written about this promotion so far, by this holder and those before."""
        return [kept.entry for kept in self.read(lambda: self.ports.ledger.entries(self.promotion.id))]

    def began(self, *steps: str) -> bool:
        """Tell whether one of these steps was ever intended: what was never intended was never done."""
        return any(entry.step in steps for entry in self.entries())

    def intend(self, step: str, key: str, detail: Mapping[str, Any] | None = None) -> int:
        """Write down what is about to be done."""
        self._number += 1
        entry = Entry(self._number, step, key, None, detail or {})
        self.written(lambda: self.ports.ledger.write(self.lease, entry))
        return entry.number

    def conclude(self, number: int, step: str, key: str, outcome: Outcome, detail: Mapping[str, Any] | None = None) -> None:
        """Write down what came of it."""
        entry = Entry(number, step, key, outcome, detail or {})
        self.written(lambda: self.ports.ledger.write(self.lease, entry))

    # --- acting

    def read(self, read: Callable[[], T]) -> T:
        """Read something until it answers; StepFailed when it does not."""
        try:
            return patiently(self.ports.clock, self.ports.jitter, read, self.policy.deadlines.read)
        except TransientError as exc:
            raise StepFailed("no-answer", str(exc)) from exc

    def settle(
        self, step: str, key: str, seen: Callable[[], bool], act: Callable[[], None], within: timedelta, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Drive something to where `seen` sees it: look, act once, look until it is so; after a transient error look before acting again."""
        ends, number, acted, trouble = self.ports.clock.monotonic() + within.total_seconds(), 0, False, "it did not come about"
        while True:
            self.check()
            try:
                if seen():
                    return self._found(number, step, key)
                if not acted:
                    number = number or self.intend(step, key, detail)
                    act()
                    acted = True
                    continue
            except TransientError as exc:
                acted, trouble = False, str(exc)
            except LostLease:
                raise
            except PermanentError as exc:
                self._failed(number, step, key, exc)
            if self.ports.clock.monotonic() >= ends:
                self._failed(number, step, key, StepFailed("too-late", f"not within {within}: {trouble}"))
            self.pause(self.terms.poll.total_seconds() * (0.5 + self.ports.jitter()))

    def once(self, step: str, key: str, act: Callable[[], Mapping[str, Any]], within: timedelta) -> None:
        """Do something that leaves nothing to look at and may be repeated; what it returns is kept with the outcome."""
        self.check()
        number = self.intend(step, key)
        try:
            detail = patiently(self.ports.clock, self.ports.jitter, act, within)
        except LostLease:
            raise
        except (PermanentError, TransientError) as exc:
            self._failed(number, step, key, exc)
        else:
            self.conclude(number, step, key, Outcome.DONE, detail)

    def _found(self, number: int, step: str, key: str) -> None:
        if number == 0:
            self._number += 1
        self.conclude(number or self._number, step, key, Outcome.DONE if number else Outcome.FOUND)

    def _failed(self, number: int, step: str, key: str, error: Exception) -> None:
        self.conclude(number or self.intend(step, key), step, key, Outcome.FAILED, {"problem": str(error)})
        code = error.reason_code if isinstance(error, StepFailed) else step
        raise StepFailed(code, f"{step}: {error}") from error

    def tell(self, event: str, text: str, *, page: bool = False) -> None:
        """Tell people how it goes."""
        tell(self.ports, self.promotion, event, text, page=page)
