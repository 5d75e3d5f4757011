"""What became of every seen file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePath

from mediaagent.model import FileNote, Fingerprint, Part, SeenFile, printable
from mediaagent.store.codec import epoch, signed
from mediaagent.store.database import Database
from mediaagent.store.rows import part_from, part_values, path_from

__all__ = ["SqliteLedger"]

_PART_COLUMNS = [
    "id",
    "source",
    "role",
    "path",
    "name",
    "files",
    "sha256",
    "size",
    "media_type",
    "device",
    "inode",
    "mtime_ns",
    "seen_at",
    "modified_at",
    "facts",
    "identity",
    "copy",
]
_INSERT_PART = (
    f"INSERT OR IGNORE INTO parts ({', '.join(_PART_COLUMNS)}) VALUES ({', '.join(f':{c}' for c in _PART_COLUMNS)})"  # noqa: S608
)
#: So many parts with the same bytes are looked at ("no signal" comes ten thousand times).
_TWINS = 20
_SAME = "inode = ? AND size = ? AND mtime_ns = ? AND device = ? AND source = ? AND path <> ?"
_ELSEWHERE = f"SELECT path, part FROM files WHERE {_SAME} AND state IN ('taken', 'baseline', 'renamed') LIMIT 1"  # noqa: S608
_TAKEN_BEFORE = f"SELECT path, id AS part FROM parts WHERE {_SAME} LIMIT 1"  # noqa: S608
_INSERT_FILE = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class SqliteLedger:
    """ports.Ledger in SQLite."""

    def __init__(self, database: Database, spool: Path, now: Callable[[], datetime]) -> None:
        self._database = database
        self._spool = spool
        self._now = now
        # Renames, to be noted with whatever is noted next: a flush of the disk each would be dear where a producer
        # renumbers, and one that a kill forgets is recalled again, by the file's identity or its content.
        self._renamed: dict[tuple[str, Path], tuple[SeenFile, str, str]] = {}

    def known(self, source: str) -> Iterator[tuple[Path, Fingerprint]]:
        query = "SELECT path, device, inode, size, mtime_ns FROM files WHERE source = ? AND state <> 'gone'"
        with self._database.reading() as connection:
            for path, *fingerprint in connection.execute(query, (source,)):
                yield path_from(path), Fingerprint(*fingerprint)

    def recall(self, source: str, file: SeenFile) -> str:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT * FROM files WHERE source = ? AND path = ?", (source, os.fsencode(file.path))
            ).fetchone()
            if row and row["state"] != "gone" and _unchanged(row, file):
                return str(row["state"])
            elsewhere = self._elsewhere(connection, source, file)
        if elsewhere is None:
            return ""
        reason = f"the same file as {printable(path_from(elsewhere['path']))}"
        self._renamed[source, file.path] = (file, reason, elsewhere["part"])
        return "renamed"

    def _note_renamed(self, connection: sqlite3.Connection) -> None:
        for (source, _), (file, reason, part) in self._renamed.items():
            self._file(connection, source, file, "renamed", reason, part)
        self._renamed.clear()

    def _elsewhere(self, connection: sqlite3.Connection, source: str, file: SeenFile) -> sqlite3.Row | None:
        """The same file under another name: a rename when that name is gone, nothing new when it is a hard link.

        A part is remembered longer than the name that it had, which another file may have taken over meanwhile."""
        values = (*_identity(file.fingerprint), source, os.fsencode(file.path))
        for query in (_ELSEWHERE, _TAKEN_BEFORE):
            row: sqlite3.Row | None = connection.execute(query, values).fetchone()
            if row is not None:
                return row
        return None

    def note(self, source: str, notes: Iterable[FileNote]) -> None:
        with self._database.transaction() as connection:
            self._note_renamed(connection)
            for note in notes:
                self._file(connection, source, note.file, note.state, note.reason, note.part)
                if note.part:  # by this name it is asked for from now on
                    connection.execute(
                        "UPDATE parts SET path = ?, device = ?, inode = ?, mtime_ns = ? WHERE id = ?",
                        (os.fsencode(note.file.path), *_place(note.file.fingerprint), note.part),
                    )
                if note.state != "baseline":
                    self._history(connection, source, note.file.path, note.state, note.reason, note.part)

    def keep(self, parts: Iterable[Part]) -> None:
        with self._database.transaction() as connection:
            self._note_renamed(connection)
            for part in parts:
                connection.execute(_INSERT_PART, part_values(part, self._spool))
                values = (part.source, os.fsencode(part.path), *_columns(part.fingerprint))
                connection.execute(_INSERT_FILE, (*values, "taken", "", part.id, epoch(self._now())))
                what = "secured" if part.files else "noted"
                self._history(connection, part.source, part.path, what, _taken_as(part), part.id)

    def has_part(self, part_id: str) -> bool:
        with self._database.reading() as connection:
            return connection.execute("SELECT 1 FROM parts WHERE id = ?", (part_id,)).fetchone() is not None

    def twins(self, source: str, sha256: str) -> Sequence[Part]:
        with self._database.reading() as connection:
            rows = connection.execute(
                # sha256 <> '': so says the index, which SQLite takes only for what says so, too.
                "SELECT * FROM parts WHERE sha256 = ? AND sha256 <> '' AND source = ? ORDER BY id DESC LIMIT ?",
                (sha256, source, _TWINS),
            ).fetchall()
        return [part_from(row, self._spool) for row in reversed(rows)]

    def newest(self, source: str, path: Path) -> str:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT id FROM parts WHERE path = ? AND source = ? ORDER BY id DESC LIMIT 1",
                (os.fsencode(path), source),
            ).fetchone()
        return row["id"] if row else ""

    # --- more than the port, for the composition root ---------------------------------------------------------------

    def reason(self, source: str, path: Path) -> str:
        """Why a file was not taken; "" where nothing is known of it."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT reason FROM files WHERE source = ? AND path = ?", (source, os.fsencode(path))
            ).fetchone()
        return row["reason"] if row else ""

    def forget_gone(self, before: datetime, limit: int = 1000) -> int:
        """Drops files noted before then that are not there any more. Returns how many were looked at."""
        cursor = self._database.get_meta("forget_cursor") or ""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT source, path, noted_at FROM files WHERE (source, path) > (?, ?) ORDER BY source, path LIMIT ?",
                (*_cursor(cursor), limit),
            ).fetchall()
        gone = [row for row in rows if row["noted_at"] < epoch(before) and not os.path.lexists(row["path"])]
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM files WHERE source = ? AND path = ?", [(row["source"], row["path"]) for row in gone]
            )
            last = f"{rows[-1]['source']}\n{rows[-1]['path'].hex()}" if len(rows) == limit else ""
            self._database.set_meta("forget_cursor", last)
        return len(rows)

    def _file(
        self, connection: sqlite3.Connection, source: str, file: SeenFile, state: str, reason: str, part: str
    ) -> None:
        values = (source, os.fsencode(file.path), *_columns(file.fingerprint))
        connection.execute(_INSERT_FILE, (*values, state, reason, part, epoch(self._now())))

    def _history(
        self, connection: sqlite3.Connection, source: str, path: Path, what: str, detail: str, part: str = ""
    ) -> None:
        connection.execute(
            "INSERT INTO history (at, source, path, what, detail, part) VALUES (?, ?, ?, ?, ?, ?)",
            (epoch(self._now()), source, os.fsencode(path), what, detail, part),
        )


def _taken_as(part: Part) -> str:
    """In whose place people see another file, its size is no news."""
    shown = PurePath(part.name).name
    return f"as {part.role}, " + (f"{part.size} bytes" if shown == printable(part.path.name) else f"with {shown}")


def _unchanged(row: sqlite3.Row, file: SeenFile) -> bool:
    """The same path with the same size and mtime is the same file, also when the device was mounted anew.

    Device numbers change from boot to boot, and file systems without inodes (vfat, some network mounts) invent them
    anew. A file that was only part of the baseline is then still that; one that was taken is compared by its content,
    by whoever secures it.
    """
    if (row["size"], row["mtime_ns"]) != (file.size, signed(file.mtime_ns)):
        return False
    return bool(row["inode"] == signed(file.inode) or row["state"] == "baseline")


def _columns(print_: Fingerprint) -> tuple[int, int, int, int]:
    """device, inode, size, mtime_ns as SQLite takes them."""
    return signed(print_.device), signed(print_.inode), print_.size, signed(print_.mtime_ns)


def _identity(print_: Fingerprint) -> tuple[int, int, int, int]:
    return signed(print_.inode), print_.size, signed(print_.mtime_ns), signed(print_.device)


def _place(print_: Fingerprint) -> tuple[int, int, int]:
    return signed(print_.device), signed(print_.inode), signed(print_.mtime_ns)


def _cursor(text: str) -> tuple[str, bytes]:
    source, _, path = text.partition("\n")
    return source, bytes.fromhex(path)
