"""`python -m deployments.apply` against a real Prefect server: what it makes, what it leaves alone, what it shows."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from queue import Queue
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate, GlobalConcurrencyLimitUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import DoNothing, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Failed
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aquascene.adapters.settings import Settings
from deployments import apply, server
from deployments.automations import ALERTS
from deployments.limits import LIMITS
from deployments.queues import QUEUES

POOL = "aquascene-development-process"
SENTINEL = "sentinel-4e0b"
Run = Callable[..., Any]


@pytest.fixture
def client(prefect_server: str) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as found:
        yield found
        forget(found)


def forget(client: SyncPrefectClient) -> None:
    """Take everything away again: other tests share the server, and a seeded block would be used by them."""
    ends: list[Callable[[], object]] = [partial(client.delete_automation, one.id) for one in client.read_automations(limit=200)]
    ends += [partial(client.delete_deployment, one.id) for one in client.read_deployments(limit=200) if one.name in {"development", "staging"}]
    ends += [partial(client.delete_work_pool, one.name) for one in client.read_work_pools() if one.name.startswith("aquascene-")]
    documents = client.request("POST", "/block_documents/filter", json={"limit": 200}).json()
    ends += [partial(client.delete_block_document, one["id"]) for one in documents if one["name"] in {"main", ALERTS}]
    ends += [partial(client.delete_variable_by_name, one.name) for one in client.read_variables()]
    limits = {one.name for one in client.read_global_concurrency_limits(limit=200, offset=0)} & set(LIMITS)
    ends += [partial(client.delete_global_concurrency_limit_by_name, name) for name in limits]
    for end in ends:
        end()


@pytest.fixture
def development(configured: Callable[..., Settings], client: SyncPrefectClient) -> Settings:
    return configured(ENVIRONMENT="development", GIT_SHA="0123456", SCALE__FLOW_RUNS="4", ORCHESTRATION__WORK_POOL="process")


@pytest.fixture
def run(development: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command, with no deployments unless they are named, and expect an exit code; gives what it printed."""

    def call(*arguments: str, deployments: str = "none", code: int = 0) -> SimpleNamespace:
        chosen = ["--deployments", *deployments.split()] if deployments else []
        ended = apply.main([*arguments, *chosen])
        printed = capsys.readouterr()
        assert ended == code, printed.out + printed.err
        return SimpleNamespace(out=printed.out, err=printed.err)

    return call


def lines(text: str, sign: str) -> list[str]:
    return [line[2:] for line in text.splitlines() if line.startswith(f"{sign} ")]


def test_a_second_run_changes_nothing(run: Run, client: SyncPrefectClient) -> None:
    first = run(deployments="")
    assert f"work pool {POOL}" in lines(first.out, "+")
    assert len([line for line in lines(first.out, "+") if line.startswith("deployment ")]) == 12
    second = run("--check", deployments="all")
    assert second.out.splitlines()[-1] == "no difference"
    assert {queue.name: (queue.priority, queue.concurrency_limit) for queue in client.read_work_queues(work_pool_name=POOL)} == {
        **{name: (queue.priority, queue.limit) for name, queue in QUEUES.items()},
        "default": (7, None),
    }
    assert {one.name.removeprefix("aquascene-development-") for one in client.read_automations()} == {
        *("dead-runs", "stuck-runs", "late-runs", "failed-runs"),
        *("review-ready-draft", "publish-approved-draft"),
    }


def test_looking_changes_nothing(run: Run, client: SyncPrefectClient) -> None:
    run("--dry-run")
    run("--check", code=apply.EXIT_DRIFT)
    assert POOL not in {pool.name for pool in client.read_work_pools()}
    assert client.read_variables() == []
    found = json.loads(run("--check", "--json", code=apply.EXIT_DRIFT).out)
    assert {"action": "create", "kind": "work pool", "name": POOL, "details": ["type process, at most 4 runs"], "drift": True} in found


def test_numbers_of_an_operator_are_shown_and_kept(run: Run, client: SyncPrefectClient, configured: Callable[..., Settings]) -> None:
    run(deployments="generate")
    generate = client.read_deployment_by_name("generate/development")
    client.update_work_pool(POOL, WorkPoolUpdate(concurrency_limit=9))
    client.update_global_concurrency_limit("llm-openai", GlobalConcurrencyLimitUpdate(limit=1))
    client.update_deployment(generate.id, DeploymentUpdate(concurrency_limit=3))
    shown = run("--check", deployments="generate")
    assert set(lines(shown.out, "=")) == {f"work pool {POOL}", "global limit llm-openai", "deployment generate/development"}
    assert "runs at the same time: 9 is an operator's; the repository says 4 (--force sets it)" in shown.out
    run(deployments="generate")
    assert client.read_work_pool(POOL).concurrency_limit == 9
    forced = run("--force", deployments="generate")
    assert {f"work pool {POOL}", "global limit llm-openai", "deployment generate/development"} == set(lines(forced.out, "~"))
    assert client.read_work_pool(POOL).concurrency_limit == 4
    assert client.read_global_concurrency_limit_by_name("llm-openai").limit == 4
    assert run("--check", deployments="generate").out.splitlines()[-1] == "no difference"


def test_numbers_that_nobody_touched_follow_the_repository(run: Run, client: SyncPrefectClient, configured: Callable[..., Settings]) -> None:
    run()
    configured(SCALE__FLOW_RUNS="8")
    assert lines(run().out, "~") == [f"work pool {POOL}"]
    assert client.read_work_pool(POOL).concurrency_limit == 8


def test_switches_of_an_operator_stay(run: Run, client: SyncPrefectClient) -> None:
    run(deployments="scrape")
    scrape = client.read_deployment_by_name("scrape/development")
    client.update_deployment_schedule(scrape.id, scrape.schedules[0].id, active=False)
    client.update_work_pool(POOL, WorkPoolUpdate(is_paused=True))
    late = client.read_automations_by_name("aquascene-development-late-runs")[0]
    client.pause_automation(late.id)
    client.update_deployment(scrape.id, DeploymentUpdate(description="somebody's"))
    done = run("--force", deployments="scrape")
    assert lines(done.out, "~") == ["deployment scrape/development"]
    assert "    schedule every-six-hours is off" in done.out.splitlines()
    assert client.read_deployment_by_name("scrape/development").schedules[0].active is False
    assert client.read_work_pool(POOL).is_paused is True
    assert client.read_automations_by_name(late.name)[0].enabled is False
    run("--check", deployments="scrape")


def test_structure_is_put_back(run: Run, client: SyncPrefectClient) -> None:
    run(deployments="scrape")
    pool, scrape = client.read_work_pool(POOL), client.read_deployment_by_name("scrape/development")
    template = {**pool.base_job_template, "job_configuration": {**pool.base_job_template["job_configuration"], "working_dir": "/"}}
    client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
    queue = client.read_work_queue_by_name("web-scraper", work_pool_name=POOL)
    client.update_work_queue(queue.id, priority=1)
    zone = {"timezone": "Europe/Berlin"}
    schedules = [
        DeploymentScheduleUpdate(slug="every-six-hours", schedule=CronSchedule(cron="0 0 * * *", **zone)),
        DeploymentScheduleUpdate(slug="by-hand", schedule=CronSchedule(cron="1 1 * * *", **zone)),
    ]
    client.update_deployment(scrape.id, DeploymentUpdate(schedules=schedules, tags=["mine"]))
    late = client.read_automations_by_name("aquascene-development-late-runs")[0]
    client.update_automation(
        late.id,
        AutomationCore(name=late.name, trigger=EventTrigger(type="event", expect={"other"}, posture=Posture.Reactive), actions=[DoNothing(type="do-nothing")]),
    )
    done = run(deployments="scrape")
    assert set(lines(done.out, "~")) == {f"work pool {POOL}", f"queue order {POOL}", "deployment scrape/development", f"automation {late.name}"}
    assert "    template.job_configuration.working_dir: / -> {{ working_dir }}" in done.out.splitlines()
    assert [one.name for one in sorted(client.read_work_queues(work_pool_name=POOL), key=lambda one: one.priority or 0)] == [*QUEUES, "default"]
    after = client.read_deployment_by_name("scrape/development")
    assert {one.slug: getattr(one.schedule, "cron", "") for one in after.schedules} == {"every-six-hours": "10 */6 * * *"}
    run("--check", deployments="scrape")


def test_prune_removes_only_what_was_ours(run: Run, client: SyncPrefectClient) -> None:
    run()
    client.create_work_queue(name="retired", work_pool_name=POOL)
    flow = client.create_flow_from_name("retired")
    ours = client.create_deployment(flow, name="development", entrypoint="flows.retired.retired", tags=["app:aquascene", "env:development"])
    other = client.create_deployment(flow, name="somebody", entrypoint="flows.retired.retired", tags=["app:other"])
    nothing = {"trigger": EventTrigger(expect={"x"}), "actions": [DoNothing()]}
    client.create_automation(AutomationCore(name="aquascene-development-retired", **nothing))
    client.create_automation(AutomationCore(name="somebody", **nothing))
    client.create_work_pool(WorkPoolCreate(name="aquascene-development-docker", type="docker"))
    looked = run("--check")
    left = {
        f"work queue {POOL}/retired",
        "deployment retired/development",
        "automation aquascene-development-retired",
        "work pool aquascene-development-docker",
    }
    assert set(lines(looked.out, "?")) == left
    run("--check", "--prune", code=apply.EXIT_DRIFT)
    pruned = run("--prune")
    assert set(lines(pruned.out, "-")) == left - {"work pool aquascene-development-docker"}
    with pytest.raises(ObjectNotFound):
        client.read_deployment(ours)
    assert client.read_deployment(other)
    assert client.read_work_pool("aquascene-development-docker")  # its runs would go with it: never removed here
    assert {one.name for one in client.read_automations()} >= {"somebody"}
    client.delete_deployment(other)


def test_staging_registers_nothing_by_itself(run: Run, client: SyncPrefectClient, configured: Callable[..., Settings]) -> None:
    configured(ENVIRONMENT="staging", JWT_SECRET=uuid4().hex * 2, **STAGING)
    run(deployments="")
    assert [one for one in client.read_deployments(limit=200) if one.name == "staging"] == []
    assert "aquascene-staging-review-ready-draft" not in {one.name for one in client.read_automations()}
    run(deployments="review publish")
    names = {f"{one.entrypoint}" for one in client.read_deployments(limit=200) if one.name == "staging"}
    assert names == {"flows.review.review", "flows.publish.publish"}
    assert "aquascene-staging-review-ready-draft" in {one.name for one in client.read_automations()}
    run("--check", "--prune")  # what a promotion registered is not superfluous
    refused = run(deployments="reviews", code=2)
    assert "prefect.yaml has no flow reviews" in refused.err


STAGING = {"DATABASE_URL": "postgresql://aquascene@db/aquascene", "REDIS_URL": "redis://redis/0", "PREFECT_API_AUTH_STRING": "aquascene:x"}


def test_an_alert_block_is_told_of_late_and_failed_runs(run: Run, client: SyncPrefectClient) -> None:
    run()
    assert isinstance(client.read_automations_by_name("aquascene-development-late-runs")[0].actions[0], DoNothing)
    block = CustomWebhookNotificationBlock(name="alerts", url="http://127.0.0.1:9/hook", json_data={"text": "{{subject}}"})
    block.save(ALERTS)
    assert set(lines(run().out, "~")) == {"automation aquascene-development-late-runs", "automation aquascene-development-failed-runs"}
    action = client.read_automations_by_name("aquascene-development-late-runs")[0].actions[0]
    assert isinstance(action, SendNotification)
    assert action.block_document_id == block._block_document_id


def test_a_version_is_needed_to_register(run: Run, monkeypatch: pytest.MonkeyPatch, configured: Callable[..., Settings]) -> None:
    monkeypatch.delenv("GIT_SHA")
    configured()
    refused = run(deployments="scrape", code=2)
    assert "set GIT_SHA" in refused.err


def test_a_pool_of_another_type_is_refused(run: Run, client: SyncPrefectClient) -> None:
    client.create_work_pool(WorkPoolCreate(name=POOL, type="docker"))
    refused = run(code=2)
    assert "is of type docker" in refused.err


def test_no_secret_is_shown_or_stored_in_clear(run: Run, client: SyncPrefectClient, configured: Callable[..., Settings]) -> None:
    configured(OPENAI_API_KEY=SENTINEL, OBJECT_STORE_SECRET_KEY=SENTINEL, DATABASE_URL=f"postgresql://aquascene:{SENTINEL}@db/aquascene")
    done = run()
    assert "block aquascene-openai-writer/main" in lines(done.out, "+")
    configured(OPENAI_API_KEY=f"{SENTINEL}-rotated")
    again = run()
    assert lines(again.out, "~") == ["block aquascene-openai-writer/main"]
    paths: list[Any] = [f"/{kind}/filter" for kind in ("work_pools", "deployments", "variables", "block_documents", "automations")]
    found = [client.request("POST", path, json={"limit": 200}).text for path in paths]
    assert not [text for text in (done.out, done.err, again.out, again.err, *found) if SENTINEL in text]


def test_a_server_that_does_not_answer(run: Run) -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        refused = run("--wait-seconds", "0", code=3)
    assert "Prefect does not answer at http://127.0.0.1:9/api" in refused.err


def test_an_older_server_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "version", lambda name: "99.0.0")
    refused = run(code=2)
    assert "upgrade the server first" in refused.err


@flow(name="scrape")
def scrape() -> None:
    """Stand in for the flow of that name."""


def test_the_alert_is_sent_and_says_what_happened(run: Run, client: SyncPrefectClient, serve: Callable[[Any], str]) -> None:
    told: Queue[dict[str, Any]] = Queue()

    async def hook(request: Request) -> Response:
        told.put(await request.json())
        return Response()

    url = serve(Starlette(routes=[Route("/hook", hook, methods=["POST"])]))
    CustomWebhookNotificationBlock(name="alerts", url=f"{url}/hook", json_data={"subject": "{{subject}}", "body": "{{body}}"}).save(ALERTS)
    run()
    failing = client.create_flow_run(scrape, name="brave-fox")
    deadline = time.monotonic() + 60
    while told.empty() and time.monotonic() < deadline:  # the server reads its automations again after a moment
        client.set_flow_run_state(failing.id, Failed(message="the site is down"), force=True)
        time.sleep(1)
    message = told.get(timeout=5)
    assert message["subject"] == "AquaScene: scrape ended as Failed"
    assert message["body"] == f"brave-fox: the site is down {failing.id}"  # a link where the server has PREFECT_UI_URL
