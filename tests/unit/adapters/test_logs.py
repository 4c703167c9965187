"""Log lines: one JSON object each, with the run they belong to, also those that Prefect writes."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aquascene.adapters import logs
from aquascene.adapters.versions import version


@pytest.fixture
def root() -> Iterator[None]:
    """Logging as it was, afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield
    logger.handlers[:], _ = handlers, logger.setLevel(level)
    logging.captureWarnings(False)


def line(message: str, *values: object, **extra: Any) -> dict[str, Any]:
    record = logging.LogRecord("aquascene.x", logging.INFO, __file__, 1, message, values, None)
    record.__dict__.update(extra)
    found: dict[str, Any] = json.loads(logs.JsonFormatter().format(record))
    return found


def test_a_line_has_time_level_logger_event_fields_and_version() -> None:
    found = line("page_fetched page_id=%s size_bytes=%d", "a", 7)
    assert found.pop("time").endswith("+00:00")
    assert found == {"level": "INFO", "logger": "aquascene.x", "event": "page_fetched", "page_id": "a", "size_bytes": "7", "version": version()}


def test_what_others_write_stays_whole_and_what_we_write_is_taken_apart() -> None:
    assert line("GET http://x/?a=1 took 3 s")["event"] == "GET http://x/?a=1 took 3 s"
    found = line("brief_refused reason=no-evidence detail=no stored document speaks of it")
    assert (found["event"], found["reason"], found["detail"]) == ("brief_refused", "no-evidence", "no stored document speaks of it")


def test_a_field_cannot_pass_for_one_of_the_line() -> None:
    found = line("odd_event level=NOTHING version=9 logger=x")
    assert (found["level"], found["logger"], found["version"]) == ("INFO", "aquascene.x", version())


def test_addresses_are_hidden_and_line_breaks_escaped() -> None:
    assert line("mail_failed to=%s", "ada@example.com")["to"] == "[address]"
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "two\nlines", (), None)
    assert "\n" not in logs.JsonFormatter().format(record)


def test_an_error_brings_its_traceback() -> None:
    try:
        raise ValueError("ada@example.com is not welcome")
    except ValueError:
        found = line("it_failed code=%s", "x", exc_info=sys.exc_info())
    assert "ValueError: [address] is not welcome" in found["error"]


def test_runs_are_named_by_whoever_knows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "flow_run_id" not in line("plain_event a=1")
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "of-the-process")
    assert line("plain_event a=1")["flow_run_id"] == "of-the-process"
    found = line("plain_event a=1", flow_run_id="of-the-record", task_run_id="t")
    assert (found["flow_run_id"], found["task_run_id"]) == ("of-the-record", "t")


def test_services_write_to_the_stream_they_are_given_and_commands_to_stderr(root: None, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json", sys.stdout)
    logging.getLogger("aquascene.x").info("an_event a=1")
    logs.configure("INFO", "text")
    logging.getLogger("aquascene.x").info("an_event b=2")
    written = capsys.readouterr()
    assert json.loads(written.out)["a"] == "1"
    assert "an_event b=2" in written.err


_FLOW = """
import logging, os
from prefect import flow, get_run_logger, task
from prefect.runtime import flow_run, task_run

@task
def step():
    logging.getLogger("aquascene.stage").info("step_done number=1")
    get_run_logger().warning("told through Prefect")
    logging.getLogger("httpx").info("HTTP Request: nothing that anybody wants to read")
    return str(task_run.id)

@flow
def line():
    logging.getLogger("aquascene.stage").info("line_began number=1")
    return str(flow_run.id), step()

print("ids", *line())
"""


def test_a_flow_run_writes_the_same_lines_with_its_ids(prefect_server: str, tmp_path: Path) -> None:
    script = tmp_path / "line.py"
    script.write_text(_FLOW)
    own = {"PREFECT_API_URL": prefect_server, "PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_LOGGING_EXTRA_LOGGERS": "aquascene"}
    own |= {"PREFECT_LOGGING_ROOT_LEVEL": "INFO", **logs.PREFECT_VARIABLES}
    done = subprocess.run([sys.executable, str(script)], env={**os.environ, **own}, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    _, flow_run_id, task_run_id = next(one for one in lines if one.startswith("ids ")).split()
    told = [json.loads(one) for one in lines if not one.startswith("ids ")]
    assert all({"time", "level", "logger", "event", "version"} <= one.keys() for one in told)
    by_event = {one["event"]: one for one in told}
    assert (by_event["line_began"]["flow_run_id"], "task_run_id" in by_event["line_began"]) == (flow_run_id, False)
    for event in ("step_done", "told through Prefect"):
        assert (by_event[event]["flow_run_id"], by_event[event]["task_run_id"]) == (flow_run_id, task_run_id), event
    assert not any(one["logger"] == "httpx" for one in told)
    assert "Finished in state Completed()" in by_event
    assert done.stderr == ""
