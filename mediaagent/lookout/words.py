"""What is wrong with a watched folder, in words for its owner."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from mediaagent.model import Hint

__all__ = ["LIMITS", "VANISHED", "describe", "overflow", "trouble", "well"]

#: Errors that only say that something is not there any more.
VANISHED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})

#: No more watches, or no more inotify instances, for this user.
LIMITS = frozenset({errno.ENOSPC, errno.EMFILE})

_SETTINGS = Path("/proc/sys/fs/inotify")
_LIMIT = (
    "the system's limit of {what} is reached (fs.inotify.{name} is {value}), so new files {where} are found by the "
    "rescan only; raise it: put fs.inotify.{name} = {more} into /etc/sysctl.d/60-mediaagent.conf, "
    "then run sysctl --system"
)


def trouble(folder: str | Path, error: OSError) -> Hint:
    """A limit concerns everything that is watched, other trouble its folder."""
    path = None if error.errno in LIMITS else Path(folder)
    return Hint(kind="trouble", path=path, detail=describe(error))


def well(folder: str | Path, number: int | None) -> Hint:
    """The trouble that had this error number is over."""
    return Hint(kind="trouble", path=None if number in LIMITS else Path(folder))


def overflow(root: Path) -> Hint:
    """Events were lost below this root."""
    return Hint(kind="overflow", path=root, detail="more happened at once than the system's queue of events holds")


def describe(error: OSError) -> str:
    """What an error met at a folder means, and what to do about it."""
    if error.errno == errno.ENOENT:
        return "there is no such folder; make it, or correct the path in the settings"
    if error.errno == errno.ENOTDIR:
        return "this is not a folder; correct the path in the settings"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{_who()} may not read this folder; give it the right to read and enter it (chmod, or a common group)"
    if error.errno == errno.ENOSPC:
        return _limit("watched folders", "max_user_watches", "in this folder and maybe others")
    if error.errno == errno.EMFILE:
        return _limit("inotify instances (or of open files)", "max_user_instances", "below this folder")
    return f"this folder can't be read: {error.strerror or error}"


def _limit(what: str, name: str, where: str) -> str:
    try:
        value = int((_SETTINGS / name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _LIMIT.format(what=what, name=name, value="unknown", where=where, more="a higher number")
    return _LIMIT.format(what=what, name=name, value=value, where=where, more=value * 4)


def _who() -> str:
    return f"the agent's user (uid {os.geteuid()})" if hasattr(os, "geteuid") else "the agent's user"
