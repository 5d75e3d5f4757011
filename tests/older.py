"""A state folder as an agent of version 1 left it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["OLD", "set_back"]

OLD = Path(__file__).parent / "data" / "store" / "schema-1.sql"


def set_back(state: Path) -> None:
    """The memory as version 1 would have it: the same rows in its own tables."""
    new, old = state / "outbox.db", state / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(OLD.read_text())
        connection.execute("ATTACH ? AS new", (str(new),))
        tables = [row[0] for row in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")]
        for table in tables:
            if not table.startswith("sqlite_"):
                columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
                connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")
        connection.execute("PRAGMA main.user_version = 1")
        connection.commit()
    for name in ("outbox.db", "outbox.db-wal", "outbox.db-shm"):
        (state / name).unlink(missing_ok=True)
    old.rename(new)
