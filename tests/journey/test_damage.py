"""A memory that was damaged where nobody looks at first: it is noticed on the way, and made again from the copies."""

from __future__ import annotations

import copy
import random
import shutil
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


def test_a_damaged_log_posts_nothing_twice_wherever_the_damage_lies(tmp_path: Path) -> None:
    """SQLite takes the damage for the log's end: an event may be there no more that stands on the site already."""
    house = House(tmp_path)
    for name in ("v1-1.txt", "v1-2.txt"):
        (house.root / name).write_text(name)
    for _ in range(3):
        house.work()
        house.clock.advance(6)
    left, state, site = tmp_path / "left", tmp_path / "state", house.site
    shutil.copytree(state, left)  # as who is killed now leaves it
    house.close()
    size = (left / "outbox.db-wal").stat().st_size
    assert len(site.posts) == 1
    assert size > 20 * PAGE
    for offset in range(0, size, 2 * PAGE):
        shutil.rmtree(state)
        shutil.copytree(left, state)
        with (state / "outbox.db-wal").open("r+b") as log:
            log.seek(offset)
            log.write(random.Random(offset).randbytes(min(PAGE, size - offset)))
        house.site = copy.deepcopy(site)
        house.open()
        house.settle()
        assert [media for _, media in house.site.posts] == [{"v1-1.txt": "v1-1.txt", "v1-2.txt": "v1-2.txt"}], offset
        house.close()
