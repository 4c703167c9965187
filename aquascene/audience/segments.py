"""Segments: a rule about subscribers as data. A small tree, never a piece of SQL.

{all: [...]}, {any: [...]}, {not: ...} and {field: locale, is: en}, with the comparisons is, is_not, in, before, after
and exists. `{all: []}` is everyone. Only active subscribers are ever looked at.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aquascene.errors import ConfigError

FIELDS = frozenset({"locale", "time_zone", "created_at", "confirmed_at"})
_TIMES = frozenset({"created_at", "confirmed_at"})
_ATTRIBUTE = re.compile(r"attributes\.[a-z0-9_]{1,40}")
_OPERATORS = frozenset({"is", "is_not", "in", "before", "after", "exists"})
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; no parts at all hold for everyone."""

    parts: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Any_:
    """At least one part holds."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class Compare:
    """One field against one value; the field is whitelisted, the value is always a parameter."""

    field: str
    operator: str
    value: str | bool | datetime | tuple[str, ...]


Node = All | Any_ | Not | Compare
EVERYONE = All()


@dataclass(frozen=True, slots=True)
class Segment:
    """A named rule."""

    name: str
    description: str
    rule: Node


def parse(data: Any, where: str = "segment", depth: int = 0) -> Node:
    """Build the tree from data; ConfigError names the place of whatever it does not know."""
    if depth > _DEEPEST or not isinstance(data, dict):
        raise ConfigError(f"{where}: expected a mapping with all, any, not or field, at most {_DEEPEST} levels deep")
    if set(data) in ({"all"}, {"any"}):
        key = next(iter(data))
        parts = tuple(parse(part, f"{where}.{key}[{index}]", depth + 1) for index, part in enumerate(data[key] or ()))
        return All(parts) if key == "all" else Any_(parts)
    if set(data) == {"not"}:
        return Not(parse(data["not"], f"{where}.not", depth + 1))
    return _compare(data, where)


def _compare(data: dict[str, Any], where: str) -> Compare:
    name, operators = data.get("field"), set(data) - {"field"}
    if not isinstance(name, str) or (name not in FIELDS and not _ATTRIBUTE.fullmatch(name)):
        raise ConfigError(f"{where}: the field {name!r} is not known; use {', '.join(sorted(FIELDS))} or attributes.<name>")
    if len(operators) != 1 or not operators <= _OPERATORS:
        raise ConfigError(f"{where}: give exactly one of {', '.join(sorted(_OPERATORS))} for the field {name}")
    operator = operators.pop()
    return Compare(name, operator, _value(name, operator, data[operator], where))


def _value(name: str, operator: str, value: Any, where: str) -> str | bool | datetime | tuple[str, ...]:
    if operator == "exists" and isinstance(value, bool):
        return value
    if operator in {"before", "after"} and name in _TIMES:
        at = value if isinstance(value, datetime) else _time(str(value), where)
        if at.tzinfo is not None:
            return at
        raise ConfigError(f"{where}: the time {value!r} needs a zone, for example 2026-01-31T00:00:00Z")
    if operator == "in" and isinstance(value, list) and name not in _TIMES:
        return tuple(str(item) for item in value)
    if operator in {"is", "is_not"} and isinstance(value, str | int | float) and name not in _TIMES:
        return str(value)
    raise ConfigError(f"{where}: {operator} cannot be used with the field {name} and the value {value!r}")


def _time(value: str, where: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ConfigError(f"{where}: {value!r} is not a time such as 2026-01-31T00:00:00Z") from None


def to_data(node: Node) -> dict[str, Any]:
    """Write a tree as data; `parse(to_data(node)) == node`."""
    match node:
        case All(parts):
            return {"all": [to_data(part) for part in parts]}
        case Any_(parts):
            return {"any": [to_data(part) for part in parts]}
        case Not(part):
            return {"not": to_data(part)}
        case Compare(name, operator, value):
            plain = value.isoformat() if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else value
            return {"field": name, operator: plain}
