"""Pages for readers: subscribe, confirm, preferences, unsubscribe. GET shows, POST acts; nobody has to sign in.

The answer to a subscription is the same whether an address is known or not, and the mail leaves after it.
"""

import logging
import re
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter, BackgroundTasks, Depends, Form, Request, Response

from aquascene.adapters import clock, confirmations, subscribing, wiring
from aquascene.adapters.postgres import audience
from aquascene.adapters.postgres.db import transaction
from aquascene.audience import consent, tokens
from aquascene.audience.addresses import masked
from aquascene.audience.model import Profile, Subscriber
from aquascene.audience.tokens import Claim, Purpose, Refused
from aquascene.errors import AquasceneError, NotFound, PermanentError
from aquascene.web.deps import public
from aquascene.web.pages import render

log = logging.getLogger(__name__)
router = APIRouter(tags=["newsletter"], dependencies=[Depends(public)], default_response_class=Response)
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_NO_LEAK = {"Referrer-Policy": "no-referrer"}  # the address of these pages is a key

_REFUSALS = {
    Refused.INVALID: (404, "This link is not complete", "Copy the whole link from the mail, or open it from there."),
    Refused.EXPIRED: (410, "This link is too old", "Subscribe again to get a new one."),
}


def _message(request: Request, heading: str, message: str, status: int = 200) -> Response:
    return render(request, "newsletter_message.html", status, _NO_LEAK, heading=heading, message=message)


def _refusal(request: Request, refused: Refused) -> Response:
    status, heading, message = _REFUSALS[refused]
    return _message(request, heading, message, status)


def _evidence(request: Request) -> dict[str, Any]:
    """What proves a step of the consent: where it came from (GDPR Art. 7(1)); emptied at erasure."""
    client = request.client.host if request.client else ""
    return {"ip": client, "user_agent": request.headers.get("user-agent", "")[:300], "route": request.scope["route"].path}


@router.get("/subscribe")
def subscribe_page(request: Request) -> Response:
    """Show the form."""
    return render(request, "subscribe.html", problem="", consent_text=consent.CONSENT_TEXT)


@router.post("/subscribe")
def subscribe(
    request: Request,
    after: BackgroundTasks,
    email: Annotated[str, Form(max_length=300)] = "",
    name: Annotated[str, Form(max_length=100)] = "",
    website: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Take a request; whoever fills the field that people do not see is thanked and forgotten."""
    answer = render(request, "subscribe_done.html", 202)
    if website:
        return answer
    try:
        public_id = subscribing.request(email, Profile(name=" ".join(name.split())), "form", _evidence(request))
    except PermanentError as exc:
        return render(request, "subscribe.html", 422, problem=f"{exc}.".capitalize(), consent_text=consent.CONSENT_TEXT)
    if public_id is not None:
        after.add_task(_mail, public_id)
        answer.background = after
    return answer


def _mail(public_id: UUID) -> None:
    """Send the confirmation mail after the answer; what fails here is sent by the flow `audience` later."""
    try:
        confirmations.send_one(public_id, wiring.mailer())
    except AquasceneError as exc:
        log.warning("confirmation_not_sent public_id=%s code=%s", public_id, exc.code)


@router.get("/confirm/{token}")
def confirm_page(request: Request, token: str) -> Response:
    """Show the one button that confirms: mail scanners follow links, they do not press buttons."""
    claim = subscribing.read_token(Purpose.CONFIRM, token)
    if isinstance(claim, Refused):
        return _refusal(request, claim)
    return render(request, "confirm.html", headers=_NO_LEAK, token=token, consent_text=consent.CONSENT_TEXT)


@router.post("/confirm/{token}")
def confirm(request: Request, token: str) -> Response:
    """Make the subscription active; the link works once."""
    try:
        done = subscribing.confirm(token, _evidence(request))
    except NotFound:
        done = Refused.INVALID
    if isinstance(done, Refused):
        return _refusal(request, done)
    if not done:
        return _message(request, "This link was used", "If you confirmed before, all is well. Otherwise subscribe again.", 410)
    return _message(request, "Welcome", "Your subscription is confirmed. The next issue comes to you.")


@router.get("/unsubscribe/{token}")
def unsubscribe_page(request: Request, token: str) -> Response:
    """Show the one button that unsubscribes."""
    claim = subscribing.read_token(Purpose.UNSUBSCRIBE, token)
    return _refusal(request, claim) if isinstance(claim, Refused) else render(request, "unsubscribe.html", headers=_NO_LEAK, token=token)


@router.post("/unsubscribe/{token}")
def unsubscribe(request: Request, token: str, one_click: Annotated[str, Form(alias="List-Unsubscribe", max_length=100)] = "") -> Response:
    """Unsubscribe at once: no cookie, no sign-in, no redirect, as RFC 8058 asks. Repeating it is harmless."""
    claim = subscribing.read_token(Purpose.UNSUBSCRIBE, token)
    if isinstance(claim, Refused):
        return _refusal(request, claim)
    try:
        subscribing.unsubscribe(claim.public_id, "one-click" if one_click else "form", _evidence(request))
    except NotFound:
        log.info("unsubscribe_of_a_stranger public_id=%s", claim.public_id)
    return _message(request, "You are unsubscribed", "You get no further issue. What is already on its way may still arrive.")


@router.get("/preferences/{token}")
def preferences_page(request: Request, token: str) -> Response:
    """Show what a subscriber may change."""
    claim = subscribing.read_token(Purpose.PREFERENCES, token)
    return _refusal(request, claim) if isinstance(claim, Refused) else _preferences(request, token, claim)


@router.post("/preferences/{token}")
def preferences(
    request: Request,
    token: str,
    name: Annotated[str, Form(max_length=100)] = "",
    locale: Annotated[str, Form(max_length=20)] = "en",
    time_zone: Annotated[str, Form(max_length=60)] = "UTC",
) -> Response:
    """Save what a subscriber changed."""
    claim = subscribing.read_token(Purpose.PREFERENCES, token)
    if isinstance(claim, Refused):
        return _refusal(request, claim)
    if not _LOCALE.fullmatch(locale) or time_zone not in available_timezones():
        return _preferences(request, token, claim, "Please give a language such as en and a time zone such as Europe/Berlin.")
    person = _person(claim)
    if person is not None and person.email is not None:
        subscribing.set_preferences(claim.public_id, Profile(" ".join(name.split()), locale, time_zone), "form")
    return _preferences(request, token, claim, saved=True)


def _person(claim: Claim) -> Subscriber | None:
    try:
        with transaction() as db:
            return audience.get(db, claim.public_id)
    except NotFound:
        return None


def _preferences(request: Request, token: str, claim: Claim, problem: str = "", *, saved: bool = False) -> Response:
    person = _person(claim)
    if person is None or person.email is None:
        return _refusal(request, Refused.INVALID)
    leave = tokens.make(subscribing.secret(), Purpose.UNSUBSCRIBE, claim.public_id, clock.now())
    context = {"person": person, "address": masked(person.email), "token": token, "unsubscribe_token": leave, "problem": problem, "saved": saved}
    return render(request, "preferences.html", 422 if problem else 200, _NO_LEAK, **context)
