"""Topics: whether an event is news, since its topic's last event ended otherwise; or whether it changes that one."""

from __future__ import annotations

import sqlite3

from mediaagent.model import Sighting

__all__ = ["joined", "no_news"]


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


def joined(connection: sqlite3.Connection, source: str, sighting: Sighting, now: float) -> str:
    """The key of the topic's event that it changes; its own when it is an event of its own.

    An event whose outcome is "open" goes on until the topic's next one, however long that takes."""
    known = connection.execute("SELECT 1 FROM events WHERE source = ? AND key = ?", (source, sighting.key)).fetchone()
    if known or not sighting.joins:
        return sighting.key
    last = connection.execute(
        "SELECT key, closed_at, outcome FROM events WHERE source = ? AND topic = ? AND topic <> ''"
        " ORDER BY id DESC LIMIT 1",
        (source, sighting.topic),
    ).fetchone()
    if last is None:
        return sighting.key
    goes_on = last["outcome"] == "open" or last["closed_at"] >= now - sighting.joins.total_seconds()
    return str(last["key"]) if goes_on else sighting.key
