from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aquascene.editorial import deadlines, keys
from aquascene.editorial.decide import Refusal, further_instructions, is_repeat, refusal
from aquascene.editorial.keys import ApiKey
from aquascene.editorial.model import Decision, Door, Matter, Review, Verdict
from aquascene.editorial.roles import Role, allows
from aquascene.ids import new_id

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SHA = "a" * 64


def a_matter(**changes: Any) -> Matter:
    values = {"draft_id": new_id(), "brief_id": new_id(), "version": 1, "draft_state": "in_review", "content_sha256": SHA, "blocked": False}
    return Matter(**{**values, "review_id": new_id(), "review_state": "open", **changes})


def a_verdict() -> Verdict:
    return Verdict(new_id(), new_id(), new_id(), Decision.APPROVE, SHA, "", "Ada", Door.API, NOW)


@pytest.mark.parametrize(
    ("changes", "decision", "sha", "note", "expected"),
    [
        ({}, Decision.APPROVE, SHA, "", None),
        ({}, Decision.REVISE, SHA, "shorter", None),
        ({}, Decision.REVISE, SHA, " \n", Refusal.NO_NOTE),
        ({}, Decision.REJECT, SHA, "", Refusal.NO_NOTE),
        ({}, Decision.REJECT, SHA, "x" * 4001, Refusal.LONG_NOTE),
        ({}, Decision.APPROVE, "b" * 64, "", Refusal.CHANGED),
        ({"blocked": True}, Decision.APPROVE, SHA, "", Refusal.BLOCKED),
        ({"blocked": True}, Decision.REJECT, SHA, "no", None),
        ({"draft_state": "approved", "review_state": "decided"}, Decision.APPROVE, SHA, "", Refusal.DECIDED),
        ({"draft_state": "superseded", "review_state": "open"}, Decision.APPROVE, SHA, "", Refusal.SUPERSEDED),
        ({"draft_state": "proposed", "review_state": "expired"}, Decision.APPROVE, SHA, "", Refusal.EXPIRED),
        ({"draft_state": "proposed", "review_state": None}, Decision.APPROVE, SHA, "", Refusal.NOT_IN_REVIEW),
        ({"draft_state": "a-state-of-tomorrow"}, Decision.APPROVE, SHA, "", Refusal.NOT_IN_REVIEW),
    ],
)
def test_refusal(changes: dict[str, Any], decision: Decision, sha: str, note: str, expected: Refusal | None) -> None:
    assert refusal(a_matter(**changes), decision, sha, note) == expected


def test_a_repeat_is_the_same_verdict_of_the_same_person() -> None:
    matter = a_matter(verdict=a_verdict())
    assert is_repeat(matter, Decision.APPROVE, SHA, "Ada")
    assert not is_repeat(matter, Decision.APPROVE, SHA, "Bob")
    assert not is_repeat(matter, Decision.REJECT, SHA, "Ada")
    assert not is_repeat(a_matter(), Decision.APPROVE, SHA, "Ada")


def test_notes_add_up_in_the_instructions() -> None:
    once = further_instructions("", 1, " Shorter. ")
    assert once == "Editor's note on version 1: Shorter."
    assert further_instructions(once, 2, "Warmer.") == f"{once}\n\nEditor's note on version 2: Warmer."


def test_deadlines_are_rules_on_the_row() -> None:
    due = deadlines.due_at(NOW, timedelta(hours=72))
    review = Review(new_id(), new_id(), "open", NOW, due)
    day = timedelta(hours=24)
    assert [deadlines.is_overdue(review, at) for at in (NOW, due - timedelta(seconds=1), due)] == [False, False, True]
    assert [deadlines.wants_reminder(review, at, day) for at in (NOW, NOW + day, due)] == [False, True, False]
    assert not deadlines.wants_reminder(Review(review.id, review.draft_id, "open", NOW, due, reminded_at=NOW), NOW + day, day)
    assert not deadlines.is_overdue(Review(review.id, review.draft_id, "decided", NOW, due), due)


def test_the_ladder_of_roles() -> None:
    assert [role for role in Role if allows(role, Role.PUBLISHER)] == [Role.PUBLISHER, Role.OPERATOR, Role.ADMIN]
    assert all(allows(role, role) for role in Role)


@pytest.mark.parametrize("text", ["", "aq_", "aq_abc_short", "xx_abcdef_0123456789abcdef", "aq_ABCDEF_0123456789abcdef", "aq_abcdef_0123456789abcdef\n"])
def test_what_is_no_key(text: str) -> None:
    assert keys.split(text) is None


def test_a_key_is_kept_as_a_hash_and_ends() -> None:
    secret = "s" * 40
    key = ApiKey(new_id(), new_id(), "Ada", Role.EDITOR, "abcdef", keys.fingerprint(secret), NOW, expires_at=NOW + timedelta(days=1))
    assert keys.split(keys.compose("abcdef", secret)) == ("abcdef", secret)
    assert secret not in repr(key)
    assert (keys.matches(key, secret), keys.matches(key, "t" * 40)) == (True, False)
    assert (key.usable(NOW), key.usable(NOW + timedelta(days=1))) == (True, False)
