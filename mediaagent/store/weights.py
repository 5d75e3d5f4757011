"""How many bytes lie in a set of folders, known without looking."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

__all__ = ["Weights", "on_disk"]


class Weights:
    """Adding and removing a folder agree, because what it weighed is kept. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[Path, int] = {}
        self.total = 0

    def put(self, folder: Path, weight: int) -> None:
        """What it weighs from now on."""
        with self._lock:
            self.total += weight - self._of.get(folder, 0)
            self._of[folder] = weight

    def weigh(self, folder: Path) -> None:
        """Looks how much it weighs."""
        self.put(folder, _weight(folder))

    def drop(self, folder: Path) -> None:
        with self._lock:
            self.total -= self._of.pop(folder, 0)


def _weight(folder: Path) -> int:
    """Bytes of the files below a folder."""
    total = 0
    for top, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                found = os.lstat(f"{top}{os.sep}{name}")
                total += on_disk(found) if stat.S_ISREG(found.st_mode) else 0
    return total


def on_disk(found: os.stat_result) -> int:
    """Bytes that a file takes on its disk: a core dump is mostly holes."""
    return min(found.st_size, getattr(found, "st_blocks", found.st_size) * 512)
