"""Makes a lost database again from what lies in the spool."""

from __future__ import annotations

import sqlite3

from mediaagent.handover import SOURCE
from mediaagent.model import Event
from mediaagent.store.codec import dumps, epoch
from mediaagent.store.database import Database
from mediaagent.store.ledger import SqliteLedger
from mediaagent.store.spool import DiskSpool
from mediaagent.store.topics import join

__all__ = ["rebuild"]


def rebuild(database: Database, spool: DiskSpool, ledger: SqliteLedger) -> None:
    """Every part in the spool is a part again, every event an event again.

    Where an event's posts went is not in the spool, so each of its deliveries will be in doubt: the target is asked
    before anything is posted. Events are prepared anew, from the same parts.
    """
    ledger.keep(spool.notes())
    with database.transaction() as connection:
        for event in spool.events():
            _take_up(connection, event)


def _take_up(connection: sqlite3.Connection, event: Event) -> None:
    """The event with its parts, as open parts of a closed event that the next pass addresses again."""
    known = connection.execute(
        "SELECT id FROM events WHERE source = ? AND key = ?", (event.source, event.key)
    ).fetchone()
    here = "SELECT 1 FROM parts WHERE id = ?"
    if not any(connection.execute(here, (part.id,)).fetchone() for part in event.parts):
        return  # it was done long ago, and only this folder was left
    told = (epoch(event.happened_at), dumps(dict(event.facts)), dumps(event.route), event.revision)
    if known:  # by an earlier revision: what is posted is what the newest one says
        identity = int(known["id"])
        connection.execute(
            "UPDATE events SET happened_at = ?, facts = ?, route = ?, revision = ? WHERE id = ?", (*told, identity)
        )
    else:
        cursor = connection.execute(
            "INSERT INTO events"
            " (id, source, key, kind, happened_at, facts, route, revision, state, closed_at, prepare_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'new', 0, 0)",
            (event.id, event.source, event.key, event.kind, *told),
        )
        identity = int(cursor.lastrowid or 0)
    for token in _tokens(event) - {event.key}:
        join(connection, event.source, token, identity)
    connection.executemany(
        "UPDATE parts SET event = ?, shown = ? WHERE id = ?",
        [(identity, part.shown, part.id) for part in event.parts],
    )


def _tokens(event: Event) -> set[str]:
    """By which the words of a post that was handed over are known."""
    if event.source != SOURCE:
        return set()
    return {str(part.facts["token"]) for part in event.parts if "token" in part.facts}
