"""Signals, heard in a thread of their own, and kept while one program takes the place of another."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

__all__ = ["ORDERS", "Ear", "hold", "let_go"]

#: What a running agent is asked by: to stop, to stop, to take new settings.
ORDERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_NO_MORE = b"\0"  # no signal has this number


def hold(numbers: Iterable[int]) -> None:
    """Signals of these numbers wait until an `Ear` hears them, also where another program takes this process's place.

    Call it in the main thread, while it is the only one. What is started before they are heard inherits this."""
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def let_go(numbers: Iterable[int]) -> None:
    """They do what they do to any program, those that waited at once."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


class Ear:
    """From now on each of these signals makes its call, in the order in which they come; nothing else is interrupted.

    A handler would run in the middle of whatever the main thread does, also where that holds a lock which the handler
    needs; and not before that thread is back from a disk that does not answer. A call has to be quick: the next signal
    is heard when it has ended. Make it in the main thread."""

    def __init__(self, calls: Mapping[int, Callable[[], None]], troubled: Callable[[], None]) -> None:
        """`troubled` is called where a call raises something, which is the current exception then."""
        self._calls = dict(calls)
        self._troubled = troubled
        self._heard, self._told = os.pipe()
        os.set_blocking(self._told, False)
        signal.set_wakeup_fd(self._told, warn_on_full_buffer=False)
        for number in self._calls:
            signal.signal(number, lambda *_: None)
        let_go(self._calls)
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._thread.start()

    def close(self, moot: Collection[int]) -> None:
        """Before another program takes this process's place. What came until now has made its call when this returns;
        what comes from now on is held for that program. No signal is lost in between.

        `moot`: those that ask for nothing but what is happening. Call it in the main thread."""
        # Threads that are left here don't hold signals. What they would catch would end with them, so that nothing is
        # caught any more: what asks to stop does that by itself.
        for number in self._calls:
            signal.signal(number, signal.SIG_IGN if number in moot else signal.SIG_DFL)
        hold(self._calls)
        os.write(self._told, _NO_MORE)
        self._thread.join()

    def _listen(self) -> None:
        while (number := os.read(self._heard, 1)) != _NO_MORE:
            if call := self._calls.get(number[0]):
                self._make(call)

    def _make(self, call: Callable[[], None]) -> None:
        """Whatever it raises: who does not hear any more can't be stopped but by force."""
        try:
            call()
        except BaseException:
            with suppress(BaseException):  # the log itself fails, so nobody can be told
                self._troubled()
