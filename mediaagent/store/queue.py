"""What the outbox holds, for its owner: lists and stories, beside an agent that may be running."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from mediaagent.model import Part, Post
from mediaagent.refusals import refused
from mediaagent.store.codec import epoch, loads, moment
from mediaagent.store.reading import connect
from mediaagent.store.rows import part_from, path_from

__all__ = ["STATES", "DeliveryRow", "EventRow", "FileRow", "Queue", "Step"]

#: States in the order in which an owner wants to see them.
STATES = ("rejected", "failed", "held", "sending", "waiting", "delivered", "dropped", "dismissed")
_OVER = ("dropped", "dismissed")


#: The largest whole number that SQLite knows.
_LARGEST = 2**63 - 1


class DeliveryRow(Struct, frozen=True, kw_only=True):
    """One line of the queue: one event's way to one target (target "" when it has none)."""

    id: int  # of the event: what logs and commands call it by
    source: str
    target: str
    state: str
    due: datetime | None
    attempts: int
    last_error: str
    title: str
    body: str
    happened_at: datetime
    url: str = ""
    delivered_at: datetime | None = None
    key: str = ""
    prepared: bool = False


class EventRow(Struct, frozen=True, kw_only=True):
    """One event, as it is now."""

    id: int
    source: str
    key: str
    kind: str
    state: str
    reason: str
    revision: int
    happened_at: datetime
    facts: dict[str, Any]
    released: bool
    due: datetime | None


class FileRow(Struct, frozen=True, kw_only=True):
    """What became of one seen file."""

    source: str
    path: Path
    state: str
    reason: str
    part: str
    noted_at: datetime
    size: int
    mtime_ns: int
    inode: int


class Step(Struct, frozen=True, kw_only=True):
    """One decision of long or short ago."""

    at: datetime
    source: str
    what: str
    detail: str
    path: Path | None
    event: int | None
    target: str


_LINES = (
    "SELECT e.id, e.source, e.revision, e.state AS event_state, e.reason, e.prepare_at, e.happened_at, d.target,"
    " d.state AS delivery_state, d.due_at, d.ready, d.attempts, d.last_error, d.receipt, d.delivered_at, d.key,"
    " d.variant FROM deliveries d JOIN events e ON e.id = d.event"
)
_EVENTS_ALONE = (
    "SELECT e.id, e.source, e.revision, e.state AS event_state, e.reason, e.prepare_at, e.happened_at, '' AS target,"
    " NULL AS delivery_state, NULL AS due_at, 0 AS ready, 0 AS attempts, '' AS last_error, '' AS receipt,"
    " 0 AS delivered_at, '' AS key, 0 AS variant FROM events e"
)
#: What was said of a name belongs to the file that was taken under it next; after the last one, to that.
_HISTORY = """
WITH own AS (
    SELECT parts.id, parts.path, parts.source, coalesce(taken.id, 0) AS step FROM parts
    LEFT JOIN history taken ON taken.part = parts.id AND taken.part <> '' WHERE parts.event = :event
)
SELECT * FROM history WHERE event = :event
UNION SELECT h.* FROM own JOIN history h ON h.part = own.id AND h.part <> ''
UNION SELECT h.* FROM own JOIN history h ON h.path = own.path AND h.source = own.source AND h.part = ''
WHERE coalesce(
    (SELECT min(t.id) FROM history t WHERE t.path = h.path AND t.source = h.source AND t.part <> '' AND t.id > h.id),
    (SELECT max(t.id) FROM history t WHERE t.path = h.path AND t.source = h.source AND t.part <> '' AND t.id < h.id),
    0
) IN (own.step, 0)
ORDER BY at, id
"""


class Queue:
    """A reader of the database at `path`. Raises StateError when it can't be read; empty when there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._spool = path.parent / "spool"
        self._live = path.with_name(f"{path.name}-wal").exists()
        self._connection = connect(path)

    @property
    def exists(self) -> bool:
        return self._connection is not None

    def close(self) -> None:
        if self._connection:
            self._connection.close()

    @property
    def live(self) -> bool:
        """What is written meanwhile is seen: an agent had it open when this was opened."""
        return self._live

    def version(self) -> int:
        """Another number whenever something was written since, if this is `live`. Costs next to nothing."""
        rows = self._rows("PRAGMA data_version")
        return int(rows[0][0]) if rows else 0

    def _rows(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(query, values).fetchall() if self._connection else []
        except (OverflowError, UnicodeEncodeError):  # there is no room in it for such a number or word, so it has none
            return []
        except sqlite3.Error as error:
            raise refused(self.path, error) or error from error.__cause__

    # --- lists --------------------------------------------------------------------------------------------------------

    def lines(
        self,
        states: Sequence[str] = (),
        source: str = "",
        target: str = "",
        limit: int | None = None,
        everything: bool = False,
    ) -> list[DeliveryRow]:
        """The queue, what wants attention first; what was dropped or dismissed only when asked for."""
        wanted = states or (STATES if everything else tuple(each for each in STATES if each not in _OVER))
        found: list[DeliveryRow] = []
        for state in STATES:
            if state in wanted and (limit is None or len(found) < limit):
                found += self._lines_of(state, source, target, None if limit is None else limit - len(found))
        return found

    def _lines_of(self, state: str, source: str, target: str, limit: int | None) -> Iterator[DeliveryRow]:
        query, values = _query(state, source, target)
        order = "d.due_at, d.id" if state in ("waiting", "sending") else "e.id DESC"
        if query.startswith(_EVENTS_ALONE):
            order = "e.id DESC"
        most = -1 if limit is None else min(limit, _LARGEST)
        cursor = self._rows(f"{query} ORDER BY {order} LIMIT ?", (*values, most))
        return map(self._line, cursor)

    def never_taken(self, limit: int) -> tuple[int, list[FileRow]]:
        """How many files were given up as incomplete or refused, and the newest of them."""
        wanted = "FROM files WHERE state IN ('incomplete', 'refused')"
        count = self._rows(f"SELECT count(*) AS n {wanted}")
        rows = self._rows(f"SELECT * {wanted} ORDER BY noted_at DESC LIMIT ?", (limit,))
        return (count[0]["n"] if count else 0), [_file(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many lines each state has."""
        found = {}
        for state in STATES:
            query, values = _query(state, "", "")
            number = sum(row[0] for row in self._rows(f"SELECT count(*) FROM ({query})", values))  # noqa: S608
            if number:
                found[state] = number
        return found

    def troubles(self) -> dict[str, str]:
        """What the running agent, or the last one, wanted its owner to know: where -> what."""
        rows = self._rows("SELECT name, value FROM meta WHERE name LIKE 'trouble:%' ORDER BY name")
        return {row["name"].partition(":")[2]: row["value"] for row in rows}

    def listens_at(self) -> str | None:
        """Where the running agent, or the last one, served its figures."""
        rows = self._rows("SELECT value FROM meta WHERE name = 'listens_at' AND value <> ''")
        return str(rows[0]["value"]) if rows else None

    def _line(self, row: sqlite3.Row) -> DeliveryRow:
        post = self.post(row["id"], row["variant"])
        waits = row["delivery_state"] in ("waiting", "sending")
        due = row["due_at"] if row["ready"] else row["prepare_at"]
        return DeliveryRow(
            id=row["id"],
            source=row["source"],
            target=row["target"],
            state=_state(row),
            due=moment(due) if waits else None,
            attempts=row["attempts"],
            last_error=row["last_error"] or row["reason"],
            title=post.title if post else "",
            body=post.text if post else "",
            happened_at=moment(row["happened_at"]),
            url=_url(row["receipt"]),
            delivered_at=moment(row["delivered_at"]) if row["delivered_at"] else None,
            key=row["key"],
            prepared=bool(row["ready"]),
        )

    # --- one event ----------------------------------------------------------------------------------------------------

    def event(self, event: int) -> EventRow | None:
        for row in self._rows("SELECT * FROM events WHERE id = ?", (event,)):
            return EventRow(
                id=row["id"],
                source=row["source"],
                key=row["key"],
                kind=row["kind"],
                state=row["state"],
                reason=row["reason"],
                revision=row["revision"],
                happened_at=moment(row["happened_at"]),
                facts=loads(row["facts"], dict[str, Any]),
                released=bool(row["released"]),
                due=moment(row["prepare_at"]) if row["state"] == "new" else None,
            )
        return None

    def deliveries(self, event: int) -> list[DeliveryRow]:
        return [self._line(row) for row in self._rows(f"{_LINES} WHERE e.id = ? ORDER BY d.target", (event,))]

    def post(self, event: int, variant: int = 0) -> Post | None:
        """The newest prepared post of an event."""
        query = "SELECT post FROM posts WHERE event = ? AND variant IN (0, ?) ORDER BY revision DESC, variant = ? DESC"
        rows = self._rows(query + " LIMIT 1", (event, variant, variant))
        return loads(rows[0]["post"], Post) if rows else None

    def notes(self, event: int) -> list[str]:
        """What the workbench said of it."""
        query = "SELECT notes FROM posts WHERE event = ? AND variant = 0 ORDER BY revision DESC LIMIT 1"
        rows = self._rows(query, (event,))
        return loads(rows[0]["notes"], list[str]) if rows else []

    def parts(self, event: int) -> list[Part]:
        return [part_from(row, self._spool) for row in self._rows("SELECT * FROM parts WHERE event = ?", (event,))]

    def history(self, event: int) -> list[Step]:
        """The steps of an event and of its files, oldest first; not those of other files that had their names."""
        return [_step(row) for row in self._rows(_HISTORY, {"event": event})]

    # --- one file -----------------------------------------------------------------------------------------------------

    def file(self, source: str, path: Path) -> FileRow | None:
        """What is known of one file of a source, by its name."""
        rows = self._rows("SELECT * FROM files WHERE source = ? AND path = ?", (source, os.fsencode(path)))
        return _file(rows[0]) if rows else None

    def files(self, path: Path) -> list[FileRow]:
        """The same, of every source. (The table's key begins with the source.)"""
        sources = [row["source"] for row in self._rows("SELECT DISTINCT source FROM files")]
        return [found for found in (self.file(source, path) for source in sources) if found]

    def events_of(self, path: Path) -> list[int]:
        """Events that a file of this name is, or was, a part of."""
        query = "SELECT DISTINCT event FROM parts WHERE path = ? AND event IS NOT NULL ORDER BY event"
        return [row["event"] for row in self._rows(query, (os.fsencode(path),))]

    def events_below(self, folder: Path) -> list[int]:
        """Events that have files of this folder, oldest first."""
        start = os.fsencode(folder) + b"/"
        query = "SELECT DISTINCT event FROM parts WHERE path >= ? AND path < ? AND event IS NOT NULL ORDER BY event"
        return [row["event"] for row in self._rows(query, (start, start[:-1] + b"0"))]

    def refused_below(self, folder: Path, source: str) -> list[FileRow]:
        """Files of this folder that a source was to take and never could, by name."""
        start = os.fsencode(folder) + b"/"
        query = (
            "SELECT * FROM files WHERE source = ? AND path >= ? AND path < ? AND state IN ('incomplete', 'refused')"
            " ORDER BY path"
        )
        return [_file(row) for row in self._rows(query, (source, start, start[:-1] + b"0"))]

    def counted_at(self, event: int) -> int | None:
        """The event whose post counts this one, when it is the same again."""
        rows = self._rows("SELECT first FROM repeats WHERE event = ?", (event,))
        return rows[0]["first"] if rows else None

    def event_of_part(self, part: str) -> int | None:
        rows = self._rows("SELECT event FROM parts WHERE id = ?", (part,))
        return rows[0]["event"] if rows else None

    def steps(self, path: Path) -> list[Step]:
        """The steps of files of this name, oldest first, but for the taking of those that became an event's."""
        query = (
            "SELECT history.* FROM history LEFT JOIN parts ON parts.id = history.part"
            " WHERE history.path = ? AND parts.event IS NULL ORDER BY at, history.id"
        )
        return [_step(row) for row in self._rows(query, (os.fsencode(path),))]

    def open_parts(self, source: str, closed_since: datetime) -> list[Part]:
        """Parts of no event yet, and those of events that were closed since then: what a watcher groups."""
        query = (
            "SELECT parts.*, coalesce(events.key, '') AS event_key FROM parts LEFT JOIN events ON events.id = event"
            " WHERE parts.source = ? AND (event IS NULL OR events.closed_at >= ?)"
        )
        rows = self._rows(query, (source, epoch(closed_since)))
        return [part_from(row, self._spool, row["event_key"]) for row in rows]

    def event_by_key(self, source: str, key: str) -> int | None:
        """The event of this key, be it the event's own or that of something that changed it."""
        rows = self._rows("SELECT id FROM events WHERE source = ? AND key = ?", (source, key))
        if not rows and self._rows("SELECT 1 FROM sqlite_master WHERE name = 'joined'"):  # version 2 had none
            rows = self._rows("SELECT event AS id FROM joined WHERE source = ? AND key = ?", (source, key))
        return rows[0]["id"] if rows else None

    def event_of_delivery(self, key: str) -> int | None:
        """The event that is delivered under this key: the one that a post at the target carries."""
        rows = self._rows("SELECT event FROM deliveries WHERE key = ?", (key,))
        return rows[0]["event"] if rows else None

    def same_files(self, source: str, inode: int, size: int, mtime_ns: int) -> list[FileRow]:
        """All names under which a source saw this very file, by other ways to its folder too; the first one first."""
        query = "SELECT * FROM files WHERE inode = ? AND size = ? AND mtime_ns = ? AND source = ? ORDER BY noted_at"
        return [_file(row) for row in self._rows(query, (inode, size, mtime_ns, source))]

    def baseline_complete(self, source: str, root: Path) -> bool:
        """Whether the first walk of this folder, which sets aside what lay there before, was finished."""
        name = f"baseline:{source}:{os.fsencode(root).hex()}"
        return bool(self._rows("SELECT 1 FROM meta WHERE name = ?", (name,)))


def _query(state: str, source: str, target: str) -> tuple[str, list[Any]]:
    """The lines of one state. An event without any delivery is a line too, when it was dismissed or failed."""
    if state in ("dismissed", "failed"):
        query, values = f"{_EVENTS_ALONE} WHERE e.state = ?", [state]
        if state == "failed":  # its deliveries are shown as held
            query += " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = e.id)"
        if target:
            query += " AND 0"
    else:
        query, values = f"{_LINES} WHERE d.state = ?", [state]
        if state == "dropped":
            query += " AND e.state <> 'dismissed'"
        if target:
            query, values = query + " AND d.target = ?", [*values, target]
    if source:
        query, values = query + " AND e.source = ?", [*values, source]
    return query, values


def _state(row: sqlite3.Row) -> str:
    return str(row["delivery_state"] or row["event_state"])


def _url(receipt: str) -> str:
    return str(loads(receipt, dict[str, Any])["url"]) if receipt else ""


def _file(row: sqlite3.Row) -> FileRow:
    return FileRow(
        source=row["source"],
        path=path_from(row["path"]),
        state=row["state"],
        reason=row["reason"],
        part=row["part"],
        noted_at=moment(row["noted_at"]),
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        inode=row["inode"],
    )


def _step(row: sqlite3.Row) -> Step:
    return Step(
        at=moment(row["at"]),
        source=row["source"],
        what=row["what"],
        detail=row["detail"],
        path=path_from(row["path"]) if row["path"] is not None else None,
        event=row["event"],
        target=row["target"],
    )
