"""When a campaign is over: the count equation."""

from dataclasses import dataclass

from aquascene.delivery.model import CampaignState
from aquascene.errors import InvariantError


@dataclass(frozen=True, slots=True)
class Counts:
    """How many deliveries are in each state; everyone who was a candidate is in exactly one."""

    candidates: int = 0
    suppressed: int = 0
    rejected: int = 0
    accepted: int = 0
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    unknown: int = 0
    planned: int = 0

    @property
    def accounted(self) -> int:
        """Everyone whose end is known, and those of whom it is known that it is not."""
        return self.suppressed + self.rejected + self.accepted + self.delivered + self.bounced + self.complained + self.unknown

    @property
    def awaiting_events(self) -> int:
        """Accepted by the provider, and not yet told what became of it."""
        return self.accepted + self.unknown


def closing_state(counts: Counts) -> CampaignState | None:
    """Name the state in which a campaign may close; None while somebody is still to be sent to.

    Raises InvariantError when candidates ≠ suppressed + rejected + accepted + delivered + bounced + complained + unknown + planned.
    """
    if counts.candidates != counts.accounted + counts.planned:
        raise InvariantError(f"the counts of a campaign do not balance: {counts}")
    if counts.planned:
        return None
    return CampaignState.SENT_WITH_UNKNOWN if counts.unknown else CampaignState.SENT
