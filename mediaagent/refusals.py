"""What the machine refuses (a full disk, a file without rights), in words for its owner."""

from __future__ import annotations

import errno
import sqlite3

__all__ = ["in_words", "is_full"]

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


def in_words(path: object, error: BaseException) -> str | None:
    """What happened to `path`, and what to do; None for an error that is no refusal of the machine."""
    words = _words(error)
    return f"{path}{words}" if words else None


def is_full(error: BaseException | None) -> bool:
    """Whether a disk without room is behind this error: what waits goes on when there is room again."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if _words(error) in (_FULL, _QUOTA):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _words(error: BaseException) -> str | None:
    if isinstance(error, sqlite3.Error):
        return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return _SYSTEM.get(error.errno or 0) if isinstance(error, OSError) else None
