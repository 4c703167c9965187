"""What a content type says about itself; the modules beside this one are the types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Section:
    """One part of a text: its key in the schema, its heading, and how many statements it may hold."""

    key: str
    heading: str
    purpose: str
    least: int
    most: int
    style: Literal["prose", "list"] = "prose"


@dataclass(frozen=True)
class Limits:
    """When a text is too short to be worth an editor's time, or too long."""

    min_statements: int
    min_sources: int
    min_words: int
    max_words: int
    title_chars: tuple[int, int] = (20, 70)
    summary_chars: tuple[int, int] = (40, 240)


@dataclass(frozen=True)
class ContentType:
    """A kind of text: sections, limits, checks, provider and template.

    `template` is the Markdown frame; {lead}, {sections}, {references} and {disclosure} are filled in by code.
    `checks` names what runs beside the checks that every draft must pass (drafting.checks.article).
    """

    key: str
    name: str
    provider: str
    title_hint: str
    sections: tuple[Section, ...]
    limits: Limits
    checks: tuple[str, ...]
    template: str
    labels: Mapping[str, str]

    def section(self, key: str) -> Section:
        """Find a section by its key."""
        return next(section for section in self.sections if section.key == key)
