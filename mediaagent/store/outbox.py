"""Events on their way to a prepared post."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from base64 import b32encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mediaagent.model import Event, Part, Post, Route, Sighting
from mediaagent.ports import Prepared
from mediaagent.store import repeats
from mediaagent.store.codec import dumps, epoch, loads, moment
from mediaagent.store.database import Database
from mediaagent.store.deliveries import LONGEST_WAIT
from mediaagent.store.rows import event_from, part_from
from mediaagent.store.topics import going_on, join, known_by, no_news

__all__ = ["SqliteOutbox", "delivery_key"]


def delivery_key(agent: str, source: str, key: str, target: str) -> str:
    """The token by which a target is searched for a post: "ma_" and 26 of [a-z2-7].

    It is made of what the event is and of the agent's id, so it comes out the same after a lost database, and no two
    agents that share a target make the same.
    """
    digest = hashlib.sha256("\0".join((agent, source, key, target)).encode("utf-8", "surrogateescape")).digest()
    return "ma_" + b32encode(digest)[:26].decode("ascii").lower()


_WHY = {
    "late": ": not shown, it came after the event was delivered and our copies of its other files were let go",
    "joined": ": facts only, the post stays as it is",
    "spare": ": the same again, nothing is posted for it",
}


#: Asking once too often costs one question: what came so soon after a rebuild may have lain there before.
_SURELY = 600.0


def _names(parts: Sequence[Part]) -> str:
    return "of " + ", ".join(part.name for part in parts[:3]) + (f" and {len(parts) - 3} more" if parts[3:] else "")


def _addressees(route: str, targets: Sequence[str]) -> Sequence[str]:
    to = loads(route, Route).to
    return targets if to is None else to


class SqliteOutbox:
    """ports.Outbox in SQLite."""

    def __init__(self, database: Database, spool: Path, agent: str, now: Callable[[], datetime]) -> None:
        self._database = database
        self._spool = spool
        self._agent = agent
        self._now = now

    def parts(self, source: str, closed_since: datetime) -> Sequence[Part]:
        with self._database.reading() as connection:
            fresh = connection.execute(
                "SELECT *, '' AS event_key FROM parts WHERE source = ? AND event IS NULL", (source,)
            ).fetchall()
            if not fresh:
                return []
            closed = connection.execute(
                "SELECT parts.*, events.key AS event_key FROM events JOIN parts ON parts.event = events.id "
                "WHERE events.source = ? AND events.closed_at >= ?",
                (source, epoch(closed_since)),
            ).fetchall()
        return [part_from(row, self._spool, row["event_key"]) for row in [*closed, *fresh]]

    def open_parts(self) -> Mapping[str, int]:
        """How many parts of each source belong to no event yet."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT source, count(*) AS n FROM parts WHERE event IS NULL GROUP BY source"
            ).fetchall()
        return {row["source"]: row["n"] for row in rows}

    def add(self, source: str, sightings: Sequence[Sighting], targets: Sequence[str]) -> Sequence[str]:
        with self._database.transaction():
            return [self._add(source, sighting, targets) for sighting in sightings]

    def _add(self, source: str, sighting: Sighting, targets: Sequence[str]) -> str:
        fresh = [part for part in sighting.parts if not part.event_key]
        spare = [part for part in sighting.spare if not part.event_key]
        if sighting.route.to is not None:
            targets = sighting.route.to
        with self._database.transaction() as connection:
            before = known_by(connection, source, sighting.key)
            known = before or going_on(connection, source, sighting, self._epoch)
            if known and not before:
                join(connection, source, sighting.key, known["id"])
            again = before is not None and sighting.once
            if again:
                fresh, spare = [], [*fresh, *spare]
            if known and not fresh and not spare:
                return "nothing"
            if known is None:
                event, done = self._insert(connection, source, sighting, targets), "new"
            elif not fresh:
                event, done = known["id"], "spare"
            else:
                event = known["id"]
                done = self._grow(connection, known, sighting, fresh, targets)
            connection.executemany("UPDATE parts SET event = ? WHERE id = ?", [(event, part.id) for part in fresh])
            connection.executemany(
                "UPDATE parts SET event = ?, spare = 1 WHERE id = ?", [(event, part.id) for part in spare]
            )
            if done == "revised":  # what a later version of the same file has taken the place of
                replaced = [(part.id,) for part in sighting.spare if part.event_key]
                connection.executemany("UPDATE parts SET spare = 1 WHERE id = ?", replaced)
            connection.executemany("UPDATE parts SET shown = 0 WHERE id = ?", [(part.id,) for part in sighting.unshown])
            if known and not again:
                connection.execute(
                    "UPDATE events SET topic = ?, outcome = ?, keep_until = ? WHERE id = ?",
                    (*self._ending(sighting), event),
                )
            detail = sighting.nothing or _names(fresh or spare)
            self._history(connection, source, event, f"event {done}", f"{detail}{_WHY.get(done, '')}")
            if done == "late":
                self._tell_late(connection, source, fresh)
        return done

    def _tell_late(self, connection: sqlite3.Connection, source: str, parts: Sequence[Part]) -> None:
        """Of each file by its name: it is the one thing that is finished and not shown."""
        connection.executemany(
            "INSERT INTO history (at, source, path, what, detail) VALUES (?, ?, ?, 'late', ?)",
            [(self._epoch, source, os.fsencode(part.path), _WHY["late"].lstrip(": ")) for part in parts],
        )

    def _insert(self, connection: sqlite3.Connection, source: str, sighting: Sighting, targets: Sequence[str]) -> int:
        now = epoch(self._now())
        reason = sighting.nothing or no_news(connection, source, sighting)
        reason = reason or ("" if targets else "it has no target: its `to` is empty")
        state = "dismissed" if reason else "new"
        cursor = connection.execute(
            "INSERT INTO events"
            " (source, key, kind, happened_at, facts, route, revision, state, reason, closed_at, prepare_at,"
            " topic, outcome, keep_until) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)",
            (
                source,
                sighting.key,
                sighting.kind,
                epoch(sighting.happened_at),
                dumps(dict(sighting.facts)),
                dumps(sighting.route),
                state,
                reason,
                now,
                now,
                *self._ending(sighting),
            ),
        )
        event = int(cursor.lastrowid or 0)
        if not reason:
            self._address(connection, event, source, sighting, targets)
        return event

    def _ending(self, sighting: Sighting) -> tuple[str, str, float]:
        """What it is about, how it ended, and until when its copies stay."""
        return sighting.topic, sighting.outcome, epoch(self._now() + sighting.keep) if sighting.keep else 0

    def _address(
        self, connection: sqlite3.Connection, event: int, source: str, sighting: Sighting, targets: Sequence[str]
    ) -> None:
        """A delivery to each target; in doubt from the start where a lost database may have held an earlier one.

        A file's own time may lie in the future, so when we saw it counts as well."""
        now = epoch(self._now())
        rebuilt = self._database.get_meta("rebuilt_at")
        oldest = min([sighting.happened_at, *(part.seen_at for part in sighting.parts)])
        for target in targets:
            connection.execute(
                "INSERT INTO deliveries (event, target, key, state, due_at, in_doubt)"
                " VALUES (?, ?, ?, 'waiting', ?, ?)",
                (
                    event,
                    target,
                    delivery_key(self._agent, source, sighting.key, target),
                    now,
                    rebuilt is not None and epoch(oldest) < float(rebuilt) + _SURELY,
                ),
            )

    def _grow(
        self,
        connection: sqlite3.Connection,
        known: sqlite3.Row,
        sighting: Sighting,
        fresh: Sequence[Part],
        targets: Sequence[str],
    ) -> str:
        now = epoch(self._now())
        nothing = sighting.nothing or no_news(connection, known["source"], sighting, known["id"])
        seen = any(part.files for part in fresh) and not nothing
        if seen and known["released"] and sighting.joins:  # a new word in place of the old one, not a part more
            connection.execute("UPDATE parts SET spare = 1 WHERE event = ?", (known["id"],))
        elif seen and known["released"]:
            # Our copies of the rest are gone, and a post is revised as a whole or not at all.
            connection.executemany("UPDATE parts SET released = 1 WHERE id = ?", [(part.id,) for part in fresh])
            return "late"
        if not seen:
            connection.execute("UPDATE events SET closed_at = ? WHERE id = ?", (now, known["id"]))
            return "joined"
        connection.execute(
            "UPDATE events SET revision = revision + 1, state = 'new', reason = '', facts = ?, route = ?,"
            " happened_at = ?, closed_at = ?, prepare_at = ?, tries = 0, released = 0 WHERE id = ?",
            (
                dumps(dict(sighting.facts)),
                dumps(sighting.route),
                epoch(sighting.happened_at),
                now,
                now,
                known["id"],
            ),
        )
        addressed = connection.execute("SELECT 1 FROM deliveries WHERE event = ?", (known["id"],)).fetchone()
        if not addressed:  # it was dismissed, and now there is something to post
            self._address(connection, known["id"], known["source"], sighting, targets)
        # What was put aside because of the event's former state gets another chance; an owner's word stands.
        again = {"dismissed": "dropped", "failed": "held"}.get(known["state"], "")
        connection.execute(
            "UPDATE deliveries SET ready = 0, variant = 0, due_at = ?,"
            " state = CASE WHEN state IN ('delivered', 'rejected', ?) THEN 'waiting' ELSE state END WHERE event = ?",
            (now, again, known["id"]),
        )
        return "revised"

    def address_rebuilt(self, targets: Mapping[str, Sequence[str]]) -> None:
        """Deliveries, all in doubt, for events that a lost database held. `targets`: of each source."""
        now = self._epoch
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT id, source, key, route FROM events WHERE state = 'new'"
                " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.id)"
            ).fetchall()
            connection.executemany(
                "INSERT INTO deliveries (event, target, key, state, due_at, in_doubt)"
                " VALUES (?, ?, ?, 'waiting', ?, 1)",
                [
                    (row["id"], target, delivery_key(self._agent, row["source"], row["key"], target), now)
                    for row in rows
                    for target in _addressees(row["route"], targets.get(row["source"], ()))
                ],
            )

    def unprepared(self, most: int) -> Sequence[Event]:
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM events WHERE state = 'new' AND prepare_at <= ? ORDER BY prepare_at, id LIMIT ?",
                (epoch(self._now()), most),
            ).fetchall()
            found = [event for row in rows if (event := self._readable(connection, row))]
        return self.unprepared(most) if rows and not found else found

    def _readable(self, connection: sqlite3.Connection, row: sqlite3.Row) -> Event | None:
        """The event; one that can't be read is put aside as failed, so that the others go on."""
        try:
            return self._event(connection, row)
        except (ValueError, TypeError, LookupError, ArithmeticError, msgspec.MsgspecError) as error:
            with self._database.transaction():
                self._fail(connection, row["source"], row["id"], f"it can't be read: {type(error).__name__}: {error}")
            return None

    def next_to_prepare(self) -> datetime | None:
        """When `unprepared` will have something."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT min(prepare_at) FROM events WHERE state = 'new'").fetchone()
        return moment(row[0]) if row[0] is not None else None

    def event(self, event_id: int) -> Event | None:
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM events WHERE id = ?", (event_id,)).fetchone()
            return self._event(connection, row) if row else None

    def _event(self, connection: sqlite3.Connection, row: sqlite3.Row) -> Event:
        rows = connection.execute(
            "SELECT * FROM parts WHERE event = ? AND spare = 0 ORDER BY id", (row["id"],)
        ).fetchall()
        return event_from(row, tuple(part_from(part, self._spool, row["key"]) for part in rows))

    def keep(self, made: Sequence[Prepared]) -> Sequence[int | None]:
        with self._database.transaction():
            return [self._keep(each.event, each.post, each.notes) for each in made]

    def _keep(self, event: Event, post: Post, notes: Sequence[str]) -> int | None:
        relative = replace(
            post, parts=tuple(replace(part, file=part.file.relative_to(self._spool)) for part in post.parts)
        )
        with self._database.transaction() as connection:
            if self._has_grown(connection, event):
                return None
            first = repeats.earlier(connection, event, post.bucket)
            if first is not None and post.bucket is not None:
                self._count(connection, event, first, post.bucket.link)
                return first
            repeats.uncount(connection, event.id, self._epoch)
            connection.execute(
                "INSERT OR REPLACE INTO posts VALUES (?, ?, 0, ?, ?)",
                (event.id, event.revision, dumps(relative), dumps(list(notes))),
            )
            connection.execute(
                "UPDATE events SET state = 'prepared', tries = 0, bucket = ? WHERE id = ?",
                (post.bucket.key if post.bucket else "", event.id),
            )
            connection.execute("UPDATE deliveries SET ready = 1, due_at = ? WHERE event = ?", (self._epoch, event.id))
            self._history(connection, event.source, event.id, "prepared", "; ".join(notes))
        return None

    def _count(self, connection: sqlite3.Connection, event: Event, first: int, link: str) -> None:
        """The same again: the first one's post tells so, and this event gets none."""
        times = repeats.count(connection, event, first, link, self._epoch)
        self._set_aside(connection, event, f"the same again as event {first}, whose post counts it")
        self._history(connection, event.source, first, "seen again", f"as event {event.id}: {times} times by now")

    def _has_grown(self, connection: sqlite3.Connection, event: Event) -> bool:
        """There is a newer revision by now; what is said of an older one counts no more."""
        row = connection.execute("SELECT revision FROM events WHERE id = ?", (event.id,)).fetchone()
        return bool(row["revision"] != event.revision)

    def dismiss(self, event: Event, reason: str) -> None:
        with self._database.transaction() as connection:
            if not self._has_grown(connection, event):
                repeats.uncount(connection, event.id, self._epoch)
                self._set_aside(connection, event, reason)

    def _set_aside(self, connection: sqlite3.Connection, event: Event, reason: str) -> None:
        connection.execute("UPDATE events SET state = 'dismissed', reason = ? WHERE id = ?", (reason, event.id))
        connection.execute(
            "UPDATE deliveries SET revision_delivered = ?, ready = 0,"
            " state = CASE WHEN receipt <> '' THEN 'delivered' ELSE 'dropped' END WHERE event = ?",
            (event.revision, event.id),
        )
        self._history(connection, event.source, event.id, "dismissed", reason)

    def postpone(self, event: Event, reason: str, due: datetime | None) -> None:
        with self._database.transaction() as connection:
            if self._has_grown(connection, event):
                return
            if due is None:
                self._fail(connection, event.source, event.id, reason)
                return
            connection.execute(
                "UPDATE events SET tries = tries + 1, reason = ?, prepare_at = ? WHERE id = ?",
                (reason, epoch(due), event.id),
            )
            self._history(connection, event.source, event.id, "not prepared", reason)

    def _fail(self, connection: sqlite3.Connection, source: str, event: int, reason: str) -> None:
        """It is not prepared any more until its owner asks for it."""
        connection.execute(
            "UPDATE events SET tries = tries + 1, reason = ?, prepare_at = 0, state = 'failed' WHERE id = ?",
            (reason, event),
        )
        connection.execute(
            "UPDATE deliveries SET state = 'held', last_error = ? WHERE event = ? AND state = 'waiting'",
            (reason, event),
        )
        self._history(connection, source, event, "not prepared", reason)

    def tries(self, event: Event) -> int:
        """How often preparing this event has failed."""
        with self._database.reading() as connection:
            return int(connection.execute("SELECT tries FROM events WHERE id = ?", (event.id,)).fetchone()[0])

    def shift(self, by: timedelta, follow: Callable[[timedelta], None] = lambda by: None) -> None:
        """The wall's clock was set: every waiting time moves along, so that none comes early or never.

        `follow`: tells the agent's own clock, which goes by the old time until then; nobody writes in between."""
        with self._database.reading():
            self._shift(by)
            follow(by)

    def _shift(self, by: timedelta) -> None:
        seconds = by.total_seconds()
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO history (at, what, detail) VALUES (?, 'the clock was set', ?)",
                (self._epoch + seconds, f"by {by}"),
            )
            connection.execute("UPDATE parts SET seen_at = seen_at + ?", (seconds,))
            connection.execute("UPDATE events SET prepare_at = prepare_at + ? WHERE state = 'new'", (seconds,))
            connection.execute("UPDATE events SET closed_at = closed_at + ? WHERE released = 0", (seconds,))
            connection.execute(
                # An owner's command may have written by the new time already.
                "UPDATE deliveries SET due_at = CASE WHEN due_at > ? THEN due_at ELSE due_at + ? END,"
                " attempted_at = attempted_at + ? WHERE state IN ('waiting', 'sending', 'held')",
                (epoch(self._now() + LONGEST_WAIT), seconds, seconds),
            )
            connection.execute(
                "UPDATE deliveries SET verify_at = verify_at + ? WHERE verify_at IS NOT NULL", (seconds,)
            )

    @property
    def _epoch(self) -> float:
        return epoch(self._now())

    def _history(self, connection: sqlite3.Connection, source: str, event: int, what: str, detail: str) -> None:
        connection.execute(
            "INSERT INTO history (at, source, event, what, detail) VALUES (?, ?, ?, ?, ?)",
            (self._epoch, source, event, what, detail),
        )
