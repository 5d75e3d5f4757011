"""Rows of the database as values of the model."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mediaagent.model import Delivery, Event, Fingerprint, Part, Receipt, Route
from mediaagent.store.codec import dumps, epoch, from_uri_path, loads, moment, signed, to_uri_path

__all__ = ["delivery_from", "event_from", "part_from", "part_values", "path_from"]


def path_from(value: bytes) -> Path:
    return Path(os.fsdecode(value))


def part_from(row: Mapping[str, Any] | sqlite3.Row, spool: Path, event_key: str = "") -> Part:
    files = loads(row["files"], dict[str, str])
    return Part(
        id=row["id"],
        source=row["source"],
        role=row["role"],
        path=path_from(row["path"]),
        name=row["name"],
        files={role: spool / from_uri_path(file) for role, file in files.items()},
        sha256=row["sha256"],
        size=row["size"],
        media_type=row["media_type"],
        fingerprint=Fingerprint(row["device"], row["inode"] % (1 << 64), row["size"], row["mtime_ns"]),
        seen_at=moment(row["seen_at"]),
        modified_at=moment(row["modified_at"]),
        facts=loads(row["facts"], dict[str, Any]),
        identity=row["identity"],
        copy=row["copy"],
        shown=bool(row["shown"]),
        event_key=event_key,
    )


def part_values(part: Part, spool: Path) -> dict[str, Any]:
    """A part as the columns of its row, but for `event`, `released`, `spare` and `shown`."""
    return {
        "id": part.id,
        "source": part.source,
        "role": part.role,
        "path": os.fsencode(part.path),
        "name": part.name,
        "files": dumps({role: to_uri_path(file.relative_to(spool)) for role, file in part.files.items()}),
        "sha256": part.sha256,
        "size": part.size,
        "media_type": part.media_type,
        "device": signed(part.fingerprint.device),
        "inode": signed(part.fingerprint.inode),
        "mtime_ns": signed(part.fingerprint.mtime_ns),
        "seen_at": epoch(part.seen_at),
        "modified_at": epoch(part.modified_at),
        "facts": dumps(dict(part.facts)),
        "identity": part.identity,
        "copy": part.copy,
    }


def event_from(row: sqlite3.Row, parts: tuple[Part, ...]) -> Event:
    return Event(
        id=row["id"],
        source=row["source"],
        key=row["key"],
        kind=row["kind"],
        happened_at=moment(row["happened_at"]),
        facts=loads(row["facts"], dict[str, Any]),
        revision=row["revision"],
        parts=parts,
        route=loads(row["route"], Route),
    )


def delivery_from(row: sqlite3.Row) -> Delivery:
    """From a row of deliveries joined with events (`source`, `revision`)."""
    return Delivery(
        id=row["id"],
        event_id=row["event"],
        source=row["source"],
        target=row["target"],
        key=row["key"],
        state=row["state"],
        due_at=moment(row["due_at"]),
        attempts=row["attempts"],
        in_doubt=bool(row["in_doubt"]),
        last_error=row["last_error"],
        receipt=loads(row["receipt"], Receipt) if row["receipt"] else None,
        revision=row["revision"],
        revision_delivered=row["revision_delivered"],
    )
