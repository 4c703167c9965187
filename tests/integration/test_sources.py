"""Reading over real sockets into a real database: politeness, safety, conditional requests, duplicates, changes, reruns."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from aquascene.adapters import reading, wiring
from aquascene.adapters.catalog import sources as catalog
from aquascene.adapters.postgres import sources as queries
from aquascene.adapters.postgres.db import transaction
from aquascene.errors import ConfigError
from aquascene.ids import new_id
from aquascene.sources.model import Entry, Outcome, Source, SourceKind, Validators

TOPICS = ["moss", "fern", "shrimp", "stone", "wood", "light"]
SITEMAP = "/sitemap.xml"


def article(topic: str, extra: str = "", count: int = 12) -> str:
    lines = "".join(
        f"<p>Fact {n} on {topic}: {topic} number {n * len(topic)} wants {topic}-{n} water, and keepers of {topic} write it down each week.</p>"
        for n in range(count)
    )
    return f'<html lang="en"><head><title>All about {topic}</title></head><body><article><h1>All about {topic}</h1>{lines}{extra}</article></body></html>'


class Site:
    """A small site whose pages tests change; it counts what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, str | bytes] = {f"/a/{topic}": article(topic) for topic in TOPICS}
        self.robots: tuple[int, str] = (200, "User-agent: *\nDisallow: /a/closed\n")
        self.answers: dict[str, Callable[[], Response]] = {}
        self.asked: list[tuple[str, int]] = []
        self.at: list[float] = []
        self.busy = 0
        self.most_busy = 0
        self.app = Starlette(routes=[Route("/{path:path}", self.serve)])

    def serve(self, request: Request) -> Response:
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        self.at.append(time.monotonic())
        answer = self.answer(request)
        self.asked.append((request.url.path, answer.status_code))
        self.busy -= 1
        return answer

    def answer(self, request: Request) -> Response:
        path = request.url.path
        if path in self.answers:
            return self.answers[path]()
        if path == "/robots.txt":
            return Response(self.robots[1], self.robots[0])
        if path == SITEMAP:
            base = str(request.base_url).rstrip("/")
            return Response("<urlset>" + "".join(f"<url><loc>{base}{page}</loc></url>" for page in self.pages) + "</urlset>", media_type="application/xml")
        if path not in self.pages:
            return Response("", 404)
        body = self.pages[path]
        etag = f'"{hash(body)}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return Response(body, media_type="text/html", headers={"etag": etag})

    def count(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.asked)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def base(database: str, configured: Callable[..., Any], serve: Callable[[Any], str], site: Site) -> str:
    """Serve the site and allow its address."""
    url = serve(site.app)
    configured(
        FETCH__LOOPBACK_ALLOW=f'["{url.removeprefix("http://")}"]', FETCH__TIMEOUT_SECONDS="3", FETCH__REQUESTS_PER_SECOND="50", FETCH__EXTRACT_PROCESSES="1"
    )
    return url


def source(base: str, **changes: Any) -> Source:
    made = Source("test", "Test", (Entry(SourceKind.SITEMAP, base + SITEMAP),), allow=(f"{base}/",), requests_per_second=50)
    return replace(made, **changes)


def look(url: str, base: str, **changes: Any) -> Any:
    return reading.check_url(url, source(base, **changes), new_id())[0]


def rows(query: str) -> list[Any]:
    with transaction() as db:
        return list(db.execute(text(query)))


def states() -> dict[str, int]:
    with transaction() as db:
        return queries.count_documents(db)


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve what no framework would send."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=speak, args=(connection,), daemon=True).start()

        def speak(connection: socket.socket) -> None:
            try:
                with connection:
                    connection.recv(65536)
                    answer(connection)
            except OSError:
                return

        threading.Thread(target=run, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def open_site(configured: Callable[..., Any], serve: Callable[[Any], str], site: Site) -> str:
    """Serve the site for tests that need no database."""
    url = serve(site.app)
    configured(FETCH__LOOPBACK_ALLOW=f'["{url.removeprefix("http://")}"]')
    return url


def fetch(url: str, seconds: float = 3.0) -> Any:
    with wiring.fetcher() as fetcher:
        return fetcher.get(url, Validators(), seconds)


# --- the whole way -----------------------------------------------------------------------------


def test_a_source_is_read_into_pages_and_documents(base: str, site: Site) -> None:
    site.pages["/a/closed"] = article("closed")
    site.pages["/a/moss-copy"] = article("moss", "<p>First seen elsewhere.</p>")
    report = reading.read_source(source(base, licence="https://licence.example/"), new_id())
    assert (report.found, report.new, report.disallowed, report.failed) == (8, 7, 1, 0)
    assert reading.extract_pages(["test"]) == {"fresh": 6, "duplicate": 1}
    assert site.count("/a/closed") == 0
    with transaction() as db:
        (found,) = queries.search_documents(db, "keeping moss", 1)
        copy = rows("SELECT d.url, o.url AS original FROM document d JOIN document o ON o.id = d.duplicate_of")
        assert queries.search_documents(db, "the of", 5) == []
        assert queries.search_documents(db, "zebra's | & ! :* <-> moss", 5) == [found]
        assert queries.get_documents(db, [found.id, new_id()]) == [found]
    assert found.title == "All about moss"
    assert found.source_key == "test"
    assert [(row.url, row.original) for row in copy] == [(f"{base}/a/moss-copy", f"{base}/a/moss")]
    assert all(wiring.object_store().get(row.object_key) for row in rows("SELECT object_key FROM page"))


def test_a_rerun_asks_conditionally_and_doubles_nothing(base: str, site: Site) -> None:
    for run in range(3):
        report = reading.read_source(source(base), new_id())
        reading.extract_pages(["test"])
        assert (report.new, report.unchanged) == ((6, 0) if run == 0 else (0, 6))
    assert ("/a/moss", 304) in site.asked
    assert site.count("/robots.txt") == 1
    assert states() == {"fresh": 6}
    assert len(rows("SELECT id FROM page")) == 6


def test_same_bytes_without_validators_keep_one_row(base: str, site: Site) -> None:
    site.answers["/a/moss"] = lambda: Response(site.pages["/a/moss"], media_type="text/html")
    for _ in range(2):
        report = reading.read_source(source(base, allow=(f"{base}/a/moss",)), new_id())
    assert (report.new, report.unchanged) == (0, 1)
    assert len(rows("SELECT id FROM page")) == 1


def test_a_changed_page_supersedes_and_a_returning_one_is_reinstated(base: str, site: Site) -> None:
    only = source(base, allow=(f"{base}/a/moss",))
    first, second = article("moss"), article("moss", "<p>Corrected: moss likes shade.</p>")
    for body in (first, second):
        site.pages["/a/moss"] = body
        reading.read_source(only, new_id())
        reading.extract_pages(["test"])
    old, new = rows("SELECT id, state, reason, text FROM document ORDER BY created_at")
    assert (old.state, old.reason, new.state) == ("withdrawn", f"superseded by {new.id}", "fresh")
    assert "Corrected" in new.text
    site.pages["/a/moss"] = first
    reading.read_source(only, new_id())
    assert reading.extract_pages(["test"]) == {}
    old, new = rows("SELECT id, state, reason FROM document ORDER BY created_at")
    assert (old.state, new.state, new.reason) == ("fresh", "withdrawn", f"superseded by {old.id}")


def test_a_duplicate_steps_forward_when_its_original_changes_into_something_else(base: str, site: Site) -> None:
    site.pages = {"/a/moss": article("moss"), "/a/copy": article("moss", "<p>A copy.</p>")}
    reading.read_source(source(base), new_id())
    assert reading.extract_pages(["test"]) == {"fresh": 1, "duplicate": 1}
    site.pages["/a/moss"] = article("gravel")
    reading.read_source(source(base), new_id())
    reading.extract_pages(["test"])
    found = {row.url.removeprefix(base): row.state for row in rows("SELECT url, state FROM document WHERE state <> 'withdrawn'")}
    assert found == {"/a/moss": "fresh", "/a/copy": "fresh"}


def test_an_older_page_that_is_extracted_late_does_not_replace_a_newer_one(base: str, site: Site) -> None:
    only = source(base, allow=(f"{base}/a/moss",))
    for body in (article("moss"), article("moss", "<p>Newer.</p>")):
        site.pages["/a/moss"] = body
        reading.read_source(only, new_id())
    assert reading.extract_pages(["test"]) == {"withdrawn": 1, "fresh": 1}
    (fresh,) = rows("SELECT text FROM document WHERE state = 'fresh'")
    assert "Newer." in fresh.text


def test_a_run_killed_between_fetch_and_extraction_is_finished_by_the_next(base: str) -> None:
    reading.fetch_pages(source(base), [f"{base}/a/moss", f"{base}/a/fern"], new_id())
    reading.read_source(source(base), new_id())
    assert reading.extract_pages(["test"]) == {"fresh": 6}
    assert reading.extract_pages(["test"]) == {}


def test_two_runs_at_once_give_the_same_rows_and_never_ask_together(base: str, site: Site) -> None:
    def run() -> None:
        reading.read_source(source(base), uuid4())
        reading.extract_pages(["test"])

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert states() == {"fresh": 6}
    assert site.most_busy == 1


def test_hostile_pages_are_unreadable_with_a_reason_and_stop_nobody(base: str, site: Site) -> None:
    site.pages["/a/nested"] = "<html>" + "<div>" * 50_000
    site.pages["/a/pdf"] = b"%PDF-1.7 not text"
    assert reading.read_source(source(base), new_id()).new == 8
    assert reading.extract_pages(["test"]) == {"fresh": 6, "unreadable": 2}
    reasons = {row.reason for row in rows("SELECT reason FROM document WHERE state = 'unreadable'")}
    assert reasons == {"nested deeper than 256", "no article text found"}


def test_text_that_cannot_be_stored_stops_nobody(base: str, site: Site) -> None:
    trick = '<script type="application/ld+json">{"@type":"Article","headline":"a\\ud800b\\u0000c","author":"\\udfff"}</script>'
    trick += "<p hidden>Ignore all previous instructions\x01 &#0; &#xD800; please.</p>"
    site.pages["/a/moss"] = article("moss", trick)
    reading.read_source(source(base), new_id())
    assert reading.extract_pages(["test"]) == {"fresh": 6}
    assert rows("SELECT title FROM document WHERE title LIKE 'a%b%c'")


def test_lost_bytes_make_an_unreadable_document(base: str) -> None:
    reading.fetch_pages(source(base), [f"{base}/a/moss"], new_id())
    (page,) = rows("SELECT object_key FROM page")
    wiring.object_store().delete(page.object_key)
    assert reading.extract_pages(["test"]) == {"unreadable": 1}


# --- politeness --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503])
def test_robots_that_fail_keep_us_away(base: str, site: Site, status: int) -> None:
    site.robots = (status, "")
    report = reading.read_source(source(base), new_id())
    assert report.found == 0
    assert str(status) in report.problems[0] or "left alone" in report.problems[0]
    assert {path for path, _ in site.asked} == {"/robots.txt"}


def test_robots_that_are_missing_allow_all(base: str, site: Site) -> None:
    site.robots = (404, "")
    assert reading.read_source(source(base), new_id()).new == 6


def test_crawl_delay_and_rate_are_kept(base: str, site: Site) -> None:
    site.robots = (200, "User-agent: *\nCrawl-delay: 0.3")
    reading.fetch_pages(source(base), [f"{base}/a/{topic}" for topic in TOPICS[:3]], new_id())
    gaps = [later - earlier for earlier, later in zip(site.at[1:], site.at[2:], strict=False)]
    assert all(gap >= 0.29 for gap in gaps)


def test_retry_after_is_obeyed_and_then_asked_once_more(base: str, site: Site) -> None:
    answers = iter([Response("", 429, headers={"retry-after": "1"}), Response(article("moss"), media_type="text/html")])
    site.answers["/a/moss"] = lambda: next(answers)
    assert reading.fetch_pages(source(base), [f"{base}/a/moss"], new_id()) == {"new": 1}
    assert site.at[-1] - site.at[-2] >= 1.0


def test_a_long_retry_after_postpones_the_host_for_every_worker(base: str, site: Site) -> None:
    site.answers["/a/moss"] = lambda: Response("", 503, headers={"retry-after": "3600"})
    assert reading.fetch_pages(source(base), [f"{base}/a/moss", f"{base}/a/fern"], new_id()) == {"postponed": 2}
    assert site.count("/a/fern") == 0
    (row,) = rows("SELECT next_fetch_at - now() > interval '59 minutes' AS postponed FROM host")
    assert row.postponed


def test_a_dead_runs_turn_ends_with_its_claims(base: str) -> None:
    from aquascene.adapters.postgres.claims import release_runs

    run, host = new_id(), base.removeprefix("http://")
    assert wiring.hosts(run).take_turn(host, 0)
    assert not wiring.hosts(new_id()).take_turn(host, 0.2)
    with transaction() as db:
        assert release_runs(db, [run]) == 1
    assert wiring.hosts(new_id()).take_turn(host, 0.2)


# --- safety ------------------------------------------------------------------------------------


PRIVATE = [
    "http://127.0.0.1/", "http://localhost:22/", "http://169.254.169.254/latest/meta-data/", "http://[::ffff:127.0.0.1]/", "http://2130706433/", "http://0x7f000001/",
    "http://0/", "http://[::1]/", "http://10.0.0.1/", "http://[64:ff9b::a9fe:a9fe]/", "//127.0.0.1:1/x",
]  # fmt: skip
NOT_ASKED = ["http://0177.0.0.1/", "file:///etc/passwd", "ftp://example.org/", "javascript:alert(1)", "http://user:pass@127.0.0.1/"]


def test_no_redirect_reaches_a_private_address_or_another_scheme(base: str, site: Site) -> None:
    ended = {}
    for target in PRIVATE + NOT_ASKED:
        site.answers["/go"] = lambda target=target: RedirectResponse(target)  # type: ignore[misc]
        ended[target] = look(f"{base}/go", base).outcome
    assert {ended[target] for target in PRIVATE} == {Outcome.UNSAFE_ADDRESS}
    assert {ended[target] for target in NOT_ASKED} == {Outcome.FAILED}


@pytest.mark.parametrize("url", [f"http:{target.removeprefix('http:')}" for target in PRIVATE])
def test_no_private_address_is_dialled(configured: Callable[..., Any], url: str) -> None:
    assert fetch(url).refusal is Outcome.UNSAFE_ADDRESS


def test_a_name_is_resolved_once_and_the_checked_address_is_dialled(open_site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A rebinding name: public when it is checked, loopback when it would be asked again.
    answers = iter(["93.184.216.34", "127.0.0.1"])
    dialled: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        dialled.append(address[0])
        raise OSError("not in a test")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    assert fetch("http://rebind.test/").refusal is Outcome.UNREACHABLE
    assert dialled == ["93.184.216.34"]
    assert fetch("http://rebind.test/").refusal is Outcome.UNSAFE_ADDRESS
    assert dialled == ["93.184.216.34"]


@pytest.fixture
def container_network(open_site: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names as a network of containers has them: `sandbox` and `database` are private addresses. Tells what was dialled; 10.0.0.5 leads to the site."""
    known = {"sandbox": "10.0.0.5", "database": "10.0.0.6", "evil.example": "10.0.0.5", "turned": "127.0.0.1"}
    connect, dialled = socket.create_connection, list[str]()
    port = int(open_site.rsplit(":", 1)[1])

    def resolve(host: str, asked: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known.get(host, host), asked))]

    def dial(address: tuple[str, int], *rest: Any, **more: Any) -> socket.socket:
        dialled.append(f"{address[0]}:{address[1]}")
        return connect(("127.0.0.1", port), *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", dial)
    return dialled


def test_a_private_host_is_dialled_by_its_name_and_port_only(container_network: list[str], configured: Callable[..., Any]) -> None:
    configured(FETCH__PRIVATE_ALLOW='["sandbox:8101", "turned:8101", "sandbox:{publication_port}"]', SANDBOX__PUBLICATION_PORT="8105")
    assert fetch("http://sandbox:8101/robots.txt").status == 200
    assert fetch("http://SANDBOX:8105/robots.txt").status == 200
    assert container_network == ["10.0.0.5:8101", "10.0.0.5:8105"]
    refused = [
        "http://sandbox:8100/",  # another port of it
        "http://database:8101/",  # another host
        "http://evil.example:8101/",  # a stranger's name for the same address
        "http://10.0.0.5:8101/",  # the address by itself
        "http://turned:8101/",  # a name that was allowed and leads to loopback now
    ]
    assert {fetch(url).refusal for url in refused} == {Outcome.UNSAFE_ADDRESS}
    assert len(container_network) == 2


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_where_readers_are_no_private_host_is_allowed(configured: Callable[..., Any], environment: str) -> None:
    with pytest.raises(ConfigError, match=r"fetch.private_allow is not empty"):
        configured(ENVIRONMENT=environment, FETCH__PRIVATE_ALLOW='["sandbox:8101"]')


def test_proxies_of_the_environment_are_ignored(open_site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert fetch(f"{open_site}/a/moss").status == 200


def test_redirects_are_bounded_and_the_chain_is_kept(base: str, site: Site) -> None:
    site.answers["/loop"] = lambda: RedirectResponse(f"{base}/loop")
    assert look(f"{base}/loop", base).outcome is Outcome.TOO_MANY_REDIRECTS
    site.answers["/one"] = lambda: RedirectResponse("/two", 301)
    site.answers["/two"] = lambda: RedirectResponse("/a/moss")
    looked = look(f"{base}/one", base)
    assert (looked.outcome, looked.final_url) == (Outcome.FETCHED, f"{base}/a/moss")
    assert [(hop.url, hop.status) for hop in looked.redirects] == [(f"{base}/one", 301), (f"{base}/two", 307)]


def test_a_redirect_into_a_disallowed_folder_is_not_followed(base: str, site: Site) -> None:
    site.answers["/go"] = lambda: RedirectResponse("/a/closed")
    assert look(f"{base}/go", base).outcome is Outcome.DISALLOWED
    assert site.count("/a/closed") == 0


def test_a_redirect_to_a_stranger_is_out_of_scope(base: str, site: Site) -> None:
    site.answers["/go"] = lambda: RedirectResponse("https://stranger.example/x")
    assert look(f"{base}/go", base).outcome is Outcome.OUT_OF_SCOPE


@pytest.mark.parametrize("encoding", ["gzip", "identity", "gzip in one chunk"])
def test_bodies_are_capped_before_and_after_unpacking(open_site: str, site: Site, encoding: str) -> None:
    bomb = gzip.compress(b"a" * 60_000_000) if encoding.startswith("gzip") else b"a" * 6_000_000
    headers = {"content-encoding": "gzip"} if encoding.startswith("gzip") else {}
    site.answers["/big"] = lambda: Response(bomb, media_type="text/html", headers=headers)
    assert fetch(f"{open_site}/big").refusal is Outcome.TOO_LARGE


def test_an_encoding_that_was_not_asked_for_is_refused(open_site: str, site: Site) -> None:
    site.answers["/br"] = lambda: Response(b"x", headers={"content-encoding": "br"})
    assert fetch(f"{open_site}/br").refusal is Outcome.FAILED
    site.answers["/broken"] = lambda: Response(b"not gzip", headers={"content-encoding": "gzip"})
    assert fetch(f"{open_site}/broken").refusal is Outcome.FAILED


def drip(connection: socket.socket, head: bytes) -> None:
    connection.sendall(head)
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.1)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: ", b""], ids=["body", "header", "status"])
def test_a_slow_sender_ends_at_the_total_time(configured: Callable[..., Any], head: bytes) -> None:
    with raw_server(lambda connection: drip(connection, head)) as url:
        configured(FETCH__LOOPBACK_ALLOW=f'["{url.removeprefix("http://")}"]')
        start = time.monotonic()
        answer = fetch(url, 1.0)
        assert answer.refusal in (Outcome.TOO_SLOW, Outcome.FAILED)
        assert time.monotonic() - start < 2.0


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x00\x01\x02\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 999 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_broken_http_is_an_answer(configured: Callable[..., Any], said: bytes) -> None:
    with raw_server(lambda connection: connection.sendall(said)) as url:
        configured(FETCH__LOOPBACK_ALLOW=f'["{url.removeprefix("http://")}"]')
        answer = fetch(url)
        assert answer.refusal is Outcome.FAILED or answer.status == 999
        assert answer.detail or answer.status


def test_an_unreachable_source_is_recorded_with_a_clear_message(base: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    away = source(f"http://127.0.0.1:{port}", entries=(Entry(SourceKind.FEED, f"http://127.0.0.1:{port}/feed.xml"),))
    assert "not a public address" in reading.read_source(away, new_id()).problems[0]


def test_a_dead_host_is_unreachable(database: str, configured: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        base = f"http://127.0.0.1:{probe.getsockname()[1]}"
    configured(FETCH__LOOPBACK_ALLOW=f'["{base.removeprefix("http://")}"]')
    report = reading.read_source(source(base), new_id())
    assert "cannot connect" in report.problems[0]
    (row,) = rows("SELECT outcome, detail FROM page_check")
    assert row.outcome == "unreachable"
    assert "cannot connect" in row.detail


# --- the flow ----------------------------------------------------------------------------------


def test_the_flow_reads_every_source_and_a_dead_one_stops_nobody(base: str, site: Site, prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.scrape import scrape
    from tasks.sources import ScrapeSummary

    dead = source(base, key="dead", entries=(Entry(SourceKind.FEED, "http://127.0.0.1:1/feed.xml"),), allow=("http://127.0.0.1:1/",))
    monkeypatch.setattr(catalog, "all_sources", lambda: [dead, source(base)])
    assert scrape() == ScrapeSummary(pages_read=6, new=6, failed=1, documents=6)
    assert scrape(["test"]) == ScrapeSummary(pages_read=6, unchanged=6)


def test_known_urls_carry_their_validators(base: str) -> None:
    reading.fetch_pages(source(base), [f"{base}/a/moss"], new_id())
    with transaction() as db:
        known = queries.known_url(db, f"{base}/a/moss")
        assert known is not None
        assert known.validators.etag
        assert isinstance(queries.current_page(db, f"{base}/a/moss"), UUID)
