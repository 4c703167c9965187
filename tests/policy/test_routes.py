"""Every route declares who may call it, and no GET changes anything."""

import pytest
from fastapi.routing import APIRoute

from aquascene.web.app import routers
from aquascene.web.deps import required_role

ROUTES = [route for router in routers() for route in router.routes if isinstance(route, APIRoute)]


def _declared(route: APIRoute) -> list[str]:
    found = [required_role(dependency.call) for dependency in route.dependant.dependencies]
    return [role for role in found if role]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{','.join(sorted(route.methods))} {route.path}")
def test_a_route_declares_one_role_or_public(route: APIRoute) -> None:
    assert len(_declared(route)) == 1, "add `who: Editor` (or another role), or dependencies=[Depends(public)]"


def test_every_router_holds_nothing_but_such_routes() -> None:
    others = [route for router in routers() for route in router.routes if not isinstance(route, APIRoute)]
    assert others == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_reading_and_changing_are_different_routes(route: APIRoute) -> None:
    reading = route.methods & {"GET", "HEAD"}
    assert not (reading and route.methods & {"POST", "PUT", "PATCH", "DELETE"}) or route.path.startswith("/api/{path"), "one route per method"


def test_pages_and_api_stay_apart() -> None:
    assert all(route.path.startswith("/api/v1/") for route in ROUTES if route.path.startswith("/api/"))
