"""The web application: API, desk, dashboard, public pages, webhooks and, last, the published site."""

import importlib
import importlib.util
from collections.abc import Iterator

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match

from aquascene.adapters import settings as configuration
from aquascene.adapters.settings import Settings
from aquascene.web import problems
from aquascene.web.deps import public
from aquascene.web.middleware import BodyLimit, ClosingWhileDraining, RequestRecord, SecurityHeaders
from aquascene.web.ratelimit import RateLimit, limits
from aquascene.web.versions import version

ROUTERS = ("health", "metrics", "pages", "auth", "content", "generate", "subscribers", "campaigns", "public", "webhooks", "desk", "dashboard", "site")

_DESCRIPTION = """Everything that the desk can do, and the line's state.

Send an API key as `Authorization: Bearer aq_…`, or trade it for a short-lived token at `/api/v1/auth/token`.
Errors are problem documents (RFC 9457). Roles, lowest first: writer, editor, publisher, operator, admin.
"""


def routers(without: str = "") -> Iterator[APIRouter]:
    """Yield the routers that exist, in order of inclusion."""
    for name in ROUTERS:
        if name != without and importlib.util.find_spec(f"aquascene.web.{name}"):
            yield importlib.import_module(f"aquascene.web.{name}").router


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application from the routers that exist; the site's catch-all comes last."""
    options = settings or configuration.current()
    app = FastAPI(title="AquaScene", version=version(), description=_DESCRIPTION, docs_url=None, redoc_url=None)
    app.state.draining = app.state.was_ready = False
    problems.install(app, options.debug)
    found = list(routers(without="metrics" if options.web.metrics_port else ""))
    for router in found[:-1] if _has_site() else found:
        app.include_router(router)
    app.include_router(_fallback(found))
    if _has_site():
        app.include_router(found[-1])
    # The last one added is the first to see a request.
    app.add_middleware(RateLimit, limits=limits(options))
    app.add_middleware(BodyLimit, max_bytes=options.web.max_body_bytes)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(ClosingWhileDraining)
    app.add_middleware(RequestRecord)
    return app


def _has_site() -> bool:
    return importlib.util.find_spec(f"aquascene.web.{ROUTERS[-1]}") is not None


def _fallback(known: list[APIRouter]) -> APIRouter:
    """Answer for API addresses that do not exist, lest the site's catch-all does: 405 where another method does."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/api/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], dependencies=[Depends(public)])
    def unknown(request: Request) -> None:
        routes = [route for one in known for route in one.routes if isinstance(route, APIRoute) and route.path.startswith("/api/")]
        allowed = {method for route in routes if route.matches(request.scope)[0] is Match.PARTIAL for method in route.methods or ()}
        if allowed:
            raise HTTPException(405, "this address does not take that method", headers={"Allow": ", ".join(sorted(allowed))})
        raise HTTPException(404, "there is no such address in the API; see /openapi.json")

    return router
