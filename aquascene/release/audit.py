"""The audit chain: every row carries a hash over itself and the hash of the row before.

Whoever changes or removes a row must rewrite every later one. Rows cut off at the end leave no gap, so keep the newest
hash somewhere else (`aquascene promote audit verify --head HASH`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aquascene.release.canonical import fingerprint
from aquascene.release.records import AuditRow

START = "0" * 64


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What verifying found: how many rows, the newest hash, and the first row that is not as it was written."""

    rows: int
    head: str
    broken: int | None = None
    problem: str = ""


def row_hash(number: int, at: datetime, actor: str, action: str, subject: str, detail: Mapping[str, Any], prev_hash: str) -> str:
    """Hash one row; times count in UTC to the microsecond, as PostgreSQL keeps them."""
    when = at.astimezone(UTC).isoformat(timespec="microseconds")
    return fingerprint([number, when, actor, action, subject, dict(detail), prev_hash])


def linked(before: AuditRow | None, at: datetime, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> AuditRow:
    """Make the next row of the chain."""
    number, prev_hash = (before.number + 1, before.hash) if before else (1, START)
    return AuditRow(number, at, actor, action, subject, detail, prev_hash, row_hash(number, at, actor, action, subject, detail, prev_hash))


def verify(rows: Iterable[AuditRow], head: str = "") -> ChainReport:
    """Follow the chain from its start; with `head`, that hash must be among the rows."""
    count, last, seen = 0, START, not head
    for row in rows:
        count += 1
        if problem := _problem(row, count, last):
            return ChainReport(count, last, count, problem)
        last, seen = row.hash, seen or row.hash == head
    return ChainReport(count, last) if seen else ChainReport(count, last, count + 1, "the chain ends before the hash that was given")


def _problem(row: AuditRow, number: int, last: str) -> str:
    if row.number != number:
        return f"row {number} is missing"
    if row.prev_hash != last:
        return f"row {number} does not follow the row before"
    own = row_hash(row.number, row.at, row.actor, row.action, row.subject, row.detail, row.prev_hash)
    return "" if own == row.hash else f"row {number} was changed"
