"""No mail provider: everything is held until a person configures one. Nothing is lost and nothing is pretended."""

from collections.abc import Sequence

from aquascene.delivery.model import Hold, Letter, Outcome, Recipient, SealedChunk


class NoMailer:
    """Serves `Mailer` where no provider is configured."""

    name = "none"

    def compose(self, letter: Letter, recipients: Sequence[Recipient], marks: dict[str, str]) -> bytes:
        return b""

    def send(self, chunk: SealedChunk) -> Outcome:
        return Hold("no mail provider is configured: set SENDGRID_API_KEY")

    def lookup(self, campaign_id: object, number: int, attempt: int) -> bool | None:
        return None
