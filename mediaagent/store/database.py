"""One SQLite file, opened, migrated and used in transactions."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mediaagent.errors import StateError
from mediaagent.store.write_ahead import Loss, WriteAheadLog

__all__ = ["VERSION", "Damaged", "Database", "put_in_doubt"]

#: The schema's version (`PRAGMA user_version`). migrations/NNNN.sql leads from NNNN-1 to NNNN.
VERSION = 3
#: kB of pages kept in memory, once they were needed. With SQLite's own 2 MB a backlog of 100,000 files was taken in at
#: half the speed: each file changes pages all over a dozen indexes.
_CACHE = 16_000


class Damaged(Exception):
    """The file is no usable database."""


class Database:
    """A connection that threads share: one writer at a time, each `transaction` durable when it ends.

    WAL with synchronous=FULL: a commit is on disk (measured: one fdatasync each, so group small writes).
    Damage that is met on the way is marked by a file beside it, so that the next one to open it looks closely.
    """

    def __init__(self, path: Path, *, readonly: bool = False, doubtful: bool = False) -> None:
        """`doubtful`: where the last owner was killed, all of it is read once. Raises Damaged or StateError."""
        self.path = path
        self.damaged = False  # found out while it was used
        self.behind = False  # commits that were made last may be missing
        self._lock = threading.RLock()
        self._flushed = True  # what `synchronous` is set to
        left = _left_behind(path) if doubtful else None
        try:
            self._connection = self._open(path, readonly)
            self._check(left)
            self._migrate(readonly)
        except sqlite3.DatabaseError as error:
            raise _translated(path, error) from error

    @staticmethod
    def _open(path: Path, readonly: bool) -> sqlite3.Connection:
        uri = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rwc'}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
        connection.row_factory = sqlite3.Row
        if not readonly:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{_CACHE}")
            connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _check(self, left: WriteAheadLog | None) -> None:
        mark = _mark(self.path)
        if left is None and not mark.exists():
            return
        if told := mark.read_text() if mark.exists() else "":
            self._connection.close()
            raise Damaged(f"{self.path}: {told}")
        (found,) = self._connection.execute(
            f"PRAGMA {'integrity_check' if mark.exists() else 'quick_check'}(1)"
        ).fetchone()
        if found != "ok":
            self._connection.close()
            raise Damaged(f"{self.path}: {' '.join(found.split())}")
        if left is not None:
            self._compare(left)
        mark.unlink(missing_ok=True)

    def _compare(self, left: WriteAheadLog) -> None:
        """What SQLite could read of the log with what is in there."""
        busy, whole, _ = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if busy or whole < 0 or not left.still(_log(self.path)):  # another program is at it
            self.behind = left.loss(0) is not Loss.NOTHING
            return
        loss = left.loss(whole)
        if loss is Loss.COMMITS:
            # The log goes with this connection, and with it what told of the loss.
            _mark(self.path).write_text("something was wrong in the middle of its write-ahead log")
            self._connection.close()
            raise Damaged(f"{_log(self.path)}: something is wrong in the middle of it")
        self.behind = loss is Loss.PERHAPS

    def _migrate(self, readonly: bool) -> None:
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        if found > VERSION:
            raise StateError(
                f"{self.path} was written by a newer mediaagent (its version is {found}, this one knows {VERSION}): "
                "install that one again, or name another state folder"
            )
        if found == VERSION or readonly:
            return
        from importlib.resources import files

        scripts = files("mediaagent.store")
        steps = [scripts / "migrations" / f"{step:04}.sql" for step in range(found + 1, VERSION + 1)]
        if found == 0:
            steps = [scripts / "schema.sql"]
        else:
            self._copy_aside(found)
        script = "\n".join(step.read_text() for step in steps)
        self._connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {VERSION};\nCOMMIT;")

    def _copy_aside(self, version: int) -> None:
        """The database as the older program left it, for the way back."""
        copy = self.path.with_name(f"{self.path.name}.version-{version}")
        temporary = copy.with_name(f".{copy.name}.new")
        temporary.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(temporary)) as target:
            self._connection.backup(target)
        temporary.replace(copy)

    @contextlib.contextmanager
    def transaction(self, *, flushed: bool = True) -> Iterator[sqlite3.Connection]:
        """All or nothing, on disk at the end (`flushed=False`: at the end of the next one, or when the system does it
        by itself). Nested use joins the outer transaction."""
        with self._lock, self._noticing():
            if self._connection.in_transaction:
                yield self._connection
                return
            if flushed != self._flushed:
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if flushed else 'NORMAL'}")
                self._flushed = flushed
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._roll_back()
                raise
            try:
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # a full disk has rolled back by itself
            self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._noticing():
            yield self._connection

    @contextlib.contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                self.damaged = True
                with suppress(OSError):
                    _mark(self.path).touch()
            raise

    def get_meta(self, name: str) -> str | None:
        with self.reading() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row["value"] if row else None

    def set_meta(self, name: str, value: str) -> None:
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def put_in_doubt(database: Database, now: float) -> None:
    """What was written down last is missing, and may have been the start of any attempt: whatever waits is in doubt,
    and so is what will come of files that were seen until `now`. In one transaction, which is the first one: it may
    write over what told of the loss."""
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('rebuilt_at', ?)", (str(now),))
        connection.execute("UPDATE deliveries SET in_doubt = 1, attempted_at = ? WHERE state = 'waiting'", (now,))


def _left_behind(path: Path) -> WriteAheadLog | None:
    """The log of an owner that was killed; who ends well leaves none."""
    with suppress(FileNotFoundError):
        return WriteAheadLog(_log(path))
    return None


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged")


def _translated(path: Path, error: sqlite3.DatabaseError) -> Exception:
    text = str(error)
    if "not a database" in text or "malformed" in text or "no such table" in text:
        return Damaged(f"{path}: {text}")
    if "readonly" in text or "unable to open" in text:
        return StateError(f"{path} can't be opened for writing ({text}): is the state folder writable for this user?")
    if "full" in text:
        return StateError(f"{path}: {text}: make room on that disk")
    return StateError(f"{path}: {text}")
