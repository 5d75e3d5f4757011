"""When the next walk is due."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["DEAREST", "walk_every"]

#: A walk may take at most this share of the time.
DEAREST = 1 / 50


def walk_every(rescan: timedelta, last_walk: timedelta) -> timedelta:
    """The owner's `rescan`, but sparser where a walk is dear.

    >>> walk_every(timedelta(seconds=60), timedelta(seconds=0.5))
    datetime.timedelta(seconds=60)
    >>> walk_every(timedelta(seconds=60), timedelta(seconds=10))
    datetime.timedelta(seconds=500)
    """
    return max(rescan, last_walk / DEAREST)
