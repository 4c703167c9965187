"""Each linter, as lint_deploy.sh runs it, refuses an example of what it is there for."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".venv-tools" / "bin"
EXAMPLES = ROOT / "tests" / "fixtures" / "workflows"


def lint(*command: str | Path) -> str:
    """Run a linter from the root, where its configuration is; it must find something. Returns what it says."""
    ran = subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode != 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("FROM python\nUSER 10001:10001\n", "DL3006"),
        ("FROM python:latest\nUSER 10001:10001\n", "DL3007"),
        ("FROM python:3.13.1\nRUN apt-get update && apt-get install curl\nUSER 10001:10001\n", "DL3008"),
        ("FROM python:3.13.1\nUSER root\n", "DL3002"),
        ("FROM python:3.13.1\nADD . /app\nUSER 10001:10001\n", "DL3020"),
    ],
    ids=["no-tag", "latest", "unpinned-package", "root", "add"],
)
def test_hadolint_refuses(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "Dockerfile").write_text(text, encoding="utf-8")
    assert rule in lint("hadolint", tmp_path / "Dockerfile")


@pytest.mark.parametrize("audit", ["unpinned-uses", "excessive-permissions", "artipacked", "archived-uses", "template-injection"])
def test_zizmor_refuses_the_broken_workflow(audit: str) -> None:
    said = lint("zizmor", "--offline", "--strict-collection", "--persona", "auditor", "--no-progress", EXAMPLES / "deploy.yml")
    assert f"[{audit}]" in said


@pytest.mark.parametrize(("name", "rule"), [("blue-green-deploy.sh", "SC2181"), ("blue-green-deploy.sh", "SC2086"), ("deploy.sh", "SC2086")])
def test_shellcheck_refuses_the_broken_scripts(name: str, rule: str) -> None:
    assert rule in lint("shellcheck", EXAMPLES / name)


@pytest.mark.parametrize(
    ("text", "rule"),
    [("a: 1\na: 2\n", "key-duplicates"), ("a:\n   b: 1\n  \n", "trailing-spaces"), (f"a: {'word ' * 40}end\n", "line-length"), ("a: yes\n", "truthy")],
)
def test_yamllint_refuses(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "file.yaml").write_text(text, encoding="utf-8")
    assert rule in lint("yamllint", "--strict", "-c", ROOT / ".yamllint", tmp_path / "file.yaml")


def test_checkov_refuses_a_bare_pod(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\nspec:\n  containers:\n    - {name: a, image: 'a:latest'}\n", encoding="utf-8"
    )
    said = lint("checkov", "--framework", "kubernetes", "-d", tmp_path)
    assert "CKV_K8S_22" in said  # a root file system that can be written to
    assert "CKV_K8S_14" in said  # an image that means another one tomorrow


def test_checkov_refuses_a_container_of_root(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:3.13.1\nRUN pip --version\n", encoding="utf-8")
    assert "CKV_DOCKER_3" in lint("checkov", "--framework", "dockerfile", "-f", tmp_path / "Dockerfile")
