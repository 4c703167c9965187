"""Automations as code, upserted by name. Events start the next stage at once; `sweep` is the certainty behind them.

`content.article.live` starts nothing here: an issue belongs to a date, not to an article (see docs/architecture.md).
"""

from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

# A waiting review is not dead: Prefect's documented recipe leaves these two out and kills it.
_WAITING = {"prefect.flow-run.Suspended", "prefect.flow-run.Paused"}
_ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
_HEARTBEAT = "prefect.flow-run.heartbeat"


def automations(client: SyncPrefectClient, environment: str, *, embedded: bool) -> list[AutomationCore]:
    """Build the automations whose deployments are registered.

    The embedded server has none for dead runs: its runner marks a dead child at once and the next start settles the
    rest, while proactive triggers write a row for every event of a run, which SQLite answered with "database is
    locked" and stalls of up to a minute.
    """
    wanted = [] if embedded else [_dead_runs(environment), _stuck_runs(environment)]
    if review := _deployment(client, f"review/{environment}"):
        wanted.append(_on_event(environment, "review-ready-draft", "content.draft.ready", review, {"draft_id": "{{ event.payload.draft_id }}"}))
    if publish := _deployment(client, f"publish/{environment}"):
        wanted.append(_on_event(environment, "publish-approved-draft", "content.draft.approved", publish, {}))
    return wanted


def apply_automations(client: SyncPrefectClient, environment: str, *, embedded: bool = False) -> list[str]:
    """Create or update by name; an operator's switch (`enabled`) stays. Returns the names."""
    names = []
    for wanted in automations(client, environment, embedded=embedded):
        present = client.read_automations_by_name(wanted.name)
        if present:
            client.update_automation(present[0].id, wanted.model_copy(update={"enabled": present[0].enabled}))
        else:
            client.create_automation(wanted)
        names.append(wanted.name)
    return names


def _deployment(client: SyncPrefectClient, name: str) -> UUID | None:
    try:
        return client.read_deployment_by_name(name).id
    except ObjectNotFound:
        return None


def _on_event(environment: str, purpose: str, event: str, deployment_id: UUID, parameters: dict[str, str]) -> AutomationCore:
    return AutomationCore(
        name=f"aquascene-{environment}-{purpose}",
        description=f"Start the next stage as soon as {event} arrives.",
        trigger=EventTrigger(expect={event}, posture=Posture.Reactive, threshold=1),
        actions=[RunDeployment(source="selected", deployment_id=deployment_id, parameters=dict(parameters))],
    )


def _dead_runs(environment: str) -> AutomationCore:
    """A run that sent heartbeats and fell silent is dead: mark it Crashed, which frees its slots."""
    return AutomationCore(
        name=f"aquascene-{environment}-dead-runs",
        description="A run without a heartbeat for four minutes is marked Crashed.",
        trigger=EventTrigger(
            after={_HEARTBEAT},
            expect={_HEARTBEAT} | _ENDED | _WAITING,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=240),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat: the process is gone.")],
    )


def _stuck_runs(environment: str) -> AutomationCore:
    """A run that stays Pending holds its slot for ever; after a quarter of an hour it is given up."""
    return AutomationCore(
        name=f"aquascene-{environment}-stuck-runs",
        description="A run that is Pending for fifteen minutes is marked Crashed.",
        trigger=EventTrigger(
            after={"prefect.flow-run.Pending"},
            expect={"prefect.flow-run.Running", "prefect.flow-run.Scheduled"} | _ENDED | _WAITING,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(minutes=15),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="Pending for too long: its worker is gone.")],
    )
