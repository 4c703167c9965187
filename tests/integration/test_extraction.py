"""The extraction children: a page that hangs or bloats costs its child, never its run."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from aquascene.adapters import extraction, extraction_child
from aquascene.adapters.extraction import ExtractionPool
from aquascene.errors import TransientError
from aquascene.sources.model import Document, SourceKind, Unreadable

URL = "https://a.example/x"
PAGE = (
    "<html lang=en><title>Moss</title><article>"
    + "".join(f"<p>Moss number {n} grows on wood and on stone in clean water, slowly.</p>" for n in range(20))
    + "</article>"
).encode()
# Stand-ins for parsers that go wrong, run by the real child's main loop.
BROKEN_CHILD = """
import sys, time
from aquascene.adapters import extraction_child
def handle(request, body):
    if body == b"hang":
        while True: pass
    if body == b"bloat":
        return {"unreadable": str(len([bytes(1_000_000) for _ in range(3000)]))}
    if body == b"die":
        import os; os._exit(9)
    if body == b"print":
        print("a library says hello")
        return {"unreadable": "printed"}
    if body == b"environment":
        import os; return {"unreadable": ",".join(sorted(os.environ))}
    if body == b"write":
        open(request["url"], "w").write("x" * 100)
    return {"unreadable": "fine"}
extraction_child.handle = lambda request, body: careful(request, body)
def careful(request, body):
    try:
        return handle(request, body)
    except (MemoryError, OSError) as exc:
        return {"unreadable": type(exc).__name__, "worn": True}
extraction_child.main()
"""


@pytest.fixture
def pool() -> Iterator[ExtractionPool]:
    with ExtractionPool(1, 5.0, 256 * 1024 * 1024) as made:
        yield made


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExtractionPool]:
    """A pool whose children run BROKEN_CHILD."""
    script = tmp_path / "child.py"
    script.write_text(BROKEN_CHILD)
    started = extraction.subprocess.Popen

    def start(command: list[str], **options: Any) -> Any:
        return started([command[0], str(script), *command[4:]], **options)

    monkeypatch.setattr(extraction.subprocess, "Popen", start)
    with ExtractionPool(1, 1.0, 256 * 1024 * 1024) as made:
        yield made


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if any("extraction_child" in part for part in command_line(child))]


def command_line(process: psutil.Process) -> list[str]:
    """What a process was started with; nothing where it has ended since."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # psutil.ZombieProcess is one of these
        return []


def reason(pool: ExtractionPool, body: bytes, url: str = URL) -> str:
    found = pool.extract(body, url)
    assert isinstance(found, Unreadable)
    return found.reason


def test_a_page_becomes_a_document(pool: ExtractionPool) -> None:
    found = pool.extract(PAGE, URL, "text/html")
    assert isinstance(found, Document)
    assert (found.title, found.language, found.flags) == ("Moss", "en", ())


def test_one_child_serves_many_pages_quickly(pool: ExtractionPool) -> None:
    pool.extract(PAGE, URL)
    start = time.monotonic()
    assert all(isinstance(pool.extract(PAGE, URL), Document) for _ in range(20))
    assert time.monotonic() - start < 10
    assert len(children()) == 1


def test_entries_are_read_in_the_child(pool: ExtractionPool) -> None:
    found = pool.read_entry(SourceKind.SITEMAP, b"<urlset><url><loc>https://a.example/1</loc></url></urlset>", URL)
    assert found == extraction.Listing(("https://a.example/1",))
    assert isinstance(pool.read_entry(SourceKind.FEED, b"\x00", URL), Unreadable)


def test_a_hang_kills_the_child_and_the_next_page_is_read(broken: ExtractionPool) -> None:
    start = time.monotonic()
    assert reason(broken, b"hang") == "extraction took longer than 1 s"
    assert time.monotonic() - start < 6
    assert reason(broken, b"next") == "fine"


def test_a_child_that_bloats_or_dies_is_replaced(broken: ExtractionPool) -> None:
    assert reason(broken, b"bloat") == "MemoryError"
    assert "died" in reason(broken, b"die")
    assert reason(broken, b"next") == "fine"


def test_a_child_has_no_secrets_and_writes_no_files(broken: ExtractionPool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert "OPENAI" not in reason(broken, b"environment")
    assert reason(broken, b"print") == "printed"
    target = tmp_path / "written"
    broken.extract(b"write", str(target))
    assert not target.exists() or target.stat().st_size == 0


def test_no_child_is_left_behind(pool: ExtractionPool) -> None:
    pool.extract(PAGE, URL)
    (child,) = children()
    pool.close()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_cannot_start_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction.sys, "executable", "/nonexistent/python")
    with ExtractionPool(1, 1.0, 1) as pool, pytest.raises(TransientError, match="did not start"):
        pool.extract(PAGE, URL)


def test_running_out_of_stack_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def recurse(*_: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr(extraction_child.extract, "examine", recurse)
    answer = extraction_child.handle({"op": "page", "url": URL, "content_type": None}, b"")
    assert answer == {"unreadable": "extraction gave up: RecursionError", "worn": True}
    assert os.getpid()
