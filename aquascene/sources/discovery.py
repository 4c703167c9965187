"""What a source's feeds, sitemaps and listing pages name. Runs on hostile bytes, so only inside an extraction child."""

import re
import zlib
from collections.abc import Callable

import feedparser
from bs4 import BeautifulSoup
from lxml import etree  # type: ignore[import-untyped]

from aquascene.sources import prescan
from aquascene.sources.model import Listing, SourceKind, Unreadable
from aquascene.sources.urls import normalise, origin_of

_MOST_URLS = 50_000  # the limit of the sitemap protocol
_LARGEST_XML = 20_000_000
_NOT_PAGES = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|svg|ico|css|js|json|pdf|zip|gz|mp[34]|webm|woff2?|xml|rss|atom)$", re.IGNORECASE)


def read_entry(kind: SourceKind, body: bytes, url: str) -> Listing | Unreadable:
    """Read one entry document; newest first where it tells."""
    try:
        return READERS[kind](_unpacked(body), url)
    except (etree.XMLSyntaxError, zlib.error, ValueError) as exc:
        return Unreadable(f"not a readable {kind}: {' '.join(str(exc).split())[:200]}")


def read_feed(body: bytes, url: str) -> Listing | Unreadable:
    """RSS and Atom; a feed with mistakes is read as far as it goes."""
    feed = feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
    links = [entry.get("link") or "" for entry in feed.entries[:_MOST_URLS]]
    if not links and feed.get("bozo"):
        return Unreadable(f"not a readable feed: {feed.bozo_exception}")
    return Listing(_urls(links, url))


def read_sitemap(body: bytes, url: str) -> Listing | Unreadable:
    """sitemap.xml and sitemap indexes (sitemaps.org), newest `lastmod` first; plain text with one URL per line, too."""
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return Listing(_urls(body.decode("utf-8", "replace").splitlines()[:_MOST_URLS], url))
    # No entities, no network: a sitemap is written by a stranger.
    root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True))
    if root is None:
        return Unreadable("not a readable sitemap: no elements")
    found: list[tuple[str, str]] = []
    for item in root.iterfind("{*}*"):
        found.append((item.findtext("{*}lastmod") or "", item.findtext("{*}loc") or ""))
    found.sort(key=lambda pair: pair[0], reverse=True)
    urls = _urls([loc for _, loc in found[:_MOST_URLS]], url)
    is_index = etree.QName(root).localname == "sitemapindex"
    return Listing((), urls) if is_index else Listing(urls)


def read_listing(body: bytes, url: str) -> Listing | Unreadable:
    """Links of an HTML page on the same origin, in the page's order."""
    text = body.decode("utf-8", "replace")
    if reason := prescan.refusal(text):
        return Unreadable(reason)
    soup = BeautifulSoup(text, "lxml")
    links = [str(anchor["href"]) for anchor in soup.find_all("a", href=True) if "nofollow" not in (anchor.get("rel") or [])]
    return Listing(tuple(link for link in _urls(links, url) if origin_of(link) == origin_of(url) and link != url and not _NOT_PAGES.search(link)))


READERS: dict[SourceKind, Callable[[bytes, str], Listing | Unreadable]] = {
    SourceKind.FEED: read_feed,
    SourceKind.SITEMAP: read_sitemap,
    SourceKind.LISTING: read_listing,
}


def _urls(links: list[str], base: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(url for link in links if link.strip() and (url := normalise(link, base))))


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    text = unpacker.decompress(body, _LARGEST_XML)
    if unpacker.unconsumed_tail:
        raise ValueError(f"more than {_LARGEST_XML} bytes unpacked")
    return text
