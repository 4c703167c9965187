"""Asking for a draft: the brief is committed first, the run is started after; without Prefect `sweep` starts it later."""

import hashlib
import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from aquascene.adapters.clock import now
from aquascene.adapters.postgres import content, drafting, idempotency
from aquascene.adapters.postgres.db import transaction
from aquascene.drafting.content_types import TYPES
from aquascene.drafting.model import BriefRequest
from aquascene.errors import NotFound, PermanentError
from aquascene.web.deps import Principal, Writer
from aquascene.web.verdicts import start_quietly

router = APIRouter(prefix="/api/v1/generate", tags=["generate"])


class Accepted(BaseModel):
    """A brief that was taken on."""

    id: UUID = Field(description="The brief's id; the content's id, too.")
    state: str = Field(description="requested, drafting, drafted or refused.")
    refusal: str | None = Field(None, description="Why there is no draft.")
    draft_state: str | None = None
    version: int | None = Field(None, description="The newest version, once there is one.")
    status_url: str
    content_url: str


@router.post("", status_code=202, response_model=Accepted, responses={409: {"description": "The Idempotency-Key was used for another request."}})
def generate(
    body: BriefRequest,
    who: Writer,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200, description="Makes repeating this request harmless.")] = None,
) -> Response:
    """Take on a brief and start drafting; the answer tells where to look for the result."""
    if body.content_type not in TYPES:
        raise PermanentError(f"the content type {body.content_type!r} is unknown; it is one of {', '.join(sorted(TYPES))}")
    status, answer, is_new = _take_on(body, who, idempotency_key)
    if is_new:
        start_quietly("generate", {"brief_ids": [answer["id"]]}, f"brief:{answer['id']}")
    return JSONResponse(answer, status, headers={"Location": answer["status_url"]})


def _take_on(body: BriefRequest, who: Principal, key: str | None) -> tuple[int, dict[str, Any], bool]:
    """Store the brief, once per key; brief and answer commit together."""
    with transaction() as db:
        before = idempotency.begin(db, who.account_id, key, _digest(body)) if key else None
        if before is not None:
            return *before, False
        brief_id = drafting.insert_brief(db, body, who.name, now())
        answer = _accepted(brief_id, "requested").model_dump(mode="json")
        if key:
            idempotency.finish(db, who.account_id, key, 202, answer)
    return 202, answer, True


@router.get("/{brief_id}", responses={404: {"description": "There is no such brief."}})
def read_generation(brief_id: UUID, who: Writer) -> Accepted:
    """Tell how far a brief is."""
    with transaction() as db:
        brief = drafting.get_brief(db, brief_id)
        item = content.get_content(db, brief_id)
    if item is None:
        raise NotFound(f"there is no brief {brief_id}")
    return _accepted(brief_id, brief.state, brief.refusal, item.state if item.version else None, item.version)


def _accepted(brief_id: UUID, state: str, refusal: str | None = None, draft_state: str | None = None, version: int | None = None) -> Accepted:
    here, there = f"/api/v1/generate/{brief_id}", f"/api/v1/content/{brief_id}"
    return Accepted(id=brief_id, state=state, refusal=refusal, draft_state=draft_state, version=version, status_url=here, content_url=there)


def _digest(body: BriefRequest) -> str:
    return hashlib.sha256(json.dumps(body.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
