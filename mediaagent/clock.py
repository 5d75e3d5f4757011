"""The machine's clock, in both of its meanings."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

__all__ = ["SystemClock"]

# Counts on while the machine sleeps, so that waking up is no jump of the wall's clock.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


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
