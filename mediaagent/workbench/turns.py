"""A lock whose holders take turns."""

from __future__ import annotations

import threading
from collections import deque

__all__ = ["Turns"]


class Turns:
    """Given in the order in which it was asked for.

    A `threading.Lock` goes to whoever is quickest, and that is the thread that gave it back a moment ago: one that
    prepares an event of many pictures would keep all others waiting to its end."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        return len(self._waiting)

    def try_now(self) -> bool:
        """Takes it when nobody has it. Never waits."""
        with self._guard:
            free = not self._taken
            self._taken = True
            return free

    def release(self) -> None:
        """Hands it to the one that has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()
        except BaseException:  # an interrupt: what is not wanted any more goes to the next
            self._give_up(mine)
            raise

    def _give_up(self, mine: threading.Lock) -> None:
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return
        self.release()

    def __exit__(self, *_: object) -> None:
        self.release()
