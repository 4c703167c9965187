"""Whether an approval still holds for a draft: the last gate before readers see it."""

from enum import StrEnum

from aquascene.drafting.content_hash import content_sha256
from aquascene.drafting.model import Draft
from aquascene.publishing.model import Approval


class Void(StrEnum):
    """Why a draft may not be published."""

    NOT_APPROVED = "not-approved"
    SUPERSEDED = "superseded"
    BLOCKED = "blocked"
    CHANGED = "changed-after-approval"


def text_changed(draft: Draft, approval: Approval | None) -> Void | None:
    """Tell why the words of a draft are not the approved ones; the hash is computed anew, never believed."""
    if approval is None or approval.decision != "approve":
        return Void.NOT_APPROVED
    now = content_sha256(draft.title, draft.slug, draft.body_markdown, draft.claims, draft.image_hashes)
    return None if now == draft.content_sha256 == approval.content_sha256 else Void.CHANGED


def void_reason(draft: Draft, approval: Approval | None) -> Void | None:
    """Tell why a draft may not go live; None when it may. An edit makes a newer version and so voids the approval."""
    if draft.state != "approved":
        return Void.SUPERSEDED if draft.state == "superseded" else Void.NOT_APPROVED
    if draft.blocked:
        return Void.BLOCKED
    return text_changed(draft, approval)
