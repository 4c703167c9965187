"""Steps of `generate`: plan what is due, take a brief, draft it, record the draft or the refusal."""

import logging
from uuid import UUID

from prefect import task

from aquascene.adapters import drafting, settings, wiring
from aquascene.adapters.catalog.plan import load_plan
from aquascene.adapters.clock import now
from aquascene.adapters.postgres import claims, tables
from aquascene.adapters.postgres import drafting as store
from aquascene.adapters.postgres.db import transaction
from aquascene.drafting.compose import Composed, Refused, compose
from aquascene.drafting.content_types import TYPES
from aquascene.drafting.model import BriefRequest, Draft, Refusal
from aquascene.drafting.plan import plan_key
from aquascene.drafting.ports import BudgetExhausted, SandboxRefused, WriterRefusedCall
from aquascene.errors import TransientError
from tasks import artifacts, retries, runs
from tasks.accounts import saved_writers
from tasks.limits import model_slot

log = logging.getLogger(__name__)
REQUESTED_BY_PLAN = "plan"


@task(task_run_name="plan-briefs", **retries.DATABASE)
def plan_briefs() -> list[UUID]:
    """Store the standing briefs that are due, each occasion once, and list all briefs that can be started."""
    zone = settings.current().publishing.time_zone
    with transaction() as db:
        for standing in load_plan():
            store.insert_brief(db, standing.request, REQUESTED_BY_PLAN, now(), plan_key=plan_key(standing, now(), zone))
        return store.startable_briefs(db, now())


@task(task_run_name="request-brief", **retries.DATABASE)
def request_brief(brief: BriefRequest) -> list[UUID]:
    """Store the brief given to the run; the same run stores it once."""
    with transaction() as db:
        return [store.insert_brief(db, brief, "run", now(), plan_key=f"run:{runs.run_id()}")]


@task(task_run_name="draft-{brief_id}", tags=["language-model"], **retries.MODEL)
def draft_brief(brief_id: UUID) -> UUID | None:
    """Draft one brief; None when it was refused or belongs to another run. What was paid for before is used again."""
    if not _claim(brief_id):
        return None
    try:
        outcome = _compose(brief_id)
    except TransientError:
        with transaction() as db:
            store.release_brief(db, brief_id, runs.run_id(), now())
        raise
    return _record(brief_id, outcome)


@task(task_run_name="report-drafts", **retries.DATABASE)
def report_drafts(brief_ids: list[UUID]) -> None:
    """Show what became of the briefs, with a preview of each draft."""
    with transaction() as db:
        pairs = [(store.get_brief(db, brief_id), store.latest_draft(db, brief_id)) for brief_id in brief_ids]
    rows = [_row(brief.topic, brief.state, brief.refusal, draft) for brief, draft in pairs]
    artifacts.table("drafts", rows, "What became of the briefs of this run.")
    for _, draft in pairs:
        if draft is not None:
            artifacts.markdown(f"draft-{draft.slug}", _preview(draft), f"Draft {draft.slug}, version {draft.version}.")


def _claim(brief_id: UUID) -> bool:
    with transaction() as db:
        state, attempts = store.startable(now()), tables.brief.c.attempts + 1
        return claims.claim(db, tables.brief, brief_id, runs.run_id(), now(), runs.lease(), state, state="drafting", attempts=attempts, refusal=None)


def _compose(brief_id: UUID) -> Composed | Refused:
    """Compose, with expected failures as refusals."""
    with transaction() as db:
        content_type = store.get_brief(db, brief_id).content_type
    if content_type not in TYPES:
        return Refused(Refusal.UNKNOWN_TYPE, content_type)
    bench = drafting.prepare(brief_id)
    available, models = saved_writers()
    paid = wiring.paid_writers(available, models, bench.shop.content_type.provider, brief_id, runs.run_id())
    try:
        with model_slot(bench.shop.content_type.provider):
            return compose(bench.brief, bench.evidence, bench.shop, paid.ask)
    except BudgetExhausted as exc:
        return Refused(Refusal.BUDGET, str(exc))
    except SandboxRefused as exc:
        return Refused(Refusal.SANDBOX, str(exc))
    except WriterRefusedCall as exc:
        return Refused(Refusal.NO_WRITER, str(exc))


def _record(brief_id: UUID, outcome: Composed | Refused) -> UUID | None:
    with transaction() as db:
        if isinstance(outcome, Composed):
            draft = store.insert_draft(db, brief_id, outcome, now(), run_id=runs.run_id())
            log.info("draft_made draft_id=%s brief_id=%s version=%d blocked=%s cost_usd=%s", draft.id, brief_id, draft.version, draft.blocked, draft.cost_usd)
            return draft.id
        store.refuse_brief(db, brief_id, runs.run_id(), str(outcome.reason), now())
    log.warning("brief_refused brief_id=%s reason=%s detail=%s", brief_id, outcome.reason, outcome.detail)
    return None


def _row(topic: str, state: str, refusal: str | None, draft: Draft | None) -> dict[str, object]:
    if draft is None:
        return {"topic": topic, "brief": state, "refusal": refusal or "", "draft": "", "version": "", "claims": "", "findings": "", "cost_usd": ""}
    warnings = sum(1 for finding in draft.findings if finding.severity != "info")
    made = {"draft": draft.title, "version": draft.version, "claims": len(draft.claims), "findings": warnings, "cost_usd": f"{draft.cost_usd:.4f}"}
    return {"topic": topic, "brief": state, "refusal": refusal or ""} | made


def _preview(draft: Draft) -> str:
    findings = "\n".join(f"- **{finding.severity}** ({finding.check}): {finding.message}" for finding in draft.findings) or "- none"
    facts = f"{draft.content_type}, version {draft.version}, {draft.provider} {draft.model}, {draft.cost_usd:.4f} USD, hash `{draft.content_sha256[:12]}`"
    return f"# {draft.title}\n\n{facts}\n\n{draft.body_markdown}\n\n## Findings\n\n{findings}\n"
