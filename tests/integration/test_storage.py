"""One contract for every object store: the folder, and S3 through the genuine SDK against a real HTTP endpoint."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from aquascene.adapters import wiring
from aquascene.adapters.storage.opening import open_store
from aquascene.errors import ConfigError, Conflict, NotFound, PermanentError, TransientError
from aquascene.sources.ports import ObjectStore

KEY, SECRET = SecretStr("key-of-the-tests"), SecretStr("secret-of-the-tests")


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3_endpoint: str) -> ObjectStore:
    if request.param == "directory":
        return open_store(f"file://{tmp_path}/objects")
    return open_store(f"s3+http://{s3_endpoint}/{tmp_path.name.replace('_', '-')[:50].strip('-')}?region=eu-central-1", KEY, SECRET, create_bucket=True)


def test_put_then_get_gives_the_same_bytes_and_type(store: ObjectStore) -> None:
    store.put("raw/ab/cd", b"\x00\xffbytes", "text/html; charset=utf-8")
    assert store.get("raw/ab/cd") == b"\x00\xffbytes"
    known = store.stat("raw/ab/cd")
    assert known is not None
    assert (known.key, known.size_bytes, known.content_type) == ("raw/ab/cd", 7, "text/html; charset=utf-8")
    assert known.modified_at.tzinfo is not None


def test_empty_objects_are_objects(store: ObjectStore) -> None:
    store.put("empty", b"", "text/plain")
    assert store.get("empty") == b""


def test_put_again_replaces_bytes_and_type(store: ObjectStore) -> None:
    store.put("page.html", b"one", "application/json")
    store.put("page.html", b"two", "text/html")
    assert store.get("page.html") == b"two"
    known = store.stat("page.html")
    assert known is not None
    assert known.content_type == "text/html"


def test_missing_objects(store: ObjectStore) -> None:
    with pytest.raises(NotFound):
        store.get("nothing/here")
    assert store.stat("nothing/here") is None
    assert list(store.list("nothing/")) == []
    store.delete("nothing/here")
    store.put("something", b"x", "text/plain")
    with pytest.raises(NotFound):
        store.copy("nothing/here", "there")
    with pytest.raises(NotFound):
        store.get("something/below")


def test_list_is_by_prefix_and_in_order(store: ObjectStore) -> None:
    for key in ("b/2", "b/10", "b/1", "bb/1", "a/b/c"):
        store.put(key, b"x", "text/plain")
    assert list(store.list("b/")) == ["b/1", "b/10", "b/2"]
    assert list(store.list("b/1")) == ["b/1", "b/10"]
    assert list(store.list("")) == ["a/b/c", "b/1", "b/10", "b/2", "bb/1"]


def test_copy_keeps_bytes_and_type_and_delete_is_final(store: ObjectStore) -> None:
    store.put("one", b"bytes", "application/json")
    store.copy("one", "two/copy")
    store.delete("one")
    assert store.stat("one") is None
    known = store.stat("two/copy")
    assert known is not None
    assert known.content_type == "application/json"
    assert store.get("two/copy") == b"bytes"


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/", "./a", "a/.hidden", "a\x00b", "a\\b", "a b", "x" * 600, "é"])
def test_keys_that_leave_the_store_are_refused(store: ObjectStore, key: str) -> None:
    for use in (lambda: store.put(key, b"x", "text/plain"), lambda: store.get(key), lambda: store.stat(key), lambda: store.delete(key)):
        with pytest.raises(PermanentError):
            use()


@pytest.mark.usefixtures("database")
def test_pointer_moves_only_from_the_value_that_was_read(store: ObjectStore) -> None:
    assert store.read_pointer("site/live") is None
    store.swap_pointer("site/live", "one", None)
    with pytest.raises(Conflict):
        store.swap_pointer("site/live", "two", None)
    with pytest.raises(Conflict):
        store.swap_pointer("site/live", "two", "zero")
    store.swap_pointer("site/live", "two", "one")
    assert store.read_pointer("site/live") == "two"


@pytest.mark.usefixtures("database")
def test_one_of_many_swappers_wins(store: ObjectStore) -> None:
    store.swap_pointer("race", "start", None)
    outcomes: list[str] = []

    def swap(number: int) -> None:
        try:
            store.swap_pointer("race", f"n{number}", "start")
            outcomes.append(f"n{number}")
        except Conflict:
            pass

    threads = [threading.Thread(target=swap, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [store.read_pointer("race")]


def test_directory_readers_never_see_half_an_object(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/objects")
    sizes = [b"a" * 200_000, b"b" * 300_000]
    store.put("page", sizes[0], "text/html")
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            store.put("page", sizes[number % 2], "text/html")

    writer = threading.Thread(target=write)
    writer.start()
    seen = {store.get("page") for _ in range(200)}
    stop.set()
    writer.join()
    assert seen <= set(sizes)
    assert list((tmp_path / "objects" / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "url",
    ["", "objects", "ftp://host/bucket", "file://host/dir", "s3+https://host", "s3+https://host/a/b", "s3+https://host/b?zone=1", "s3+https://k:s@host/b"],
)
def test_urls_nobody_can_use_are_config_errors(url: str) -> None:
    with pytest.raises(ConfigError, match="OBJECT_STORE"):
        open_store(url, KEY, SECRET)


def test_s3_without_credentials_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="OBJECT_STORE_ACCESS_KEY"):
        open_store("s3+https://host/bucket")


def test_s3_bucket_is_not_made_where_that_is_not_allowed(s3_endpoint: str) -> None:
    store = open_store(f"s3+http://{s3_endpoint}/not-there", KEY, SECRET)
    with pytest.raises(ConfigError, match="bucket"):
        store.put("a", b"x", "text/plain")
    with pytest.raises(NotFound):
        store.get("a")


def test_s3_that_is_down_is_transient() -> None:
    store = open_store("s3+http://127.0.0.1:9/bucket", KEY, SECRET)
    with pytest.raises(TransientError):
        store.get("a")


def test_wiring_defaults_to_a_folder_in_home(configured: Callable[..., object], tmp_path: Path) -> None:
    wiring.object_store().put("a", b"x", "text/plain")
    assert (tmp_path / "home" / "objects" / "data" / "a").read_bytes() == b"x"
