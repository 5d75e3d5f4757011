"""Wakes a thread that waits."""

from __future__ import annotations

import threading

__all__ = ["Bell"]


class Bell:
    """Wakes one thread; rung while it is busy, it is heard later."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        self._event.set()

    def wait(self, seconds: float | None) -> None:
        """Until it rings, or so long; for ever for None."""
        self._event.wait(None if seconds is None or seconds > threading.TIMEOUT_MAX else seconds)
        self._event.clear()
