"""What a start costs: it does not read what is known anyway, however much of it waits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.journey.house import House


@pytest.mark.timeout(30)
def test_notes_of_copies_that_the_memory_knows_are_not_read(tmp_path: Path) -> None:
    house = House(tmp_path)
    (house.root / "v1-1.txt").write_text("one")
    house.work()
    house.settle()
    house.close()
    (note,) = (house.state.folder / "spool" / "parts").glob("*/part.json")
    note.unlink()
    os.mkfifo(note)  # whoever reads it waits for ever
    house.open()
    (house.root / "v2-1.txt").write_text("two")
    house.settle()
    assert [media for _, media in house.site.posts] == [{"v1-1.txt": "one"}, {"v2-1.txt": "two"}]
    house.close()
