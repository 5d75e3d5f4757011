"""A clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """A `Clock` that moves only when it is told to."""

    def __init__(self, now: datetime = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)) -> None:
        self._now, self._steady = now, 1000.0

    def now(self) -> datetime:
        """The wall's time, UTC."""
        return self._now

    def steady(self) -> float:
        """Seconds that never jump."""
        return self._steady

    def advance(self, by: timedelta) -> None:
        """Time passes."""
        self._now += by
        self._steady += by.total_seconds()

    def jump(self, by: timedelta) -> None:
        """Somebody sets the wall's clock; no time passes."""
        self._now += by
