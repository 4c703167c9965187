"""The rendered site: same input, same bytes; hostile text is harmless; every link leads somewhere; nothing comes from elsewhere."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from aquascene.drafting.model import Claim
from aquascene.publishing.model import SiteContent, SitePage
from aquascene.publishing.site import nothing_yet, render_site
from tests.publishing_making import BODY, SITE, a_content, a_reference, an_article

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\x00\x1b\u202e{{7*7}}"
ATOM = "{http://www.w3.org/2005/Atom}"


def rendered(content: SiteContent | None = None) -> dict[str, SitePage]:
    return {page.path: page for page in render_site(SITE, content or a_content())}


def text_of(path: str, content: SiteContent | None = None) -> str:
    return rendered(content)[path].body.decode()


class Reader(HTMLParser):
    """Collects elements, ids and links; a script that runs, a handler or a foreign load would show."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        self.ids += [value for key, value in attrs if key == "id" and value]
        self.links += [value for key, value in attrs if key == "href" and value and tag == "a"]
        self.loads += [
            value for key, value in attrs if value and (key in {"src", "srcset"} or (key == "href" and tag == "link" and values.get("rel") != "canonical"))
        ]


def test_the_same_content_gives_the_same_bytes() -> None:
    first = render_site(SITE, a_content(12))
    shuffled = a_content(12)
    again = render_site(SITE, SiteContent(tuple(reversed(shuffled.articles)), shuffled.tombstones))
    assert first == again


def test_only_pages_that_show_an_article_change_with_it() -> None:
    content = a_content(12)
    edited = replace(content, articles=(replace(content.articles[0], body_markdown=BODY.replace("Trim", "Cut")), *content.articles[1:]))
    before, after = rendered(content), rendered(edited)
    assert {path for path in after if after[path] != before[path]} == {"/articles/article-1/", "/feed.xml"}


def test_every_internal_link_and_asset_exists() -> None:
    pages = rendered(a_content(12))
    for page in pages.values():
        if not page.content_type.startswith("text/html"):
            continue
        reader = Reader(page.body.decode())
        assert len(reader.ids) == len(set(reader.ids)), page.path
        for link in [*reader.links, *reader.loads]:
            parts = urlsplit(link)
            if parts.hostname:
                continue
            assert not parts.path or parts.path in pages, (page.path, link)
            if link.startswith("#"):
                assert parts.fragment in reader.ids, (page.path, link)


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs() -> None:
    for page in rendered().values():
        text = page.body.decode()
        if page.content_type.startswith("text/html"):
            reader = Reader(text)
            assert all(load.startswith("/") and not load.startswith("//") for load in reader.loads)
            assert all(values.get("type") == "application/ld+json" for tag, values in reader.tags if tag == "script")
            assert not any(tag in {"iframe", "object", "embed", "style"} or "style" in values for tag, values in reader.tags)
        if page.content_type.startswith("text/css"):
            assert "url(" not in text
            assert "@import" not in text


@pytest.mark.parametrize(
    "body",
    [
        EVIL,
        "[click](javascript:alert(1)) [data](data:text/html,<script>alert(1)</script>) <javascript:alert(1)>",
        '![x](https://evil.example/pixel.gif) ![y](x"onerror="alert(1))',
        "<iframe src=//evil.example></iframe>\n\n<style>*{display:none}</style>\n\n<svg/onload=alert(1)>",
        "[1]: https://evil.example\n\nA statement [1].",
        "[a](//evil.example/x) [b](/\\evil.example)",
        "```\n<script>alert(1)</script>\n```\n\n# <b onclick=alert(1)>x</b>",
        "| a |\n| --- |\n| <img src=x onerror=alert(1)> |",
        "&lt;script&gt;alert(1)&lt;/script&gt; &#x3c;script&#x3e;alert(1)",
    ],
)
def test_hostile_bodies_become_harmless(body: str) -> None:
    content = SiteContent((an_article(1, body_markdown=body),))
    for path in ("/articles/article-1/", "/"):
        assert_harmless(text_of(path, content))
    feed = ElementTree.fromstring(text_of("/feed.xml", content))
    assert_harmless(str(feed.findtext(f"{ATOM}entry/{ATOM}content")))


def assert_harmless(html: str) -> None:
    reader = Reader(html)
    assert not any(tag == "script" and values.get("type") != "application/ld+json" for tag, values in reader.tags)
    assert not any(key.startswith("on") for _, values in reader.tags for key in values)
    assert all(urlsplit(link).scheme in {"", "http", "https", "mailto"} and not link.startswith(("//", "/\\")) for link in reader.links)
    assert not any("evil" in load for load in reader.loads)
    assert not any(tag in {"iframe", "style", "b"} for tag, _ in reader.tags)


def test_hostile_metadata_is_escaped_everywhere() -> None:
    article = an_article(
        1,
        title=EVIL,
        summary=EVIL,
        keywords=(EVIL,),
        model=EVIL,
        provider=EVIL,
        correction_note=EVIL,
        edited_by=EVIL,
        claims=(Claim(EVIL, "x", EVIL, EVIL),),
        approval=replace(an_article().approval, decided_by=EVIL),
        references=(a_reference(1, title=EVIL, author=EVIL, licence=EVIL), a_reference(2, url="javascript:alert(1)//")),
    )
    pages = rendered(SiteContent((article,)))
    for page in pages.values():
        if page.content_type.startswith("text/html"):
            assert_harmless(page.body.decode())
        if "xml" in page.content_type:
            ElementTree.fromstring(page.body)
        if page.content_type == "application/json":
            json.loads(page.body)
    html = pages["/articles/article-1/"].body.decode()
    assert "\u202e" not in html
    assert "49" not in html.split("{{7*7}}")[0][-20:]
    data = re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.S)
    assert data
    assert json.loads(data[1])["headline"].startswith("\"'><script>")


def test_citations_jump_both_ways() -> None:
    reader = Reader(text_of("/articles/article-1/"))
    assert {"ref-1", "ref-2", "cite-1-1", "cite-1-2", "cite-1-3", "cite-2-1", "cite-2-2"} <= set(reader.ids)
    assert {"#ref-1", "#ref-2", "#cite-1-3", "#cite-2-2"} <= set(reader.links)
    assert [values["rel"] for tag, values in reader.tags if tag == "a" and (values.get("href") or "").startswith("https://one")] == ["noopener nofollow"]


def test_the_code_made_list_of_sources_is_not_shown_twice() -> None:
    html = text_of("/articles/article-1/")
    assert html.count('<h2 id="sources">Sources</h2>') == 1
    assert "[source-1]" not in html
    assert html.count("https://one.example/carpets") == 2  # the reference and JSON-LD


def test_structured_data_and_provenance_name_author_reviewer_dates_and_sources() -> None:
    html = text_of("/articles/article-1/")
    data = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.S)[1])  # type: ignore[index]
    assert (data["@type"], data["editor"]["name"], data["datePublished"]) == ("Article", "erika", "2026-03-02T23:30:00Z")
    assert [one["url"] for one in data["citation"]] == ["https://one.example/carpets", "https://two.example/co2"]
    record = json.loads(text_of("/articles/article-1/provenance.json"))
    assert record["sources"][0]["body_sha256"] == "ab" * 32
    assert record["sources"][0]["retrieved_at"] == "2026-02-27T23:30:00Z"
    assert record["statements"][0]["source"] == 1
    assert record["review"] == {"decision": "approve", "decided_by": "erika", "decided_at": "2026-03-01T22:30:00Z", "content_sha256": "cd" * 32}
    assert record["writer"]["cost_usd"] == "0.012300"
    assert record["checks"][0]["check"] == "seo"


def test_dates_are_shown_in_the_publication_s_time_zone() -> None:
    assert '<time datetime="2026-03-02T23:30:00Z">3 March 2026</time>' in text_of("/articles/article-1/")


def test_sandbox_text_is_labelled_on_the_page_in_lists_and_in_the_feed() -> None:
    content = SiteContent((an_article(1, sandbox=True), an_article(2)))
    label = "Written by the extractive sandbox from the sources"
    assert label in text_of("/articles/article-1/", content)
    assert label not in text_of("/articles/article-2/", content)
    assert text_of("/", content).count(">Sandbox<") == 1
    assert text_of("/feed.xml", content).count("Written by the extractive sandbox") == 1


def test_feed_and_site_map_are_whole() -> None:
    content = a_content(3)
    content = replace(content, articles=(replace(content.articles[0], updated_at=content.articles[0].published_at + timedelta(days=30)), *content.articles[1:]))
    feed = ElementTree.fromstring(text_of("/feed.xml", content))
    assert next(entry.findtext(f"{ATOM}id") for entry in feed.iter(f"{ATOM}entry")) == f"urn:uuid:{content.articles[2].id}"
    assert feed.findtext(f"{ATOM}updated") == "2026-04-01T23:30:00Z"
    assert "https://site.example/articles/article-3/#ref-1" in text_of("/feed.xml", content)
    places = [loc.text for loc in ElementTree.fromstring(text_of("/sitemap.xml", content)).iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert "https://site.example/articles/article-1/" in places
    assert "https://site.example/articles/gone/" not in places
    assert "Sitemap: https://site.example/sitemap.xml" in text_of("/robots.txt", content)


def test_a_withdrawn_article_leaves_a_tombstone_and_no_text() -> None:
    page = rendered()["/articles/gone/"]
    assert page.status == 410
    assert "The source had been misread." in page.body.decode()
    assert "An article that was wrong" in text_of("/about/")
    assert "An article that was wrong" not in text_of("/archive/")


def test_an_empty_site_is_a_site() -> None:
    pages = rendered(SiteContent())
    assert {"/", "/archive/", "/about/", "/feed.xml", "/sitemap.xml", "/robots.txt", "/404.html"} <= set(pages)
    assert pages["/404.html"].status == 404
    assert b"Nothing is published yet" in nothing_yet(SITE)


def test_topics_with_one_address_are_one_page() -> None:
    content = SiteContent((an_article(1, keywords=("Carpet plants",)), an_article(2, keywords=("carpet  plants", "Carpet-Plants"))))
    pages = rendered(content)
    assert [path for path in pages if path.startswith("/topics/")] == ["/topics/carpet-plants/"]
    assert pages["/topics/carpet-plants/"].body.count(b'<article class="card">') == 2


def test_pages_are_small_and_say_their_language() -> None:
    pages = rendered(a_content(12))
    assert len(pages["/"].body) < 20_000
    assert '<html lang="en">' in pages["/"].body.decode()
    assert sum(len(page.body) for page in pages.values() if page.content_type.startswith("text/css")) < 16_000


def test_stylesheet_is_in_the_tree() -> None:
    assert (Path(__file__).parents[3] / "aquascene/publishing/templates/style.css").is_file()
