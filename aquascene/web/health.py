"""Is the process alive, can it work, and which version is it."""

from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel
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


_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"description": "The database is out of reach or has no schema.", "model": Readiness}}


@router.get("/readyz", responses=_NOT_READY)
def readyz(response: Response) -> Readiness:
    """Tell whether requests can be served: the database answers and its schema is known."""
    response.status_code, found = readiness()
    response.headers["Cache-Control"] = "no-store"
    return found


@router.get("/health", responses=_NOT_READY)
def health(response: Response) -> Readiness:
    """Do the same as /readyz."""
    return readyz(response)


@router.get("/version")
def read_version() -> Version:
    """Name the version, the environment and the schema that this version expects."""
    return Version(version=version(), environment=settings.current().environment, schema_expected=migrate.head())
