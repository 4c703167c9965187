"""Automations as code, matched by name. Events start the next stage at once; `sweep` is the certainty behind them.

`content.article.live` starts nothing here: an issue belongs to a date, not to an article (see docs/architecture.md).
An operator's switch (`enabled`) always stays. A notification block called `aquascene-alerts`, of any type that Prefect
has (Slack, Teams, a webhook, ...), is told of late and failed runs; without it they are events in Prefect's feed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, DoNothing, RunDeployment, SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

from deployments.changes import Change, Context, differences

ALERTS = "aquascene-alerts"
# A waiting review is not dead: Prefect's documented recipe leaves these two out and kills it.
_WAITING = {"prefect.flow-run.Suspended", "prefect.flow-run.Paused"}
_ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
_HEARTBEAT = "prefect.flow-run.heartbeat"
_RUN = {"prefect.resource.id": "prefect.flow-run.*"}
SILENCE, PENDING = timedelta(seconds=240), timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An automation that the repository asks for; `needs` names the deployment whose id it holds."""

    name: str
    make: Callable[[UUID | None], AutomationCore]
    needs: str | None = None


def wanted_automations(environment: str, alert: UUID | None = None, *, embedded: bool = False) -> list[Wanted]:
    """List the automations of an environment.

    The embedded server has none for dead runs: its runner marks a dead child at once and the next start settles the
    rest, while proactive triggers write a row for every event of a run, which SQLite answered with "database is
    locked" and stalls of up to a minute.
    """
    prefix = f"aquascene-{environment}"
    after_draft = {"draft_id": "{{ event.payload.draft_id }}"}
    following = [
        Wanted(f"{prefix}-review-ready-draft", partial(_on_event, "content.draft.ready", after_draft), f"review/{environment}"),
        Wanted(f"{prefix}-publish-approved-draft", partial(_on_event, "content.draft.approved", {}), f"publish/{environment}"),
    ]
    if embedded:
        return [_named(one) for one in following]
    watching = [
        Wanted(f"{prefix}-dead-runs", lambda _: _dead_runs()),
        Wanted(f"{prefix}-stuck-runs", lambda _: _stuck_runs()),
        Wanted(f"{prefix}-late-runs", lambda _: _late_runs(alert)),
        Wanted(f"{prefix}-failed-runs", lambda _: _failed_runs(alert)),
    ]
    return [_named(one) for one in (*watching, *following)]


def _named(one: Wanted) -> Wanted:
    return Wanted(one.name, lambda deployment: one.make(deployment).model_copy(update={"name": one.name}), one.needs)


def apply_automations(client: SyncPrefectClient, environment: str, *, embedded: bool = False) -> list[str]:
    """Create or update by name those whose deployments are registered. Returns the names."""
    names = []
    for wanted in wanted_automations(environment, find_alert(client), embedded=embedded):
        deployment = _deployment(client, wanted.needs)
        if wanted.needs is None or deployment is not None:
            _upsert(client, wanted, deployment)
            names.append(wanted.name)
    return names


def plan_automations(context: Context, to_come: set[str]) -> Iterator[Change]:
    """Compare the automations of the environment; `to_come` names deployments that this same run registers."""
    present = {one.name: one for one in context.client.read_automations(limit=200) if one.name.startswith(f"aquascene-{context.environment}-")}
    all_wanted = wanted_automations(context.environment, find_alert(context.client))
    for wanted in all_wanted:
        deployment = _deployment(context.client, wanted.needs)
        if wanted.needs is None or deployment is not None or wanted.needs in to_come:
            yield from _plan_one(context, wanted, present.get(wanted.name), deployment)
    for name, extra in present.items():
        if name not in {wanted.name for wanted in all_wanted}:
            yield context.superfluous("automation", name, partial(context.client.delete_automation, extra.id))


def _plan_one(context: Context, wanted: Wanted, present: Automation | None, deployment: UUID | None) -> Iterator[Change]:
    def run() -> None:
        _upsert(context.client, wanted, _deployment(context.client, wanted.needs))

    if present is None:
        yield Change("create", "automation", wanted.name, (), run)
        return
    now, then = _plain(present), _plain(wanted.make(deployment))
    if now != then:
        details = tuple(line for key in then for line in differences(key, now[key], then[key]) if now[key] != then[key])
        yield Change("update", "automation", wanted.name, details, run)
    if not present.enabled:
        yield Change("keep", "automation", wanted.name, ("switched off by an operator",))


def _plain(automation: AutomationCore) -> dict[str, Any]:
    return AutomationCore.model_validate(automation.model_dump()).model_dump(exclude={"enabled"})


def _upsert(client: SyncPrefectClient, wanted: Wanted, deployment: UUID | None) -> None:
    # At an update the client leaves out what was not set, and the server refuses an action without its type or an owner.
    automation = AutomationCore.model_validate(wanted.make(deployment).model_dump(exclude={"owner_resource"}))
    if present := client.read_automations_by_name(wanted.name):
        client.update_automation(present[0].id, automation.model_copy(update={"enabled": present[0].enabled}))
    else:
        client.create_automation(automation)


def _deployment(client: SyncPrefectClient, name: str | None) -> UUID | None:
    if name is None:
        return None
    try:
        return client.read_deployment_by_name(name).id
    except ObjectNotFound:
        return None


def find_alert(client: SyncPrefectClient) -> UUID | None:
    """Find the notification block that an operator called `aquascene-alerts`, of whatever type."""
    wanted = {"block_schemas": {"block_capabilities": {"all_": ["notify"]}}, "limit": 200}
    found = client.request("POST", "/block_documents/filter", json=wanted).raise_for_status().json()
    return next((UUID(one["id"]) for one in found if one["name"] == ALERTS), None)


def _on_event(event: str, parameters: dict[str, str], deployment: UUID | None) -> AutomationCore:
    return AutomationCore(
        name="",
        description=f"Start the next stage as soon as {event} arrives.",
        trigger=EventTrigger(expect={event}, posture=Posture.Reactive, threshold=1),
        actions=[RunDeployment(source="selected", deployment_id=deployment, parameters=dict(parameters))],
    )


def _silence(after: str, expect: set[str], within: timedelta) -> EventTrigger:
    """Fire when nothing of `expect` follows; a waiting run is not silent."""
    return EventTrigger(
        after={after},
        expect=expect | _ENDED | _WAITING,
        match=_RUN,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )


def _dead_runs() -> AutomationCore:
    """A run that sent heartbeats and fell silent is dead: mark it Crashed, which frees its slots."""
    return AutomationCore(
        name="",
        description="A run without a heartbeat for four minutes is marked Crashed.",
        trigger=_silence(_HEARTBEAT, {_HEARTBEAT}, SILENCE),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat: the process is gone.")],
    )


def _stuck_runs() -> AutomationCore:
    """A run that stays Pending holds its slot for ever; after a quarter of an hour it is given up."""
    return AutomationCore(
        name="",
        description="A run that is Pending for fifteen minutes is marked Crashed.",
        trigger=_silence("prefect.flow-run.Pending", {"prefect.flow-run.Running", "prefect.flow-run.Scheduled"}, PENDING),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="Pending for too long: its worker is gone.")],
    )


def _late_runs(alert: UUID | None) -> AutomationCore:
    return AutomationCore(
        name="",
        description="A run did not start in time: no worker polls its queue, or the pool is full.",
        trigger=EventTrigger(expect={"prefect.flow-run.Late"}, match=_RUN, posture=Posture.Reactive, threshold=1),
        actions=[_tell(alert, "is late")],
    )


def _failed_runs(alert: UUID | None) -> AutomationCore:
    events = {"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"}
    return AutomationCore(
        name="",
        description="A run failed, crashed or took too long.",
        trigger=EventTrigger(expect=events, match=_RUN, posture=Posture.Reactive, threshold=1),
        actions=[_tell(alert, "ended as {{ flow_run.state.name }}")],
    )


def _tell(alert: UUID | None, what: str) -> ActionTypes:
    """Tell the operator's block; without one the trigger itself is an event in the feed, and nothing more."""
    if alert is None:
        return DoNothing()
    subject = "AquaScene: {{ flow.name }} " + what
    body = "{{ flow_run.name }}: {{ flow_run.state.message or flow_run.state.name }} {{ flow_run | ui_url or flow_run.id }}"  # no link without PREFECT_UI_URL
    return SendNotification(block_document_id=alert, subject=subject, body=body)
