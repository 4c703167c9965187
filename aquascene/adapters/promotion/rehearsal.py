"""A world that does nothing: every port but the ledger, over one small state in memory or in a file.

`target: none` uses it, so a promotion can be rehearsed with its real ledger, gates and policies, over several processes. Like a
real target it refuses old fences, and a weight for a colour that is not ready. `acts` lists what a real world would have done.
"""

import fcntl
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import Any, Protocol, TypeVar

from aquascene.errors import PermanentError
from aquascene.release.analysis import Sample
from aquascene.release.model import Release
from aquascene.release.observation import COLOURS, Colour, ColourState, FlowsState, Observation, SchemaState, other
from aquascene.release.ports import Backup, Drill, LostLease, Notice, SmokeReport
from aquascene.release.strategies import Strategy

log = logging.getLogger(__name__)
T = TypeVar("T")
State = dict[str, Any]


def blank() -> State:
    """A world in which nothing ever ran."""
    nothing = {"digest": "", "ready": 0, "desired": 0, "weight": 0}
    return {
        "fence": 0,
        "colours": {colour: dict(nothing) for colour in COLOURS},
        "schema": None,
        "flows": {"release": "", "paused": False},
        "backups": {},
        "acts": [],
    }


class Cell(Protocol):
    """A state that changes as a whole or not at all."""

    def change(self, change: Callable[[State], T]) -> T:
        """Read the state, let `change` change it, keep it; nothing is kept when that raises."""


@dataclass
class MemoryCell:
    """The state of one process."""

    state: State = field(default_factory=blank)
    _lock: RLock = field(default_factory=RLock, repr=False)

    def change(self, change: Callable[[State], T]) -> T:
        with self._lock:
            copy: State = json.loads(json.dumps(self.state))
            result = change(copy)
            self.state = copy
            return result


@dataclass(frozen=True)
class FileCell:
    """The state of several processes, one after another under a file lock."""

    path: Path

    def change(self, change: Callable[[State], T]) -> T:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state: State = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else blank()
            result = change(state)
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(state), encoding="utf-8")
            fresh.replace(self.path)
            return result


def _fenced(state: State, fence: int, act: str) -> None:
    if fence < state["fence"]:
        raise LostLease(f"this target has seen fence {state['fence']}; {fence} is old")
    state["fence"] = fence
    if act:
        state["acts"].append(act)


@dataclass(frozen=True)
class RehearsalTarget:
    """Two colours that exist on paper."""

    cell: Cell
    pause_seconds: float = 0.0
    strategies: frozenset[Strategy] = frozenset(Strategy)
    live_url: str = "http://live.example"

    def preview_url(self, colour: Colour) -> str:
        return f"http://{colour}.example"

    def observe(self) -> Observation:
        return self.cell.change(lambda state: Observation(tuple(ColourState(c, fence=state["fence"], **state["colours"][c]) for c in COLOURS)))

    def problems(self, release: Release) -> Sequence[str]:
        return ()

    def claim(self, fence: int) -> None:
        self.cell.change(lambda state: _fenced(state, fence, ""))

    def stage(self, colour: Colour, release: Release, fence: int) -> None:
        def change(state: State) -> None:
            _fenced(state, fence, f"stage {colour} {release.version}")
            state["colours"][colour] |= {"digest": release.face.digest, "ready": 1, "desired": 1}

        self.cell.change(change)

    def converged(self, colour: Colour, release: Release) -> bool:
        seen = self.observe().of(colour)
        return seen.serves and release.face.matches(seen.digest)

    def set_weight(self, colour: Colour, percent: int, fence: int) -> None:
        def change(state: State) -> None:
            _fenced(state, fence, f"weight {colour} {percent}")
            for one, share in ((colour, percent), (other(colour), 100 - percent)):
                if share and not state["colours"][one]["ready"]:
                    raise PermanentError(f"{one} is not ready to take {share} %")
                state["colours"][one]["weight"] = share

        self.cell.change(change)

    def remove(self, colour: Colour, fence: int) -> None:
        def change(state: State) -> None:
            _fenced(state, fence, f"remove {colour}")
            if state["colours"][colour]["weight"] and state["colours"][other(colour)]["digest"]:
                raise PermanentError(f"{colour} still has traffic")
            state["colours"][colour] |= {"digest": "", "ready": 0, "desired": 0, "weight": 0}

        self.cell.change(change)


@dataclass(frozen=True)
class RehearsalMigrator:
    """A schema that is one word."""

    cell: Cell

    def state(self) -> SchemaState:
        return self.cell.change(lambda state: SchemaState(state["schema"]))

    def problems(self) -> Sequence[str]:
        return ()

    def upgrade(self, release: Release, revision: str, fence: int) -> None:
        def change(state: State) -> None:
            _fenced(state, fence, f"migrate {revision}")
            state["schema"] = revision

        self.cell.change(change)


@dataclass(frozen=True)
class RehearsalBackups:
    """Backups of nothing; the newest counts as the last good one, and as drilled."""

    cell: Cell
    now: Callable[[], datetime]

    def find(self, key: str) -> Backup | None:
        at = self.cell.change(lambda state: state["backups"].get(key))
        return Backup(key, f"rehearsal/{key}", datetime.fromisoformat(at), verified=True) if at else None

    def make(self, key: str, fence: int) -> None:
        def change(state: State) -> None:
            if key not in state["backups"]:
                _fenced(state, fence, f"backup {key}")
                state["backups"][key] = self.now().isoformat()

        self.cell.change(change)

    def last_good(self) -> datetime | None:
        return self.now()

    def last_drill(self) -> Drill | None:
        return Drill(self.now(), passed=True)


@dataclass(frozen=True)
class RehearsalFlows:
    """Deployments that are one word."""

    cell: Cell

    def state(self) -> FlowsState:
        return self.cell.change(lambda state: FlowsState(**state["flows"]))

    def pause(self, fence: int) -> None:
        self._set(fence, "pause flows", paused=True)

    def register(self, release: Release, fence: int) -> None:
        self._set(fence, f"register flows {release.version}", release=release.version)

    def resume(self, fence: int) -> None:
        self._set(fence, "resume flows", paused=False)

    def _set(self, fence: int, act: str, **values: object) -> None:
        def change(state: State) -> None:
            _fenced(state, fence, act)
            state["flows"] |= values

        self.cell.change(change)


class RehearsalSmoke:
    """Synthetic readers who like everything."""

    def run(self, url: str, release: Release, tag: str) -> SmokeReport:
        return SmokeReport()


@dataclass(frozen=True)
class RehearsalStatistics:
    """Numbers without a fault: every name that is asked for is 0."""

    names: tuple[str, ...] = ()

    def sample(self, colour: Colour, window: timedelta) -> Sample:
        return Sample(1_000_000, dict.fromkeys(self.names, 0.0))


class LogNotifier:
    """Tells the log."""

    def notify(self, notice: Notice) -> None:
        log.log(
            logging.ERROR if notice.page else logging.INFO, "promotion_notice promotion_id=%s event=%s text=%s", notice.promotion.id, notice.event, notice.text
        )
