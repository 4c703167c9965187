"""What people and operators do with subscriptions: ask, confirm, leave, import, export, erase. One transaction each.

No address is ever logged; answers to the public are the same whether an address is known or not.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from aquascene.adapters import clock, settings, wiring
from aquascene.adapters.postgres import audience
from aquascene.adapters.postgres.db import transaction
from aquascene.audience import consent, imports, suppression, tokens
from aquascene.audience.addresses import parse
from aquascene.audience.model import Address, Consent, Profile, Standing, Subscriber, SubscriberState, SuppressionReason
from aquascene.audience.tokens import Claim, Purpose, Refused
from aquascene.errors import ConfigError, PermanentError
from aquascene.ids import new_id

log = logging.getLogger(__name__)
_ROWS_PER_TRANSACTION = 1000
_PREFERENCES_GOOD_FOR = timedelta(days=90)
CONFIRMATION_PAUSE = timedelta(minutes=10)  # nobody can fill a mailbox with our confirmation mail


def secret() -> str:
    """The installation's secret; a missing one is a ConfigError."""
    value = settings.current().jwt_secret.get_secret_value()
    if len(value) < 32:
        raise ConfigError("JWT_SECRET must have at least 32 characters: it signs links and keys suppression")
    return value


def key_of(address: Address) -> str:
    """Hash an address for suppression."""
    return suppression.email_hmac(suppression.pepper(secret()), address.normalised)


# --- one person --------------------------------------------------------------------------------


def request(email: str, profile: Profile, source: str, evidence: dict[str, Any]) -> UUID | None:
    """Take a request to subscribe; returns whom to send a confirmation mail, None when there is nobody to send one to.

    Raises PermanentError when the address is none.
    """
    address = parse(email)
    if address is None:
        raise PermanentError("this is not a mail address that we can write to")
    now, key = clock.now(), key_of(address)
    with transaction() as db:
        found, standing = audience.standing(db, key)
        decision = consent.on_request(standing)
        if decision in {consent.Request.NOTHING, consent.Request.REFUSED_SUPPRESSED}:
            log.info("subscription_request decision=%s", decision)
            return None
        public_id = found.public_id if found else new_id()
        subscriber_id = found.id if found else audience.add(db, public_id, address, key, profile, SubscriberState.PENDING, now)
        asked = audience.last_event(db, subscriber_id, "requested")
        if asked is not None and now - asked < CONFIRMATION_PAUSE:
            return None
        audience.log_consent(db, [subscriber_id], Consent("requested", source, now, consent.CONSENT_TEXT_VERSION, evidence))
    log.info("subscription_request decision=%s public_id=%s", decision, public_id)
    return public_id


def read_token(purpose: Purpose, token: str) -> Claim | Refused:
    """Check a link's token; whether a single-use one was used shows only when it is used."""
    good_for = {
        Purpose.CONFIRM: timedelta(hours=settings.current().newsletter.confirm_token_hours),
        Purpose.PREFERENCES: _PREFERENCES_GOOD_FOR,
        Purpose.UNSUBSCRIBE: None,
    }[purpose]
    return tokens.read(secret(), purpose, token, clock.now(), good_for)


def confirm(token: str, evidence: dict[str, Any]) -> bool | Refused:
    """Make a subscriber active by the link in their mail; False when the link was used or the address is shut."""
    claim = read_token(Purpose.CONFIRM, token)
    if isinstance(claim, Refused):
        return claim
    now, life = clock.now(), timedelta(hours=settings.current().newsletter.confirm_token_hours)
    with transaction() as db:
        found, standing, key = audience.lock(db, claim.public_id)
        if key is None or not consent.may_confirm(standing):
            return False
        if not audience.use_token(db, tokens.fingerprint(token), Purpose.CONFIRM, now, claim.made_at + life):
            return False
        audience.lift(db, key)
        audience.set_state(db, found.id, SubscriberState.ACTIVE, now)
        audience.log_consent(db, [found.id], Consent("confirmed", "form", now, consent.CONSENT_TEXT_VERSION, evidence))
    log.info("subscription_confirmed public_id=%s", claim.public_id)
    return True


def unsubscribe(public_id: UUID, source: str, evidence: dict[str, Any]) -> None:
    """End a subscription at once and suppress the address. Idempotent."""
    now = clock.now()
    with transaction() as db:
        found, _, key = audience.lock(db, public_id)
        if key is not None:
            audience.suppress(db, key, SuppressionReason.UNSUBSCRIBED, source, now)
        if found.state in {SubscriberState.PENDING, SubscriberState.ACTIVE}:
            audience.set_state(db, found.id, SubscriberState.UNSUBSCRIBED, now)
            audience.log_consent(db, [found.id], Consent("unsubscribed", source, now, "", evidence))
    log.info("unsubscribed public_id=%s source=%s", public_id, source)


def set_preferences(public_id: UUID, profile: Profile, source: str) -> Subscriber:
    """Change what a subscriber says about themselves."""
    now = clock.now()
    with transaction() as db:
        found, _, key = audience.lock(db, public_id)
        if key is not None:
            audience.set_profile(db, found.id, profile, now)
            audience.log_consent(db, [found.id], Consent("preferences", source, now))
        return audience.get(db, public_id)


def erase(public_id: UUID, reason: str) -> None:
    """Forget a person: row, consent evidence and stored requests; the keyed hash stays and keeps them unmailed."""
    with transaction() as db:
        found, _, key = audience.lock(db, public_id)
        held = audience.sealed_keys_of(db, found.id)
        if found.state is not SubscriberState.ERASED:
            audience.log_consent(db, [found.id], Consent("erased", reason, clock.now()))
            audience.erase(db, found.id, key, reason, clock.now())
    store = wiring.object_store() if held else None
    for each in held:
        assert store is not None
        store.delete(each)
    log.info("subscriber_erased public_id=%s", public_id)


def erase_address(email: str, reason: str) -> UUID | None:
    """Forget a person by address; an address that is not on the list is suppressed all the same."""
    address = parse(email)
    if address is None:
        raise PermanentError("this is not a mail address")
    with transaction() as db:
        found, _ = audience.standing(db, key_of(address))
        if found is None:
            audience.suppress(db, key_of(address), SuppressionReason.ERASED, "erasure", clock.now())
    if found is not None:
        erase(found.public_id, reason)
    return found.public_id if found else None


def forget_unconfirmed(public_id: UUID) -> bool:
    """Erase somebody who never confirmed; False when they did meanwhile."""
    with transaction() as db:
        found, _, _ = audience.lock(db, public_id)
        if found.state is not SubscriberState.PENDING:
            return False
        audience.forget_unconfirmed(db, found.id, clock.now())
    return True


def about(public_id: UUID) -> dict[str, Any]:
    """Gather everything that is kept about a person (GDPR Art. 15)."""
    with transaction() as db:
        found = audience.get(db, public_id)
        log_ = [asdict(each) for each in audience.consents(db, found.id)]
        return {"subscriber": asdict(found), "consent": log_, "deliveries": audience.deliveries_of(db, found.id)}


# --- many --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """The verdict on one line of a file."""

    line: int
    verdict: imports.Verdict


def import_csv(lines: Iterable[str], source: str) -> Iterator[ImportedRow]:
    """Import a CSV file, a thousand rows per transaction; nobody is resubscribed. Running it again adds nobody twice."""
    rows, seen = imports.read_csv(lines), set[str]()
    while batch := list(islice(rows, _ROWS_PER_TRANSACTION)):
        with transaction() as db:
            verdicts = _import_batch(db, batch, seen, source, clock.now())
        yield from (ImportedRow(row.line, verdict) for row, verdict in zip(batch, verdicts, strict=True))


def _import_batch(db: Connection, batch: list[imports.Row], seen: set[str], source: str, now: datetime) -> list[imports.Verdict]:
    keys = {row.line: key_of(row.address) for row in batch if row.address is not None}
    known = audience.standings(db, list(keys.values()))
    verdicts = [imports.judge(row, known.get(keys.get(row.line, ""), Standing()), seen) for row in batch]
    fresh = [_values(row, keys[row.line]) for row, verdict in zip(batch, verdicts, strict=True) if verdict is imports.Verdict.ADDED]
    audience.log_consent(db, audience.add_many(db, fresh, now), Consent("imported", "import", now, "", {"source": source}))
    for row, verdict in zip(batch, verdicts, strict=True):
        if verdict is imports.Verdict.UPDATED:
            audience.set_profile_by_hmac(db, keys[row.line], row.profile, now)
    return verdicts


def _values(row: imports.Row, key: str) -> dict[str, Any]:
    assert row.address is not None
    address = {"public_id": new_id(), "email": row.address.email, "email_normalised": row.address.normalised, "email_hmac": key}
    return {**address, **asdict(row.profile)}


EXPORT_COLUMNS = ("public_id", "email", "name", "state", "locale", "time_zone", "created_at", "confirmed_at", "suppressed")


def export_rows(write: Callable[[list[str]], object]) -> int:
    """Write all subscribers as rows, suppression included (an export without it would resubscribe people); returns how many."""
    number = 0
    write(list(EXPORT_COLUMNS))
    with transaction() as db:
        for each, reason in audience.everyone(db):
            values = {**asdict(each), "suppressed": reason or ""}
            write([_cell(values[column]) for column in EXPORT_COLUMNS])
            number += 1
    return number


def _cell(value: object) -> str:
    """Write a value so that no spreadsheet takes it for a formula."""
    text = value.isoformat() if isinstance(value, datetime) else "" if value is None else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
