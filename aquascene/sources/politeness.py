"""How long a host is left alone after a request. Decides; the wait is the adapter's."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from aquascene.sources.model import KnownUrl

_PATIENCE = 3
_DEFAULT_RETRY_SECONDS = 60.0
_LONGEST_RETRY_SECONDS = 24 * 3600.0


def pause_seconds(default_rate: float, source_rate: float | None, crawl_delay_seconds: float | None) -> float:
    """The pause after a request: the source's rate stands in for the default one, robots.txt can only make it longer."""
    return max(1.0 / (source_rate or default_rate), crawl_delay_seconds or 0.0)


def is_due(known: KnownUrl | None, now: datetime) -> bool:
    """Tell whether a URL is worth another look: one that keeps failing is asked for ever more seldom, at least weekly."""
    if known is None or known.failures < _PATIENCE:
        return True
    return now - known.checked_at >= min(timedelta(hours=2 ** min(known.failures, 8)), timedelta(days=7))


def retry_after_seconds(status: int, header: str | None, now: datetime) -> float | None:
    """How long a 429 or 503 asks us to stay away (RFC 9110, section 10.2.3); None for other answers."""
    if status not in (429, 503):
        return None
    said = _parse(header.strip(), now) if header else None
    return _DEFAULT_RETRY_SECONDS if said is None else min(max(0.0, said), _LONGEST_RETRY_SECONDS)


def _parse(header: str, now: datetime) -> float | None:
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
