"""The machine's clock, in both of its meanings; and which times there are."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

__all__ = ["EARLIEST", "LATEST", "SystemClock", "moment", "read"]

#: Times before and after are mistakes. These can be told in every time zone, with years to spare for what is added to
#: them, and have four digits for the year wherever they are written.
EARLIEST, LATEST = datetime(1000, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
_FIRST, _LAST = EARLIEST.timestamp(), LATEST.timestamp()

_NO_YEAR = f"a time lies in the years {EARLIEST.year} to {LATEST.year}"
# Counts on while the machine sleeps, so that waking up is no jump of the wall's clock.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def moment(seconds: float) -> datetime:
    """The time so many seconds after 1970; of those that there are the nearest one.

    >>> moment(1e300).year, moment(-1e300).year
    (9998, 1000)
    """
    return datetime.fromtimestamp(min(max(seconds, _FIRST), _LAST), UTC)


def read(text: str) -> datetime:
    """A time as ISO 8601 has it, in this machine's zone where it names none. Raises ValueError where it is none.

    >>> read("2026-11-25T08:14:00+01:00").astimezone(UTC).isoformat()
    '2026-11-25T07:14:00+00:00'
    """
    try:
        when = datetime.fromisoformat(text)
        when = when if when.tzinfo else when.astimezone()
    except OverflowError:
        raise ValueError(_NO_YEAR) from None
    if not EARLIEST <= when <= LATEST:
        raise ValueError(_NO_YEAR)
    return when


class SystemClock:
    """ports.Clock. When somebody sets the wall's clock, it goes on as before until it is told to `follow`.

    So all threads live in one time: what one of them writes down in the second after the clock was set is not taken
    for older than it is when waiting times are moved along.
    """

    def __init__(self) -> None:
        self._anchor = self._found()

    def _found(self) -> float:
        """The wall's time at which the steady clock was nothing."""
        return time.time() - self.steady()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._anchor + self.steady(), UTC)

    def steady(self) -> float:
        return time.clock_gettime(_STEADY)

    def jumped(self, tolerance: timedelta = timedelta(seconds=5)) -> timedelta:
        """By how much the wall's clock was set and not followed yet; zero for less than `tolerance`, which is followed
        at once: so clocks are kept right."""
        jump = self._found() - self._anchor
        if abs(jump) < tolerance.total_seconds():
            self._anchor += jump
            return timedelta(0)
        return timedelta(seconds=jump)

    def follow(self, jump: timedelta) -> None:
        """From now on it is so much later."""
        self._anchor += jump.total_seconds()
