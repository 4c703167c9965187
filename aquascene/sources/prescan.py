"""A look at HTML before any parser sees it: linear in time, so that what hangs or bloats parsers is turned away.

The limits come from measurements: 50,000 nested elements, 100,000 attributes on one tag or 300,000 paragraphs
keep extractors busy for more than 25 seconds; real articles stay far below all of them.
"""

import re

MAX_BYTES = 5_000_000
MAX_TAGS = 60_000
MAX_DEPTH = 256
MAX_ATTRIBUTES = 200
_MAX_BROKEN_TAGS = 50

# Possessive quantifiers: no backtracking, whatever the page holds.
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,60}+)((?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+)>")
_QUOTED = re.compile(r"\"[^\"]*+\"|'[^']*+'")
_RAW_TEXT = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"})
# Elements without content, and those that close themselves when the next one opens.
_NO_DEPTH = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}) | frozenset(
    {"html", "head", "body", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "option", "optgroup", "rp", "rt"}
)


def refusal(text: str) -> str | None:
    """Say why a page must not be parsed; None when it may be."""
    if len(text) > MAX_BYTES:
        return f"larger than {MAX_BYTES} bytes"
    return _Scan(text).run()


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tags = 0
        self.broken = 0
        self.open: dict[str, int] = {}
        self.depth = 0

    def run(self) -> str | None:
        while (start := self.text.find("<", self.at)) >= 0:
            if reason := self._step(start):
                return reason
        return None

    def _step(self, start: int) -> str | None:
        if self.text.startswith("<!--", start):
            self._skip_past("-->", start + 4)
            return None
        match = _TAG.match(self.text, start)
        if match is None:
            self.at = start + 1
            follower = self.text[start + 1 : start + 2]
            self.broken += follower.isalpha() or follower == "/"  # both make the pattern look ahead
            return f"more than {_MAX_BROKEN_TAGS} unfinished tags" if self.broken > _MAX_BROKEN_TAGS else None
        self.at = match.end()
        return self._count(bool(match[1]), match[2].lower(), match[3])

    def _count(self, closing: bool, name: str, attributes: str) -> str | None:
        self.tags += 1
        if self.tags > MAX_TAGS:
            return f"more than {MAX_TAGS} tags"
        if len(attributes) > 2 * MAX_ATTRIBUTES and len(_QUOTED.sub('"', attributes).split()) > MAX_ATTRIBUTES:
            return f"more than {MAX_ATTRIBUTES} attributes on one tag"
        if not closing and name in _RAW_TEXT:
            self._skip_past(f"</{name}", self.at)
        elif name not in _NO_DEPTH and not attributes.endswith("/"):
            self._nest(closing, name)
        return f"nested deeper than {MAX_DEPTH}" if self.depth > MAX_DEPTH else None

    def _nest(self, closing: bool, name: str) -> None:
        if closing and self.open.get(name):
            self.open[name] -= 1
            self.depth -= 1
        elif not closing:
            self.open[name] = self.open.get(name, 0) + 1
            self.depth += 1

    def _skip_past(self, end: str, start: int) -> None:
        found = self.text.find(end, start) if end == "-->" else self._find_lower(end, start)
        self.at = len(self.text) if found < 0 else found + len(end)

    def _find_lower(self, end: str, start: int) -> int:
        match = re.compile(re.escape(end), re.IGNORECASE).search(self.text, start)
        return match.start() if match else -1
