"""All folders below one root, watched with inotify, with paths that stay right when folders come, go and move."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from mediaagent.lookout.guarded import Notifier, Watches, pyinotify
from mediaagent.lookout.walk import looks_linked
from mediaagent.lookout.words import LIMITS, VANISHED, trouble, well
from mediaagent.model import Hint

__all__ = ["Overflow", "RootGone", "WatchedTree"]

# One event for a file written in place, besides its creation: a burst of 8,000 files fits the queue's 16,384 places.
# CREATE is for new folders and for hard links, which send nothing else. MODIFY and OPEN are never asked for.
_FOLDER = (
    pyinotify.IN_CLOSE_WRITE
    | pyinotify.IN_MOVED_TO
    | pyinotify.IN_MOVED_FROM
    | pyinotify.IN_CREATE
    | pyinotify.IN_ONLYDIR
    | pyinotify.IN_EXCL_UNLINK
)
_BELOW = _FOLDER | pyinotify.IN_DONT_FOLLOW
_ROOT = _FOLDER | pyinotify.IN_DELETE_SELF | pyinotify.IN_MOVE_SELF  # a root may be a link that its owner chose
_COME = pyinotify.IN_CREATE | pyinotify.IN_MOVED_TO
_FINISHED = pyinotify.IN_CLOSE_WRITE | pyinotify.IN_MOVED_TO
_GONE = pyinotify.IN_DELETE_SELF | pyinotify.IN_MOVE_SELF | pyinotify.IN_UNMOUNT | pyinotify.IN_IGNORED


class RootGone(Exception):
    """The root was deleted, renamed or unmounted."""


class Overflow(Exception):
    """The kernel's queue was full: events were lost, watches of new folders among them."""


class WatchedTree:
    """One inotify instance for one root: a flood in one root drowns no other, and roots may overlap.

    Not safe for use from several threads at a time.
    """

    def __init__(self, root: Path, report: Callable[[Hint], None]) -> None:
        self._root = os.fspath(root)
        self._report = report
        self._watches: Watches | None = None
        self._notifier: Notifier | None = None
        self._folders: dict[int, str] = {}  # watch descriptor -> path
        self._gaps: dict[str, int | None] = {}  # folders that could not be watched, and the error
        self._limit_told = False

    @property
    def alive(self) -> bool:
        return self._notifier is not None

    def fileno(self) -> int:
        assert self._watches is not None
        return int(self._watches.get_fd())

    def open(self) -> None:
        """Raises OSError when the root itself can't be watched; gaps below it are told as trouble."""
        self._watches = Watches()
        self._notifier = Notifier(self._watches, self._handle)
        try:
            os.scandir(self._root).close()
            self._folders[self._watches.add(self._root, _ROOT)] = self._root
            below = _subfolders(self._root)
        except OSError:
            self.close()
            raise
        self._adopt(below)

    def close(self) -> None:
        if self._notifier is not None:
            self._notifier.stop()
        self._watches = self._notifier = None
        self._folders.clear()
        self._gaps.clear()

    def read(self) -> bool:
        """Reads what is there, after poll said so. Returns whether the same was told again and again.

        Raises RootGone or Overflow; the watches are to be renewed then."""
        assert self._notifier is not None
        self._notifier.read_events()
        repeated = self._notifier.repeated
        self._notifier.process_events()
        return repeated

    def mend(self) -> None:
        """Tries the gaps again."""
        for folder, number in sorted(self._gaps.items()):
            new = self._adopt([folder])
            if self._gaps.get(folder) in LIMITS:
                return
            if folder not in self._gaps and number not in LIMITS:
                self._report(well(folder, number))
            if folder not in self._gaps and new:
                self._report(Hint(kind="folder", path=Path(folder)))
        if self._limit_told:
            self._limit_told = False
            self._report(well(self._root, errno.ENOSPC))

    def _handle(self, descriptor: int, mask: int, name: str) -> None:
        folder = self._folders.get(descriptor)
        if mask & pyinotify.IN_Q_OVERFLOW:
            raise Overflow
        if folder is None:
            return  # left over from a watch that was removed
        path = f"{folder}/{name}" if folder != "/" else folder + name
        if mask & _GONE:
            self._lost(descriptor, folder, mask)
        elif mask & pyinotify.IN_ISDIR:
            if mask & pyinotify.IN_MOVED_FROM:
                self._disown(path)
            elif mask & _COME and self._adopt([path]):
                self._report(Hint(kind="folder", path=Path(path)))
        elif mask & _FINISHED or (mask & pyinotify.IN_CREATE and looks_linked(path)):
            self._report(Hint(kind="changed", path=Path(path)))

    def _adopt(self, pending: list[str]) -> bool:
        """Watches these folders and all below them; whether there is anything that was not watched before.

        Each is watched before it is listed, so that a folder made meanwhile is in the list or in an event."""
        assert self._watches is not None
        new = False
        while pending:
            folder = pending.pop()
            try:
                descriptor = self._watches.add(folder, _BELOW)
                if self._folders.get(descriptor) != folder:
                    pending.extend(_subfolders(folder))
                    self._folders[descriptor] = folder
                    new = True
                self._gaps.pop(folder, None)
            except OSError as error:
                new = self._skip(folder, error) or new
        return new

    def _skip(self, folder: str, error: OSError) -> bool:
        """Notes a folder that can't be watched; whether it is there, so that a walk may find something in it."""
        told = self._gaps.pop(folder, None)
        if error.errno in VANISHED:
            return False
        self._gaps[folder] = error.errno
        if error.errno in LIMITS:  # told once, not for each of ten thousand folders
            told, self._limit_told = (error.errno if self._limit_told else None), True
        if told != error.errno:
            self._report(trouble(folder, error))
        return True

    def _disown(self, path: str) -> None:
        """A folder was moved away. If it stays below the root, its new name is adopted as a new folder is."""
        assert self._watches is not None
        inside = path + "/"
        below = [wd for wd, known in self._folders.items() if known == path or known.startswith(inside)]
        self._watches.rm_watch(below)
        for descriptor in below:
            del self._folders[descriptor]

    def _lost(self, descriptor: int, folder: str, mask: int) -> None:
        if folder == self._root:
            raise RootGone
        assert self._watches is not None
        self._watches.del_watch(descriptor)
        del self._folders[descriptor]
        if mask & pyinotify.IN_UNMOUNT and self._adopt([folder]):  # what lay under the mount is visible now
            self._report(Hint(kind="folder", path=Path(folder)))


def _subfolders(folder: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
