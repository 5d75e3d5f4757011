"""What is asked of the memory for each file costs the same however much it holds."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mediaagent.model import Bucket, Part, Sighting
from tests.journey.house import House, Visits

#: A plan that goes through a whole table, or all of one source or target.
_WHOLE = re.compile(
    r"SCAN (parts|files|events|deliveries|history|posts|repeats|joined)\b|SEARCH \w+ USING [^(]*\((source|target)=\?\)"
)
#: Indexes that hold only what is open, which is little.
_OPEN = ("parts_open", "parts_spare", "events_to_prepare", "events_to_release", "deliveries_due")


class Listening:
    """A connection that remembers what it was asked, as it was asked: with values in the place of marks SQLite would
    choose other indexes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self.asked = connection, dict[str, Any]()

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        self.asked[statement] = values
        return self._connection.execute(statement, values)

    def executemany(self, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
        if values:
            self.asked[statement] = values[0]
        return self._connection.executemany(statement, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def dear(self) -> dict[str, list[str]]:
        """Statements that go through a whole table, with their plans."""
        plans = {
            statement: [row["detail"] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            for statement, values in self.asked.items()
            if statement.startswith(("SELECT", "UPDATE", "DELETE"))
        }
        assert len(plans) > 20
        return {statement: steps for statement, steps in plans.items() if any(map(_dear, steps))}


def _dear(step: str) -> bool:
    return _WHOLE.search(step) is not None and not any(index in step for index in _OPEN)


class News(Visits):
    """Visits that are told of when their outcome changes."""

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        for sighting in super().group(parts, now):
            yield replace(sighting, topic="gate", outcome="failed")


class Joined(Visits):
    """Visits that change the last one."""

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        for sighting in super().group(parts, now):
            yield replace(sighting, topic="gate", joins=timedelta(days=1))


@pytest.mark.parametrize("watcher", [Visits, News, Joined])
@pytest.mark.parametrize("counted", [False, True])
def test_no_question_about_a_file_goes_through_a_whole_table(
    tmp_path: Path, watcher: type[Visits], counted: bool
) -> None:
    house = House(tmp_path, make_watcher=watcher)
    if counted:
        house.bucket = lambda event: Bucket(key="0123456789abcdef", within=timedelta(days=1))
    database: Any = house.state.database
    listening = database._connection = Listening(database._connection)
    for name in ("v1-1.txt", "v1-2.txt", "v2-1.txt", "v3-1.txt"):
        (house.root / name).write_text(name)
        for _ in range(4):
            house.work()
            house.clock.advance(6)
    assert listening.dear() == {}
    house.close()
