"""`aquascene campaigns`: how a campaign stands, and who got what."""

import csv
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from aquascene.adapters.postgres import delivery
from aquascene.adapters.postgres.db import transaction
from aquascene.cli.output import EXIT_INCOMPLETE, command, out, print_json, say
from aquascene.delivery.model import CampaignState
from aquascene.errors import PermanentError

app = typer.Typer(no_args_is_help=True, help="Show how a campaign stands and export its deliveries.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[UUID, typer.Argument(help="Id of the campaign.")]
_COLUMNS = ("recipient_id", "public_id", "email", "chunk_number", "state", "reason", "last_event", "event_at")


@app.command()
@command
def status(campaign_id: Id, json: Json = False) -> int:
    """Show state and counts; exit 1 where a person should look: held, or ended with unknown deliveries."""
    with transaction() as db:
        found, counts, chunks = delivery.get_campaign(db, campaign_id), delivery.counts(db, campaign_id), delivery.chunk_states(db, campaign_id)
    if json:
        print_json({"campaign": found, "deliveries": asdict(counts), "chunks": chunks})
    else:
        out.print(f"state: {found.state}")
        if found.hold_reason:
            out.print(f"held: {found.hold_reason}", markup=False)
        for name, number in asdict(counts).items():
            out.print(f"{name}: {number}")
    return EXIT_INCOMPLETE if found.state in {CampaignState.HELD, CampaignState.SENT_WITH_UNKNOWN} else 0


@app.command()
@command
def export(campaign_id: Id, file: Annotated[Path | None, typer.Argument(help="Where to write; stdout without it.")] = None, json: Json = False) -> None:
    """Export who got what, as CSV or with --json as JSON."""
    with transaction() as db:
        delivery.get_campaign(db, campaign_id)
        rows = list(delivery.export(db, campaign_id))
    if json:
        print_json(rows)
        return
    try:
        handle = file.open("w", encoding="utf-8", newline="") if file else sys.stdout
        writer = csv.DictWriter(handle, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        if file:
            handle.close()
    except OSError as exc:
        raise PermanentError(f"cannot write {file}: {exc.strerror}; choose another place") from exc
    say(f"{len(rows)} deliveries")


@app.command()
@command
def resume(campaign_id: Id, json: Json = False) -> None:
    """Let a held or paused campaign go on; the next sweep sends the rest."""
    with transaction() as db:
        delivery.get_campaign(db, campaign_id)
        going = delivery.resume(db, campaign_id)
    print_json({"resumed": going}) if json else say("resumed" if going else "it is neither held nor paused")
