"""Subscribers for operators: list, add, change, import, export, erase."""

import csv
import io
import tempfile
from collections import Counter
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from aquascene.adapters import subscribing
from aquascene.adapters.postgres import audience, audit
from aquascene.adapters.postgres.db import transaction
from aquascene.audience.addresses import parse
from aquascene.audience.model import Profile, Subscriber, SubscriberState
from aquascene.errors import PermanentError
from aquascene.web.deps import Operator

router = APIRouter(prefix="/api/v1/subscribers", tags=["subscribers"])
_MISSING: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such subscriber.", "content": {"application/problem+json": {}}}}


class SubscriberOut(BaseModel):
    """A subscriber as operators see them."""

    public_id: UUID
    email: str | None = Field(description="Null once erased.")
    name: str
    state: SubscriberState
    locale: str
    time_zone: str
    attributes: dict[str, Any]
    created_at: datetime
    confirmed_at: datetime | None


class SubscriberPage(BaseModel):
    """One page of a list."""

    items: list[SubscriberOut]
    next_cursor: int | None = Field(description="Send it as `cursor` for the next page; null on the last one.")


class NewSubscriber(BaseModel):
    """A request on somebody's behalf: they get the same confirmation mail as by the form."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(max_length=300)
    name: str = Field("", max_length=100)
    locale: str = Field("en", max_length=20)
    time_zone: str = Field("UTC", max_length=60)
    attributes: dict[str, str] = Field(default_factory=dict, max_length=50)


class Change(BaseModel):
    """What may be changed; the state only by unsubscribing, which nobody but the person can undo."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, max_length=100)
    locale: str | None = Field(None, max_length=20)
    time_zone: str | None = Field(None, max_length=60)
    attributes: dict[str, str] | None = Field(None, max_length=50)
    unsubscribe: bool = False


class ImportReport(BaseModel):
    """What happened to the rows of a file."""

    counts: dict[str, int] = Field(description="Rows by verdict.")
    problems: list[dict[str, Any]] = Field(description="Line and verdict of up to 1000 rows that were neither added nor updated.")


def _out(found: Subscriber) -> SubscriberOut:
    return SubscriberOut(**{name: getattr(found, name) for name in SubscriberOut.model_fields})


@router.get("")
def list_subscribers(
    who: Operator,
    cursor: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    state: SubscriberState | None = None,
    email: Annotated[str | None, Query(max_length=300)] = None,
) -> SubscriberPage:
    """List subscribers in the order in which they came; the erased only when asked for."""
    address = parse(email) if email is not None else None
    if email is not None and address is None:
        return SubscriberPage(items=[], next_cursor=None)
    with transaction() as db:
        found = audience.page(db, cursor, limit + 1, state, address.normalised if address else None)
    return SubscriberPage(items=[_out(each) for each in found[:limit]], next_cursor=found[limit - 1].id if len(found) > limit else None)


@router.post("", status_code=202)
def add_subscriber(who: Operator, body: NewSubscriber) -> dict[str, str]:
    """Ask somebody to confirm a subscription; the mail is sent by the flow `audience`. The answer does not tell what is known of the address."""
    profile = Profile(body.name, body.locale, body.time_zone, dict(body.attributes))
    subscribing.request(body.email, profile, "api", {"account": str(who.account_id)})
    return {"state": "confirmation-requested"}


@router.get("/export", response_class=Response)
def export_subscribers(who: Operator) -> Response:
    """Export everybody as CSV, with suppression: an export without it would bring back who left."""
    kept = tempfile.SpooledTemporaryFile(max_size=5_000_000, mode="w+", encoding="utf-8", newline="")  # noqa: SIM115 - closed after the answer
    subscribing.export_rows(csv.writer(kept).writerow)
    kept.seek(0)
    headers = {"Content-Disposition": 'attachment; filename="subscribers.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(iter(lambda: kept.read(65536), ""), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/import")
def import_subscribers(who: Operator, body: Annotated[str, Body(media_type="text/csv")]) -> ImportReport:
    """Import CSV (columns email, name, locale, time_zone; others become attributes). Nobody who left is brought back."""
    rows = list(subscribing.import_csv(io.StringIO(body), f"account {who.account_id}"))
    counts = Counter(str(row.verdict) for row in rows)
    with transaction() as db:
        audit.record(db, who.name, "subscribers.import", "subscriber", "many", **counts)
    problems = [{"line": row.line, "verdict": str(row.verdict)} for row in rows if row.verdict not in {"added", "updated"}]
    return ImportReport(counts=dict(counts), problems=problems[:1000])


@router.get("/stats")
def subscriber_stats(who: Operator) -> dict[str, int]:
    """Count subscribers by state, and suppressed addresses."""
    with transaction() as db:
        return audience.counts(db)


@router.get("/{public_id}", responses=_MISSING)
def get_subscriber(public_id: UUID, who: Operator) -> SubscriberOut:
    """Read one subscriber."""
    with transaction() as db:
        return _out(audience.get(db, public_id))


@router.get("/{public_id}/record", responses=_MISSING)
def subscriber_record(public_id: UUID, who: Operator) -> dict[str, Any]:
    """Gather everything that is kept about a person, for their request of access (GDPR Art. 15)."""
    return subscribing.about(public_id)


@router.patch("/{public_id}", responses=_MISSING)
def change_subscriber(public_id: UUID, who: Operator, body: Change) -> SubscriberOut:
    """Change a profile, or unsubscribe."""
    with transaction() as db:
        found = audience.get(db, public_id)
    if found.email is None:
        raise PermanentError("this subscriber is erased; nothing of them is left to change")
    if body.unsubscribe:
        subscribing.unsubscribe(public_id, "api", {})
    profile = Profile(*(getattr(body, key) if getattr(body, key) is not None else getattr(found, key) for key in ("name", "locale", "time_zone", "attributes")))
    return _out(subscribing.set_preferences(public_id, profile, "api"))


@router.delete("/{public_id}", status_code=204, responses=_MISSING)
def erase_subscriber(public_id: UUID, who: Operator) -> Response:
    """Erase a person for good (GDPR Art. 17); only a keyed hash of the address stays, so that nobody mails them again."""
    return _erase(public_id, who)


@router.post("/{public_id}/erase", status_code=204, responses=_MISSING)
def erase_subscriber_by_post(public_id: UUID, who: Operator) -> Response:
    """Do the same as DELETE, for clients that cannot send it."""
    return _erase(public_id, who)


def _erase(public_id: UUID, who: Operator) -> Response:
    subscribing.erase(public_id, "operator")
    with transaction() as db:
        audit.record(db, who.name, "subscriber.erase", "subscriber", public_id)
    return Response(status_code=204)
