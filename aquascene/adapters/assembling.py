"""Assembling issues: choose the articles, render, store, and open the campaign. Each step may be repeated."""

import logging
from datetime import date
from uuid import UUID

from aquascene.adapters import clock, settings, wiring
from aquascene.adapters.catalog.issues import get_issue_type
from aquascene.adapters.catalog.segments import get_segment
from aquascene.adapters.postgres import delivery, issues
from aquascene.adapters.postgres.db import transaction
from aquascene.delivery import letters
from aquascene.delivery.model import Campaign, Issue, IssueArticle
from aquascene.errors import NotFound
from aquascene.ids import IssueId, new_id

log = logging.getLogger(__name__)


def masthead() -> letters.Masthead:
    """Describe the sender from the settings."""
    now = settings.current()
    site, domain = now.publishing, now.newsletter.from_email.partition("@")[2]
    return letters.Masthead(site.site_title, site.site_url, now.newsletter.postal_address, site.language, domain)


def assemble(issue_type: str, on: date) -> UUID | None:
    """Make the issue of a type for a date, or find the one that is there; None when too few articles are new."""
    kind = get_issue_type(issue_type)
    with transaction() as db:
        issues.lock_issue_type(db, issue_type)
        found = issues.issue_on(db, issue_type, on)
        if found is None:
            fresh = issues.fresh_articles(db, issue_type, settings.current().newsletter.max_articles)
            if len(fresh) < kind.min_articles:
                return None
            number = issues.next_number(db, issue_type)
            subject = letters.subject_of(kind, number, on, fresh, masthead())
            found = Issue(IssueId(new_id()), issue_type, on, number, "open", subject)
            issues.insert_issue(db, found, [article.id for article in fresh], clock.now())
            log.info("issue_assembled issue_id=%s number=%d articles=%d", found.id, number, len(fresh))
    if found.state == "open":
        render(found)
    return found.id


def render(issue: Issue) -> letters.Rendered:
    """Render an open issue from the articles that are live now, and keep it in the object store."""
    with transaction() as db:
        shown = issues.articles_of(db, issue.id)
    rendered = letters.render_issue(get_issue_type(issue.issue_type), issue.number, issue.issue_date, shown, masthead())
    digest, store = rendered.content_sha256, wiring.object_store()
    keys = {suffix: f"issues/{issue.id}/{digest}.{suffix}" for suffix in ("html", "txt")}
    store.put(keys["html"], rendered.html.encode(), "text/html; charset=utf-8")
    store.put(keys["txt"], rendered.text.encode(), "text/plain; charset=utf-8")
    with transaction() as db:
        issues.set_rendering(db, issue.id, rendered.subject, digest, keys["html"], keys["txt"])
    return rendered


def read(issue_id: UUID) -> tuple[Issue, letters.Rendered, list[IssueArticle]]:
    """Read an issue as it was rendered; NotFound when it was not rendered yet."""
    with transaction() as db:
        issue = issues.get_issue(db, issue_id)
        shown = issues.articles_of(db, issue_id)
    if issue.html_key is None or issue.text_key is None:
        raise NotFound(f"issue {issue_id} is not rendered; run `newsletter` again")
    store = wiring.object_store()
    return issue, letters.Rendered(issue.subject, store.get(issue.html_key).decode(), store.get(issue.text_key).decode()), shown


def open_campaign(issue_id: UUID) -> Campaign:
    """Close the issue and make its one campaign, or find the one that is there. Held ones go on: a person started this."""
    with transaction() as db:
        issue = issues.get_issue(db, issue_id)
        kind = get_issue_type(issue.issue_type)
        campaign = delivery.open_campaign(db, new_id(), issue, get_segment(kind.segment).rule, kind.policy, clock.now())
        issues.close_issue(db, issue_id, clock.now())
        delivery.resume_held(db, campaign.id)
    return campaign


def freeze(campaign_id: UUID) -> Campaign:
    """Write the audience of a campaign down, once."""
    with transaction() as db:
        return delivery.freeze(db, campaign_id, settings.current().newsletter.chunk_size, clock.now())


def list_id(issue: Issue) -> str:
    """Name the list of an issue's type by RFC 2919."""
    head = masthead()
    return f"{head.title} <{issue.issue_type}.{head.list_domain}>"
