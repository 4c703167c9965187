"""`aquascene smoke` against a real web application, and against ones that are not as they should be."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from aquascene.adapters import published, settings
from aquascene.adapters.postgres.db import transaction
from aquascene.cli import smoke
from aquascene.web import site
from aquascene.web.app import create_app
from tasks import publishing as tasks
from tests.publishing_rows import add_approved

DIGEST = f"sha256:{'ab' * 32}"


@pytest.fixture
def web(database: str, configured: Callable[..., settings.Settings], serve: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(published, "LOOK_AGAIN_SECONDS", 0.0)
    site._published.cache_clear()
    configured(GIT_SHA="c0ffee", IMAGE=f"registry.example/aquascene@{DIGEST}")
    return serve(create_app())


def asked(*arguments: str) -> tuple[int, dict[str, Any]]:
    """The command as a process, with nothing of our settings."""
    done = subprocess.run([sys.executable, "-m", "aquascene.cli.smoke", *arguments, "--json"], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"said": done.stderr}


def wrong(told: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["detail"] for step in told["steps"] if not step["ok"]}


def test_an_installation_before_its_first_publish_is_as_it_should_be(web: str) -> None:
    code, told = asked(web)
    assert (code, told["ok"], wrong(told)) == (0, True, {})
    assert [step["step"] for step in told["steps"]] == list(smoke.STEPS)
    assert {step["step"]: step["detail"] for step in told["steps"]}["article"] == "nothing is published yet"


def test_a_published_article_is_read_with_its_provenance(web: str) -> None:
    with transaction() as db:
        add_approved(db, "A carpet of Monte Carlo")
    tasks.switch.fn(news=bool(tasks.choose_drafts.fn(None)))
    code, told = asked("--base-url", f"{web}/", "--expect-git-sha", "c0ffee", "--expect-digest", f"registry.example/aquascene@{DIGEST}")
    assert (code, wrong(told)) == (0, {})
    assert {step["step"]: step["detail"] for step in told["steps"]}["article"].startswith("/articles/a-carpet-of-monte-carlo/ from ")


def test_another_build_than_expected_is_wrong(web: str) -> None:
    code, told = asked(web, "--expect-git-sha", "decaf")
    assert (code, wrong(told)) == (3, {"version": "git_sha is c0ffee, not decaf"})
    assert asked(web, "--expect-digest", f"sha256:{'cd' * 32}")[0] == 3


def test_an_installation_without_its_database_is_wrong_but_alive(configured: Callable[..., Any], serve: Callable[[Any], str]) -> None:
    configured(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", DATABASE__CONNECT_TIMEOUT_SECONDS="1")
    code, told = asked(serve(create_app()))
    assert code == 3
    assert wrong(told)["readyz"] == "/readyz answers 503, not 200"
    assert not {"livez", "version", "openapi", "api"} & wrong(told).keys()


def test_something_else_at_that_address_is_wrong_everywhere(serve: Callable[[Any], str]) -> None:
    other = FastAPI()
    other.add_api_route("/livez", lambda: RedirectResponse("https://planted.example/livez"))
    other.add_api_route("/readyz", lambda: "not what it should be")
    code, told = asked(serve(other))
    assert (code, len(wrong(told))) == (3, len(smoke.STEPS) - 1)  # it also knows no such article
    assert wrong(told)["livez"] == "/livez answers 307, not 200; it leads to https://planted.example/livez, so give that address"
    assert wrong(told)["readyz"].startswith("an answer is not what it should be")


def test_nobody_at_that_address_is_wrong_and_a_missing_one_is_asked_for() -> None:
    code, told = asked("http://127.0.0.1:1")
    assert code == 3
    assert all(detail.startswith("no answer: ConnectError") for detail in wrong(told).values())
    code, told = asked()
    assert (code, "say which installation to ask" in " ".join(told["said"].split())) == (2, True)


def test_one_that_is_still_starting_is_waited_for(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, False, True])
    monkeypatch.setattr(smoke, "_take", lambda *_: smoke.Finding("readyz", next(answers), ""))
    monkeypatch.setattr("time.sleep", lambda _: None)
    smoke.wait_until_ready(None, 60)  # type: ignore[arg-type]  # nobody is asked here
    assert next(answers, "all were used") == "all were used"


def test_it_is_readable_and_part_of_the_command(web: str) -> None:
    done = subprocess.run([sys.executable, "-m", "aquascene.cli.main", "smoke", web], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("ok    livez ")
    assert len(done.stdout.splitlines()) == len(smoke.STEPS)
    assert "all 9 steps are as they should be" in done.stderr
