"""What every request passes: a record with an id, security headers, a limit on the body. Plain ASGI, no buffering."""

import json
import logging
import re
import time
from http import HTTPStatus
from uuid import uuid4

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aquascene.web import measures

log = logging.getLogger("aquascene.web.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

# Pages carry no script at all; the published site may bring its own stricter or wider policy, and its own caching.
_SECURITY = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cross-origin-opener-policy": "same-origin",
}


async def send_problem(scope: Scope, send: Send, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
    """Answer with a problem document from below the application."""
    title = HTTPStatus(status).phrase
    members = {"type": f"urn:aquascene:problem:{title.lower().replace(' ', '-')}", "title": title, "status": status, "detail": detail}
    members |= {"instance": scope["path"], "request_id": scope.get("state", {}).get("request_id")}
    sent = {"content-type": "application/problem+json", **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in sent.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": json.dumps(members).encode()})


class RequestRecord:
    """Give each request an id, measure it, and write one log line without addresses or tokens."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status, began = 500, time.perf_counter()

        async def recorded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, recorded)
        finally:
            _record(scope, status, time.perf_counter() - began, request_id)


def _record(scope: Scope, status: int, took: float, request_id: str) -> None:
    """The route's template stands for the path: a path may hold a reader's token."""
    route = getattr(scope.get("route"), "path", "unmatched")
    measures.requests.labels(scope["method"], route, str(status)).inc()
    measures.seconds.labels(scope["method"], route).observe(took)
    log.info("request_served method=%s route=%s status=%d took_ms=%d request_id=%s", scope["method"], route, status, took * 1000, request_id)


class SecurityHeaders:
    """Add the security headers that an answer does not bring itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        await self.app(scope, receive, secured if scope["type"] == "http" else send)


class ClosingWhileDraining:
    """Ask clients that keep a connection to make a new one elsewhere, while this process is about to stop."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["app"].state.draining:
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self.app(scope, receive, closing if scope["type"] == "http" else send)


class BodyLimit:
    """Refuse bodies beyond the limit: by their declared length at once, by their true length while they are read."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self._why = f"the request body is larger than {max_bytes} bytes"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > self.max_bytes:
            await self._refuse(scope, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_bytes:
                raise HTTPException(413, self._why)  # FastAPI lets this very class pass while it reads a body
            return message

        await self.app(scope, counted, send)

    async def _refuse(self, scope: Scope, send: Send) -> None:
        await send_problem(scope, send, 413, self._why, {"connection": "close"})
