"""Freeze windows: weekly times in which nothing is promoted, as "Fri 15:00-Mon 07:00 Europe/Berlin".

Times are those on the wall of that place, so a change of the clocks moves nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aquascene.errors import ConfigError

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUTES_A_WEEK = 7 * 24 * 60
_WINDOW = re.compile(r"(\w{3}) (\d\d):(\d\d)-(\w{3}) (\d\d):(\d\d) (\S+)")


@dataclass(frozen=True, slots=True)
class FreezeWindow:
    """From `start` up to, not including, `end`, in minutes since Monday 00:00 of the zone; it may run over the week's end."""

    start: int
    end: int
    zone: str
    text: str

    def holds(self, now: datetime) -> bool:
        """Tell whether an aware time lies in the window."""
        local = now.astimezone(ZoneInfo(self.zone))
        minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
        return (minute - self.start) % _MINUTES_A_WEEK < (self.end - self.start) % _MINUTES_A_WEEK


def parse(text: str) -> FreezeWindow:
    """Read a window; ConfigError says what is wrong with it."""
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{text!r} is no freeze window; write it like 'Fri 15:00-Mon 07:00 Europe/Berlin'")
    start, end = _minute(found[1], found[2], found[3], text), _minute(found[4], found[5], found[6], text)
    if start == end:
        raise ConfigError(f"the freeze window {text!r} begins where it ends")
    try:
        ZoneInfo(found[7])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"the freeze window {text!r} names no time zone; use a name such as Europe/Berlin or UTC") from None
    return FreezeWindow(start, end, found[7], text.strip())


def _minute(day: str, hour: str, minute: str, text: str) -> int:
    if day not in _DAYS or int(hour) > 23 or int(minute) > 59:
        raise ConfigError(f"{day} {hour}:{minute} in {text!r} is no time of the week; days are {' '.join(_DAYS)}")
    return (_DAYS.index(day) * 24 + int(hour)) * 60 + int(minute)


def frozen_by(windows: Iterable[FreezeWindow], now: datetime) -> FreezeWindow | None:
    """The window that holds now; None where there is none."""
    return next((window for window in windows if window.holds(now)), None)
