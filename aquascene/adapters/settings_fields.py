"""The settings as a flat list of dotted keys: which there are, which are secret, and how a value may be shown."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

HIDDEN = "**********"
# Greedy on purpose: a password may hold characters that its owner forgot to escape. Too much is hidden rather than too little.
_URL = re.compile(r"\s*[\w.+-]+://")
_USERINFO_OF_URL = re.compile(r"(?s)(?<=://).*@")
_USERINFO_IN_TEXT = re.compile(r"(?<=://)\S*@")
_PARAMETER = re.compile(r"(?is)([?&;][\w.-]*(?:password|passwd|secret|token|key|signature|credential)[\w.-]*=).*")


def group_of(field: FieldInfo) -> type[BaseModel] | None:
    """The class of a group of settings; None where the field is a setting itself."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


@lru_cache(maxsize=8)
def leaves(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Every setting by its dotted key, in the order of the classes."""
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        group = group_of(field)
        found |= {f"{name}.{inner}": leaf for inner, leaf in leaves(group).items()} if group else {name: field}
    return found


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a setting's value must never be shown."""
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def is_list(field: FieldInfo) -> bool:
    """Tell whether a setting holds several values: in variables and secret files they are written as JSON."""
    return getattr(field.annotation, "__origin__", None) is list


def variable_of(key: str) -> str:
    """Name the environment variable of a setting."""
    return key.upper().replace(".", "__")


def values_of(model: BaseModel) -> dict[str, Any]:
    """Every value by its dotted key, secrets still wrapped."""
    found: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        found |= {f"{name}.{inner}": leaf for inner, leaf in values_of(value).items()} if isinstance(value, BaseModel) else {name: value}
    return found


def nested(tree: dict[str, Any], key: str, default: Any = None) -> Any:
    """Look a dotted key up in a tree of mappings."""
    node: Any = tree
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            return default
        node = node[part]
    return node


def redact(text: str) -> str:
    """Hide what a URL must not show: user and password, and parameters that carry secrets."""
    userinfo = _USERINFO_OF_URL if _URL.match(text) else _USERINFO_IN_TEXT
    return _PARAMETER.sub(rf"\g<1>{HIDDEN}", userinfo.sub(f"{HIDDEN}@", text))


def shown(value: Any, secret: bool = False) -> Any:
    """Turn a value into what people may see, in JSON's types."""
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    if secret:
        return HIDDEN if value not in (None, "") else value
    if isinstance(value, dict):
        return {str(key): shown(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [shown(inner) for inner in value]
    if isinstance(value, str | Path):
        return redact(str(value))
    return value
