"""A memory that was damaged where nobody looks at first: it is noticed on the way, and made again from the copies."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.journey.house import House

PAGE = 4096


def noise_in(house: House, table: str) -> None:
    """Overwrites the first page of a table, below an agent that has ended well."""
    with house.state.database.reading() as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    house.close()
    with (house.folder / "state" / "outbox.db").open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xa5" * PAGE)


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    (house.root / "v1-1.txt").write_text("one")
    house.work()
    house.settle()
    assert len(house.site.posts) == 1
    return house


def test_damage_that_is_met_at_a_start_is_mended_at_once(house: House) -> None:
    noise_in(house, "deliveries")
    house.open()
    assert "damaged" in house.state.lost
    assert list(house.state.folder.glob("outbox.db.damaged-*")), "it is kept beside"
    (house.root / "v2-1.txt").write_text("two")
    house.settle()
    assert [media for _, media in house.site.posts] == [{"v1-1.txt": "one"}, {"v2-1.txt": "two"}]
    house.restart()
    assert not house.state.lost, "once is enough"


def test_damage_that_is_met_on_the_way_is_mended_at_the_next_start(house: House) -> None:
    noise_in(house, "posts")
    house.open()
    assert not house.state.lost, "nobody has looked there yet"
    with pytest.raises(sqlite3.DatabaseError), house.state.database.reading() as connection:
        connection.execute("SELECT * FROM posts").fetchall()
    assert house.state.database.damaged
    house.restart()
    assert "damaged" in house.state.lost


def test_damage_after_a_kill_is_found_before_anything_is_done(house: House) -> None:
    noise_in(house, "history")
    (house.folder / "state" / "outbox.db-wal").touch()  # as who was killed leaves it
    house.open()
    assert "damaged" in house.state.lost


def test_a_mark_of_damage_that_is_none_costs_nothing(house: House) -> None:
    house.close()
    mark = house.folder / "state" / "outbox.db.damaged"
    mark.touch()
    house.open()
    assert not house.state.lost
    assert not mark.exists()
