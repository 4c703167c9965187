"""`aquascene db`: the database's revision."""

from typing import Annotated

import typer

from aquascene.adapters import settings
from aquascene.adapters.postgres import migrate
from aquascene.cli.output import command, out, print_json

app = typer.Typer(no_args_is_help=True, help="Migrate and check the database at DATABASE_URL.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _url() -> str:
    return settings.current().database_url.get_secret_value()


@app.command()
@command
def upgrade(json: Json = False) -> None:
    """Bring the database to the newest revision; safe to repeat and to run twice at once. A newer release's schema is left as it is."""
    revision = migrate.upgrade(_url())
    ahead = f", newer than this code knows ({migrate.head()}); left as it is" if migrate.is_ahead(revision) else ""
    print_json({"revision": revision, "ahead": bool(ahead)}) if json else out.print(f"database is at revision {revision}{ahead}")


@app.command()
@command
def current(json: Json = False) -> int:
    """Show the database's revision and the code's; exit 1 where they differ."""
    here, head = migrate.current(_url()), migrate.head()
    print_json({"revision": here, "head": head}) if json else out.print(f"database {here or 'empty'}, code {head}")
    return 0 if here == head else 1


@app.command()
@command
def check(json: Json = False) -> None:
    """Compare the database's tables with the code's; exit 2 where they differ."""
    migrate.check(_url())
    print_json({"matches": True}) if json else out.print("the database matches the code")
