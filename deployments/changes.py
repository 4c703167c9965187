"""What `apply` would do, as data: planned first, shown, then run.

Structure belongs to git and is put back. Numbers may be changed by an operator and are then kept: what `apply` set
last is remembered in a Prefect variable, so a number that is still that one follows the repository and any other is
somebody's. Switches (a paused pool, schedule or automation) are never touched.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate

from aquascene.adapters.settings import Settings

# keep: differs and stays so. left: ours once, not in the repository any more, removed by --prune only.
Action = Literal["create", "update", "delete", "keep", "left"]
SIGNS: dict[Action, str] = {"create": "+", "update": "~", "delete": "-", "keep": "=", "left": "?"}
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the server and the repository, and what ends it (None: nothing does)."""

    action: Action
    kind: str
    name: str
    details: tuple[str, ...] = ()
    run: Callable[[], object] | None = None

    @property
    def is_drift(self) -> bool:
        """Tell whether running this would change the server."""
        return self.run is not None

    def lines(self) -> Iterator[str]:
        """Print as one line, and one more for each detail."""
        yield f"{SIGNS[self.action]} {self.kind} {self.name}"
        yield from (f"    {detail}" for detail in self.details)


class Memory:
    """The numbers that `apply` set last, in one Prefect variable per environment."""

    def __init__(self, client: SyncPrefectClient, environment: str, *, force: bool = False) -> None:
        self._client, self._name, self._force = client, f"aquascene_applied_{environment}", force
        found = client.read_variable_by_name(self._name)
        self._before: dict[str, Any] | None = dict(found.value) if found and isinstance(found.value, dict) else None
        self._now = dict(self._before or {})

    def may_set(self, key: str, present: int | None, wanted: int | None) -> bool:
        """Tell whether a number is ours to change; remembers the answer."""
        # Never applied: no number at all is what Prefect starts with.
        ours = present == self._now[key] if key in self._now else present is None
        if self._force or ours or present == wanted:
            self._now[key] = wanted
            return present != wanted
        return False

    def set_by_us(self, key: str, wanted: int | None) -> None:
        """Remember a number that is set by creating what it belongs to."""
        self._now[key] = wanted

    def save(self) -> None:
        """Write what is remembered where it changed."""
        if self._now == self._before:
            return
        if self._before is None:
            self._client.create_variable(VariableCreate(name=self._name, value=self._now))
        else:
            self._client.update_variable(VariableUpdate(name=self._name, value=self._now))


@dataclass(frozen=True, slots=True)
class Context:
    """What every planner needs."""

    client: SyncPrefectClient
    config: Settings
    memory: Memory
    prune: bool = False

    @property
    def environment(self) -> str:
        """Name the environment."""
        return str(self.config.environment)

    def superfluous(self, kind: str, name: str, remove: Callable[[], object]) -> Change:
        """Something of ours that the repository does not have: removed with --prune, else only named."""
        if self.prune:
            return Change("delete", kind, name, ("not in the repository",), remove)
        return Change("left", kind, name, ("not in the repository; --prune removes it",))


@dataclass
class Difference:
    """Collects what differs in one object: fields of git, and numbers that may be an operator's."""

    key: str
    memory: Memory
    fields: dict[str, Any] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def compare(self, name: str, label: str, present: Any, wanted: Any) -> None:
        """Compare a field that belongs to git."""
        if present != wanted:
            self.fields[name] = wanted
            self.details.extend(list(differences(label, present, wanted))[:20])

    def compare_number(self, name: str, label: str, present: int | None, wanted: int | None) -> None:
        """Compare a number that an operator may have changed."""
        if self.memory.may_set(f"{self.key}/{name}", present, wanted):
            self.fields[name] = wanted
            self.details.append(f"{label}: {shown(present)} -> {shown(wanted)}")
        elif present != wanted:
            self.kept.append(f"{label}: {shown(present)} is an operator's; the repository says {shown(wanted)} (--force sets it)")

    def changes(self, kind: str, name: str, update: Callable[[dict[str, Any]], object]) -> Iterator[Change]:
        """Make the changes that these differences ask for."""
        if self.fields:
            yield Change("update", kind, name, tuple(self.details), lambda: update(self.fields))
        if self.kept:
            yield Change("keep", kind, name, tuple(self.kept))


def differences(path: str, present: Any, wanted: Any) -> Iterator[str]:
    """Name what differs between two documents, one line per leaf."""
    if isinstance(present, dict) and isinstance(wanted, dict):
        for key in [*wanted, *(key for key in present if key not in wanted)]:
            if present.get(key) != wanted.get(key) or (key in present) != (key in wanted):
                yield from differences(f"{path}.{key}", present.get(key), wanted.get(key))
    else:
        yield f"{path}: {shown(present)} -> {shown(wanted)}"


def shown(value: Any) -> str:
    """Print a value in a short form."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
