"""What the agent does with a lookout, as small as it can be: follow each hint, and walk now and then."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mediaagent.model import Hint, SeenFile
from mediaagent.ports import Lookout

NOBODY = 65534
SOON = 10.0  # seconds; far more than anything here takes on an idle machine


class Core:
    """Watches `roots`, notes hints and what was found by following them."""

    def __init__(self, lookout: Lookout, *roots: Path) -> None:
        self.lookout = lookout
        self.roots = roots
        self.hints: list[Hint] = []
        self.found: dict[Path, SeenFile] = {}
        self._queue: queue.SimpleQueue[Hint] = queue.SimpleQueue()
        lookout.watch(roots, self._queue.put)

    def rescan(self) -> set[Path]:
        """Walks all roots, and returns what is there."""
        files = [file for root in self.roots for file in self.lookout.walk(root, (), self._queue.put)]
        self.found.update((file.path, file) for file in files)
        self.follow()
        return {file.path for file in files}

    def follow(self) -> None:
        """Does what the hints so far ask for."""
        while True:
            try:
                self._act(self._queue.get_nowait())
            except queue.Empty:
                return

    def wait_for(self, condition: Callable[[], object], why: str) -> None:
        """Follows hints until `condition`; a rescan is not part of it."""
        end = time.monotonic() + SOON
        while not condition():
            try:
                self._act(self._queue.get(timeout=0.02))
            except queue.Empty:
                assert time.monotonic() < end, f"{why}; the last hints: {self.hints[-9:]}"

    def wait_for_files(self, *paths: Path) -> None:
        self.wait_for(lambda: set(paths) <= set(self.found), f"no hint led to {set(paths) - set(self.found)}")

    def wait_for_hint(self, kind: str, path: Path | None, containing: str = "") -> Hint:
        looked_at = 0

        def told() -> bool:
            nonlocal looked_at
            while looked_at < len(self.hints):
                hint, looked_at = self.hints[looked_at], looked_at + 1
                if (hint.kind, hint.path) == (kind, path) and containing in hint.detail:
                    return True
            return False

        self.wait_for(told, f"no hint {kind} {path} {containing!r}")
        return self.hints[looked_at - 1]

    def kinds(self) -> set[str]:
        return {hint.kind for hint in self.hints}

    def troubles(self) -> list[Hint]:
        return [hint for hint in self.hints if hint.kind == "trouble"]

    def _act(self, hint: Hint) -> None:
        self.hints.append(hint)
        if hint.kind == "changed" and hint.path:
            file = self.lookout.look(hint.path)
            self.found.update({file.path: file} if file else {})
        elif hint.kind in ("folder", "root", "overflow") and hint.path:
            walked = self.lookout.walk(hint.path, (), self._queue.put)
            self.found.update((file.path, file) for file in walked)


def write(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@contextmanager
def unprivileged() -> Iterator[None]:
    """File permissions count, even when the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
