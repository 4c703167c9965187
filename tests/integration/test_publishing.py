"""Publishing against a real database and store: one switch, only what changed, nothing unapproved, crashes that heal."""

import json
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from aquascene.adapters import published as published_module
from aquascene.adapters import wiring
from aquascene.adapters.postgres import publishing as rows
from aquascene.adapters.postgres import tables
from aquascene.adapters.postgres.db import transaction
from aquascene.adapters.site_rows import PostgresSiteRows
from aquascene.cli.site import rollback, versions
from aquascene.errors import Conflict, InvariantError, NotFound, PermanentError, TransientError
from aquascene.ids import ArticleId, DraftId, new_id
from aquascene.publishing.manifest import sha256_hex
from aquascene.publishing.model import Switch
from aquascene.publishing.switching import POINTER, live_version, read_manifest, roll_back_site, switch_site
from aquascene.web import problems, site
from tasks import publishing as tasks
from tests.publishing_rows import add_approved, add_draft, approve

pytestmark = pytest.mark.usefixtures("database")


def publish(draft_ids: list[UUID] | None = None) -> Switch:
    """What the flow does, without Prefect."""
    chosen = tasks.choose_drafts.fn(draft_ids)
    return tasks.switch.fn(news=bool(chosen))


def add(title: str, **values: Any) -> DraftId:
    with transaction() as db:
        return add_approved(db, title, **values)


def article_of(draft_id: UUID) -> dict[str, Any]:
    with transaction() as db:
        article, draft = tables.article, tables.draft
        found = db.execute(select(article).join(draft, draft.c.brief_id == article.c.brief_id).where(draft.c.id == draft_id)).mappings().first()
        return dict(found) if found else {}


def audits(article_id: UUID) -> list[str]:
    with transaction() as db:
        event = tables.audit_event
        return list(db.execute(select(event.c.action).where(event.c.subject_id == str(article_id)).order_by(event.c.id)).scalars())


@pytest.fixture
def web() -> TestClient:
    app = FastAPI()
    problems.install(app, debug=False)
    app.include_router(site.router)
    return TestClient(app, base_url="http://site.example", follow_redirects=False)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_module, "LOOK_AGAIN_SECONDS", 0.0)
    site._published.cache_clear()


# --- the way through ---------------------------------------------------------------------------


def test_an_approved_draft_becomes_a_live_article(web: TestClient) -> None:
    draft_id = add("A carpet of Monte Carlo")
    with transaction() as db:
        assert rows.approved_unpublished(db) == [draft_id]
    done = publish()
    article = article_of(draft_id)
    assert (article["state"], article["slug"], article["draft_id"]) == ("live", "a-carpet-of-monte-carlo", draft_id)
    assert done.live == (article["id"],)
    assert audits(article["id"]) == ["article.published"]
    with transaction() as db:
        assert rows.approved_unpublished(db) == []
        assert rows.live_articles(db) == [article["id"]]
    page = web.get("/articles/a-carpet-of-monte-carlo/")
    assert page.status_code == 200
    assert "Reviewed by erika" in page.text
    record = web.get("/articles/a-carpet-of-monte-carlo/provenance.json").json()
    assert [one["title"] for one in record["sources"]] == ["Carpet plants", "Carbon dioxide"]
    assert record["sources"][0]["body_sha256"]


def test_a_second_publish_has_nothing_to_do() -> None:
    draft_id = add("One")
    first, second = publish(), publish()
    assert second == Switch(first.version, (), (), ())
    assert audits(article_of(draft_id)["id"]) == ["article.published"]


def test_publishing_one_draft_leaves_the_others() -> None:
    one, two = add("One"), add("Two")
    publish([one])
    assert article_of(one)["state"] == "live"
    assert article_of(two) == {}
    publish()
    assert article_of(two)["state"] == "live"


def test_the_same_slug_twice_gets_a_suffix() -> None:
    one, two = add("Same title"), add("Same title")
    publish()
    assert [article_of(one)["slug"], article_of(two)["slug"]] == ["same-title", "same-title-2"]


def test_only_what_changed_is_uploaded(monkeypatch: pytest.MonkeyPatch) -> None:
    add("One")
    publish()
    store, put = wiring.object_store(), list[str]()
    keep = store.put

    def count(key: str, data: bytes, content_type: str) -> None:
        put.append(key)
        keep(key, data, content_type)

    monkeypatch.setattr(store, "put", count)
    monkeypatch.setattr(wiring, "object_store", lambda: store)
    add("Two")
    done = publish()
    untouched = {"/articles/one/", "/articles/one/provenance.json", "/articles/one/cover.svg", "/404.html", "/favicon.svg", "/robots.txt", "/about/"}
    assert untouched.isdisjoint(done.changed)
    assert {"/", "/feed.xml", "/articles/two/", "/archive/", "/sitemap.xml"} <= set(done.changed)
    assert len(put) == len(done.changed) + 1  # and the manifest


# --- nothing unapproved ------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["body_markdown", "title", "slug"])
def test_a_draft_that_was_changed_after_its_approval_is_not_published(column: str) -> None:
    draft_id = add("One")
    with transaction() as db:
        db.execute(update(tables.draft).where(tables.draft.c.id == draft_id).values({column: "changed"}))
    assert publish().live == ()
    assert article_of(draft_id) == {}


def test_a_draft_whose_hash_was_changed_with_its_text_is_not_published() -> None:
    draft_id = add("One")
    with transaction() as db:
        db.execute(update(tables.draft).where(tables.draft.c.id == draft_id).values(content_sha256="0" * 64))
        assert rows.approved_unpublished(db) == []
    assert publish([draft_id]).live == ()


def test_a_newer_version_voids_the_approval_of_the_older() -> None:
    with transaction() as db:
        brief_id, old = add_draft(db, "One")
        approve(db, old)
        db.execute(update(tables.draft).where(tables.draft.c.id == old).values(state="superseded"))
        add_draft(db, "One, edited", brief_id, 2)
    assert publish([old]).live == ()
    assert article_of(old) == {}


@pytest.mark.parametrize("decision", ["reject", "revise"])
def test_other_verdicts_publish_nothing(decision: str) -> None:
    with transaction() as db:
        _, draft_id = add_draft(db, "One")
        approve(db, draft_id, decision)
    assert publish([draft_id]).live == ()


def test_an_unknown_draft_is_not_found() -> None:
    with pytest.raises(NotFound):
        publish([new_id()])


def test_a_draft_edited_between_choosing_and_rendering_is_not_shown() -> None:
    draft_id = add("One")
    tasks.choose_drafts.fn(None)
    with transaction() as db:
        db.execute(update(tables.draft).where(tables.draft.c.id == draft_id).values(state="superseded"))
    assert tasks.switch.fn(news=True).live == ()
    assert article_of(draft_id)["state"] == "ready"


def test_a_live_article_whose_text_was_tampered_with_stops_the_publish() -> None:
    draft_id = add("One")
    publish()
    with transaction() as db:
        db.execute(update(tables.draft).where(tables.draft.c.id == draft_id).values(body_markdown="tampered"))
    with pytest.raises(InvariantError, match=str(draft_id)):
        publish()


def test_a_new_approved_version_replaces_the_shown_one_in_place(web: TestClient) -> None:
    with transaction() as db:
        brief_id, old = add_draft(db, "One")
        approve(db, old)
    publish()
    first = article_of(old)
    with transaction() as db:
        db.execute(update(tables.draft).where(tables.draft.c.id == old).values(state="superseded"))
        _, new = add_draft(db, "One, better", brief_id, 2)
    assert publish().changed == ()  # not approved yet: the old text stays
    with transaction() as db:
        approve(db, new)
    done = publish()
    second = article_of(old)
    assert (second["id"], second["slug"], second["draft_id"], second["published_at"]) == (first["id"], "one", new, first["published_at"])
    assert done.live == (first["id"],)
    assert audits(first["id"]) == ["article.published", "article.published"]
    assert "One, better" in web.get("/articles/one/").text
    assert publish().changed == ()


# --- crashes and races -------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


@pytest.mark.parametrize(("port", "call"), [("store", "put"), ("store", "swap_pointer"), ("rows", "record_version"), ("rows", "mark_live")])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_killed_anywhere_is_finished_by_the_next(port: str, call: str, after: bool, monkeypatch: pytest.MonkeyPatch, web: TestClient) -> None:
    add("One")
    publish()
    before = web.get("/").text
    draft_id = add("Two")
    tasks.choose_drafts.fn(None)
    ports: dict[str, Any] = {"store": wiring.object_store(), "rows": PostgresSiteRows(new_id())}
    real = getattr(ports[port], call)

    def die(*args: Any) -> None:
        if after:
            real(*args)
        raise Killed

    monkeypatch.setattr(ports[port], call, die)
    with pytest.raises(Killed):
        switch_site(ports["rows"], ports["store"], wiring.site())
    switched = call == "mark_live" or (call == "swap_pointer" and after)
    assert (web.get("/").text != before) is switched
    done = publish()
    article = article_of(draft_id)
    assert article["state"] == "live"
    assert audits(article["id"]) == ["article.published"]
    assert done.version.number <= 2
    assert web.get("/articles/two/").status_code == 200


def test_two_publishers_at_a_time_end_in_one_site_with_both() -> None:
    drafts = [add(f"Number {number}") for number in range(6)]
    errors: list[BaseException] = []

    def run(draft_id: UUID) -> None:
        try:
            publish([draft_id])
        except TransientError:  # lost eight times: the task's retry would come
            publish([draft_id])
        except BaseException as exc:
            errors.append(exc)
            raise

    threads = [threading.Thread(target=run, args=(draft_id,)) for draft_id in drafts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    states = [article_of(draft_id) for draft_id in drafts]
    assert {one["state"] for one in states} == {"live"}
    assert [len(audits(one["id"])) for one in states] == [1] * 6
    store = wiring.object_store()
    manifest = read_manifest(store, live_version(PostgresSiteRows(new_id()), store))
    assert manifest
    assert all(f"/articles/number-{number}/" in manifest.entries for number in range(6))


def test_readers_never_see_a_mix_or_a_missing_asset_while_publishes_switch(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from aquascene.publishing import render

    add("One")
    publish()
    original = render.stylesheet()
    stop, problems_seen, reads = threading.Event(), list[str](), list[int]()

    def read() -> None:
        while not stop.is_set():
            page = web.get("/")
            style = page.text.split('rel="stylesheet" href="')[1].split('"')[0]
            answer = web.get(style)
            if page.status_code != 200 or answer.status_code != 200:
                problems_seen.append(f"{style} {answer.status_code}")
            elif f"/* {page.text.count('<article')} */" not in answer.text and answer.content != original:
                problems_seen.append("a style sheet of another version")
            reads.append(1)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(2, 6):
        sheet = original + f"/* {number} */".encode()
        path = f"/assets/style.{sha256_hex(sheet)[:12]}.css"
        for module in (render, __import__("aquascene.publishing.site", fromlist=["site"])):
            monkeypatch.setattr(module, "stylesheet", lambda sheet=sheet: sheet)
            monkeypatch.setattr(module, "stylesheet_path", lambda path=path: path)
        add(f"Number {number}")
        publish()
    stop.set()
    for reader in readers:
        reader.join()
    assert problems_seen == []
    assert len(reads) > 10


# --- going back --------------------------------------------------------------------------------


def test_rollback_is_one_step_and_an_idle_run_does_not_undo_it(web: TestClient) -> None:
    add("One")
    first = publish()
    add("Two")
    second = publish()
    store, site_rows = wiring.object_store(), PostgresSiteRows(new_id(), "erika")
    back = roll_back_site(site_rows, store)
    assert (back.id, store.read_pointer(POINTER)) == (first.version.id, str(first.version.id))
    assert web.get("/articles/two/").status_code == 404
    assert web.get("/articles/one/").status_code == 200
    assert publish().version.id == first.version.id
    add("Three")
    assert publish().version.number > second.version.number
    assert web.get("/articles/two/").status_code == 200
    assert web.get("/articles/three/").status_code == 200


def test_the_command_lists_versions_and_goes_back(capsys: pytest.CaptureFixture[str]) -> None:
    add("One")
    publish()
    add("Two")
    publish()
    versions(as_json=True)
    assert [(one["number"], one["live"]) for one in json.loads(capsys.readouterr().out)] == [(2, True), (1, False)]
    rollback(actor="erika", as_json=True)
    assert json.loads(capsys.readouterr().out)["number"] == 1
    with transaction() as db:
        event = tables.audit_event
        done = db.execute(select(event.c.actor, event.c.action).order_by(event.c.id.desc()).limit(1)).one()
    assert tuple(done) == ("erika", "site.rolled-back")


def test_rollback_without_an_earlier_version_is_not_found() -> None:
    with pytest.raises(NotFound):
        roll_back_site(PostgresSiteRows(new_id()), wiring.object_store())
    add("One")
    publish()
    with pytest.raises(NotFound):
        roll_back_site(PostgresSiteRows(new_id()), wiring.object_store())


def test_a_withdrawn_article_answers_410_and_stays_withdrawn(web: TestClient) -> None:
    draft_id = add("One")
    publish()
    article_id = article_of(draft_id)["id"]
    assert tasks.take_back.fn(article_id, " The source was wrong. ", "erika") is True
    assert tasks.switch.fn(news=True).changed
    gone = web.get("/articles/one/")
    assert gone.status_code == 410
    assert "The source was wrong." in gone.text
    assert "Trim every week" not in gone.text
    assert web.get("/articles/one/provenance.json").status_code == 404
    assert tasks.take_back.fn(article_id, "Again.", "erika") is False
    assert publish([draft_id]).live == ()
    assert article_of(draft_id)["state"] == "withdrawn"
    assert audits(article_id) == ["article.published", "article.withdrawn"]


def test_a_correction_is_shown_and_listed(web: TestClient) -> None:
    draft_id = add("One")
    publish()
    article_id = article_of(draft_id)["id"]
    assert tasks.put_correction.fn(article_id, "It is 24 degrees.", "erika") is True
    assert tasks.put_correction.fn(article_id, "It is 24 degrees.", "erika") is False
    tasks.switch.fn(news=True)
    assert "It is 24 degrees." in web.get("/articles/one/").text
    assert "It is 24 degrees." in web.get("/about/").text
    with pytest.raises(PermanentError):
        tasks.put_correction.fn(article_id, "  ", "erika")
    with pytest.raises(NotFound):
        tasks.put_correction.fn(ArticleId(new_id()), "x", "erika")
    tasks.take_back.fn(article_id, "Wrong.", "erika")
    with pytest.raises(Conflict):
        tasks.put_correction.fn(article_id, "x", "erika")


# --- the face ----------------------------------------------------------------------------------


def test_before_the_first_publish_there_is_a_friendly_page(web: TestClient) -> None:
    home = web.get("/")
    assert home.status_code == 200
    assert "Nothing is published yet" in home.text
    style = home.text.split('rel="stylesheet" href="')[1].split('"')[0]
    assert web.get(style).status_code == 200
    assert web.get("/articles/x/").status_code == 404


def test_headers_validators_and_methods(web: TestClient) -> None:
    add("One")
    publish()
    page = web.get("/articles/one/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "max-age=60" in page.headers["cache-control"]
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    tag = page.headers["etag"]
    for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        again = web.get("/articles/one/", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert web.get("/articles/one/", headers={"If-None-Match": '"x"'}).status_code == 200
    head = web.head("/articles/one/")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", page.headers["content-length"])
    style = page.text.split('rel="stylesheet" href="')[1].split('"')[0]
    asset = web.get(style)
    assert asset.headers["content-type"].startswith("text/css")
    assert "immutable" in asset.headers["cache-control"]
    assert web.get("/feed.xml").headers["content-type"].startswith("application/atom+xml")
    assert web.get("/articles/one/cover.svg").headers["content-type"] == "image/svg+xml"
    assert web.post("/articles/one/").status_code == 405


def test_unknown_paths_answer_404_and_never_leave_the_site(web: TestClient) -> None:
    add("One")
    publish()
    for path in (
        "/nothing/",
        "/..%2f..%2fetc%2fpasswd",
        "/articles/../../etc/passwd",
        "/%00",
        "/assets/style.000000000000.css",
        "/articles/one/x",
    ):
        answer = web.get(path, headers={"If-None-Match": "*"})
        assert answer.status_code == 404, path
        assert "Page not found" in answer.text, path
    moved = web.get("/articles/one")
    assert (moved.status_code, moved.headers["location"]) == (308, "/articles/one/")
    api = web.get("/api/v1/nothing")
    assert (api.status_code, api.headers["content-type"]) == (404, "application/problem+json")


def test_the_last_site_stays_up_while_the_pointer_cannot_be_read(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    add("One")
    publish()
    assert web.get("/").status_code == 200

    def down(*_: Any) -> str:
        raise TransientError("database: gone")

    monkeypatch.setattr(site.published()._store, "read_pointer", down)
    assert web.get("/").status_code == 200


def test_content_can_be_loaded_for_other_stages(configured: Callable[..., object]) -> None:
    add("One")
    publish()
    with transaction() as db:
        content = rows.site_content(db)
    assert [one.slug for one in content.articles] == ["one"]
    assert content.articles[0].references[0].number == 1
