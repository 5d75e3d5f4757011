"""What came again: which earlier event counts it, and how often and when it was seen.

An event whose post has the same bucket as an earlier one of its source gets no post of its own. The earlier one gets a
new revision, with absolute values, so that a late retry takes nothing back.
"""

from __future__ import annotations

import sqlite3

from mediaagent.model import Bucket, Event, Seen
from mediaagent.store.codec import epoch, moment

__all__ = ["count", "earlier", "let_go", "seen", "uncount"]

#: An event that people have seen, or may have, that counts others, or that is news (it ended otherwise than the last
#: one of its topic) is never counted by another one.
_STANDS_ALONE = (
    "SELECT 1 FROM deliveries WHERE event = :event AND (receipt <> '' OR in_doubt = 1 OR attempts > 0)"
    " UNION SELECT 1 FROM repeats WHERE first = :event"
    " UNION SELECT 1 FROM events WHERE id = :event AND outcome <> ''"
)
#: The nearest one in time. One that no target took, whose owner dropped it, or that is not to be changed any more (it
#: was deleted there) counts nothing.
_EARLIER = (
    "SELECT id FROM events WHERE source = ? AND bucket = ? AND bucket <> '' AND id <> ?"
    " AND state IN ('prepared', 'new')"
    " AND abs(happened_at - ?) <= ? AND EXISTS"
    " (SELECT 1 FROM deliveries WHERE event = events.id AND deliveries.state NOT IN ('rejected', 'dropped'))"
    " AND NOT EXISTS"
    " (SELECT 1 FROM deliveries WHERE event = events.id AND deliveries.state = 'rejected' AND receipt <> '')"
    " ORDER BY abs(happened_at - ?), id LIMIT 1"
)


def earlier(connection: sqlite3.Connection, event: Event, bucket: Bucket | None) -> int | None:
    """The event that counts this one, if any."""
    if bucket is None or connection.execute(_STANDS_ALONE, {"event": event.id}).fetchone():
        return None
    when = epoch(event.happened_at)
    found = connection.execute(
        _EARLIER, (event.source, bucket.key, event.id, when, bucket.within.total_seconds(), when)
    ).fetchone()
    return int(found["id"]) if found else None


def count(connection: sqlite3.Connection, event: Event, first: int, link: str, now: float) -> int:
    """Counts this event at the first one. Returns how often that was seen by now."""
    known = connection.execute("SELECT first FROM repeats WHERE event = ?", (event.id,)).fetchone()
    if known is None or known["first"] != first:
        uncount(connection, event.id, now)
        connection.execute("INSERT INTO repeats VALUES (?, ?, ?, ?)", (event.id, first, epoch(event.happened_at), link))
        _revise(connection, first, now)
    (times,) = connection.execute("SELECT 1 + count(*) FROM repeats WHERE first = ?", (first,)).fetchone()
    return int(times)


def uncount(connection: sqlite3.Connection, event: int, now: float) -> None:
    """It is not the same any more, since it grew."""
    known = connection.execute("SELECT first FROM repeats WHERE event = ?", (event,)).fetchone()
    if known:
        connection.execute("DELETE FROM repeats WHERE event = ?", (event,))
        _revise(connection, known["first"], now)


def let_go(connection: sqlite3.Connection, first: int, now: float) -> int | None:
    """Where an earlier one's post can't be changed any more, the newest that it counts gets a post of its own.

    Returns which that is; None when there is none whose copies are still here."""
    newest = connection.execute(
        "SELECT event FROM repeats JOIN events ON events.id = event WHERE first = ? AND state = 'dismissed'"
        " AND released = 0 ORDER BY repeats.happened_at DESC, event DESC LIMIT 1",
        (first,),
    ).fetchone()
    if newest is None:
        return None
    event = int(newest["event"])
    uncount(connection, event, now)
    connection.execute(
        "UPDATE events SET revision = revision + 1, state = 'new', reason = '', prepare_at = ?, tries = 0 WHERE id = ?",
        (now, event),
    )
    connection.execute(
        "UPDATE deliveries SET state = 'waiting', due_at = ?, variant = 0 WHERE event = ? AND state = 'dropped'",
        (now, event),
    )
    return event


def _revise(connection: sqlite3.Connection, event: int, now: float) -> None:
    """The same post, with another count. One that is to be prepared anew gets it then."""
    cursor = connection.execute(
        "UPDATE events SET revision = revision + 1 WHERE id = ? AND state = 'prepared'", (event,)
    )
    if cursor.rowcount:
        connection.execute(
            "UPDATE posts SET revision = revision + 1 WHERE event = ?"
            " AND revision = (SELECT revision - 1 FROM events WHERE id = ?)",
            (event, event),
        )
        connection.execute(
            "UPDATE deliveries SET due_at = ?, state = 'waiting' WHERE event = ? AND state = 'delivered'", (now, event)
        )


def seen(connection: sqlite3.Connection, event: int, happened_at: float) -> Seen | None:
    """How often an event was seen; None when it came once."""
    rows = connection.execute("SELECT happened_at, link FROM repeats WHERE first = ?", (event,)).fetchall()
    if not rows:
        return None
    times = [moment(happened_at), *(moment(row["happened_at"]) for row in rows)]
    newest = max(rows, key=lambda row: row["happened_at"])
    link = newest["link"] if newest["happened_at"] >= happened_at else ""
    return Seen(times=len(times), first=min(times), last=max(times), link=link)
