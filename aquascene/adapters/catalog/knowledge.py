"""The knowledge base: config/knowledge/*.yaml, each a list of reviewed facts with their sources."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aquascene.adapters.catalog.files import locate
from aquascene.drafting.knowledge import Fact, FactSeverity, Knowledge
from aquascene.errors import ConfigError


class _Source(BaseModel):
    model_config = ConfigDict(extra="allow")
    citation: str
    url: str | None = None


class _Fact(BaseModel):
    model_config = ConfigDict(extra="allow")  # notes for people (disagreements, reviewer, dates) may stand beside the fields we judge by
    id: str
    subject: str
    aliases: list[str] = Field(default_factory=list)
    attribute: str
    kind: Literal["interval", "ordinal", "boolean", "set", "formula", "text"]  # formulas and texts are for people
    value: Any = None
    optimum: Any = None
    tolerated: Any = None
    unit: str | None = ""
    severity: FactSeverity
    confidence: str
    sources: list[_Source] = Field(min_length=1)
    note: str = ""


def load_knowledge() -> Knowledge:
    """Read all facts; a broken file, a repeated id or a fact without a source is a ConfigError that names it."""
    facts = [fact for path in sorted(locate("knowledge").glob("*.yaml")) for fact in _read(path)]
    ids = [fact.id for fact in facts]
    repeated = sorted({name for name in ids if ids.count(name) > 1})
    if repeated:
        raise ConfigError(f"knowledge: ids stand more than once: {', '.join(repeated)}")
    return Knowledge(tuple(facts))


def _read(path: Path) -> list[Fact]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except yaml.YAMLError as exc:
        raise ConfigError(f"{path} is not valid YAML: {exc}") from exc
    entries = loaded.get("facts", []) if isinstance(loaded, dict) else loaded
    return [_fact(path, entry) for entry in entries]


def _fact(path: Path, entry: Any) -> Fact:
    try:
        fact = _Fact.model_validate(entry)
    except ValidationError as exc:
        name = entry.get("id", "?") if isinstance(entry, dict) else "?"
        where = "; ".join(f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in exc.errors(include_input=False))
        raise ConfigError(f"{path}: fact {name}: {where}") from None
    return Fact(
        id=fact.id,
        subject=fact.subject,
        aliases=tuple(fact.aliases),
        attribute=fact.attribute,
        kind=fact.kind,
        optimum=_values(fact.value if fact.optimum is None else fact.optimum),
        tolerated=_values(fact.tolerated),
        unit=fact.unit or "",
        severity=fact.severity,
        confidence=fact.confidence,
        note=fact.note,
        citations=tuple(source.citation for source in fact.sources),
    )


def _values(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)
