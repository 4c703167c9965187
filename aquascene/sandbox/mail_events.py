"""Delivery events of the stand-in for SendGrid: which ones follow a message, and telling them to the webhook.

Signed with ECDSA P-256 over timestamp and body as SendGrid does, in batches, repeated with growing pauses for up to
24 hours until the webhook answers 2xx. The queue is in the mailbox file, so a restart goes on where it was.
"""

import base64
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aquascene.sandbox.mailbox import Due, Mailbox, Message, Person

log = logging.getLogger(__name__)
_BATCH = 100
_GIVE_UP_AFTER = 24 * 3600.0
_LONGEST_PAUSE = 60.0
_DELAY = 0.2

# What follows for an address whose local part starts with a word: (seconds after acceptance, event, further fields).
_STORIES: dict[str, tuple[tuple[float, str, dict[str, str]], ...]] = {
    "bounce": ((0.0, "processed", {}), (0.3, "bounce", {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 <{email}>: no such mailbox"})),
    "blocked": ((0.0, "processed", {}), (0.3, "bounce", {"type": "blocked", "status": "5.7.1", "reason": "550 5.7.1 blocked by policy"})),
    "complain": ((0.0, "processed", {}), (0.3, "delivered", {"response": "250 OK"}), (0.6, "spamreport", {})),
    "defer": ((0.0, "processed", {}), (0.2, "deferred", {"response": "451 4.7.1 try later", "attempt": "1"}), (0.8, "delivered", {"response": "250 OK"})),
    "drop": ((0.0, "dropped", {"reason": "Bounced Address"}),),
    "silent": (),
}
_USUAL: tuple[tuple[float, str, dict[str, str]], ...] = ((0.0, "processed", {}), (0.3, "delivered", {"response": "250 OK"}))


def story(message: Message) -> list[tuple[str, float, dict[str, Any]]]:
    """Write down all events that follow a message: (id, due, payload)."""
    return [event for number, person in enumerate(message.people) for event in _story_of(message, person, number)]


def _story_of(message: Message, person: Person, number: int) -> Iterator[tuple[str, float, dict[str, Any]]]:
    word = person.email.partition("@")[0].split("+")[0].split("-")[0].lower()
    for after, kind, fields in _STORIES.get(word, _USUAL):
        due = message.accepted_at + _DELAY + after
        told = {key: value.replace("{email}", person.email) for key, value in fields.items()}
        key = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        # Custom arguments come first: SendGrid does not let them overwrite its own fields.
        payload = {**person.custom_args, **told, "email": person.email, "timestamp": int(due), "event": kind, "sg_event_id": key}
        payload |= {"sg_message_id": f"{message.id}.filter0001.{number}-0", "smtp-id": f"<{message.id}@sandbox>"}
        yield key, due, payload


class Dispatcher:
    """A thread that tells events to the webhook until it is stopped."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._url = os.environ.get("SANDBOX_WEBHOOK_URL", "")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-events", daemon=True)
        self._key = _private_key()

    def start(self) -> None:
        """Begin, unless no webhook is configured: then events wait in the file."""
        if self._url and self._key:
            self._thread.start()

    def stop(self) -> None:
        """End after the batch that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        with httpx.Client(timeout=httpx.Timeout(30, connect=3), trust_env=False) as client:
            while not self._stop.wait(0.1):
                due = self._box.due(time.time(), _BATCH)
                if due:
                    self._tell(client, due)

    def _tell(self, client: httpx.Client, due: list[Due]) -> None:
        body = json.dumps([event.payload for event in due]).encode()
        now = time.time()
        if self._post(client, body):
            self._box.told([event.id for event in due], now)
            return
        later = [(event.id, now + min(2.0**event.tries * 0.5, _LONGEST_PAUSE), now - event.first_due_at > _GIVE_UP_AFTER) for event in due]
        self._box.postpone(later)

    def _post(self, client: httpx.Client, body: bytes) -> bool:
        try:
            answer = client.post(self._url, content=body, headers=self._signed(body))
        except httpx.HTTPError as exc:
            log.info("webhook_unreachable error=%s", type(exc).__name__)
            return False
        if not answer.is_success:
            log.warning("webhook_refused status=%d", answer.status_code)
        return answer.is_success

    def _signed(self, body: bytes) -> dict[str, str]:
        assert self._key is not None
        return {"Content-Type": "application/json", "User-Agent": "SendGrid Event API", **sign(self._key, body, str(int(time.time())))}


def sign(key: ec.EllipticCurvePrivateKey, body: bytes, timestamp: str) -> dict[str, str]:
    """Make the signature headers for a webhook body."""
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {"X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(), "X-Twilio-Email-Event-Webhook-Timestamp": timestamp}


def _private_key() -> ec.EllipticCurvePrivateKey | None:
    path = os.environ.get("SANDBOX_WEBHOOK_KEY_FILE", "")
    if not path:
        return None
    key = serialization.load_pem_private_key(Path(path).read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key
