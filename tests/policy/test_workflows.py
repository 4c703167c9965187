"""Our workflows and scripts keep to the rules; the examples of what is wrong are refused by name."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.policy import script_rules, workflow_rules
from tests.policy.workflow_rules import USES, Workflow

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXAMPLES = ROOT / "tests" / "fixtures" / "workflows"
TABLE = ROOT / "docs" / "decisions" / "0006-pinned-actions.md"


def workflow(name: str) -> Workflow:
    return Workflow(ROOT / ".github" / "workflows" / f"{name}.yml")


def scripts() -> list[Path]:
    named = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.sh", ".ci/run"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return [ROOT / name for name in named if not name.startswith("tests/fixtures/") and (ROOT / name).exists()]


def test_the_workflows_are_there() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "deploy", "promote", "release"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_our_workflows_keep_to_the_rules(path: Path) -> None:
    assert workflow_rules.broken(path) == set()


def test_the_broken_example_breaks_every_rule() -> None:
    assert workflow_rules.broken(EXAMPLES / "deploy.yml") == set(workflow_rules.RULES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("deploy.sh", {"never-returns", "mutable-default", "gone-program", "healthy-or-never", "missing-script"}),
        (
            "blue-green-deploy.sh",
            {
                "dead-rollback",
                "rewrites-every-image",
                "applies-everything",
                "burns-the-bridge",
                "guesses-the-first-colour",
                "unpinned-helper",
                "missing-script",
            },
        ),
    ],
)
def test_the_broken_scripts_are_refused_by_name(name: str, expected: set[str]) -> None:
    assert script_rules.broken(EXAMPLES / name, ROOT) == expected


def test_our_scripts_keep_to_the_rules() -> None:
    assert {path.name: found for path in scripts() if (found := script_rules.broken(path, ROOT))} == {}


def test_scripts_that_workflows_and_makefile_call_exist() -> None:
    callers = [*WORKFLOWS, ROOT / "Makefile", ROOT / ".ci" / "run"]
    assert {path.name: missing for path in callers if (missing := script_rules.missing_scripts(path.read_text("utf-8"), ROOT))} == {}


def test_targets_that_workflows_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    made = {target for path in WORKFLOWS for step in Workflow(path).all_steps() for target in re.findall(r"(?:^|&& )make ([a-z-]+)", str(step.get("run", "")))}
    assert made <= targets


def verified() -> dict[tuple[str, str], str]:
    rows = re.findall(r"^\| `([\w./-]+)` \| (v[\d.]+) \| `([0-9a-f]{40})` \|", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    return {(action, version): commit for action, version, commit in rows}


def test_every_pin_is_in_the_table_of_verified_ones() -> None:
    table = verified()
    used = {(match["action"], str(match["comment"]).strip(), match["ref"]) for path in WORKFLOWS for match in USES.finditer(path.read_text("utf-8"))}
    ours = {entry for entry in used if not entry[0].startswith("$/")}
    assert {(action, version): ref for action, version, ref in ours} == table


def test_only_release_jobs_may_write() -> None:
    writes = {
        (path.stem, name, scope)
        for path in WORKFLOWS
        for name, job in Workflow(path).jobs.items()
        for scope, right in job["permissions"].items()
        if right == "write"
    }
    assert writes == {
        ("release", "image", "packages"),
        ("release", "image", "id-token"),
        ("release", "describe", "packages"),
        ("release", "describe", "id-token"),
        ("release", "publish", "contents"),
    }


def test_ci_waits_for_every_job() -> None:
    jobs = workflow("ci").jobs
    assert set(jobs["passed"]["needs"]) == set(jobs) - {"passed"}
    assert jobs["passed"]["if"] == "${{ always() }}"  # a skipped job must not pass for a success


def test_ci_has_the_jobs_that_are_promised() -> None:
    commands = workflow("ci")
    everything = "\n".join(commands.runs(job) for job in commands.jobs.values())
    for command in ("make lint", "make lint-deploy", "make test", "make test-engine", "scripts/old_code_new_schema.sh"):
        assert command in everything, command
    assert commands.jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_a_release_is_tested_built_once_signed_and_described() -> None:
    jobs = workflow("release").jobs
    assert jobs["ci"]["uses"] == "$/.github/workflows/ci.yml"
    assert [jobs[name]["needs"] for name in ("image", "describe", "publish", "deploy")] == [["ci"], ["image"], ["describe"], ["publish"]]
    builds = [step for job in jobs.values() for step in job.get("steps", []) if "build-push-action" in step.get("uses", "")]
    (build,) = builds
    given: dict[str, Any] = build["with"]
    assert (given["provenance"], given["sbom"], given["platforms"]) == ("mode=max", True, "linux/amd64,linux/arm64")
    assert "push-by-digest=true" in given["outputs"]
    assert "tags" not in given  # the name is given to the digest after it was signed
    commands = "\n".join(str(step.get("run", "")) for job in jobs.values() for step in job.get("steps", []))
    for command in ("cosign sign --yes", "cosign verify", "cosign attest", "scripts/release_json.py", "gh release create"):
        assert command in commands, command
    assert commands.index("cosign sign --yes") < commands.index("imagetools create")


def test_deploy_is_staging_then_production_then_the_message() -> None:
    jobs = workflow("deploy").jobs
    assert [jobs[name]["with"]["environment"] for name in ("staging", "production")] == ["staging", "production"]
    assert jobs["production"]["needs"] == ["staging"]
    assert set(jobs["notify"]["needs"]) == {"staging", "production"}
    (message,) = [step for step in jobs["notify"]["steps"] if "notify_slack" in step.get("run", "")]
    assert message["env"]["NEEDS"] == "${{ toJSON(needs) }}"


def test_deployments_run_no_tool_of_their_own() -> None:
    commands = "\n".join(workflow(name).runs(job) for name in ("deploy", "promote") for job in workflow(name).jobs.values())
    assert not re.findall(r"\b(docker|kubectl|ssh|scp|helm|kustomize|curl)\b", commands)
    assert "deployments.run_and_wait" in commands


def test_deployment_notification_comes_after_everything_and_counts_for_nothing() -> None:
    notify = workflow("deploy").jobs["notify"]
    assert (notify["if"], notify["continue-on-error"]) == ("${{ always() }}", True)
    assert "job.status" not in (ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")


def test_dependabot_moves_the_pins() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"github-actions", "docker"}
