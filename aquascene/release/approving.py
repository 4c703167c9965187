"""A person decides on a plan. The caller has proved who it is; the same function serves the command line and the API."""

from datetime import datetime

from aquascene.errors import Conflict
from aquascene.release import gates
from aquascene.release.gates import Refusal
from aquascene.release.model import PromotionId
from aquascene.release.ports import Ledger
from aquascene.release.records import Actor, Approval


def decide(ledger: Ledger, promotion_id: PromotionId, plan_hash: str, by: Actor, approved: bool, reason: str, now: datetime) -> Refusal | None:
    """Keep a verdict on exactly the plan that was read; a denial ends the promotion. Returns why it may not be given."""
    promotion = ledger.get_promotion(promotion_id)
    if refusal := gates.may_approve(promotion, by):
        return refusal
    if promotion.plan is None or promotion.plan.hash != plan_hash:
        raise Conflict(f"promotion {promotion_id} has another plan by now; read it again: aquascene promote status {promotion_id}")
    ledger.approve(Approval(promotion_id, plan_hash, by.name, approved, now, reason), by)
    if not approved:
        ledger.refuse(promotion_id, "denied", f"{by.name} denied it: {reason or 'no reason given'}", by)
    return None
