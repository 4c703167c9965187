"""Pages over what the stand-in for SendGrid accepted: who got what, and how often."""

import html
import json
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse, Response

from aquascene.sandbox.mailbox import mailbox

router = APIRouter()

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #8885; vertical-align: top }
iframe { width: 100%; height: 70vh; border: 1px solid #8885; background: #fff }
.twice { color: #b00020; font-weight: 600 }
pre { white-space: pre-wrap }
"""
_HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
_PAGE_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'"
# The mail is shown in an origin of its own, without scripts, forms or anything from the network.
_MAIL_CSP = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    escaped = html.escape(title)
    shown = f"{_HEAD}<title>{escaped}</title><style>{_STYLE}</style></head><body><h1>{escaped}</h1>{body}</body></html>"
    return HTMLResponse(shown, status, headers={"Content-Security-Policy": _PAGE_CSP, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"})


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _table(heads: list[str], rows: list[list[str]]) -> str:
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


@router.get(".json")
def as_json() -> JSONResponse:
    """Everything countable: totals, requests, every copy with its recipient, and how often each address got each subject."""
    box = mailbox()
    requests = [{key: row[key] for key in ("id", "accepted_at", "sender", "subject", "recipients")} for row in box.messages(1000)]
    return JSONResponse({"totals": box.totals(), "per_recipient": box.per_recipient(), "messages": box.copies(), "requests": requests})


@router.get("")
@router.get("/")
def listing() -> HTMLResponse:
    """List what was accepted."""
    box, totals = mailbox(), mailbox().totals()
    rows = [
        [f'<a href="/inbox/{row["id"]}">{html.escape(row["subject"])}</a>', str(row["recipients"]), html.escape(row["sender"]), _at(row["accepted_at"])]
        for row in box.messages()
    ]
    people = [[html.escape(row["email"]), html.escape(row["subject"]), _count(row["count"])] for row in box.per_recipient()[:1000]]
    accepted = f"{totals['messages']} requests accepted for {totals['recipients']} recipients"
    intro = f"<p>{accepted}; {totals['events_waiting']} events wait to be told. This mail went nowhere else.</p>"
    return _page(
        "Sandbox inbox",
        intro + _table(["Subject", "Recipients", "From", "Accepted"], rows) + "<h2>By recipient</h2>" + _table(["Address", "Subject", "Times"], people),
    )


def _count(times: int) -> str:
    return str(times) if times == 1 else f'<span class="twice">{times}: duplicate</span>'


@router.get("/{message_id}")
def message(message_id: str) -> HTMLResponse:
    """Show a request and its recipients."""
    found = mailbox().message(message_id)
    if found is None:
        return _page("No such message", '<p><a href="/inbox">Inbox</a></p>', 404)
    kept, people = found
    rows = [[f'<a href="/inbox/{kept["id"]}/{who["position"]}">{html.escape(who["email"])}</a>', html.escape(who["custom_args"])] for who in people]
    facts = f"<p>From {html.escape(kept['sender'])}, accepted {_at(kept['accepted_at'])}, headers {html.escape(kept['headers'])}</p>"
    return _page(kept["subject"], '<p><a href="/inbox">Inbox</a></p>' + facts + _table(["Recipient", "Custom arguments"], rows))


@router.get("/{message_id}/{position}")
def one_copy(message_id: str, position: int) -> HTMLResponse:
    """Show what one recipient got."""
    found = _copy(message_id, position)
    if found is None:
        return _page("No such message", '<p><a href="/inbox">Inbox</a></p>', 404)
    kept, who = found
    headers = "\n".join(f"{key}: {value}" for key, value in {**json.loads(kept["headers"]), **json.loads(who["headers"])}.items())
    back = f'<p><a href="/inbox/{kept["id"]}">All recipients</a></p><p>To {html.escape(who["email"])}</p>'
    frame = f'<iframe title="The mail" sandbox="allow-popups allow-popups-to-escape-sandbox" src="/inbox/{kept["id"]}/{position}/html"></iframe>'
    text = _filled(kept["text"], who)
    return _page(who["subject"], f"{back}<pre>{html.escape(headers)}</pre>{frame}<h2>Plain text</h2><pre>{html.escape(text)}</pre>")


@router.get("/{message_id}/{position}/html")
def body(message_id: str, position: int) -> Response:
    """Serve the HTML part of one copy, fenced in."""
    found = _copy(message_id, position)
    shown = _filled(found[0]["html"], found[1]).replace("<head>", '<head><base target="_blank">', 1) if found else "There is no such message."
    return HTMLResponse(
        shown, 200 if found else 404, headers={"Content-Security-Policy": _MAIL_CSP, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    )


@router.get("/{message_id}/{position}/text")
def text_body(message_id: str, position: int) -> Response:
    """Serve the plain-text part of one copy."""
    found = _copy(message_id, position)
    return Response(
        _filled(found[0]["text"], found[1]) if found else "There is no such message.", 200 if found else 404, media_type="text/plain; charset=utf-8"
    )


def _copy(message_id: str, position: int) -> tuple[dict[str, Any], dict[str, Any]] | None:
    found = mailbox().message(message_id)
    if found is None or not 0 <= position < len(found[1]):
        return None
    return found[0], found[1][position]


def _filled(content: str, who: dict[str, Any]) -> str:
    for key, value in json.loads(who["substitutions"]).items():
        content = content.replace(key, value)
    return content
