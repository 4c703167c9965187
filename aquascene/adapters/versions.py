"""Which version of the product runs."""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


@lru_cache(maxsize=1)
def version() -> str:
    """Name the installed version of the product."""
    try:
        return installed("aquascene")
    except PackageNotFoundError:
        return "0.0.0"
