"""The Compose stack as a test sees it: its services, its Prefect API, its database, its secrets."""

import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.engine.docker_engine import Done, Engine

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker" / "compose.test.yaml"
PROJECT = "com.docker.compose.project"
FINAL = {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}


@dataclass(frozen=True)
class ComposeStack:
    """One project of docker/compose.test.yaml, with secrets of its own."""

    engine: Engine
    project: str
    secrets: Path
    variables: dict[str, str]

    def compose(self, *arguments: str, check: bool = True, timeout: float = 600, stdin: str | None = None) -> Done:
        """Run one docker compose command in this project."""
        command = ("compose", "--project-name", self.project, "--file", str(FILE), "--ansi", "never", *arguments)
        return self.engine.call(*command, check=check, timeout=timeout, stdin=stdin, environment=self.variables)

    def url(self, service: str, port: int) -> str:
        """The address on this machine of a service's port."""
        return f"http://{self.compose('port', service, str(port)).stdout.strip()}"

    def containers(self) -> dict[str, dict[str, Any]]:
        """What the engine tells about every container of the project, by service."""
        ids = self.engine.output("ps", "--all", "--quiet", "--filter", f"label={PROJECT}={self.project}").split()
        found = json.loads(self.engine.output("inspect", *ids)) if ids else []
        return {entry["Config"]["Labels"]["com.docker.compose.service"]: entry for entry in found}

    def flow_containers(self) -> list[dict[str, Any]]:
        """The same about the containers of flow runs, which are the worker's and not Compose's."""
        ids = self.engine.output("ps", "--all", "--quiet", "--filter", "label=io.prefect.flow-run-id", "--filter", f"network={self.project}_backend").split()
        done = self.engine.call("inspect", *ids, check=False) if ids else None  # one may be gone already
        return list(json.loads(done.stdout or "[]")) if done else []

    def rows(self, statement: str) -> list[list[str]]:
        """Ask the product's database, in its own container."""
        script = 'psql "$(cat /run/secrets/database_url)" --no-psqlrc --tuples-only --no-align --field-separator="|" --command="$1"'
        printed = self.compose("exec", "-T", "postgres", "sh", "-c", script, "sh", statement).stdout
        return [line.split("|") for line in printed.splitlines() if line]

    def secret_values(self) -> dict[str, str]:
        """Every secret that is long enough to be looked for; "sandbox" stands for no key."""
        found = {path.name: path.read_text(encoding="utf-8").strip() for path in self.secrets.rglob("*") if path.is_file()}
        passwords = {f"password of {name}": value.split(":")[2].split("@")[0] for name, value in found.items() if "://" in value and "@" in value}
        private = {name: value for name, value in found.items() if len(value) > 16 and name != "sendgrid_webhook_public_key"}
        operator = {"password of the operator": found["prefect_api_auth_string"].partition(":")[2]}
        return private | passwords | operator

    def prefect(self) -> httpx.Client:
        """A client of the Prefect API, signed in and with a token for changes, as any client needs."""
        user, _, password = (self.secrets / "flows" / "prefect_api_auth_string").read_text(encoding="utf-8").partition(":")
        client = httpx.Client(base_url=self.url("prefect-server", 4200) + "/api", auth=(user, password), timeout=60, trust_env=False)
        name = str(uuid4())
        token = client.get("/csrf-token", params={"client": name}).raise_for_status().json()["token"]
        client.headers.update({"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": name})
        return client

    def key(self, role: str) -> str:
        """An API key, made as a person makes it."""
        made = self.compose("exec", "-T", "web", "aquascene", "keys", "create", f"test-{role}", "--role", role, "--json").stdout
        return str(json.loads(made)["key"])


@dataclass
class Editor:
    """A person at the desk: approves what the checks let through, by the HTTP API."""

    url: str
    key: str
    decided: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Look for drafts in review and decide, until told to stop."""
        with httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30, trust_env=False) as api:
            while not self.stop.wait(2):
                for item in api.get("/api/v1/content", params={"state": "in_review", "limit": 50}).raise_for_status().json()["items"]:
                    self._decide(api, f"/api/v1/content/{item['id']}/versions/{item['version']}")

    def _decide(self, api: httpx.Client, path: str) -> None:
        draft = api.get(path).raise_for_status().json()["draft"]
        decision = "reject" if draft["blocked"] else "approve"
        verdict = {"decision": decision, "content_sha256": draft["content_sha256"], "note": "Read by a test."}
        self.decided += api.post(f"{path}/verdicts", json=verdict).is_success


@dataclass
class Job:
    """One run of `pipeline`, and every flow container that was seen meanwhile."""

    run: dict[str, Any]
    seconds: float
    containers: dict[str, dict[str, Any]]


def run_pipeline(stack: ComposeStack, prefect: httpx.Client, patience_seconds: float) -> Job:
    """Start the deployment, look at its containers until it has ended, then until those that it started have, too."""
    deployment = prefect.get("/deployments/name/pipeline/development").raise_for_status().json()["id"]
    body = {"parameters": {"wait_for_verdicts_seconds": 600}, "state": {"type": "SCHEDULED"}}
    run_id = prefect.post(f"/deployments/{deployment}/create_flow_run", json=body).raise_for_status().json()["id"]
    began = time.monotonic()
    seen: dict[str, dict[str, Any]] = {}
    while True:
        seen |= {entry["Id"]: entry for entry in stack.flow_containers()}
        run = prefect.get(f"/flow_runs/{run_id}").raise_for_status().json()
        if run["state_type"] in FINAL or time.monotonic() - began > patience_seconds:
            return Job(run, time.monotonic() - began, seen)
        time.sleep(1)


def everything_prefect_tells(prefect: httpx.Client) -> str:
    """All that a client with the password may read about runs, pools and what they hold."""
    kinds = ("flow_runs", "deployments", "artifacts", "logs", "work_pools", "work_queues", "block_documents", "variables", "task_runs", "automations")
    texts = []
    for kind in kinds:
        answer = prefect.post(f"/{kind}/filter", json={"limit": 200})
        if answer.status_code == 200:
            texts.append(f"{kind}: {answer.text}")
    assert len(texts) >= len(kinds) - 1, [text[:40] for text in texts]
    return "\n".join(texts)


def environment_without_ours() -> dict[str, str]:
    """This process's variables without those that the file reads, so that a developer's own do not decide."""
    return {name: "" for name in ("SECRETS_PATH", "WEB_PORT", "PREFECT_PORT", "SANDBOX_PORT", "OBJECT_STORE_URL") if name in os.environ}
