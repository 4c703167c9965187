"""The review desk: what waits, one draft with everything an editor needs to decide, and what was decided."""

from collections.abc import Mapping
from datetime import datetime
from difflib import unified_diff
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from aquascene.adapters import settings, wiring
from aquascene.adapters.clock import now
from aquascene.adapters.postgres import audit, content, drafting, editorial
from aquascene.adapters.postgres.db import transaction
from aquascene.drafting.model import Draft
from aquascene.editorial.editing import Text
from aquascene.editorial.model import Decision, Door
from aquascene.errors import PermanentError
from aquascene.publishing.markdown import render_markdown, safe_link
from aquascene.publishing.model import Reference
from aquascene.publishing.preview import render_preview
from aquascene.publishing.references import article_text, numbered
from aquascene.publishing.render import stylesheet, stylesheet_path
from aquascene.web import edits, verdicts
from aquascene.web.deps import Editor, Principal, Writer, public
from aquascene.web.pages import render
from aquascene.web.problems import status_of

router = APIRouter(prefix="/desk", include_in_schema=False)

# The preview is a page of strangers' words in our own origin: it may load its style sheet and nothing else, and runs in a sandbox.
_PREVIEW_POLICY = "sandbox allow-popups; default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"


@router.get("")
def desk(request: Request, who: Writer) -> Response:
    """List what waits for an editor, the most urgent first."""
    with transaction() as db:
        waiting = content.to_review(db)
    return render(request, "desk.html", waiting=waiting, now=now())


@router.get("/history")
def history(request: Request, who: Writer) -> Response:
    """List what was decided, newest first."""
    with transaction() as db:
        items = content.decided(db, 200)
        verdicts_by_draft = editorial.verdicts_upon(db, [item.draft_id for item in items])
    return render(request, "history.html", items=items, verdicts=verdicts_by_draft)


@router.get("/preview.css", dependencies=[Depends(public)])
def preview_style() -> Response:
    """Serve the site's style sheet for previews."""
    return Response(stylesheet(), media_type="text/css; charset=utf-8", headers={"Cache-Control": "no-cache"})


@router.get("/drafts/{draft_id}")
def draft_page(request: Request, draft_id: UUID, who: Writer) -> Response:
    """Show one version with text, claims, findings, provenance, cost and the form for the verdict."""
    return _page(request, draft_id)


@router.get("/drafts/{draft_id}/preview")
def preview(draft_id: UUID, who: Writer) -> Response:
    """Show the draft as readers will see it."""
    with transaction() as db:
        draft = drafting.get_draft(db, draft_id)
    page = render_preview(draft, wiring.site()).replace(stylesheet_path(), "/desk/preview.css")
    return Response(page, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _PREVIEW_POLICY, "Cache-Control": "no-store"})


@router.post("/drafts/{draft_id}/verdict")
def verdict(
    request: Request,
    draft_id: UUID,
    who: Editor,
    decision: Annotated[Literal["approve", "revise", "reject"], Form()],
    content_sha256: Annotated[str, Form(pattern=r"^[0-9a-f]{64}$")],
    note: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Record a verdict; what cannot be recorded is said on the page, and the note is kept."""
    try:
        given = verdicts.give(draft_id, Decision(decision), content_sha256, note, who, Door.DESK)
    except PermanentError as refused:
        return _page(request, draft_id, status=status_of(refused), error=str(refused), note=note)
    return RedirectResponse(f"/desk/drafts/{given.draft_id}", 303)


@router.post("/drafts/{draft_id}/review")
def open_review(draft_id: UUID, who: Editor) -> Response:
    """Open a review, or an expired one again."""
    verdicts.open_for(draft_id, who)
    return RedirectResponse(f"/desk/drafts/{draft_id}", 303)


@router.get("/drafts/{draft_id}/edit")
def edit_page(request: Request, draft_id: UUID, who: Editor) -> Response:
    """Show the form for the next version."""
    with transaction() as db:
        draft = drafting.get_draft(db, draft_id)
    return render(request, "edit.html", draft=draft, text=Text(draft.title, draft.summary, draft.body_markdown), error="")


@router.post("/drafts/{draft_id}/edit")
def edit(
    request: Request,
    draft_id: UUID,
    who: Editor,
    title: Annotated[str, Form(min_length=3, max_length=200)],
    body_markdown: Annotated[str, Form(min_length=1, max_length=200_000)],
    content_sha256: Annotated[str, Form(pattern=r"^[0-9a-f]{64}$")],
    summary: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Store the next version and show it; a refused edit keeps what was typed."""
    text = Text(title, summary, body_markdown)
    try:
        made = edits.edit(draft_id, text, content_sha256, who)
    except PermanentError as refused:
        with transaction() as db:
            draft = drafting.get_draft(db, draft_id)
        return render(request, "edit.html", status=status_of(refused), draft=draft, text=text, error=str(refused))
    return RedirectResponse(f"/desk/drafts/{made.id}", 303)


def _page(request: Request, draft_id: UUID, status: int = 200, error: str = "", note: str = "") -> Response:
    with transaction() as db:
        draft = drafting.get_draft(db, draft_id)
        versions = drafting.drafts_of(db, draft.brief_id)
        context: dict[str, Any] = {
            "brief": drafting.get_brief(db, draft.brief_id),
            "review": editorial.review_of(db, draft_id),
            "verdicts": editorial.verdicts_upon(db, [version.id for version in versions]),
            "links": content.source_links(db, [UUID(claim.document_id) for claim in draft.claims]),
            "events": audit.events_of(db, [version.id for version in versions]),
        }
    references = numbered(draft.body_markdown, [_reference(source) for source in draft.provenance.get("sources", ()) if source.get("cited", True)])
    shown = render_markdown(article_text(draft.body_markdown), {reference.number for reference in references})
    return render(
        request,
        "draft.html",
        status,
        draft=draft,
        versions=versions,
        body=Markup(shown.html),  # noqa: S704 - this went through nh3
        changes=changes(_before(draft, versions), draft),
        references=references,
        safe_link=safe_link,
        now=now(),
        may_decide=_may_decide(request.state.principal),
        prefect_url=settings.current().prefect_ui_url,
        error=error,
        note=note,
        **context,
    )


def _reference(source: Mapping[str, Any]) -> Reference:
    read = source.get("retrieved_at")
    return Reference(
        number=0,
        document_id=str(source.get("document_id", "")),
        url=str(source.get("url", "")),
        title=str(source.get("title", "")),
        licence=source.get("licence"),
        retrieved_at=datetime.fromisoformat(str(read)) if read else None,
    )


def _before(draft: Draft, versions: list[Draft]) -> Draft | None:
    earlier = [version for version in versions if version.version < draft.version]
    return earlier[-1] if earlier else None


def changes(before: Draft | None, after: Draft) -> list[tuple[str, str]]:
    """List the lines that a version changed, each with its kind: added, removed, same or place."""
    if before is None:
        return []
    kinds = {"+": "added", "-": "removed", "@": "place"}
    old, new = ([f"# {draft.title}", *draft.body_markdown.splitlines()] for draft in (before, after))
    lines = list(unified_diff(old, new, n=1, lineterm=""))[2:]
    return [(kinds.get(line[:1], "same"), line) for line in lines]


def _may_decide(who: Principal) -> bool:
    return who.role != "writer"
