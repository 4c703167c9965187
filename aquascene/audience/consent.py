"""The rules of consent: who may become what, and what lifts a suppression. Values in, values out."""

from enum import StrEnum

from aquascene.audience.model import Standing, SubscriberState, SuppressionReason

# Versions of the words that people agree to; the log keeps which ones they saw.
CONSENT_TEXT_VERSION = "2026-11"
CONSENT_TEXT = (
    "Send me the newsletter by mail. I can end this at any time by a link in each mail. My address is used for nothing else and is deleted when I ask for it."
)

# What somebody ended by their own will they may start again by their own will: a fresh, confirmed request lifts it.
_LIFTED_BY_CONFIRMATION = frozenset({SuppressionReason.UNSUBSCRIBED, SuppressionReason.ERASED})


class Request(StrEnum):
    """What a subscription request leads to. The answer to the person is the same for all of them."""

    ADD_PENDING = "add-pending"
    CONFIRM_AGAIN = "confirm-again"
    NOTHING = "nothing"
    REFUSED_SUPPRESSED = "refused-suppressed"


def on_request(standing: Standing) -> Request:
    """Decide upon a request from the form or the API; only a confirmation by mail makes anybody active."""
    if standing.suppressed is not None and standing.suppressed not in _LIFTED_BY_CONFIRMATION:
        return Request.REFUSED_SUPPRESSED
    if standing.state is None:
        return Request.ADD_PENDING
    if standing.state is SubscriberState.ACTIVE:
        return Request.NOTHING
    if standing.state in {SubscriberState.BOUNCED, SubscriberState.COMPLAINED}:
        return Request.REFUSED_SUPPRESSED
    return Request.CONFIRM_AGAIN


def may_confirm(standing: Standing) -> bool:
    """Tell whether a good confirmation token makes this subscriber active."""
    lifted = standing.suppressed is None or standing.suppressed in _LIFTED_BY_CONFIRMATION
    return lifted and standing.state in {SubscriberState.PENDING, SubscriberState.UNSUBSCRIBED, SubscriberState.ACTIVE}


def state_after(reason: SuppressionReason) -> SubscriberState:
    """Name the state of a subscriber whose address became suppressed."""
    return SubscriberState.UNSUBSCRIBED if reason is SuppressionReason.MANUAL else SubscriberState(str(reason))
