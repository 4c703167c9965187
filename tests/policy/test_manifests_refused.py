"""The broken examples of the requirement, and others of their kind: each is refused, for the reason that it shows.

An example is put into the rendered production set, which has everything else right, so that what is found is its own.
"""

import re
from pathlib import Path

import pytest

from scripts.manifests_rules import findings
from scripts.manifests_schema import NEWEST, OLDEST, problems
from scripts.manifests_set import Finding, Manifests, Node, read

ROOT = Path(__file__).resolve().parents[2]
BROKEN = sorted((ROOT / "tests" / "fixtures" / "manifests" / "broken").glob("*.yaml"))
PRODUCTION = read(ROOT / "k8s" / "rendered" / "production.yaml")


def said(path: Path, key: str) -> list[str]:
    return re.findall(rf"^# {key}: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def name(document: Node) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def refusals(path: Path, minor: str) -> list[Finding]:
    own = read(path)
    away = {name(document) for document in own} | set(said(path, "without"))
    rest = [document for document in PRODUCTION if name(document) not in away]
    return [problem for document in own for problem in problems(document, minor)] + findings(Manifests(rest + own))


def test_the_set_that_examples_are_put_into_is_right() -> None:
    assert findings(Manifests(PRODUCTION)) == []


@pytest.mark.parametrize("minor", [OLDEST, NEWEST])
@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_example_is_refused_with_its_reason(path: Path, minor: str) -> None:
    found = refusals(path, minor)
    assert {finding.code for finding in found} == set(" ".join(said(path, "refused")).split()), [str(finding) for finding in found]
    for reason in said(path, "because"):
        assert any(reason in str(finding) for finding in found), reason


def test_every_rule_has_an_example_that_breaks_it() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "scripts").glob("manifests_*.py")]
    codes = {code for source in sources for code in re.findall(r'Finding\(\s*"([a-z0-9-]+)"', source)}
    shown = {code for path in BROKEN for code in " ".join(said(path, "refused")).split()}
    assert codes - shown == {"placeholder"}  # the reference copies themselves, see test_manifests_fit
    assert shown <= codes
