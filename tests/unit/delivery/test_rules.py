"""Chunks, events, counts and letters: the rules that sending rests on."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquascene.audience.model import SuppressionReason
from aquascene.delivery import chunks, events, finish, letters
from aquascene.delivery.chunks import Proofs, Rules
from aquascene.delivery.model import (
    Accepted,
    CampaignState,
    ChunkState,
    Hold,
    IssueArticle,
    IssueType,
    Member,
    NotAccepted,
    Policy,
    Rejected,
    Unknown,
)
from aquascene.errors import ConfigError, InvariantError
from aquascene.ids import ArticleId

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KIND = IssueType("weekly", "The weekly issue", "{publication} {number}: {first_title}", "everyone", introduction="Hello <you>.")
HEAD = letters.Masthead("AquaScene", "https://site.example/", "Street 1", "en", "site.example")
ARTICLES = [IssueArticle(ArticleId(UUID(int=n)), f"Moss & <b>{n}</b>", "Short.", f"moss-{n}", sandbox=n == 2) for n in (1, 2)]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Accepted("id"), ChunkState.ACCEPTED),
        (NotAccepted("refused"), ChunkState.NOT_ACCEPTED),
        (Rejected((1,), "bad"), ChunkState.PLANNED),
        (Unknown("timeout"), ChunkState.UNKNOWN),
        (Hold("401"), ChunkState.HELD),
    ],
)
def test_every_outcome_leads_to_a_state_that_may_follow(outcome: object, state: ChunkState) -> None:
    change = chunks.after(outcome, 0, NOW, 0.5)  # type: ignore[arg-type]
    assert change.state is state
    chunks.check(ChunkState.SEALED, change.state)


def test_a_rate_limit_freezes_the_provider_and_counts_no_failure() -> None:
    change = chunks.after(NotAccepted("rate limit", 429, NOW + timedelta(seconds=9)), 3, NOW, 0.0)
    assert (change.failures, change.freeze_until) == (3, NOW + timedelta(seconds=9))


def test_accepted_chunks_never_move_again() -> None:
    for state in ChunkState:
        with pytest.raises(InvariantError):
            chunks.check(ChunkState.ACCEPTED, state)


@given(st.integers(0, 1000), st.floats(0, 0.999))
def test_backoff_stays_within_bounds(failures: int, jitter: float) -> None:
    assert timedelta(seconds=1) <= chunks.backoff(failures, jitter) <= timedelta(minutes=7.5)


@pytest.mark.parametrize(
    ("proofs", "rules", "state"),
    [
        ({"events": True}, {}, "accepted"),
        ({"found": True}, {}, "accepted"),
        ({"found": False}, {}, "unknown"),
        ({"found": False}, {"lookup_is_authoritative": True}, "planned"),
        ({"found": False, "unknown_since": NOW}, {"lookup_is_authoritative": True}, "unknown"),
        ({"unknown_since": NOW - timedelta(minutes=61), "later_chunks_proven": 3}, {}, "unknown"),
        ({"unknown_since": NOW - timedelta(minutes=61), "later_chunks_proven": 3}, {"policy": Policy.PREFER_NO_LOSS}, "planned"),
        ({"unknown_since": NOW - timedelta(minutes=61), "later_chunks_proven": 2}, {"policy": Policy.PREFER_NO_LOSS}, "unknown"),
        ({"unknown_since": NOW - timedelta(hours=25)}, {}, "abandoned"),
        ({"unknown_since": NOW - timedelta(hours=25), "events": True}, {}, "accepted"),
    ],
)
def test_unknown_moves_on_by_proof_or_by_policy_only(proofs: dict[str, object], rules: dict[str, object], state: str) -> None:
    known = {"unknown_since": NOW - timedelta(minutes=1), "events": False, "found": None, "later_chunks_proven": 0} | proofs
    chosen = {"policy": Policy.PREFER_NO_DUPLICATE, "lookup_is_authoritative": False, "final_after": timedelta(hours=24)} | rules
    new = chunks.resolve(Proofs(**known), Rules(**chosen), NOW)  # type: ignore[arg-type]
    assert new == state
    chunks.check(ChunkState.UNKNOWN, new)


@given(st.lists(st.sampled_from([*events.RANKS, "open", "click"]), max_size=5))
def test_events_end_the_same_in_any_order_and_number(kinds: list[str]) -> None:
    def known(order: list[str]) -> str | None:
        current: str | None = None
        for kind in order:
            current = events.join(current, kind)
        return current

    assert len({known([*order, *order]) for order in permutations(kinds)}) == 1


def test_events_are_read_without_addresses_and_without_raising() -> None:
    raw = {"sg_event_id": "1", "event": "bounce", "type": "blocked", "timestamp": 1780000000, "c": str(UUID(int=1)), "k": "3", "a": "1", "r": "no uuid"}
    read = events.read_sendgrid(raw | {"reason": "550 5.1.1 <Ada@example.com>... user=ada@example.com unknown"})
    assert read is not None
    assert (read.kind, read.chunk_number, read.recipient_id) == ("blocked", 3, None)
    assert "@" not in (read.reason or "").replace("[address]", "")
    for broken in ({}, {"sg_event_id": "1"}, {**raw, "timestamp": "x"}, {**raw, "timestamp": True}, {**raw, "event": ["x"]}, {**raw, "event": "novel"}):
        assert events.read_sendgrid(broken) is None


@pytest.mark.parametrize(
    ("kind", "reason", "ending"),
    [
        ("bounce", "550", SuppressionReason.BOUNCED),
        ("blocked", "550", None),
        ("spamreport", None, SuppressionReason.COMPLAINED),
        ("group_unsubscribe", None, SuppressionReason.UNSUBSCRIBED),
        ("dropped", "Bounced Address", SuppressionReason.BOUNCED),
        ("dropped", "Spam Reporting Address", SuppressionReason.COMPLAINED),
        ("dropped", "Invalid SMTPAPI header", None),
        ("delivered", None, None),
    ],
)
def test_endings_feed_suppression(kind: str, reason: str | None, ending: SuppressionReason | None) -> None:
    assert events.suppression_for(kind, reason) is ending


def test_campaigns_close_only_when_counts_balance() -> None:
    assert finish.closing_state(finish.Counts(candidates=3, delivered=2, suppressed=1)) is CampaignState.SENT
    assert finish.closing_state(finish.Counts(candidates=3, delivered=2, unknown=1)) is CampaignState.SENT_WITH_UNKNOWN
    assert finish.closing_state(finish.Counts(candidates=3, delivered=2, planned=1)) is None
    with pytest.raises(InvariantError):
        finish.closing_state(finish.Counts(candidates=3, delivered=2))


def test_letters_escape_and_repeat_to_the_byte() -> None:
    first, again = (letters.render_issue(KIND, 7, date(2026, 11, 3), ARTICLES, HEAD) for _ in range(2))
    assert first == again
    assert first.subject == "AquaScene 7: Moss & <b>1</b>"
    assert "Moss &amp; &lt;b&gt;1&lt;/b&gt;" in first.html
    assert "Hello &lt;you&gt;." in first.html
    assert "Moss & <b>1</b>" in first.text
    assert "https://site.example/articles/moss-1/" in first.html
    assert first.html.count("Sample text") == 1
    for part in (first.html, first.text):
        assert letters.UNSUBSCRIBE_SLOT in part
        assert "Street 1" in part
        assert "3 November 2026" in part


def test_subject_templates_know_five_fields() -> None:
    wrong = IssueType("weekly", "T", "{number.__class__}{secret}", "everyone")
    with pytest.raises(ConfigError, match="known fields"):
        letters.render_issue(wrong, 1, date(2026, 1, 1), ARTICLES, HEAD)


def test_links_are_a_persons_own_and_stay_the_same() -> None:
    made = letters.Links("s" * 32, "https://web.example/", NOW)
    one, two = (made.recipient(Member(UUID(int=n), UUID(int=n), f"p{n}@example.com", "")) for n in (1, 2))
    assert one == made.recipient(Member(UUID(int=1), UUID(int=1), "p1@example.com", ""))
    assert one.unsubscribe_url != two.unsubscribe_url
    assert one.unsubscribe_url.startswith("https://web.example/unsubscribe/")
    assert "p1" not in one.unsubscribe_url
