"""Prepared posts on their way to the targets."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from mediaagent.model import Delivery, Post, Receipt
from mediaagent.store import repeats
from mediaagent.store.codec import dumps, epoch, loads, moment
from mediaagent.store.database import Database
from mediaagent.store.rows import delivery_from

__all__ = ["LONGEST_WAIT", "SqliteDeliveries"]

_JOINED = "SELECT deliveries.*, events.source, events.revision FROM deliveries JOIN events ON events.id = event "
#: A due time further away than this was written by a clock that was wrong.
LONGEST_WAIT = timedelta(days=2)


class _SavedProgress:
    """ports.Progress: notes of one delivery, in its row."""

    def __init__(self, database: Database, delivery: int) -> None:
        self._database = database
        self._delivery = delivery

    def _notes(self, connection: sqlite3.Connection) -> dict[str, str]:
        row = connection.execute("SELECT progress FROM deliveries WHERE id = ?", (self._delivery,)).fetchone()
        return loads(row["progress"], dict[str, str])

    def get(self, name: str) -> str | None:
        with self._database.reading() as connection:
            return self._notes(connection).get(name)

    def save(self, name: str, value: str, *, flushed: bool = True) -> None:
        with self._database.transaction(flushed=flushed) as connection:
            notes = self._notes(connection) | {name: value}
            connection.execute("UPDATE deliveries SET progress = ? WHERE id = ?", (dumps(notes), self._delivery))


class SqliteDeliveries:
    """ports.Deliveries in SQLite."""

    def __init__(self, database: Database, spool: Path, now: Callable[[], datetime]) -> None:
        self._database = database
        self._spool = spool
        self._now = now
        self._fresh_turn: dict[str, bool] = {}

    def recover(self) -> int:
        """After a start: attempts that never ended are in doubt; due times of a wrong clock are put right."""
        now = self._now()
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "UPDATE deliveries SET state = 'waiting', in_doubt = 1,"
                " last_error = 'the agent ended during an attempt' WHERE state = 'sending'"
            )
            late = epoch(now + LONGEST_WAIT)
            connection.execute("UPDATE deliveries SET due_at = ? WHERE due_at > ?", (epoch(now), late))
            connection.execute("UPDATE deliveries SET verify_at = ? WHERE verify_at > ?", (epoch(now), late))
            connection.execute("UPDATE deliveries SET attempted_at = ? WHERE attempted_at > ?", (epoch(now), late))
            connection.execute("UPDATE events SET prepare_at = ? WHERE prepare_at > ?", (epoch(now), late))
            last = connection.execute("SELECT at FROM history ORDER BY id DESC LIMIT 1").fetchone()
            if last and last["at"] > epoch(now):  # the clock went back while we were away
                connection.execute("UPDATE parts SET seen_at = :now WHERE seen_at > :now", {"now": epoch(now)})
                connection.execute("UPDATE events SET closed_at = :now WHERE closed_at > :now", {"now": epoch(now)})
        return cursor.rowcount

    def begin(self, target: str, *, asking_after: timedelta) -> tuple[Delivery, Post, _SavedProgress] | None:
        now = epoch(self._now())
        with self._database.transaction() as connection:
            # A target has one lane, so what is still "sending" here ended without a word (a full disk, say).
            connection.execute(
                "UPDATE deliveries SET state = 'waiting', in_doubt = 1 WHERE target = ? AND state = 'sending'",
                (target,),
            )
            while (row := self._choose(connection, target, now)) is not None:
                wait = row["attempted_at"] + asking_after.total_seconds() - now
                if not row["in_doubt"] or not 0 < wait <= asking_after.total_seconds():
                    break
                connection.execute("UPDATE deliveries SET due_at = ? WHERE id = ?", (now + wait, row["id"]))
            if row is None:
                return None
            connection.execute(
                "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, attempted_at = ? WHERE id = ?",
                (now, row["id"]),
            )
            return delivery_from(row), self._post(connection, row), _SavedProgress(self._database, row["id"])

    def to_verify(self, target: str) -> Delivery | None:
        with self._database.reading() as connection:
            row = connection.execute(
                _JOINED + "WHERE target = ? AND verify_at <= ? AND deliveries.state = 'delivered'"
                " ORDER BY verify_at LIMIT 1",
                (target, epoch(self._now())),
            ).fetchone()
        return delivery_from(row) if row else None

    def _choose(self, connection: sqlite3.Connection, target: str, now: float) -> sqlite3.Row | None:
        """A fresh event and an old one in turn."""
        fresh = _JOINED + (
            # The "+" keeps SQLite from the index of due times, by which it would sort the whole backlog each time.
            "WHERE target = ? AND deliveries.state = 'waiting' AND ready = 1 AND attempts = 0 AND +due_at <= ?"
            " ORDER BY deliveries.id DESC LIMIT 1"
        )
        oldest = _JOINED + (
            "WHERE target = ? AND deliveries.state = 'waiting' AND ready = 1 AND due_at <= ?"
            " ORDER BY due_at, deliveries.id LIMIT 1"
        )
        turn = self._fresh_turn[target] = not self._fresh_turn.get(target, False)
        for query in (fresh, oldest) if turn else (oldest, fresh):
            row = connection.execute(query, (target, now)).fetchone()
            if row:
                return row  # type: ignore[no-any-return]
        return None

    def _post(self, connection: sqlite3.Connection, row: sqlite3.Row) -> Post:
        found = connection.execute(
            "SELECT post FROM posts WHERE event = ? AND revision = ? AND variant = ?",
            (row["event"], row["revision"], row["variant"]),
        ).fetchone()
        post = loads(found["post"], Post)
        post = replace(
            post, revision=row["revision"], seen=repeats.seen(connection, row["event"], epoch(post.happened_at))
        )
        return replace(post, parts=tuple(replace(part, file=self._spool / part.file) for part in post.parts))

    def complete(self, delivery: Delivery, receipt: Receipt, *, verify_at: datetime | None = None) -> None:
        now = epoch(self._now())
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET receipt = ?, revision_delivered = ?, in_doubt = 0, last_error = '',"
                " delivered_at = CASE WHEN delivered_at = 0 THEN ? ELSE delivered_at END,"
                " verify_at = coalesce(?, verify_at),"
                " state = CASE WHEN EXISTS (SELECT 1 FROM events WHERE id = event AND revision > ?"
                "                           AND state <> 'dismissed')"
                "         THEN 'waiting' ELSE 'delivered' END WHERE id = ?",
                (
                    dumps(receipt),
                    delivery.revision,
                    now,
                    epoch(verify_at) if verify_at else None,
                    delivery.revision,
                    delivery.id,
                ),
            )
            self._history(connection, delivery, "delivered", receipt.url)

    def defer(self, delivery: Delivery, reason: str, due: datetime, *, in_doubt: bool) -> None:
        with self._database.transaction() as connection:
            now = self._now()
            due = due if due < now + LONGEST_WAIT else now  # the clock was set back since it was reckoned
            connection.execute(
                "UPDATE deliveries SET state = CASE WHEN state = 'sending' THEN 'waiting' ELSE state END,"
                " due_at = ?, in_doubt = ?, last_error = ? WHERE id = ?",
                (epoch(due), in_doubt, reason, delivery.id),
            )
            self._history(connection, delivery, "deferred", reason)

    def deferred(self, target: str, reason: str) -> list[int]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id FROM deliveries WHERE target = ? AND state = 'waiting' AND last_error = ?", (target, reason)
            ).fetchall()
        return [row["id"] for row in rows]

    def hasten(self, deliveries: Collection[int]) -> None:
        now = epoch(self._now())
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE deliveries SET due_at = min(due_at, ?) WHERE id = ? AND state = 'waiting'",
                [(now, delivery) for delivery in deliveries],
            )

    def reject(self, delivery: Delivery, reason: str, *, in_doubt: bool = False) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET in_doubt = ?, last_error = ?,"
                " state = CASE WHEN EXISTS (SELECT 1 FROM events WHERE id = event AND revision > ?"
                "                           AND state <> 'dismissed')"
                "         THEN 'waiting' ELSE 'rejected' END WHERE id = ?",  # what it grew to gets its own chance
                (in_doubt, reason, delivery.revision, delivery.id),
            )
            self._history(connection, delivery, "rejected", reason)
            if delivery.receipt:
                self._let_go(connection, delivery)

    def _let_go(self, connection: sqlite3.Connection, delivery: Delivery) -> None:
        """The post is there no more: what came again and was to be counted in it is not lost with it."""
        row = connection.execute("SELECT state FROM deliveries WHERE id = ?", (delivery.id,)).fetchone()
        event = (
            repeats.let_go(connection, delivery.event_id, epoch(self._now())) if row["state"] == "rejected" else None
        )
        if event is not None:
            told = f"event {delivery.event_id} can't count it: its post is not changed any more"
            connection.execute(
                "INSERT INTO history (at, source, event, target, what, detail)"
                " VALUES (?, ?, ?, '', 'gets a post of its own', ?)",
                (epoch(self._now()), delivery.source, event, told),
            )

    def verified(self, delivery: Delivery, at: datetime | None) -> None:
        """Asked once more: nothing to do any more (None), or not answered and again then."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE deliveries SET verify_at = ? WHERE id = ?", (epoch(at) if at else None, delivery.id)
            )

    def vary(self, delivery: Delivery, post: Post, limit: int) -> None:
        relative = replace(
            post, parts=tuple(replace(part, file=part.file.relative_to(self._spool)) for part in post.parts)
        )
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO posts (event, revision, variant, post) VALUES (?, ?, ?, ?)",
                (delivery.event_id, delivery.revision, limit, dumps(relative)),
            )
            connection.execute(
                "UPDATE deliveries SET variant = ?, state = 'waiting', due_at = ? WHERE id = ?",
                (limit, epoch(self._now()), delivery.id),
            )
            self._history(connection, delivery, "made smaller", f"at most {limit} bytes a file")

    def next_due(self, target: str) -> datetime | None:
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT min(due_at) AS due FROM deliveries WHERE target = ? AND state = 'waiting' AND ready = 1",
                (target,),
            ).fetchone()
            verify = connection.execute(
                "SELECT min(verify_at) AS due FROM deliveries"
                " WHERE target = ? AND verify_at IS NOT NULL AND state = 'delivered'",
                (target,),
            ).fetchone()
        dues = [found["due"] for found in (row, verify) if found["due"] is not None]
        return moment(min(dues)) if dues else None

    def retire(self, targets: Collection[str]) -> None:
        """At a start: what goes to targets that the settings don't name is held, and comes back with them."""
        gone = "this target is not in the settings any more"
        marks = ", ".join("?" * len(targets))
        with self._database.transaction() as connection:
            connection.execute(
                f"UPDATE deliveries SET state = 'held', last_error = ? WHERE state = 'waiting' AND target NOT IN ({marks})",  # noqa: S608, E501
                (gone, *targets),
            )
            connection.execute(
                f"UPDATE deliveries SET state = 'waiting', last_error = '' WHERE state = 'held' AND last_error = ?"  # noqa: S608
                f" AND target IN ({marks})",
                (gone, *targets),
            )

    def counts(self) -> Counter[str]:
        """How many deliveries there are of each state."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT state, count(*) AS n FROM deliveries GROUP BY state").fetchall()
        return Counter({row["state"]: row["n"] for row in rows})

    def _history(self, connection: sqlite3.Connection, delivery: Delivery, what: str, detail: str) -> None:
        connection.execute(
            "INSERT INTO history (at, source, event, target, what, detail) VALUES (?, ?, ?, ?, ?, ?)",
            (epoch(self._now()), delivery.source, delivery.event_id, delivery.target, what, detail),
        )
