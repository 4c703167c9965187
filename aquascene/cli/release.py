"""`aquascene release`: the immutable releases that promotion knows."""

from pathlib import Path
from typing import Annotated, Any

import typer

from aquascene.adapters.promotion import opening
from aquascene.cli.output import command, out, print_json, say
from aquascene.errors import PermanentError
from aquascene.release.model import parse
from aquascene.release.records import KeptRelease

app = typer.Typer(no_args_is_help=True, help="Releases in the ledger at LEDGER_DATABASE_URL.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Version = Annotated[str, typer.Argument(help="Version of the release.")]


@app.command()
@command
def create(file: Annotated[Path, typer.Argument(help="release.json as the release workflow wrote it.")], json: Json = False) -> None:
    """Register a release; the same one again changes nothing, another content under its version is refused."""
    try:
        release = parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise PermanentError(f"cannot read {file}: {exc}") from exc
    new = opening.ledger().add_release(release, opening.somebody())
    if json:
        print_json({"version": release.version, "sha256": release.sha256, "new": new})
    else:
        say(f"{release.version} is registered" if new else f"{release.version} was registered before, and is the same")


@app.command("list")
@command
def list_(json: Json = False) -> None:
    """List releases, newest first, with what keeps one from being promoted."""
    rows = [_row(kept) for kept in opening.ledger().list_releases()]
    if json:
        print_json(rows)
        return
    for row in rows:
        blocked = f"blocked by {row['blocked_by']}: {row['blocked_reason']}" if row["blocked_at"] else "candidate"
        out.print(f"{row['version']:<16} {row['git_sha'][:12]} {row['migration_head']:<8} {row['created_at']:%Y-%m-%d %H:%M} {blocked}", markup=False)


@app.command()
@command
def show(version: Version, json: Json = False) -> None:
    """Show everything that a release says about itself."""
    kept = opening.ledger().get_release(version)
    if json:
        print_json(_row(kept) | {"document": kept.release.document()})
        return
    release = kept.release
    for name, value in _row(kept).items():
        if value not in (None, ""):
            out.print(f"{name}: {value}", markup=False)
    out.print(f"runs on: {release.migrations.runs_on.oldest} to {release.migrations.runs_on.newest}", markup=False)
    for role, image in release.images.items():
        out.print(f"{role}: {image.reference}", markup=False)


@app.command()
@command
def block(version: Version, reason: Annotated[str, typer.Option("--reason", help="What is bad about it; people will read this.")], json: Json = False) -> None:
    """Mark a release as bad: no promotion of it begins any more, nor is it gone back to. What runs goes on running."""
    book = opening.ledger()
    book.block_release(version, opening.somebody(), reason)
    kept = book.get_release(version)
    print_json(_row(kept)) if json else say(f"{version} is blocked by {kept.blocked_by}: {kept.blocked_reason}")


def _row(kept: KeptRelease) -> dict[str, Any]:
    release = kept.release
    return {
        "version": release.version,
        "git_sha": release.git_sha,
        "sha256": release.sha256,
        "migration_head": release.migrations.head,
        "configuration_sha256": release.configuration.schema_sha256,
        "prefect": release.prefect.version,
        "created_at": kept.created_at,
        "created_by": kept.created_by,
        "blocked_at": kept.blocked_at,
        "blocked_by": kept.blocked_by,
        "blocked_reason": kept.blocked_reason,
    }
