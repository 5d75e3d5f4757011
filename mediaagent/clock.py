"""The machine's clock, in both of its meanings."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

__all__ = ["SystemClock"]

# Counts on while the machine sleeps, so that waking up is no jump of the wall's clock.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """ports.Clock; and it notices when somebody sets the wall's clock."""

    def __init__(self) -> None:
        self._anchor = time.time() - self.steady()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def steady(self) -> float:
        return time.clock_gettime(_STEADY)

    def jumped(self, tolerance: timedelta = timedelta(seconds=5)) -> timedelta:
        """By how much the wall's clock was set since the last call; zero for less than `tolerance`."""
        anchor = time.time() - self.steady()
        jump = timedelta(seconds=anchor - self._anchor)
        if abs(jump) < tolerance:
            return timedelta(0)
        self._anchor = anchor
        return jump
