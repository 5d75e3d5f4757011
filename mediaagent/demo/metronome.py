"""The time that a producer takes, at any pace."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["metronome"]


def metronome(pace: float) -> Callable[[float], None]:
    """Begins now; call the result to wait until so many seconds after the begin, at this pace."""
    begun = time.monotonic()

    def wait(seconds: float) -> None:
        time.sleep(max(0.0, begun + seconds / pace - time.monotonic()))

    return wait
