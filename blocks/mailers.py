"""The mail provider's account as a block that an operator can rotate in the Prefect UI."""

from typing import ClassVar, Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from aquascene.adapters import settings as configuration
from aquascene.adapters.mailers.opening import open_sendgrid
from aquascene.adapters.settings import Settings
from aquascene.delivery.ports import Mailer


class SendGridMailer(Block):
    """An account at SendGrid."""

    _block_type_name: ClassVar[str] = "AquaScene SendGrid Mailer"
    _block_type_slug: ClassVar[str] = "aquascene-sendgrid-mailer"
    _description: ClassVar[str] = "An account at SendGrid, for issues and confirmation mail."

    api_key: SecretStr = Field(description="Key of the account with the right to send mail.")
    base_url: str | None = Field(default=None, description="Other endpoint than SendGrid's, without /v3.")

    def get_mailer(self) -> Mailer:
        """Build the mailer of this account; sender and time limits come from the settings."""
        return open_sendgrid(self.api_key, self.base_url, configuration.current().newsletter)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """Take the account of the settings; None without a key."""
        if settings.sendgrid_api_key is None or not settings.sendgrid_api_key.get_secret_value():
            return None
        return cls(api_key=settings.sendgrid_api_key, base_url=settings.sendgrid_base_url)
