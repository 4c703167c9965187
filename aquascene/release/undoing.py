"""Rolling back a promotion that failed: traffic, then flows, then the app; never the schema.

Its expanding migrations stay: the old version runs on them. Everything here observes first, so a new holder can enter anywhere.
"""

from aquascene.release.holding import Hold
from aquascene.release.observation import Colour
from aquascene.release.ports import StepFailed


def traffic(hold: Hold) -> None:
    """Send every reader to the version before, bringing it up again where it is gone. The first thing, and at once."""
    target, old = hold.ports.target, hold.plan.previous_colour
    if old is None:
        return
    seen = hold.read(target.observe).of(old)
    if seen.weight == 100:
        return
    if seen.weight == 0 or not seen.serves:  # what serves readers now needs no proof, and no wait
        _ready(hold, old)
    hold.settle(
        "undo-traffic",
        old,
        lambda: target.observe().of(old).weight == 100,
        lambda: target.set_weight(old, 100, hold.fence),
        hold.policy.deadlines.rollback,
    )


def _ready(hold: Hold, old: Colour) -> None:
    target, previous = hold.ports.target, hold.previous
    if previous is None:  # it was never in the ledger: all that can be asked is whether it serves
        if not hold.read(target.observe).of(old).serves:
            raise StepFailed("no-way-back", f"what ran in {old} before is gone, and the ledger does not know what it was")
        return
    hold.settle(
        "undo-stage",
        f"{old}:{previous.face.digest}",
        lambda: target.converged(old, previous),
        lambda: target.stage(old, previous, hold.fence),
        hold.policy.deadlines.stage,
    )


def flows(hold: Hold) -> None:
    """Point the deployments back and let the schedules run again."""
    if not hold.began("pause-flows", "resume-flows"):
        return
    port, previous, within = hold.ports.flows, hold.previous, hold.policy.deadlines.rollback
    if previous is not None:
        hold.settle(
            "undo-flows",
            previous.version,
            lambda: port.state().release == previous.version,
            lambda: port.register(previous, hold.fence),
            within,
        )
    # Without a version before, the flows that were registered belong to what is taken away: they stay paused.
    else:
        hold.settle("undo-flows", "pause", lambda: port.state().paused, lambda: port.pause(hold.fence), within)
        return
    hold.settle("undo-pause", hold.release.version, lambda: not port.state().paused, lambda: port.resume(hold.fence), within)


def app(hold: Hold) -> None:
    """Take the new version away, once no reader reaches it."""
    target, colour = hold.ports.target, hold.plan.colour
    if not hold.began("stage"):
        return
    if hold.plan.previous_colour is not None and hold.read(target.observe).of(colour).weight > 0:
        raise StepFailed("still-live", f"{colour} still has traffic")
    hold.settle(
        "undo-app",
        colour,
        lambda: not target.observe().of(colour).digest,
        lambda: target.remove(colour, hold.fence),
        hold.policy.deadlines.rollback,
    )


ORDER = (("undo-traffic", traffic), ("undo-flows", flows), ("undo-app", app))
