"""HTML pages: one Jinja environment with autoescape for all routers, and the static files beside it.

`render(request, "name.html", key=value)` answers with a page; templates extend `base.html` (the desk) or stand alone.
"""

import hashlib
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from aquascene.adapters import settings
from aquascene.errors import NotFound
from aquascene.web.deps import public

_HERE = Path(__file__).resolve().parent
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False)


@lru_cache(maxsize=64)
def static_url(name: str) -> str:
    """Address a static file by its content, so that it may be cached for good."""
    digest = hashlib.sha256((_HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{digest}/{name}"


@router.get("/static/{digest}/{name}", dependencies=[Depends(public)])
def static_file(digest: str, name: str) -> Response:
    """Serve a stylesheet or picture with far-future caching."""
    if name not in {path.name for path in (_HERE / "static").iterdir()}:
        raise NotFound(f"there is no static file {name!r}")
    path = _HERE / "static" / name
    caching = "public, max-age=31536000, immutable" if static_url(name) == f"/static/{digest}/{name}" else "no-cache"
    return Response(path.read_bytes(), media_type=_TYPES.get(path.suffix, "application/octet-stream"), headers={"Cache-Control": caching})


def local_time(at: datetime | None) -> str:
    """Write a time in the publication's time zone; a dash for none."""
    if at is None:
        return "–"
    return at.astimezone(ZoneInfo(settings.current().publishing.time_zone)).strftime("%d %b %Y, %H:%M")


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The environment for all templates of the web application."""
    made = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.globals["static_url"] = static_url
    made.filters["local_time"] = local_time
    return made


def render(request: Request, name: str, status: int = 200, headers: dict[str, str] | None = None, **context: Any) -> HTMLResponse:
    """Answer with a page; `who` is the signed-in principal where the route has one."""
    context.setdefault("who", getattr(request.state, "principal", None))
    page = templates().get_template(name).render(request=request, settings=settings.current(), **context)
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store", **(headers or {})})
