"""The whole public site as pages. Pure: the same content gives the same bytes, and times come with the content."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from aquascene.drafting.text import slugify
from aquascene.publishing import art, feed, provenance
from aquascene.publishing.article_page import article_page, topic_path, topics_of
from aquascene.publishing.model import Article, Site, SiteContent, SitePage, Tombstone
from aquascene.publishing.render import favicon, month, page, stylesheet, stylesheet_path, type_name, type_path

HTML, JSON, SVG, XML = "text/html; charset=utf-8", "application/json", "image/svg+xml", "application/xml"
ON_HOME = 10


@dataclass(frozen=True)
class Listing:
    """A page that lists the articles of a type or a topic; also an entry of the navigation."""

    name: str
    path: str
    articles: tuple[Article, ...] = ()


def render_site(site: Site, content: SiteContent) -> list[SitePage]:
    """Render every page of the site, newest articles first."""
    articles = sorted(content.articles, key=lambda article: (article.published_at, str(article.id)), reverse=True)
    types, topics = _types(articles), _topics(articles)
    nav = _nav(types)
    pages = [
        _html("/", "home.html", site, nav, first=articles[0] if articles else None, rest=articles[1:ON_HOME], more=len(articles) > ON_HOME),
        _html("/archive/", "archive.html", site, nav, months=_months(articles, site), topics=topics),
        _html("/about/", "about.html", site, nav, **_corrections(articles, content.tombstones)),
        *(_listing(listing, site, nav) for listing in [*types, *topics]),
        *(made for article in articles for made in _article(article, site, nav)),
        *(_gone(tombstone, site, nav) for tombstone in content.tombstones),
        SitePage("/404.html", not_found(site, nav), HTML, 404),
        *_for_machines(articles, [*types, *topics], site),
    ]
    return sorted(pages, key=lambda made: made.path)


def not_found(site: Site, nav: list[Listing]) -> bytes:
    """Render the answer for a path that has nothing."""
    words = "There is nothing at this address. It may have moved, or the link may have a slip in it."
    return page("notice.html", site, "", nav=nav, heading="Page not found", words=words, links=True)


def nothing_yet(site: Site) -> bytes:
    """Render what readers see before the first publish."""
    words = "The first articles are being written and reviewed. Leave your address below and we write to you when they are out."
    return page("notice.html", site, "/", heading="Nothing is published yet", words=words, links=False)


def _nav(types: list[Listing]) -> list[Listing]:
    return [Listing("Home", "/"), *types, Listing("Archive", "/archive/"), Listing("How we work", "/about/")]


def _html(path: str, template: str, site: Site, nav: list[Listing], **values: object) -> SitePage:
    return SitePage(path, page(template, site, path, nav=nav, **values), HTML)


def _listing(listing: Listing, site: Site, nav: list[Listing]) -> SitePage:
    count = len(listing.articles)
    intro = f"{count} article{'' if count == 1 else 's'}, each with its sources."
    return _html(listing.path, "listing.html", site, nav, heading=listing.name, intro=intro, articles=listing.articles)


def _article(article: Article, site: Site, nav: list[Listing]) -> Iterator[SitePage]:
    yield SitePage(article.path, article_page(article, site, nav), HTML)
    yield SitePage(f"{article.path}provenance.json", provenance.to_bytes(article, site), JSON)
    yield SitePage(f"{article.path}cover.svg", art.cover(article.slug), SVG)


def _gone(tombstone: Tombstone, site: Site, nav: list[Listing]) -> SitePage:
    return SitePage(tombstone.path, page("gone.html", site, tombstone.path, nav=nav, tombstone=tombstone), HTML, 410)


def _for_machines(articles: list[Article], listings: list[Listing], site: Site) -> Iterator[SitePage]:
    changed = max((article.changed_at for article in articles), default=None)
    fixed = [(path, changed) for path in ("/", "/about/", "/archive/")]
    listed = [(listing.path, max(article.changed_at for article in listing.articles)) for listing in listings]
    own = [(article.path, article.changed_at) for article in articles]
    yield SitePage("/feed.xml", feed.atom(articles, site), "application/atom+xml; charset=utf-8")
    yield SitePage("/sitemap.xml", feed.sitemap([*fixed, *listed, *own], site), XML)
    yield SitePage("/robots.txt", feed.robots(site), "text/plain; charset=utf-8")
    yield SitePage("/favicon.svg", favicon(), SVG)
    yield SitePage(stylesheet_path(), stylesheet(), "text/css; charset=utf-8")


def _types(articles: list[Article]) -> list[Listing]:
    return _grouped(articles, lambda article: [article.content_type], lambda name: f"{type_name(name)}s", type_path)


def _topics(articles: list[Article]) -> list[Listing]:
    return _grouped(articles, topics_of, lambda name: name[:1].upper() + name[1:], topic_path)


def _grouped(articles: list[Article], keys: Callable[[Article], list[str]], name: Callable[[str], str], path: Callable[[str], str]) -> list[Listing]:
    """Gather articles under the addresses of their keys; two spellings with one address are one listing."""
    found: dict[str, list[Article]] = {}
    spelled: dict[str, str] = {}
    for article in articles:
        for key in keys(article):
            found.setdefault(slugify(key), []).append(article)
            spelled[slugify(key)] = min(key, spelled.get(slugify(key), key))
    return [Listing(name(spelled[slug]), path(spelled[slug]), tuple(found[slug])) for slug in sorted(found)]


def _months(articles: list[Article], site: Site) -> list[tuple[str, list[Article]]]:
    return [(name, list(group)) for name, group in groupby(articles, lambda article: month(article.published_at, site.time_zone))]


def _corrections(articles: list[Article], tombstones: tuple[Tombstone, ...]) -> dict[str, object]:
    corrected = sorted((article for article in articles if article.correction_note), key=lambda article: article.changed_at, reverse=True)
    return {"corrected": corrected, "tombstones": sorted(tombstones, key=lambda gone: gone.withdrawn_at, reverse=True)}
