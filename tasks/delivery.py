"""Steps of the newsletter: assemble, show, freeze, send, settle. Every step finds its work done when it is repeated."""

import logging
from dataclasses import asdict, dataclass, field
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect import task
from prefect.context import FlowRunContext

from aquascene.adapters import assembling, ledger, sending, settings, wiring
from aquascene.adapters.clock import now
from aquascene.adapters.postgres import delivery, issues
from aquascene.adapters.postgres.db import transaction
from aquascene.delivery.model import CampaignState
from aquascene.delivery.ports import Mailer
from aquascene.ids import CampaignId
from blocks.mailers import SendGridMailer
from tasks import artifacts, retries
from tasks.runs import run_id

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NewsletterSummary:
    """What became of an issue: its campaign and how many deliveries are in each state."""

    issue_id: UUID | None = None
    campaign_id: UUID | None = None
    number: int | None = None
    articles: int = 0
    candidates: int = 0
    deliveries: dict[str, int] = field(default_factory=dict)
    state: str = "no-issue"


def today() -> date:
    """The date where the publication is."""
    return now().astimezone(ZoneInfo(settings.current().publishing.time_zone)).date()


def mailer() -> Mailer:
    """The account that an operator saved as a block; the one of the settings where there is none, and outside runs."""
    if FlowRunContext.get() is None:
        return wiring.mailer()
    try:
        block = SendGridMailer.load("main")
    except ValueError:  # Prefect's answer for a document that is not there
        return wiring.mailer()
    assert isinstance(block, SendGridMailer)
    return block.get_mailer()


@task(task_run_name="assemble-{issue_type}-{issue_date}", **retries.DATABASE)
def assemble_issue(issue_type: str, issue_date: date) -> UUID | None:
    """Make and render the issue of a type for a date; None when there is nothing new to tell."""
    return assembling.assemble(issue_type, issue_date)


@task(task_run_name="show-{issue_id}", **retries.DATABASE)
def show_issue(issue_id: UUID) -> None:
    """Show the plain-text part of an issue in the Prefect UI."""
    issue, rendered, shown = assembling.read(issue_id)
    text = f"# {issue.subject}\n\n{len(shown)} articles\n\n```\n{rendered.text}\n```"
    artifacts.markdown(f"issue-{issue.issue_type}-{issue.number}", text, "The issue as plain text.")


@task(task_run_name="freeze-{issue_id}", **retries.DATABASE)
def freeze_audience(issue_id: UUID) -> UUID:
    """Close the issue, open its campaign and write its audience down; all of it happens once."""
    campaign = assembling.open_campaign(issue_id)
    return assembling.freeze(campaign.id).id


@task(task_run_name="send-{campaign_id}", tags=["mail"], **retries.SEND)
def send_chunks(campaign_id: UUID) -> int:
    """Send every chunk that may be sent; a second worker or a rerun sends no chunk twice."""
    sent = sending.send(campaign_id, mailer(), run_id())
    log.info("campaign_sent campaign_id=%s requests=%d", campaign_id, sent)
    return sent


@task(task_run_name="settle-{campaign_id}", tags=["mail"], **retries.SEND)
def settle(campaign_id: UUID) -> dict[str, int]:
    """Wait for proofs and delivery events, send what was proven not accepted, and close the campaign."""
    progress = artifacts.Progress(f"campaign-{campaign_id}", "Deliveries whose end is known")
    counts = asdict(sending.settle(campaign_id, mailer(), run_id(), progress.at))
    rows = [{"state": name, "deliveries": number} for name, number in counts.items() if name != "candidates"]
    artifacts.table(f"deliveries-{campaign_id}", rows, f"Deliveries by state, of {counts['candidates']} candidates.")
    return counts


@task(task_run_name="unfinished-campaigns", **retries.DATABASE)
def unfinished_campaigns() -> list[UUID]:
    """Find campaigns on which work may go on, and write down audiences that are not yet."""
    with transaction() as db:
        found = delivery.unfinished_campaigns(db)
        campaigns = [delivery.get_campaign(db, each) for each in found]
    for campaign in campaigns:
        if campaign.state is CampaignState.PLANNED:
            assembling.freeze(campaign.id)
    return found


def summarise(issue_id: UUID | None, campaign_id: UUID | None) -> NewsletterSummary:
    """Read how an issue stands."""
    if issue_id is None:
        return NewsletterSummary()
    with transaction() as db:
        issue, shown = issues.get_issue(db, issue_id), issues.articles_of(db, issue_id)
    if campaign_id is None:
        return NewsletterSummary(issue_id, None, issue.number, len(shown), state=issue.state)
    state, counts = ledger.close(CampaignId(campaign_id), now())
    by_state = {name: number for name, number in asdict(counts).items() if name != "candidates" and number}
    return NewsletterSummary(issue_id, campaign_id, issue.number, len(shown), counts.candidates, by_state, state)


def settled(campaign_ids: list[UUID]) -> dict[str, str]:
    """Read the states of campaigns."""
    with transaction() as db:
        return {str(each): str(delivery.get_campaign(db, each).state) for each in campaign_ids}
