"""Markdown to HTML that is safe to show. Generated and scraped text is hostile until it went through here.

Three walls: raw HTML in Markdown is text, tokens that would load something are replaced, and nh3 lets only known tags through.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from aquascene.drafting.text import slugify

_BLOCKS = {"h2", "h3", "h4", "p", "ul", "ol", "li", "blockquote", "pre", "hr", "table", "thead", "tbody", "tr", "th", "td"}
_TAGS = _BLOCKS | {"em", "strong", "code", "a", "br", "sup"}
_ATTRIBUTES = {"a": {"href", "id", "class", "rel", "aria-label"}, "h2": {"id"}, "h3": {"id"}, "h4": {"id"}, "sup": {"class"}, "ol": {"start"}}
# Controls that XML forbids, and the marks that turn the direction of text around (CVE-2021-42574).
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")
_CITATION = re.compile(r"\[\^?(\d{1,3}(?:[ ]?,[ ]?\d{1,3})*)\]")
_SPACED_CITATION = re.compile(rf"[ \t]?(?<!\\){_CITATION.pattern}")
_DEFINITION = re.compile(r"^[ ]{0,3}\[\^?\d{1,3}\]:.*$", re.MULTILINE)


@dataclass(frozen=True)
class Rendered:
    """Safe HTML, the headings for a table of contents, and how often each reference is cited."""

    html: str
    headings: tuple[tuple[str, str], ...]
    citations: dict[int, int]


def clean_text(text: str) -> str:
    """Remove characters that no page, feed or address may hold."""
    return _CONTROLS.sub("", text)


def safe_link(url: str) -> str | None:
    """Return an address that may be linked to; None for anything but http and https with a host."""
    try:
        parts = urlsplit(clean_text(url).strip())
        return parts.geturl() if parts.scheme in {"http", "https"} and parts.hostname else None
    except ValueError:
        return None


def render_markdown(text: str, references: Container[int] = ()) -> Rendered:
    """Turn Markdown into safe HTML; `[n]` and `[^n]` become links to known references, others and escaped ones stay text."""
    env: dict[str, Any] = {"numbers": references, "citations": {}}
    tokens = _parser().parse(_DEFINITION.sub("", clean_text(text)), env)
    headings = _rewrite(tokens)
    html = _parser().renderer.render(tokens, _parser().options, env)
    safe = nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes={"http", "https", "mailto"}, link_rel=None, strip_comments=True)
    return Rendered(safe, tuple(headings), env["citations"])


def plain(text: str, longest: int = 300) -> str:
    """Reduce Markdown to one line of plain text, cut at a word."""
    words = re.sub(r"(?<!\\)[*_`#>|]+|\\(?=[!-/:-@\[-`{-~])", "", _SPACED_CITATION.sub("", _DEFINITION.sub("", clean_text(text)))).split()
    line = " ".join(words)
    return line if len(line) <= longest else line[:longest].rsplit(" ", 1)[0].rstrip(",;:.") + "…"


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Without reference definitions nobody can give the text [1] an address of his own.
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("reference")
    parser.inline.ruler.before("link", "citation", _citation)
    return parser


def _citation(state: StateInline, silent: bool) -> bool:
    """Read a citation where the parser meets a bracket that nobody escaped."""
    match = _CITATION.match(state.src, state.pos)
    numbers = [int(number) for number in match[1].split(",")] if match else []
    if match is None or not all(number in state.env["numbers"] for number in numbers) or state.src[match.end() : match.end() + 1] == "(":
        return False
    if not silent:
        state.pending = state.pending.rstrip(" ")
        state.push("html_inline", "", 0).content = "".join(_mark(number, state.env["citations"]) for number in numbers)
    state.pos = match.end()
    return True


def _mark(number: int, seen: dict[int, int]) -> str:
    seen[number] = seen.get(number, 0) + 1
    return f'<sup class="cite"><a id="cite-{number}-{seen[number]}" href="#ref-{number}" aria-label="Source {number}">{number}</a></sup>'


def _rewrite(tokens: list[Token]) -> list[tuple[str, str]]:
    """Demote headings and give them ids, replace what would load something; returns the headings of the second level."""
    headings, taken = list[tuple[str, str]](), set[str]()
    for at, token in enumerate(tokens):
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(max(int(token.tag[1]), 2), 4)}"
        if token.type == "heading_open":
            words = _words(tokens[at + 1])
            token.attrs["id"] = _heading_id(words, taken)
            headings += [(str(token.attrs["id"]), words)] if token.tag == "h2" else []
        if token.children is not None:
            token.children = [_inline(child) for child in token.children]
    return headings


def _words(token: Token) -> str:
    return "".join(child.content for child in token.children or [] if child.type in {"text", "code_inline"}).strip()


def _heading_id(words: str, taken: set[str]) -> str:
    base = f"s-{slugify(words)}"
    name = next(one for one in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if one not in taken)
    taken.add(name)
    return name


def _inline(token: Token) -> Token:
    if token.type == "image":
        return Token("text", "", 0, content=token.content)
    if token.type == "link_open":
        token.attrs = _link(str(token.attrs.get("href", "")))
    return token


def _link(href: str) -> dict[str, str | int | float]:
    outside = safe_link(href)
    if outside:
        return {"href": outside, "rel": "noopener nofollow"}
    own = href.startswith(("#", "/")) and not href.startswith(("//", "/\\"))
    return {"href": href} if own else {}


def escaped(text: str) -> str:
    """Escape text for XML and HTML."""
    return escape(clean_text(text), quote=True)
