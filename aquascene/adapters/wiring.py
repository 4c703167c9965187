"""Builds the real ports from settings, for tasks, cli and web; the one place that knows which adapter serves a port."""

from typing import TYPE_CHECKING

from aquascene.adapters import settings

if TYPE_CHECKING:
    from aquascene.sources.ports import ObjectStore


def object_store() -> "ObjectStore":
    """Open the object store of the settings; only development and demo make a missing bucket."""
    from aquascene.adapters.storage.opening import open_store

    now = settings.current()
    makes_bucket = now.environment in {settings.Environment.DEVELOPMENT, settings.Environment.DEMO}
    return open_store(now.object_store, now.object_store_access_key, now.object_store_secret_key, create_bucket=makes_bucket)
