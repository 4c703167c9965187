"""The places that settings come from, read one by one so that `config explain` can name the one that wins.

A place holds what somebody wrote, as it was written; merging and checking come later. Whatever is wrong with a place is
a finding and no exception, so that everything can be told at once. No message holds a value: it might be a secret.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel

from aquascene.adapters.resources import config_dir
from aquascene.adapters.settings_fields import is_list, is_secret, leaves, nested
from aquascene.adapters.settings_groups import Environment
from aquascene.errors import ConfigError

# Everything; everything but secrets (a CI job has none); the two YAML files alone.
Extent = Literal["all", "without-secrets", "files"]
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: a stable code, and a message of the form `what; what to do`."""

    code: str
    message: str
    key: str | None = None
    stops: bool = True

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True)
class Place:
    """One place with the tree of settings that it holds; a None in it removes what weaker places say."""

    name: str
    kind: Literal["base", "environment", "secret", "variable", "command line"]
    values: dict[str, Any] = field(repr=False)


def environment_name() -> Environment:
    """Name the environment from ENVIRONMENT; demo where it is not set."""
    name = os.environ.get("ENVIRONMENT") or Environment.DEMO
    try:
        return Environment(name)
    except ValueError:
        raise ConfigError(f"unknown-environment: ENVIRONMENT={name!r} is unknown; it is one of {', '.join(Environment)}") from None


def deep_merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge two mappings: mappings deeply, lists and scalars replaced, an explicit null removes the key."""
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            below = merged.get(key)
            merged[key] = deep_merge(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping: YAML would silently take the last."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.composer.ComposerError(None, None, "a key stands twice in its mapping", key.start_mark)
            seen.add(key.value)
        return node


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping; a broken or missing file is a ConfigError that names it."""
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}; create it or set CONFIG_FILE") from exc
    except (yaml.YAMLError, ValueError) as exc:
        raise ConfigError(f"{path} is not valid YAML: {_where(exc)}; mend the line that it names") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path} must hold a mapping of settings, not {type(loaded).__name__}; begin with `key: value`")
    return loaded


def _where(error: Exception) -> str:
    """Say what is wrong and where, without a word of the file: PyYAML quotes it, and it might be a secret."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = _QUOTED.sub("…", getattr(error, "problem", None) or type(error).__name__)
    return f"{problem}, line {mark.line + 1}, column {mark.column + 1}" if mark is not None else problem


def read_places(model: type[BaseModel], environment: Environment, extent: Extent = "all") -> tuple[list[Place], list[Finding]]:
    """Read every place, weakest first, with everything that is wrong in one of them."""
    findings: list[Finding] = []
    places = list(_yaml_files(environment, extent, findings))
    if extent == "all":
        places += _secret_files(model, findings)
    if extent != "files":
        places += _variables(model, extent, findings)
    return places, findings


def _yaml_files(environment: Environment, extent: Extent, findings: list[Finding]) -> Iterator[Place]:
    override = os.environ.get("CONFIG_FILE") if extent != "files" else None
    own = Path(override) if override else config_dir() / f"{environment}.yaml"
    yield from _yaml_file(config_dir() / "base.yaml", "base", "", findings)
    yield from _yaml_file(own, "environment", " (CONFIG_FILE)" if override else "", findings)


def _yaml_file(path: Path, kind: Literal["base", "environment"], remark: str, findings: list[Finding]) -> Iterator[Place]:
    try:
        yield Place(f"{path}{remark}", kind, _named(read_yaml(path)))
    except ConfigError as exc:
        findings.append(Finding("config-file", str(exc)))


def _named(tree: dict[Any, Any]) -> dict[str, Any]:
    """Make every key a text: YAML reads `on:` and `5:` as something else."""
    return {str(key): _named(value) if isinstance(value, dict) else value for key, value in tree.items()}


def _secret_files(model: type[BaseModel], findings: list[Finding]) -> Iterator[Place]:
    """Read the files of the secrets directory, then those that NAME_FILE variables name, which are stronger."""
    for path in _secrets_directory(findings):
        key = path.name.lower().replace("__", ".")
        if key in leaves(model):
            yield from _secret_file(model, key, path, "", findings)
    for name, value in sorted(os.environ.items(), key=_upper_last):
        key = _key_of_file_variable(name)
        if value and key in leaves(model):
            yield from _secret_file(model, key, Path(value), f" ({name})", findings)


def _key_of_file_variable(name: str) -> str:
    """The key that a NAME_FILE variable is about; nothing for other names."""
    return name.lower().removesuffix("_file").replace("__", ".") if name.lower().endswith("_file") else ""


def _secrets_directory(findings: list[Finding]) -> list[Path]:
    """List the regular files; Kubernetes keeps them behind links (`name` -> `..data/name`), which is fine."""
    folder = Path(os.environ.get("SECRETS_DIR") or "/run/secrets")
    try:
        return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    except OSError as exc:
        message = f"cannot list the secrets directory {folder}: {exc.strerror}; let this user read it, or set SECRETS_DIR to another folder"
        findings.append(Finding("secret-file", message))
        return []


def _secret_file(model: type[BaseModel], key: str, path: Path, remark: str, findings: list[Finding]) -> Iterator[Place]:
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        why = "it is not UTF-8 text" if isinstance(exc, UnicodeDecodeError) else exc.strerror
        message = f"cannot read the secret file {path}{remark} of {key}: {why}; check that it exists and who may read it"
        findings.append(Finding("secret-file", message, key))
        return
    yield from _written(model, key, text, Place(f"secret file {path}{remark}", "secret", {}), findings)


def _variables(model: type[BaseModel], extent: Extent, findings: list[Finding]) -> Iterator[Place]:
    """Read the environment variables; without secrets, those of secret settings are left alone."""
    for name, value in sorted(os.environ.items(), key=_upper_last):
        key = name.lower().replace("__", ".")
        leaf = leaves(model).get(key)
        left_out = extent == "without-secrets" and leaf is not None and is_secret(leaf)
        if _is_ours(model, key) and _key_of_file_variable(name) not in leaves(model) and not left_out:
            yield from _written(model, key, value, Place(f"variable {name}", "variable", {}), findings)


def _upper_last(item: tuple[str, str]) -> tuple[bool, str]:
    """Names count in any case; where two differ by case only, the usual one is the stronger."""
    return item[0].isupper(), item[0]


def _is_ours(model: type[BaseModel], key: str) -> bool:
    """Tell whether a name is meant for us: a setting, or anything in one of our groups, where a typo must not pass."""
    return key in leaves(model) or any("." in key and leaf.startswith(f"{key.split('.')[0]}.") for leaf in leaves(model))


def _written(model: type[BaseModel], key: str, text: str, place: Place, findings: list[Finding]) -> Iterator[Place]:
    """Read what a variable or file says; nothing counts as not set, and a list is written as JSON."""
    leaf = leaves(model).get(key)
    value: Any = text
    if not text:
        return
    if leaf is not None and is_list(leaf):
        try:
            value = json.loads(text)
        except ValueError:
            findings.append(Finding("wrong-type", f'{key} in {place.name} is not a JSON list; write it as ["one", "two"]', key))
            return
    yield Place(place.name, place.kind, _tree(key, value))


def _tree(key: str, value: Any) -> dict[str, Any]:
    *groups, last = key.split(".")
    tree = {last: value}
    for group in reversed(groups):
        tree = {group: tree}
    return tree


def holders(places: list[Place], key: str) -> list[Place]:
    """The places that say something about a key, strongest first; a removed group says so about all that is in it."""
    return [place for place in reversed(places) if _says(place.values, key)]


def _says(tree: dict[str, Any], key: str) -> bool:
    missing = object()
    if nested(tree, key, missing) is not missing:
        return True
    head, _, rest = key.rpartition(".")
    return bool(rest and head) and nested(tree, head, missing) is None
