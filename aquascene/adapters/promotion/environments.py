"""config/environments.yaml: what each environment asks of a promotion. Strict: an unknown key is an error with its path."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from aquascene.adapters import settings
from aquascene.adapters.catalog.files import locate
from aquascene.adapters.settings import Environment
from aquascene.errors import ConfigError
from aquascene.release import analysis, freeze, policy, strategies
from aquascene.release.policy import Policy
from aquascene.release.strategies import DWELLS, WEIGHTS, Strategy

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PARTS = ("migrator", "backups", "flows", "smoke", "statistics", "notifier")
# Where readers would notice, nothing may only be rehearsed.
_REAL = (Environment.STAGING, Environment.PRODUCTION)
_MUST_BE_REAL = ("migrator", "backups", "flows", "smoke", "statistics")


def span(value: Any) -> timedelta:
    """Read a span such as 90s, 5m, 1h30m or 8d."""
    text = str(value)
    if isinstance(value, timedelta):
        return value
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise ValueError(f"{text!r} is no span; write it like 30s, 5m, 12h or 8d")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhd])", text)))


Span = Annotated[timedelta, BeforeValidator(span)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _From(_Part):
    environment: Environment
    soak: Span


class _Canary(_Part):
    weights: tuple[int, ...] = WEIGHTS
    dwells: tuple[Span, ...] = DWELLS


class _Check(_Part):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    max: float = Field(ge=0)
    max_ratio: float | None = Field(None, ge=1)
    ignore_below: float = Field(0.0, ge=0)
    critical: bool = False


class _Analysis(_Part):
    interval: Span = timedelta(seconds=30)
    window: Span = timedelta(minutes=5)
    min_samples: int = Field(200, ge=0)
    failure_limit: int = Field(2, ge=0)
    error_limit: int = Field(4, ge=1)
    extension: Span = timedelta(minutes=10)
    checks: tuple[_Check, ...] = ()


class _Approvals(_Part):
    count: int = Field(0, ge=0, le=10)
    within: Span = timedelta(hours=24)


class _Backup(_Part):
    required: bool = True
    max_age: Span | None = None
    drill_max_age: Span | None = None


class _Deadlines(_Part):
    read: Span = timedelta(minutes=1)
    backup: Span = timedelta(minutes=30)
    migrate: Span = timedelta(minutes=15)
    stage: Span = timedelta(minutes=10)
    smoke: Span = timedelta(minutes=5)
    shift: Span = timedelta(minutes=10)
    drain: Span = timedelta(minutes=30)
    flows: Span = timedelta(minutes=5)
    rollback: Span = timedelta(minutes=5)


class _Entry(_Part):
    target: str
    target_options: dict[str, Any] = Field(default_factory=dict)
    parts: dict[str, str] = Field(default_factory=dict)
    strategy: Strategy
    canary: _Canary = _Canary()
    promote_from: _From | None = None
    analysis: _Analysis = _Analysis()
    soak: Span = timedelta(0)
    rollback_window: Span = timedelta(0)
    freeze: tuple[str, ...] = ()
    approvals: _Approvals = _Approvals()
    backup: _Backup = _Backup()
    deadlines: _Deadlines = _Deadlines()


_FILE = TypeAdapter(dict[Environment, _Entry])


def load(path: Path | None = None) -> dict[str, Policy]:
    """Read the policies of all environments; ConfigError names everything that is wrong, and where."""
    place = path or locate("environments.yaml")
    try:
        entries = _FILE.validate_python(settings.read_yaml(place))
    except ValidationError as exc:
        problems = [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in exc.errors(include_input=False)]
        raise ConfigError(f"{place} is not valid: {'; '.join(problems)}") from None
    if wrong := [f"{name}: {problem}" for name, entry in entries.items() for problem in _problems(name, entry, entries)]:
        raise ConfigError(f"{place} is not valid: {'; '.join(wrong)}")
    return {str(name): _policy(name, entry) for name, entry in entries.items()}


def get(name: str, path: Path | None = None) -> Policy:
    """Read the policy of one environment; one that the file does not name is a ConfigError."""
    found = load(path)
    if name not in found:
        raise ConfigError(f"environments.yaml says nothing about {name}; it has {', '.join(found)}")
    return found[name]


def _problems(name: Environment, entry: _Entry, entries: dict[Environment, _Entry]) -> list[str]:
    found = [f"parts.{part} is unknown; parts are {', '.join(PARTS)}" for part in entry.parts if part not in PARTS]
    if said := strategies.problem(entry.canary.weights, entry.canary.dwells):
        found.append(f"canary: {said}")
    found += [f"analysis: {problem}" for problem in analysis.problems(_rules(entry.analysis))]
    if entry.promote_from and (entry.promote_from.environment == name or entry.promote_from.environment not in entries):
        found.append(f"promote_from: {entry.promote_from.environment} is no other environment of this file")
    if name in _REAL and entry.target != "none":
        found += [f"parts.{part} is none: what only pretends may not judge {name}" for part in _MUST_BE_REAL if entry.parts.get(part, "none") == "none"]
    if name in _REAL and not entry.analysis.checks:
        found.append("analysis.checks is empty: nothing would be judged")
    return found


def _rules(entry: _Analysis) -> analysis.Rules:
    checks = tuple(analysis.Check(**check.model_dump()) for check in entry.checks)
    return analysis.Rules(**{**dict(entry), "checks": checks})


def _policy(name: Environment, entry: _Entry) -> Policy:
    return Policy(
        environment=str(name),
        target=entry.target,
        target_options=entry.target_options,
        parts=entry.parts,
        strategy=entry.strategy,
        weights=entry.canary.weights,
        dwells=entry.canary.dwells,
        promote_from=policy.PromoteFrom(str(entry.promote_from.environment), entry.promote_from.soak) if entry.promote_from else None,
        analysis=_rules(entry.analysis),
        soak=entry.soak,
        rollback_window=entry.rollback_window,
        freeze=tuple(freeze.parse(window) for window in entry.freeze),
        approvals=policy.Approvals(**dict(entry.approvals)),
        backup=policy.BackupRules(**dict(entry.backup)),
        deadlines=policy.Deadlines(**dict(entry.deadlines)),
    )
