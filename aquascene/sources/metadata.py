"""Title, author, date, language, licence and canonical URL: what the page says about itself."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

from bs4 import BeautifulSoup, Tag
from htmldate import find_date

from aquascene.sources.text import tidy
from aquascene.sources.urls import host_of, normalise

_ARTICLES = ("Article", "NewsArticle", "BlogPosting", "TechArticle", "Report", "ScholarlyArticle", "WebPage", "HowTo", "Recipe", "Review")
_OPEN = re.compile(r"creativecommons\.org|opendatacommons\.org|gnu\.org/licenses|/(?:publicdomain|licen[cs]e)s?/", re.IGNORECASE)
_BYLINE_END = re.compile(r"\s@|\s\d|[|•·]")  # "Ann Example @ann Nov 18, 2019 • 2 min read"
_SEPARATOR = re.compile(r"\s+[|–—·»-]\s+")
_STOP_WORDS = {
    "en": "the and of to in is that for with are this it as on be was not have from by",
    "de": "der die und das ist nicht mit ein eine den von zu auf für sich des dem im auch wird",
    "fr": "le la les et des est dans une pour que qui sur pas avec plus du au par sont ce",
    "es": "el la los que y en de las por con una para es del se no un como más su",
    "it": "il la che di e per un una del non con sono le dei nel è gli alla più si",
    "nl": "de het een en van is dat op te in zijn voor met niet aan er ook als bij door",
    "pt": "o a que e do da em um para com não uma os no se na por mais as dos",
}


@dataclass(frozen=True)
class Metadata:
    """What the page says about itself; every part may be missing."""

    title: str = ""
    headlines: tuple[str, ...] = ()
    author: str | None = None
    published_at: datetime | None = None
    language: str | None = None
    licence: str | None = None
    canonical_url: str | None = None
    wishes: str = ""


def read(soup: BeautifulSoup, url: str) -> Metadata:
    """Read metadata from JSON-LD, meta elements and the page itself, in this order of trust."""
    data = _json_ld(soup)
    said = [_text(data.get("headline")), _without_site(_meta(soup, "og:title", "twitter:title", "dc.title"), soup)]
    headlines = [*said, *_headings(soup)]
    return Metadata(
        title=next((line for line in headlines if line), "")[:500],
        headlines=tuple(headlines),
        author=_author(soup, data),
        published_at=_published_at(soup, data),
        language=_language(soup, data),
        licence=_licence(soup, data, url),
        canonical_url=_canonical(soup, url),
        wishes=_wishes(soup),
    )


def guess_language(text: str) -> str | None:
    """Name the language by its commonest words; None where nothing stands out."""
    words = re.findall(r"\w+", text[:20_000].casefold())
    shares = sorted(((sum(word in known for word in words), code) for code, known in _KNOWN.items()), reverse=True)
    (best, code), (second, _) = shares[0], shares[1]
    return code if best >= max(5, len(words) * 0.1) and best > second * 1.3 else None


_KNOWN = {code: frozenset(words.split()) for code, words in _STOP_WORDS.items()}


def parse_time(said: str) -> datetime | None:
    """Read ISO 8601 or RFC 5322; a time without a zone is taken as UTC, one outside 1990 to 2100 as a mistake."""
    said = said.strip()
    for parse in (datetime.fromisoformat, _leading_date, parsedate_to_datetime):
        try:
            at = parse(said)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        if at is not None and 1990 <= at.year <= 2100:
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return None


def _leading_date(said: str) -> datetime:
    return datetime.combine(date.fromisoformat(said[:10]), datetime.min.time())


def _json_ld(soup: BeautifulSoup) -> dict[str, Any]:
    for script in soup.find_all("script", type="application/ld+json"):
        try:
            loaded = json.loads(script.get_text()[:1_000_000])
        except (ValueError, RecursionError):
            continue
        for item in _items(loaded, depth=4):
            kinds = item.get("@type")
            if any(kind in _ARTICLES for kind in (kinds if isinstance(kinds, list) else [kinds])) and item.get("headline"):
                return item
    return {}


def _items(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth == 0:
        return
    if isinstance(value, list):
        for inner in value[:100]:
            yield from _items(inner, depth - 1)
    elif isinstance(value, dict):
        yield value
        yield from _items(value.get("@graph"), depth - 1)
        yield from _items(value.get("mainEntity"), depth - 1)


def _text(value: Any) -> str:
    return tidy(unescape(value)) if isinstance(value, str) else ""


def _meta(soup: BeautifulSoup, *names: str) -> str:
    for name in names:
        for attribute in ("property", "name", "itemprop"):
            node = soup.find("meta", attrs={attribute: re.compile(rf"^{re.escape(name)}$", re.IGNORECASE)})
            if isinstance(node, Tag) and (said := _text(node.get("content"))):
                return said
    return ""


def _headings(soup: BeautifulSoup) -> list[str]:
    """Headlines from the page itself, best first: the heading that its <title> repeats, the first h1, the <title>."""
    title = tidy(soup.title.get_text(" ")).replace("\n", " ") if soup.title else ""
    shown = [tidy(node.get_text(" ")).replace("\n", " ") for node in soup.find_all(["h1", "h2", "h3"], limit=50)]
    # Old templates have the site's name as h1 and the headline as h2; the <title> holds both.
    repeated = max((text for text in shown if text and text in title and text != _meta(soup, "og:site_name")), key=len, default="")
    first = soup.find("h1")
    return [repeated if len(repeated) * 3 >= len(title) else "", tidy(first.get_text(" ")).replace("\n", " ") if first else "", _without_site(title, soup)]


def _without_site(title: str, soup: BeautifulSoup) -> str:
    """Cut the site's name from the end: "Growing moss | The Scape"."""
    name = _meta(soup, "og:site_name")
    parts = _SEPARATOR.split(title)
    is_site = len(parts) > 1 and (parts[-1] == name or (len(parts[-1].split()) <= 3 and len(parts[-1]) * 2 < len(title)))
    return title[: -len(parts[-1])].rstrip(" |–—·»-") if is_site else title


def _author(soup: BeautifulSoup, data: dict[str, Any]) -> str | None:
    said = data.get("author")
    names = [_text(one.get("name")) if isinstance(one, dict) else _text(one) for one in (said if isinstance(said, list) else [said])]
    name = ", ".join(dict.fromkeys(filter(None, names))) or _meta(soup, "author", "article:author", "dc.creator", "byl")
    if not name:
        node = soup.find(_names_author)
        name = tidy(node.get_text(" ")).replace("\n", " ") if node else ""
    name = re.sub(r"^(?:written )?by\s+", "", name, flags=re.IGNORECASE)
    name = _BYLINE_END.split(name, maxsplit=1)[0].strip(" ,;-")
    return name if name and len(name) <= 120 and "://" not in name else None


def _names_author(node: Tag) -> bool:
    """Tell whether an element holds the author. Not by a CSS selector: their parser fails on the Python 3.11.2 of Debian 12."""
    return bool(
        "author" in node.get_attribute_list("rel")
        or node.get("itemprop") == "author"
        or not {"author", "byline"}.isdisjoint(map(str, node.get_attribute_list("class")))
    )


def _published_at(soup: BeautifulSoup, data: dict[str, Any]) -> datetime | None:
    said = [
        _text(data.get("datePublished")),
        _meta(soup, "article:published_time", "datePublished", "dc.date", "dcterms.created", "date", "pubdate", "parsely-pub-date"),
    ]
    said += [str(node.get("datetime")) for node in soup.find_all("time", datetime=True, limit=1)]
    return next((at for text in said if text and (at := parse_time(text))), None)


def searched_date(html: str, url: str) -> datetime | None:
    """Look for a date in the page's address and markup where nothing states it."""
    found = find_date(html, url=url, original_date=True, extensive_search=False)
    return parse_time(found) if found else None


def _language(soup: BeautifulSoup, data: dict[str, Any]) -> str | None:
    html = soup.find("html")
    said = [
        str(html.get("lang") or html.get("xml:lang") or "") if isinstance(html, Tag) else "",
        _text(data.get("inLanguage")),
        _meta(soup, "og:locale", "content-language"),
    ]
    codes = (re.match(r"[a-zA-Z]{2,3}(?=$|[-_])", text.strip()) for text in said)
    return next((code[0].lower() for code in codes if code), None)


def _licence(soup: BeautifulSoup, data: dict[str, Any], url: str) -> str | None:
    stated = data.get("license")
    said = _text(stated.get("url") or stated.get("@id") or stated.get("name")) if isinstance(stated, dict) else _text(stated)
    for node in soup.find_all(href=True, rel="license"):
        said = said or normalise(str(node["href"]), url) or ""
    said = said or _meta(soup, "license", "licence", "dcterms.license", "dc.rights", "dcterms.rights", "rights")
    if not said:
        linked = (
            str(node["href"])
            for node in soup.find_all("a", href=_OPEN)
            if "creativecommons.org/licenses" in str(node["href"]) or "publicdomain" in str(node["href"])
        )
        said = next(linked, "")
    return said[:500] or None


def _wishes(soup: BeautifulSoup) -> str:
    """What the page asks of robots that concerns us; a person weighs it."""
    said = {word.strip() for word in _meta(soup, "robots").lower().split(",")}
    return ", ".join(sorted(said & {"noindex", "none", "noai", "noimageai", "nosnippet", "noarchive"}))


def _canonical(soup: BeautifulSoup, url: str) -> str | None:
    """The page's own name for itself; another host's is not believed, or a page could claim a stranger's."""
    node = soup.find("link", href=True, rel="canonical")
    said = normalise(str(node["href"]), url) if node else None
    return said if said and host_of(said) == host_of(url) else None
