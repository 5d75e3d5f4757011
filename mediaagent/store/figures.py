"""The outbox in figures: what came, what was posted, what waits and for how long."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from mediaagent.refusals import refused
from mediaagent.store.codec import moment
from mediaagent.store.reading import connect

__all__ = ["Figures", "SourceFigures", "TargetFigures", "read"]

#: Reasons that are told apart at the most, for each target.
_MOST_REASONS = 10


class SourceFigures(Struct, frozen=True, kw_only=True):
    """One source."""

    files: int = 0  # that were secured or noted
    size: int = 0  # bytes of those
    events: int = 0
    last_seen: datetime | None = None  # a file
    last_posted: datetime | None = None  # by any target


class TargetFigures(Struct, frozen=True, kw_only=True):
    """One target."""

    states: Counter[str]  # deliveries by state
    attempts: int = 0
    waiting_since: datetime | None = None  # the oldest event that waits
    last_posted: datetime | None = None
    last_error: str = ""  # of what waits or was rejected
    deferred: Counter[str] | None = None  # by reason, in the last 90 days


class Figures(Struct, frozen=True, kw_only=True):
    """The whole outbox."""

    sources: dict[str, SourceFigures]
    targets: dict[str, TargetFigures]
    unprepared: int = 0
    failed: int = 0  # to be prepared
    troubles: dict[str, str]
    spool: int = 0  # bytes that the spool's parts hold


def read(path: Path) -> Figures:
    """The figures of the database at `path`; all nothing where there is none. Raises StateError."""
    connection = connect(path)
    if connection is None:
        return Figures(sources={}, targets={}, troubles={})
    try:
        return _read(connection)
    except sqlite3.Error as error:
        raise refused(path, error) or error from error.__cause__
    finally:
        connection.close()


def _read(connection: sqlite3.Connection) -> Figures:
    states = dict(connection.execute("SELECT state, count(*) FROM events GROUP BY state").fetchall())
    troubles = connection.execute("SELECT name, value FROM meta WHERE name LIKE 'trouble:%' ORDER BY name").fetchall()
    (spool,) = connection.execute("SELECT coalesce(sum(size), 0) FROM parts WHERE released = 0").fetchone()
    return Figures(
        sources=_sources(connection),
        targets=_targets(connection),
        unprepared=states.get("new", 0),
        failed=states.get("failed", 0),
        troubles={row["name"].partition(":")[2]: row["value"] for row in troubles},
        spool=spool,
    )


def _sources(connection: sqlite3.Connection) -> dict[str, SourceFigures]:
    files = connection.execute(
        "SELECT source, count(*) AS files, sum(size) AS size, max(seen_at) AS seen FROM parts GROUP BY source"
    )
    seen = {row["source"]: row for row in files.fetchall()}
    events = dict(connection.execute("SELECT source, count(*) FROM events GROUP BY source").fetchall())
    posted = dict(
        connection.execute(
            "SELECT source, max(delivered_at) FROM deliveries JOIN events ON events.id = event"
            " WHERE delivered_at > 0 GROUP BY source"
        ).fetchall()
    )
    return {
        source: SourceFigures(
            files=seen[source]["files"] if source in seen else 0,
            size=seen[source]["size"] if source in seen else 0,
            events=events.get(source, 0),
            last_seen=moment(seen[source]["seen"]) if source in seen else None,
            last_posted=moment(posted[source]) if source in posted else None,
        )
        for source in sorted({*seen, *events})
    }


def _targets(connection: sqlite3.Connection) -> dict[str, TargetFigures]:
    states: dict[str, Counter[str]] = {}
    for row in connection.execute("SELECT target, state, count(*) AS n FROM deliveries GROUP BY target, state"):
        states.setdefault(row["target"], Counter())[row["state"]] = row["n"]
    # In one query: between two of them an owner's retry may move attempts from the rows to the others.
    sums = connection.execute(
        "SELECT target, sum(attempts) + coalesce((SELECT CAST(value AS INTEGER) FROM meta"
        " WHERE name = 'attempts:' || target), 0) AS attempts, max(delivered_at) AS posted"
        " FROM deliveries GROUP BY target"
    )
    told = {row["target"]: row for row in sums.fetchall()}
    return {
        target: TargetFigures(
            states=counts,
            attempts=told[target]["attempts"],
            last_posted=moment(told[target]["posted"]) if told[target]["posted"] else None,
            waiting_since=_waiting_since(connection, target),
            last_error=_last_error(connection, target),
            deferred=_deferred(connection, target),
        )
        for target, counts in sorted(states.items())
    }


def _waiting_since(connection: sqlite3.Connection, target: str) -> datetime | None:
    (since,) = connection.execute(
        "SELECT min(closed_at) FROM deliveries JOIN events ON events.id = event"
        " WHERE target = ? AND deliveries.state IN ('waiting', 'sending')",
        (target,),
    ).fetchone()
    return moment(since) if since is not None else None


def _last_error(connection: sqlite3.Connection, target: str) -> str:
    row = connection.execute(
        "SELECT last_error FROM deliveries WHERE target = ? AND last_error <> ''"
        " AND state IN ('waiting', 'sending', 'rejected', 'held') ORDER BY attempted_at DESC LIMIT 1",
        (target,),
    ).fetchone()
    return str(row["last_error"]) if row else ""


def _deferred(connection: sqlite3.Connection, target: str) -> Counter[str]:
    """Reasons without what differs each time: addresses, numbers, names."""
    counts: Counter[str] = Counter()
    rows = connection.execute(
        "SELECT detail, count(*) AS n FROM history WHERE what = 'deferred' AND target = ? GROUP BY detail", (target,)
    )
    for row in rows:
        counts[_kind_of(row["detail"])] += row["n"]
    kept = counts.most_common(_MOST_REASONS)
    others = sum(counts.values()) - sum(number for _, number in kept)
    return Counter(dict(kept)) + Counter({"other": others} if others else {})


def _kind_of(reason: str) -> str:
    """A reason in a form that comes again.

    >>> _kind_of("https://known.example.org: no answer within 60 s")
    'no answer within N s'
    """
    reason = re.sub(r"\b(?:https?|file)://\S+", "", reason).strip(" :")
    return re.sub(r"\d+", "N", reason)[:80]
