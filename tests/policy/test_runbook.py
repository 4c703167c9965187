"""Every alert and every automation that tells of trouble has a section in the runbook, and alerts point to theirs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.automations import wanted_automations

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = re.findall(r"^## (.+)$", (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"), re.MULTILINE)
# These start the next stage; nothing is wrong when they fire.
EVERYDAY = {"review-ready-draft", "publish-approved-draft"}


def alerts() -> dict[str, dict[str, Any]]:
    stacks = yaml.safe_load((ROOT / "docker" / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
    objects = [part for path in (ROOT / "k8s" / "components" / "monitoring").glob("*.yaml") for part in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    cluster = [part["spec"] for part in objects if part["kind"] == "PrometheusRule"]
    rules = [rule for file in (stacks, *cluster) for group in file["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


@pytest.mark.parametrize("name", sorted(alerts()))
def test_alert_has_its_section_and_points_to_it(name: str) -> None:
    assert name in SECTIONS
    rule = alerts()[name]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["runbook_url"].endswith(f"docs/runbook.md#{name.lower()}")


def test_automation_has_its_section() -> None:
    names = {wanted.name.removeprefix("aquascene-production-") for wanted in wanted_automations("production")} - EVERYDAY
    assert {f"Automation {name}" for name in names} <= set(SECTIONS)


def test_no_section_is_left_over() -> None:
    automations = {f"Automation {wanted.name.removeprefix('aquascene-production-')}" for wanted in wanted_automations("production")}
    assert set(SECTIONS) <= set(alerts()) | automations
