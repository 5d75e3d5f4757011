"""What the machine refuses (a full disk, a file without rights), in words for its owner."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mediaagent.errors import NoRoom, StateError
from mediaagent.model import printable

__all__ = ["in_words", "refused"]

_FULL = ": its disk is full: make room there; nothing is lost, and what waits goes on with the next run"
_QUOTA = ": this user may store no more there: raise the quota, or make room"
_CLOSED = (
    " can't be opened or changed: run this as the user that the agent runs as (sudo -u USER mediaagent …), or give "
    "this user the right to write it"
)
_READ_ONLY = ": its disk is mounted read-only: mount it writable (a failing disk is mounted so: see dmesg)"
_LOCKED = " is locked by another program (a backup, a database shell?): try again when that has ended"
_FAILS = ": its disk fails, or takes no more (I/O error): see dmesg, and whether a quota is used up"
_DAMAGED = " is damaged: start the agent, which sets it aside and rebuilds it from its copies"

#: Primary result codes, https://www.sqlite.org/rescode.html
_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _CLOSED,
    sqlite3.SQLITE_CANTOPEN: _CLOSED,
    sqlite3.SQLITE_PERM: _CLOSED,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_IOERR: _FAILS,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
_SYSTEM = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _QUOTA,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.EIO: _FAILS,
}


#: Where less is free, SQLite can't even map its index, and calls that an I/O error.
_LEAST = 1_000_000


def refused(path: Path, error: BaseException | None) -> StateError | None:
    """The machine's refusal at `path`, with what to do; None for an error that is none, and so a mistake of ours.

    An error of ours that was made of a refusal is one, too.
    """
    words = _words(error)
    if error is None:
        return None
    if words is None:
        cause = error.__cause__ if isinstance(error, StateError) else None
        own = isinstance(cause, OSError) and _words(cause) not in (_FULL, _QUOTA)  # what we said of it was more exact
        return None if own else refused(path, cause)
    if words == _FAILS and _free(path) < _LEAST:
        words = _FULL
    kind = NoRoom if words in (_FULL, _QUOTA) else StateError
    return kind(f"{printable(path)}{words}")


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """What the machine refuses the agent (room, rights, a lock) is no mistake of ours, and told with what to do.

    `path`: the database, for errors that name no file."""
    try:
        yield
    except (sqlite3.Error, OSError, StateError) as error:
        named = error.filename if isinstance(error, OSError) else None
        raise refused(Path(os.fsdecode(named)) if named else path, error) or error from error.__cause__


def _free(path: Path) -> int:
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return _LEAST
    return found.f_bavail * found.f_frsize


def _words(error: BaseException | None) -> str | None:
    if isinstance(error, sqlite3.Error):
        return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return _SYSTEM.get(error.errno or 0) if isinstance(error, OSError) else None
