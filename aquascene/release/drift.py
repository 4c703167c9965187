"""Drift: where an environment at rest is not what the ledger says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aquascene.release.compatibility import refusal
from aquascene.release.model import Release, Revision
from aquascene.release.observation import Observation
from aquascene.release.plan import World


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is not as it should be."""

    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what}: {self.found}, expected {self.expected}"


def of_traffic(current: Release | None, seen: Observation) -> Iterator[Drift]:
    """Compare what readers reach; with no release in the ledger only the weights are judged."""
    if not seen.at_rest:
        yield Drift("weights", "one colour with everything", ", ".join(f"{colour} {weight} %" for colour, weight in seen.weights().items()))
    live = seen.live()
    if current is None:
        return
    if live is None:
        yield Drift("traffic", current.version, "no colour has any")
    elif not current.face.matches(live.digest):
        yield Drift("image", f"{current.version} ({current.face.digest})", live.digest or "none")


def of_everything(current: Release | None, fence: int, world: World, lines: Sequence[Sequence[Revision]]) -> Iterator[Drift]:
    """Compare traffic, health, fence, schema and flows with the ledger."""
    yield from of_traffic(current, world.observation)
    live = world.observation.live()
    if live is not None and not live.serves:
        yield Drift("health", f"{live.desired} ready in {live.colour}", str(live.ready))
    if world.observation.fence > fence:
        yield Drift("fence", f"at most {fence}", f"{world.observation.fence}: another ledger or engine acts here")
    if current is not None and (why := refusal(current, world.schema.revision, lines)):
        yield Drift("schema", f"one that {current.version} runs on", why)
    if world.schema.invalid_indexes:
        yield Drift("indexes", "all valid", ", ".join(world.schema.invalid_indexes))
    if current is not None and world.flows is not None and world.flows.release != current.version:
        yield Drift("flows", current.version, world.flows.release or "none or several")
    if world.flows is not None and world.flows.paused:
        yield Drift("schedules", "active", "paused by a promotion")
