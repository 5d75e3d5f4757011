"""A state folder of an older version is taken up, with a copy of what it was; one of a newer version is refused."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mediaagent.errors import StateError
from mediaagent.store.database import VERSION, Database
from tests.journey.house import House
from tests.older import OLD, set_back


def schema(path: Path) -> list[tuple[str, str]]:
    """Tables and indexes with their columns, however they came to be."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
        ).fetchall()
        return [
            (name, str(sorted(row[1:4] for row in connection.execute(f"PRAGMA {type_}_info({name})"))))
            for type_, name in names
        ]


def test_what_waited_is_delivered_by_the_newer_version_and_nothing_twice(tmp_path: Path) -> None:
    house = House(tmp_path)
    (house.root / "v1-1.txt").write_text("one")
    house.clock.advance(20)
    house.settle()
    house.site.mood = "down"
    (house.root / "v2-1.txt").write_text("two")
    for _ in range(12):
        house.clock.advance(2)
        house.work()
    house.close()
    set_back(tmp_path / "state")
    house.open()
    house.settle()
    assert sorted(media for _, found in house.site.posts for media in found.values()) == ["one", "two"]
    copy = tmp_path / "state" / "outbox.db.version-1"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (2,)
    house.close()


def test_a_migrated_memory_has_what_a_new_one_has(tmp_path: Path) -> None:
    Database(tmp_path / "new.db").close()
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(OLD.read_text() + "PRAGMA user_version = 1;")
    Database(tmp_path / "old.db").close()
    assert schema(tmp_path / "old.db") == schema(tmp_path / "new.db")


def test_a_newer_memory_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    Database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = shutil.copy(path, tmp_path / "before.db")
    with pytest.raises(StateError, match="newer mediaagent"):
        Database(path)
    assert Path(before).read_bytes() == path.read_bytes()
