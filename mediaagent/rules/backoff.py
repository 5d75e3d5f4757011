"""How long to wait before the next try."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["FIRST", "LONGEST", "wait_after"]

FIRST = timedelta(seconds=15)
LONGEST = timedelta(hours=1)


def wait_after(failures: int, chance: float, wished: timedelta | None = None) -> timedelta:
    """Doubling from 15 s to an hour, with up to a quarter of chance added, so that many agents don't come at once.

    `chance` is in [0, 1). A wish of the far side (Retry-After) is a lower bound, up to a day.

    >>> wait_after(1, 0.0), wait_after(3, 0.0), wait_after(50, 0.0)
    (datetime.timedelta(seconds=15), datetime.timedelta(seconds=60), datetime.timedelta(seconds=3600))
    >>> wait_after(1, 0.5, wished=timedelta(seconds=90))
    datetime.timedelta(seconds=101, microseconds=250000)
    """
    doublings = min(max(failures - 1, 0), 20)
    base: timedelta = min(FIRST * (1 << doublings), LONGEST)
    if wished is not None:
        base = max(base, min(wished, timedelta(days=1)))
    return base + base * chance / 4
