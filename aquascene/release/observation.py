"""What a target says about itself: two colours, what each runs, and which of them readers reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Colour = Literal["blue", "green"]
COLOURS: tuple[Colour, ...] = get_args(Colour)


def other(colour: Colour) -> Colour:
    """The colour beside."""
    return "green" if colour == "blue" else "blue"


@dataclass(frozen=True, slots=True)
class ColourState:
    """One colour as it was seen; `digest` is empty where nothing runs, `fence` the highest that was stamped on it."""

    colour: Colour
    digest: str = ""
    ready: int = 0
    desired: int = 0
    weight: int = 0
    fence: int = 0

    @property
    def serves(self) -> bool:
        """Tell whether it could answer readers now."""
        return bool(self.digest) and self.ready > 0 and self.ready >= self.desired


@dataclass(frozen=True, slots=True)
class Observation:
    """Both colours; one that was not reported runs nothing."""

    colours: tuple[ColourState, ...] = ()

    def of(self, colour: Colour) -> ColourState:
        """What was seen of a colour."""
        return next((state for state in self.colours if state.colour == colour), ColourState(colour))

    def live(self) -> ColourState | None:
        """The colour that most readers reach; None where nobody reaches any."""
        found = max((self.of(colour) for colour in COLOURS), key=lambda state: state.weight)
        return found if found.weight > 0 else None

    def idle(self) -> Colour:
        """The colour to stage the next version in."""
        live = self.live()
        return other(live.colour) if live else COLOURS[0]

    def weights(self) -> dict[Colour, int]:
        """The weight of each colour."""
        return {colour: self.of(colour).weight for colour in COLOURS}

    @property
    def at_rest(self) -> bool:
        """Tell whether one colour has everything, or nobody has anything."""
        return sorted(self.weights().values()) in ([0, 100], [0, 0])

    @property
    def fence(self) -> int:
        """The highest fence seen."""
        return max((state.fence for state in self.colours), default=0)


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The database's revision, and indexes that a broken CREATE INDEX CONCURRENTLY left behind."""

    revision: str | None
    invalid_indexes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class FlowsState:
    """The release that the Prefect deployments point at (empty: none or several), whether we paused them, and runs not drained.

    Suspended runs count as drained; `promote` and the reconcilers are neither paused nor counted.
    """

    release: str = ""
    paused: bool = False
    running: int = 0
