"""What a network or a proxy in front of us may count on: which answers it may keep, for how long, and what it is told when they change."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from aquascene.adapters import cdn, published, settings
from aquascene.adapters.postgres import accounts
from aquascene.adapters.postgres.db import transaction
from aquascene.cli.site import rollback
from aquascene.publishing.model import Switch
from aquascene.web import site
from aquascene.web.app import create_app
from tasks import publishing as tasks
from tests.publishing_rows import add_approved

PAGE = "public, max-age=60, s-maxage=300"
ASSET = "public, max-age=31536000, immutable"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(cdn, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(cdn, "_MARGIN_SECONDS", 0.0)
    site._published.cache_clear()


@pytest.fixture
def origin(database: str, serve: Callable[[Any], str]) -> Iterator[httpx.Client]:
    add("One")
    publish()
    with httpx.Client(base_url=serve(create_app()), timeout=20, trust_env=False) as client:
        yield client


def add(title: str) -> None:
    with transaction() as db:
        add_approved(db, title)


def publish() -> Switch:
    return tasks.switch.fn(news=bool(tasks.choose_drafts.fn(None)))


def an_asset(origin: httpx.Client) -> str:
    return origin.get("/").text.split('rel="stylesheet" href="')[1].split('"')[0]


@pytest.mark.parametrize(
    "path", ["/", "/articles/one/", "/articles/one/provenance.json", "/articles/one/cover.svg", "/feed.xml", "/sitemap.xml", "/robots.txt"]
)
def test_a_published_page_may_be_kept_a_moment_and_asked_for_again(origin: httpx.Client, path: str) -> None:
    page = origin.get(path)
    assert (page.status_code, page.headers["cache-control"]) == (200, PAGE)
    assert "set-cookie" not in page.headers
    assert "vary" not in page.headers
    again = origin.get(path, headers={"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"], again.headers["cache-control"]) == (304, b"", page.headers["etag"], PAGE)
    head = origin.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", page.headers["etag"])
    assert head.headers["content-length"] == str(len(page.content))


def test_two_processes_give_the_same_bytes_and_the_same_tag(origin: httpx.Client, serve: Callable[[Any], str]) -> None:
    other = httpx.get(f"{serve(create_app())}/articles/one/", timeout=20)
    mine = origin.get("/articles/one/")
    assert (other.content, other.headers["etag"]) == (mine.content, mine.headers["etag"])


def test_a_cookie_or_a_key_changes_no_public_page(origin: httpx.Client) -> None:
    plain = origin.get("/articles/one/")
    dressed = origin.get("/articles/one/", headers={"Cookie": "aquascene_session=x", "Authorization": "Bearer x"})
    assert (dressed.content, dressed.headers["cache-control"]) == (plain.content, PAGE)


def test_an_asset_may_be_kept_for_good_and_outlives_its_version(origin: httpx.Client) -> None:
    path = an_asset(origin)
    assert origin.get(path).headers["cache-control"] == ASSET
    add("Two")
    publish()
    assert origin.get(path).status_code == 200


def test_what_is_gone_or_never_was_is_kept_no_longer_than_a_page(origin: httpx.Client) -> None:
    assert (origin.get("/nothing/").status_code, origin.get("/nothing/").headers["cache-control"]) == (404, PAGE)
    assert (origin.get("/articles/one").status_code, origin.get("/articles/one").headers["cache-control"]) == (308, PAGE)
    with transaction() as db:
        article_id = db.exec_driver_sql("SELECT id FROM article").scalar_one()
    tasks.take_back.fn(article_id, "The source was wrong.", "erika")
    publish()
    gone = origin.get("/articles/one/")
    assert (gone.status_code, gone.headers["cache-control"]) == (410, PAGE)


@pytest.mark.parametrize(
    "path",
    [
        "/livez", "/readyz", "/startupz", "/version", "/metrics", "/openapi.json", "/desk", "/desk/sign-in", "/dashboard", "/subscribe",
        "/confirm/nonsense", "/unsubscribe/nonsense", "/preferences/nonsense", "/api/v1/content", "/api/v1/nothing",
    ],
)  # fmt: skip
def test_nothing_else_is_kept(origin: httpx.Client, path: str) -> None:
    assert origin.get(path).headers["cache-control"] == "no-store"


def test_nothing_that_is_for_one_person_is_kept(origin: httpx.Client) -> None:
    with transaction() as db:
        key = accounts.ensure_key(db, "erika", "admin", "secret-of-erika-0123456789")
    for path in ("/api/v1/content", "/api/v1/subscribers", "/api/v1/subscribers/export", "/desk", "/dashboard"):
        answer = origin.get(path, headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert origin.post("/desk/sign-in", data={"api_key": key}).headers["cache-control"] == "no-store"


# --- what the network is told --------------------------------------------------------------------


class Network:
    """A purge endpoint that keeps what it was sent and answers what it is told to."""

    def __init__(self) -> None:
        self.requests: list[tuple[str | None, list[str]]] = []
        self.answers: list[int] = []
        network = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                network.requests.append((self.headers["Authorization"], body["files"]))
                self.send_response(network.answers.pop(0) if network.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/zones/1/purge_cache"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def urls(self) -> set[str]:
        return {url for _, urls in self.requests for url in urls}


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def told(origin: httpx.Client, network: Network, configured: Callable[..., settings.Settings]) -> Network:
    configured(CDN__PURGE_URL=network.url, CDN__PURGE_TOKEN="purge-me", PUBLISHING__SITE_URL="https://planted.example")
    publish()  # every page names the new address
    network.requests.clear()
    return network


def test_a_publish_tells_exactly_what_changed(told: Network) -> None:
    add("Two")
    done = publish()
    assert told.urls == {f"https://planted.example{path}" for path in (*done.changed, *done.removed)}
    assert {"https://planted.example/", "https://planted.example/articles/two/", "https://planted.example/feed.xml"} <= told.urls
    assert "https://planted.example/articles/one/cover.svg" not in told.urls
    assert all(len(urls) <= 30 for _, urls in told.requests)
    assert {sent for sent, _ in told.requests} == {"Bearer purge-me"}


def test_a_publish_that_changes_nothing_tells_nothing(told: Network) -> None:
    publish()
    assert told.requests == []


def test_going_back_tells_what_it_changed(told: Network) -> None:
    add("Two")
    done = publish()
    told.requests.clear()
    rollback(actor="erika")
    assert told.urls == {f"https://planted.example{path}" for path in done.changed}


def test_a_network_that_is_busy_is_told_again(told: Network) -> None:
    told.answers += [503, 429]
    assert cdn.purge(["/"])
    assert len(told.requests) == 3


def test_a_failing_purge_fails_no_publish(
    told: Network, origin: httpx.Client, configured: Callable[..., settings.Settings], caplog: pytest.LogCaptureFixture
) -> None:
    told.answers += [403] * 50
    add("Two")
    assert publish().live
    configured(CDN__PURGE_URL="http://127.0.0.1:1/purge")
    add("Three")
    assert publish().live
    assert [origin.get(f"/articles/{slug}/").status_code for slug in ("two", "three")] == [200, 200]
    said = [record.getMessage() for record in caplog.records if record.name == "aquascene.adapters.cdn"]
    assert "cdn_refused status=403" in said
    assert "cdn_unreachable error=ConnectError" in said
    assert not any("purge-me" in line for line in said)


def test_the_network_is_told_once_every_process_shows_the_new_page(told: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "LOOK_AGAIN_SECONDS", 0.4)
    began = time.monotonic()
    cdn.purge(["/"])
    assert time.monotonic() - began >= 0.4


def test_without_a_network_nothing_is_waited_for(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "LOOK_AGAIN_SECONDS", 60.0)
    assert cdn.purge(["/"])
