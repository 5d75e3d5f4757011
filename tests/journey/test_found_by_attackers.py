"""What once got lost, stuck or doubled, one test each."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mediaagent.errors import Discarded, Rejected, SpoolFull
from mediaagent.journey.keep import Keeping
from mediaagent.journey.waiting import Harvest
from mediaagent.model import Event, Post, Unknown
from mediaagent.store.database import Database
from mediaagent.store.spool import DiskSpool
from tests.journey.house import Bench, House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def frame(house: House, name: str, content: str = "") -> Path:
    path = house.root / name
    path.write_text(content or name)
    return path


def go(house: House, *seconds: float) -> None:
    for each in seconds:
        house.clock.advance(each)
        house.work()


def posted(house: House) -> list[set[str]]:
    return [set(media) for _, media in house.site.posts]


@contextmanager
def disk_full(house: House, statement: str) -> Iterator[None]:
    """SQLite refuses every statement that begins so."""
    transaction = Database.transaction

    class Refusing:
        def __init__(self, connection: sqlite3.Connection) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        def execute(self, query: str, *values: Any) -> Any:
            if query.startswith(statement):
                raise sqlite3.OperationalError("database or disk is full")
            return self._connection.execute(query, *values)

    @contextmanager
    def refusing(database: Database) -> Iterator[Any]:
        with transaction(database) as connection:
            yield Refusing(connection)

    Database.transaction = refusing  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Database.transaction = transaction  # type: ignore[method-assign]


def test_a_file_that_the_ledger_could_not_take_is_taken_when_it_can(house: House) -> None:
    frame(house, "a-1.txt")
    house.clock.advance(2)
    house.watching.round()
    with disk_full(house, "INSERT OR IGNORE INTO parts"), pytest.raises(sqlite3.OperationalError):
        go(house, 3)
    go(house, 20, 20, 20)
    assert posted(house) == [{"a-1.txt"}]
    assert len(list((house.state.spool.folder_path / "parts").iterdir())) == 1


def test_an_attempt_whose_end_could_not_be_written_is_made_again(house: House) -> None:
    frame(house, "a-1.txt")
    with disk_full(house, "UPDATE deliveries SET receipt"), pytest.raises(sqlite3.OperationalError):
        go(house, 2, 3, 10, 10)
    go(house, 200)
    assert posted(house) == [{"a-1.txt"}]
    assert house.state.deliveries.counts() == {"delivered": 1}


def test_a_verification_that_fails_does_not_stop_the_lane(house: House) -> None:
    house.site.mood = "loses the reply"
    frame(house, "a-1.txt")
    go(house, 2, 3, 10)
    house.site.posts.clear()  # it never came through after all
    house.site.mood = "up"
    go(house, 200)
    find = house.site.find
    house.site.find = lambda key: (_ for _ in ()).throw(OSError("surprise"))  # type: ignore[method-assign]
    frame(house, "b-1.txt")
    go(house, 700, 10, 10)
    house.site.find = find  # type: ignore[method-assign]
    go(house, 700)
    assert sorted(map(sorted, posted(house))) == [["a-1.txt"], ["b-1.txt"]]


class Choosy(Bench):
    """Posts nothing of which no frame is called good."""

    def prepare(self, post: Post, event: Event, steps: Any, folder: Path) -> Any:
        if not any("good" in part.name for part in post.parts):
            raise Discarded("nothing good")
        return super().prepare(post, event, steps, folder)


def test_a_good_frame_that_joins_a_dismissed_event_is_posted(house: House) -> None:
    house.preparing._workbench = Choosy()
    frame(house, "a-bad.txt")
    go(house, 2, 3, 10)
    assert posted(house) == []
    frame(house, "a-good.txt")
    go(house, 2, 3, 10, 10)
    assert posted(house) == [{"a-bad.txt", "a-good.txt"}]


def test_a_rejection_of_what_an_event_was_does_not_bury_what_it_grew_to(house: House) -> None:
    upload, refusals = house.site.upload, iter([Rejected("not like this")])

    def growing(post: Post, key: str, progress: Any) -> Any:
        for refusal in refusals:
            frame(house, "a-2.txt")
            for _ in range(4):
                house.clock.advance(5)
                house.watching.round()
            raise refusal
        return upload(post, key, progress)

    house.site.upload = growing  # type: ignore[method-assign]
    frame(house, "a-1.txt")
    go(house, 2, 3, 10, 30, 30)
    assert posted(house) == [{"a-1.txt", "a-2.txt"}]


def test_a_frame_that_came_too_late_leaves_no_copy_behind(house: House) -> None:
    frame(house, "a-1.txt")
    go(house, 2, 3, 10)
    house.housekeeping.release(timedelta(0))
    frame(house, "a-2.txt")
    go(house, 2, 3, 10)
    house.housekeeping.release(timedelta(0))
    assert posted(house) == [{"a-1.txt"}]
    assert list((house.state.spool.folder_path / "parts").iterdir()) == []
    assert house.state.spool.used == 0


def test_a_file_of_the_far_future_is_a_file_like_any_other(house: House) -> None:
    path = frame(house, "a-1.txt")
    os.utime(path, (11_000_000_000, 11_000_000_000))
    go(house, 2, 3, 10)
    house.restart()
    go(house, 2, 3, 10)
    assert posted(house) == [{"a-1.txt"}]


@pytest.mark.parametrize("mtime", [4_000_000_000, 100], ids=["of the far future", "of 1970"])
def test_a_file_with_a_senseless_time_is_not_posted_again_by_who_lost_all_memory(house: House, mtime: int) -> None:
    frame = house.root / "v1-1.txt"
    frame.write_text("one")
    os.utime(frame, (mtime, mtime))
    house.settle()
    house.housekeeping.release(timedelta(0))
    house.close()
    for path in (house.folder / "state").glob("outbox.db*"):
        path.unlink()
    house.open()
    house.settle()
    assert [media for _, media in house.site.posts] == [{"v1-1.txt": "one"}]


def test_a_file_of_a_machine_that_did_not_know_the_time_is_dated_by_when_it_was_seen(house: House) -> None:
    frame = house.root / "v1-1.txt"
    frame.write_text("one")
    os.utime(frame, (3 * 86400, 3 * 86400))
    seen = house.clock.now()
    house.settle()
    (post,) = house.site.said.values()
    assert abs(post.happened_at - seen) < timedelta(days=1)


def test_a_rebuild_that_was_killed_is_done_again(house: House, tmp_path: Path) -> None:
    house.site.mood = "loses the reply"
    frame(house, "a-1.txt")
    go(house, 2, 3, 10)
    house.close()
    for path in (tmp_path / "state").glob("outbox.db*"):
        path.unlink()
    Database(tmp_path / "state" / "outbox.db").close()  # made, and then the power went
    house.open()
    house.settle()
    assert posted(house) == [{"a-1.txt"}]


def test_the_same_bytes_under_many_names_are_one_rename_and_many_files(house: House) -> None:
    first = frame(house, "a-1.txt", "same")
    go(house, 2, 3, 10)
    first.unlink()
    folder = house.root / "later"
    folder.mkdir()
    (folder / "a-1.txt").write_text("same")
    go(house, 2, 3, 10)
    assert posted(house) == [{"a-1.txt"}], "one of them is the first, renamed"
    (house.root / "more").mkdir()
    (house.root / "more" / "a-1.txt").write_text("same")
    go(house, 2, 3, 10)
    with house.state.database.reading() as connection:
        parts = connection.execute("SELECT count(*) FROM parts").fetchone()[0]
    assert parts == 2, "the other one is a file of its own"


def test_a_touched_file_is_nothing_new(house: House) -> None:
    path = frame(house, "a-1.txt")
    go(house, 2, 3, 10)
    os.utime(path)
    go(house, 2, 3, 10)
    with house.state.database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM parts").fetchone()[0] == 1


def test_what_goes_to_a_target_that_is_gone_is_held_until_it_is_back(house: House) -> None:
    house.site.mood = "down"
    frame(house, "a-1.txt")
    go(house, 2, 3, 10)
    house.state.deliveries.retire(["another"])
    assert house.state.deliveries.counts() == {"held": 1}
    house.state.deliveries.retire(["site"])
    house.settle()
    assert posted(house) == [{"a-1.txt"}]


def test_an_unanswered_question_is_not_an_answer(house: House) -> None:
    house.site.mood = "loses the reply"
    frame(house, "a-1.txt")
    go(house, 2, 3, 10)
    house.site.mood = "up"
    find = house.site.find
    house.site.find = lambda key: Unknown("not signed in")  # type: ignore[method-assign]
    go(house, 200, 200)
    house.site.find = find  # type: ignore[method-assign]
    house.settle()
    assert posted(house) == [{"a-1.txt"}]


def test_a_state_disk_that_goes_away_for_a_while_loses_no_file_of_the_batch(house: House) -> None:
    secure, calls = house.state.spool.secure, iter(range(100))

    def vanishing(*arguments: Any, **options: Any) -> Any:
        if next(calls) == 1:
            raise OSError("the disk went away")
        return secure(*arguments, **options)

    house.state.spool.secure = vanishing  # type: ignore[method-assign]
    for name in ("a-1.txt", "b-1.txt", "c-1.txt"):
        frame(house, name)
    go(house, 2, 3, 20, 20, 20)
    assert sorted(map(sorted, posted(house))) == [["a-1.txt"], ["b-1.txt"], ["c-1.txt"]]
    assert house.state.spool.used == sum(
        path.stat().st_size for path in house.state.spool.folder_path.rglob("*") if path.is_file()
    )


def test_a_disk_that_is_full_for_a_moment_cuts_no_visit_short(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was posted without its last frame, and its copies were let go at once to make room."""
    room = [True, True, False]  # for two frames, and then there is none for a while
    make_room = DiskSpool._make_room

    def full_now_and_then(spool: DiskSpool, size: int) -> None:
        if room and not room.pop(0):
            raise SpoolFull("the disk takes nothing more")
        make_room(spool, size)

    monkeypatch.setattr(DiskSpool, "_make_room", full_now_and_then)
    for number in range(3):
        (house.root / f"v1-{number}.txt").write_text(f"{number}")
    for _ in range(20):
        house.clock.advance(1.5)
        house.work()
        if house.securing.full:
            house.housekeeping.release(timedelta(0))
    house.settle()
    assert [sorted(media) for _, media in house.site.posts] == [["v1-0.txt", "v1-1.txt", "v1-2.txt"]]


def test_the_very_same_file_is_no_copy_of_itself_whatever_names_it_seems_to_have(tmp_path: Path) -> None:
    """Its folder was renamed, and renamed back between two looks: both names were there, one after the other."""
    house = House(tmp_path)
    (house.root / "v1-1.txt").write_text("one")
    for _ in range(3):
        house.work()
        house.clock.advance(6)
    (twin,) = house.state.ledger.twins("cam", hashlib.sha256(b"one").hexdigest())
    again = replace(twin, id="again", path=house.root / "away" / "v1-1.txt")
    copied = replace(again, fingerprint=again.fingerprint._replace(inode=again.fingerprint.inode + 1))
    assert house.securing._keeping._is_rename(twin, again)
    assert not house.securing._keeping._is_rename(twin, copied)
    house.close()


@pytest.mark.parametrize("odd", ["link", "pipe", "another file"])
@pytest.mark.parametrize("place", ["file", "folder"])
def test_what_has_a_files_place_for_a_moment_is_not_held_against_the_file(house: House, place: str, odd: str) -> None:
    """It was refused as a link for ever, though it had been a file when it was seen, and was one again at once."""
    (house.root / "below").mkdir()
    frame(house, "below/v1-1.txt", "one")
    swapped = house.root / "below" if place == "folder" else house.root / "below" / "v1-1.txt"
    aside = house.folder / "aside"
    secure, calls = house.state.spool.secure, iter(range(100))

    def swapping(*arguments: Any, **options: Any) -> Any:
        if next(calls):
            return secure(*arguments, **options)
        swapped.rename(aside)
        if odd == "link":
            swapped.symlink_to("/etc")
        elif odd == "pipe":
            os.mkfifo(swapped)
        else:
            swapped.write_text("another")
        try:
            return secure(*arguments, **options)
        finally:
            swapped.unlink()
            aside.rename(swapped)

    house.state.spool.secure = swapping  # type: ignore[method-assign]
    go(house, 2, 3, 20, 20, 20)
    assert [media for _, media in house.site.posts] == [{"v1-1.txt": "one"}]


def test_a_file_that_was_gone_when_it_was_looked_at_and_is_back_when_that_is_written_down_is_posted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for one whose fate is known, until the next start."""
    path, aside = frame(house, "v1-1.txt", "one"), house.folder / "aside"
    keep = Keeping.keep

    def back_again(keeping: Keeping, harvest: Harvest) -> Any:
        if harvest.ended and aside.exists():
            aside.replace(path)
        return keep(keeping, harvest)

    monkeypatch.setattr(Keeping, "keep", back_again)
    go(house, 1.1)  # it is seen, and waits to be quiet
    path.rename(aside)
    os.mkfifo(path)
    go(house, 2)
    assert "gone" in "".join(house.log.lines)
    go(house, 3, 20, 20, 20)
    assert [media for _, media in house.site.posts] == [{"v1-1.txt": "one"}]


def test_a_file_whose_folder_has_become_a_link_is_given_up_in_the_end(house: House) -> None:
    """It was tried again for ever: its name still leads to it, through the link."""
    (house.root / "below").mkdir()
    frame(house, "below/v1-1.txt", "one")
    go(house, 1.1)
    (house.root / "below").rename(house.folder / "elsewhere")
    (house.root / "below").symlink_to(house.folder / "elsewhere")
    calls, secure = [], house.state.spool.secure
    house.state.spool.secure = lambda *words, **more: calls.append(1) or secure(*words, **more)  # type: ignore
    go(house, *[10.0] * 20, *[600.0] * 8)
    assert "lies behind a link" in "".join(house.log.lines)
    assert len(calls) < 40
    assert not house.securing.waiting
    assert house.site.posts == []
