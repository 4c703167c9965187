"""The numbered references of an article: which number of the text means which document, and what of the text is apparatus.

The body of a draft ends in code-made apparatus (drafting.render): a list of sources, a disclosure and link targets
`[source-n]: <url>`. The site makes its own list from the documents, so the apparatus is read for its numbers and cut off.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from aquascene.drafting.content_types import TYPES
from aquascene.publishing.model import Reference

_TARGET = re.compile(r"^[ ]{0,3}\[source-(\d{1,3})\]:[ \t]*<?([^>\s]+)>?[ \t]*$", re.MULTILINE)
_MARK = re.compile(r"\[\[(\d{1,3})\]\]\[source-\1\]")
_APPARATUS = re.compile(r"\s*(?:\d+\.\s.*|\*[^*]+\*|\[source-\d{1,3}\]:.*)?")
_HEADINGS = {"Sources", *(kind.labels.get("references_heading", "Sources") for kind in TYPES.values())}


def numbered(body_markdown: str, documents: Sequence[Reference]) -> tuple[Reference, ...]:
    """Give documents the numbers that the text uses; a target that no document has (an editor's link) becomes a reference, too."""
    targets = {int(match[1]): _address(match[2]) for match in _TARGET.finditer(body_markdown)}
    waiting: dict[str, list[Reference]] = {}
    for document in documents:
        waiting.setdefault(_address(document.url), []).append(document)
    known = [replace(_next(waiting, url), number=number) for number, url in sorted(targets.items())]
    free = (number for number in count(1) if number not in targets)
    unused = [replace(document, number=next(free)) for left in waiting.values() for document in left]
    return tuple(sorted([*known, *unused], key=lambda reference: reference.number))


def _next(waiting: dict[str, list[Reference]], url: str) -> Reference:
    """Take the next document with an address; two versions of one page keep their order."""
    left = waiting.get(url)
    return left.pop(0) if left else Reference(0, "", url, "")


def article_text(body_markdown: str) -> str:
    """Return the text that readers read: `[[n]][source-n]` as `[n]`, without the list of sources and the link targets."""
    lines = _MARK.sub(r"[\1]", _TARGET.sub("", body_markdown)).rstrip().split("\n")
    return "\n".join(lines[: next(_ends(lines), len(lines))]).strip()


def _ends(lines: list[str]) -> Iterator[int]:
    for at, line in enumerate(lines):
        if line.removeprefix("## ") in _HEADINGS and line.startswith("## ") and all(_APPARATUS.fullmatch(rest) for rest in lines[at + 1 :]):
            yield at


def _address(url: str) -> str:
    return url.replace("<", "%3C").replace(">", "%3E").replace(" ", "%20")
