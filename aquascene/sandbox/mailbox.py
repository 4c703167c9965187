"""What the stand-in for SendGrid keeps: accepted messages and the events still to be told, in one SQLite file.

Everything is written before the answer goes out, so that kill -9 of the sandbox loses nothing that it accepted.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
  id TEXT PRIMARY KEY, accepted_at REAL NOT NULL, sender TEXT NOT NULL, subject TEXT NOT NULL,
  html TEXT NOT NULL, text TEXT NOT NULL, headers TEXT NOT NULL, recipients INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS recipient (
  message_id TEXT NOT NULL REFERENCES message(id), position INTEGER NOT NULL, email TEXT NOT NULL, name TEXT NOT NULL,
  subject TEXT NOT NULL, headers TEXT NOT NULL, substitutions TEXT NOT NULL, custom_args TEXT NOT NULL,
  PRIMARY KEY (message_id, position));
CREATE INDEX IF NOT EXISTS recipient_email ON recipient(email);
CREATE TABLE IF NOT EXISTS event (
  id TEXT PRIMARY KEY, due_at REAL NOT NULL, first_due_at REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
  told_at REAL, given_up INTEGER NOT NULL DEFAULT 0, payload TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_due ON event(due_at) WHERE told_at IS NULL AND given_up = 0;
"""


@dataclass(frozen=True, slots=True)
class Person:
    """One recipient of a message, as the request named them."""

    email: str
    name: str
    subject: str
    headers: dict[str, str]
    substitutions: dict[str, str]
    custom_args: dict[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """One accepted request."""

    id: str
    accepted_at: float
    sender: str
    subject: str
    html: str
    text: str
    headers: dict[str, str]
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """An event that the webhook is still to be told."""

    id: str
    payload: dict[str, Any]
    tries: int
    first_due_at: float


class Mailbox:
    """One SQLite file; a connection per thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        with self._open() as db:
            db.executescript("PRAGMA journal_mode=WAL;" + _SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock, closing(sqlite3.connect(self._path, timeout=30)) as db:
            db.row_factory = sqlite3.Row
            with db:
                yield db

    def accept(self, message: Message, events: list[tuple[str, float, dict[str, Any]]]) -> None:
        """Keep a message and the events that will follow it, in one transaction."""
        row = (message.id, message.accepted_at, message.sender, message.subject, message.html, message.text, json.dumps(message.headers), len(message.people))
        with self._open() as db:
            db.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            db.executemany(
                "INSERT INTO recipient VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (message.id, n, who.email, who.name, who.subject, json.dumps(who.headers), json.dumps(who.substitutions), json.dumps(who.custom_args))
                    for n, who in enumerate(message.people)
                ],
            )
            db.executemany(
                "INSERT INTO event (id, due_at, first_due_at, payload) VALUES (?, ?, ?, ?)",
                [(key, due, due, json.dumps(payload)) for key, due, payload in events],
            )

    def due(self, now: float, limit: int) -> list[Due]:
        """Read events whose time has come, oldest first."""
        query = "SELECT * FROM event WHERE told_at IS NULL AND given_up = 0 AND due_at <= ? ORDER BY due_at, rowid LIMIT ?"
        with self._open() as db:
            return [Due(row["id"], json.loads(row["payload"]), row["tries"], row["first_due_at"]) for row in db.execute(query, (now, limit))]

    def told(self, ids: list[str], at: float) -> None:
        """Record that the webhook took events."""
        with self._open() as db:
            db.executemany("UPDATE event SET told_at = ? WHERE id = ?", [(at, each) for each in ids])

    def postpone(self, events: list[tuple[str, float, bool]]) -> None:
        """Record that the webhook did not take events: (id, next try, given up)."""
        with self._open() as db:
            db.executemany("UPDATE event SET tries = tries + 1, due_at = ?, given_up = ? WHERE id = ?", [(due, over, key) for key, due, over in events])

    def find(self, terms: dict[str, str], limit: int) -> list[dict[str, Any]]:
        """Find recipients by custom arguments."""
        where = " AND ".join("json_extract(custom_args, '$.\"' || ? || '\"') = ?" for _ in terms) or "1"
        values = [part for pair in terms.items() for part in pair]
        query = f"SELECT r.*, m.sender, m.accepted_at FROM recipient r JOIN message m ON m.id = r.message_id WHERE {where} ORDER BY m.accepted_at DESC LIMIT ?"  # noqa: S608 - only `?` is put in
        with self._open() as db:
            return [dict(row) for row in db.execute(query, [*values, limit])]

    def messages(self, limit: int = 200) -> list[dict[str, Any]]:
        """List messages, newest first."""
        with self._open() as db:
            return [dict(row) for row in db.execute("SELECT * FROM message ORDER BY accepted_at DESC, rowid DESC LIMIT ?", (limit,))]

    def message(self, message_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
        """Read a message with its recipients."""
        with self._open() as db:
            row = db.execute("SELECT * FROM message WHERE id = ?", (message_id,)).fetchone()
            people = db.execute("SELECT * FROM recipient WHERE message_id = ? ORDER BY position", (message_id,)).fetchall()
        return (dict(row), [dict(each) for each in people]) if row else None

    def copies(self, limit: int = 20_000) -> list[dict[str, Any]]:
        """List every copy that a recipient got, newest first."""
        query = "SELECT r.*, m.accepted_at FROM recipient r JOIN message m ON m.id = r.message_id ORDER BY m.accepted_at DESC, r.position LIMIT ?"
        with self._open() as db:
            rows = db.execute(query, (limit,)).fetchall()
        return [
            {
                "message_id": row["message_id"],
                "position": row["position"],
                "to": row["email"],
                "subject": row["subject"],
                "accepted_at": row["accepted_at"],
                "custom_args": json.loads(row["custom_args"]),
                "headers": json.loads(row["headers"]),
            }
            for row in rows
        ]

    def per_recipient(self) -> list[dict[str, Any]]:
        """Count per address and subject: a count above one is a duplicate."""
        query = "SELECT email, subject, count(*) AS count FROM recipient GROUP BY email, subject ORDER BY count DESC, email, subject"
        with self._open() as db:
            return [dict(row) for row in db.execute(query)]

    def totals(self) -> dict[str, int]:
        """Count what is kept."""
        query = (
            "SELECT (SELECT count(*) FROM message) AS messages, (SELECT count(*) FROM recipient) AS recipients,"
            " (SELECT count(*) FROM event WHERE told_at IS NOT NULL) AS events_told,"
            " (SELECT count(*) FROM event WHERE told_at IS NULL AND given_up = 0) AS events_waiting"
        )
        with self._open() as db:
            return dict(db.execute(query).fetchone())


@lru_cache(maxsize=4)
def _mailbox(path: Path) -> Mailbox:
    return Mailbox(path)


def mailbox() -> Mailbox:
    """The mailbox of this installation: sandbox/mail.sqlite3 in AQUASCENE_HOME."""
    return _mailbox(Path(os.environ.get("AQUASCENE_HOME", ".aquascene")).resolve() / "sandbox" / "mail.sqlite3")
