"""Consent, addresses, tokens, segments and import verdicts: values in, values out."""

from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquascene.audience import consent, imports, segments, suppression, tokens
from aquascene.audience.addresses import masked, parse
from aquascene.audience.consent import Request
from aquascene.audience.model import Standing, SubscriberState, SuppressionReason
from aquascene.audience.tokens import Claim, Purpose, Refused
from aquascene.errors import ConfigError, PermanentError

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WHO = UUID("01a2086d-7364-7bbf-a965-27035a7d0f8f")
STANDINGS = [Standing(state, reason) for state, reason in product([None, *SubscriberState], [None, *SuppressionReason])]


@pytest.mark.parametrize(
    ("raw", "normalised"),
    [(" Ada@Example.COM ", "ada@example.com"), ("a@exämple.org", "a@xn--exmple-cua.org")],
)
def test_addresses_are_compared_in_lower_case_ascii(raw: str, normalised: str) -> None:
    found = parse(raw)
    assert found is not None
    assert found.normalised == normalised


@pytest.mark.parametrize(
    "raw", ["", "nobody", "a@b", "a b@example.com", "a@[1.2.3.4]", "a@example.com\r\nBcc: b@example.com", "ä@example.com", "x" * 300 + "@example.com"]
)
def test_nonsense_is_no_address(raw: str) -> None:
    assert parse(raw) is None


def test_masked_addresses_hide_the_person() -> None:
    assert masked("ada@example.com") == "a…@example.com"


@pytest.mark.parametrize("standing", STANDINGS, ids=str)
def test_only_a_persons_own_ending_can_be_lifted(standing: Standing) -> None:
    for_good = standing.suppressed in {SuppressionReason.BOUNCED, SuppressionReason.COMPLAINED, SuppressionReason.MANUAL}
    if for_good:
        assert consent.on_request(standing) is Request.REFUSED_SUPPRESSED
        assert not consent.may_confirm(standing)
    if standing.state is SubscriberState.ERASED or standing.state is None:
        assert not consent.may_confirm(standing)


@pytest.mark.parametrize("standing", STANDINGS, ids=str)
def test_imports_add_strangers_only(standing: Standing) -> None:
    row = imports.Row(2, parse("a@example.com"))
    verdict = imports.judge(row, standing, set())
    assert (verdict is imports.Verdict.ADDED) == (standing == Standing())
    if standing.suppressed is not None:
        assert verdict is imports.Verdict.SUPPRESSED


def test_import_files_need_a_column_email() -> None:
    with pytest.raises(PermanentError, match="no column `email`"):
        list(imports.read_csv(["mail,name", "a@example.com,A"]))
    assert list(imports.read_csv(["email"])) == []
    (row,) = imports.read_csv(["\ufeffEmail , Name,likes", 'a@example.com,"A,  B",moss,extra'])
    assert (row.profile.name, row.profile.attributes) == ("A, B", {"likes": "moss"})


def test_suppression_keys_differ_between_installations() -> None:
    one, two = suppression.pepper("secret one"), suppression.pepper("secret two")
    assert suppression.email_hmac(one, "a@example.com") == suppression.email_hmac(one, "a@example.com")
    assert suppression.email_hmac(one, "a@example.com") != suppression.email_hmac(two, "a@example.com")


def test_tokens_are_bound_to_purpose_secret_and_time() -> None:
    token = tokens.make("s" * 32, Purpose.CONFIRM, WHO, NOW)
    hour = timedelta(hours=1)
    assert tokens.read("s" * 32, Purpose.CONFIRM, token, NOW + hour, hour) == Claim(WHO, NOW)
    assert tokens.read("s" * 32, Purpose.CONFIRM, token, NOW + hour + timedelta(seconds=1), hour) is Refused.EXPIRED
    assert tokens.read("s" * 32, Purpose.UNSUBSCRIBE, token, NOW, None) is Refused.INVALID
    assert tokens.read("t" * 32, Purpose.CONFIRM, token, NOW, hour) is Refused.INVALID
    assert tokens.make("s" * 32, Purpose.CONFIRM, WHO, NOW) == token
    forever = tokens.make("s" * 32, Purpose.UNSUBSCRIBE, WHO, NOW)
    assert tokens.read("s" * 32, Purpose.UNSUBSCRIBE, forever, NOW + timedelta(days=4000), None) == Claim(WHO, NOW)


@given(st.text(max_size=80))
def test_no_text_makes_the_token_check_raise(text: str) -> None:
    assert tokens.read("s" * 32, Purpose.CONFIRM, text, NOW, None) is Refused.INVALID


@pytest.mark.parametrize(
    "data",
    [
        {"all": []},
        {"any": [{"field": "locale", "is": "en"}, {"not": {"field": "attributes.experience", "exists": True}}]},
        {"field": "created_at", "after": "2026-01-01T00:00:00+00:00"},
        {"field": "time_zone", "in": ["UTC", "Europe/Berlin"]},
    ],
)
def test_segments_survive_the_way_through_data(data: dict[str, object]) -> None:
    assert segments.to_data(segments.parse(data)) == data


@pytest.mark.parametrize(
    "data",
    [
        None,
        {"field": "email", "is": "a@example.com"},
        {"field": "attributes.x'; DROP TABLE subscriber; --", "is": "1"},
        {"field": "locale", "like": "%"},
        {"field": "locale", "is": "en", "is_not": "de"},
        {"field": "created_at", "after": "2026-01-01T00:00:00"},
        {"field": "created_at", "after": "yesterday"},
        {"all": [{"any": [{"nonsense": 1}]}]},
    ],
)
def test_segments_refuse_what_they_do_not_know(data: object) -> None:
    with pytest.raises(ConfigError):
        segments.parse(data)


def test_segments_are_not_endlessly_deep() -> None:
    data: dict[str, object] = {"all": []}
    for _ in range(20):
        data = {"not": data}
    with pytest.raises(ConfigError):
        segments.parse(data)
