"""From the bytes of a page to a document: guard, decode, prune, extract, tidy. Pure; hostile bytes belong in a child (adapters.extraction)."""

import codecs
import re

import trafilatura
from bs4 import BeautifulSoup
from charset_normalizer import from_bytes

from aquascene.sources import hidden, metadata, prescan
from aquascene.sources.model import Document, Unreadable
from aquascene.sources.text import instruction_like, tidy, without_trimmings
from aquascene.sources.version import EXTRACTOR

_SHORTEST = 80
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]{1,40})""", re.IGNORECASE)
_HEADER = re.compile(r"charset\s*=\s*[\"']?([\w:.-]{1,40})", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Browsers read these labels as their larger relatives (WHATWG Encoding), and pages rely on it.
_RELATIVES = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "iso-8859-9": "cp1254",
}
_CHROME = ["script", "style", "noscript", "nav", "header", "footer", "aside", "form", "button", "iframe", "svg", "select", "template", "figure"]


def extract_document(body: bytes, url: str, content_type: str | None = None) -> Document | None:
    """Extract the article of a page; None where there is none or where the page is not safe to parse."""
    read = examine(body, url, content_type)
    return read if isinstance(read, Document) else None


def examine(body: bytes, url: str, content_type: str | None = None) -> Document | Unreadable:
    """Extract the article of a page, or say why not."""
    if content_type and not re.match(r"\s*(?:text/(?:html|plain)|application/xhtml\+xml)", content_type, re.IGNORECASE):
        return Unreadable(f"not HTML but {content_type.partition(';')[0].strip()[:60]}")
    if len(body) > prescan.MAX_BYTES:
        return Unreadable(f"larger than {prescan.MAX_BYTES} bytes")
    text = decode(body, content_type)
    if reason := prescan.refusal(text):
        return Unreadable(reason)
    return _document(text, url)


def decode(body: bytes, content_type: str | None) -> str:
    """Decode by BOM, header, meta element, UTF-8, and a guess, in this order."""
    for bom, name in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(name, "replace")
    header, meta = _HEADER.search(content_type or ""), _CHARSET.search(body[:8192])
    for label in (header[1] if header else None, meta[1].decode("ascii", "replace") if meta else None, "utf-8"):
        if label and (text := _try(body, label)) is not None:
            return text
    guess = from_bytes(body[:100_000]).best()
    return body.decode(guess.encoding if guess else "cp1252", "replace")


def _try(body: bytes, label: str) -> str | None:
    name = _RELATIVES.get(label.lower(), label)
    try:
        # A stray byte in a page that says UTF-8 is commoner than a wrong label: a few replacements are taken.
        text = body.decode(name, "replace")
    except (LookupError, ValueError):
        return None
    return text if text.count("\ufffd") <= len(text) // 500 else None


def _document(html: str, url: str) -> Document | Unreadable:
    soup = BeautifulSoup(html.replace("\x00", ""), "lxml")
    about = metadata.read(soup, url)
    concealed = hidden.prune(soup)
    text = without_trimmings(tidy(_article(soup, url)), list(about.headlines))
    if len(text) < _SHORTEST:
        return Unreadable("no article text found")
    return Document(
        url=about.canonical_url or url,
        title=about.title or text.split("\n")[0][:120],
        text=text,
        author=about.author,
        published_at=about.published_at or metadata.searched_date(str(soup), url),
        language=about.language or metadata.guess_language(text),
        licence=about.licence,
        canonical_url=about.canonical_url,
        extractor=EXTRACTOR,
        flags=_flags(text, concealed, about.wishes),
    )


def _article(soup: BeautifulSoup, url: str) -> str:
    found = trafilatura.extract(str(soup), url=url, favor_precision=True, include_comments=False, include_tables=True, deduplicate=False)
    return found if found and len(found) >= _SHORTEST else _fallback(soup)


def _fallback(soup: BeautifulSoup) -> str:
    """The paragraphs of the element that holds most of them; for pages that trafilatura gives nothing for."""
    for node in soup(_CHROME):
        node.decompose()
    holders: dict[int, list[str]] = {}
    for node in soup.find_all(["p", "li", "h2", "h3", "blockquote", "pre"]):
        said = node.get_text(" ", strip=True)
        if said and node.parent is not None:
            holders.setdefault(id(node.parent), []).append(said)
    best = max(holders.values(), key=lambda lines: sum(map(len, lines)), default=[])
    return "\n".join(best)


def _flags(text: str, concealed: list[str], wishes: str) -> tuple[str, ...]:
    flags = [f"instruction-like: {sentence}" for sentence in instruction_like(text)]
    flags += [f"hidden instruction removed: {sentence}" for sentence in instruction_like(tidy("\n".join(concealed)))]
    if wishes:
        flags.append(f"page asks robots: {wishes}")
    return tuple(flags)
