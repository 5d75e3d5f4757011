"""The site was away and is back: nothing waits for longer than that."""

from __future__ import annotations

from pathlib import Path

from tests.journey.house import House


def test_what_found_the_site_away_goes_with_all_others_when_it_is_back(tmp_path: Path) -> None:
    house = House(tmp_path)
    for visit in range(5):
        (house.root / f"v{visit}-1.txt").write_text(f"{visit}")
    house.work()
    house.clock.advance(6)
    house.site.mood = "down"
    for _ in range(4):  # one delivery after the other finds it away
        house.work()
        house.clock.advance(3600)
    house.work()
    assert house.site.posts == []
    house.site.mood = "up"
    house.lane.hurry()
    house.work()
    assert len(house.site.posts) == 5
    house.close()
