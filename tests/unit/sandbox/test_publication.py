"""The sample publication over real HTTP: what a polite reader finds there, and what it must survive."""

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

import feedparser
import httpx
import pytest

from aquascene.adapters.settings import Settings
from aquascene.sandbox import publication
from aquascene.sandbox.publication_articles import articles, margins, special

JOURNAL = "/articles/display-tank-journal"


@pytest.fixture
def site(configured: Callable[..., Settings], serve: Callable[[Any], str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=serve(publication.create_app()), timeout=10) as client:
        yield client


def _locations(site: httpx.Client) -> list[str]:
    tree = ElementTree.fromstring(site.get("/sitemap.xml").content)
    return [node.text or "" for node in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]


def test_sitemap_lists_every_article_and_each_answers(site: httpx.Client) -> None:
    found = [location for location in _locations(site) if "/articles/" in location or "/blog/" in location]
    assert len(found) == len(articles()) >= 18
    for location in found:
        assert site.get(location).status_code == 200, location


def test_links_carry_the_host_that_was_asked(site: httpx.Client) -> None:
    asked = {"Host": "sandbox:8101"}
    for path in ("/feed.xml", "/sitemap.xml", "/robots.txt", "/", JOURNAL):
        body = site.get(path, headers=asked).text
        assert "http://sandbox:8101/" in body, path
        assert "127.0.0.1" not in body, path


def test_articles_are_long_enough_and_use_both_templates() -> None:
    for article in articles().values():
        assert 350 <= len(article.body.split()) <= 1000, (article.slug, len(article.body.split()))
        assert set(article.related) <= set(articles()), article.slug
    assert {article.template for article in articles().values()} == {"magazine", "blog"}


@pytest.mark.parametrize("slug", ["start-a-co2-tank", "anubias-nana"], ids=["magazine", "blog"])
def test_article_page_names_author_licence_and_canonical_address(site: httpx.Client, slug: str) -> None:
    article = articles()[slug]
    page = site.get(article.path).text
    assert f'<link rel="canonical" href="{str(site.base_url).rstrip("/")}{article.path}"' in page
    assert 'rel="license" href="https://creativecommons.org/licenses/by/4.0/"' in page
    assert article.author in page
    assert ("application/ld+json" in page) == (article.template == "magazine")
    assert sum(comment["text"].split("!")[0][:30] in page for comment in margins()["comments"]) >= 2


def test_feed_is_readable(site: httpx.Client) -> None:
    parsed = feedparser.parse(site.get("/feed.xml").text)
    assert not parsed.bozo
    assert len(parsed.entries) == 10
    assert site.get(parsed.entries[0].link).status_code == 200


def test_unchanged_page_answers_304_by_tag_and_by_date(site: httpx.Client) -> None:
    first = site.get("/articles/start-a-co2-tank")
    by_tag = site.get("/articles/start-a-co2-tank", headers={"If-None-Match": first.headers["etag"]})
    by_date = site.get("/articles/start-a-co2-tank", headers={"If-Modified-Since": first.headers["last-modified"]})
    other = site.get("/articles/start-a-co2-tank", headers={"If-None-Match": '"other"', "If-Modified-Since": first.headers["last-modified"]})
    assert (by_tag.status_code, by_date.status_code, other.status_code) == (304, 304, 200)
    assert by_tag.content == b""
    assert first.headers["content-encoding"] == "gzip"


def test_revised_journal_changes_and_stays_changed_after_a_restart(
    site: httpx.Client, configured: Callable[..., Settings], serve: Callable[[Any], str]
) -> None:
    before = site.get(JOURNAL)
    assert site.post("/_control/revise").json() == {"revision": 1, "path": JOURNAL}
    after = site.get(JOURNAL, headers={"If-None-Match": before.headers["etag"]})
    assert (before.text.count("Entry 3"), after.status_code, after.text.count("Entry 3")) == (0, 200, 1)
    restarted = httpx.get(serve(publication.create_app()) + JOURNAL)
    assert "Entry 3" in restarted.text
    for _ in range(8):
        site.post("/_control/revise")
    assert "Entry 11" in site.get(JOURNAL).text


def test_copy_is_nearly_the_article_and_names_no_canonical_address(site: httpx.Client) -> None:
    copy = site.get(publication.COPY_PATH).text
    assert 'rel="canonical"' not in copy
    assert "HC Cuba holds on weakly." in copy


def test_robots_closes_the_drafts_that_index_and_sitemap_name(site: httpx.Client) -> None:
    assert "Disallow: /drafts/" in site.get("/robots.txt").text
    assert publication.DRAFT_PATH in site.get("/").text
    assert any(location.endswith(publication.DRAFT_PATH) for location in _locations(site))


def test_awkward_pages_are_awkward(site: httpx.Client) -> None:
    hostile = site.get(publication.HOSTILE_PATH).text
    assert hostile.count("<div>") >= publication.NESTED_ELEMENTS
    assert "gnore previous instructions" in hostile
    assert "gnore previous instructions" in site.get(publication.GUEST_PATH).text
    assert site.get(publication.BROKEN_PATH).status_code == 500
    assert site.get(publication.REDIRECT_PATH).headers["location"].startswith("http://169.254.169.254/")
    assert site.get("/articles/nothing").status_code == 404
    assert site.get("/blog/1999/01/anubias-nana.html").status_code == 404
    assert not any(publication.SLOW_PATH in location for location in _locations(site))


def test_slow_page_outlives_a_reader_with_a_limit_per_read_only(site: httpx.Client) -> None:
    with site.stream("GET", publication.SLOW_PATH, timeout=2) as answer:
        drops = [chunk for chunk, _ in zip(answer.iter_raw(), range(3), strict=False)]
    assert drops == [b".", b".", b"."]


def test_stats_count_paths_and_requests_at_the_same_time(site: httpx.Client) -> None:
    site.get("/robots.txt", headers={"User-Agent": "TestBot/1"})
    site.get("/robots.txt")
    alone = site.get("/_control/stats").json()
    assert (alone["paths"], alone["largest_concurrency"], alone["user_agents"]["TestBot/1"]) == ({"/robots.txt": 2}, 1, 1)
    assert alone["shortest_gap_seconds"] > 0

    with site.stream("GET", publication.SLOW_PATH), site.stream("GET", publication.SLOW_PATH):
        assert site.get("/_control/stats").json()["largest_concurrency"] == 2
    assert site.post("/_control/reset").status_code == 204
    threads = [threading.Thread(target=site.get, args=("/about",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.get("/_control/stats").json()["paths"]["/about"] == 3


def test_special_pages_are_not_articles() -> None:
    assert not {"next-issue", "miracle-tank"} & set(articles())
    assert re.search(r"PLUM-HERON-\d+", special("next-issue").body)
