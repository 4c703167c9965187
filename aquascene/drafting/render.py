"""Markdown from verified statements. References, links and headings are made here from the documents, never by a model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aquascene.drafting.content_types.base import ContentType, Section
from aquascene.drafting.evidence import Evidence, Source
from aquascene.drafting.text import normalise

SENTENCES_PER_PARAGRAPH = 3
SANDBOX_NOTE = "*Assembled by the extractive sandbox writer: every sentence stands word for word in the source that it cites.*"
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~])")
_LINE_START = re.compile(r"^(\s*)(#{1,6}\s|[-+]\s|\d+[.)]\s|={3,}|-{3,})")


@dataclass(frozen=True)
class Verified:
    """A statement that passed every check."""

    text: str
    source_id: str
    quote: str


def render_body(content_type: ContentType, lead: Verified | None, parts: Mapping[str, Sequence[Verified]], evidence: Evidence, sandbox: bool) -> str:
    """Write the body; sources are numbered in the order in which the text first cites them."""
    order = {name: number for number, name in enumerate(cited(lead, parts, content_type), 1)}
    sections = [_section(section, parts[section.key], order) for section in content_type.sections if parts.get(section.key)]
    sources = [source for name in order if (source := evidence.source(name))]
    body = content_type.template.format(
        lead=_sentence(lead, order) if lead else "",
        sections="\n\n".join(sections),
        references="\n".join(f"{number}. {_reference(source)}" for number, source in enumerate(sources, 1)),
        disclosure=f"\n{SANDBOX_NOTE}\n" if sandbox else "",
        **content_type.labels,
    )
    targets = "\n".join(f"[source-{number}]: <{_address(source.url)}>" for number, source in enumerate(sources, 1))
    return f"{body.strip()}\n\n{targets}\n"


def cited(lead: Verified | None, parts: Mapping[str, Sequence[Verified]], content_type: ContentType) -> list[str]:
    """List the source ids in the order of their first citation."""
    listed = ([lead] if lead else []) + [statement for section in content_type.sections for statement in parts.get(section.key, ())]
    return list(dict.fromkeys(statement.source_id for statement in listed))


def _section(section: Section, statements: Sequence[Verified], order: Mapping[str, int]) -> str:
    written = [_sentence(statement, order) for statement in statements]
    if section.style == "list":
        return f"## {section.heading}\n\n" + "\n".join(f"- {sentence}" for sentence in written)
    paragraphs = [" ".join(written[start : start + SENTENCES_PER_PARAGRAPH]) for start in range(0, len(written), SENTENCES_PER_PARAGRAPH)]
    return f"## {section.heading}\n\n" + "\n\n".join(paragraphs)


def _sentence(statement: Verified, order: Mapping[str, int]) -> str:
    text = normalise_sentence(statement.text)
    number = order[statement.source_id]
    return f"{escape(text)} [[{number}]][source-{number}]"


def normalise_sentence(text: str) -> str:
    """Start a sentence with a capital and end it with a mark."""
    clean = " ".join(text.split())
    clean = clean[:1].upper() + clean[1:]
    return clean if clean.endswith((".", "!", "?", ".”", '."')) else f"{clean}."


def escape(text: str) -> str:
    """Make text mean itself in Markdown."""
    return _LINE_START.sub(lambda match: f"{match[1]}\\{match[2]}", _SPECIAL.sub(r"\\\1", text))


def _reference(source: Source) -> str:
    licence = f" Licence: {escape(source.licence)}." if source.licence else ""
    title = escape(normalise(source.title) or source.url)
    return f"[{title}](<{_address(source.url)}>), read on {source.retrieved_at:%Y-%m-%d}.{licence}"


def _address(url: str) -> str:
    return url.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")
