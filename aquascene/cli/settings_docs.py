"""Writes docs/configuration.md from the settings themselves, so that the two cannot differ."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from aquascene.adapters.production_rules import RULES
from aquascene.adapters.settings_fields import group_of, is_secret, variable_of
from aquascene.adapters.settings_groups import Environment

_HEAD = """# Configuration

<!-- Written by `make docs` from aquascene/adapters/settings.py. Change it there. -->

A setting is looked up in this order; the first place that has it wins:

1. options of a command that has one for the setting,
2. environment variables,
3. secret files: `NAME_FILE` names a file that holds the value of `NAME`; a file called `name` in the secrets directory
   (`SECRETS_DIR`, otherwise `/run/secrets`) does the same,
4. `config/<environment>.yaml`, or the file that `CONFIG_FILE` names in its place,
5. `config/base.yaml`,
6. the default.

Mappings are merged deeply, lists are replaced, and an explicit `null` in the environment's file removes what the base file says.
Unknown keys are refused with their path. `ENVIRONMENT` is one of `development`, `staging`, `production`, `demo`; it is `demo` where it is not set.
An empty variable or secret file counts as not set.

[How to configure](how-to/configure.md) shows the commands that check, explain and compare settings. Secrets are marked below; they belong
into a secret file or a variable, never into YAML. In YAML the groups below are mappings: `web: {port: 8080}` is the same as the variable
`WEB__PORT=8080`. Lists in variables are JSON: `FETCH__LOOPBACK_ALLOW='["127.0.0.1:8101"]'`.
"""
_RULES = """
## Rules

A rule has a code. *stops*: no process starts while it is broken. *reported*: `aquascene config check` tells it and fails. All broken rules
are told at once, as `code: what is wrong; what to do`.
"""
_TABLE = "| setting | variable | default | meaning |\n|---|---|---|---|"


def markdown(settings: type[BaseModel]) -> str:
    """Describe every field of the settings, one table for the top level and one for each group, and the rules."""
    plain = {name: field for name, field in settings.model_fields.items() if group_of(field) is None}
    parts = [_HEAD, "## Top level\n", _table("", plain)]
    for name, field in settings.model_fields.items():
        group = group_of(field)
        if group is not None:
            parts += [f"\n## {name}\n\n{(group.__doc__ or '').strip()}\n", _table(f"{name}.", group.model_fields)]
    return "\n".join([*parts, _RULES, rules_table()]) + "\n"


def rules_table() -> str:
    """List the rules with what a broken one does in each environment."""
    head = f"| code | rule | {' | '.join(Environment)} |\n|---|---|{'---|' * len(Environment)}"
    rows = [f"| `{rule.code}` | {_cell(rule.summary)} | {' | '.join(rule.effects.get(name, '–') for name in Environment)} |" for rule in RULES]
    return "\n".join([head, *rows])


def yaml_schema(settings: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of the YAML files: that of the settings, but every key may be null, which removes it."""
    schema = settings.model_json_schema()
    for part in [schema, *schema.get("$defs", {}).values()]:
        for name, field in part.get("properties", {}).items():
            part["properties"][name] = {"anyOf": [field, {"type": "null"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "config/<environment>.yaml"}


def undescribed(settings: type[BaseModel], prefix: str = "") -> list[str]:
    """List the fields that say nothing about themselves."""
    found = []
    for name, field in settings.model_fields.items():
        group = group_of(field)
        found += [] if field.description else [prefix + name]
        found += undescribed(group, f"{prefix}{name}.") if group else []
    return found


def _table(prefix: str, fields: dict[str, FieldInfo]) -> str:
    return "\n".join([_TABLE, *[_row(prefix + name, field) for name, field in fields.items()]])


def _row(path: str, field: FieldInfo) -> str:
    secret = " **Secret.**" if is_secret(field) else ""
    return f"| `{path}` | `{variable_of(path)}` | {_default(field)} | {_cell(field.description or '')}{secret} |"


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if value is None or value == "" or isinstance(value, SecretStr):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    shown = value.as_posix() if isinstance(value, Path) else str(value)
    return f"`{_cell(shown)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
