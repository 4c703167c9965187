import gzip
import time

import pytest

from aquascene.sources.discovery import read_entry
from aquascene.sources.model import Listing, SourceKind, Unreadable

BASE = "https://a.example/feed.xml"


def read(kind: SourceKind, body: bytes) -> Listing:
    found = read_entry(kind, body, BASE)
    assert isinstance(found, Listing)
    return found


def test_rss_and_atom_name_their_pages() -> None:
    items = b"<item><link>https://a.example/1?utm_source=rss</link></item><item><link>/2</link></item><item><title>no link</title></item>"
    rss = b"<rss version='2.0'><channel>" + items + b"</channel></rss>"
    assert read(SourceKind.FEED, rss).pages == ("https://a.example/1", "https://a.example/2")
    entries = b"<entry><link rel='alternate' href='https://a.example/3'/></entry><entry><link href='file:///etc/passwd'/></entry>"
    atom = b"<feed xmlns='http://www.w3.org/2005/Atom'>" + entries + b"</feed>"
    assert read(SourceKind.FEED, atom).pages == ("https://a.example/3",)


def test_a_feed_with_mistakes_is_read_as_far_as_it_goes() -> None:
    assert read(SourceKind.FEED, b"<rss><channel><item><link>https://a.example/1</link></item><item><link>&broken").pages[0] == "https://a.example/1"


def test_sitemap_names_pages_newest_first() -> None:
    old = b"<url><loc>https://a.example/old</loc><lastmod>2024-01-01</lastmod></url>"
    new = b"<url><loc> https://a.example/new </loc><lastmod>2025-01-01</lastmod></url>"
    body = b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>" + old + new + b"</urlset>"
    assert read(SourceKind.SITEMAP, body).pages == ("https://a.example/new", "https://a.example/old")
    assert read(SourceKind.SITEMAP, gzip.compress(body)).pages == ("https://a.example/new", "https://a.example/old")


def test_sitemap_index_names_entries() -> None:
    found = read(SourceKind.SITEMAP, b"<sitemapindex><sitemap><loc>https://a.example/s1.xml</loc></sitemap></sitemapindex>")
    assert (found.pages, found.entries) == ((), ("https://a.example/s1.xml",))


def test_text_sitemap() -> None:
    assert read(SourceKind.SITEMAP, b"https://a.example/1\n\nhttps://a.example/2\n").pages == ("https://a.example/1", "https://a.example/2")


def test_listing_names_links_of_its_origin() -> None:
    inside = b"<a href='/1#x'>1</a><a href='5'>5</a>"
    other = b"<a href='https://b.example/2'>2</a><a href='/3.jpg'>3</a><a rel=nofollow href=/4>4</a><a href='mailto:x@y.z'>m</a>"
    body = inside + other
    assert read(SourceKind.LISTING, body).pages == ("https://a.example/1", "https://a.example/5")


@pytest.mark.parametrize("kind", list(SourceKind))
@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"<", b"\x1f\x8bbroken", b"<html><p>no links</p></html>", gzip.compress(b"a" * 30_000_000)])
def test_other_bytes_are_nothing_or_unreadable(kind: SourceKind, body: bytes) -> None:
    found = read_entry(kind, body, BASE)
    assert isinstance(found, Unreadable) or found.pages == ()


def test_entities_neither_grow_nor_read_files() -> None:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    body = f'<!DOCTYPE u [<!ENTITY l0 "lol"><!ENTITY f SYSTEM "file:///etc/passwd">{lol}]><urlset><url><loc>https://a.example/&l11;</loc></url><url><loc>https://a.example/&f;</loc></url></urlset>'
    start = time.process_time()
    found = read_entry(SourceKind.SITEMAP, body.encode(), BASE)
    assert time.process_time() - start < 2
    assert isinstance(found, Unreadable) or not any("root" in url for url in found.pages)
