"""All folders below one root, watched by one of watchdog's observers."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)

from mediaagent.lookout.walk import looks_linked
from mediaagent.lookout.words import trouble, well
from mediaagent.model import Hint

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

# It comes when folders are made quickly, means nothing, and prints every watch.
warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)

__all__ = ["ObservedTree", "native_observer"]

_COMMON: list[type[FileSystemEvent]] = [FileCreatedEvent, FileMovedEvent, DirCreatedEvent, DirMovedEvent]


def native_observer() -> BaseObserver:
    """The best observer of this system. Raises OSError when it can't be started."""
    if sys.platform == "linux":
        from watchdog.observers.inotify import InotifyObserver, InotifyWatchGroup

        # watchdog 7.1's own raises KeyError, and its threads end, when a folder that was moved out of the tree is
        # removed after another one took its name and left it again.
        InotifyWatchGroup._remove_watch_internally = _remove_watch  # type: ignore[method-assign, assignment]
        return InotifyObserver(generate_full_events=True)  # else files moved in look like files just begun
    from watchdog.observers import Observer

    return Observer()


def _remove_watch(group: Any, descriptor: int) -> None:
    path = group._active_callbacks_by_watch.pop(descriptor, None)
    if path is not None and group._active_callbacks_by_path.get(path) == descriptor:
        del group._active_callbacks_by_path[path]


class ObservedTree(FileSystemEventHandler):
    """One observer for one root. `disturbed` is called when its watches are to be renewed."""

    def __init__(
        self,
        root: Path,
        report: Callable[[Hint], None],
        disturbed: Callable[[], None],
        make: Callable[[], BaseObserver],
        closes: bool,
    ) -> None:
        self._root = os.fspath(root)
        self._resolved = self._root
        self._report = report
        self._disturbed = disturbed
        self._make = make
        self._observer: BaseObserver | None = None
        self._closes = closes  # whether the system tells of closes; if not, modifications must serve
        self._limit_told = False
        self.stale = False  # to be renewed: a moved folder is still watched under its old name, or some are not at all

    @property
    def alive(self) -> bool:
        """Emitters end with their root, and an error ends a thread, both without a word."""
        if self._observer is None or not self._observer.is_alive():
            return False
        reader = getattr(self._observer, "_inotify_fd", None)
        emitters = self._observer.emitters
        return bool(emitters) and all(one.is_alive() for one in emitters) and (reader is None or reader.is_alive())

    def open(self) -> None:
        """Raises OSError when the root itself can't be watched: watchdog would not say that it may not be read."""
        os.scandir(self._root).close()
        self._resolved = os.path.realpath(self._root)  # watchdog is blind behind a link
        self.stale = False
        self._observer = self._make()
        wanted = [*_COMMON, FileClosedEvent if self._closes else FileModifiedEvent]
        try:
            self._observer.schedule(self, self._resolved, recursive=True, event_filter=wanted)
            self._observer.start()
        except OSError:
            self.close()
            raise
        self.mend()

    def close(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            if observer.is_alive():
                observer.join()

    def mend(self) -> None:
        """watchdog says nothing when the system's limit of watches is reached below the root, so one more is tried."""
        if self._observer is None or not self._closes:
            return
        try:
            self._observer.unschedule(self._observer.schedule(_Deaf(), "/proc", event_filter=[DirMovedEvent]))
        except OSError as error:
            if error.errno == errno.ENOSPC and not self._limit_told:
                self._limit_told = True
                self._report(trouble(self._root, error))
        else:
            if self._limit_told:
                self._limit_told = False
                self._report(well(self._root, errno.ENOSPC))
                self._renew()

    def dispatch(self, event: FileSystemEvent) -> None:
        """Called by watchdog's thread, for each event."""
        path = os.fsdecode(event.dest_path or event.src_path)
        if isinstance(event, DirMovedEvent) and not event.dest_path:
            self._renew()
        elif not path.startswith(self._resolved) or (isinstance(event, FileMovedEvent) and not event.dest_path):
            return  # moved away
        elif not self._closes and os.path.realpath(Path(path).parent) != str(Path(path).parent):
            return  # behind a link: watchdog's polling, its last resort, follows them
        elif self._is_folder(event, path):
            self._report(Hint(kind="folder", path=self._shown(path)))
        elif not self._closes or not isinstance(event, FileCreatedEvent) or looks_linked(path):
            self._report(Hint(kind="changed", path=self._shown(path)))

    def _is_folder(self, event: FileSystemEvent, path: str) -> bool:
        """By the kernel's word; elsewhere watchdog guesses moves by inodes, and takes a file for a folder at times."""
        if self._closes:
            return event.is_directory
        return Path(path).is_dir() and not Path(path).is_symlink()

    def _renew(self) -> None:
        self.stale = True
        self._disturbed()

    def _shown(self, path: str) -> Path:
        """The path below the root as it was configured."""
        return Path(self._root + path[len(self._resolved) :])


class _Deaf(FileSystemEventHandler):
    def dispatch(self, event: FileSystemEvent) -> None:
        """Hears nothing."""
