"""Whether an event is news: its topic's last event ended otherwise."""

from __future__ import annotations

import sqlite3

from mediaagent.model import Sighting

__all__ = ["no_news"]


def no_news(connection: sqlite3.Connection, source: str, sighting: Sighting, before: int | None = None) -> str:
    """Why nobody need be told, or "". `before`: the event's id, when it is one already.

    A topic's first event is news when it failed."""
    if not sighting.topic:
        return ""
    last = connection.execute(
        "SELECT id, outcome FROM events WHERE source = ? AND topic = ? AND id < ? ORDER BY id DESC LIMIT 1",
        (source, sighting.topic, before or 1 << 62),
    ).fetchone()
    if last is None:
        return (
            "" if sighting.outcome == "failed" else f"nothing changed: it {sighting.outcome}, and nothing failed before"
        )
    if last["outcome"] == sighting.outcome:
        return f"nothing changed: it {sighting.outcome}, as event {last['id']} did"
    return ""
