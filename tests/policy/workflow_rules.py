"""What a workflow of ours must be, each rule by its name; test_workflows.py holds our files and the broken examples to them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

Node = dict[str, Any]
USES = re.compile(r"^\s*(?:-\s+)?uses:\s*(?P<action>\S+?)(?:@(?P<ref>\S+))?\s*(?:#\s*(?P<comment>.*))?$", re.MULTILINE)
PINNED = re.compile(r"[0-9a-f]{40}")
VERSION = re.compile(r"v\d+\.\d+\.\d+")
_EXPRESSION = re.compile(r"\$\{\{")
# How a release is brought out is the promotion's business, and the same from a laptop, from CI and from the UI.
_DEPLOYS = re.compile(r"\b(docker|docker-compose|kubectl|helm|ssh|scp|rsync|ansible\S*|kustomize)\b")
_MUTABLE = re.compile(r"(?:image[=:]\s*|^\s*docker (?:run|pull) .*)\S+:latest\b", re.MULTILINE)


class Workflow:
    """One workflow: its text, and what it says."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text(encoding="utf-8")
        self.top: Node = yaml.safe_load(self.text)
        self.jobs: dict[str, Node] = self.top["jobs"]

    @property
    def events(self) -> set[str]:
        """What starts it; YAML 1.1 reads the key `on` as true."""
        given: Any = self.top.get("on", self.top.get(True))  # type: ignore[call-overload]
        return set(given) if isinstance(given, dict | list) else {given}

    def steps(self, job: Node) -> list[Node]:
        """The steps of a job; none where it calls another workflow."""
        steps: list[Node] = job.get("steps", [])
        return steps

    def all_steps(self) -> Iterator[Node]:
        """The steps of all jobs."""
        for job in self.jobs.values():
            yield from self.steps(job)

    def runs(self, job: Node) -> str:
        """All commands of a job."""
        return "\n".join(str(step.get("run", "")) for step in self.steps(job))


def action(step: Node) -> str:
    """The action of a step without its version."""
    return str(step.get("uses", "")).split("@")[0]


def unpinned_action(flow: Workflow) -> bool:
    """An action or image that somebody else can change."""
    used = [match for match in USES.finditer(flow.text) if not match["action"].startswith("$/")]
    images = [str(job["container"]["image"]) for job in flow.jobs.values() if "container" in job]
    return any(not PINNED.fullmatch(match["ref"] or "") for match in used) or any("@sha256:" not in image for image in images)


def no_version_comment(flow: Workflow) -> bool:
    """A pinned action that does not say which version it is."""
    used = [match for match in USES.finditer(flow.text) if not match["action"].startswith("$/")]
    return any(not VERSION.fullmatch((match["comment"] or "").strip()) for match in used)


def broad_permissions(flow: Workflow) -> bool:
    """A token that may do more than its job needs: nothing at the top, and each job names its own."""
    return flow.top.get("permissions") != {} or any("permissions" not in job for job in flow.jobs.values())


def registry_login_without_right(flow: Workflow) -> bool:
    """A job that pushes with the run's own token and was not given the right to."""
    logs_in = (job for job in flow.jobs.values() if any(action(step) == "docker/login-action" for step in flow.steps(job)))
    return any((job.get("permissions") or {}).get("packages") != "write" for job in logs_in)


def no_timeout(flow: Workflow) -> bool:
    """A job that may hang for six hours."""
    return any("timeout-minutes" not in job for job in flow.jobs.values() if "uses" not in job)


def no_concurrency(flow: Workflow) -> bool:
    """Two runs at once; one that is only called may have it on its jobs."""
    on_jobs = flow.events == {"workflow_call"} and all("concurrency" in job for job in flow.jobs.values())
    return "concurrency" not in flow.top and not on_jobs


def deployment_may_be_cut_off(flow: Workflow) -> bool:
    """A deployment without a group of its environment, or one that a newer run cancels."""
    guards = [job.get("concurrency", {}) for job in flow.jobs.values() if "environment" in job]
    return any(guard.get("cancel-in-progress") is not False or not str(guard.get("group")).startswith("deploy-") for guard in guards)


def credentials_persist(flow: Workflow) -> bool:
    """A checkout that leaves the token in .git/config for every later step."""
    return any(step.get("with", {}).get("persist-credentials") is not False for step in flow.all_steps() if action(step) == "actions/checkout")


def expression_in_run(flow: Workflow) -> bool:
    """An expression inside a command: a secret on a command line, or somebody's text as code; env is the way."""
    return any(_EXPRESSION.search(str(step.get("run", ""))) for step in flow.all_steps())


def secret_for_pull_requests(flow: Workflow) -> bool:
    """A secret where code of a fork runs."""
    named = set(re.findall(r"secrets\.(\w+)", flow.text)) - {"GITHUB_TOKEN"}
    return "pull_request_target" in flow.events or bool("pull_request" in flow.events and named)


def stored_cloud_credentials(flow: Workflow) -> bool:
    """A key of a cluster or a host that lies in the repository's secrets."""
    return bool(re.search(r"secrets\.\w*(KUBE_?CONFIG|SSH|_HOST|ACCESS_KEY|PRIVATE_KEY|PASSWORD)\b", flow.text))


def deployment_logic(flow: Workflow) -> bool:
    """A deployment that is done by commands of the workflow instead of by a promotion."""
    return any(_DEPLOYS.search(flow.runs(job)) for job in flow.jobs.values() if "environment" in job)


def deploys_without_promotion(flow: Workflow) -> bool:
    """A job of an environment that does not start and wait for the promotion: no lock, no migrations, no way back."""
    return any("deployments.run_and_wait" not in flow.runs(job) for job in flow.jobs.values() if "environment" in job)


def reports_its_own_status(flow: Workflow) -> bool:
    """A notification that tells how the notifying job does, which is always well."""
    return "job.status" in flow.text


def notification_counts(flow: Workflow) -> bool:
    """A notification that is left out after a failure, or whose own failure turns the deployment red."""
    named = {name: job for name, job in flow.jobs.items() if "notify" in name}
    return any("always()" not in str(job.get("if", "")) or job.get("continue-on-error") is not True for job in named.values())


def two_names_for_one_image(flow: Workflow) -> bool:
    """Images tagged with the short commit id and deployed by the long one: they are never found. A digest has one form."""
    return "type=sha" in flow.text and any("github.sha" in flow.runs(job) for job in flow.jobs.values())


def mutable_image(flow: Workflow) -> bool:
    """An image by a name that means another one tomorrow."""
    return any(_MUTABLE.search(flow.runs(job)) for job in flow.jobs.values())


def gone_program(flow: Workflow) -> bool:
    """A program that the runners no longer have."""
    return any(re.search(r"\bdocker-compose\b(?!\S*\.ya?ml)\s", flow.runs(job)) for job in flow.jobs.values())


def unreachable_service(flow: Workflow) -> bool:
    """A service that is looked for on localhost without a published port."""
    outside = [job for job in flow.jobs.values() if "container" not in job]
    return any("ports" not in service for job in outside for service in job.get("services", {}).values())


def built_and_never_tested(flow: Workflow) -> bool:
    """A part that is built and pushed while no job tests it."""
    built = {str(name) for job in flow.jobs.values() for name in job.get("strategy", {}).get("matrix", {}).get("service", [])}
    tested = "\n".join(flow.runs(job) for name, job in flow.jobs.items() if "test" in name)
    return any(name not in tested for name in built)


RULES: dict[str, Callable[[Workflow], bool]] = {
    rule.__name__.replace("_", "-"): rule
    for rule in (
        unpinned_action,
        no_version_comment,
        broad_permissions,
        registry_login_without_right,
        no_timeout,
        no_concurrency,
        deployment_may_be_cut_off,
        credentials_persist,
        expression_in_run,
        secret_for_pull_requests,
        stored_cloud_credentials,
        deployment_logic,
        deploys_without_promotion,
        reports_its_own_status,
        notification_counts,
        two_names_for_one_image,
        mutable_image,
        gone_program,
        unreachable_service,
        built_and_never_tested,
    )
}


def broken(path: Path) -> set[str]:
    """The names of the rules that a workflow breaks."""
    flow = Workflow(path)
    return {name for name, rule in RULES.items() if rule(flow)}
