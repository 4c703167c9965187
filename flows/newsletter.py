"""Articles to deliveries: assemble an issue, freeze its audience, send, settle."""

from datetime import date

from prefect import flow

from tasks import delivery
from tasks.delivery import NewsletterSummary


@flow(name="newsletter", flow_run_name="newsletter-{issue_type}", timeout_seconds=4 * 3600, retries=0)
def newsletter(
    issue_type: str,
    issue_date: date | None = None,
    send: bool = True,
) -> NewsletterSummary:
    """Assemble the issue of a date from articles that no earlier issue carried, and send it to its segment.

    Running it again for the same date finishes what is unfinished and sends nothing twice. Without new
    articles there is no issue. A campaign that the provider refused (`held`) goes on when this is run again.

    Args:
        issue_type: Type of the issue, a key of issues.yaml.
        issue_date: Date of the issue, one per type; none means today in the publication's time zone.
        send: Send it; false assembles and shows it only.
    """
    issue_id = delivery.assemble_issue(issue_type, issue_date or delivery.today())
    campaign_id = None
    if issue_id is not None:
        delivery.show_issue(issue_id)
    if issue_id is not None and send:
        campaign_id = delivery.freeze_audience(issue_id)
        delivery.send_chunks(campaign_id)
        delivery.settle(campaign_id)
    return delivery.summarise(issue_id, campaign_id)
