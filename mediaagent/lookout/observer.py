"""Hints from watchdog: the lookout for systems without inotify, or without pyinotify."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mediaagent.lookout.observed import ObservedTree, native_observer
from mediaagent.lookout.roots import Root
from mediaagent.lookout.walk import Walker
from mediaagent.lookout.words import overflow
from mediaagent.model import Hint, SeenFile
from mediaagent.ports import Clock

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

__all__ = ["ObserverLookout"]


class ObserverLookout(Walker):
    """watchdog's threads for each root, and one of ours that keeps them honest: every `tick` seconds, and at each
    walk of a root, it checks that they live and that the root is still the folder that they watch."""

    def __init__(
        self,
        clock: Clock,
        *,
        tick: float = 2.0,
        make: Callable[[], BaseObserver] = native_observer,
        closes: bool = sys.platform == "linux",
    ) -> None:
        super().__init__(clock)
        self._tick = tick
        self._make = make
        self._closes = closes
        self._roots: list[tuple[Root, ObservedTree]] = []
        self._keeper: threading.Thread | None = None
        self._wake = threading.Event()
        self._stop = False
        self._ear = _Ear(self._wake.set)

    def watch(self, roots: Collection[Path], report: Callable[[Hint], None]) -> None:
        """Starts the threads. `report` must be quick and must not raise. Roots that are missing or unreadable are
        reported and watched when that changes."""
        self.close()
        self._watched = frozenset(roots)
        self._ear.listen()
        for path in self._watched:
            tree = ObservedTree(path, report, self._wake.set, self._make, self._closes)
            root = Root(path, tree, report)
            self._roots.append((root, tree))
            root.begin()
        self._stop = False
        self._keeper = threading.Thread(target=self._keep, name="lookout", daemon=True)
        self._keeper.start()

    def walk(self, folder: Path, known: Collection[int], report: Callable[[Hint], None]) -> Iterator[SeenFile]:
        """As `Walker.walk`; the walk of a root also lets the keeper check the watches."""
        if folder in self._watched:
            self._wake.set()
        return super().walk(folder, known, report)

    def close(self) -> None:
        """Ends all threads."""
        self._stop = True
        self._wake.set()
        if self._keeper is not None and self._keeper is not threading.current_thread():
            self._keeper.join()
        self._keeper = None
        for root, _ in self._roots:
            root.close()
        self._roots.clear()
        self._ear.cover()

    def _keep(self) -> None:
        while True:
            self._wake.wait(self._tick)
            self._wake.clear()
            if self._stop:
                return
            overflowed = self._ear.heard()
            for root, tree in self._roots:
                if overflowed:
                    root.renew(overflow(root.path))
                elif tree.stale:
                    root.renew(Hint(kind="folder", path=root.path))
                root.check()


class _Ear(logging.Handler):
    """Hears of an overflow, which watchdog (7.1) tells to its log only."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._wake = wake
        self._overflow = False

    def listen(self) -> None:
        logger = logging.getLogger("watchdog")
        logger.addHandler(self)
        if logger.getEffectiveLevel() > logging.WARNING:
            logger.setLevel(logging.WARNING)

    def cover(self) -> None:
        logging.getLogger("watchdog").removeHandler(self)

    def heard(self) -> bool:
        overflow, self._overflow = self._overflow, False
        return overflow

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._overflow = True
            self._wake()
