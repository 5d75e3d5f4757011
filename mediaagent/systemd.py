"""What systemd hears of the agent: that it is ready, that it stops, that it still turns (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["Watchdog", "notify"]

#: One step of a lane that takes longer hangs: 4 GB through a line of 0.4 Mbit/s are there sooner.
_LONGEST_STEP = 24 * 3600.0


def notify(message: str) -> None:
    """Tells systemd, if it wants to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.send(message.encode())


class Watchdog:
    """Pings systemd while everything turns; where nobody asks for that, it costs nothing and wakes nobody.

    A service that is silent for WATCHDOG_USEC is stopped and started anew (sd_watchdog_enabled(3)); a ping is due twice
    in that time."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._every = _asked_for() / 2
        self._due = 0.0 if self._every < float("inf") else self._every
        self._since: dict[str, float] = {}

    def wait(self) -> float:
        """Seconds until the next ping is due; infinite where none is asked for."""
        return max(self._due - self._steady(), 0.0)

    def turn(self) -> str:
        """Called by the thread that watches, as often as it gets on: pings when that is due.

        Returns who hangs, and then there is no ping; "" when nobody does."""
        now = self._steady()
        if now < self._due:
            return ""
        self._due = now + self._every
        hung = next((name for name, since in list(self._since.items()) if now - since > _LONGEST_STEP), "")
        if not hung:
            notify("WATCHDOG=1")
        return hung

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Around one step of another thread, which may take long, but not for ever."""
        self._since[name] = self._steady()
        try:
            yield
        finally:
            self._since[name] = float("inf")


def _asked_for() -> float:
    """Seconds of silence that systemd puts up with."""
    pid, microseconds = os.environ.get("WATCHDOG_PID", ""), os.environ.get("WATCHDOG_USEC", "")
    if pid not in ("", str(os.getpid())) or not microseconds.isdigit() or not int(microseconds):
        return float("inf")
    return int(microseconds) / 1e6
