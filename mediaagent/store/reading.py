"""Reads the agent's memory while the agent may be running; changes nothing, not even a file beside it."""

from __future__ import annotations

import os
import socket
import sqlite3
from pathlib import Path

from mediaagent.errors import Outdated, StateError
from mediaagent.refusals import refused
from mediaagent.store.database import VERSION

__all__ = ["connect", "running"]


def connect(path: Path) -> sqlite3.Connection | None:
    """A connection that only reads; None when there is no memory yet. Raises StateError, and Outdated where the
    memory is of an older version: what is asked of it may not be there yet.

    Threads may pass it on, one at a time. Where no agent has the file open there is no write-ahead log, and SQLite
    would make one even for a reader; then the file is opened as one that nobody changes.
    """
    try:
        if not path.exists():
            return None
        quiet = not path.with_name(path.name + "-wal").exists()
        uri = f"{path.absolute().as_uri()}?mode=ro" + ("&immutable=1" if quiet else "")
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    except (sqlite3.Error, OSError) as error:
        raise refused(path, error) or StateError(f"{path}: {error}") from error
    if found > VERSION:
        raise StateError(
            f"{path} was written by a newer mediaagent (its version is {found}, this one knows {VERSION}): "
            "use that one, or name another state folder"
        )
    if 0 < found < VERSION:
        connection.close()
        raise _outdated(path, found)
    return connection if found else None


def _outdated(path: Path, found: int) -> Outdated:
    """In words: who migrates it, and how."""
    process = running(path.parent)
    said = f"{path} was written by an older mediaagent (its version is {found}, this one knows {VERSION})"
    if process is None:
        todo = f"start the agent, which migrates it and keeps a copy as {path.name}.version-{found}"
        return Outdated(f"{said}: {todo} (`mediaagent run`, or systemctl start mediaagent)")
    return Outdated(
        f"{said}, and the running agent (process {process}) has not migrated it: if it was started just now wait for "
        "it, else restart it, so that it is of this version, too (systemctl restart mediaagent)"
    )


def running(state: Path) -> int | None:
    """The process that owns the state folder now; None when there is none. Takes no lock, not for a moment."""
    try:
        pid = int((state / "agent.lock").read_text())
    except (OSError, ValueError):
        return None
    if _answers(state / "agent.sock"):
        return pid
    return pid if _exists(pid) and _locks(state / "agent.lock") else None


def _answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.connect(os.fspath(address))
        except OSError:
            return False
    return True


def _exists(pid: int) -> bool:
    """Asked first: to list all locks, the kernel lets every processor come to rest, for ten milliseconds and more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


def _locks(path: Path) -> bool:
    """Whether somebody holds a lock on this file, as /proc/locks tells (proc(5)); its devices aren't always stat's."""
    try:
        inode = str(path.stat().st_ino)
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return False
    return any(" FLOCK " in line and line.split()[5].rpartition(":")[2] == inode for line in lines if "->" not in line)
