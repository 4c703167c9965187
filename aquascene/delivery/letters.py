"""Letters: an issue as HTML and plain text, the confirmation mail, and each recipient's own links.

Rendering is deterministic: the same issue and the same subscriber give the same bytes, whoever renders them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from aquascene.audience import consent, tokens
from aquascene.delivery.model import Issue, IssueArticle, IssueType, Letter, Member, Recipient
from aquascene.errors import ConfigError
from aquascene.publishing.model import article_path

UNSUBSCRIBE_SLOT = "-unsubscribe_url-"
PREFERENCES_SLOT = "-preferences_url-"


@dataclass(frozen=True, slots=True)
class Masthead:
    """What every letter says about its sender."""

    title: str
    site_url: str
    postal_address: str
    language: str = "en"
    list_domain: str = "localhost"


@dataclass(frozen=True, slots=True)
class Rendered:
    """An issue ready to be stored and sent."""

    subject: str
    html: str
    text: str

    @property
    def content_sha256(self) -> str:
        """Hash what recipients see."""
        canonical = json.dumps([self.subject, self.html, self.text], ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def letter(self, list_id: str) -> Letter:
        """Make the letter of a campaign."""
        return Letter(self.subject, self.html, self.text, list_id=list_id)


@lru_cache(maxsize=1)
def _templates() -> Environment:
    escaped = select_autoescape(enabled_extensions=("html.j2",), default=False)
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=loader, autoescape=escaped, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - HTML is escaped by name


def article_url(masthead: Masthead, slug: str) -> str:
    """Address an article on the published site."""
    return masthead.site_url.rstrip("/") + article_path(slug)


def render_issue(kind: IssueType, number: int, on: date, articles: Sequence[IssueArticle], masthead: Masthead) -> Rendered:
    """Render an issue; links of recipients stay slots that are filled per person."""
    subject = subject_of(kind, number, on, articles, masthead)
    context = {
        "kind": kind,
        "number": number,
        "date": _written(on),
        "articles": [(article, article_url(masthead, article.slug)) for article in articles],
        "masthead": masthead,
        "subject": subject,
        "unsubscribe_url": UNSUBSCRIBE_SLOT,
        "preferences_url": PREFERENCES_SLOT,
    }
    html, text = (_templates().get_template(f"issue.{suffix}.j2").render(context) for suffix in ("html", "txt"))
    return Rendered(subject, html, text)


def subject_of(kind: IssueType, number: int, on: date, articles: Sequence[IssueArticle], masthead: Masthead) -> str:
    """Fill the subject's template; ConfigError when it names something else than the five known fields."""
    first = articles[0].title if articles else ""
    fields = {"publication": masthead.title, "title": kind.title, "number": number, "date": _written(on), "first_title": first}
    try:
        filled = kind.subject.format_map(fields)
    except (KeyError, ValueError, IndexError, AttributeError) as exc:
        raise ConfigError(f"issues.yaml, {kind.key}.subject: {exc}; the known fields are {', '.join(fields)}") from exc
    return " ".join(filled.split())[:200]


def _written(on: date) -> str:
    return f"{on.day} {on:%B %Y}"


def issue_of(issue: Issue, html: str, text: str) -> Rendered:
    """Take a stored issue up again."""
    return Rendered(issue.subject, html, text)


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the links that belong to one person; `made_at` is fixed per campaign, so that bytes stay the same."""

    secret: str
    public_url: str
    made_at: datetime

    def to(self, purpose: tokens.Purpose, public_id: UUID) -> str:
        """Make one link."""
        path = {"confirm": "confirm", "unsubscribe": "unsubscribe", "preferences": "preferences"}[purpose]
        return f"{self.public_url.rstrip('/')}/{path}/{tokens.make(self.secret, purpose, public_id, self.made_at)}"

    def recipient(self, member: Member) -> Recipient:
        """Address a planned delivery."""
        unsubscribe = self.to(tokens.Purpose.UNSUBSCRIBE, member.public_id)
        preferences = self.to(tokens.Purpose.PREFERENCES, member.public_id)
        slots = {UNSUBSCRIBE_SLOT: unsubscribe, PREFERENCES_SLOT: preferences}
        return Recipient(member.recipient_id, member.email, member.name, unsubscribe, slots)


def confirmation(masthead: Masthead, confirm_url: str, hours: int) -> Letter:
    """Write the mail that asks for confirmation; it carries no advertising, as the proof of consent demands."""
    subject = f"Please confirm your subscription to {masthead.title}"
    context = {"masthead": masthead, "confirm_url": confirm_url, "hours": hours, "subject": subject, "consent_text": consent.CONSENT_TEXT}
    html, text = (_templates().get_template(f"confirmation.{suffix}.j2").render(context) for suffix in ("html", "txt"))
    return Letter(subject, html, text, automatic=True)
