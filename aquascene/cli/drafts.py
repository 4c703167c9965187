"""`aquascene drafts`: look at drafts, and run the checks on a text of your own."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from aquascene.adapters.catalog.knowledge import load_knowledge
from aquascene.adapters.postgres import drafting as store
from aquascene.adapters.postgres.db import transaction
from aquascene.drafting.checks import article as checks
from aquascene.drafting.content_types import TYPES
from aquascene.drafting.model import Brief, Draft, Finding
from aquascene.errors import ConfigError, NotFound

app = typer.Typer(help="Drafts and their checks.", no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
BLOCKED = 1


@app.command()
def show(identifier: Annotated[str, typer.Argument(help="Id of a brief or of a draft.")], as_json: _Json = False) -> None:
    """Show a draft (of a brief: the newest) with its claims, findings and cost."""
    brief, draft = _find(identifier)
    if as_json:
        print(json.dumps({"brief": asdict(brief), "draft": asdict(draft) if draft else None}, default=str, ensure_ascii=False, indent=2))
    else:
        print(_readable(brief, draft))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A Markdown file; its first-level heading is the title.")],
    content_type: Annotated[str, typer.Option(help="Limits of this content type are used.")] = "guide",
    as_json: _Json = False,
) -> None:
    """Check a text: facts, lengths, style, search basics, links and citations. Exit code 1 when a finding blocks, 2 when the file cannot be read."""
    if content_type not in TYPES:
        raise ConfigError(f"content type {content_type!r} is unknown; it is one of {', '.join(TYPES)}")
    findings = checks.run(_article(_read(file), content_type), tuple(checks.CHECKS))
    blocked = any(finding.blocks for finding in findings)
    if as_json:
        print(json.dumps({"file": str(file), "blocked": blocked, "findings": [finding.to_json() for finding in findings]}, ensure_ascii=False, indent=2))
    else:
        print("\n".join(_lines(findings)) or "no findings")
    sys.exit(BLOCKED if blocked else 0)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        print(f"cannot read {file}: {exc}; give a UTF-8 Markdown file", file=sys.stderr)
        raise typer.Exit(2) from exc


def _article(text: str, content_type: str) -> checks.Article:
    lines = text.splitlines()
    heading = next((number for number, line in enumerate(lines) if line.startswith("# ")), None)
    title = lines.pop(heading)[2:].strip() if heading is not None else ""
    body = "\n".join(lines).strip()
    summary = next((line.strip() for line in lines if line.strip() and not line.startswith(("#", "-", ">"))), "")
    return checks.Article(title=title, summary=summary, body_markdown=body, limits=TYPES[content_type].limits, knowledge=load_knowledge())


def _find(identifier: str) -> tuple[Brief, Draft | None]:
    try:
        wanted = UUID(identifier)
    except ValueError:
        raise ConfigError(f"{identifier!r} is no id; give the id of a brief or of a draft") from None
    with transaction() as db:
        try:
            draft = store.get_draft(db, wanted)
        except NotFound:
            return store.get_brief(db, wanted), store.latest_draft(db, wanted)
        return store.get_brief(db, draft.brief_id), draft


def _readable(brief: Brief, draft: Draft | None) -> str:
    head = f"brief {brief.id}: {brief.topic} ({brief.content_type}), {brief.state}" + (f", {brief.refusal}" if brief.refusal else "")
    if draft is None:
        return f"{head}\nno draft yet"
    facts: dict[str, Any] = {
        "draft": draft.id,
        "version": f"{draft.version}, {draft.state}" + (", blocked" if draft.blocked else ""),
        "writer": f"{draft.provider} {draft.model}, prompt {draft.prompt_version}, {draft.cost_usd} USD",
        "hash": draft.content_sha256,
        "claims": len(draft.claims),
    }
    listed = "\n".join(f"{name}: {value}" for name, value in facts.items())
    return f"{head}\n{listed}\n\n# {draft.title}\n\n{draft.body_markdown}\n" + "\n".join(_lines(list(draft.findings)))


def _lines(findings: list[Finding]) -> list[str]:
    return [f"{finding.severity}: {finding.check}: {finding.message}" + (f" — {finding.span}" if finding.span else "") for finding in findings]
