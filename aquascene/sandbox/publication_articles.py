"""The texts of the sample publication: Markdown files with front matter, read once and rendered to HTML.

Only the text of an article is here; navigation, advertisements and comments belong to the templates.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

PAGES = Path(__file__).parent / "publication_pages"
ENTRY_MARK = "<!-- entry -->"
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


@dataclass(frozen=True)
class Article:
    """One article as its author wrote it."""

    slug: str
    title: str
    template: str
    author: str
    published: date
    updated: date
    section: str
    summary: str
    tags: tuple[str, ...]
    related: tuple[str, ...]
    body: str

    @property
    def path(self) -> str:
        """Address below the publication's root: the magazine and the older blog have their own schemes."""
        if self.template == "blog":
            return f"/blog/{self.published:%Y/%m}/{self.slug}.html"
        return f"/articles/{self.slug}"

    @property
    def modified(self) -> datetime:
        """When the text last changed; pages of this day were all saved at nine."""
        return datetime.combine(self.updated, time(9), UTC)


@cache
def articles() -> dict[str, Article]:
    """Read all articles, newest first, by slug."""
    found = [_read(path) for path in sorted((PAGES / "articles").glob("*.md"))]
    return {article.slug: article for article in sorted(found, key=lambda article: (article.published, article.slug), reverse=True)}


@cache
def special(name: str) -> Article:
    """Read a page that is not in the list of articles (drafts, copies, guests)."""
    return _read(PAGES / "special" / f"{name}.md")


@cache
def margins() -> dict[str, Sequence[dict[str, str]]]:
    """Read what surrounds the articles: advertisements and readers' comments."""
    loaded: dict[str, Sequence[dict[str, str]]] = yaml.safe_load((PAGES / "margins.yaml").read_text(encoding="utf-8"))
    return loaded


def pick(kind: str, slug: str, count: int) -> list[dict[str, str]]:
    """Pick advertisements or comments for a page: the same ones each time."""
    pool = margins()[kind]
    start = int.from_bytes(hashlib.sha256(f"{kind}:{slug}".encode()).digest()[:4], "big")
    return [pool[(start + step) % len(pool)] for step in range(count)]


def html(body: str) -> str:
    """Render the Markdown of an article."""
    return str(_MARKDOWN.render(body))


def with_inset(rendered: str, inset: str) -> str:
    """Put a block before the second heading, where magazines put their advertisements."""
    first = rendered.find("<h2")
    second = rendered.find("<h2", first + 1)
    return rendered if second < 0 else rendered[:second] + inset + rendered[second:]


def journal(body: str, revision: int) -> str:
    """Cut the running journal down to the entries that a revision has: two at first, one more each time."""
    head, *entries = body.split(ENTRY_MARK)
    shown = entries[: 2 + revision]
    repeats = [f"\n\n## Entry {number}\n\n{_REPEAT}\n" for number in range(len(entries) + 1, 3 + revision)]
    return "".join([head, *shown, *repeats])


_REPEAT = "The readings of the display tank are the same as in the entry before: pH 6.6 at lights-on, 4 dKH and 24 °C."


def _read(path: Path) -> Article:
    _, matter, body = path.read_text(encoding="utf-8").split("---\n", 2)
    fields: dict[str, Any] = yaml.safe_load(matter)
    fields.setdefault("updated", fields["published"])
    return Article(slug=path.stem, body=body.strip() + "\n", tags=tuple(fields.pop("tags", ())), related=tuple(fields.pop("related", ())), **fields)
