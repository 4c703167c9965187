"""When a review is due, when editors are reminded, when it expires: rules on the row, never a time-out of a run."""

from datetime import datetime, timedelta

from aquascene.editorial.model import Review


def due_at(opened_at: datetime, due_after: timedelta) -> datetime:
    """Until when a review waits for a verdict."""
    return opened_at + due_after


def is_overdue(review: Review, now: datetime) -> bool:
    """Tell whether an open review has waited too long and expires."""
    return review.state == "open" and now >= review.due_at


def wants_reminder(review: Review, now: datetime, remind_after: timedelta) -> bool:
    """Tell whether editors are reminded now: once per opening, and not when it expires anyway."""
    return review.state == "open" and review.reminded_at is None and not is_overdue(review, now) and now >= review.opened_at + remind_after
