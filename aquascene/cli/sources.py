"""`aquascene sources` and `aquascene extract`: look at what is read and at what comes out of it."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from aquascene.adapters import reading, wiring
from aquascene.adapters.catalog import sources as catalog
from aquascene.adapters.postgres import sources as queries
from aquascene.adapters.postgres.db import transaction
from aquascene.cli.output import EXIT_INCOMPLETE, command, out, print_json, say
from aquascene.errors import NotFound, PermanentError
from aquascene.ids import new_id
from aquascene.sources.model import Document, FetchOutcome, Outcome, Source, Unreadable
from aquascene.sources.urls import normalise

app = typer.Typer(no_args_is_help=True, help="List, check and crawl the sources of config/sources.yaml.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_LOOKED_AND_FINE = frozenset({Outcome.FETCHED, Outcome.NOT_MODIFIED})


@app.command(name="list")
@command
def list_(json: Json = False) -> None:
    """List the sources of this environment's catalog."""
    found = catalog.all_sources()
    if json:
        print_json([asdict(source) for source in found])
        return
    table = Table("key", "name", "active", "entries", "requests per second", "licence")
    for source in found:
        entries = "\n".join(f"{entry.kind} {entry.url}" for entry in source.entries)
        table.add_row(
            source.key, source.name, "yes" if source.active else "no", entries, str(source.requests_per_second or "default"), source.licence or "as pages say"
        )
    out.print(table)


@app.command()
@command
def check(url: Annotated[str, typer.Argument(help="Address of one page.")], json: Json = False) -> int:
    """Look at one URL as a scrape would (scope, robots.txt, address guard, extraction) and keep nothing; exit 1 where it would not be read."""
    address = normalise(url)
    if address is None:
        raise PermanentError(f"{url!r} is not an http or https address without credentials; check the spelling")
    source = catalog.source_of(address)
    if source is None:
        raise NotFound(f"no source of the catalog covers {address}; add one to sources.yaml (docs/how-to/add-a-source.md)")
    looked, read = reading.check_url(address, source, new_id())
    answer = _described(source, looked, read)
    if json:
        print_json(answer)
    else:
        for key, value in answer.items():
            out.print(f"{key}: {value}", markup=False)
    return 0 if looked.outcome in _LOOKED_AND_FINE and not isinstance(read, Unreadable) else EXIT_INCOMPLETE


@app.command()
@command
def crawl(name: Annotated[str, typer.Argument(help="Key of the source.")], json: Json = False) -> int:
    """Read one source now, without Prefect: the same steps as the flow `scrape`; exit 1 where something could not be read."""
    source = catalog.one_source(name)
    say(f"reading {source.name}")
    report = reading.read_source(source, new_id())
    documents = dict(reading.extract_pages([source.key]))
    with transaction() as db:
        failures = [(url, outcome, detail) for url, outcome, detail, _ in queries.outcomes(db, source.key) if outcome.is_failure]
    if json:
        print_json(report.row() | {"documents": documents})
    else:
        for key, value in (report.row() | {f"documents {state}": count for state, count in documents.items()}).items():
            out.print(f"{key}: {value}", markup=False)
        for url, outcome, detail in failures:
            out.print(f"{outcome} {url} {detail}", markup=False)
    return EXIT_INCOMPLETE if report.problems or report.failed else 0


def extract_command(
    file: Annotated[Path, typer.Argument(help="A saved page: HTML as it came from the server.")],
    url: Annotated[str, typer.Option("--url", help="Address that the page came from.")],
    content_type: Annotated[str | None, typer.Option("--content-type", help="Content-Type that it came with.")] = None,
    json: Annotated[bool, typer.Option("--json/--text", help="Print the document as JSON (default) or its text alone.")] = True,
) -> None:
    """Extract the document from a saved page; exit 2 where there is none, with the reason on stderr."""
    _extract(file, url, content_type, json)


@command
def _extract(file: Path, url: str, content_type: str | None, json: bool) -> None:
    address = normalise(url)
    if address is None:
        raise PermanentError(f"--url {url!r} is not an http or https address without credentials; give the address that the page came from")
    try:
        body = file.read_bytes()
    except OSError as exc:
        raise PermanentError(f"cannot read {file}: {exc.strerror}; give the path of a saved page") from exc
    with wiring.extraction_pool(processes=1) as pool:
        read = pool.extract(body, address, content_type)
    if isinstance(read, Unreadable):
        raise PermanentError(f"{file} gives no document: {read.reason}")
    print_json(asdict(read)) if json else out.print(read.text, markup=False)


def _described(source: Source, looked: FetchOutcome, read: Document | Unreadable | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "source": source.key,
        "url": looked.url,
        "outcome": looked.outcome.value,
        "detail": looked.detail,
        "status": looked.status,
        "final_url": looked.final_url,
        "redirects": [hop.url for hop in looked.redirects],
        "size_bytes": len(looked.body),
    }
    if isinstance(read, Unreadable):
        return answer | {"unreadable": read.reason}
    if read is None:
        return answer
    words = len(re.findall(r"\w+", read.text))
    return answer | {
        "title": read.title,
        "author": read.author,
        "published_at": read.published_at,
        "language": read.language,
        "licence": read.licence,
        "words": words,
        "flags": read.flags,
    }
