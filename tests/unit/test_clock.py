"""The agent's clock goes on as before when somebody sets the wall's, until it is told to follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mediaagent.clock import SystemClock
from mediaagent.store.rows import delivery_from
from mediaagent.store.state import StateFolder

YEAR = timedelta(days=365)


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Sets the wall's clock by so much."""
    real, offset = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + offset[0])

    def set_by(by: timedelta) -> None:
        offset[0] += by.total_seconds()

    return set_by


def close(one: datetime, other: datetime) -> bool:
    return abs(one - other) < timedelta(seconds=1)


@pytest.mark.parametrize("by", [YEAR, -YEAR, timedelta(minutes=10), -timedelta(minutes=10)])
def test_a_jump_is_told_until_it_is_followed(wall: Callable[[timedelta], None], by: timedelta) -> None:
    clock = SystemClock()
    before = clock.now()
    wall(by)
    assert close(clock.now(), before)
    jump = clock.jumped()
    assert abs(jump - by) < timedelta(seconds=1)
    assert abs(clock.jumped() - by) < timedelta(seconds=1), "one that could not be written down comes again"
    clock.follow(jump)
    assert close(clock.now(), before + by)
    assert clock.jumped() == timedelta(0)


def test_small_corrections_are_followed_at_once(wall: Callable[[timedelta], None]) -> None:
    clock = SystemClock()
    for _ in range(10):
        wall(timedelta(seconds=4))
        assert clock.jumped() == timedelta(0)
    assert close(clock.now(), datetime.fromtimestamp(time.time(), UTC))


@pytest.fixture
def state(tmp_path: Path, clock: SystemClock) -> Iterator[StateFolder]:
    """With one delivery."""
    state = StateFolder(tmp_path / "state", 1_000_000, clock.now)
    with state.database.transaction() as connection:
        connection.execute(
            "INSERT INTO events (source, key, kind, happened_at, facts, route, revision, state, closed_at, prepare_at)"
            " VALUES ('cam', 'one', 'visit', 0, '{}', '{}', 1, 'new', 0, 0)"
        )
        connection.execute(
            "INSERT INTO deliveries (event, target, key, state, due_at, ready) VALUES (1, 'site', 'k', 'waiting', 0, 1)"
        )
    yield state
    state.close()


@pytest.mark.parametrize("by", [YEAR, -YEAR])
@pytest.mark.parametrize("who", ["a lane that was turned away", "an owner's command"])
def test_what_is_written_before_anybody_noticed_is_not_put_off_for_a_year(
    state: StateFolder, clock: SystemClock, wall: Callable[[timedelta], None], who: str, by: timedelta
) -> None:
    wall(by)
    with state.database.transaction() as connection:  # in this very second
        due = time.time() if "owner" in who else (clock.now() + timedelta(seconds=16)).timestamp()
        connection.execute("UPDATE deliveries SET due_at = ?", (due,))
    state.outbox.shift(clock.jumped(), clock.follow)
    waits = state.deliveries.next_due("site")
    assert waits is not None
    assert waits - clock.now() < timedelta(seconds=20)
    assert "owner" in who or waits - clock.now() > timedelta(seconds=10)


def test_what_was_reckoned_before_the_clock_was_set_back_and_written_after_is_due_at_once(
    state: StateFolder, clock: SystemClock, wall: Callable[[timedelta], None]
) -> None:
    reckoned = clock.now() + timedelta(seconds=16)
    wall(-YEAR)
    state.outbox.shift(clock.jumped(), clock.follow)
    with state.database.reading() as connection:
        joined = "SELECT deliveries.*, source, revision FROM deliveries JOIN events ON events.id = event"
        delivery = delivery_from(connection.execute(joined).fetchone())
    state.deliveries.defer(delivery, "turned away", reckoned, in_doubt=False)
    waits = state.deliveries.next_due("site")
    assert waits is not None
    assert waits - clock.now() < timedelta(seconds=20)
