from datetime import UTC, datetime, timedelta

import pytest

from aquascene.sources.model import KnownUrl, Outcome, Validators
from aquascene.sources.politeness import is_due, pause_seconds, retry_after_seconds

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_robots_can_only_make_us_slower() -> None:
    assert pause_seconds(1.0, None, None) == 1.0
    assert pause_seconds(1.0, 20.0, None) == 0.05
    assert pause_seconds(1.0, 20.0, 3.0) == 3.0
    assert pause_seconds(0.5, None, 0.1) == 2.0


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "7", 7.0),
        (503, "Fri, 01 May 2026 12:00:30 GMT", 30.0),
        (503, "Fri, 01 May 2026 11:00:00 GMT", 0.0),
        (429, None, 60.0),
        (429, "soon", 60.0),
        (429, "-5", 60.0),
        (429, "9" * 400, 86_400.0),
        (200, "7", None),
        (500, "7", None),
    ],
)
def test_retry_after(status: int, header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(status, header, NOW) == seconds


def test_what_keeps_failing_is_asked_for_ever_more_seldom() -> None:
    def known(failures: int) -> KnownUrl:
        return KnownUrl("https://a.example/", Outcome.FAILED, failures, NOW, Validators())

    assert is_due(None, NOW)
    assert is_due(known(2), NOW)
    assert not is_due(known(3), NOW + timedelta(hours=7))
    assert is_due(known(3), NOW + timedelta(hours=8))
    assert is_due(known(10_000), NOW + timedelta(days=7))
