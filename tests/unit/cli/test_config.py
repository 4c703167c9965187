"""`aquascene config`: what it finds, whom it blames, and that no secret ever leaves it."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from aquascene.adapters import settings, settings_places
from aquascene.adapters.settings_fields import HIDDEN, is_secret, leaves, redact, values_of, variable_of
from aquascene.cli import main
from aquascene.cli.settings_docs import yaml_schema
from tests.production_settings import PRODUCTION

Configure = Callable[..., settings.Settings]
SECRETS = [key for key, field in leaves(settings.Settings).items() if is_secret(field)]
TEXTS = [key for key, value in values_of(settings.Settings()).items() if isinstance(value, str) or key.endswith("_url")]


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """The command sends the logs of its process to its own stderr, which is gone after the test."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def aquascene(*arguments: str) -> Result:
    """Call the command in this process."""
    return CliRunner().invoke(main.app, ["config", *arguments], catch_exceptions=False)


def parsed(*arguments: str) -> Any:
    return json.loads(aquascene(*arguments, "--json").stdout)


# --- check and show ----------------------------------------------------------------------------


def test_check_says_that_all_is_well(configured: Configure) -> None:
    configured(**PRODUCTION)
    done = aquascene("check")
    assert (done.exit_code, done.stdout) == (0, "the settings of production are valid\n")
    assert parsed("check") == {"environment": "production", "valid": True, "errors": [], "unchecked": []}


def test_check_tells_schema_errors_and_rules_in_one_report(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(**PRODUCTION)
    for name, value in {"DEBUG": "true", "LOG_LEVEL": "LOUD", "WEB__PRT": "1", "BACKUP__MODE": "daily"}.items():
        monkeypatch.setenv(name, value)
    done = aquascene("check")
    assert done.exit_code == 2
    assert done.stdout == ""
    for code in ("debug-off", "not-allowed", "unknown-key", "backup"):
        assert re.search(rf"^  {code}: [^;]+; .+$", done.stderr, re.MULTILINE), code
    report = parsed("check")
    assert report["valid"] is False
    assert {error["code"] for error in report["errors"]} == {"debug-off", "not-allowed", "unknown-key", "backup"}
    assert [error["key"] for error in report["errors"] if error["code"] == "unknown-key"] == ["web.prt"]


def test_check_names_what_staging_only_reports(configured: Configure) -> None:
    configured(**{name: PRODUCTION[name] for name in ("DATABASE_URL", "JWT_SECRET")}, ENVIRONMENT="staging")
    done = aquascene("check")
    assert done.exit_code == 2
    assert "(in staging these stop no process: https-url, image-digest, prefect-auth, redis, object-store, example-address)" in done.stderr
    assert {error["stops"] for error in parsed("check")["errors"]} == {False}


@pytest.mark.parametrize("environment", list(settings.Environment))
def test_check_of_the_shipped_files_in_ci(environment: str, configured: Configure) -> None:
    done = aquascene("check", "--environment", environment, "--without-secrets")
    assert done.exit_code == 0
    assert ("not checked" in done.stderr) == (environment in ("staging", "production"))


def test_check_tells_an_unreadable_secret_file(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY_FILE", "/no/such/file")
    done = aquascene("check")
    assert done.exit_code == 2
    assert "secret-file: cannot read the secret file /no/such/file (OPENAI_API_KEY_FILE) of openai_api_key" in done.stderr


def test_show_prints_every_setting_and_fails_softly_where_a_rule_is_broken(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(**PRODUCTION)
    assert set(parsed("show")) == set(leaves(settings.Settings))
    monkeypatch.setenv("DEBUG", "true")
    done = aquascene("show")
    assert done.exit_code == 1
    assert "debug = True" in done.stdout
    assert "`aquascene config check`" in done.stderr


# --- explain -----------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every place says something about web.port."""
    for name, text in {"base.yaml": "web: {port: 1}", "demo.yaml": "web: {port: 2}", "mine.yaml": "web: {port: 3}", "port": "5\n"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "web__port").write_text("4\n")
    monkeypatch.setattr(settings_places, "config_dir", lambda: tmp_path)
    variables = {"SECRETS_DIR": tmp_path / "secrets", "CONFIG_FILE": tmp_path / "mine.yaml", "WEB__PORT_FILE": tmp_path / "port", "WEB__PORT": 6}
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path


def test_explain_names_the_winner_and_the_losers(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = parsed("explain", "web.port")
    assert (answer["value"], answer["from"], answer["variable"]) == (6, "variable WEB__PORT", "WEB__PORT")
    assert [(one["place"], one["value"], one["wins"]) for one in answer["places"]] == [
        ("variable WEB__PORT", 6, True),
        (f"secret file {places}/port (WEB__PORT_FILE)", 5, False),
        (f"secret file {places}/secrets/web__port", 4, False),
        (f"{places}/mine.yaml (CONFIG_FILE)", 3, False),
        (f"{places}/base.yaml", 1, False),
        ("default", 8000, False),
    ]
    for variable, winner in (
        ("WEB__PORT", f"secret file {places}/port (WEB__PORT_FILE)"),
        ("WEB__PORT_FILE", f"secret file {places}/secrets/web__port"),
        ("SECRETS_DIR", f"{places}/mine.yaml (CONFIG_FILE)"),
        ("CONFIG_FILE", f"{places}/demo.yaml"),
    ):
        monkeypatch.setenv(variable, "")
        assert parsed("explain", "web.port")["from"] == winner
    assert f"from: {places}/demo.yaml\n" in aquascene("explain", "web.port").stdout
    assert parsed("explain", "web.burst_size")["from"] == "default"


def test_explain_says_what_a_null_removes(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (places / "mine.yaml").write_text("web: null")
    for name in ("WEB__PORT", "WEB__PORT_FILE", "SECRETS_DIR"):
        monkeypatch.setenv(name, "")
    answer = parsed("explain", "web.port")
    assert (answer["value"], answer["from"]) == (8000, "default")
    assert [one["place"] for one in answer["places"]] == [f"{places}/mine.yaml (CONFIG_FILE) (removes it)", f"{places}/base.yaml", "default"]


def test_explain_works_where_the_settings_do_not(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB__PORT", "eighty")
    assert parsed("explain", "web.port")["value"] == "eighty"


def test_explain_helps_with_a_wrong_name(configured: Configure) -> None:
    done = aquascene("explain", "database.pol_size")
    assert done.exit_code == 2
    assert "did you mean database.pool_size" in done.stderr


def test_explain_in_another_environment(configured: Configure) -> None:
    assert parsed("explain", "database.pool_size", "--environment", "production")["value"] == 25


# --- diff and schema ---------------------------------------------------------------------------


def test_diff_compares_files_and_nothing_else(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE__POOL_SIZE", "99")
    found = parsed("diff", "development", "staging")
    assert found["environments"] == ["development", "staging"]
    assert found["differences"]["database.pool_size"] == {"development": 5, "staging": 15}
    assert "web.port" not in found["differences"]
    assert "log_level: development 'DEBUG' -> staging 'INFO'\n" in aquascene("diff", "development", "staging").stdout
    assert parsed("diff", "demo", "demo")["differences"] == {}


def test_diff_refuses_files_that_are_not_valid(places: Path) -> None:
    (places / "staging.yaml").write_text("web: {prt: 1}")
    done = aquascene("diff", "demo", "staging")
    assert done.exit_code == 2
    assert f"unknown-key: web.prt in {places}/staging.yaml" in done.stderr


def test_schema_is_that_of_the_files(configured: Configure) -> None:
    assert json.loads(aquascene("schema").stdout) == yaml_schema(settings.Settings)


# --- no secret leaves --------------------------------------------------------------------------


def sentinel(key: str) -> str:
    return f"hush{''.join(key.split('.')).replace('_', '')}hush"


def everything_said(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> str:
    said = []
    for arguments in (
        *(("explain", key) for key in leaves(settings.Settings)),
        ("check",),
        ("show",),
        ("check", "--without-secrets"),
        ("check", "--environment", "production"),
        ("show", "--environment", "staging"),
        ("diff", "demo", "production"),
        ("diff", "demo", "development"),
    ):
        for done in (aquascene(*arguments), aquascene(*arguments, "--json")):
            said.append(done.output + done.stderr)
    try:
        said += [repr(config := settings.load()), str(config), *(f"{group!r} {group}" for group in (config.web, config.fetch))]
    except settings.ConfigError as exc:
        said += [str(exc), repr(exc)]
    captured = capsys.readouterr()
    return "\n".join([*said, captured.out, captured.err, caplog.text])


def assert_hushed(said: str) -> None:
    found = set(re.findall(r".{0,60}hush.{0,40}", said))
    assert not found
    assert HIDDEN in said


def test_no_secret_is_ever_said(configured: Configure, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Every secret setting holds a sentinel; every other text is a URL with a sentinel for its password."""
    caplog.set_level(logging.DEBUG)
    secret = {variable_of(key): sentinel(key) for key in SECRETS}
    urls = {variable_of(key): f"https://user:{sentinel(key)}@host.aquaplants.org/x?password={sentinel(key)}" for key in TEXTS}
    keep = {"ENVIRONMENT", "LOG_LEVEL", "LOG_FORMAT", *(variable_of(key) for key in leaves(settings.Settings) if key.endswith(("mode", "policy", "pool")))}
    database = {variable_of(key): f"postgresql://u:{sentinel(key)}@h/d" for key in SECRETS if "database" in key}
    configured(**{name: value for name, value in (urls | secret | database).items() if name not in keep})
    assert_hushed(everything_said(capsys, caplog))


def test_no_secret_file_is_ever_said(configured: Configure, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    for key in SECRETS:
        (tmp_path / key).write_text(f"postgresql://user:{sentinel(key)}@h/d\n")
    configured(SECRETS_DIR=str(tmp_path), ENVIRONMENT="demo")
    assert_hushed(everything_said(capsys, caplog))


def test_no_secret_in_yaml_is_ever_said(
    configured: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody should put one there; when somebody does, it is not repeated, not even in a comparison or an error."""
    tree: dict[str, Any] = {}
    for key in SECRETS:
        group, _, name = key.rpartition(".")
        (tree.setdefault(group, {}) if group else tree)[name] = sentinel(key)
    text = json.dumps(tree)
    for name in ("base", *settings.Environment):
        (tmp_path / f"{name}.yaml").write_text(text if name in ("demo", "production") else "")
    monkeypatch.setattr(settings_places, "config_dir", lambda: tmp_path)
    assert_hushed(everything_said(capsys, caplog))
    differences = parsed("diff", "demo", "development")["differences"]
    assert differences["openai_api_key"] == {"demo": HIDDEN, "development": None}


def test_no_value_is_repeated_when_it_is_refused(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in the wrong variable: it might be a key that was pasted one line too high."""
    for key in leaves(settings.Settings):
        if key != "environment":
            monkeypatch.setenv(variable_of(key), "hush-hush")
    for arguments in (("check",), ("show",), ("check", "--environment", "production"), ("check", "--environment", "staging")):
        done = aquascene(*arguments)
        assert done.exit_code == 2
        assert "hush" not in done.output
        assert done.stderr.count("\n") > 50


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("https://user:pass@host/path", f"https://{HIDDEN}@host/path"),
        ("https://token@host", f"https://{HIDDEN}@host"),
        ("redis://:p@ss/w:rd@host:1/0", f"redis://{HIDDEN}@host:1/0"),
        ("https://u:two words@host", f"https://{HIDDEN}@host"),
        ("s3+https://host/bucket?region=eu&secret_key=abc&x=1", f"s3+https://host/bucket?region=eu&secret_key={HIDDEN}"),
        ("https://host/path?region=eu", "https://host/path?region=eu"),
        ("Bot/1.0 (+https://aquaplants.org/bot) bot@aquaplants.org", "Bot/1.0 (+https://aquaplants.org/bot) bot@aquaplants.org"),
        ("newsletter@aquaplants.org", "newsletter@aquaplants.org"),
    ],
)
def test_redaction(text: str, becomes: str) -> None:
    assert redact(text) == becomes


# --- a process with a broken rule does not start -----------------------------------------------


@pytest.mark.parametrize("module", ["aquascene.web", "aquascene.cli.main"])
def test_a_process_of_production_with_broken_rules_does_not_start(module: str, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "PYTHONPATH")}
    environment = clean | PRODUCTION | {"SECRETS_DIR": str(tmp_path), "AQUASCENE_HOME": str(tmp_path / "home"), "IMAGE": "aquascene:latest", "DEBUG": "1"}
    arguments = ["sources", "list"] if module.endswith("main") else []
    done = subprocess.run([sys.executable, "-m", module, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "debug-off: " in done.stderr
    assert "image-digest: " in done.stderr
    assert PRODUCTION["JWT_SECRET"] not in done.stderr + done.stdout
