"""Is the process alive, can it work, and which version is it."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from aquascene.adapters import prefect_api, settings
from aquascene.adapters.postgres import migrate
from aquascene.adapters.postgres.db import transaction
from aquascene.errors import AquasceneError
from aquascene.web.deps import public
from aquascene.web.versions import version

router = APIRouter(tags=["health"], dependencies=[Depends(public)])


class Liveness(BaseModel):
    """The process answers."""

    status: str


class Readiness(BaseModel):
    """What the process needs (database, schema) and what it can do without (Prefect)."""

    status: str
    database: str
    schema_revision: str | None
    schema_expected: str
    prefect: str


class Version(BaseModel):
    """What runs here."""

    version: str
    environment: str
    schema_expected: str
    image: str = Field(description="The image that runs, as the installation names it; empty where nothing runs from an image.")
    image_digest: str = Field(description="sha256:... of that image; empty where it is not named by its digest.")
    git_sha: str = Field(description="The commit that this was built from.")


@router.get("/livez")
def livez() -> Liveness:
    """Tell that the process is alive; checks nothing else."""
    return Liveness(status="ok")


def readiness() -> tuple[int, Readiness]:
    """Look at the database and its schema; Prefect is told of, but the desk works without it."""
    expected, found, database = migrate.head(), None, "ok"
    try:
        with transaction() as db:
            found = db.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    except AquasceneError as exc:
        database = str(exc).split(":", 1)[0]
        return 503, Readiness(status="database-unreachable", database=database, schema_revision=None, schema_expected=expected, prefect=_prefect())
    status = "ok" if found == expected else "schema-differs"
    return (200 if found else 503), Readiness(status=status, database=database, schema_revision=found, schema_expected=expected, prefect=_prefect())


def _prefect() -> str:
    if not settings.current().prefect_api_url:
        return "not-configured"
    return "ok" if prefect_api.is_ready() else "unreachable"


_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"description": "The database is out of reach or has no schema, or the process is about to stop.", "model": Readiness}
}


@router.get("/readyz", responses=_NOT_READY)
def readyz(request: Request, response: Response) -> Readiness:
    """Tell whether requests can be served: the database answers, its schema is known, and the process is not about to stop."""
    response.status_code, found = readiness()
    if response.status_code == 200:
        request.app.state.was_ready = True
    if request.app.state.draining:
        response.status_code, found.status = 503, "draining"
    return found


@router.get("/health", responses=_NOT_READY)
def health(request: Request, response: Response) -> Readiness:
    """Do the same as /readyz."""
    return readyz(request, response)


@router.get("/startupz", responses={503: {"description": "The database was not there yet."}})
def startupz(request: Request, response: Response) -> Liveness:
    """Tell whether the process has been ready once; what happens to the database later does not restart it."""
    state = request.app.state
    state.was_ready = state.was_ready or readiness()[0] == 200
    response.status_code = 200 if state.was_ready else 503
    return Liveness(status="ok" if state.was_ready else "starting")


@router.get("/version")
def read_version() -> Version:
    """Name the version, the environment, the schema that this version expects, and where it was built from."""
    now = settings.current()
    return Version(
        version=version(),
        environment=now.environment,
        schema_expected=migrate.head(),
        image=now.image,
        image_digest=now.image.partition("@")[2],
        git_sha=now.git_sha,
    )
