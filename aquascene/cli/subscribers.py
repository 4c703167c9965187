"""`aquascene subscribers`: import, export, erase and count."""

import csv
import io
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from aquascene.adapters import subscribing
from aquascene.adapters.postgres import audience
from aquascene.adapters.postgres.db import transaction
from aquascene.cli.output import EXIT_INCOMPLETE, command, out, print_json, say
from aquascene.errors import PermanentError

app = typer.Typer(no_args_is_help=True, help="Import, export, erase and count subscribers.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(name="import")
@command
def import_(file: Annotated[Path, typer.Argument(help="CSV with a column `email`; - reads standard input.")], json: Json = False) -> int:
    """Import subscribers from CSV; nobody who left is brought back. Exit 1 where a row was neither added nor updated."""
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig") if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise PermanentError(f"cannot read {file}: {exc}; give a CSV file in UTF-8") from exc
    rows = list(subscribing.import_csv(io.StringIO(text), f"file {file.name}"))
    counts = Counter(str(row.verdict) for row in rows)
    odd = [{"line": row.line, "verdict": str(row.verdict)} for row in rows if row.verdict not in {"added", "updated"}]
    if json:
        print_json({"counts": dict(counts), "problems": odd})
    else:
        for verdict, number in sorted(counts.items()):
            out.print(f"{verdict}: {number}")
        for row in odd:
            say(f"line {row['line']}: {row['verdict']}")
    return EXIT_INCOMPLETE if odd else 0


@app.command()
@command
def export(file: Annotated[Path | None, typer.Argument(help="Where to write the CSV; stdout without it.")] = None, json: Json = False) -> None:
    """Export all subscribers as CSV, with suppression."""
    if file is None:
        subscribing.export_rows(csv.writer(sys.stdout).writerow)
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as handle:
            number = subscribing.export_rows(csv.writer(handle).writerow)
    except OSError as exc:
        raise PermanentError(f"cannot write {file}: {exc.strerror}; choose another place") from exc
    print_json({"file": file, "subscribers": number}) if json else say(f"wrote {number} subscribers to {file}")


@app.command()
@command
def erase(email: Annotated[str, typer.Argument(help="Address of the person.")], json: Json = False) -> None:
    """Erase a person for good; an address that is not on the list is kept off it all the same."""
    found = subscribing.erase_address(email, "operator")
    print_json({"erased": found, "suppressed": True}) if json else say("erased" if found else "not on the list; the address is suppressed")


@app.command()
@command
def stats(json: Json = False) -> None:
    """Count subscribers by state, and suppressed addresses."""
    with transaction() as db:
        counts = audience.counts(db)
    if json:
        print_json(counts)
        return
    for name, number in counts.items():
        out.print(f"{name}: {number}")
