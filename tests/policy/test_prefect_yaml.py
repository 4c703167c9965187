"""prefect.yaml promises: known keys only, entrypoints that exist, parameters that fit, zones that are named."""

import inspect
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from prefect.cli.deploy._config import _filter_matching_deploy_config
from prefect.cli.deploy._models import DeploymentConfig
from prefect.utilities.templating import apply_values

from aquascene.adapters.resources import resource
from aquascene.adapters.settings import Settings
from deployments import check_variables
from deployments import definitions as read
from deployments.queues import QUEUES
from deployments.variables import fill
from deployments.variables import variables as read_variables

SERVICES = {"web-scraper", "ai-processor", "content-manager", "distributor", "subscriber-manager", "operations"}
FLOWS = {"pipeline", "scrape", "generate", "review", "publish", "withdraw", "correct", "newsletter", "reconcile", "audience", "sweep", "housekeeping"}
SCHEDULE_KEYS = {"slug", "cron", "timezone", "parameters", "active"}


VARIABLES = {"ENVIRONMENT": "demo", "GIT_SHA": "0123456", "WORK_POOL": "docker", "IMAGE": "registry.example/aquascene@sha256:0"}


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def raw() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(resource("prefect.yaml").read_text(encoding="utf-8"))
    return loaded


def test_every_key_is_one_that_prefect_reads() -> None:
    # Prefect ignores unknown keys silently, so `tagz:` would deploy without tags.
    for entry in raw()["deployments"]:
        assert set(entry) <= set(DeploymentConfig.model_fields), entry["entrypoint"]
        for schedule in entry["schedules"]:
            assert set(schedule) <= SCHEDULE_KEYS
            assert ZoneInfo(schedule["timezone"])
    assert set(raw()) == {"name", "prefect-version", "build", "push", "pull", "definitions", "deployments"}


def test_every_flow_of_the_design_is_deployed_once() -> None:
    names = [definition.flow.name for definition in read.definitions()]
    assert sorted(names) == sorted(FLOWS)


def test_parameters_fit_the_flow_signatures() -> None:
    for definition in read.definitions():
        known = inspect.signature(definition.flow.fn).parameters
        given = [definition.parameters, *[schedule.get("parameters", {}) for schedule in definition.schedules]]
        for parameters in given:
            assert set(parameters) <= set(known), definition.entrypoint
        required = {name for name, parameter in known.items() if parameter.default is inspect.Parameter.empty}
        if definition.schedules:
            assert all(required <= set(definition.parameters) | set(schedule.get("parameters", {})) for schedule in definition.schedules), definition.entrypoint


def test_every_parameter_is_described() -> None:
    for definition in read.definitions():
        properties = definition.flow.parameters.properties
        for name, schema in properties.items():
            assert schema.get("description"), f"{definition.entrypoint}({name}) is an undescribed field of the form"


def test_queues_are_the_services() -> None:
    assert {definition.work_queue for definition in read.definitions()} == SERVICES == set(QUEUES)


def test_flows_have_timeouts_and_do_not_retry() -> None:
    for definition in read.definitions():
        if definition.flow.name != "review":  # it ends by suspending
            assert definition.flow.timeout_seconds, definition.entrypoint
        assert definition.flow.retries == 0, definition.entrypoint
        assert not inspect.iscoroutinefunction(definition.flow.fn), definition.entrypoint


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_missing_variable_stops_the_deploy(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_variables.main() == 0
    monkeypatch.delenv(name)
    assert check_variables.main() == 1
    assert f"{name} is not set" in capsys.readouterr().err


def test_a_process_pool_needs_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK_POOL", "process")
    monkeypatch.delenv("IMAGE")
    assert check_variables.main() == 0


@pytest.mark.parametrize(("name", "value"), [("WORK_POOL", "dokcer"), ("ENVIRONMENT", "prod")])
def test_misspelt_variable_stops_the_deploy(name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(name, value)
    assert check_variables.main() == 1
    assert value in capsys.readouterr().err


def test_variables_are_those_that_are_documented() -> None:
    assert read_variables() == sorted(VARIABLES)


def test_own_reading_is_that_of_prefect() -> None:
    loaded = yaml.safe_load(resource("prefect.yaml").read_text(encoding="utf-8"))
    assert fill(loaded, VARIABLES) == apply_values(loaded, {})


def test_a_whole_value_keeps_its_type() -> None:
    assert fill({"a": ["{{ $X }}"], "b": "v-{{ $X }}"}, {"X": 3}) == {"a": [3], "b": "v-3"}


def test_one_deployment_can_be_named_on_the_command_line() -> None:
    # CI deploys `promote` alone. Prefect compares --name before it puts variables in, and the flow by its entrypoint.
    entries = raw()["deployments"]
    for entry in entries:
        found = _filter_matching_deploy_config(f"{entry['entrypoint']}/{{{{ $ENVIRONMENT }}}}", entries)
        assert [one["entrypoint"] for one in found] == [entry["entrypoint"]]


def test_nothing_but_the_image_is_a_job_variable() -> None:
    # Prefect resolves blocks in job variables at deploy and stores them in clear.
    assert all(set(definition.job_variables) == {"image"} for definition in read.definitions())
    assert "prefect.blocks" not in resource("prefect.yaml").read_text(encoding="utf-8")


def test_the_pool_is_that_of_the_settings(configured: Callable[..., Settings]) -> None:
    config = configured(**VARIABLES, ORCHESTRATION__WORK_POOL="docker")
    assert {definition.work_pool for definition in read.definitions(config)} == {read.pool_name(config)} == {"aquascene-demo-docker"}
    assert {definition.job_variables["image"] for definition in read.definitions(config)} == {VARIABLES["IMAGE"]}


def test_queues_have_an_order() -> None:
    assert [queue.priority for queue in QUEUES.values()] == list(range(1, len(QUEUES) + 1))
    assert next(iter(QUEUES)) == "operations"
    assert QUEUES["operations"].limit is None  # sweep, promotions and backups start whatever else runs


def test_a_run_begins_without_a_copy_of_the_working_folder() -> None:
    # With no step at all Prefect copies the folder that the container starts in: the checkout, or every object.
    (step,) = read.pull_steps()
    assert step == {"prefect.deployments.steps.set_working_directory": {"directory": "/tmp"}}
