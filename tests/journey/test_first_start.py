"""First start means "from now on"; later starts take up where the last one ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.journey.house import House


def frame(house: House, name: str) -> None:
    (house.root / name).write_text(name)


def posted(house: House) -> set[str]:
    return {name for _, media in house.site.posts for name in media}


class Newcomer(House):
    """A house whose source ignores what is there already, started an hour after the files were written."""

    def open(self) -> None:
        self.existing = "ignore"
        super().open()


def later(house: House, hours: float) -> None:
    house.clock.advance(hours * 3600)


def start_over(folder: Path, *, hours_later: float) -> House:
    """A first start, so much later than the files that lie there."""
    (folder / "watched").mkdir()
    for name in ("old-1.txt", "old-2.txt"):
        (folder / "watched" / name).write_text(name)
    (folder / "watched").rename(folder / "kept")
    house = Newcomer(folder)
    house.close()
    for leftover in sorted((folder / "state").rglob("*"), reverse=True):
        leftover.rmdir() if leftover.is_dir() else leftover.unlink()
    house.root.rmdir()
    (folder / "kept").rename(house.root)
    house.clock.wall = datetime.now(UTC) + timedelta(hours=hours_later)
    house.open()
    return house


def test_what_lay_there_is_the_baseline_and_is_not_posted(tmp_path: Path) -> None:
    house = start_over(tmp_path, hours_later=1)
    frame(house, "new-1.txt")
    house.settle()
    assert posted(house) == {"new-1.txt"}
    assert house.state.database.get_meta("rebuilt_at") is None


def test_a_file_that_was_still_growing_at_the_first_start_is_new(tmp_path: Path) -> None:
    house = start_over(tmp_path, hours_later=0)
    house.settle()
    assert posted(house) == {"old-1.txt", "old-2.txt"}


def test_what_came_while_the_agent_was_not_running_is_posted(tmp_path: Path) -> None:
    house = start_over(tmp_path, hours_later=1)
    house.close()
    frame(house, "meanwhile-1.txt")
    later(house, 30)
    house.open()
    house.settle()
    assert posted(house) == {"meanwhile-1.txt"}


def fresh_start(folder: Path) -> House:
    """A first start on an empty folder, at the true time."""
    house = Newcomer(folder)
    house.clock.wall = datetime.now(UTC)
    for name in house.state.note.since:
        house.state.note.since[name] = house.clock.wall
    house.state._save(house.state.note)
    return house


def test_a_lost_database_is_made_again_and_nothing_is_posted_twice(tmp_path: Path) -> None:
    house = fresh_start(tmp_path)
    frame(house, "a-1.txt")
    house.settle()
    frame(house, "b-1.txt")
    house.site.mood = "down"
    for _ in range(3):
        house.clock.advance(10)
        house.work()
    house.close()
    for path in (tmp_path / "state").glob("outbox.db*"):
        path.unlink()
    frame(house, "c-1.txt")
    house.open()
    assert "gone" in house.state.lost
    house.settle()
    keys = [key for key, _ in house.site.posts]
    assert len(keys) == len(set(keys)) == 3
    assert posted(house) == {"a-1.txt", "b-1.txt", "c-1.txt"}


def test_a_damaged_database_is_set_aside_and_made_again(tmp_path: Path) -> None:
    house = fresh_start(tmp_path)
    frame(house, "a-1.txt")
    house.settle()
    house.close()
    (tmp_path / "state" / "outbox.db").write_bytes(b"no database at all" * 1000)
    house.open()
    assert "damaged" in house.state.lost
    assert list((tmp_path / "state").glob("outbox.db.damaged-*"))
    house.settle()
    assert [media for _, media in house.site.posts] == [{"a-1.txt": "a-1.txt"}]


def test_a_lost_identity_loses_no_file_that_waits_in_the_spool(tmp_path: Path) -> None:
    house = fresh_start(tmp_path)
    house.site.mood = "down"
    frame(house, "a-1.txt")
    for _ in range(5):
        house.clock.advance(10)
        house.work()
    house.close()
    for path in [*(tmp_path / "state").glob("outbox.db*"), tmp_path / "state" / "agent.json"]:
        path.unlink()
    later(house, 1)
    house.open()
    house.settle()
    assert posted(house) == {"a-1.txt"}
    assert len(house.site.posts) == 1
