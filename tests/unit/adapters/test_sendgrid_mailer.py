"""The SendGrid mailer: what it builds, and what an answer means."""

import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from aquascene.adapters.mailers.sendgrid import Sender, SendGridMailer, classify
from aquascene.delivery.model import Accepted, Hold, Letter, NotAccepted, Recipient, Rejected, SealedChunk, Unknown

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SEALED = SealedChunk(UUID(int=1), 1, 1, b"{}", "", 2)
LETTER = Letter("Subject", "<p>-u-</p>", "-u-", list_id="AquaScene <weekly.example.com>")
PEOPLE = [Recipient(UUID(int=n), f"p{n}@example.com", f'N{n}, "x"', f"https://w/u/{n}", {"-u-": f"https://w/u/{n}"}) for n in range(3)]


def mailer(url: str = "https://api.sendgrid.com", seconds: float = 5.0) -> SendGridMailer:
    return SendGridMailer("key", url, Sender("news@example.com", "News", "reply@example.com"), 1.0, seconds, lambda: NOW)


def test_body_is_complete_ordered_and_repeatable() -> None:
    marks = {"c": "1", "k": "2", "a": "3"}
    body = mailer().compose(LETTER, PEOPLE, marks)
    assert body == mailer().compose(LETTER, PEOPLE, marks)
    sent = json.loads(body)
    assert [part["to"][0]["email"] for part in sent["personalizations"]] == ["p0@example.com", "p1@example.com", "p2@example.com"]
    first = sent["personalizations"][0]
    assert first["custom_args"] == {**marks, "r": str(UUID(int=0))}
    assert first["headers"] == {"List-Unsubscribe": "<https://w/u/0>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    assert first["to"][0]["name"] == "N0 x"
    assert sent["headers"] == {"List-Id": "AquaScene <weekly.example.com>"}
    assert [part["type"] for part in sent["content"]] == ["text/plain", "text/html"]
    tracking = sent["tracking_settings"]
    assert (tracking["click_tracking"], tracking["open_tracking"]) == ({"enable": False, "enable_text": False}, {"enable": False})
    assert "@" not in json.dumps(first["custom_args"])


def _refusal(*fields: str | None) -> dict[str, Any]:
    return {"errors": [{"message": "bad <p1@example.com>", "field": field, "help": None} for field in fields]}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx.Response(202, headers={"X-Message-Id": "m"}), Accepted("m")),
        (httpx.Response(400, json=_refusal("personalizations.1.to.0.email")), Rejected((1,), "bad <[address]>")),
        (httpx.Response(400, json=_refusal("personalizations.7.to")), Hold("the mail provider refuses the request (400): bad <[address]>", 400)),
        (httpx.Response(400, json=_refusal("from.email")), Hold("the mail provider refuses the request (400): bad <[address]>", 400)),
        (httpx.Response(400, text="<html>"), Hold("the mail provider refuses the request (400): answered 400", 400)),
        (httpx.Response(403, json=_refusal(None)), Hold("the mail provider refuses us (403): bad <[address]>", 403)),
        (httpx.Response(413), NotAccepted("request too large", 413, too_large=True)),
        (httpx.Response(429, headers={"X-RateLimit-Reset": "30"}), NotAccepted("rate limit", 429, NOW + timedelta(seconds=30))),
        (httpx.Response(429, headers={"X-RateLimit-Reset": str(int(NOW.timestamp()) + 5)}), NotAccepted("rate limit", 429, NOW + timedelta(seconds=5))),
        (httpx.Response(429, headers={"X-RateLimit-Reset": "99999999999"}), NotAccepted("rate limit", 429, NOW + timedelta(minutes=15))),
        (httpx.Response(429), NotAccepted("rate limit", 429, NOW + timedelta(seconds=10))),
        (httpx.Response(408), Unknown("answered 408", 408)),
        (httpx.Response(502), Unknown("answered 502", 502)),
        (httpx.Response(200), Unknown("answered 200", 200)),
        (httpx.Response(302), Unknown("answered 302", 302)),
    ],
    ids=lambda value: str(getattr(value, "status_code", type(value).__name__)),
)
def test_answers_are_told_apart(answer: httpx.Response, outcome: object) -> None:
    assert classify(answer, 3, NOW) == outcome


def test_nobody_there_means_not_accepted() -> None:
    assert isinstance(mailer("http://127.0.0.1:9").send(SEALED), NotAccepted)
    assert mailer("http://127.0.0.1:9").lookup(UUID(int=1), 1, 1) is None


def test_a_connection_that_breaks_after_the_request_is_unknown() -> None:
    server = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        connection, _ = server.accept()
        connection.recv(65536)
        connection.close()

    threading.Thread(target=hang_up, daemon=True).start()
    assert isinstance(mailer(f"http://127.0.0.1:{server.getsockname()[1]}").send(SEALED), Unknown)
    server.close()


def test_a_dripping_answer_ends_at_the_total_time(serve: Callable[[Any], str]) -> None:
    app = FastAPI()

    @app.post("/v3/mail/send")
    def drip() -> StreamingResponse:
        def bits() -> Any:
            for _ in range(20):
                yield b" "
                time.sleep(0.2)

        return StreamingResponse(bits(), status_code=202)

    started = time.monotonic()
    assert isinstance(mailer(serve(app), seconds=0.6).send(SEALED), Unknown)
    assert time.monotonic() - started < 2
