"""The plan: what a promotion would change, as a document and a hash.

The hash is SHA-256 over canonical JSON. It covers what was observed, what is wanted and the terms, and nothing that moves by
itself (replica counts, the idle colour), so that a plan is stale exactly when the world that it was made for is gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from aquascene.release.canonical import fingerprint
from aquascene.release.compatibility import Pending
from aquascene.release.model import Release
from aquascene.release.observation import Colour, FlowsState, Observation, SchemaState
from aquascene.release.states import Kind
from aquascene.release.strategies import Shift, Strategy


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan by its document; warnings are for people and are not hashed."""

    document: Mapping[str, Any]
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def hash(self) -> str:
        """The hash that binds approvals and runs to this plan."""
        return fingerprint(self.document)

    @property
    def colour(self) -> Colour:
        """The colour that gets the new version."""
        return cast(Colour, self.document["colour"])

    @property
    def previous_colour(self) -> Colour | None:
        """The colour that readers reach now; None where there is none."""
        return cast("Colour | None", self.document["previous_colour"])

    @property
    def previous(self) -> str | None:
        """The release to go back to; None where there is none."""
        return cast("str | None", self.document["previous"])

    @property
    def migrate_to(self) -> str | None:
        """The revision to bring the database to; None where it stays."""
        return cast("str | None", self.document["migrations"]["to"])

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """The weights to go through."""
        return tuple(Shift(weight, timedelta(seconds=dwell)) for weight, dwell in self.document["shifts"])

    @property
    def soak(self) -> timedelta:
        """How long the new version is watched with all the traffic."""
        return timedelta(seconds=self.document["soak_seconds"])


@dataclass(frozen=True, slots=True)
class Wish:
    """What a plan is made from, beside what was observed."""

    environment: str
    kind: Kind
    release: Release
    previous: Release | None
    strategy: Strategy
    shifts: Sequence[Shift]
    soak: timedelta
    terms: str
    pause_seconds: float
    with_flows: bool = True


@dataclass(frozen=True, slots=True)
class World:
    """What was observed for a plan."""

    observation: Observation
    schema: SchemaState
    flows: FlowsState | None = None


def make(wish: Wish, world: World, todo: Pending, warnings: Sequence[str] = ()) -> Plan:
    """Write the plan; the same wish and the same world give the same bytes."""
    live = world.observation.live()
    apply = todo.contract if wish.kind is Kind.CONTRACT else todo.expand
    document = {
        "environment": wish.environment,
        "kind": str(wish.kind),
        "release": wish.release.version,
        "git_sha": wish.release.git_sha,
        "digests": wish.release.digests,
        "previous": wish.previous.version if wish.previous else None,
        "strategy": str(wish.strategy),
        "shifts": [[shift.weight, shift.dwell.total_seconds()] for shift in wish.shifts],
        "soak_seconds": wish.soak.total_seconds(),
        "pause_seconds": wish.pause_seconds,
        "terms": wish.terms,
        "colour": live.colour if live and wish.kind is Kind.CONTRACT else world.observation.idle(),
        "previous_colour": live.colour if live else None,
        "observed": {
            "live": {"colour": live.colour, "digest": live.digest, "weight": live.weight} if live else None,
            "schema": world.schema.revision,
            "flows": world.flows.release if world.flows else None,
        },
        "migrations": {
            "to": apply[-1].id if apply else None,
            "apply": [revision.model_dump() for revision in apply],
            "left": [revision.id for revision in todo.contract] if wish.kind is not Kind.CONTRACT else [],
        },
        "switch_flows": wish.with_flows and wish.kind is not Kind.CONTRACT,
        "configuration_changes": wish.previous is None or wish.previous.configuration != wish.release.configuration,
        "rendered_changes": _changed_files(wish.previous, wish.release),
    }
    return Plan(document, tuple(warnings))


def _changed_files(previous: Release | None, release: Release) -> list[str]:
    before = previous.rendered if previous else {}
    return sorted(name for name in {*before, *release.rendered} if before.get(name) != release.rendered.get(name))


def differences(old: Plan, new: Plan) -> list[str]:
    """Name what is no longer as a plan says."""
    before, now = _flat(old.document), _flat(new.document)
    return [f"{name}: {before.get(name)} is now {now.get(name)}" for name in sorted({*before, *now}) if before.get(name) != now.get(name)]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {name: inner for key, part in value.items() for name, inner in _flat(part, f"{prefix}.{key}" if prefix else str(key)).items()}


def lines(plan: Plan) -> list[str]:
    """Write the plan as a diff for people."""
    doc = plan.document
    was = doc["previous"] or "nothing"
    found = [f"{doc['environment']}: {was} -> {doc['release']} ({doc['kind']})"]
    found += [f"  migration  + {revision['id']} ({revision['phase']})" for revision in doc["migrations"]["apply"]]
    found += [f"  migration    {revision} is left for a promotion of kind contract" for revision in doc["migrations"]["left"]]
    if doc["kind"] != Kind.CONTRACT:
        weights = ", ".join(f"{weight} %" for weight, _ in doc["shifts"])
        found.append(f"  {doc['colour']:<10} + {doc['digests']['web']}")
        found.append(f"  traffic      {doc['previous_colour'] or 'none'} -> {doc['colour']}, {doc['strategy']}: {weights}; soak {doc['soak_seconds']:g} s")
    if doc["switch_flows"]:
        found.append(f"  flows        {doc['observed']['flows'] or 'none'} -> {doc['release']}")
    if doc["configuration_changes"]:
        found.append("  settings     the schema of the settings changes")
    found += [f"  file       ~ {name}" for name in doc["rendered_changes"]]
    if doc["pause_seconds"]:
        found.append(f"  pause        readers wait up to {doc['pause_seconds']:g} s")
    return found + [f"  warning      {text}" for text in plan.warnings]
