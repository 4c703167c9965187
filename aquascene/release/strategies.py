"""How traffic moves to the new version: rolling, blue-green or canary, each as a list of weights with a dwell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

WEIGHTS = (10, 25, 50, 100)
DWELLS = (timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=10))


class Strategy(StrEnum):
    """The three ways. `rolling` leaves the batches to the target; our analysis judges while it rolls."""

    ROLLING = "rolling"
    BLUE_GREEN = "blue-green"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class Shift:
    """Give the new version this percentage of traffic, and watch it for so long before the next."""

    weight: int
    dwell: timedelta


def problem(weights: Sequence[int], dwells: Sequence[timedelta]) -> str:
    """Say what is wrong with a canary's list; empty where it is good."""
    if not weights or weights[-1] != 100 or list(weights) != sorted(set(weights)) or weights[0] < 1:
        return f"weights must rise and end with 100, not {list(weights)}"
    if len(dwells) != len(weights) - 1:
        return f"{len(weights)} weights need {len(weights) - 1} dwells (the soak follows 100), not {len(dwells)}"
    return "dwells must be longer than nothing" if any(dwell <= timedelta(0) for dwell in dwells) else ""


def schedule(strategy: Strategy, weights: Sequence[int] = WEIGHTS, dwells: Sequence[timedelta] = DWELLS) -> tuple[Shift, ...]:
    """List the weights to go through; all but a canary go to 100 at once, and the soak watches them there."""
    if strategy is not Strategy.CANARY:
        return (Shift(100, timedelta(0)),)
    return tuple(Shift(weight, dwell) for weight, dwell in zip(weights, [*dwells, timedelta(0)], strict=True))


def remaining(shifts: Sequence[Shift], weight: int) -> tuple[Shift, ...]:
    """What is left when the new version is seen to have a weight: that weight itself is watched again, never assumed."""
    return tuple(shift for shift in shifts if shift.weight >= weight)
