"""The object store as a block: the account that an operator rotates."""

from typing import Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from aquascene.adapters.settings import Settings
from aquascene.adapters.settings_groups import Environment
from aquascene.adapters.storage.opening import open_store
from aquascene.sources.ports import ObjectStore


class ObjectStoreBlock(Block):
    """Where pages, issues and the public site are kept."""

    _block_type_name = "AquaScene object store"
    _block_type_slug = "aquascene-object-store"
    _description = "A folder or an S3 bucket that keeps pages, issues and the public site."

    url: str = Field(description="Address of the store: file:///folder or s3+https://host/bucket?region=name.")
    access_key: SecretStr | None = Field(default=None, description="Access key of the S3 endpoint.")
    secret_key: SecretStr | None = Field(default=None, description="Secret key of the S3 endpoint.")
    create_bucket: bool = Field(default=False, description="Make the bucket where it is missing; for development and demo only.")

    def get_store(self) -> ObjectStore:
        """Open the store; nothing is contacted before its first use."""
        return open_store(self.url, self.access_key, self.secret_key, create_bucket=self.create_bucket)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """Describe the store of the settings."""
        makes_bucket = settings.environment in {Environment.DEVELOPMENT, Environment.DEMO}
        return cls(
            url=settings.object_store, access_key=settings.object_store_access_key, secret_key=settings.object_store_secret_key, create_bucket=makes_bucket
        )
