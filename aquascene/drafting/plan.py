"""The editorial plan: standing briefs and when each is due."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from aquascene.drafting.model import BriefRequest


class Cadence(StrEnum):
    """How often a standing brief asks for a draft."""

    ONCE = "once"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True)
class StandingBrief:
    """A brief of the plan."""

    key: str
    cadence: Cadence
    request: BriefRequest


def plan_key(standing: StandingBrief, now: datetime, time_zone: str) -> str:
    """Name the occasion: `carpet-guide:once`, `:2026-W48` or `:2026-11`, by the publication's calendar; one brief each."""
    local = now.astimezone(ZoneInfo(time_zone))
    week = local.isocalendar()
    occasion = {Cadence.ONCE: "once", Cadence.WEEKLY: f"{week.year}-W{week.week:02d}", Cadence.MONTHLY: f"{local:%Y-%m}"}
    return f"{standing.key}:{occasion[standing.cadence]}"
