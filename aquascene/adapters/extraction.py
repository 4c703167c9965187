"""Extraction in killable children: the only way by which tasks, cli and web parse what strangers wrote.

Why not a process pool: concurrent.futures cannot kill one task, and multiprocessing's spawn imports the parent's main
module (Prefect's engine: seconds) into each child. A child here is a fresh interpreter that imports the parser alone.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import aquascene
from aquascene.errors import TransientError
from aquascene.sources.model import Document, Listing, SourceKind, Unreadable

_START_SECONDS = 60.0
_PAGES_PER_CHILD = 200  # parsers leak; a new child costs half a second
_LONGEST_ANSWER = 20_000_000


class _Died(Exception):
    """The child ended without an answer."""


class _Child:
    def __init__(self, memory_bytes: int, seconds: float) -> None:
        self.seconds = seconds
        self.pages = 0
        self.is_late = False
        # -P and an own environment: nothing of the working folder and no secret reaches the parser.
        command = [sys.executable, "-P", "-m", "aquascene.adapters.extraction_child", str(memory_bytes), str(seconds + 5)]
        environment = {"PYTHONPATH": str(Path(aquascene.__file__).resolve().parents[1]), "PATH": os.environ.get("PATH", ""), "PYTHONUTF8": "1"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, close_fds=True)
        try:
            with self._watched(_START_SECONDS):
                self._read()
        except _Died:
            self.end()
            raise

    def ask(self, request: dict[str, Any], body: bytes) -> dict[str, Any]:
        self.pages += 1
        assert self.process.stdin is not None
        with self._watched(self.seconds):
            try:
                self.process.stdin.write(json.dumps(request | {"size": len(body)}).encode() + b"\n" + body)
                self.process.stdin.flush()
            except BrokenPipeError as exc:
                raise _Died from exc
            return self._read()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                pass

    @contextmanager
    def _watched(self, seconds: float) -> Iterator[None]:
        watchdog = threading.Timer(seconds, self._bite)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _bite(self) -> None:
        self.is_late = True
        self.process.kill()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline(_LONGEST_ANSWER)
        if not line.endswith(b"\n"):
            raise _Died
        answer: dict[str, Any] = json.loads(line)
        return answer


class ExtractionPool:
    """A few children for one run, started when needed; use as a context manager. Safe to use from several threads."""

    def __init__(self, processes: int, seconds: float, memory_bytes: int) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(processes):
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the children that are idle."""
        while not self._idle.empty():
            child = self._idle.get()
            if child is not None:
                child.end()

    def extract(self, body: bytes, url: str, content_type: str | None = None) -> Document | Unreadable:
        """Extract a page; a page that hangs or kills its child is unreadable."""
        answer = self._ask({"op": "page", "url": url, "content_type": content_type}, body)
        if "unreadable" in answer:
            return Unreadable(str(answer["unreadable"]))
        published_at = datetime.fromisoformat(answer["published_at"]) if answer["published_at"] else None
        return Document(**(answer | {"published_at": published_at, "flags": tuple(answer["flags"])}))

    def read_entry(self, kind: SourceKind, body: bytes, url: str) -> Listing | Unreadable:
        """Read a feed, a sitemap or a listing page."""
        answer = self._ask({"op": "entry", "kind": kind.value, "url": url}, body)
        return Unreadable(str(answer["unreadable"])) if "unreadable" in answer else Listing(tuple(answer["pages"]), tuple(answer["entries"]))

    def _ask(self, request: dict[str, Any], body: bytes) -> dict[str, Any]:
        child = self._idle.get() or None
        keep = False
        try:
            child = child or self._start()
            answer = child.ask(request, body)
            keep = not answer.get("worn") and child.pages < _PAGES_PER_CHILD
            return answer
        except _Died:
            is_late = child is not None and child.is_late
            return {"unreadable": f"extraction took longer than {self._seconds:g} s" if is_late else "extraction died, perhaps out of memory"}
        finally:
            # Also after an interrupt: a child with an answer under way must not serve the next page.
            if child is not None and not keep:
                child.end()
            self._idle.put(child if keep else None)

    def _start(self) -> _Child:
        try:
            return _Child(self._memory_bytes, self._seconds)
        except (_Died, OSError) as exc:
            raise TransientError("an extraction child did not start; is there memory left?") from exc
