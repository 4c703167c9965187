"""The Planted Shelf: a small publication about aquascaping that the demo reads over HTTP like any other site.

Besides good pages it has what a reader meets outside: boilerplate, a syndicated copy, a page that changes, a page that
robots.txt closes, hostile pages, an error, a redirect to a private address, and a page that never seems to end.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import cache, lru_cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from aquascene.adapters import clock, settings
from aquascene.sandbox.publication_articles import PAGES, Article, articles, html, journal, pick, special, with_inset
from aquascene.sandbox.publication_state import CountRequests, RequestLog, Revision, Revisions

TITLE = "The Planted Shelf"
LICENCE = "https://creativecommons.org/licenses/by/4.0/"
JOURNAL = "display-tank-journal"
COPY_PATH = "/partners/riverside-notes/monte-carlo-or-hc-cuba"
HOSTILE_PATH = "/guests/miracle-tank"
GUEST_PATH = "/guests/letter-about-leaves"
DRAFT_PATH = "/drafts/next-issue"
BROKEN_PATH = "/archive/reader-survey"
REDIRECT_PATH = "/go/calculator"
SLOW_PATH = "/slow"
NESTED_ELEMENTS = 30_000
SLOW_SECONDS = 120
EXTRA_PATHS = (COPY_PATH, GUEST_PATH, HOSTILE_PATH, DRAFT_PATH, BROKEN_PATH, REDIRECT_PATH)


def create_app() -> Starlette:
    """Build the publication; its revision lives in `aquascene_home`/sandbox/publication.json."""
    app = Starlette(routes=_ROUTES, exception_handlers={404: not_found})
    app.state.log = RequestLog()
    app.state.revisions = Revisions(settings.current().aquascene_home / "sandbox" / "publication.json")
    app.user_middleware = [Middleware(CountRequests, log=app.state.log), Middleware(GZipMiddleware, minimum_size=500)]
    return app


def home(request: Request) -> Response:
    """Show the newest articles, the sections, and a link to a page that robots.txt closes."""
    listed = list(articles().values())
    return listing(request, "Front page", listed, draft=_base(request) + DRAFT_PATH)


def section(request: Request) -> Response:
    """List the articles of a section, or of the older blog."""
    name = request.path_params.get("name", "")
    if not name:
        return listing(request, "The old blog", [article for article in articles().values() if article.template == "blog"])
    chosen = [article for article in articles().values() if article.section.lower() == name]
    if not chosen:
        raise HTTPException(404)
    return listing(request, chosen[0].section, chosen)


def listing(request: Request, heading: str, listed: Sequence[Article], draft: str | None = None) -> Response:
    """Answer with a list of articles."""
    body = _render("index.html", _base(request), heading=heading, listed=listed, draft=draft)
    return answer(request, body, max(article.modified for article in listed))


def about(request: Request) -> Response:
    """Say who is behind the publication."""
    return answer(request, _render("about.html", _base(request)), datetime(2025, 1, 6, 9, tzinfo=UTC))


def article_page(request: Request) -> Response:
    """Show an article at its one address; any other form of the address is not found."""
    article = articles().get(request.path_params["slug"])
    if article is None or article.path != request.url.path:
        raise HTTPException(404)
    revision: Revision = request.app.state.revisions.current()
    body = article_html(article.slug, _base(request), revision.number if article.slug == JOURNAL else 0)
    modified = revision.revised_at if article.slug == JOURNAL and revision.revised_at else article.modified
    return answer(request, body, modified)


@lru_cache(maxsize=512)
def article_html(slug: str, base: str, revision: int) -> str:
    """Render an article in its template; the journal has more entries with each revision."""
    article = articles()[slug]
    if slug == JOURNAL:
        article = replace(article, body=journal(article.body, revision))
    return _page(article, base, canonical=base + article.path)


def copy(request: Request) -> Response:
    """Show a syndicated copy: nearly the text of an article, at another address, with no canonical link."""
    notice = special("syndication-notice")
    original = articles()["monte-carlo-or-hc-cuba"]
    copied = replace(original, template="blog", body=f"{notice.body}\n{original.body}", published=notice.published, updated=notice.updated)
    return answer(request, _page(copied, _base(request), canonical=None), copied.modified)


def draft(request: Request) -> Response:
    """Show a page that a polite reader never asks for."""
    article = special("next-issue")
    return answer(request, _page(article, _base(request), canonical=_base(request) + DRAFT_PATH), article.modified)


def guest(request: Request) -> Response:
    """Show a readable page with instructions to the machine that reads it, hidden and visible."""
    article = special("letter-about-leaves")
    return answer(request, _page(article, _base(request), canonical=_base(request) + GUEST_PATH), article.modified)


def hostile(request: Request) -> Response:
    """Show a page that attacks its reader: instructions, a script, and elements nested beyond reason."""
    article = special("miracle-tank")
    nested = "<div>" * NESTED_ELEMENTS + "the bottom" + "</div>" * NESTED_ELEMENTS
    body = _page(article, _base(request), canonical=_base(request) + HOSTILE_PATH).replace("<!-- nested -->", nested)
    return answer(request, body, article.modified)


def broken(request: Request) -> Response:
    """Fail, as servers do."""
    return PlainTextResponse("The survey database is not available.", status_code=500)


def elsewhere(request: Request) -> Response:
    """Redirect to an address that must never be dialled: the metadata service of a cloud machine."""
    return RedirectResponse("http://169.254.169.254/latest/meta-data/", status_code=302)


async def slow(request: Request) -> Response:
    """Send a byte every half second, so that only a limit on the total time helps."""

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(SLOW_SECONDS * 2):
            yield b"."
            await asyncio.sleep(0.5)

    return StreamingResponse(drip(), media_type="text/html", headers={"Content-Encoding": "identity"})


def feed(request: Request) -> Response:
    """List the newest articles as RSS 2.0."""
    newest = list(articles().values())[:10]
    body = _render("feed.xml", _base(request), listed=newest, built=newest[0].modified)
    return answer(request, body, newest[0].modified, "application/rss+xml")


def sitemap(request: Request) -> Response:
    """List all addresses, the awkward ones among them."""
    listed = list(articles().values())
    body = _render("sitemap.xml", _base(request), listed=listed, extra=EXTRA_PATHS)
    return answer(request, body, max(article.modified for article in listed), "application/xml")


def robots(request: Request) -> Response:
    """Open everything to everybody but the drafts."""
    text = f"User-agent: *\nAllow: /\nDisallow: /drafts/\n\nSitemap: {_base(request)}/sitemap.xml\n"
    return answer(request, text, datetime(2025, 1, 6, 9, tzinfo=UTC), "text/plain")


def style(request: Request) -> Response:
    """Send the style sheet."""
    return answer(request, (PAGES / "style.css").read_text(encoding="utf-8"), datetime(2025, 1, 6, 9, tzinfo=UTC), "text/css")


def revise(request: Request) -> Response:
    """Give the journal its next entry."""
    revision = request.app.state.revisions.bump(clock.now())
    return JSONResponse({"revision": revision.number, "path": articles()[JOURNAL].path})


async def stats(request: Request) -> Response:
    """Show the request log."""
    return JSONResponse(request.app.state.log.as_json())


async def reset(request: Request) -> Response:
    """Empty the request log."""
    request.app.state.log.reset()
    return Response(status_code=204)


def livez(request: Request) -> Response:
    """Say that the publication is up."""
    return PlainTextResponse("ok")


def not_found(request: Request, _error: Exception) -> Response:
    """Answer with a page, as sites do."""
    return Response(_render("not_found.html", _base(request)), status_code=404, media_type="text/html")


def answer(request: Request, body: str, modified: datetime, media_type: str = "text/html") -> Response:
    """Answer with validators, or with 304 where the reader has these bytes already (RFC 9110, section 13)."""
    data = body.encode()
    # Weak, because the same page also goes out compressed.
    tag = f'W/"{hashlib.sha256(data).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Last-Modified": format_datetime(modified, usegmt=True), "Cache-Control": "max-age=0, must-revalidate", "Vary": "Accept-Encoding"}
    if _is_fresh(request, tag, modified):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


def _is_fresh(request: Request, tag: str, modified: datetime) -> bool:
    known = request.headers.get("if-none-match")
    if known is not None:
        return known.strip() == "*" or tag.removeprefix("W/") in [part.strip().removeprefix("W/") for part in known.split(",")]
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return since.tzinfo is not None and modified <= since


def _page(article: Article, base: str, canonical: str | None) -> str:
    known = articles()
    ads = pick("advertisements", article.slug, 2)
    inset = _templates().get_template("inset.html").render(ad=ads[0])
    return _render(
        f"{article.template}.html",
        base,
        article=article,
        canonical=canonical,
        content=with_inset(html(article.body), inset),
        ad=ads[1],
        comments=pick("comments", article.slug, 3),
        related=[known[slug] for slug in article.related if slug in known],
        recent=list(known.values())[:5],
    )


def _render(name: str, base: str, **values: Any) -> str:
    sections = sorted({article.section for article in articles().values()})
    return _templates().get_template(name).render(base=base, site=TITLE, licence=LICENCE, sections=sections, **values)


@cache
def _templates() -> Environment:
    loader = FileSystemLoader(PAGES / "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["http_date"] = lambda moment: format_datetime(moment, usegmt=True)
    return environment


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


_ROUTES = [
    Route("/", home),
    Route("/about", about),
    Route("/sections/{name}", section),
    Route("/blog/", section),
    Route("/articles/{slug}", article_page),
    Route("/blog/{year}/{month}/{slug}.html", article_page),
    Route(COPY_PATH, copy),
    Route(GUEST_PATH, guest),
    Route(HOSTILE_PATH, hostile),
    Route(DRAFT_PATH, draft),
    Route(BROKEN_PATH, broken),
    Route(REDIRECT_PATH, elsewhere),
    Route(SLOW_PATH, slow),
    Route("/feed.xml", feed),
    Route("/sitemap.xml", sitemap),
    Route("/robots.txt", robots),
    Route("/style.css", style),
    Route("/livez", livez),
    Route("/_control/revise", revise, methods=["POST"]),
    Route("/_control/stats", stats),
    Route("/_control/reset", reset, methods=["POST"]),
]
