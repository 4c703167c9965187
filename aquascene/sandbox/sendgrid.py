"""A stand-in for SendGrid's v3 API: takes mail, keeps it before it answers, and emits signed events.

Faults: the header `X-Sandbox-Fault` on a request, or a queue set by `PUT /faults` (a JSON list, one fault per
send to come). Known faults: 401, 403, 413, 429, 429:SECONDS, 500, 503-accepted, slow:SECONDS, ok.
Recipients whose local part starts with reject are refused by 400; bounce, blocked, complain, defer, drop and silent
change the events that follow.
"""

import json
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from email_validator import EmailNotValidError, validate_email
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from aquascene.sandbox.mail_events import Dispatcher, story
from aquascene.sandbox.mailbox import Message, Person, mailbox

_MOST_BYTES = 30_000_000
_MOST_PEOPLE = 1000
_MOST_ARGUMENT_BYTES = 10_000
_TERM = re.compile(r"unique_args\['([^']+)'\]\s*=\s*\"([^\"]*)\"")
_faults: deque[str] = deque()
_lock = threading.Lock()


@asynccontextmanager
async def _telling(app: FastAPI) -> AsyncIterator[None]:
    dispatcher = Dispatcher(mailbox())
    dispatcher.start()
    try:
        yield
    finally:
        dispatcher.stop()


router = APIRouter(lifespan=_telling)


class Refused(Exception):
    """A request that the real API answers with an error."""

    def __init__(self, status: int, *errors: tuple[str, str | None], headers: dict[str, str] | None = None) -> None:
        self.answer = JSONResponse(
            {"errors": [{"message": message, "field": field, "help": None} for message, field in errors]}, status_code=status, headers=headers
        )


@router.put("/faults")
async def set_faults(request: Request) -> dict[str, list[str]]:
    """Queue faults for the sends to come."""
    wanted = [str(each) for each in json.loads(await request.body())]
    with _lock:
        _faults.clear()
        _faults.extend(wanted)
    return {"faults": wanted}


@router.post("/v3/mail/send")
async def send(request: Request) -> Response:
    """Accept a request for up to 1000 people, all or nothing."""
    from starlette.concurrency import run_in_threadpool

    raw = await request.body()
    with _lock:
        queued = _faults.popleft() if _faults else "ok"
    fault = request.headers.get("X-Sandbox-Fault", queued)
    return await run_in_threadpool(_answer, raw, request.headers.get("Authorization", ""), fault)


def _answer(raw: bytes, authorization: str, fault: str) -> Response:
    try:
        _authorize(authorization)
        _fail(fault, len(raw))
        message = _message(_parsed(raw))
    except Refused as refused:
        return refused.answer
    mailbox().accept(message, story(message))
    if fault == "503-accepted":
        return JSONResponse({"errors": [{"message": "service unavailable", "field": None, "help": None}]}, status_code=503)
    if fault.startswith("slow:"):
        time.sleep(float(fault.partition(":")[2]))
    limits = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "599", "X-RateLimit-Reset": str(int(time.time()) + 60)}
    return Response(b"", status_code=202, headers={"X-Message-Id": message.id, **limits})


def _authorize(authorization: str) -> None:
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refused(401, ("The provided authorization grant is invalid, expired, or revoked", None))


def _fail(fault: str, size: int) -> None:
    name, _, argument = fault.partition(":")
    if size > _MOST_BYTES or name == "413":
        raise Refused(413, ("Payload Too Large", None))
    if name == "401":
        raise Refused(401, ("The provided authorization grant is invalid, expired, or revoked", None))
    if name == "403":
        raise Refused(403, ("access forbidden", None))
    if name == "429":
        headers = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + int(argument or 1))}
        raise Refused(429, ("too many requests", None), headers=headers)
    if name == "500":
        raise Refused(500, ("internal server error", None))


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refused(400, ("Bad Request", None)) from None
    if not isinstance(body, dict):
        raise Refused(400, ("Bad Request", None))
    return body


def _message(body: dict[str, Any]) -> Message:
    errors = list(_complaints(body))
    if errors:
        raise Refused(400, *errors)
    content = {part["type"]: part["value"] for part in body["content"]}
    subject = body.get("subject", "")
    people = tuple(_person(each, who, subject, body.get("custom_args") or {}) for each in body["personalizations"] for who in each["to"])
    return Message(
        secrets.token_urlsafe(16),
        time.time(),
        body["from"]["email"],
        subject,
        content.get("text/html", ""),
        content.get("text/plain", ""),
        body.get("headers") or {},
        people,
    )


def _person(part: dict[str, Any], who: dict[str, Any], subject: str, shared: dict[str, str]) -> Person:
    headers, slots, own = (part.get(key) or {} for key in ("headers", "substitutions", "custom_args"))
    return Person(who["email"], who.get("name") or "", part.get("subject") or subject, headers, slots, {**shared, **own})


def _complaints(body: dict[str, Any]) -> Any:
    """Say all that is wrong with a body, in the API's words and with the API's field names."""
    parts = body.get("personalizations")
    if not isinstance(parts, list) or not parts:
        yield "The personalizations field is required and must have at least one personalization.", "personalizations"
        return
    if not isinstance(body.get("from"), dict) or not _valid(body["from"].get("email")):
        yield "The from email does not contain a valid address.", "from.email"
    contents = body.get("content")
    if not isinstance(contents, list) or not contents or not all(isinstance(each, dict) and each.get("type") and each.get("value") for each in contents):
        yield "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block.", "content"
    if len(parts) > _MOST_PEOPLE:
        yield f"The personalizations field may have at most {_MOST_PEOPLE} personalizations.", "personalizations"
    if not body.get("subject") and not all(isinstance(part, dict) and part.get("subject") for part in parts):
        yield "The subject is required. You can get around this requirement if you use a template with a subject defined.", "subject"
    seen: set[str] = set()
    for number, part in enumerate(parts):
        yield from _complaints_about(part, number, seen)


def _complaints_about(part: Any, number: int, seen: set[str]) -> Any:
    where = f"personalizations.{number}"
    people = part.get("to") if isinstance(part, dict) else None
    if not isinstance(people, list) or not people:
        yield "The to array is required for all personalization objects, and must have at least one email object with a valid email address.", f"{where}.to"
        return
    for place, who in enumerate(people):
        email = who.get("email") if isinstance(who, dict) else None
        if not _valid(email) or str(email).startswith("reject"):
            yield "Does not contain a valid address.", f"{where}.to.{place}.email"
        elif str(email).lower() in seen:
            yield "Each email address in the personalization block should be unique between to, cc, and bcc.", f"{where}.to.{place}"
        seen.add(str(email).lower())
    arguments = part.get("custom_args") or {}
    if not all(isinstance(value, str) for value in arguments.values()):
        yield "The custom_args values must be strings.", f"{where}.custom_args"
    if len(json.dumps(arguments)) > _MOST_ARGUMENT_BYTES:
        yield "The custom_args may not exceed 10000 bytes.", f"{where}.custom_args"


def _valid(email: object) -> bool:
    try:
        validate_email(str(email), check_deliverability=False)
    except EmailNotValidError:
        return False
    return isinstance(email, str)


@router.get("/v3/messages")
def search(request: Request, query: str, limit: int = 10) -> Response:
    """Search accepted messages by unique arguments, as the Email Activity API does; always current here."""
    try:
        _authorize(request.headers.get("Authorization", ""))
    except Refused as refused:
        return refused.answer
    terms = dict(_TERM.findall(query))
    if not terms:
        return Refused(400, ("the query is not valid", "query")).answer
    found = mailbox().find(terms, max(1, min(limit, 1000)))
    return JSONResponse({"messages": [_found(row) for row in found]})


def _found(row: dict[str, Any]) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["accepted_at"]))
    message = {
        "from_email": row["sender"],
        "msg_id": f"{row['message_id']}.filter0001.{row['position']}-0",
        "subject": row["subject"],
        "to_email": row["email"],
    }
    return {**message, "status": "processed", "opens_count": 0, "clicks_count": 0, "last_event_time": at}
