"""Hints from inotify: the lookout for Linux."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

from mediaagent.lookout.roots import Root
from mediaagent.lookout.tree import Overflow, RootGone, WatchedTree
from mediaagent.lookout.walk import Walker
from mediaagent.lookout.words import overflow
from mediaagent.model import Hint, SeenFile
from mediaagent.ports import Clock

__all__ = ["InotifyLookout"]

#: Where the same is told again and again, events gather for so many seconds: told once, they cost almost nothing. The
#: kernel's queue (16,384) takes several times what one producer can rename meanwhile.
_GATHER = 0.01


class InotifyLookout(Walker):
    """One thread for all roots. It sleeps until something happens; only while a root is missing it looks for that
    every `retry` seconds. Each walk of a root lets it check that the root is still the folder that it watches."""

    def __init__(self, clock: Clock, *, retry: float = 2.0) -> None:
        super().__init__(clock)
        self._retry = retry
        self._roots: list[tuple[Root, WatchedTree]] = []
        self._thread: threading.Thread | None = None
        self._bell: tuple[int, int] | None = None
        self._lock = threading.Lock()  # of the bell
        self._stop = False

    def watch(self, roots: Collection[Path], report: Callable[[Hint], None]) -> None:
        """Starts the thread. `report` must be quick and must not raise. Roots that are missing or unreadable are
        reported and watched when that changes."""
        self.close()
        self._watched = frozenset(roots)
        for path in self._watched:
            tree = WatchedTree(path, report)
            root = Root(path, tree, report)
            self._roots.append((root, tree))
            root.begin()
        self._stop = False
        self._bell = os.pipe()
        os.set_blocking(self._bell[1], False)
        self._thread = threading.Thread(target=self._serve, args=self._bell[:1], name="lookout", daemon=True)
        self._thread.start()

    def walk(self, folder: Path, known: Collection[int], report: Callable[[Hint], None]) -> Iterator[SeenFile]:
        """As `Walker.walk`; the walk of a root also lets the thread check the watches."""
        if folder in self._watched:
            self._ring()
        return super().walk(folder, known, report)

    def close(self) -> None:
        """Ends the thread and removes all watches."""
        self._stop = True
        self._ring()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None
        with self._lock:
            for end in self._bell or ():
                os.close(end)
            self._bell = None
        for root, _ in self._roots:
            root.close()
        self._roots.clear()

    def _ring(self) -> None:
        with self._lock, suppress(BlockingIOError):  # a full pipe rings as well
            if self._bell is not None:
                os.write(self._bell[1], b"!")

    def _serve(self, bell: int) -> None:
        due = 0.0
        while True:
            ready = self._wait(bell)
            if bell in ready:
                os.read(bell, 4096)
            if self._stop:
                return
            retry = not ready or self._clock.steady() >= due
            if retry:
                due = self._clock.steady() + self._retry
            for root, tree in self._roots:
                if root.watched and tree.fileno() in ready:
                    _read(root, tree)
                if bell in ready or (retry and not root.watched):
                    root.check()

    def _wait(self, bell: int) -> set[int]:
        poll = select.poll()
        poll.register(bell, select.POLLIN)
        for root, tree in self._roots:
            if root.watched:
                poll.register(tree, select.POLLIN)
        missing = not all(root.watched for root, _ in self._roots)
        return {descriptor for descriptor, _ in poll.poll(self._retry * 1000 if missing else None)}


def _read(root: Root, tree: WatchedTree) -> None:
    try:
        if tree.read():
            time.sleep(_GATHER)
    except RootGone:
        root.lose()
        root.check()  # it may have been made again at once
    except Overflow:
        root.renew(overflow(root.path))
