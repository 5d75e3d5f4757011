"""Signals, heard in a thread of their own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping

__all__ = ["hear"]


def hear(calls: Mapping[int, Callable[[], None]]) -> None:
    """From now on each of these signals makes its call, in the order in which they come; nothing else is interrupted.

    A handler would run in the middle of whatever the main thread does, also where that holds a lock which the handler
    needs; and not before that thread is back from a disk that does not answer. Call it in the main thread."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    for number in calls:
        signal.signal(number, lambda *_: None)

    def listen() -> None:
        while number := os.read(heard, 1):
            if call := calls.get(number[0]):
                call()

    threading.Thread(target=listen, name="signals", daemon=True).start()
