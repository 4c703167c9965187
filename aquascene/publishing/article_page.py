"""The page of one article, for readers and, as a preview, for editors."""

from typing import Any

from markupsafe import Markup

from aquascene.drafting.text import slugify
from aquascene.publishing.markdown import clean_text, plain, render_markdown
from aquascene.publishing.model import Article, Reference, Site
from aquascene.publishing.provenance import stamp
from aquascene.publishing.references import article_text
from aquascene.publishing.render import json_for_html, minutes, page, summary_of

TOPICS_PER_ARTICLE = 4


def article_page(article: Article, site: Site, nav: Any, *, preview: bool = False) -> bytes:
    """Render the page of an article: text, citations, references, and how it was made."""
    text = article_text(article.body_markdown)
    body = render_markdown(text, {reference.number for reference in article.references})
    return page(
        "article.html",
        site,
        article.path,
        nav=nav,
        article=article,
        preview=preview,
        body=Markup(body.html),  # noqa: S704 — this went through nh3
        headings=body.headings,
        citations=body.citations,
        show_summary=bool(article.summary) and not plain(text, 2000).startswith(plain(article.summary, 2000)),
        topics=[{"name": name, "path": topic_path(name)} for name in topics_of(article)],
        minutes=minutes(text),
        cover=None if preview else f"{article.path}cover.svg",
        json_ld=json_for_html(json_ld(article, site)),
    )


def topics_of(article: Article) -> list[str]:
    """The topics of an article: its first keywords that make different addresses."""
    named = {slugify(word): clean_text(word) for word in reversed(article.keywords[:TOPICS_PER_ARTICLE]) if word.strip()}
    return list(reversed(named.values()))


def topic_path(name: str) -> str:
    """The path of the page that lists a topic."""
    return f"/topics/{slugify(name)}/"


def json_ld(article: Article, site: Site) -> dict[str, Any]:
    """Describe an article to search engines (schema.org/Article)."""
    publisher = {"@type": "Organization", "name": site.title, "url": site.absolute("/")}
    return {
        "@context": "https://schema.org",
        "@type": "Article",
        "@id": site.absolute(article.path),
        "headline": clean_text(article.title),
        "description": summary_of(article),
        "inLanguage": site.language,
        "datePublished": stamp(article.published_at),
        "dateModified": stamp(article.changed_at),
        "author": publisher,
        "publisher": publisher,
        "editor": {"@type": "Person", "name": clean_text(article.approval.decided_by)},
        "keywords": topics_of(article),
        "citation": [_citation(reference) for reference in article.references],
    }


def _citation(reference: Reference) -> dict[str, Any]:
    named = {"@type": "CreativeWork", "name": clean_text(reference.title or reference.url), "url": clean_text(reference.url)}
    if reference.author:
        named["author"] = clean_text(reference.author)
    return named
