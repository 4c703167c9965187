"""prefect.yaml promises: known keys only, entrypoints that exist, parameters that fit, zones that are named."""

import inspect
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from prefect.cli.deploy._models import DeploymentConfig
from prefect.utilities.templating import apply_values

from aquascene.adapters.resources import resource
from deployments import definitions as read

QUEUES = {"web-scraper", "ai-processor", "content-manager", "distributor", "subscriber-manager", "operations"}
FLOWS = {"pipeline", "scrape", "generate", "review", "publish", "withdraw", "correct", "newsletter", "reconcile", "audience", "sweep", "housekeeping"}
SCHEDULE_KEYS = {"slug", "cron", "timezone", "parameters", "active"}


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "demo")
    monkeypatch.setenv("GIT_SHA", "0123456")


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
    assert {definition.work_queue for definition in read.definitions()} == QUEUES


def test_flows_have_timeouts_and_do_not_retry() -> None:
    for definition in read.definitions():
        if definition.flow.name != "review":  # it ends by suspending
            assert definition.flow.timeout_seconds, definition.entrypoint
        assert definition.flow.retries == 0, definition.entrypoint
        assert not inspect.iscoroutinefunction(definition.flow.fn), definition.entrypoint


def test_missing_variable_stops_the_deploy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from deployments import check_variables

    assert check_variables.main() == 0
    monkeypatch.delenv("GIT_SHA")
    assert check_variables.main() == 1
    assert "GIT_SHA" in capsys.readouterr().err


def test_no_secret_reference_reaches_a_deployment() -> None:
    text = resource("prefect.yaml").read_text(encoding="utf-8")
    assert "job_variables" not in text
    assert "prefect.blocks" not in text  # Prefect resolves these at deploy and stores them in clear
    assert apply_values({"name": "{{ $ENVIRONMENT }}"}, {}) == {"name": "demo"}
