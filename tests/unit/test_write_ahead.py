"""A log that was damaged, or that nobody finished: no commit is missing without a word."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaagent.errors import StateError
from mediaagent.store.database import Damaged, Database
from mediaagent.store.owner import Owner
from mediaagent.store.write_ahead import Loss, WriteAheadLog

HEADER, FRAME = 32, 24 + 4096
COMMITS = st.lists(st.integers(1, 9000), min_size=1, max_size=6)


@contextmanager
def killed(commits: list[int], *, restarted: bool = False) -> Iterator[tuple[Path, list[int]]]:
    """What an owner leaves that is killed after some commits of so many bytes, and the log's size after each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        owner = Database(folder / "alive.db")
        if restarted:  # older frames lie behind the new ones
            for number in range(8):
                owner.set_meta(f"old {number}", "x" * 9000)
            with owner.reading() as connection:
                connection.execute("PRAGMA wal_checkpoint(RESTART)")
        sizes = []
        for number, size in enumerate(commits):
            owner.set_meta(f"commit {number}", "x" * size)
            sizes.append((folder / "alive.db-wal").stat().st_size)
        for suffix in ("", "-wal"):
            shutil.copy(folder / f"alive.db{suffix}", folder / f"outbox.db{suffix}")
        owner.close()
        yield folder / "outbox.db", sizes


def held(database: Database, commits: list[int]) -> int:
    return sum(database.get_meta(f"commit {number}") is not None for number in range(len(commits)))


@given(COMMITS, st.booleans(), st.floats(0, 1, exclude_max=True), st.integers(1, 5000), st.integers())
@settings(max_examples=60, deadline=None)
def test_noise_anywhere_in_a_log_is_noticed(
    commits: list[int], restarted: bool, place: float, length: int, seed: int
) -> None:
    with killed(commits, restarted=restarted) as (path, _):
        log = path.with_name("outbox.db-wal")
        content = bytearray(log.read_bytes())
        start = int(place * len(content))
        length = min(length, len(content) - start)
        content[start : start + length] = random.Random(seed).randbytes(length)
        log.write_bytes(content)
        try:
            database = Database(path, doubtful=True)
        except Damaged:
            return
        assert held(database, commits) == len(commits) or database.behind
        database.close()


@given(COMMITS, st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_log_that_ends_anywhere_is_no_damage(commits: list[int], place: float) -> None:
    with killed(commits) as (path, sizes):
        end = int(sizes[0] + place * (sizes[-1] - sizes[0]))
        log = path.with_name("outbox.db-wal")
        log.write_bytes(log.read_bytes()[:end])
        database = Database(path, doubtful=True)
        assert held(database, commits) == sum(size <= end for size in sizes)
        database.close()


@given(COMMITS, st.booleans())
@settings(max_examples=20, deadline=None)
def test_a_whole_log_raises_no_doubt(commits: list[int], restarted: bool) -> None:
    with killed(commits, restarted=restarted) as (path, _):
        database = Database(path, doubtful=True)
        assert held(database, commits) == len(commits)
        assert not database.behind
        database.close()


def test_a_log_of_somebody_who_wrote_over_an_older_one_holds_older_frames() -> None:
    """Else the tests above would not try what they say."""
    with killed([10], restarted=True) as (path, _):
        log = WriteAheadLog(path.with_name("outbox.db-wal"))
        assert log.loss(1) is Loss.NOTHING
        assert path.with_name("outbox.db-wal").stat().st_size > HEADER + 4 * FRAME


def test_a_log_without_its_header_is_damage() -> None:
    with killed([10, 10]) as (path, _):
        log = path.with_name("outbox.db-wal")
        log.write_bytes(bytes(HEADER) + log.read_bytes()[HEADER:])
        with pytest.raises(Damaged, match="in the middle"):
            Database(path, doubtful=True)


def test_who_looks_only_does_not_judge() -> None:
    """A reader beside a running owner may meet a log that is being written."""
    with killed([10, 10, 10]) as (path, sizes):
        log = path.with_name("outbox.db-wal")
        content = bytearray(log.read_bytes())
        content[sizes[0] + 8 : sizes[0] + 16] = bytes(8)
        log.write_bytes(content)
        sqlite3.connect(path).close()  # which makes the index that a reader needs
        Database(path, readonly=True).close()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["commit", "undo", "leave"]), st.integers(1, 200_000)),
        st.tuples(st.sampled_from(["PASSIVE", "FULL", "RESTART", "TRUNCATE", "read", "stop reading"]), st.just(0)),
    ),
    max_size=12,
)


@given(STEPS)
@settings(max_examples=80, deadline=None)
def test_whatever_an_owner_was_at_when_it_was_killed_its_log_is_no_damage(steps: list[tuple[str, int]]) -> None:
    """Also while a transaction that is larger than the cache lies in the log already, or was there and undone."""
    with tempfile.TemporaryDirectory() as name:
        alive, left = Path(name) / "alive.db", Path(name) / "outbox.db"
        Database(alive).close()
        owner = sqlite3.connect(alive, isolation_level=None)
        owner.execute("PRAGMA cache_size = 5")
        reader, made = sqlite3.connect(alive, isolation_level=None), []
        for number, (step, size) in enumerate(steps):
            if step in ("commit", "undo", "leave"):
                owner.execute("BEGIN IMMEDIATE")
                owner.execute("INSERT INTO meta VALUES (?, ?)", (f"{number}", "x" * size))
                if step == "leave":
                    break
                owner.execute("COMMIT" if step == "commit" else "ROLLBACK")
                made += [f"{number}"] if step == "commit" else []
            elif step == "read" and not reader.in_transaction:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM meta").fetchone()
            elif step == "stop reading" and reader.in_transaction:
                reader.execute("ROLLBACK")
            elif step.isupper():
                owner.execute("PRAGMA busy_timeout = 0")
                owner.execute(f"PRAGMA wal_checkpoint({step})").fetchall()
        for suffix in ("", "-wal"):
            shutil.copy(Path(f"{alive}{suffix}"), Path(f"{left}{suffix}"))
        for connection in (reader, owner):
            connection.close()
        database = Database(left, doubtful=True)
        assert all(database.get_meta(each) is not None for each in made)
        database.close()


@given(COMMITS, st.integers(1, 60_000), st.booleans(), st.integers())
@settings(max_examples=60, deadline=None)
def test_a_commit_of_which_a_power_cut_left_some_pages_is_no_damage(
    commits: list[int], cut: int, restarted: bool, seed: int
) -> None:
    """The disk may have had those written last, and not those before."""
    with killed([*commits, cut], restarted=restarted) as (path, sizes):
        log = path.with_name("outbox.db-wal")
        content, chance = bytearray(log.read_bytes()), random.Random(seed)
        for start in range(sizes[-2], len(content), 512):
            if chance.random() < 0.3:
                content[start : start + 512] = bytes(len(content[start : start + 512]))
        log.write_bytes(content)
        database = Database(path, doubtful=True)
        assert held(database, commits) == len(commits)
        assert database.get_meta(f"commit {len(commits)}") is not None or database.behind
        database.close()


def test_what_another_program_reads_at_the_same_time_is_no_damage() -> None:
    with killed([10, 9000, 10]) as (path, _):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM meta").fetchone()
        database = Database(path, doubtful=True)
        assert held(database, [10, 9000, 10]) == 3
        database.close()
        other.close()


def test_an_owners_command_does_not_wipe_out_what_tells_of_a_damaged_log() -> None:
    """It opens the database first, closes it, and the log is gone."""
    with killed([10] * 6) as (path, sizes):
        log = path.with_name("outbox.db-wal")
        content = bytearray(log.read_bytes())
        content[sizes[1] + 100 : sizes[1] + 200] = b"\xa5" * 100
        log.write_bytes(content)
        with pytest.raises(StateError, match="start the agent"):
            Owner(path)
        with pytest.raises(Damaged):
            Database(path, doubtful=True)
