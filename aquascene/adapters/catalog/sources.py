"""config/sources.yaml: the places that we read. Unknown keys are refused with their path; names here are forever (rows carry them)."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from aquascene.adapters import settings
from aquascene.adapters.catalog import files
from aquascene.errors import ConfigError, NotFound
from aquascene.sources.model import Entry, Source, SourceKind
from aquascene.sources.urls import normalise, origin_of

_FILE = "sources.yaml"
_HIGHEST_PRODUCTION_RATE = 2.0


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EntryModel(_Strict):
    """One entry document of a source."""

    kind: Literal["feed", "sitemap", "listing"] = Field(description="What the address holds: RSS or Atom, a sitemap, or an HTML page with links.")
    url: str = Field(description="Address of the entry document.")

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        return _address(value)


class SourceModel(_Strict):
    """One source; see docs/how-to/add-a-source.md."""

    name: str = Field(min_length=1, description="Name shown to readers next to a citation.")
    active: bool = Field(True, description="Read it; false keeps the entry without reading.")
    entries: list[EntryModel] = Field(min_length=1, description="Where its pages are named.")
    allow: list[str] = Field(default_factory=list, description="Pages are read if their address starts with one of these; the entries' origins where empty.")
    deny: list[str] = Field(default_factory=list, description="Pages are not read if their address starts with one of these.")
    requests_per_second: float | None = Field(None, gt=0, le=50, description="Rate for this source in place of fetch.requests_per_second.")
    max_pages: int | None = Field(None, ge=1, description="Pages that one scrape reads in place of fetch.max_pages_per_source.")
    licence: str | None = Field(None, description="Licence of its texts where the pages do not say.")
    language: str | None = Field(None, description="Language of its texts where the pages do not say, BCP 47.")
    note: str = Field("", description="Why we may read it, and whom to ask.")

    @field_validator("allow", "deny")
    @classmethod
    def _are_web_addresses(cls, value: list[str]) -> list[str]:
        return [_address(url) for url in value]


class SourcesModel(_Strict):
    """The whole file."""

    sources: dict[str, SourceModel] = Field(description="Sources by key: lower-case letters, digits and dashes.")

    @model_validator(mode="after")
    def _keys_are_plain(self) -> "SourcesModel":
        for key in self.sources:
            if not key.replace("-", "").isalnum() or key != key.lower():
                raise ValueError(f"the key {key!r} must be lower-case letters, digits and dashes")
        return self


def all_sources() -> list[Source]:
    """Read the catalog of the current environment; every mistake at once in one ConfigError."""
    try:
        catalog = SourcesModel.model_validate(files.read(_FILE))
    except ValidationError as exc:
        raise ConfigError(f"{files.locate(_FILE)} is not valid (docs/how-to/add-a-source.md):\n{_lines(exc)}") from None
    found = [_source(key, model) for key, model in catalog.sources.items()]
    if settings.current().environment is settings.Environment.PRODUCTION:
        _check_rates(found)
    return found


def chosen_sources(keys: Sequence[str] | None) -> list[Source]:
    """The named sources, or every active one; an unknown name is NotFound."""
    known = {source.key: source for source in all_sources()}
    if keys is None:
        return [source for source in known.values() if source.active]
    return [_named(known, key) for key in dict.fromkeys(keys)]


def one_source(key: str) -> Source:
    """The named source."""
    return chosen_sources([key])[0]


def source_of(url: str) -> Source | None:
    """The first source that covers a URL, active or not."""
    return next((source for source in all_sources() if any(url.startswith(prefix) for prefix in source.allow)), None)


def _named(known: dict[str, Source], key: str) -> Source:
    if key not in known:
        raise NotFound(f"there is no source {key!r} in {files.locate(_FILE)}; it has: {', '.join(known) or 'none'}")
    return known[key]


def _source(key: str, model: SourceModel) -> Source:
    values: dict[str, Any] = model.model_dump(exclude={"entries", "allow", "deny"})
    entries = tuple(Entry(SourceKind(entry.kind), entry.url) for entry in model.entries)
    allow = tuple(model.allow) or tuple(dict.fromkeys(f"{origin_of(entry.url)}/" for entry in entries))
    return Source(key=key, entries=entries, allow=allow, deny=tuple(model.deny), **values)


def _check_rates(sources: list[Source]) -> None:
    fast = [source.key for source in sources if (source.requests_per_second or 0) > _HIGHEST_PRODUCTION_RATE]
    if fast:
        raise ConfigError(
            f"{files.locate(_FILE)}: requests_per_second above {_HIGHEST_PRODUCTION_RATE:g} is refused in production: {', '.join(fast)}; lower it"
        )


def _address(url: str) -> str:
    written = normalise(url)
    if written is None:
        raise ValueError(f"{url!r} is not an http or https address without credentials")
    return written


def _lines(error: ValidationError) -> str:
    lines = []
    for one in error.errors(include_input=False):
        said = "unknown key; check the spelling" if one["type"] == "extra_forbidden" else one["msg"]
        lines.append(f"  {'.'.join(str(part) for part in one['loc'])}: {said}")
    return "\n".join(lines)
