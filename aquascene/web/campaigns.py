"""Campaigns for operators: how they stand, who got what, and stopping them."""

import csv
import tempfile
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from aquascene.adapters.postgres import audit, delivery, issues
from aquascene.adapters.postgres.db import transaction
from aquascene.audience.segments import to_data
from aquascene.delivery.model import Campaign, CampaignState
from aquascene.errors import Conflict
from aquascene.web.deps import Operator

router = APIRouter(prefix="/api/v1/campaigns", tags=["campaigns"])
_MISSING: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such campaign.", "content": {"application/problem+json": {}}}}
EXPORT_COLUMNS = ("recipient_id", "public_id", "email", "chunk_number", "state", "reason", "last_event", "event_at")
_STOPPABLE = (CampaignState.PLANNED, CampaignState.SENDING, CampaignState.HELD, CampaignState.PAUSED)


class CampaignOut(BaseModel):
    """A campaign and how its deliveries stand."""

    id: UUID
    issue_id: UUID
    subject: str
    state: CampaignState
    hold_reason: str | None = Field(description="Why it is held; act on it, then resume.")
    segment: dict[str, Any]
    policy: str
    candidates: int
    deliveries: dict[str, int] = Field(description="By state; with `candidates` on the other side they balance.")
    chunks: dict[str, int]
    frozen_at: datetime | None
    finished_at: datetime | None


class CampaignPage(BaseModel):
    """One page of a list."""

    items: list[CampaignOut]
    next_cursor: UUID | None


class Decision(BaseModel):
    """What an operator wants of a campaign."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["pause", "resume", "cancel"]


def _out(db: Any, found: Campaign) -> CampaignOut:
    counted = asdict(delivery.counts(db, found.id))
    counted.pop("candidates")
    return CampaignOut(
        id=found.id,
        issue_id=found.issue_id,
        subject=issues.get_issue(db, found.issue_id).subject,
        state=found.state,
        hold_reason=found.hold_reason,
        segment=to_data(found.segment),
        policy=found.policy,
        candidates=found.candidates,
        deliveries=counted,
        chunks=delivery.chunk_states(db, found.id),
        frozen_at=found.frozen_at,
        finished_at=found.finished_at,
    )


@router.get("")
def list_campaigns(who: Operator, cursor: UUID | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> CampaignPage:
    """List campaigns, newest first."""
    with transaction() as db:
        found = delivery.list_campaigns(db, cursor, limit + 1)
        items = [_out(db, each) for each in found[:limit]]
    return CampaignPage(items=items, next_cursor=items[-1].id if len(found) > limit else None)


@router.get("/{campaign_id}", responses=_MISSING)
def get_campaign(campaign_id: UUID, who: Operator) -> CampaignOut:
    """Read how a campaign stands."""
    with transaction() as db:
        return _out(db, delivery.get_campaign(db, campaign_id))


@router.get("/{campaign_id}/deliveries", responses=_MISSING, response_class=Response)
def export_deliveries(campaign_id: UUID, who: Operator) -> Response:
    """Export who got what as CSV."""
    kept = tempfile.SpooledTemporaryFile(max_size=5_000_000, mode="w+", encoding="utf-8", newline="")  # noqa: SIM115 - closed after the answer
    writer = csv.DictWriter(kept, EXPORT_COLUMNS)
    writer.writeheader()
    with transaction() as db:
        delivery.get_campaign(db, campaign_id)
        writer.writerows(delivery.export(db, campaign_id))
    kept.seek(0)
    headers = {"Content-Disposition": f'attachment; filename="campaign-{campaign_id}.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(iter(lambda: kept.read(65536), ""), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/{campaign_id}/decisions", responses=_MISSING)
def decide(campaign_id: UUID, who: Operator, body: Decision) -> CampaignOut:
    """Pause, resume or cancel. What is on its way stays on its way; a resumed campaign goes on with the next sweep."""
    with transaction() as db:
        found = delivery.get_campaign(db, campaign_id)
        if not _act(db, campaign_id, body.action):
            raise Conflict(f"the campaign is {found.state}; it cannot be told to {body.action}")
        audit.record(db, who.name, f"campaign.{body.action}", "campaign", campaign_id)
        return _out(db, delivery.get_campaign(db, campaign_id))


def _act(db: Any, campaign_id: UUID, action: str) -> bool:
    if action == "pause":
        return delivery.set_campaign_state(db, campaign_id, CampaignState.PAUSED, CampaignState.SENDING)
    if action == "resume":
        return delivery.resume(db, campaign_id)
    return delivery.set_campaign_state(db, campaign_id, CampaignState.CANCELLED, *_STOPPABLE)
