"""Lets go of what nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from mediaagent.rules import retention
from mediaagent.store.codec import epoch
from mediaagent.store.database import Database
from mediaagent.store.ledger import SqliteLedger
from mediaagent.store.spool import DiskSpool

__all__ = ["Housekeeping"]

_BATCH = 500
#: Nothing will need this event's copies any more.
_DONE = (
    "state IN ('prepared', 'dismissed') AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.id"
    " AND (deliveries.state NOT IN ('delivered', 'dropped') OR verify_at IS NOT NULL))"
)


class Housekeeping:
    """Copies of events that are done, notes of files that are gone, steps of long ago."""

    def __init__(self, database: Database, spool: DiskSpool, ledger: SqliteLedger, now: Callable[[], datetime]) -> None:
        self._database = database
        self._spool = spool
        self._ledger = ledger
        self._now = now

    def tidy(self) -> None:
        """An hour's or a day's worth of cleaning; each call does a bounded amount."""
        self.release(retention.COPIES)
        self._ledger.forget_gone(self._now() - retention.GONE_FILES)
        with self._database.transaction() as connection:
            connection.execute(
                # The newest step stays: by it a start knows whether the clock went back.
                "DELETE FROM history WHERE id IN (SELECT id FROM history WHERE at < ? ORDER BY id LIMIT 5000)"
                " AND id < (SELECT max(id) FROM history)",
                (epoch(self._now() - retention.HISTORY),),
            )

    def release(self, after: timedelta) -> int:
        """Removes the copies of events that were done that long ago, and spare ones. Returns how many.

        What is to be kept for longer stays, unless room is needed (`after` is nothing)."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT id FROM events WHERE released = 0 AND closed_at <= ? AND keep_until <= ? AND {_DONE}"  # noqa: S608
                " ORDER BY keep_until, closed_at LIMIT ?",
                (epoch(self._now() - after), epoch(self._now()) if after else float("inf"), _BATCH),
            ).fetchall()
        released = sum(self._release(row["id"]) for row in rows)
        self._remove_released()
        return released + self._release_spare()

    def _release_spare(self) -> int:
        """Copies of the same again: nobody will ever need them."""
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT id FROM parts WHERE spare = 1 AND released = 0 LIMIT ?", (_BATCH,))
            parts = [row["id"] for row in rows.fetchall()]
            connection.executemany("UPDATE parts SET released = 1 WHERE id = ?", [(part,) for part in parts])
        self._spool.release(path for path in (self._spool.folder_path / "parts" / part for part in parts))
        return len(parts)

    def _release(self, event: int) -> bool:
        """Written down first: a copy that stays behind is found later, a missing one would be a lie."""
        with self._database.transaction() as connection:
            cursor = connection.execute(
                f"UPDATE events SET released = 1 WHERE id = ? AND released = 0 AND {_DONE}",  # noqa: S608
                (event,),
            )
            if cursor.rowcount:
                connection.execute("UPDATE parts SET released = 1 WHERE event = ?", (event,))
        if cursor.rowcount:
            self._spool.release((self._spool.folder_path / "events").glob(f"{event}-r*"))
            self._remove_parts("SELECT id FROM parts WHERE event = ? AND files <> '{}'", (event,))
        return bool(cursor.rowcount)

    def _remove_released(self) -> None:
        """Copies of files that came too late for their event."""
        self._remove_parts(
            "SELECT parts.id FROM parts JOIN history ON history.path = parts.path AND history.what = 'late'"
            " WHERE parts.released = 1 AND history.at >= ?",
            (epoch(self._now() - timedelta(days=1)),),
        )

    def _remove_parts(self, query: str, values: tuple[object, ...]) -> None:
        with self._database.reading() as connection:
            ids = [row["id"] for row in connection.execute(query, values).fetchall()]
        folders = (self._spool.folder_path / "parts" / part for part in ids)
        self._spool.release([folder for folder in folders if folder.exists()])

    def sweep(self) -> None:
        """At a start: what was let go but not yet removed when the agent was killed."""
        home = self._spool.folder_path
        with self._database.reading() as connection:
            parts = [
                folder
                for folder in (home / "parts").iterdir()
                if (row := connection.execute("SELECT released FROM parts WHERE id = ?", (folder.name,)).fetchone())
                and row["released"]
            ]
            events = [
                folder
                for folder in (home / "events").iterdir()
                if (
                    row := connection.execute(
                        "SELECT released FROM events WHERE id = ?", (folder.name.partition("-")[0],)
                    ).fetchone()
                )
                is None
                or row["released"]
            ]
        self._spool.release([*parts, *events])
