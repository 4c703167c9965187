"""`aquascene site`: the versions of the public site, and the way back."""

from typing import Annotated

import typer

from aquascene.adapters import cdn, settings, wiring
from aquascene.adapters.postgres import publishing
from aquascene.adapters.postgres.db import transaction
from aquascene.adapters.site_rows import PostgresSiteRows
from aquascene.cli.output import command, out, print_json
from aquascene.ids import new_id
from aquascene.publishing.switching import POINTER, live_version, read_manifest, roll_back_site

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("versions")
@command
def versions(as_json: _Json = False) -> None:
    """List the newest versions of the public site; the one that readers see is marked."""
    with transaction() as db:
        found = publishing.versions(db, settings.current().publishing.versions_kept)
    live = wiring.object_store().read_pointer(POINTER)
    rows = [
        {"number": one.number, "live": str(one.id) == live, "pages": one.pages, "pages_changed": one.pages_changed, "created_at": one.created_at}
        for one in found
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        out.print(
            f"{row['number']:>6} {'live' if row['live'] else '':<5} {row['pages']:>6} pages {row['pages_changed']:>6} changed  {row['created_at']}",
            markup=False,
        )


@app.command("rollback")
@command
def rollback(
    actor: Annotated[str, typer.Option("--actor", help="Your name, for the audit log.")] = "cli",
    as_json: _Json = False,
) -> None:
    """Show the version before the live one again, in one step.

    Rows of articles stay as they are: withdraw or correct what was wrong before something new is published.
    """
    rows, store = PostgresSiteRows(new_id(), actor), wiring.object_store()
    left = read_manifest(store, live_version(rows, store))
    shown = roll_back_site(rows, store)
    again = read_manifest(store, shown)
    if left and again:
        cdn.purge([*again.changed_since(left), *again.removed_since(left)])
    if as_json:
        print_json(shown)
        return
    out.print(f"readers see version {shown.number} again", markup=False)
