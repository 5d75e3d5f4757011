"""A watched root's way between watched and missing, the same for every lookout that gives hints."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mediaagent.lookout.words import LIMITS, trouble, well
from mediaagent.model import Hint

__all__ = ["Root", "Tree"]

_GONE = "the folder was deleted, renamed or unmounted; it is watched again as soon as it is back"
_MISSING = "there is no such folder; it is watched as soon as it is there"


class Tree(Protocol):
    """The watches on one root and all below it."""

    @property
    def alive(self) -> bool:
        """Whether it still notices anything."""

    def open(self) -> None:
        """Puts the watches in place. Raises OSError when the root itself can't be watched."""

    def close(self) -> None:
        """Removes them; harmless when there are none."""

    def mend(self) -> None:
        """Tries again what failed below the root; cheap when nothing did."""


class Root:
    """One root and its watches. Used by one thread at a time."""

    def __init__(self, path: Path, tree: Tree, report: Callable[[Hint], None]) -> None:
        self.path = path
        self._tree = tree
        self._report = report
        self._identity: tuple[int, int] | None = None  # device and inode of what is watched
        self._told: int | None = None  # the error that the owner knows of

    @property
    def watched(self) -> bool:
        return self._identity is not None

    def begin(self) -> None:
        """Watches the root for the first time; tells only what went wrong."""
        self._open()

    def check(self) -> None:
        """Notices that the path is another folder now than the one that is watched, or that it is back."""
        if self.watched and self._tree.alive and self._unchanged():
            self._tree.mend()
            return
        if self.watched:
            self.lose(_GONE)
        if self._open():
            self._report(Hint(kind="root", path=self.path))  # no detail: nothing is wrong any more

    def lose(self, detail: str = _GONE) -> None:
        """The root went away."""
        self._forget()
        self._told = errno.ENOENT
        self._report(Hint(kind="root", path=self.path, detail=detail))

    def renew(self, hint: Hint) -> None:
        """Makes all watches anew, then gives `hint`: what happened meanwhile is for a walk to find."""
        self._forget()
        self._open()
        self._report(hint)

    def close(self) -> None:
        self._forget()

    def _open(self) -> bool:
        try:
            identity = self._look()  # before the watch: if it is replaced in between, the next check notices
            self._tree.open()
        except OSError as error:
            self._tell(error)
            return False
        if self._told in LIMITS:
            self._report(well(self.path, self._told))
        self._identity, self._told = identity, None
        return True

    def _forget(self) -> None:
        self._identity = None
        self._tree.close()

    def _unchanged(self) -> bool:
        try:
            return self._look() == self._identity
        except OSError:
            return False

    def _look(self) -> tuple[int, int]:
        status = self.path.stat()  # follows: a root may be a link that its owner chose
        return status.st_dev, status.st_ino

    def _tell(self, error: OSError) -> None:
        if error.errno == self._told:
            return
        self._told = error.errno
        if error.errno == errno.ENOENT:
            self._report(Hint(kind="root", path=self.path, detail=_MISSING))
        else:
            self._report(trouble(self.path, error))
