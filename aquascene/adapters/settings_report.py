"""Looks at the settings of one environment and tells everything that is wrong with them at once.

Three kinds of findings in one list: places that cannot be read, values that do not fit, and broken rules.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aquascene.adapters.production_rules import RULES, Effect, Rule
from aquascene.adapters.settings import Settings
from aquascene.adapters.settings_fields import is_secret, leaves, nested
from aquascene.adapters.settings_groups import Environment
from aquascene.adapters.settings_places import Extent, Finding, Place, deep_merge, environment_name, holders, read_places

_CODES = {"extra_forbidden": "unknown-key", "enum": "not-allowed", "literal_error": "not-allowed"}
_NO_SECRETS_IN_YAML = {Environment.STAGING, Environment.PRODUCTION}


@dataclass(frozen=True)
class Report:
    """What was found: the settings where they could be built, all findings, and the rules that could not be judged."""

    environment: Environment
    settings: Settings | None
    findings: list[Finding]
    unchecked: list[str]
    places: list[Place]


def inspect(environment: Environment | None = None, *, extent: Extent = "all", expected: frozenset[str] | None = None, **overrides: Any) -> Report:
    """Read, merge, validate and judge. `expected` names the secrets that this process is meant to hold; None means all."""
    name = environment or environment_name()
    places, findings = read_places(Settings, name, extent)
    findings += _misplaced(places, name)
    if environment is not None or overrides:
        places.append(Place("command line", "command line", overrides | ({"environment": environment} if environment else {})))
    merged = deep_merge(merge(places), {"environment": name})
    settings, wrong = _validated(merged, places)
    findings += wrong
    rules = [rule for rule in RULES if name in rule.effects]
    unknown = _unknown(merged, extent, expected)
    unchecked = [rule for rule in rules if unknown.intersection(rule.needs)]
    broken = {finding.key for finding in findings if finding.key}
    findings += _broken_rules([rule for rule in rules if rule not in unchecked and not broken.intersection(rule.reads)], settings)
    return Report(name, None if wrong else settings, findings, [rule.code for rule in unchecked], places)


def merge(places: list[Place]) -> dict[str, Any]:
    """Merge places, weakest first."""
    return reduce(deep_merge, (place.values for place in places), {})


def _misplaced(places: list[Place], environment: Environment) -> Iterator[Finding]:
    """Find what is in a file that should not be there: another environment's name, secrets."""
    for place in places:
        if place.kind not in ("base", "environment"):
            continue
        said = place.values.get("environment")
        if said is not None and said != str(environment):
            yield Finding("environment-mismatch", f"{place.name} is not the file of {environment}, which is what ENVIRONMENT says; change one of the two")
        if environment in _NO_SECRETS_IN_YAML:
            yield from _secrets_in(place)


def _secrets_in(place: Place) -> Iterator[Finding]:
    for key, field in leaves(Settings).items():
        if is_secret(field) and nested(place.values, key) not in (None, ""):
            yield Finding("secret-in-yaml", f"{key} stands in {place.name}; put it into a secret file and take it out of there")


def _validated(merged: dict[str, Any], places: list[Place]) -> tuple[Settings, list[Finding]]:
    """Build settings; what does not fit is told and left out, so that the rules can judge the rest."""
    try:
        return Settings.model_validate(merged), []
    except ValidationError as exc:
        errors = exc.errors(include_input=False, include_context=False, include_url=False)
    wrong = {_path(error): error for error in errors}
    settings, further = _validated(reduce(_without, wrong, merged), places)
    return settings, [*(_finding(".".join(path), error, places) for path, error in wrong.items()), *further]


def _path(error: ErrorDetails) -> tuple[str, ...]:
    """Where an error is: the setting that holds the wrong item of a list, otherwise the place itself."""
    path = tuple(str(part) for part in error["loc"])
    return next((path[:depth] for depth in (1, 2) if ".".join(path[:depth]) in leaves(Settings)), path)


def _without(tree: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The tree less what a path leads to. Not by dotted keys: somebody may have written a key with a dot in it."""
    head, *rest = path
    inner = tree.get(head)
    if rest and isinstance(inner, dict):
        return {**tree, head: _without(inner, tuple(rest))}
    return {key: value for key, value in tree.items() if key != head}


def _finding(key: str, error: ErrorDetails, places: list[Place]) -> Finding:
    kind, place = error["type"], next((place.name for place in holders(places, key)), "the settings")
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(key, leaves(Settings), 1)
        return Finding("unknown-key", f"{key} in {place} is no setting; " + (f"did you mean {near[0]}?" if near else "check the spelling"), key)
    code = _CODES.get(kind) or ("out-of-range" if kind.startswith(("greater", "less")) else "wrong-type")
    return Finding(code, f"{key} in {place}: {error['msg'][0].lower()}{error['msg'][1:]}; docs/configuration.md says what it takes", key)


def _unknown(merged: dict[str, Any], extent: Extent, expected: frozenset[str] | None) -> set[str]:
    """Settings whose absence means nothing here: they are given elsewhere, or to other processes."""
    unset = {key for key in leaves(Settings) if nested(merged, key) in (None, "")}
    if extent != "all":
        return unset
    return set() if expected is None else {key for key in unset - expected if is_secret(leaves(Settings)[key])}


def _broken_rules(rules: list[Rule], settings: Settings) -> Iterator[Finding]:
    for rule in rules:
        message = rule.broken(settings)
        if message is not None:
            yield Finding(rule.code, message, stops=rule.effects[settings.environment] is Effect.STOPS)
