"""Time, for those who may touch the world; domain functions take `now` as an argument."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present as an aware UTC time."""
    return datetime.now(UTC)
