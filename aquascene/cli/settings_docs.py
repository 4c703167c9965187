"""Writes docs/configuration.md from the settings themselves, so that the two cannot differ."""

from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

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

`aquascene config show` prints what holds, `aquascene config explain web.port` says where a value comes from, and
`aquascene config check` reports every error at once. Secrets are marked; they belong into a variable or a secret file, never into YAML that is committed.
In YAML the groups below are mappings: `web: {port: 8080}` is the same as the variable `WEB__PORT=8080`.
Lists in variables are JSON: `FETCH__LOOPBACK_ALLOW='["127.0.0.1:8101"]'`.
"""
_TABLE = "| setting | variable | default | meaning |\n|---|---|---|---|"


def markdown(settings: type[BaseModel]) -> str:
    """Describe every field of the settings: one table for the top level, one for each group."""
    plain = {name: field for name, field in settings.model_fields.items() if _group(field) is None}
    parts = [_HEAD, "## Top level\n", _table("", plain)]
    for name, field in settings.model_fields.items():
        group = _group(field)
        if group is not None:
            parts += [f"\n## {name}\n\n{(group.__doc__ or '').strip()}\n", _table(f"{name}.", group.model_fields)]
    return "\n".join(parts) + "\n"


def undescribed(settings: type[BaseModel], prefix: str = "") -> list[str]:
    """List the fields that say nothing about themselves."""
    found = []
    for name, field in settings.model_fields.items():
        group = _group(field)
        found += [] if field.description else [prefix + name]
        found += undescribed(group, f"{prefix}{name}.") if group else []
    return found


def _table(prefix: str, fields: dict[str, FieldInfo]) -> str:
    return "\n".join([_TABLE, *[_row(prefix + name, field) for name, field in fields.items()]])


def _row(path: str, field: FieldInfo) -> str:
    secret = " **Secret.**" if _is_secret(field) else ""
    return f"| `{path}` | `{path.upper().replace('.', '__')}` | {_default(field)} | {_cell(field.description or '')}{secret} |"


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


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def _group(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
