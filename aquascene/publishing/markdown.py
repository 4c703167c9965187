"""Markdown to HTML that is safe to show. Generated and scraped text is hostile until it went through here.

Three walls: raw HTML in Markdown is text, tokens that would load something are replaced, and nh3 lets only known tags through.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from aquascene.drafting.text import slugify

_TAGS = {
    "h2",
    "h3",
    "h4",
    "p",
    "ul",
    "ol",
    "li",
    "blockquote",
    "em",
    "strong",
    "code",
    "pre",
    "a",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "hr",
    "br",
    "sup",
}
_ATTRIBUTES = {"a": {"href", "id", "class", "rel", "aria-label"}, "h2": {"id"}, "h3": {"id"}, "h4": {"id"}, "sup": {"class"}, "ol": {"start"}}
# Controls that XML forbids, and the marks that turn the direction of text around (CVE-2021-42574).
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")
_CITATION = re.compile(r"[ \t]?\[\^?(\d{1,3}(?:[ ]?,[ ]?\d{1,3})*)\]")
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
    """Turn Markdown into safe HTML; `[n]` and `[^n]` become links to known references, others stay text."""
    page = _Page(references)
    tokens = _parser().parse(_DEFINITION.sub("", clean_text(text)))
    page.rewrite(tokens)
    html = _parser().renderer.render(tokens, _parser().options, {})
    safe = nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes={"http", "https", "mailto"}, link_rel=None, strip_comments=True)
    return Rendered(safe, tuple(page.headings), page.citations)


def plain(text: str, longest: int = 300) -> str:
    """Reduce Markdown to one line of plain text, cut at a word."""
    words = re.sub(r"[*_`#>|]+", "", _CITATION.sub("", _DEFINITION.sub("", clean_text(text)))).split()
    line = " ".join(words)
    return line if len(line) <= longest else line[:longest].rsplit(" ", 1)[0].rstrip(",;:.") + "…"


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Without reference definitions nobody can give the text [1] an address of his own.
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("reference")


class _Page:
    """One rendering: what it has seen so far."""

    def __init__(self, references: Container[int]) -> None:
        self.references, self.citations = references, dict[int, int]()
        self.headings: list[tuple[str, str]] = []
        self._ids: set[str] = set()

    def rewrite(self, tokens: list[Token]) -> None:
        """Demote headings and give them ids; rewrite what stands inside of blocks."""
        for at, token in enumerate(tokens):
            if token.type in {"heading_open", "heading_close"}:
                token.tag = f"h{min(max(int(token.tag[1]), 2), 4)}"
            if token.type == "heading_open":
                self._heading(token, tokens[at + 1])
            if token.children is not None:
                token.children = [new for child in token.children for new in self._inline(child)]

    def _heading(self, token: Token, content: Token) -> None:
        words = "".join(child.content for child in content.children or [] if child.type in {"text", "code_inline"})
        words = _CITATION.sub("", words)
        name = base = "s-" + slugify(words)
        while name in self._ids:
            name = f"{base}-{len(self._ids)}"
        self._ids.add(name)
        token.attrs["id"] = name
        if token.tag == "h2":
            self.headings.append((name, words))

    def _inline(self, token: Token) -> list[Token]:
        if token.type == "image":
            return [_text(token.content)]
        if token.type == "link_open":
            token.attrs = _link(str(token.attrs.get("href", "")))
        return self._cited(token) if token.type == "text" else [token]

    def _cited(self, token: Token) -> list[Token]:
        found, start = list[Token](), 0
        for match in _CITATION.finditer(token.content):
            numbers = [int(number) for number in match[1].split(",")]
            if all(number in self.references for number in numbers):
                found += [_text(token.content[start : match.start()]), _html("".join(map(self._mark, numbers)))]
                start = match.end()
        return [*found, _text(token.content[start:])]

    def _mark(self, number: int) -> str:
        self.citations[number] = self.citations.get(number, 0) + 1
        name = f"cite-{number}-{self.citations[number]}"
        return f'<sup class="cite"><a id="{name}" href="#ref-{number}" aria-label="Source {number}">{number}</a></sup>'


def _link(href: str) -> dict[str, str | int | float]:
    outside = safe_link(href)
    if outside:
        return {"href": outside, "rel": "noopener nofollow"}
    own = href.startswith(("#", "/")) and not href.startswith(("//", "/\\"))
    return {"href": href} if own else {}


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _html(content: str) -> Token:
    return Token("html_inline", "", 0, content=content)


def escaped(text: str) -> str:
    """Escape text for XML and HTML."""
    return escape(clean_text(text), quote=True)
