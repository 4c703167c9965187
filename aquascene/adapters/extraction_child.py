"""The extraction child: reads one request at a time from stdin, parses hostile bytes, answers on stdout. Started by `extraction.py` only.

A request is a line of JSON and, after it, as many bytes as it says; an answer is a line of JSON. The child has no secrets in
its environment, may write no file, and dies by its own alarm when the parent is gone.
"""

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from aquascene.sources import discovery, extract
from aquascene.sources.model import Document, SourceKind, Unreadable


def main() -> None:
    """Serve requests until stdin ends."""
    memory_bytes, seconds = int(sys.argv[1]), float(sys.argv[2])
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    limit(memory_bytes)
    _answer(answers, {"ready": True})
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        body = sys.stdin.buffer.read(request["size"])
        signal.setitimer(signal.ITIMER_REAL, seconds)
        answer = handle(request, body)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _answer(answers, answer)


def limit(memory_bytes: int) -> None:
    """Bound address space, files and core dumps; systems that refuse one of these keep the others (macOS knows no RLIMIT_AS)."""
    wanted = {"RLIMIT_AS": _address_space() + memory_bytes, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0}
    for name, value in wanted.items():
        with suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))


def handle(request: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Do one request; running out of memory or stack is an answer, too."""
    try:
        if request["op"] == "entry":
            found = discovery.read_entry(SourceKind(request["kind"]), body, request["url"])
            return {"unreadable": found.reason} if isinstance(found, Unreadable) else asdict(found)
        read = extract.examine(body, request["url"], request["content_type"])
    except (MemoryError, RecursionError) as exc:
        return {"unreadable": f"extraction gave up: {type(exc).__name__}", "worn": True}
    return {"unreadable": read.reason} if isinstance(read, Unreadable) else _plain(read)


def _plain(read: Document) -> dict[str, Any]:
    return asdict(read) | {"published_at": read.published_at.isoformat() if read.published_at else None}


def _answer(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _address_space() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 31


if __name__ == "__main__":
    main()
