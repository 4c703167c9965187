"""How promotions look on a terminal and in JSON."""

from typing import Any

from aquascene.cli.output import out, print_json
from aquascene.release import plan
from aquascene.release.engine import Result
from aquascene.release.ports import Ledger
from aquascene.release.records import EnvironmentRecord, KeptEntry, Promotion
from aquascene.release.states import exit_code


def as_json(promotion: Promotion) -> dict[str, Any]:
    """A promotion as JSON's types, with its plan and its hash."""
    names = ("id", "kind", "environment", "release", "strategy", "state", "weight", "reason_code", "reason", "stop_by", "stop_reason")
    found = {name: getattr(promotion, name) for name in (*names, "created_at", "state_at", "committed_at", "ended_at", "options")}
    asked = {"requested_by": promotion.requested_by.name, "requester_authenticated": promotion.requested_by.authenticated}
    planned = promotion.plan
    return (
        found
        | asked
        | {
            "plan": planned.document if planned else None,
            "plan_hash": planned.hash if planned else None,
            "warnings": list(planned.warnings) if planned else [],
            "exit_code": int(exit_code(promotion.state, promotion.reason_code)),
        }
    )


def show_plan(promotion: Promotion, json: bool) -> None:
    """Print a plan as a diff, and its hash, to which approvals and runs are bound."""
    if json:
        print_json(as_json(promotion))
        return
    if promotion.plan is not None:
        for line in plan.lines(promotion.plan):
            out.print(line, markup=False)
        out.print(f"plan hash: {promotion.plan.hash}", markup=False)
    out.print(f"promotion: {promotion.id} ({promotion.state}{f': {promotion.reason}' if promotion.reason else ''})", markup=False)


def show_result(result: Result, json: bool) -> int:
    """Print where a promotion stands; returns the exit code."""
    if json:
        print_json(as_json(result.promotion) | {"text": result.text, "exit_code": int(result.code)})
    else:
        out.print(f"{result.promotion.id} {result.promotion.environment} {result.promotion.release}: {result.promotion.state}", markup=False)
        if result.text:
            out.print(result.text, markup=False)
    return int(result.code)


def show_one(promotion: Promotion, book: Ledger, json: bool) -> int:
    """Print a promotion with its plan, its verdicts and its timeline."""
    entries, approvals = book.entries(promotion.id), book.approvals(promotion.id)
    if json:
        print_json(as_json(promotion) | {"steps": [_step(kept) for kept in entries], "approvals": approvals})
        return int(exit_code(promotion.state, promotion.reason_code))
    show_plan(promotion, json=False)
    for verdict in approvals:
        out.print(f"  {'approved' if verdict.approved else 'denied'} by {verdict.by} (plan {verdict.plan_hash[:12]}) {verdict.reason}", markup=False)
    for kept in entries:
        problem = kept.entry.detail.get("problem") or "; ".join(kept.entry.detail.get("findings", []) + kept.entry.detail.get("problems", []))
        line = f"  {kept.intended_at:%H:%M:%S} {kept.entry.step:<15} {kept.entry.key[:24]:<24} {kept.entry.outcome or 'intended'}"
        out.print(f"{line} {problem}".rstrip(), markup=False)
    return int(exit_code(promotion.state, promotion.reason_code))


def _step(kept: KeptEntry) -> dict[str, Any]:
    entry = kept.entry
    times = {"fence": kept.fence, "intended_at": kept.intended_at, "concluded_at": kept.concluded_at}
    return {"number": entry.number, "step": entry.step, "key": entry.key, "outcome": entry.outcome, "detail": dict(entry.detail)} | times


def show_environment(here: EnvironmentRecord) -> None:
    """Print what an environment runs, and who holds it."""
    since = f" since {here.committed_at:%Y-%m-%d %H:%M} UTC" if here.committed_at else ""
    out.print(f"{here.name}: {here.current or 'nothing'}{since}, before: {here.previous or 'nothing'}", markup=False)
    if here.frozen_reason:
        out.print(f"  frozen: {here.frozen_reason}", markup=False)
    elif here.locked_by:
        out.print(f"  locked for {here.locked_by}{f' by {here.holder}' if here.holder else ''}", markup=False)


def show_line(promotion: Promotion) -> None:
    """Print a promotion in one line."""
    text = f"{promotion.created_at:%Y-%m-%d %H:%M} {promotion.id} {promotion.environment:<12} {promotion.release:<12} {promotion.kind:<9}"
    out.print(f"{text} {promotion.state} {promotion.reason}".rstrip(), markup=False)
