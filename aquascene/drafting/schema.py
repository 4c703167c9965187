"""The structured output of a model: a pydantic model made for one closed set of sources.

Every statement carries its source id (an enum of the set) and a verbatim quote. There is no field for a URL, a reference
or a heading: code fills those in. The JSON schema keeps to what both providers enforce (all fields required, no limits
on lengths or counts); limits are checked here afterwards.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from aquascene.drafting.content_types.base import ContentType, Section


class Statement(BaseModel):
    """One sentence that the text makes, and the words of the source that carry it."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="One sentence in your own plain words, saying no more than the quote says. Keep every number and unit as it is.")
    source_id: str = Field(description="Id of the one source that holds the quote.")
    quote: str = Field(description="The sentence or clause of that source that says so, copied character for character.")


class Answer(BaseModel):
    """The root of every structured answer; sections are further fields, one list of statements each."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(description="A plain title that names the topic, 20 to 70 characters, no claim that no source makes.")
    lead: Statement

    def statements(self, section: str) -> list[Statement]:
        """List the statements of one section."""
        found: list[Statement] = getattr(self, section)
        return found


def answer_model(content_type: ContentType, source_ids: Sequence[str]) -> type[Answer]:
    """Make the answer's type for a content type and a closed, non-empty set of source ids."""
    if not source_ids:
        raise ValueError("an answer needs at least one source to cite")
    closed: Any = Literal[tuple(source_ids)]  # the enum in the JSON schema
    statement = create_model("Statement", __base__=Statement, source_id=(closed, Field(description="Id of the one source that holds the quote.")))
    lead: Any = (statement, Field(description="The opening: the single most useful statement for this reader."))
    listed: Any = list[statement]
    sections: dict[str, Any] = {section.key: (listed, Field(description=_describe(section))) for section in content_type.sections}
    return create_model(f"{content_type.key.capitalize()}Answer", __base__=Answer, lead=lead, **sections)


def _describe(section: Section) -> str:
    return f"{section.purpose[0].upper()}{section.purpose[1:]}. {section.least} to {section.most} statements; leave out what the sources do not say."


def strict_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Write the JSON schema in the subset that both providers enforce: references put in place, `const` as `enum`, no titles."""
    whole = model.model_json_schema()
    inlined: dict[str, Any] = _inline(whole, whole.get("$defs", {}))
    return inlined


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[1]]
        return _inline({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    kept = {key: value for key, value in node.items() if key not in {"$defs", "const"} and not (key == "title" and isinstance(value, str))}
    if "const" in node:
        kept["enum"] = [node["const"]]
    return {key: _inline(value, definitions) for key, value in kept.items()}
