"""`python -m deployments.run_and_wait`: what CI sees of a run, and the exit code that it acts on."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, Completed, Crashed, Failed, Running, Suspended

from deployments import run_and_wait

NAME = "followed/ci"
Call = Callable[..., Any]


@pytest.fixture
def client(prefect_server: str) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as found:
        schema = {"type": "object", "properties": {"release": {"type": "string"}, "weights": {"type": "array"}}, "additionalProperties": False}
        flow = found.create_flow_from_name("followed")
        deployment = found.create_deployment(flow, name="ci", entrypoint="x.y", parameter_openapi_schema=schema, enforce_parameter_schema=True)
        yield found
        found.delete_deployment(deployment)


@pytest.fixture
def call(client: SyncPrefectClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setattr(run_and_wait, "_POLL_SECONDS", 0.2)

    def run(*arguments: str) -> SimpleNamespace:
        code = run_and_wait.main([NAME, *arguments])
        printed = capsys.readouterr()
        return SimpleNamespace(code=code, out=printed.out, err=printed.err)

    return run


def worker(api: str, *states: State) -> threading.Thread:
    """Stand in for a worker: give the next run of the deployment these states."""

    def work() -> None:
        with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
            only = client.read_deployment_by_name(NAME).id
            while not (found := [run for run in client.read_flow_runs() if run.state_name == "Scheduled" and run.deployment_id == only]):
                time.sleep(0.1)
            for state in states:
                client.set_flow_run_state(found[0].id, state, force=True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("last", "code"),
    [(Completed(), 0), (Failed(message="a check failed"), 20), (Crashed(), 21), (Cancelled(), 22), (Suspended(timeout_seconds=60), run_and_wait.EXIT_WAITING)],
)
def test_the_exit_code_is_the_end_of_the_run(call: Call, prefect_server: str, last: State, code: int) -> None:
    thread = worker(prefect_server, Running(), last)
    done = call("--timeout-seconds", "60")
    thread.join()
    assert done.code == code
    states = [line.split(":")[0] for line in done.out.splitlines()[1:]]
    assert states == ["Scheduled", "Running", last.name]
    if last.message == "a check failed":
        assert "Failed: a check failed" in done.out.splitlines()


def test_waiting_for_a_person_may_be_fine(call: Call, prefect_server: str) -> None:
    worker(prefect_server, Running(), Suspended(timeout_seconds=60))
    assert call("--accept-waiting", "--timeout-seconds", "60").code == 0


def test_the_same_key_follows_the_same_run(call: Call, client: SyncPrefectClient, prefect_server: str) -> None:
    worker(prefect_server, Running(), Completed())
    arguments = ("--idempotency-key", "release-1", "--parameter", "release=1.2.3", "--parameter", "weights=[10, 100]", "--json")
    first, second = json.loads(call(*arguments).out), json.loads(call(*arguments).out)
    assert first == second
    assert first["state"] == "Completed"
    assert first["url"].endswith(f"/runs/flow-run/{first['flow_run_id']}")
    assert client.read_flow_run(first["flow_run_id"]).parameters == {"release": "1.2.3", "weights": [10, 100]}


def test_time_is_over(call: Call) -> None:
    done = call("--timeout-seconds", "0.5")
    assert done.code == run_and_wait.EXIT_TIMEOUT
    assert "the run goes on" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--parameter", "release"), "name=value"), (("--parameter", "unknown=1"), "unknown")],
)
def test_wrong_parameters_are_refused(call: Call, arguments: tuple[str, ...], message: str) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert message in done.err


def test_no_such_deployment(client: SyncPrefectClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_and_wait.main(["followed/nowhere"]) == 2
    assert "there is no deployment followed/nowhere" in capsys.readouterr().err


def test_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert run_and_wait.main([NAME, "--wait-seconds", "0"]) == 3
    assert "Prefect does not answer" in capsys.readouterr().err
