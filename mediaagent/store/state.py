"""The state folder as a whole: who owns it, who the agent is, and its memory, mended where it was lost.

::

    state/
      agent.lock   held by the one agent that owns the folder
      agent.json   the agent's id, and since when each folder is watched
      outbox.db    the memory (SQLite, WAL)
      spool/       our copies
      page/        the page, when no target is configured
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path

import msgspec

from mediaagent.errors import StateError
from mediaagent.model import printable
from mediaagent.places import make_private, not_ours
from mediaagent.store.codec import epoch
from mediaagent.store.database import Damaged, Database, put_in_doubt
from mediaagent.store.deliveries import SqliteDeliveries
from mediaagent.store.ledger import SqliteLedger
from mediaagent.store.outbox import SqliteOutbox
from mediaagent.store.rebuild import rebuild
from mediaagent.store.safely import fsync_folder, write_durably
from mediaagent.store.spool import DiskSpool

__all__ = ["StateFolder", "try_out", "watched_since"]


class _AgentNote(msgspec.Struct):
    """agent.json."""

    id: str
    machine: str
    since: dict[str, datetime] = {}


class StateFolder:
    """Opens the state folder for its one owner. Raises StateError with what to do."""

    def __init__(self, folder: Path, spool_limit: int, now: Callable[[], datetime]) -> None:
        if why := not_ours(folder):
            raise StateError(why)
        self.folder = folder
        self._now = now
        self._lock = _own(folder)
        with ExitStack() as if_it_fails:
            if_it_fails.callback(self._disown)
            try:
                self._open_or_mend(spool_limit)
            except OSError as error:
                where = printable(error.filename) if error.filename else folder
                todo = "`mediaagent check` says what is in the way"
                raise StateError(f"{where} can't be used: {error.strerror}; {todo}") from error
            if_it_fails.pop_all()

    def _open_or_mend(self, spool_limit: int) -> None:
        try:
            self._open(spool_limit)
        except sqlite3.DatabaseError:
            if not self.database.damaged:
                raise
            self.database.close()
            self._open(spool_limit)  # which looks closely now, and sets it aside

    def _open(self, spool_limit: int) -> None:
        self.note, fresh = self._identify()
        path = self.folder / "outbox.db"
        kept = any((self.folder / "spool" / "parts").glob("*"))
        self.lost = "" if path.exists() or (fresh and not kept) else f"{path} was gone"
        try:
            self.database = Database(path, doubtful=True)
        except Damaged as damaged:
            self.lost = f"{_set_aside(path)} was damaged ({damaged})"
            self.database = Database(path)
        if not self.lost and not fresh and self.database.get_meta("complete") is None:
            self.lost = f"{path} was being made again"  # and the agent was killed at that
        self.spool = DiskSpool(self.folder / "spool", spool_limit)
        fsync_folder(self.folder)  # a copy is no safer than the names of the folders that lead to it
        spool = self.spool.folder_path
        self.ledger = SqliteLedger(self.database, spool, self._now)
        self.outbox = SqliteOutbox(self.database, spool, self.note.id, self._now)
        self.deliveries = SqliteDeliveries(self.database, spool, self._now)
        if self.lost or self.database.behind:
            put_in_doubt(self.database, epoch(self._now()))
        if self.lost:
            rebuild(self.database, self.spool, self.ledger)
        self.database.set_meta("complete", "yes")
        self.deliveries.recover()

    def _identify(self) -> tuple[_AgentNote, bool]:
        """Who we are; a copied state folder on another machine becomes somebody else."""
        path, machine = self.folder / "agent.json", _machine()
        try:
            note = _read_note(path)
        except FileNotFoundError:
            return self._save(_AgentNote(os.urandom(16).hex(), machine)), True
        if note.machine != machine:
            self._save(_AgentNote(os.urandom(16).hex(), machine, note.since))
            return msgspec.json.decode(path.read_bytes(), type=_AgentNote), False
        return note, False

    def _save(self, note: _AgentNote) -> _AgentNote:
        write_durably(self.folder / "agent.json", msgspec.json.encode(note))
        fsync_folder(self.folder)
        return note

    # --- ports: Baselines ---------------------------------------------------------------------------------------------

    def begun(self, source: str, root: Path) -> datetime | None:
        name = f"{source}:{os.fsencode(root).hex()}"
        if self.database.get_meta(f"baseline:{name}:{_device(root)}"):
            return None
        if name not in self.note.since:
            self.note.since[name] = self._now()
            self._save(self.note)
        return self.note.since[name]

    def complete(self, source: str, root: Path) -> None:
        self.database.set_meta(f"baseline:{source}:{os.fsencode(root).hex()}:{_device(root)}", "complete")

    def tally(self) -> Counter[str]:
        """How many deliveries, dismissed events and refused files there are."""
        counts = self.deliveries.counts()
        with self.database.reading() as connection:
            for name, table in (("dismissed", "events"), ("refused", "files")):
                row = connection.execute(f"SELECT count(*) FROM {table} WHERE state = ?", (name,)).fetchone()  # noqa: S608
                counts[name] = row[0]
        return counts

    # --- troubles -----------------------------------------------------------------------------------------------------

    def trouble(self, where: str, what: str) -> None:
        """Something the owner should know until it is over (""); shown by `queue` and `check`."""
        name = f"trouble:{where}"
        found = self.database.get_meta(name) or ""
        if found == what:
            return
        with self.database.transaction() as connection:
            if what:
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, what))
            else:
                connection.execute("DELETE FROM meta WHERE name = ?", (name,))

    def troubles(self) -> dict[str, str]:
        """Where -> what, of all that is not over."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT name, value FROM meta WHERE name LIKE 'trouble:%' ORDER BY name"
            ).fetchall()
        return {row["name"].removeprefix("trouble:"): row["value"] for row in rows}

    def clear_troubles(self) -> None:
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM meta WHERE name LIKE 'trouble:%'")

    def listens_at(self, address: str | None) -> None:
        """Where this agent serves its figures, so that `check` beside it knows who listens there."""
        if (self.database.get_meta("listens_at") or "") != (address or ""):
            self.database.set_meta("listens_at", address or "")

    def close(self) -> None:
        self.database.close()
        self._disown()

    def _disown(self) -> None:
        lock, self._lock = self._lock, -1
        if lock >= 0:  # its number may be another file's by now
            os.close(lock)


def try_out(folder: Path) -> None:
    """Whether an agent could use this folder, or make it. Leaves nothing behind, and what is a state folder as it is.

    Rights don't tell it: some file systems let nobody make a folder, whatever the rights. Raises StateError."""
    there = folder
    try:
        while not _is_there(there):
            there = there.parent
        if not _is_there(folder / "agent.lock"):
            Path(tempfile.mkdtemp(prefix=".mediaagent-", dir=there)).rmdir()
        with suppress(FileNotFoundError):  # the first agent makes it
            _read_note(folder / "agent.json")
    except OSError as error:
        raise _unusable(folder, error) from error


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _read_note(path: Path) -> _AgentNote:
    """Raises OSError or StateError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_AgentNote)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StateError(f"{path} can't be read ({error}): restore it, or name another state folder") from error


def _unusable(folder: Path, error: OSError) -> StateError:
    todo = "name a folder that this user may write, with state in [agent]"
    return StateError(f"the state folder {folder} can't be used: {error.strerror}; {todo}")


def watched_since(folder: Path, source: str) -> datetime | None:
    """When a source's folders were first watched, as the state folder has it; None when they never were."""
    try:
        note = msgspec.json.decode((folder / "agent.json").read_bytes(), type=_AgentNote)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
    return min((since for name, since in note.since.items() if name.startswith(f"{source}:")), default=None)


def _device(root: Path) -> int:
    """Which disk lies there: one that is mounted later brings files that are older than the watch."""
    try:
        return root.stat().st_dev
    except OSError:
        return 0


def _own(folder: Path) -> int:
    """The lock, held until the process ends, however it ends."""
    try:
        make_private(folder)
        with suppress(OSError):  # a folder of its owner's, which this user need not be able to read
            fsync_folder(folder.parent)
        lock = os.open(folder / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        raise StateError(
            f"another mediaagent{_holder(folder)} is running on {folder}: stop that one first, "
            "or give this one a state folder of its own"
        ) from error
    with suppress(OSError):
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _holder(folder: Path) -> str:
    with suppress(OSError, ValueError):
        return f" (process {int((folder / 'agent.lock').read_text())})"
    return ""


def _machine() -> str:
    """A digest of what the system says of this machine; the raw id is not for other programs' files."""
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        with suppress(OSError):
            return hashlib.sha256(b"mediaagent" + path.read_bytes().strip()).hexdigest()[:32]
    return ""


def _set_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    path.with_name(f"{path.name}.damaged").unlink(missing_ok=True)
    return aside
