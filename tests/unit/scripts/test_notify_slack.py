"""The message says what the jobs before did, and a Slack that is away fails nothing."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from scripts.notify_slack import message, overall, results, send
from tests.unit.scripts.migration_making import ROOT


@contextmanager
def slack(*answers: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A loopback server that answers with these codes in order, the last one for ever; yields its address and what it got."""
    waiting, received = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(waiting.pop(0) if len(waiting) > 1 else waiting[0])
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/services/T0/B0/SECRET", received
    finally:
        server.shutdown()
        thread.join()


def needs(**jobs: str) -> str:
    return json.dumps({name: {"result": result, "outputs": {}} for name, result in jobs.items()})


@pytest.mark.parametrize(
    ("jobs", "status"),
    [
        ({"staging": "success", "production": "success"}, "success"),
        ({"staging": "success", "production": "failure"}, "failure"),
        ({"staging": "failure", "production": "skipped"}, "failure"),
        ({"staging": "success", "production": "cancelled"}, "cancelled"),
        ({"staging": "cancelled", "production": "failure"}, "failure"),
        ({"staging": "success", "production": "skipped"}, "success"),
        ({"staging": "skipped", "production": "skipped"}, "skipped"),
    ],
)
def test_status_is_the_worst_of_the_jobs_before(jobs: dict[str, str], status: str) -> None:
    assert overall(results(needs(**jobs))) == status


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "not json", '{"staging": {}}', '{"staging": {"result": "odd"}}', '{"staging": 1}'])
def test_results_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- json's own error is one of them
        results(text)


def test_message_names_every_job_and_escapes() -> None:
    text = message("v1 <b>", "https://github.example/run?a=1&b=2", {"staging": "success", "production": "failure"})
    assert text.splitlines() == [
        ":x: *v1 &lt;b&gt;* is not out",
        ":white_check_mark: staging: success",
        ":x: production: failure",
        "<https://github.example/run?a=1&amp;b=2|log of the run>",
    ]


@pytest.mark.parametrize(
    ("answers", "problem", "posts"),
    [
        ((200,), None, 1),
        ((500, 503, 200), None, 3),
        ((429, 200), None, 2),
        ((404,), "Slack answered 404", 1),
        ((500,), "Slack answered 500", 3),
    ],
)
def test_sending_tries_again_where_that_may_help(answers: tuple[int, ...], problem: str | None, posts: int) -> None:
    with slack(*answers) as (address, received):
        assert send(address, "hello", sleep=lambda seconds: None) == problem
    assert received == [{"text": "hello"}] * posts


def test_nobody_there_is_a_problem_without_the_address() -> None:
    with slack(200) as (address, _):
        pass
    assert send(address, "hello", sleep=lambda seconds: None) == "ConnectError"
    assert "SECRET" not in str(send("http://[SECRET", "hello", sleep=lambda seconds: None))


def run(needs_text: str, webhook: str | None) -> subprocess.CompletedProcess[str]:
    given = {"NEEDS": needs_text, **({"SLACK_WEBHOOK_URL": webhook} if webhook else {})}
    program = [sys.executable, str(ROOT / "scripts" / "notify_slack.py"), "--what", "v1.2.0", "--url", "https://github.example/run"]
    return subprocess.run(program, env={"PATH": os.environ["PATH"], **given}, capture_output=True, text=True, check=False)


def test_command_sends_what_the_jobs_did() -> None:
    with slack(200) as (address, received):
        ran = run(needs(staging="success", production="failure"), address)
    assert ran.returncode == 0
    assert received[0]["text"].startswith(":x: *v1.2.0* is not out")
    assert "SECRET" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("present", [True, False], ids=["refused", "no-webhook"])
def test_a_slack_that_is_away_is_a_warning_only(present: bool) -> None:
    with slack(403) as (address, _):
        ran = run(needs(staging="success"), address if present else None)
    assert ran.returncode == 0
    assert ran.stdout.startswith("::warning title=Slack::not notified: ")
    assert "SECRET" not in ran.stdout + ran.stderr


def test_needs_that_cannot_be_read_is_an_error_of_the_workflow() -> None:
    assert run("", None).returncode == 2
