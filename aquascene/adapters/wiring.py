"""Builds the real ports from settings, for tasks, cli and web; the one place that knows which adapter serves a port."""

from typing import TYPE_CHECKING

from aquascene.adapters import settings

if TYPE_CHECKING:
    from aquascene.delivery.ports import Mailer
    from aquascene.publishing.model import Site
    from aquascene.sources.ports import ObjectStore


def object_store() -> "ObjectStore":
    """Open the object store of the settings; only development and demo make a missing bucket."""
    from aquascene.adapters.storage.opening import open_store

    now = settings.current()
    makes_bucket = now.environment in {settings.Environment.DEVELOPMENT, settings.Environment.DEMO}
    return open_store(now.object_store, now.object_store_access_key, now.object_store_secret_key, create_bucket=makes_bucket)


def site() -> "Site":
    """Describe the publication from the settings."""
    from aquascene.publishing.model import Site

    now = settings.current().publishing
    return Site(now.site_title, now.site_description, now.site_url, now.time_zone, now.language)


def mailer() -> "Mailer":
    """The mail provider of the settings; without a key one that holds everything."""
    from aquascene.adapters.mailers.none import NoMailer
    from aquascene.adapters.mailers.opening import open_sendgrid

    now = settings.current()
    if now.sendgrid_api_key is None:
        return NoMailer()
    return open_sendgrid(now.sendgrid_api_key, now.sendgrid_base_url, now.newsletter)
