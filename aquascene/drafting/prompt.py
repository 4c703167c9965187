"""Building the request: a reviewed prompt, the brief, and the evidence as data between delimiters that nobody can guess."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aquascene.drafting.content_types.base import ContentType
from aquascene.drafting.evidence import Evidence, Source
from aquascene.drafting.model import Brief, Finding
from aquascene.drafting.ports import Turn, WriterRequest

_PLACE = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Prompt:
    """A reviewed prompt from config/prompts; `version` is the hash of its file."""

    content_type: str
    version: str
    system: str
    user: str


@dataclass(frozen=True)
class Marks:
    """Random strings of one brief: `nonce` fences the evidence, `canary` must never come back in an answer."""

    nonce: str
    canary: str


def build_request(prompt: Prompt, brief: Brief, content_type: ContentType, evidence: Evidence, marks: Marks, earlier: str = "") -> WriterRequest:
    """Fill the prompt in one pass, so that text put in is never itself a template."""
    values = {
        "nonce": marks.nonce,
        "canary": marks.canary,
        "topic": brief.topic,
        "audience": brief.audience or "interested readers",
        "instructions": _instructions(brief, earlier),
        "request": _request_line(brief),
        "sections": _sections(content_type),
        "evidence": _fenced(evidence.sources, marks.nonce),
    }
    return WriterRequest(system=_fill(prompt.system, values), turns=(Turn("user", _fill(prompt.user, values)),))


def ask_again(request: WriterRequest, answer: str, findings: Sequence[Finding], revision: int) -> WriterRequest:
    """Hand the model its own answer with what the checks found; the number keeps equal revisions apart, a stored answer stands for one only."""
    listed = "\n".join(f'- {finding.check}: {finding.message} The statement was: "{finding.span}"' for finding in findings)
    wish = (
        f"Revision {revision}. Checks refused parts of your answer:\n"
        f"{listed}\n\n"
        "Give the whole answer again in the same schema. Mend each refused statement so that its quote stands word for word in the source "
        "and carries all that it says, or leave it out. Keep the others as they are."
    )
    return WriterRequest(request.system, (request.turns[0], Turn("assistant", answer), Turn("user", wish)))


def _fill(template: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[1]], template)


def _request_line(brief: Brief) -> str:
    wanted = {"topic": brief.topic, "audience": brief.audience, "keywords": list(brief.keywords), "instructions": brief.instructions}
    return json.dumps(wanted, ensure_ascii=False)


def _instructions(brief: Brief, earlier: str) -> str:
    parts = [brief.instructions or "none"]
    if earlier:
        parts.append(f"An editor asked for a revision of the following version; keep what the wishes above do not touch.\n\n{earlier}")
    return "\n\n".join(parts)


def _sections(content_type: ContentType) -> str:
    return "\n".join(
        f"- `{section.key}` ({section.heading}): {section.purpose}; {section.least} to {section.most} statements" for section in content_type.sections
    )


def _fenced(sources: Sequence[Source], nonce: str) -> str:
    blocks = (
        f'<source-{nonce} id="{source.id}" title="{_attribute(source.title)}">\n' + "\n\n".join(source.passages) + f"\n</source-{nonce}>" for source in sources
    )
    return f"<evidence-{nonce}>\n" + "\n".join(blocks) + f"\n</evidence-{nonce}>"


def _attribute(title: str) -> str:
    return re.sub(r'["<>\s]+', " ", title).strip()[:150]
