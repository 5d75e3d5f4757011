"""The owner's word on deliveries: retry, drop, hold, release; beside an agent that may be running.

What is being sent at this moment is left alone; each command is one transaction, with a step for `why`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from mediaagent.errors import StateError
from mediaagent.model import printable
from mediaagent.refusals import refused
from mediaagent.store.database import Damaged, Database, put_in_doubt
from mediaagent.store.reading import connect, running

__all__ = ["Done", "Owner"]


class Done(Struct, frozen=True):
    """What became of one delivery (target "" for the event as a whole)."""

    id: int
    target: str
    ok: bool
    what: str


class Owner:
    """A short-lived writer of the database at `path`. Raises StateError.

    It never migrates: an agent of the older version may be running on it, or be started meanwhile.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._now = now
        # Asked by a reader: who opens it to write would take away what tells the agent of a loss.
        if reader := connect(path):
            reader.close()
        try:
            self._database = Database(path, doubtful=running(path.parent) is None)  # else its log is in use
        except StateError as error:
            raise refused(path, error) or error from error.__cause__
        except Damaged as error:
            raise StateError(f"{error}: start the agent, which rebuilds it from its copies") from error
        if self._database.behind:
            with self._in_words():
                put_in_doubt(self._database, now())

    def close(self) -> None:
        self._database.close()

    def retry(self, events: Iterable[int], target: str = "") -> list[Done]:
        """Due now; what could not be prepared, or was dismissed by a step, is prepared again."""
        return self._each(events, target, self._retry)

    def retry_all(self, target: str = "") -> list[Done]:
        """Everything that waits, was rejected or could not be prepared; not what its owner holds or has dropped."""
        query = (
            "SELECT DISTINCT e.id FROM deliveries d JOIN events e ON e.id = d.event WHERE e.state <> 'dismissed'"
            " AND (d.state IN ('waiting', 'rejected') OR d.state = 'held' AND e.state = 'failed') ORDER BY e.id"
        )
        with self._in_words(), self._database.reading() as connection:
            events = [row["id"] for row in connection.execute(query).fetchall()]
        return [done for done in self._each(events, target, self._retry, only=("waiting", "rejected")) if done.ok]

    def drop(self, events: Iterable[int], target: str = "") -> list[Done]:
        """Never to be sent; a post that is there already stays."""
        return self._each(events, target, self._drop)

    def hold(self, events: Iterable[int], target: str = "") -> list[Done]:
        """Not to be sent until it is released."""
        return self._each(events, target, self._hold)

    def release(self, events: Iterable[int], target: str = "") -> list[Done]:
        """What was held is due now."""
        return self._each(events, target, self._release)

    # --- one event ----------------------------------------------------------------------------------------------------

    def _each(
        self,
        events: Iterable[int],
        target: str,
        act: Callable[[sqlite3.Connection, sqlite3.Row, sqlite3.Row], Done],
        only: tuple[str, ...] = (),
    ) -> list[Done]:
        done: list[Done] = []
        with self._in_words(), self._database.transaction() as connection:
            for event in events:
                done += self._one(connection, event, target, act, only)
        return done

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise refused(self._database.path, error) or error from error.__cause__

    def _one(
        self,
        connection: sqlite3.Connection,
        event: int,
        target: str,
        act: Callable[[sqlite3.Connection, sqlite3.Row, sqlite3.Row], Done],
        only: tuple[str, ...],
    ) -> list[Done]:
        found = _event(connection, event)
        if found is None:
            return [Done(event, target, False, "there is no such event; `mediaagent queue --all` lists them")]
        rows = connection.execute("SELECT * FROM deliveries WHERE event = ? ORDER BY target", (event,)).fetchall()
        rows = [row for row in rows if target in ("", row["target"])]  # SQLite would refuse a name that is no UTF-8
        if found["state"] == "failed" and only:
            only = (*only, "held")
        rows = [row for row in rows if not only or row["state"] in only]
        if not rows:
            why = (
                f"it does not go to {printable(target)}"
                if target
                else f"it has no delivery: {found['reason'] or 'no target'}"
            )
            return [Done(event, target, False, why)]
        return [act(connection, found, row) for row in rows]

    def _retry(self, connection: sqlite3.Connection, event: sqlite3.Row, row: sqlite3.Row) -> Done:
        refusal = _unfit(event, row)
        if refusal:
            return Done(event["id"], row["target"], False, refusal)
        # Those that it had are for its waiting times; whoever counts attempts goes on counting.
        connection.execute(
            "INSERT INTO meta VALUES ('attempts:' || :target, :attempts)"
            " ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + :attempts",
            {"target": row["target"], "attempts": row["attempts"]},
        )
        connection.execute(
            "UPDATE deliveries SET state = 'waiting', due_at = ?, attempts = 0 WHERE id = ?", (self._now(), row["id"])
        )
        if event["state"] in ("failed", "dismissed"):
            self._prepare_again(connection, event)
            return self._told(connection, event, row, "is prepared again")
        if event["state"] == "new":
            connection.execute("UPDATE events SET prepare_at = ? WHERE id = ?", (self._now(), event["id"]))
        return self._told(connection, event, row, "is due now")

    def _prepare_again(self, connection: sqlite3.Connection, event: sqlite3.Row) -> None:
        connection.execute(
            "UPDATE events SET state = 'new', reason = '', tries = 0, prepare_at = ? WHERE id = ?",
            (self._now(), event["id"]),
        )
        connection.execute(
            "UPDATE deliveries SET ready = 0, last_error = '',"
            " state = CASE WHEN state = 'held' AND last_error = ? THEN 'waiting' ELSE state END WHERE event = ?",
            (event["reason"], event["id"]),
        )

    def _drop(self, connection: sqlite3.Connection, event: sqlite3.Row, row: sqlite3.Row) -> Done:
        if row["state"] in ("sending", "delivered", "dropped"):
            return Done(event["id"], row["target"], False, _STANDING[row["state"]])
        state = "delivered" if row["receipt"] else "dropped"
        connection.execute("UPDATE deliveries SET state = ? WHERE id = ?", (state, row["id"]))
        if event["state"] == "failed":  # nobody wants it any more, so its copies may go
            connection.execute(
                "UPDATE events SET state = 'dismissed', reason = 'dropped by its owner' WHERE id = ? AND NOT EXISTS"
                " (SELECT 1 FROM deliveries WHERE event = ? AND state NOT IN ('dropped', 'delivered'))",
                (event["id"], event["id"]),
            )
        what = "is dropped" if state == "dropped" else "its change is dropped; the post stays as it is"
        return self._told(connection, event, row, what)

    def _hold(self, connection: sqlite3.Connection, event: sqlite3.Row, row: sqlite3.Row) -> Done:
        if row["state"] != "waiting":
            return Done(event["id"], row["target"], False, _STANDING[row["state"]])
        connection.execute("UPDATE deliveries SET state = 'held' WHERE id = ?", (row["id"],))
        return self._told(connection, event, row, "is held")

    def _release(self, connection: sqlite3.Connection, event: sqlite3.Row, row: sqlite3.Row) -> Done:
        if row["state"] != "held":
            return Done(event["id"], row["target"], False, f"is not held: it is {row['state']}")
        return self._retry(connection, event, row)

    def _told(self, connection: sqlite3.Connection, event: sqlite3.Row, row: sqlite3.Row, what: str) -> Done:
        connection.execute(
            "INSERT INTO history (at, source, event, target, what, detail) VALUES (?, ?, ?, ?, 'owner', ?)",
            (self._now(), event["source"], event["id"], row["target"], what),
        )
        return Done(event["id"], row["target"], True, what)


def _event(connection: sqlite3.Connection, event: int) -> sqlite3.Row | None:
    """None also for a number that SQLite has no room for."""
    try:
        found: sqlite3.Row | None = connection.execute("SELECT * FROM events WHERE id = ?", (event,)).fetchone()
    except OverflowError:
        return None
    return found


_STANDING = {
    "sending": "is being sent at this moment; try again when that has ended",
    "delivered": "is delivered already",
    "dropped": "is dropped already",
    "held": "is held already",
    "rejected": "is rejected already: it is not sent until you retry it",
}


def _unfit(event: sqlite3.Row, row: sqlite3.Row) -> str:
    """Why a delivery can't be tried again; "" when it can."""
    if row["state"] in ("sending", "delivered"):
        return _STANDING[row["state"]]
    if event["released"]:
        return "our copies of its files are gone, since it was done; put the file into the folder anew"
    return ""
