"""Content: briefs with their versions, edits by people, and verdicts. The id is the brief's."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from aquascene.adapters.postgres import content, drafting, editorial
from aquascene.adapters.postgres.content import ContentItem
from aquascene.adapters.postgres.db import reading, transaction
from aquascene.drafting.model import Draft
from aquascene.editorial.editing import Text
from aquascene.editorial.model import Decision, Door, Review, Verdict
from aquascene.errors import NotFound
from aquascene.web import edits, verdicts
from aquascene.web.deps import Editor, Writer

router = APIRouter(prefix="/api/v1/content", tags=["content"])

_PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
_MISSING: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such content or version.", **_PROBLEM}}
_REFUSED: dict[int | str, dict[str, Any]] = {409: {"description": "The version is not as the caller saw it, is blocked, or is decided.", **_PROBLEM}}


class ContentPage(BaseModel):
    """One page of a list."""

    items: list[ContentItem]
    next_cursor: UUID | None = Field(description="Send it as `cursor` for the next page; null on the last one.")


class Version(BaseModel):
    """One version of a text with its review and verdict."""

    draft: Draft
    review: Review | None
    verdict: Verdict | None


class VerdictRequest(BaseModel):
    """What an editor decides, upon exactly which content."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "revise", "reject"]
    content_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="`content_sha256` of the version that was read.")
    note: str = Field("", max_length=4000, description="What to change, or why not; needed for revise and reject.")


class Edit(BaseModel):
    """A person's next version of a text."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=3, max_length=200)
    summary: str = Field("", max_length=1000)
    body_markdown: str = Field(min_length=1, max_length=200_000)
    content_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="`content_sha256` of the version that was edited; it must still be the newest.")


@router.get("")
def list_content(
    who: Writer,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    state: Annotated[str | None, Query(description="State of the newest draft, or of the brief while there is none.")] = None,
    content_type: str | None = None,
    q: Annotated[str | None, Query(max_length=200, description="Words to look for in title and text, as in a web search.")] = None,
) -> ContentPage:
    """List content, newest first."""
    with reading() as db:
        items = content.list_content(db, limit + 1, cursor, state, content_type, q)
    return ContentPage(items=items[:limit], next_cursor=items[limit - 1].id if len(items) > limit else None)


@router.get("/{content_id}", responses=_MISSING)
def get_content(content_id: UUID, who: Writer) -> ContentItem:
    """Read one piece of content with its newest version."""
    with transaction() as db:
        found = content.get_content(db, content_id)
    if found is None:
        raise NotFound(f"there is no content {content_id}")
    return found


@router.get("/{content_id}/versions", responses=_MISSING)
def list_versions(content_id: UUID, who: Writer) -> list[Version]:
    """List all versions, oldest first, with their reviews and verdicts."""
    with transaction() as db:
        drafting.get_brief(db, content_id)
        return [_version(db, draft) for draft in drafting.drafts_of(db, content_id)]


@router.get("/{content_id}/versions/{n}", responses=_MISSING)
def get_version(content_id: UUID, n: int, who: Writer) -> Version:
    """Read one version with text, claims, findings and provenance."""
    with transaction() as db:
        return _version(db, _draft(db, content_id, n))


@router.post("/{content_id}/versions/{n}/verdicts", status_code=201, responses={**_MISSING, **_REFUSED})
def give_verdict(content_id: UUID, n: int, body: VerdictRequest, who: Editor) -> Verdict:
    """Decide upon one version; the same verdict sent again by the same person gives the recorded one."""
    with transaction() as db:
        draft_id = _draft(db, content_id, n).id
    return verdicts.give(draft_id, Decision(body.decision), body.content_sha256, body.note, who, Door.API)


@router.post("/{content_id}/versions/{n}/review", status_code=201, responses={**_MISSING, **_REFUSED})
def open_review(content_id: UUID, n: int, who: Editor) -> Review:
    """Open the review of a version, or open an expired one again."""
    with transaction() as db:
        draft_id = _draft(db, content_id, n).id
    verdicts.open_for(draft_id, who)
    with transaction() as db:
        found = editorial.review_of(db, draft_id)
    if found is None:
        raise NotFound(f"there is no review of version {n}")
    return found


@router.put("/{content_id}/versions/{n}", status_code=201, responses={**_MISSING, **_REFUSED})
def edit_version(content_id: UUID, n: int, body: Edit, request: Request, response: Response, who: Editor) -> Version:
    """Make the next version from an edited text; it is checked anew, goes into review and voids any earlier approval."""
    with transaction() as db:
        draft_id = _draft(db, content_id, n).id
    made = edits.edit(draft_id, Text(body.title, body.summary, body.body_markdown), body.content_sha256, who)
    response.headers["Location"] = str(request.url_for("get_version", content_id=content_id, n=made.version).path)
    with transaction() as db:
        return _version(db, made)


def _draft(db: Any, content_id: UUID, n: int) -> Draft:
    draft_id = content.draft_id_of(db, content_id, n)
    if draft_id is None:
        raise NotFound(f"there is no version {n} of content {content_id}")
    return drafting.get_draft(db, draft_id)


def _version(db: Any, draft: Draft) -> Version:
    return Version(draft=draft, review=editorial.review_of(db, draft.id), verdict=editorial.verdict_of(db, draft.id))
