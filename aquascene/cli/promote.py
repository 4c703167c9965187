"""`aquascene promote`: the engine from a terminal; it needs the ledger and the target, and no Prefect.

Exit codes: 0 committed · 10 refused or aborted · 20 rolled back · 30 rollback failed · 40 locked or frozen · 50 not approved · 60 drift;
2, 3, 4 and 130 as every command. An interrupted engine gives its lease back; `resume` goes on where it stood.
"""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, TypeVar
from uuid import UUID

import typer

from aquascene.adapters import clock, settings
from aquascene.adapters.promotion import environments, opening
from aquascene.cli import promotion_views as views
from aquascene.cli.output import command, out, print_json, say
from aquascene.errors import NotFound, PermanentError
from aquascene.release import audit
from aquascene.release.approving import decide
from aquascene.release.engine import Engine, Result
from aquascene.release.model import PromotionId
from aquascene.release.records import Actor, Options
from aquascene.release.states import Exit, Kind, exit_code
from aquascene.release.strategies import Strategy

app = typer.Typer(no_args_is_help=True, help="Bring a release to an environment, and go back. Exit codes: docs/how-to/promote-a-release.md.")
audit_app = typer.Typer(no_args_is_help=True, help="The audit chain of the ledger.")
app.add_typer(audit_app, name="audit")

T = TypeVar("T")
_PATIENCE_SECONDS = 600.0  # for the engine that was asked to stop; its rollback has deadlines of its own

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Release = Annotated[str, typer.Argument(help="Version of a registered release.")]
Name = Annotated[str, typer.Argument(help="development, staging, production or demo.")]
Ident = Annotated[UUID, typer.Argument(help="Id of the promotion.")]
KindOption = Annotated[Kind, typer.Option("--kind", help="`contract` applies the contracting migrations of the current release.")]
StrategyOption = Annotated[Strategy | None, typer.Option("--strategy", help="Another strategy than the environment's.")]
KeyFile = Annotated[Path | None, typer.Option("--key-file", help="File with your API key (- for stdin): it proves who you are.")]
Policies = Annotated[Path | None, typer.Option("--policies", envvar="AQUASCENE_POLICIES", help="Your own environments.yaml.")]
WithoutFlows = Annotated[bool, typer.Option("--without-flows", help="Leave schedules and Prefect deployments as they are, for when Prefect is down.")]
FixForward = Annotated[bool, typer.Option("--fix-forward", help="Promote although the environment is ill, or not what the ledger says.")]
DuringFreeze = Annotated[str, typer.Option("--during-freeze", help="Why a freeze window is overruled; kept in the ledger.")]
PlanHash = Annotated[str, typer.Option("--plan-hash", help="Carry out exactly this plan; refused when the world moved since.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the ledger.")]


@app.command()
@command
def plan(
    release: Release,
    environment: Name,
    kind: KindOption = Kind.RELEASE,
    strategy: StrategyOption = None,
    without_flows: WithoutFlows = False,
    fix_forward: FixForward = False,
    during_freeze: DuringFreeze = "",
    key_file: KeyFile = None,
    policies: Policies = None,
    json: Json = False,
) -> int:
    """Show what a promotion would change, with the hash of the plan; changes nothing but the ledger."""
    engine = _engine(environment, policies, _actor(key_file))
    promotion = engine.plan(release, kind, strategy, Options(without_flows, fix_forward, during_freeze))
    views.show_plan(promotion, json)
    return int(exit_code(promotion.state, promotion.reason_code)) if promotion.ended else 0


@app.command()
@command
def run(
    release: Release,
    environment: Name,
    kind: KindOption = Kind.RELEASE,
    strategy: StrategyOption = None,
    plan_hash: PlanHash = "",
    without_flows: WithoutFlows = False,
    fix_forward: FixForward = False,
    during_freeze: DuringFreeze = "",
    key_file: KeyFile = None,
    policies: Policies = None,
    json: Json = False,
) -> int:
    """Plan and carry out a promotion; repeated, it goes on where an engine died, and is a success where all is done."""
    engine, options = _engine(environment, policies, _actor(key_file)), Options(without_flows, fix_forward, during_freeze)
    return views.show_result(_interruptible(lambda: engine.promote(release, kind, strategy, options, plan_hash)), json)


@app.command()
@command
def approve(
    promotion: Ident,
    plan_hash: Annotated[str, typer.Option("--plan-hash", help="Hash of the plan that you read; the verdict is bound to it.")],
    key_file: Annotated[Path, typer.Option("--key-file", help="File with your API key (- for stdin); the role operator is needed.")],
    deny: Annotated[bool, typer.Option("--deny", help="Refuse the promotion instead.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> int:
    """Approve (or deny) a plan that another person asked for."""
    book, by = opening.ledger(), _actor(key_file)
    found = book.get_promotion(PromotionId(promotion))
    if found.environment != settings.current().environment:
        raise PermanentError(
            f"promotion {promotion} is of {found.environment}; your key proves nothing there: approve it where ENVIRONMENT={found.environment}"
        )
    refusal = decide(book, found.id, plan_hash, by, not deny, reason, clock.now())
    if refusal is not None:
        say(refusal.text)
        return int(Exit.NOT_APPROVED)
    verdict = "denied" if deny else "approved"
    print_json({"promotion": promotion, "plan_hash": plan_hash, "by": by.name, "verdict": verdict}) if json else say(f"{verdict} by {by.name}")
    return 0


@app.command()
@command
def resume(
    promotion: Annotated[UUID | None, typer.Argument(help="Id of the promotion; without it everything that died in this environment.")] = None,
    key_file: KeyFile = None,
    policies: Policies = None,
    json: Json = False,
) -> int:
    """Take up a promotion whose engine died, retry a rollback that failed, and clean up what is over."""
    engine = _engine(str(settings.current().environment), policies, _actor(key_file))
    if promotion is not None:
        ident = PromotionId(promotion)
        return views.show_result(_interruptible(lambda: engine.resume(ident)), json)
    results: list[Result] = []
    _interruptible(lambda: results.extend(engine.reconcile()))
    if json:
        print_json([views.as_json(result.promotion) | {"text": result.text} for result in results])
    else:
        for result in results:
            views.show_result(result, json=False)
        say(f"{len(results)} promotions went on")
    return max((int(result.code) for result in results), default=0)


@app.command()
@command
def rollback(
    environment: Name,
    reason: Reason = "",
    without_flows: WithoutFlows = False,
    key_file: KeyFile = None,
    policies: Policies = None,
    json: Json = False,
) -> int:
    """Go back: undo the promotion that is under way, or bring the release before the current one."""
    engine = _engine(environment, policies, _actor(key_file))
    why = reason or "no reason given"
    result = _interruptible(lambda: engine.rollback(why, Options(without_flows=without_flows)))
    if result.code is Exit.LOCKED and result.promotion.under_way:
        result = _interruptible(lambda: _watched(engine, result))
    return views.show_result(result, json)


def _watched(engine: Engine, asked: Result) -> Result:
    """Wait for the engine that was asked to stop; when it dies over it, go on here."""
    say(f"{asked.text}; it was asked to stop and undo")
    ends = time.monotonic() + _PATIENCE_SECONDS
    result = asked
    while result.code is Exit.LOCKED and result.promotion.under_way and time.monotonic() < ends:
        time.sleep(1.0)
        result = engine.resume(asked.promotion.id)
    return result


@app.command()
@command
def status(what: Annotated[str, typer.Argument(help="An environment or the id of a promotion; all environments without it.")] = "", json: Json = False) -> int:
    """Show what runs where and what is under way; for a promotion its plan, its timeline and its exit code."""
    book = opening.ledger()
    if ident := _ident(what):
        return views.show_one(book.get_promotion(ident), book, json)
    names = [name for name in settings.Environment if what in ("", name)]
    if not names:
        raise NotFound(f"{what!r} is neither an environment nor the id of a promotion")
    found = [(book.get_environment(str(name)), [one for one in book.list_promotions(str(name)) if not one.ended]) for name in names]
    if json:
        print_json([{"environment": here, "open": [views.as_json(one) for one in going]} for here, going in found])
        return 0
    for here, going in found:
        views.show_environment(here)
        for one in going:
            views.show_line(one)
    return 0


@app.command()
@command
def history(
    environment: Annotated[str | None, typer.Argument(help="An environment; all of them without it.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, newest first.")] = 50,
    json: Json = False,
) -> None:
    """List promotions, newest first."""
    found = opening.ledger().list_promotions(environment, limit)
    if json:
        print_json([views.as_json(one) for one in found])
        return
    for one in found:
        views.show_line(one)


@app.command()
@command
def drift(environment: Name, without_flows: WithoutFlows = False, policies: Policies = None, json: Json = False) -> int:
    """Compare an environment with the ledger; exit 60 where they differ."""
    found = _engine(environment, policies, opening.somebody()).drift(with_flows=not without_flows)
    if json:
        print_json([{"what": one.what, "expected": one.expected, "found": one.found} for one in found])
    for one in found if not json else []:
        out.print(str(one), markup=False)
    return int(Exit.DRIFT) if found else 0


@audit_app.command()
@command
def verify(head: Annotated[str, typer.Option("--head", help="A hash that you kept elsewhere; it must be in the chain.")] = "", json: Json = False) -> int:
    """Follow the audit chain from its start; exit 1 and the first row that is not as it was written."""
    report = audit.verify(opening.ledger().audit_rows(), head)
    if json:
        print_json(report)
    else:
        out.print(
            f"{report.rows} rows, newest hash {report.head}" if report.broken is None else f"broken at row {report.broken}: {report.problem}", markup=False
        )
    return 0 if report.broken is None else 1


def _engine(environment: str, policies: Path | None, by: Actor) -> Engine:
    return opening.engine(environments.get(environment, policies), by, _announced)


def _announced(name: str, step: Callable[[], None]) -> None:
    say(name)
    step()


def _actor(key_file: Path | None) -> Actor:
    if key_file is None:
        return opening.somebody()
    try:
        key = sys.stdin.read() if str(key_file) == "-" else key_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise PermanentError(f"cannot read the key in {key_file}: {exc}") from exc
    return opening.person(key, clock.now())


def _ident(what: str) -> PromotionId | None:
    try:
        return PromotionId(UUID(what))
    except ValueError:
        return None


def _interruptible(do: Callable[[], T]) -> T:
    """Let SIGTERM end an engine as Ctrl-C does: it gives its lease back, so that the next one need not wait."""
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        return do()
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
