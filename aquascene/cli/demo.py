"""`aquascene demo`: the main job on embedded parts, with a demo editor who uses the HTTP API like a person's client."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from uuid import UUID

import httpx
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from aquascene.adapters import prefect_api, settings
from aquascene.adapters.local_state import LocalState
from aquascene.adapters.postgres import accounts, overview
from aquascene.adapters.postgres.db import transaction
from aquascene.adapters.settings_groups import Environment
from aquascene.adapters.supervisor import Supervisor
from aquascene.cli.output import EXIT_INCOMPLETE, command, err, out, plain, print_json, say
from aquascene.cli.seed import seed_subscribers
from aquascene.cli.up import print_addresses, running, wait
from aquascene.errors import ConfigError, TransientError

T = TypeVar("T")
_VERDICT_SECONDS = 240
_RUN_SECONDS = 900
_EVENT_SECONDS = 60
_RUN_WAITS_SECONDS = 40
_UNDER_WAY = ["Running", "Pending", "Resuming", "Submitting", "AwaitingConcurrencySlot", "Late"]


@dataclass
class DemoResult:
    """What one run of the main job left behind, and whether all of it is as it should be."""

    run_id: str
    run_state: str
    seconds: dict[str, float]
    memory_mb: int
    counts: overview.Overview
    drafts: list[overview.DraftLine]
    inbox: dict[str, int]
    links: dict[str, str]
    problems: list[str] = field(default_factory=list)


@dataclass
class DemoEditor:
    """An editor who approves what the checks let through, by the same door as a person: the HTTP API."""

    base_url: str
    key: str
    decided: int = 0
    seen: dict[str, float] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Look for drafts in review and give verdicts until told to stop; well within the rate limit of a key."""
        with httpx.Client(base_url=self.base_url, headers={"Authorization": f"Bearer {self.key}"}, timeout=20, trust_env=False) as api:
            while not self.stop.wait(1.5):
                try:
                    for item in api.get("/api/v1/content", params={"state": "in_review", "limit": 50}).raise_for_status().json()["items"]:
                        self._decide(api, item)
                except (httpx.HTTPError, TransientError):
                    continue  # the next look comes soon; a verdict is refused rather than given twice

    def _decide(self, api: httpx.Client, item: dict[str, Any]) -> None:
        """Decide once the review's run waits in Prefect, so that the demo shows one that suspends and is resumed."""
        first_seen = self.seen.setdefault(item["draft_id"], time.monotonic())
        if not _waits(item["draft_id"]) and time.monotonic() - first_seen < _RUN_WAITS_SECONDS:
            return
        path = f"/api/v1/content/{item['id']}/versions/{item['version']}"
        draft = api.get(path).raise_for_status().json()["draft"]
        decision = "reject" if draft["blocked"] else "approve"
        verdict = {"decision": decision, "content_sha256": draft["content_sha256"], "note": "Read by the demo editor."}
        if api.post(f"{path}/verdicts", json=verdict).is_success:
            self.decided += 1


@command
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> int:
    """Start everything embedded, run the main job from source to inbox, print what came out.

    A second run finds the work done and doubles nothing. Exit 0 only if everything is as it should be.
    """
    if settings.current().environment is not Environment.DEMO:
        raise ConfigError("`aquascene demo` wants ENVIRONMENT=demo (the default); unset ENVIRONMENT")
    began = time.monotonic()
    with running({"ORCHESTRATION__SCHEDULES_ACTIVE": "true" if keep else "false"}) as supervisor:
        ready = time.monotonic() - began
        result = _main_job(supervisor)
        result.seconds |= {"start": round(ready, 1), "total": round(time.monotonic() - began, 1)}
        print_json({**plain(result), "ok": not result.problems}) if json else _print(result)
        if keep:
            print_addresses(supervisor)
            say("everything stays up; Ctrl-C stops it")
            wait(supervisor)
    return EXIT_INCOMPLETE if result.problems else 0


def _main_job(supervisor: Supervisor) -> DemoResult:
    state = LocalState(settings.current().aquascene_home)
    key = _editor_key(state)
    imported = seed_subscribers()
    say(f"subscribers: {imported}")
    editor = DemoEditor(supervisor.addresses["web"], key)
    thread = threading.Thread(target=editor.work, daemon=True)
    thread.start()
    began = time.monotonic()
    try:
        run_id, run_state = _run_pipeline(supervisor)
        _await_events()
        _await_runs()
    finally:
        editor.stop.set()
        thread.join(30)
    return _collect(supervisor, run_id, run_state, time.monotonic() - began)


def _editor_key(state: LocalState) -> str:
    """Make the demo editor's account and key; the key stays in the local state."""
    secret = state.secret("demo_editor")
    with transaction() as db:
        return accounts.ensure_key(db, "demo-editor", "editor", secret)


def _run_pipeline(supervisor: Supervisor) -> tuple[str, str]:
    """Start the pipeline's deployment and follow it to its end, with a progress line of its stages."""
    deployment, key = f"pipeline/{settings.current().environment}", secrets.token_hex(8)
    parameters = {"wait_for_verdicts_seconds": _VERDICT_SECONDS}
    run_id = _patiently(lambda: prefect_api.create_run(deployment, parameters, idempotency_key=key, tags=("demo",)))
    say(f"pipeline started: {supervisor.addresses['prefect']}/runs/flow-run/{run_id}")
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=err, transient=True) as bar:
        task = bar.add_task("pipeline", total=5)
        return str(run_id), _follow(run_id, supervisor, lambda done, label: bar.update(task, completed=done, description=label))


def _patiently(call: Callable[[], T], seconds: float = 60) -> T:
    """Repeat a call that fails for the moment: just started, Prefect on SQLite answers 503 now and then."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except TransientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _follow(run_id: UUID, supervisor: Supervisor, show: Callable[[int, str], None]) -> str:
    deadline = time.monotonic() + _RUN_SECONDS
    while time.monotonic() < deadline:
        if child := supervisor.dead():
            raise TransientError(f"{child.name} ended on its own; the end of {child.log_file}:\n{child.last_words()}")
        run = _patiently(lambda: prefect_api.get_run(run_id))
        if run is not None and run.is_final:
            return run.state_name if run.state_name == "Completed" else f"{run.state_name}: {run.state_message or ''}".strip(": ")
        show(*_stage())
        time.sleep(0.5)
    return "TimedOut"


def _stage() -> tuple[int, str]:
    with transaction() as db:
        now = overview.overview(db)
    stages = (
        ("scrape", bool(now.documents)),
        ("generate", bool(now.drafts) and not now.briefs.get("requested") and not now.briefs.get("drafting")),
        ("review", bool(now.verdicts) and not now.drafts.get("in_review") and not now.drafts.get("proposed")),
        ("publish", bool(now.articles.get("live"))),
        ("newsletter", bool(now.deliveries)),
    )
    done = 0
    for label, finished in stages:
        if not finished:
            return done, f"pipeline: {label}"
        done += 1
    return done, "pipeline: finishing"


def _await_events() -> None:
    """Wait until the provider's events have told of every accepted delivery."""
    deadline = time.monotonic() + _EVENT_SECONDS
    while time.monotonic() < deadline:
        with transaction() as db:
            if overview.unsettled_deliveries(db) == 0:
                return
        time.sleep(0.3)


def _await_runs() -> None:
    """Let the runs that the main job started end by themselves: resumed reviews, and publishes that an event started."""
    deadline = time.monotonic() + _EVENT_SECONDS
    while time.monotonic() < deadline and _patiently(lambda: prefect_api.list_runs(_UNDER_WAY, limit=1)):
        time.sleep(0.5)


def _waits(draft_id: str) -> bool:
    return any(run.name == f"review-{draft_id}" for run in prefect_api.list_runs(["Suspended"], deployment=f"review/{settings.current().environment}"))


def _collect(supervisor: Supervisor, run_id: str, run_state: str, seconds: float) -> DemoResult:
    with transaction() as db:
        counts = overview.overview(db)
        drafts = overview.draft_lines(db)
    where = supervisor.addresses
    inbox = _inbox(where["sandbox"])
    result = DemoResult(
        run_id=run_id,
        run_state=run_state,
        seconds={"job": round(seconds, 1)},
        memory_mb=supervisor.memory_bytes() // 2**20,
        counts=counts,
        drafts=drafts,
        inbox=inbox,
        links={
            "pipeline run": f"{where['prefect']}/runs/flow-run/{run_id}",
            "site": f"{where['web']}/",
            "review desk": f"{where['web']}/desk",
            "inbox": f"{where['sandbox']}/inbox",
        },
    )
    result.problems = problems(result, _status(f"{where['web']}/"))
    return result


def problems(result: DemoResult, site_status: int) -> list[str]:
    """Say what is not as it should be after a complete run of the main job."""
    counts = result.counts
    recipients = sum(counts.deliveries.values())
    sent = sum(counts.deliveries.get(state, 0) for state in ("accepted", "delivered", "bounced", "complained"))
    wrong = [
        (result.run_state != "Completed", f"the pipeline run ended as {result.run_state}"),
        (counts.pages < 15, f"only {counts.pages} pages were read"),
        (not counts.documents.get("fresh"), "no document was extracted"),
        (not counts.drafts, "no draft was written"),
        (bool(counts.drafts.get("in_review") or counts.drafts.get("proposed")), "a draft still waits for its verdict"),
        (not counts.articles.get("live"), "no article is live"),
        (site_status != 200, f"the site answers {site_status}"),
        (counts.issues < 1, "no issue was closed"),
        (set(counts.campaigns) != {"sent"}, f"campaigns are {counts.campaigns}"),
        (recipients == 0, "nobody was written to"),
        (bool(counts.deliveries.get("planned") or counts.deliveries.get("unknown")), f"deliveries are not settled: {counts.deliveries}"),
        (result.inbox.get("newsletters", 0) != sent, f"the inbox holds {result.inbox.get('newsletters', 0)} newsletters for {sent} accepted deliveries"),
        (result.inbox.get("duplicates", 0) > 0, f"{result.inbox.get('duplicates')} newsletters arrived twice"),
    ]
    return [message for is_wrong, message in wrong if is_wrong]


def _inbox(sandbox: str) -> dict[str, int]:
    """Count what the sandbox received, per recipient and campaign."""
    messages = httpx.get(f"{sandbox}/inbox.json", timeout=20, trust_env=False).raise_for_status().json()["messages"]
    newsletters = [(message["to"], message["custom_args"]["c"]) for message in messages if message.get("custom_args", {}).get("c")]
    return {"messages": len(messages), "newsletters": len(newsletters), "duplicates": len(newsletters) - len(set(newsletters))}


def _status(url: str) -> int:
    return httpx.get(url, timeout=20, trust_env=False).status_code


def _print(result: DemoResult) -> None:
    counts = result.counts
    table = Table(title="What the main job did", title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for label, value in (
        ("pages read", counts.pages),
        ("documents", _states(counts.documents)),
        ("drafts", _states(counts.drafts)),
        ("model calls", f"{counts.model_calls}, {counts.cost_usd.quantize(Decimal('0.0001'))} USD"),
        ("verdicts", _states(counts.verdicts)),
        ("articles", _states(counts.articles)),
        ("issues", counts.issues),
        ("campaigns", _states(counts.campaigns)),
        ("recipients", sum(counts.deliveries.values())),
        ("deliveries", _states(counts.deliveries)),
        ("inbox", f"{result.inbox['newsletters']} newsletters, {result.inbox['duplicates']} twice"),
        ("time", f"start {result.seconds['start']} s, job {result.seconds['job']} s, all {result.seconds['total']} s"),
        ("memory", f"{result.memory_mb} MiB for all processes"),
    ):
        table.add_row(label, str(value))
    out.print(table)
    drafts = Table(title="\nDrafts", title_justify="left", box=None, pad_edge=False)
    for heading in ("title", "type", "provider", "model", "verdict", "claims", "cost (USD)"):
        drafts.add_column(heading)
    for draft in result.drafts:
        drafts.add_row(draft.title, draft.content_type, draft.provider, draft.model, draft.decision or draft.state, str(draft.claims), f"{draft.cost_usd:.4f}")
    out.print(drafts)
    out.print()
    for label, url in result.links.items():
        out.print(f"{label:<14} {url}", markup=False)
    for problem in result.problems:
        err.print(f"[bold red]not as it should be:[/bold red] {problem}")


def _states(counted: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counted.items()) or "none"
