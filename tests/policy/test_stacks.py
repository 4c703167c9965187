"""The Compose files and the Swarm stack: current, hardened, and alike; and the broken examples are refused."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments import server_settings
from scripts import render_stacks
from scripts.stack_rules import ROOT, findings, read

ROOT_FOLDER = Path(__file__).resolve().parents[2]
DOCKER = ROOT_FOLDER / "docker"
FILES = ("compose.yaml", "compose.test.yaml", "stack.yaml", "demo.yaml")
FIXTURES = sorted((ROOT_FOLDER / "tests" / "fixtures" / "stacks").glob("*.yaml"))
MODEL = render_stacks.load()


def services(name: str) -> dict[str, Any]:
    found: dict[str, Any] = read(DOCKER / name)["services"]
    return found


def test_files_are_what_the_model_renders() -> None:
    checked = subprocess.run([sys.executable, "-m", "scripts.render_stacks", "--check"], cwd=ROOT_FOLDER, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_a_changed_file_is_called_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for source in ("services.yaml", *FILES):
        (tmp_path / source).write_bytes((DOCKER / source).read_bytes())
    for config in MODEL["configs"].values():
        (tmp_path / config["file"]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / config["file"]).write_bytes((DOCKER / config["file"]).read_bytes())
    monkeypatch.setattr(render_stacks, "DOCKER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["render_stacks", "--check"])
    assert render_stacks.main() == 0
    (tmp_path / "redis" / "redis.sh").write_text("#!/bin/sh\nexit 1\n")  # a config's content is in its name
    assert render_stacks.main() == 1
    assert capsys.readouterr().out.splitlines() == ["stale, run `python scripts/render_stacks.py`: docker/stack.yaml"]


@pytest.mark.parametrize("name", FILES)
def test_every_file_keeps_the_rules(name: str) -> None:
    assert [str(finding) for finding in findings(read(DOCKER / name))] == []


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_broken_examples_are_refused(path: Path) -> None:
    expected = re.search(r"^# refused:(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert expected is not None
    assert Counter(finding.code for finding in findings(read(path))) == Counter(expected[1].split())


def test_there_is_a_broken_example_of_every_rule_but_the_plain_ones() -> None:
    codes = set(re.findall(r'Finding\(\s*"([a-z-]+)"', (ROOT_FOLDER / "scripts" / "stack_rules.py").read_text(encoding="utf-8")))
    shown = {code for path in FIXTURES for code in (re.search(r"^# refused:(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE) or [""])[1].split()}
    assert codes - shown == {"undeclared"}  # both engines refuse it by themselves


def test_nothing_of_ours_is_left_in_the_files() -> None:
    for name in FILES:
        for service in services(name).values():
            assert not set(render_stacks._OURS) & (set(service) - {"secrets", "configs"})


@pytest.mark.parametrize("name", FILES)
def test_our_image_runs_as_its_user(name: str) -> None:
    ours = [service for service in services(name).values() if "AQUASCENE_IMAGE" in service["image"]]
    assert ours
    assert {service["user"] for service in ours} == {"10001:10001"}


def test_root_has_a_reason() -> None:
    assert {name for name, service in MODEL["services"].items() if service.get("root_because")} == ROOT


def test_third_party_images_are_variables_with_an_exact_version() -> None:
    for service in MODEL["services"].values():
        if "role" not in service:
            assert re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-docker\.io/[a-z/.-]+:[\w.-]*\d+\.\d+[\w.-]*\}", service["image"]), service["image"]


def test_staging_takes_our_image_by_digest() -> None:
    image = services("stack.yaml")["web"]["image"]
    assert image.startswith("${AQUASCENE_IMAGE:?")
    assert "sha256" in image


@pytest.mark.parametrize("role", ["prefect-server", "prefect-services", "worker", "migrate", "apply"])
def test_prefects_processes_have_their_variables_and_secret_files(role: server_settings.Role) -> None:
    for name in ("compose.yaml", "compose.test.yaml", "stack.yaml"):
        service = services(name)[role]
        assert server_settings.environment(role).items() <= service["environment"].items()
        seen = {entry["source"] if isinstance(entry, dict) else entry for entry in service.get("secrets", [])}
        whole_folder = any(str(mount).startswith("flow-secrets:/run/secrets") for mount in service["volumes"])
        assert set(server_settings.SECRETS[role]) <= seen or whole_folder


def test_memory_follows_the_matrix() -> None:
    def limit(name: str, service: str) -> Any:
        return services(name)[service]["deploy"]["resources"]["limits"]["memory"]

    assert {limit("compose.yaml", name) for name in ("web", "worker", "prefect-server")} == {"2g"}
    assert {limit("stack.yaml", name) for name in ("web", "worker", "prefect-server")} == {"1g"}


def test_staging_has_what_the_matrix_promises() -> None:
    stack = services("stack.yaml")
    assert {name for name in ("web", "prefect-server") if stack[name]["deploy"]["replicas"] == 2} == {"web", "prefect-server"}
    assert {"postgres-replica", "router", "prometheus", "alertmanager", "grafana"} <= set(stack)
    assert "ACME" in str(stack["router"]["environment"])
    assert stack["migrate"]["deploy"]["mode"] == "replicated-job"
    drain = int(stack["web"]["environment"]["WEB__DRAIN_SECONDS"])
    assert int(stack["web"]["stop_grace_period"].removesuffix("s")) > drain + 5  # and time for the last requests
    refresh = int(stack["router"]["environment"]["TRAEFIK_PROVIDERS_SWARM_REFRESHSECONDS"])
    assert drain > refresh + 3  # the router hears of it before the process ends
    assert not any("docker.sock" in str(service["volumes"]) for name, service in stack.items() if name != "socket-proxy")


def test_flow_containers_see_their_folder_of_secrets_and_no_other() -> None:
    compose = read(DOCKER / "compose.yaml")
    assert compose["volumes"]["flow-secrets"]["driver_opts"]["device"].endswith("/flows")
    assert services("compose.yaml")["apply"]["environment"]["ORCHESTRATION__DOCKER_SECRETS_PATH"] == "${COMPOSE_PROJECT_NAME}_flow-secrets"
    flows = {name for name, secret in MODEL["secrets"].items() if secret.get("folder") == "flows"}
    assert not {name for name in flows if name.startswith(("prefect_server", "postgres", "grafana", "sandbox"))}


def test_secret_files_of_the_model_are_made() -> None:
    script = (DOCKER / "make_secrets.sh").read_text(encoding="utf-8")
    own = {"object_store_access_key", "object_store_secret_key", "openai_api_key", "anthropic_api_key", "sendgrid_api_key"}
    for name, secret in MODEL["secrets"].items():
        path = f"{secret['folder']}/{name}" if "folder" in secret else name
        assert re.search(rf"put {re.escape(path)}$", script, re.MULTILINE), name
    assert own <= set(MODEL["secrets"])


def test_secrets_are_made_once_and_strong(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    command = ["sh", str(DOCKER / "make_secrets.sh"), str(folder)]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert f"{len(files)} new files" in first.stdout
    assert (folder.stat().st_mode & 0o777) == 0o700
    for name in ("postgres_password", "flows/jwt_secret", "prefect_server_encryption_key"):
        assert len(files[name].strip()) >= 44
    assert files["prefect_server_api_auth_string"] == files["flows/prefect_api_auth_string"]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "0 new files" in again.stdout
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files
    (folder / "database_replica_url").unlink()
    subprocess.run(command, capture_output=True, check=True)
    password = files["flows/database_url"].split(b":")[2].split(b"@")[0]
    assert password in (folder / "database_replica_url").read_bytes()  # a file made later agrees with those that are there


def test_git_never_sees_a_secret() -> None:
    for path in ("docker/secrets/flows/jwt_secret", "docker/secrets/postgres_password", "docker/.env"):
        assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT_FOLDER, check=False).returncode == 0, path


def test_dashboard_and_rules_use_metrics_that_exist() -> None:
    source = "".join((ROOT_FOLDER / "aquascene" / "web" / name).read_text(encoding="utf-8") for name in ("metrics.py", "measures.py"))
    nouns = {"documents", "briefs", "drafts", "articles", "campaigns", "chunks", "deliveries", "subscribers"}
    texts = [(DOCKER / "grafana" / "aquascene.json").read_text(encoding="utf-8"), (DOCKER / "prometheus" / "rules.yml").read_text(encoding="utf-8")]
    for metric in {found for text in texts for found in re.findall(r"aquascene_[a-z_]+", text)}:
        plain = metric.removesuffix("_bucket")
        assert plain in source or plain.removeprefix("aquascene_") in nouns, metric


def test_every_alert_names_its_place_in_the_runbook() -> None:
    groups = yaml.safe_load((DOCKER / "prometheus" / "rules.yml").read_text(encoding="utf-8"))["groups"]
    for rule in [rule for group in groups for rule in group["rules"]]:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
