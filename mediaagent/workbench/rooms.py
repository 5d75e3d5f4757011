"""Folders for the temporary files of children, each made for one child and removed after it.

Each is held (flock) as long as its parent lives, so what a killed one left is known, and swept by the next agent.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["Room", "sweep"]

_NAMED = "mediaagent-"
_JUST_MADE = 60.0  # seconds; it may not be held yet


class Room:
    """An empty folder that nobody else can open. It goes with this process at the latest."""

    def __init__(self) -> None:
        self.path = _made()
        self._hold = _held(self.path)
        atexit.register(self.clear)

    def clear(self) -> None:
        """Removes it, with what is in it. May be called more than once."""
        atexit.unregister(self.clear)
        _removed(self.path)
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None


def sweep() -> None:
    """Removes those whose parent was killed and could not do so."""
    with suppress(OSError):
        for path in Path(_place()).glob(f"{_NAMED}*"):
            hold = _held(path)
            if hold is None:
                continue
            found = os.fstat(hold)
            ours = found.st_uid == os.geteuid() and re.fullmatch(_NAMED + "[0-9a-f]{16}", path.name)
            if ours and time.time() - found.st_mtime > _JUST_MADE:
                _removed(path)
            os.close(hold)


def _place() -> str:
    return os.environ.get("TMPDIR") or "/tmp"  # noqa: S108  what is made there is new, and nobody can guess its name


def _made() -> Path:
    try:
        path = Path(_place(), f"{_NAMED}{os.urandom(8).hex()}").absolute()
        path.mkdir(mode=0o700)
        return path
    except OSError:
        import tempfile  # knows more places; it is not loaded before it is needed, since it loads a dozen others

        return Path(tempfile.mkdtemp(prefix=_NAMED))


def _held(path: Path) -> int | None:
    """A descriptor that holds it; None where another process does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _removed(path: Path) -> None:
    try:
        path.rmdir()  # it was not used, as most are not
    except FileNotFoundError:
        pass
    except OSError:
        import shutil

        shutil.rmtree(path, ignore_errors=True)
