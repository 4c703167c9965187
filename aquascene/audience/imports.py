"""Imports: a verdict per row. An import adds and updates, it never brings anybody back."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aquascene.audience.addresses import parse
from aquascene.audience.model import Address, Profile, Standing, SubscriberState
from aquascene.errors import PermanentError

_PROFILE_COLUMNS = ("name", "locale", "time_zone")
_LONGEST_VALUE = 500


class Verdict(StrEnum):
    """What happened to a row; the words are those of the report."""

    ADDED = "added"
    UPDATED = "updated"
    INVALID = "invalid-address"
    DUPLICATE = "duplicate-in-file"
    SUPPRESSED = "suppressed"
    NOT_RESUBSCRIBED = "not-resubscribed"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: its number as an editor shows it, the address if it is one, and the profile."""

    line: int
    address: Address | None
    profile: Profile = field(default_factory=Profile)


def read_csv(lines: Iterable[str]) -> Iterator[Row]:
    """Read rows from CSV with a header: `email` is needed, name, locale and time_zone are known, others become attributes.

    Raises PermanentError when there is no `email` column or the text is no CSV.
    """
    reader = csv.DictReader(lines, restkey="", strict=True)
    try:
        columns = {name: name.strip().lower().lstrip("\ufeff") for name in reader.fieldnames or ()}
        if "email" not in columns.values():
            raise PermanentError("the file has no column `email`; its first line must name the columns, for example: email,name,locale")
        for record in reader:
            yield _row(reader.line_num, {columns[key]: value for key, value in record.items() if key in columns})
    except csv.Error as exc:
        raise PermanentError(f"line {reader.line_num} is not valid CSV: {exc}") from exc


def _row(line: int, values: dict[str, Any]) -> Row:
    cleaned = {key: " ".join(str(value or "").split())[:_LONGEST_VALUE] for key, value in values.items()}
    known = {key: cleaned[key] for key in _PROFILE_COLUMNS if cleaned.get(key)}
    others = {key: value for key, value in cleaned.items() if value and key not in {"email", *_PROFILE_COLUMNS}}
    return Row(line, parse(cleaned.get("email", "")), Profile(**known, attributes=others))


def judge(row: Row, standing: Standing, seen: set[str]) -> Verdict:
    """Decide upon a row; `seen` holds the normalised addresses of earlier rows and gains this one."""
    if row.address is None:
        return Verdict.INVALID
    if row.address.normalised in seen:
        return Verdict.DUPLICATE
    seen.add(row.address.normalised)
    if standing.suppressed is not None:
        return Verdict.SUPPRESSED
    if standing.state is None:
        return Verdict.ADDED
    if standing.state in {SubscriberState.ACTIVE, SubscriberState.PENDING}:
        return Verdict.UPDATED
    return Verdict.NOT_RESUBSCRIBED
