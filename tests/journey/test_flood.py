"""More files at once than can be secured in a moment: what came first need not wait for what came last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from mediaagent.api import one_by_one
from mediaagent.journey import waiting
from mediaagent.model import Part, Sighting
from tests.journey.house import House, Visits

AT_ONCE, FILES = 8, 30


class Singles(Visits):
    """Each file is an event by itself."""

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        return one_by_one(parts)


def flooded(folder: Path, monkeypatch: pytest.MonkeyPatch, watcher: type[Visits]) -> House:
    """A house that has seen all of them, and taken as many as it takes at once, twice within six seconds."""
    monkeypatch.setattr(waiting, "_LOOKS", AT_ONCE)
    house = House(folder, make_watcher=watcher)
    for number in range(FILES):
        (house.root / f"v{number // 10}-{number:02}.txt").write_text(f"{number}")
    house.watching.start()
    house.clock.advance(3)
    house.watching.round()
    house.clock.advance(6)
    return house


def events(house: House) -> int:
    with house.state.database.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])


def test_files_that_are_events_by_themselves_become_such_in_the_middle_of_a_flood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = flooded(tmp_path, monkeypatch, Singles)
    assert events(house) == 0  # a short flood is secured first, which is cheaper
    house.watching.round()
    assert len(house.securing.waiting) == FILES - 2 * AT_ONCE
    assert events(house) == 2 * AT_ONCE
    house.close()


def test_visits_whose_pictures_still_wait_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = flooded(tmp_path, monkeypatch, Visits)
    house.watching.round()
    house.clock.advance(6)
    house.watching.round()
    assert (len(house.securing.waiting), events(house)) == (FILES - 3 * AT_ONCE, 0)
    for _ in range(3):
        house.watching.round()
        house.clock.advance(6)
    house.settle()
    assert [len(media) for _, media in house.site.posts] == [10, 10, 10]
    house.close()
