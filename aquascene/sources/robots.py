"""robots.txt by RFC 9309: what a host's answer means, and what its rules say."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from protego import Protego

from aquascene.sources.model import RobotsRecord

MAX_BYTES = 500 * 1024  # RFC 9309, section 2.5: at least 500 KiB must be parsed
_SHORT_TTL = timedelta(minutes=5)
_VERSION = re.compile(r"^(\s*user-agent\s*:\s*[^\s/#]+)/[^\s#]*", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class RobotsRules:
    """What one host allows us; `barred` says why it allows nothing."""

    crawl_delay_seconds: float | None = None
    barred: str | None = None
    parsed: Protego | None = None
    agent: str = ""

    def allows(self, url: str) -> bool:
        """Tell whether we may ask for a URL."""
        if self.barred:
            return False
        return self.parsed is None or bool(self.parsed.can_fetch(url, self.agent))


def rules(record: RobotsRecord, user_agent: str) -> RobotsRules:
    """Read a host's answer: 2xx are rules, 4xx allow all, 5xx, 429 and no answer mean stay away (RFC 9309, section 2.3.1)."""
    if record.status == 0:
        return RobotsRules(barred="robots.txt could not be reached")
    if record.status >= 500 or record.status == 429:
        return RobotsRules(barred=f"robots.txt answered {record.status}")
    if not 200 <= record.status < 300:
        return RobotsRules()
    parsed = Protego.parse(clean(record.body))
    agent = product_token(user_agent)
    return RobotsRules(crawl_delay_seconds=_delay(parsed, agent), parsed=parsed, agent=agent)


def is_stale(record: RobotsRecord, now: datetime, ttl: timedelta) -> bool:
    """Tell whether robots.txt must be asked for again; a failure is believed for five minutes only."""
    failed = record.status == 0 or record.status >= 500 or record.status == 429
    return now - record.fetched_at >= (min(ttl, _SHORT_TTL) if failed else ttl)


def clean(body: bytes) -> str:
    """Decode robots.txt without what trips the parser: a BOM before the first line, a version after a group's token (protego gets both wrong)."""
    text = body[:MAX_BYTES].decode("utf-8", "replace").lstrip("\ufeff")
    return _VERSION.sub(r"\1", text.replace("\x00", ""))


def product_token(user_agent: str) -> str:
    """The product token that groups are matched by: the part of the user agent before the slash."""
    return re.split(r"[/\s]", user_agent, maxsplit=1)[0]


def _delay(parsed: Protego, agent: str) -> float | None:
    said = parsed.crawl_delay(agent)
    return max(0.0, float(said)) if said is not None else None
