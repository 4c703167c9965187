"""`aquascene release` and `aquascene promote`, rehearsed: exit codes, JSON, keys, and real processes that die."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from aquascene.adapters import settings
from aquascene.adapters.clusters.none import cell
from aquascene.adapters.postgres import accounts
from aquascene.adapters.postgres.db import transaction
from aquascene.adapters.promotion import environments, opening
from aquascene.cli import promote, release
from aquascene.errors import ConfigError
from aquascene.release.records import Promotion
from aquascene.release.states import State
from tests.promotion_database import ledger_engine, ledger_template, ledger_url, quick_ledgers  # noqa: F401 - fixtures
from tests.promotion_making import document

_RUN = """
import sys
from datetime import timedelta
from pathlib import Path
from aquascene.adapters.promotion import environments, opening
from aquascene.release.holding import Terms
terms = Terms(timedelta(seconds=2), timedelta(seconds=0.4), timedelta(seconds=0.1))
engine = opening.engine(environments.get("demo", Path(sys.argv[1])), opening.somebody(), terms=terms)
result = engine.promote(sys.argv[2])
print(result.promotion.state, result.text)
sys.exit(int(result.code))
"""


class Terminal:
    """The commands, as somebody types them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policies()

    def policies(self, **changes: Any) -> None:
        entry = {"target": "none", "strategy": "canary", "canary": {"weights": [50, 100], "dwells": ["1s"]}, "rollback_window": "1h"}
        entry["analysis"] = {"interval": "1s", "min_samples": 1, "checks": [{"name": "error_ratio", "max": 0.01}]}
        (self.folder / "environments.yaml").write_text(json.dumps({"demo": entry | changes}))

    def __call__(self, *arguments: str, typed: str | None = None) -> Result:
        app = release.app if arguments[0] == "release" else promote.app
        name = {"AQUASCENE_POLICIES": str(self.folder / "environments.yaml")}
        return CliRunner().invoke(app, list(arguments[1:]), env=name, input=typed)

    def read(self, *arguments: str, code: int = 0) -> Any:
        done = self(*arguments, "--json")
        assert done.exit_code == code, (done.exit_code, done.output)
        return json.loads(done.stdout)

    def register(self, number: int, *revisions: str, **changes: Any) -> None:
        file = self.folder / f"release-{number}.json"
        file.write_text(json.dumps(document(number, *revisions, **changes)))
        self.read("release", "create", str(file))

    def key(self, name: str, role: str = "operator") -> str:
        with transaction() as db:
            (self.folder / name).write_text(accounts.ensure_key(db, name, role, name * 20))
        return str(self.folder / name)

    def start(self, version: str) -> subprocess.Popen[str]:
        """A promotion in a process of its own, with a lease of two seconds."""
        arguments = [sys.executable, "-c", _RUN, str(self.folder / "environments.yaml"), version]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ))


@pytest.fixture
def terminal(database: str, ledger_url: str, tmp_path: Path) -> Iterator[Terminal]:  # noqa: F811
    made = Terminal(tmp_path)
    made.register(1, "0001")
    made.read("promote", "run", "1.1.0", "demo")
    made.register(2, "0001", "0002")
    yield made
    opening._ledger.cache_clear()


def acts() -> list[str]:
    return cell("demo").change(lambda state: list(state["acts"]))


def newest() -> Promotion:
    return opening.ledger().list_promotions("demo", 1)[0]


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.05)


# --- releases


def test_releases_are_registered_listed_shown_and_blocked(terminal: Terminal) -> None:
    assert [row["version"] for row in terminal.read("release", "list")] == ["1.2.0", "1.1.0"]
    assert terminal.read("release", "create", str(terminal.folder / "release-1.json"))["new"] is False
    assert terminal.read("release", "show", "1.2.0")["document"]["version"] == "1.2.0"
    assert "web: registry.example/aquascene@sha256:" in terminal("release", "show", "1.2.0").stdout
    assert terminal("release", "block", "1.2.0", "--reason", "loses mail").exit_code == 0
    assert "loses mail" in terminal("release", "list").stdout
    assert terminal.read("promote", "run", "1.2.0", "demo", code=10)["reason_code"] == "blocked"


def test_what_is_no_release_is_refused_with_the_reason(terminal: Terminal) -> None:
    file = terminal.folder / "bad.json"
    file.write_text(json.dumps(document(3) | {"git_sha": "abc"}))
    done = terminal("release", "create", str(file))
    assert (done.exit_code, "git_sha" in done.output) == (2, True)
    file.write_text(json.dumps(document(1, git_sha="e" * 40)))
    assert "other content" in terminal("release", "create", str(file)).output
    assert terminal("release", "create", "/nowhere/release.json").exit_code == 2
    assert terminal("release", "show", "9.9.9").exit_code == 2


# --- promotions


def test_plan_run_status_history_and_drift(terminal: Terminal) -> None:
    planned = terminal.read("promote", "plan", "1.2.0", "demo")
    assert (planned["state"], planned["plan"]["migrations"]["to"], planned["plan"]["shifts"]) == ("planned", "0002", [[50, 1.0], [100, 0.0]])
    assert f"plan hash: {planned['plan_hash']}" in terminal("promote", "plan", "1.2.0", "demo").stdout
    done = terminal.read("promote", "run", "1.2.0", "demo", "--plan-hash", planned["plan_hash"])
    assert (done["state"], done["id"], done["exit_code"]) == ("committed", planned["id"], 0)
    assert [entry["step"] for entry in terminal.read("promote", "status", done["id"])["steps"]][:3] == ["preflight", "backup", "migrate"]
    assert "demo: 1.2.0 since" in terminal("promote", "status").stdout
    assert terminal.read("promote", "status", "demo")[0]["environment"]["previous"] == "1.1.0"
    assert [row["release"] for row in terminal.read("promote", "history", "demo")] == ["1.2.0", "1.1.0"]
    assert terminal.read("promote", "drift", "demo") == []
    assert terminal.read("promote", "run", "1.2.0", "demo")["text"] == "demo runs 1.2.0 already"


def test_a_stale_plan_exits_10_and_drift_exits_60(terminal: Terminal) -> None:
    planned = terminal.read("promote", "plan", "1.2.0", "demo")
    cell("demo").change(lambda state: state.update(schema="0002"))
    stale = terminal.read("promote", "run", "1.2.0", "demo", "--plan-hash", planned["plan_hash"], code=10)
    assert (stale["reason_code"], "observed.schema" in stale["text"]) == ("stale-plan", True)
    cell("demo").change(lambda state: state["colours"]["blue"].update(digest="sha256:" + "f" * 64))
    assert [row["what"] for row in terminal.read("promote", "drift", "demo", code=60)] == ["image"]
    assert terminal.read("promote", "plan", "1.2.0", "demo", code=60)["reason_code"] == "drift"
    assert terminal.read("promote", "run", "1.2.0", "demo", "--fix-forward")["state"] == "committed"


def test_a_frozen_environment_exits_40_unless_somebody_says_why_not(terminal: Terminal) -> None:
    terminal.policies(freeze=["Mon 00:00-Sun 00:00 UTC", "Sat 23:00-Mon 01:00 UTC"])
    assert "is frozen" in terminal.read("promote", "run", "1.2.0", "demo", code=40)["text"]
    assert terminal.read("promote", "run", "1.2.0", "demo", "--during-freeze", "the site is down")["options"]["during_freeze"] == "the site is down"


def test_another_person_approves_with_a_key(terminal: Terminal) -> None:
    terminal.policies(approvals={"count": 1})
    ada, bob, eve = terminal.key("ada"), terminal.key("bob"), terminal.key("eve", "editor")
    waiting = terminal.read("promote", "run", "1.2.0", "demo", "--key-file", ada, code=50)
    assert (waiting["state"], waiting["requested_by"], waiting["requester_authenticated"]) == ("awaiting_approval", "ada", True)
    words = ["promote", "approve", waiting["id"], "--plan-hash", waiting["plan_hash"], "--key-file"]
    own = terminal(*words, ada)
    assert (own.exit_code, "another person must decide" in own.output) == (50, True)
    assert "need the role operator" in terminal(*words, eve).output
    assert terminal(*words, "-", typed="aq_wrongprefix_" + "x" * 40).exit_code == 2
    assert terminal(*words[:4], "0" * 64, *words[5:], bob).exit_code == 2
    assert terminal(*words, "-", typed=Path(bob).read_text()).exit_code == 0
    assert terminal.read("promote", "run", "1.2.0", "demo", "--key-file", ada)["state"] == "committed"


def test_a_denied_plan_exits_50_with_the_reason(terminal: Terminal) -> None:
    terminal.policies(approvals={"count": 1})
    ada, bob = terminal.key("ada"), terminal.key("bob")
    waiting = terminal.read("promote", "run", "1.2.0", "demo", "--key-file", ada, code=50)
    words = ["promote", "approve", waiting["id"], "--plan-hash", waiting["plan_hash"], "--key-file", bob]
    assert terminal(*words, "--deny", "--reason", "not on a Friday").exit_code == 0
    assert "not on a Friday" in terminal.read("promote", "status", waiting["id"], code=50)["reason"]


def test_without_a_key_it_takes_one_approval_more(terminal: Terminal) -> None:
    terminal.policies(approvals={"count": 1})
    assert terminal.read("promote", "run", "1.2.0", "demo", code=50)["text"].startswith("2 more approvals by other people")


def test_rolling_back_and_what_there_is_no_way_back_from(terminal: Terminal) -> None:
    terminal.read("promote", "run", "1.2.0", "demo")
    back = terminal.read("promote", "rollback", "demo", "--reason", "readers complain")
    assert (back["kind"], back["release"], back["state"]) == ("rollback", "1.1.0", "committed")
    terminal.register(3, "0001", "0002", "!0003")
    terminal.policies(rollback_window="0s")
    terminal.read("promote", "run", "1.3.0", "demo")
    terminal.read("promote", "run", "1.3.0", "demo", "--kind", "contract")
    assert "1.1.0 cannot run after the contracting revision 0003" in terminal.read("promote", "rollback", "demo", code=10)["text"]


def test_the_audit_chain_verifies_and_tells_where_it_does_not(terminal: Terminal, ledger_url: str) -> None:  # noqa: F811
    report = terminal.read("promote", "audit", "verify")
    assert report["broken"] is None
    assert terminal.read("promote", "audit", "verify", "--head", report["head"])["rows"] == report["rows"]
    assert terminal.read("promote", "audit", "verify", "--head", "0" * 64, code=1)["broken"] == report["rows"] + 1
    with psycopg.connect(ledger_url) as db:
        db.execute("SET session_replication_role = replica")
        db.execute("UPDATE ledger.promotion_audit SET actor = 'eve' WHERE number = 4")
    assert "broken at row 4: row 4 was changed" in terminal("promote", "audit", "verify").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("promote", "run", "1.2.0", "production"), "environments.yaml says nothing about production"),
        (("promote", "run", "9.9.9", "demo"), "there is no release 9.9.9"),
        (("promote", "status", "nowhere"), "neither an environment nor the id"),
        (("promote", "status", "00000000-0000-0000-0000-000000000000"), "there is no promotion"),
        (("promote", "run", "1.2.0", "demo", "--key-file", "/nowhere/key"), "cannot read the key"),
    ],
)
def test_bad_input_exits_2_and_says_what_to_do(terminal: Terminal, words: tuple[str, ...], said: str) -> None:
    done = terminal(*words)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_promoting_from_the_wrong_place_is_refused(terminal: Terminal) -> None:
    text = (terminal.folder / "environments.yaml").read_text()
    (terminal.folder / "environments.yaml").write_text(json.dumps(json.loads(text) | {"development": json.loads(text)["demo"]}))
    done = terminal("promote", "run", "1.2.0", "development")
    assert (done.exit_code, "this is demo" in done.output) == (2, True)


# --- the file of policies


def test_the_file_that_is_shipped_is_valid() -> None:
    found = environments.load(Path(environments.__file__).parents[3] / "config" / "environments.yaml")
    assert list(found) == ["development", "staging", "production", "demo"]
    assert found["production"].promote_from is not None
    assert found["production"].weights == (10, 25, 50, 100)
    assert [dwell.total_seconds() for dwell in found["production"].dwells] == [300, 600, 600]
    assert {policy.target for policy in found.values()} == {"compose", "swarm", "kubernetes", "demo"}


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("demo", {"colour": "red"}, "demo.colour: Extra inputs"),
        ("demo", {"soak": "5 minutes"}, "demo.soak: Value error, '5 minutes' is no span"),
        ("demo", {"strategy": "yolo"}, "demo.strategy"),
        ("demo", {"parts": {"lunch": "none"}}, "parts.lunch is unknown"),
        ("demo", {"canary": {"weights": [10, 50], "dwells": ["1m"]}}, "must rise and end with 100"),
        ("demo", {"freeze": ["weekends"]}, "is no freeze window"),
        ("demo", {"promote_from": {"environment": "demo", "soak": "1h"}}, "is no other environment"),
        ("demo", {"approvals": {"count": -1}}, "demo.approvals.count"),
        ("production", {"target": "kubernetes"}, "parts.backups is none: what only pretends may not judge production"),
        ("staging", {}, "analysis.checks is empty"),
        ("nowhere", {}, "nowhere"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(tmp_path: Path, name: str, changes: dict[str, Any], said: str) -> None:
    file = tmp_path / "environments.yaml"
    file.write_text(json.dumps({name: {"target": "none", "strategy": "rolling"} | changes}))
    with pytest.raises(ConfigError, match=r"environments\.yaml|freeze window") as told:
        environments.load(file)
    assert said in str(told.value)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("8d", 691200)])
def test_spans(text: str, seconds: int) -> None:
    assert environments.span(text).total_seconds() == seconds


def test_names_that_nobody_registered_are_told(terminal: Terminal) -> None:
    terminal.policies(target="moon")
    assert "there is no 'moon'; there is none" in terminal("promote", "plan", "1.2.0", "demo").output
    terminal.policies(parts={"smoke": "cigar"})
    assert "demo.parts.smoke: there is no 'cigar'" in terminal("promote", "plan", "1.2.0", "demo").output


def test_staging_and_production_have_a_ledger_of_their_own(
    configured: Callable[..., settings.Settings], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opening.ledger_url() == database
    monkeypatch.setattr(settings, "current", lambda: settings.Settings.model_construct(environment=settings.Environment.STAGING, ledger_database_url=None))
    with pytest.raises(ConfigError, match="ledger_database_url is not set"):
        opening.ledger_url()


# --- real processes


def test_of_two_processes_one_promotes_and_the_other_exits_40(terminal: Terminal) -> None:
    terminal.policies(soak="4s")
    first = terminal.start("1.2.0")
    until(lambda: newest().under_way)
    second = terminal.start("1.2.0")
    said, _ = second.communicate(timeout=60)
    assert (second.returncode, "is locked for promotion" in said) == (40, True), said
    assert first.wait(60) == 0, first.communicate()


@pytest.mark.parametrize("state", [State.BACKED_UP, State.SHIFTING, State.SOAKING])
def test_a_killed_process_is_taken_up_by_another(terminal: Terminal, state: State) -> None:
    terminal.policies(soak="2s")
    before = len(acts())
    first = terminal.start("1.2.0")
    until(lambda: newest().state in list(State)[list(State).index(state) : list(State).index(State.ROLLED_BACK)])
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    second = terminal.start("1.2.0")
    said, _ = second.communicate(timeout=60)
    if second.returncode == 40:  # the dead one's lease was still good
        time.sleep(2.1)
        second = terminal.start("1.2.0")
        said, _ = second.communicate(timeout=60)
    assert second.returncode == 0, said
    done = [act.split("-")[0] for act in acts()[before:]]
    assert (done.count("backup pre"), done.count("migrate 0002")) == (1, 1)
    assert terminal.read("promote", "drift", "demo") == []


def test_a_process_that_was_stopped_and_comes_back_changes_nothing(terminal: Terminal) -> None:
    terminal.policies(soak="3s")
    old = terminal.start("1.2.0")
    until(lambda: newest().state is State.SOAKING)
    old.send_signal(signal.SIGSTOP)
    time.sleep(2.2)
    new = terminal.start("1.2.0")
    said, _ = new.communicate(timeout=60)
    assert new.returncode == 0, said
    done, rows = acts(), opening.ledger().audit_rows()
    old.send_signal(signal.SIGCONT)
    said, _ = old.communicate(timeout=60)
    assert old.returncode == 40, said
    assert (acts(), opening.ledger().audit_rows()) == (done, rows)


def test_an_engine_that_is_asked_to_end_gives_its_lease_back_at_once(terminal: Terminal) -> None:
    terminal.policies(soak="3s")
    program = [sys.executable, "-m", "aquascene.cli.main", "promote", "run", "1.2.0", "demo", "--policies", str(terminal.folder / "environments.yaml")]
    engine = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ))
    until(lambda: newest().state is State.SOAKING)
    engine.send_signal(signal.SIGTERM)
    said, _ = engine.communicate(timeout=60)
    assert (engine.returncode, "· soak" in said) == (130, True), said
    assert newest().state is State.SOAKING
    assert [row["state"] for row in terminal.read("promote", "resume")] == ["committed"]


def test_rolling_back_what_another_process_promotes(terminal: Terminal) -> None:
    terminal.policies(soak="30s")
    engine = terminal.start("1.2.0")
    until(lambda: newest().state is State.SOAKING)
    back = terminal.read("promote", "rollback", "demo", "--reason", "too slow", code=20)
    assert (back["state"], back["reason_code"]) == ("rolled_back", "stopped")
    assert "too slow" in back["reason"]
    assert engine.wait(60) == 20
    assert terminal.read("promote", "drift", "demo") == []
