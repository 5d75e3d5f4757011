"""Topics: whether an event is news, since its topic's last event ended otherwise; or whether it changes that one."""

from __future__ import annotations

import sqlite3

from mediaagent.model import Sighting

__all__ = ["going_on", "join", "known_by", "no_news"]


def no_news(connection: sqlite3.Connection, source: str, sighting: Sighting, before: int | None = None) -> str:
    """Why nobody need be told, or "". `before`: the event's id, when it is one already.

    A topic's first event is news when it failed."""
    if not sighting.topic or not sighting.outcome or sighting.joins:
        return ""
    last = connection.execute(
        "SELECT id, outcome FROM events WHERE source = ? AND topic = ? AND topic <> '' AND id < ?"
        " ORDER BY id DESC LIMIT 1",
        (source, sighting.topic, before or 1 << 62),
    ).fetchone()
    if last is None:
        return (
            "" if sighting.outcome == "failed" else f"nothing changed: it {sighting.outcome}, and nothing failed before"
        )
    if last["outcome"] == sighting.outcome:
        return f"nothing changed: it {sighting.outcome}, as event {last['id']} did"
    return ""


def known_by(connection: sqlite3.Connection, source: str, key: str) -> sqlite3.Row | None:
    """The event of this key, be it the event's own or that of something that changed it."""
    row: sqlite3.Row | None = (
        connection.execute("SELECT * FROM events WHERE source = ? AND key = ?", (source, key)).fetchone()
        or connection.execute(
            "SELECT events.* FROM joined JOIN events ON events.id = joined.event"
            " WHERE joined.source = ? AND joined.key = ?",
            (source, key),
        ).fetchone()
    )
    return row


def going_on(connection: sqlite3.Connection, source: str, sighting: Sighting, now: float) -> sqlite3.Row | None:
    """The topic's event that it changes; None when it is an event of its own.

    An event whose outcome is "open" goes on until the topic's next one, however long that takes."""
    if not sighting.joins:
        return None
    last: sqlite3.Row | None = connection.execute(
        "SELECT * FROM events WHERE source = ? AND topic = ? AND topic <> '' ORDER BY id DESC LIMIT 1",
        (source, sighting.topic),
    ).fetchone()
    if last is None:
        return None
    goes_on = last["outcome"] == "open" or last["closed_at"] >= now - sighting.joins.total_seconds()
    return last if goes_on else None


def join(connection: sqlite3.Connection, source: str, key: str, event: int) -> None:
    """From now on the event is known by this key, too."""
    connection.execute("INSERT OR IGNORE INTO joined VALUES (?, ?, ?)", (source, key, event))
