"""What machines read: the Atom feed (RFC 4287), the site map and robots.txt."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from aquascene.publishing.markdown import escaped, render_markdown
from aquascene.publishing.model import Article, Site
from aquascene.publishing.provenance import stamp
from aquascene.publishing.references import article_text
from aquascene.publishing.render import summary_of

ENTRIES = 20
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
# What the same server shows beside the site and no crawler needs.
_PRIVATE = ("/api/", "/desk", "/dashboard", "/confirm/", "/unsubscribe/", "/preferences/")


def atom(articles: Sequence[Article], site: Site) -> bytes:
    """Write the feed of the newest articles, with their text."""
    newest = max((article.changed_at for article in articles), default=_NEVER)
    parts = [
        f'{_HEAD}<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{escaped(site.language)}">',
        f"<title>{escaped(site.title)}</title>",
        f"<subtitle>{escaped(site.description)}</subtitle>",
        f"<id>{escaped(site.absolute('/'))}</id>",
        f'<link rel="alternate" type="text/html" href="{escaped(site.absolute("/"))}"/>',
        f'<link rel="self" type="application/atom+xml" href="{escaped(site.absolute("/feed.xml"))}"/>',
        f"<updated>{stamp(newest)}</updated>",
        f"<author><name>{escaped(site.title)}</name></author>",
        *(_entry(article, site) for article in articles[:ENTRIES]),
        "</feed>\n",
    ]
    return "\n".join(parts).encode()


def sitemap(pages: Iterable[tuple[str, datetime | None]], site: Site) -> bytes:
    """Write the site map of paths and when they changed."""
    urls = [f"<url><loc>{escaped(site.absolute(path))}</loc>{_lastmod(changed)}</url>" for path, changed in pages]
    return "\n".join([f'{_HEAD}<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">', *urls, "</urlset>\n"]).encode()


def robots(site: Site) -> bytes:
    """Write robots.txt: the site is open, the rooms behind it are not."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in _PRIVATE), "", f"Sitemap: {site.absolute('/sitemap.xml')}", ""]
    return "\n".join(lines).encode()


def _entry(article: Article, site: Site) -> str:
    numbers = {reference.number for reference in article.references}
    body = render_markdown(article_text(article.body_markdown), numbers).html
    url = site.absolute(article.path)
    # Links between text and references need the page; in the feed they lead to it.
    content = body.replace('href="#', f'href="{url}#')
    parts = [
        "<entry>",
        f"<title>{escaped(article.title)}</title>",
        f"<id>urn:uuid:{article.id}</id>",
        f'<link rel="alternate" type="text/html" href="{escaped(url)}"/>',
        f"<published>{stamp(article.published_at)}</published>",
        f"<updated>{stamp(article.changed_at)}</updated>",
        f"<summary>{escaped(summary_of(article))}</summary>",
        f'<content type="html">{escaped(_disclosure(article) + content)}</content>',
        "</entry>",
    ]
    return "\n".join(parts)


def _disclosure(article: Article) -> str:
    return "<p><em>Written by the extractive sandbox from the sources named in the article.</em></p>" if article.sandbox else ""


def _lastmod(changed: datetime | None) -> str:
    return f"<lastmod>{stamp(changed)}</lastmod>" if changed else ""
