"""SendGrid's v3 Mail Send API: the body by SendGrid's own helpers, the transport by httpx with hard deadlines.

SendGrid's client has no time-outs (sendgrid-python#985), so only its payload classes and its webhook check are used.
A POST is never repeated here. SendGrid has no idempotency key: what may have been accepted is `Unknown`.
"""

import json
import re
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import httpx
from sendgrid.helpers.mail import (
    ClickTracking,
    CustomArg,
    Email,
    Header,
    HtmlContent,
    Mail,
    OpenTracking,
    Personalization,
    PlainTextContent,
    ReplyTo,
    SubscriptionTracking,
    Substitution,
    TrackingSettings,
)

from aquascene.delivery.events import without_addresses
from aquascene.delivery.model import Accepted, Hold, Letter, NotAccepted, Outcome, Recipient, Rejected, SealedChunk, Unknown

_FIELD = re.compile(r"personalizations\.(\d+)\.")
_NOT_IN_NAMES = re.compile(r"[,;<>\"\\\x00-\x1f\x7f]+")  # SendGrid refuses or cuts names at these
_HOLDING = frozenset({401, 403})
_LONGEST_FREEZE = timedelta(minutes=15)
_FIRST_FREEZE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom mail comes from."""

    email: str
    name: str
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class SendGridMailer:
    """Serves `Mailer` over SendGrid, or over anything that speaks its protocol."""

    api_key: str
    base_url: str
    sender: Sender
    connect_timeout_seconds: float
    timeout_seconds: float
    now: Callable[[], datetime]
    name: str = "sendgrid"

    def compose(self, letter: Letter, recipients: Sequence[Recipient], marks: dict[str, str]) -> bytes:
        mail = Mail(from_email=Email(self.sender.email, self.sender.name), subject=letter.subject)
        mail.add_content(PlainTextContent(letter.text))
        mail.add_content(HtmlContent(letter.html))
        if self.sender.reply_to:
            mail.reply_to = ReplyTo(self.sender.reply_to)
        mail.tracking_settings = TrackingSettings(ClickTracking(False, False), OpenTracking(False), SubscriptionTracking(False))
        if letter.list_id:
            mail.add_header(Header("List-Id", letter.list_id))
        if letter.automatic:
            mail.add_header(Header("Auto-Submitted", "auto-generated"))
        for place, recipient in enumerate(recipients):  # its default place is the first, which would turn the order round
            mail.add_personalization(_personalization(recipient, marks), place)
        return json.dumps(mail.get(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def send(self, chunk: SealedChunk) -> Outcome:
        try:
            answer = self._request("POST", "/v3/mail/send", content=chunk.body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.WriteTimeout, httpx.UnsupportedProtocol) as exc:
            return NotAccepted(f"never arrived whole: {type(exc).__name__}")
        except httpx.HTTPError as exc:
            return Unknown(f"no answer: {type(exc).__name__}")
        return classify(answer, chunk.size, self.now())

    def lookup(self, campaign_id: object, number: int, attempt: int) -> bool | None:
        terms = {"c": campaign_id, "k": number, "a": attempt}
        query = " AND ".join(f"(unique_args['{key}']=\"{value}\")" for key, value in terms.items())
        try:
            answer = self._request("GET", "/v3/messages", params={"query": query, "limit": "1"})
            messages = answer.json()["messages"] if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None
        return bool(messages) if isinstance(messages, list) else None

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask once. httpx limits each read; waiting for a thread limits the whole, so that a dripping answer cannot hold us."""
        limits = httpx.Timeout(self.timeout_seconds, connect=self.connect_timeout_seconds)
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}

        def ask() -> httpx.Response:
            with httpx.Client(timeout=limits, verify=_tls(), headers=headers) as client:
                return client.request(method, self.base_url.rstrip("/") + path, **options)

        return _within(self.timeout_seconds, ask)


def _within(seconds: float, ask: Callable[[], httpx.Response]) -> httpx.Response:
    asked: Future[httpx.Response] = Future()

    def run() -> None:
        try:
            asked.set_result(ask())
        except httpx.HTTPError as exc:
            asked.set_exception(exc)

    threading.Thread(target=run, name="mailer", daemon=True).start()
    try:
        return asked.result(seconds)
    except TimeoutError as exc:
        raise httpx.ReadTimeout("the total time is over") from exc


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _personalization(recipient: Recipient, marks: dict[str, str]) -> Personalization:
    person = Personalization()
    person.add_to(Email(recipient.email, " ".join(_NOT_IN_NAMES.sub(" ", recipient.name).split()) or None))
    if recipient.unsubscribe_url:
        person.add_header(Header("List-Unsubscribe", f"<{recipient.unsubscribe_url}>"))
        person.add_header(Header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    for key, value in recipient.slots.items():
        person.add_substitution(Substitution(key, value))
    for key, value in {**marks, "r": str(recipient.recipient_id)}.items():
        person.add_custom_arg(CustomArg(key, value))
    return person


def classify(answer: httpx.Response, size: int, now: datetime) -> Outcome:
    """Say what an answer to a send means for the recipients in it."""
    status = answer.status_code
    if status == 202:
        return Accepted(answer.headers.get("X-Message-Id", ""), status)
    if status == 429:
        return NotAccepted("rate limit", status, retry_at=_reset(answer, now))
    if status == 413:
        return NotAccepted("request too large", status, too_large=True)
    if 400 <= status < 500 and status != 408:
        return _refused(answer, size)
    # 5xx and 408, and 2xx or 3xx that SendGrid does not document: nobody knows.
    return Unknown(f"answered {status}", status)


def _refused(answer: httpx.Response, size: int) -> Outcome:
    errors = _errors(answer)
    words = without_addresses("; ".join(str(error.get("message")) for error in errors)) or f"answered {answer.status_code}"
    if answer.status_code in _HOLDING:
        return Hold(f"the mail provider refuses us ({answer.status_code}): {words}", answer.status_code)
    fields = [_FIELD.match(f"{error.get('field')}.") for error in errors]
    indexes = tuple(sorted({int(found.group(1)) for found in fields if found and int(found.group(1)) < size}))
    if answer.status_code == 400 and indexes:
        return Rejected(indexes, words, answer.status_code)
    return Hold(f"the mail provider refuses the request ({answer.status_code}): {words}", answer.status_code)


def _errors(answer: httpx.Response) -> list[dict[str, Any]]:
    try:
        listed = answer.json()["errors"]
    except (ValueError, KeyError, TypeError):
        return []
    return [error for error in listed if isinstance(error, dict)] if isinstance(listed, list) else []


def _reset(answer: httpx.Response, now: datetime) -> datetime:
    """Read when the rate limit ends; a header that makes no sense means 10 seconds, none means more than 15 minutes."""
    for name in ("X-RateLimit-Reset", "Retry-After"):
        value = answer.headers.get(name, "")
        if value.isascii() and value.isdigit() and len(value) < 12:
            at = datetime.fromtimestamp(int(value), UTC) if int(value) > 10**9 else now + timedelta(seconds=int(value))
            return min(max(at, now), now + _LONGEST_FREEZE)
    return now + _FIRST_FREEZE
