"""Remove what a reader of the page would not see, before extraction: extractors are not a filter against hidden instructions.

Of twelve ways to hide a sentence, tried on five extractors, a one-pixel font, an off-screen position and a class with
`display: none` passed all of them. Colours are only compared within one rule; what needs a browser is left to the flags.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bs4 import BeautifulSoup, Comment, Tag

from aquascene.sources.text import remove_invisible

_ROOTS = frozenset({"html", "body", "head"})  # pages that fade in hide the body until a script ran
_MAX_RULES = 2000
_ZERO = re.compile(r"^[+-]?0*\.?0+(?:[a-z%]+)?$")
_LENGTH = re.compile(r"^([+-]?\d*\.?\d+)(px|pt|em|rem|vw|vh|%)?$")
_COMPOUND = re.compile(r"^(?P<tag>[a-zA-Z][\w-]*|\*)?(?P<rest>(?:[.#][\w-]+|\[[\w-]+(?:=[\"']?[\w -]*[\"']?)?\])*)$")
_PART = re.compile(r"([.#])([\w-]+)|\[([\w-]+)(?:=[\"']?([\w -]*)[\"']?)?\]")
_STYLE_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_MEDIA = re.compile(r"^@(?:media\s+(?:only\s+)?(?:screen|all)\s*$|layer|supports)", re.IGNORECASE)


def prune(soup: BeautifulSoup) -> list[str]:
    """Remove hidden nodes in place; returns their texts, for the flags."""
    hidden: list[str] = []
    rules = [rule for style in soup.find_all("style") for rule in hiding_selectors(style.get_text())][:_MAX_RULES]
    for node in list(_by_markup(soup)) + list(_by_rules(soup, rules)):
        if node.name not in _ROOTS and not node.decomposed:
            hidden.append(node.get_text(" ", strip=True)[:2000])
            node.decompose()
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    return [text for text in hidden if text]


def hides(style: str) -> bool:
    """Tell whether a list of CSS declarations hides an element from a reader."""
    said = {
        name.strip().lower(): value.lower().replace("!important", "").strip() for name, _, value in (part.partition(":") for part in style.split(";")) if value
    }
    return (
        said.get("display") == "none"
        or said.get("visibility") in ("hidden", "collapse")
        or said.get("content-visibility") == "hidden"
        or _is_tiny(said.get("opacity"), 0.05)
        or _is_tiny(said.get("font-size"), 2)
        or _is_off_screen(said)
        or _is_clipped(said)
        or _is_painted_over(said)
    )


def hiding_selectors(css: str) -> Iterator[str]:
    """Name the selectors of rules that hide, outside of print and width queries."""
    stack: list[str] = []
    text = ""
    for piece in re.split(r"([{}])", _STYLE_COMMENT.sub(" ", css)):
        if piece == "{":
            stack.append(text.strip())
        elif piece == "}":
            if stack and not stack[-1].startswith("@") and all(_MEDIA.match(outer) for outer in stack[:-1]) and hides(text):
                yield from (part.strip() for part in stack[-1].split(","))
            del stack[-1:]
            text = ""
            continue
        text = piece.rpartition(";")[2] if not stack and piece != "{" else piece


def _by_markup(soup: BeautifulSoup) -> Iterator[Tag]:
    for node in soup.find_all(True):
        is_closed_dialog = node.name == "dialog" and not node.has_attr("open")
        if node.name == "template" or node.has_attr("hidden") or node.get("aria-hidden") == "true" or is_closed_dialog or hides(str(node.get("style") or "")):
            yield node


@dataclass(frozen=True)
class _Compound:
    """One step of a selector: `div.note#x[role]`."""

    tag: str | None
    classes: frozenset[str]
    ids: frozenset[str]
    attributes: tuple[tuple[str, str | None], ...]

    def matches(self, node: Tag) -> bool:
        if self.tag and self.tag != "*" and node.name != self.tag:
            return False
        if not self.classes <= frozenset(node.get("class") or ()) or not self.ids <= {node.get("id")}:
            return False
        return all(node.has_attr(name) and (value is None or " ".join(node.get_attribute_list(name)) == value) for name, value in self.attributes)


def _by_rules(soup: BeautifulSoup, selectors: list[str]) -> Iterator[Tag]:
    for steps in filter(None, map(_steps, dict.fromkeys(selectors))):
        last = steps[-1]
        for node in _candidates(soup, last):
            if last.matches(node) and _has_ancestors(node, steps[:-1]):
                yield node


def _candidates(soup: BeautifulSoup, step: _Compound) -> list[Tag]:
    if step.classes:
        return list(soup.find_all(class_=next(iter(step.classes))))
    if step.ids:
        return list(soup.find_all(id=next(iter(step.ids))))
    if step.attributes:
        return list(soup.find_all(True, attrs={step.attributes[0][0]: True}))
    return list(soup.find_all(step.tag)) if step.tag not in (None, "*") else []


def _steps(selector: str) -> list[_Compound] | None:
    """Read a selector of plain steps; None for pseudo-classes, siblings and all else that depends on more than the document."""
    steps = [_compound(part) for part in selector.replace(">", " ").split()]
    read = [step for step in steps if step is not None]
    return read if read and len(read) == len(steps) else None


def _compound(part: str) -> _Compound | None:
    match = _COMPOUND.match(part)
    if match is None:
        return None
    parts = _PART.findall(match["rest"])
    return _Compound(
        tag=match["tag"].lower() if match["tag"] else None,
        classes=frozenset(name for mark, name, _, _ in parts if mark == "."),
        ids=frozenset(name for mark, name, _, _ in parts if mark == "#"),
        attributes=tuple((name, value or None) for _, _, name, value in parts if name),
    )


def _has_ancestors(node: Tag, steps: list[_Compound]) -> bool:
    wanted = list(steps)
    for parent in node.parents:
        if not wanted:
            break
        if wanted[-1].matches(parent):
            wanted.pop()
    return not wanted


def _is_tiny(value: str | None, limit: float) -> bool:
    length = _LENGTH.match(value) if value else None
    if length is None:
        return False
    scale = {"em": 16.0, "rem": 16.0, "%": 0.16}.get(length[2] or "", 1.0) if limit > 1 else {"%": 0.01}.get(length[2] or "", 1.0)
    return float(length[1]) * scale < limit


def _is_off_screen(said: dict[str, str]) -> bool:
    placed = said.get("position") in ("absolute", "fixed")
    moved = [said.get(side, "") for side in ("left", "top", "right", "bottom")] if placed else []
    far = (_LENGTH.match(value) for value in [*moved, said.get("text-indent", ""), said.get("margin-left", "")])
    return any(length and float(length[1]) * (16 if length[2] in ("em", "rem") else 1) <= -500 for length in far)


def _is_clipped(said: dict[str, str]) -> bool:
    no_box = any(_ZERO.match(said.get(side, "")) for side in ("height", "width", "max-height", "max-width")) and said.get("overflow") == "hidden"
    clip = re.sub(r"[\s,]+|px", "", said.get("clip", ""))
    return (
        no_box
        or clip in ("rect(0000)", "rect(1111)")
        or said.get("clip-path", "").replace(" ", "") in ("inset(50%)", "inset(100%)")
        or "scale(0)" in said.get("transform", "")
    )


def _is_painted_over(said: dict[str, str]) -> bool:
    paint = said.get("background-color") or said.get("background")
    return said.get("color") == "transparent" or (paint is not None and remove_invisible(said.get("color", "")) == paint)
