"""The published site at the root of the web application; the last router, so that every other address comes first."""

import logging
from functools import lru_cache

from fastapi import APIRouter, Depends, Request, Response

from aquascene.adapters import settings, wiring
from aquascene.adapters.published import ASSET, PublishedSite
from aquascene.errors import NotFound
from aquascene.publishing.manifest import Entry, Manifest, sha256_hex
from aquascene.publishing.render import favicon, stylesheet, stylesheet_path
from aquascene.publishing.site import HTML, SVG, nothing_yet
from aquascene.web.deps import public

log = logging.getLogger(__name__)
router = APIRouter()

_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_OPEN = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
# A reader's copy is young; a network's may be older, because it is told what changed (adapters/cdn.py) and its copies end soon if that fails.
_FOREVER, _SOON = "public, max-age=31536000, immutable", "public, max-age=60, s-maxage=300"
_NOT_PAGES = ("/api/", "/webhooks/")


@lru_cache(maxsize=2)
def _published(store_url: str, database_url: str) -> PublishedSite:
    return PublishedSite(wiring.object_store())


def published() -> PublishedSite:
    """The site as this process serves it."""
    now = settings.current()
    return _published(now.object_store, now.database_url.get_secret_value())


@router.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False, dependencies=[Depends(public)])
def site_page(request: Request) -> Response:
    """Answer with a page, an asset, a tombstone or the site's own 404."""
    path = request.scope["path"]
    if path.startswith(_NOT_PAGES):
        raise NotFound(f"there is nothing at {path}")
    manifest = published().manifest()
    found = _find(manifest, path)
    if found:
        return _answer(request, path, found)
    built_in = _built_in(path)
    if built_in:
        return _respond(request, path, *built_in)
    if manifest is None:
        return _respond(request, path, nothing_yet(wiring.site()), HTML, 200 if path == "/" else 404)
    if f"{path}/" in manifest.entries:
        return Response(status_code=308, headers={"Location": f"{path}/", "Cache-Control": _SOON})
    return _answer(request, path, manifest.entries["/404.html"])


def _find(manifest: Manifest | None, path: str) -> Entry | None:
    found = manifest.entries.get(path) if manifest else None
    return found or published().asset(path)


def _built_in(path: str) -> tuple[bytes, str, int] | None:
    """What the code brings along: previews and the page before the first publish need it."""
    if path == stylesheet_path():
        return stylesheet(), "text/css; charset=utf-8", 200
    return (favicon(), SVG, 200) if path == "/favicon.svg" else None


def _answer(request: Request, path: str, entry: Entry) -> Response:
    if entry.status == 200 and _known(request, entry.sha256):
        return Response(status_code=304, headers=_headers(path, entry.sha256, entry.content_type, entry.status))
    found = published().open(entry)
    return _respond(request, path, found.body, entry.content_type, entry.status, entry.sha256)


def _respond(request: Request, path: str, body: bytes, content_type: str, status: int, sha256: str | None = None) -> Response:
    digest = sha256 or sha256_hex(body)
    headers = _headers(path, digest, content_type, status)
    if status == 200 and _known(request, digest):
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, content_type)


def _headers(path: str, digest: str, content_type: str, status: int) -> dict[str, str]:
    cache = _FOREVER if ASSET.fullmatch(path) and status == 200 else _SOON
    policy = _OPEN if content_type == SVG else _POLICY
    return {"ETag": f'"{digest[:32]}"', "Cache-Control": cache, "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}


def _known(request: Request, digest: str) -> bool:
    asked = request.headers.get("if-none-match", "")
    return any(tag.strip().removeprefix("W/") in {f'"{digest[:32]}"', "*"} for tag in asked.split(","))
