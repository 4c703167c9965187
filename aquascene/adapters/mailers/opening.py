"""Builds the mailer from what settings or a block hold."""

from pydantic import SecretStr

from aquascene.adapters.clock import now
from aquascene.adapters.mailers.sendgrid import Sender, SendGridMailer
from aquascene.adapters.settings_groups import NewsletterSettings

SENDGRID_URL = "https://api.sendgrid.com"


def open_sendgrid(api_key: SecretStr, base_url: str | None, options: NewsletterSettings) -> SendGridMailer:
    """Build the SendGrid mailer with the sender and the time limits of the settings."""
    sender = Sender(options.from_email, options.from_name, options.reply_to)
    return SendGridMailer(api_key.get_secret_value(), base_url or SENDGRID_URL, sender, options.connect_timeout_seconds, options.timeout_seconds, now)
