"""pyinotify 0.9.6 without what makes it fall: bad names, slow logging, floods of one name, watches that leak.

On Python 3.12 and later it needs pyasyncore, because it imports asyncore. Only its watch manager and its notifier are
used; its own following of new and moved folders loses files (measured), so `tree` does that.
"""

from __future__ import annotations

import ctypes
import logging
import os
import struct
import warnings
from collections import deque
from collections.abc import Callable

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of asyncore, on Python 3.11
    import pyinotify

__all__ = ["Notifier", "Watches", "pyinotify"]

_HEAD = struct.Struct("iIII")  # wd, mask, cookie, length of the name: inotify(7)
_BUFFER = 256 * 1024
#: Events after which a name may stand for another path.
_PLACES = pyinotify.IN_ISDIR | pyinotify.IN_IGNORED | pyinotify.IN_MOVE_SELF | pyinotify.IN_Q_OVERFLOW

# It prints errors to stderr through a handler of its own; ours are told as hints.
pyinotify.log.handlers.clear()
pyinotify.log.propagate = False
pyinotify.log.setLevel(logging.CRITICAL)


class _Libc(pyinotify.INotifyWrapper):  # type: ignore[misc]
    """The three system calls, with names as the system gave them.

    pyinotify's own encodes strictly, runs ldconfig to find the library, and lets child processes inherit."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.inotify_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]

    def _get_errno(self) -> int:
        return ctypes.get_errno()

    def _inotify_init(self) -> int:
        return int(self._libc.inotify_init1(os.O_CLOEXEC))

    def _inotify_add_watch(self, fd: int, pathname: str, mask: int) -> int:
        return int(self._libc.inotify_add_watch(fd, os.fsencode(pathname), mask))

    def _inotify_rm_watch(self, fd: int, wd: int) -> int:
        return int(self._libc.inotify_rm_watch(fd, wd))


pyinotify.INotifyWrapper.create = staticmethod(_Libc)


class Watches(pyinotify.WatchManager):  # type: ignore[misc]
    """One inotify instance."""

    def __init__(self) -> None:
        """Raises OSError (EMFILE) when this user has too many instances."""
        try:
            super().__init__()
        except OSError as error:  # it has only a text
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number)) from error

    def add(self, folder: str, mask: int) -> int:
        """Watches one folder and returns its watch descriptor. Raises OSError."""
        try:
            (descriptor,) = self.add_watch(folder, mask, quiet=False).values()
        except pyinotify.WatchManagerError as error:  # it has only a text
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), folder) from error
        return int(descriptor)


class Notifier(pyinotify.Notifier):  # type: ignore[misc]
    """Reads events and hands them to a function of (watch descriptor, mask, name) as they came."""

    def __init__(self, watches: Watches, handle: Callable[[int, int, str], None]) -> None:
        super().__init__(watches, handle)
        self._eventq: deque[tuple[int, int, str]] = deque()
        self.repeated = False  # whether the last buffer told the same of some file again

    def read_events(self) -> None:
        """One buffer full. The original dies on a name that is not UTF-8, and formats every event for its log.

        What is told of a file twice is handed over once: both happened before anybody looks. A producer that renumbers
        sends a hundred thousand events a second about a few names, and whoever handles each starves the other threads.
        """
        data = os.read(self._fd, _BUFFER)
        position = 0
        told: set[tuple[int, int, bytes]] = set()
        self.repeated = False
        while position < len(data):
            descriptor, mask, _, length = _HEAD.unpack_from(data, position)
            position += _HEAD.size + length
            event = (descriptor, mask, data[position - length : position])
            if mask & _PLACES:
                told.clear()  # what has this name from here on may be another file
            elif event in told:
                self.repeated = True
                continue
            told.add(event)
            self._eventq.append((descriptor, mask, os.fsdecode(event[2].rstrip(b"\0"))))

    def process_events(self) -> None:
        """Hands over what was read."""
        while self._eventq:
            self._default_proc_fun(*self._eventq.popleft())
