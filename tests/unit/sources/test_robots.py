from datetime import UTC, datetime, timedelta

import pytest

from aquascene.sources.model import RobotsRecord
from aquascene.sources.robots import clean, is_stale, product_token, rules

NOW = datetime(2026, 5, 1, tzinfo=UTC)
AGENT = "AquaSceneBot/1.0 (+https://aquascene.example/bot)"
SITE = "https://a.example"


def allows(body: str, path: str, status: int = 200) -> bool:
    return rules(RobotsRecord(body.encode(), status, NOW), AGENT).allows(SITE + path)


@pytest.mark.parametrize(
    ("body", "path", "allowed"),
    [
        ("User-agent: *\nDisallow: /private/", "/private/x", False),
        ("User-agent: *\nDisallow: /private/", "/public", True),
        ("\ufeffUser-agent: *\nDisallow: /", "/x", False),
        ("User-agent: AquaSceneBot/2.0\nDisallow: /\n\nUser-agent: *\nAllow: /", "/x", False),
        ("User-agent: aquascenebot\nDisallow: /x\n\nUser-agent: *\nDisallow: /", "/y", True),
        ("User-agent: OtherBot\nDisallow: /", "/x", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nDisallow: /*.pdf$", "/x.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x.pdf?a", True),
        ("User-agent: *\nDisallow:", "/x", True),
        ("", "/x", True),
        ("<html>not robots</html>", "/x", True),
        ("User-agent: *\nDisallow: /\xe4", "/%C3%A4", False),
    ],
)
def test_rules_follow_rfc_9309(body: str, path: str, allowed: bool) -> None:
    assert allows(body, path) is allowed


@pytest.mark.parametrize(
    ("status", "allowed"), [(200, False), (404, True), (401, True), (403, True), (410, True), (301, True), (429, False), (500, False), (503, False), (0, False)]
)
def test_the_status_decides_whether_the_rules_count(status: int, allowed: bool) -> None:
    assert allows("User-agent: *\nDisallow: /", "/x", status) is allowed


def test_barred_says_why() -> None:
    assert rules(RobotsRecord(b"", 503, NOW), AGENT).barred == "robots.txt answered 503"


def test_crawl_delay_is_read() -> None:
    assert rules(RobotsRecord(b"User-agent: *\nCrawl-delay: 2.5", 200, NOW), AGENT).crawl_delay_seconds == 2.5


def test_a_failure_is_believed_for_minutes_and_rules_for_the_ttl() -> None:
    day = timedelta(hours=24)
    assert not is_stale(RobotsRecord(b"", 200, NOW), NOW + timedelta(hours=23), day)
    assert is_stale(RobotsRecord(b"", 200, NOW), NOW + timedelta(hours=24), day)
    assert is_stale(RobotsRecord(b"", 503, NOW), NOW + timedelta(minutes=6), day)
    assert is_stale(RobotsRecord(b"", 0, NOW), NOW + timedelta(minutes=6), day)


def test_clean_survives_any_bytes() -> None:
    assert clean(b"\xef\xbb\xbf\xff\x00User-agent: *") != ""
    assert product_token(AGENT) == "AquaSceneBot"
