"""What an editor is shown beside the Prefect form: a Markdown preview of the draft, and the form's introduction."""

from collections.abc import Sequence

from aquascene.drafting.model import Claim, Draft, Finding
from aquascene.editorial.model import Verdict

LONGEST_NAME = 200
_LONGEST = 60_000  # an artifact is a view: the desk shows the whole


def preview(draft: Draft, desk_url: str) -> str:
    """Write the preview artifact of one draft version."""
    made = f"{draft.provider}/{draft.model}" + (" (sandbox: not a language model)" if draft.sandbox else "")
    head = [
        f"# {draft.title}",
        f"Version {draft.version} · {draft.content_type} · {made} · {draft.cost_usd:.4f} USD · content `{draft.content_sha256[:12]}`",
        f"[Open it in the desk]({desk_url})",
        "## Findings",
        _findings(draft.findings),
        "## Text",
        draft.body_markdown[:_LONGEST],
        "## Claims and their quotes",
        _claims(draft.claims),
    ]
    return "\n\n".join(head)


def introduction(draft: Draft, desk_url: str, why_again: str) -> str:
    """Write what stands above the form in the Prefect UI; `why_again` says why the last answer was not taken."""
    again = f"**Your last answer was not recorded: {why_again}.**\n\n" if why_again else ""
    blocked = " It is **blocked** by a finding and cannot be approved as it is." if draft.blocked else ""
    counts = f"{len(draft.claims)} claims, {len(draft.findings)} findings"
    what = f"Verdict upon **{draft.title}**, version {draft.version} ({counts})."
    return f"{again}{what}{blocked} The preview is among the artifacts; [the desk]({desk_url}) shows all."


def answer(given: Verdict) -> dict[str, str]:
    """Write a recorded verdict as an answer to the form: it takes no empty one, and the run reads the row anyway."""
    return {"decision": str(given.decision), "reviewer": given.decided_by[:LONGEST_NAME], "note": given.note}


def _findings(findings: Sequence[Finding]) -> str:
    return "\n".join(f"- **{found.severity}** {found.check}: {found.message}" for found in findings) or "None."


def _claims(claims: Sequence[Claim]) -> str:
    return "\n".join(f"- {claim.text}\n  > {' '.join(claim.quote.split())}" for claim in claims) or "None."
