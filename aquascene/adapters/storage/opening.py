"""Opens the object store that a URL names. A new kind of store is one line in OPENERS."""

from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from aquascene.errors import ConfigError
from aquascene.sources.ports import ObjectStore

Opener = Callable[[SplitResult, SecretStr | None, SecretStr | None, bool], ObjectStore]


def _directory(url: SplitResult, access_key: SecretStr | None, secret_key: SecretStr | None, create: bool) -> ObjectStore:
    from aquascene.adapters.storage import directory

    return directory.from_url(url)


def _s3(url: SplitResult, access_key: SecretStr | None, secret_key: SecretStr | None, create: bool) -> ObjectStore:
    from aquascene.adapters.storage import s3

    return s3.from_url(url, access_key, secret_key, create_bucket=create)


OPENERS: dict[str, Opener] = {"file": _directory, "s3+http": _s3, "s3+https": _s3}


def open_store(url: str, access_key: SecretStr | None = None, secret_key: SecretStr | None = None, *, create_bucket: bool = False) -> ObjectStore:
    """Open the store that a URL names; nothing is contacted before its first use. A URL nobody can use is a ConfigError."""
    parts = urlsplit(url)
    opener = OPENERS.get(parts.scheme)
    if opener is None:
        known = ", ".join(f"{scheme}://" for scheme in OPENERS)
        raise ConfigError(f"OBJECT_STORE_URL begins with {parts.scheme or 'no scheme'!r}; it must begin with one of {known}")
    return opener(parts, access_key, secret_key, create_bucket)
