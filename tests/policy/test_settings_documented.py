"""Every setting says what it means, and the generated pages and files are what the settings say."""

import json
import re

import jsonschema
import pytest

from aquascene.adapters.production_rules import RULES
from aquascene.adapters.resources import config_dir
from aquascene.adapters.settings import Environment, Settings, read_yaml
from aquascene.cli.settings_docs import markdown, undescribed, yaml_schema

DOCS = config_dir().parent / "docs"
FILES = ["base", *Environment]


def test_every_setting_has_a_description() -> None:
    assert undescribed(Settings) == []


def test_configuration_page_is_current() -> None:
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == markdown(Settings), "run `make docs`"


def test_secrets_are_marked_and_never_shown() -> None:
    text = markdown(Settings)
    assert "| `jwt_secret` | `JWT_SECRET` | none |" in text
    row = next(line for line in text.splitlines() if line.startswith("| `openai_api_key`"))
    assert row.endswith("**Secret.** |")
    assert "| `database.pool_size` | `DATABASE__POOL_SIZE` | `5` |" in text


@pytest.mark.parametrize("name", FILES)
def test_files_fit_the_committed_schema_and_name_it(name: str) -> None:
    path = config_dir() / f"{name}.yaml"
    schema = json.loads((config_dir() / "schema.json").read_text(encoding="utf-8"))
    assert schema == yaml_schema(Settings), "run `make docs`"
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")
    jsonschema.Draft202012Validator(schema).validate(read_yaml(path))


@pytest.mark.parametrize(
    ("instance", "valid"), [({"web": None}, True), ({"web": {"metrics_port": None}}, True), ({"web": {"prt": 1}}, False), ({"x": 1}, False)]
)
def test_the_schema_takes_nulls_and_no_unknown_keys(instance: dict[str, object], valid: bool) -> None:
    assert jsonschema.Draft202012Validator(yaml_schema(Settings)).is_valid(instance) is valid


def test_the_how_to_lists_the_rules_as_they_are() -> None:
    page = (DOCS / "how-to" / "configure.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z-]+)` \|.*\| (\S+) \| (\S+) \|$", page, re.MULTILINE)
    expected = [(rule.code, rule.effects.get(Environment.STAGING, "–"), rule.effects[Environment.PRODUCTION]) for rule in RULES]
    assert listed == expected
