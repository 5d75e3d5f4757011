"""What Motion, motionEye and an FTP camera really wrote, grouped as it happened."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from mediaagent.api import Ignored, Part, Sighting
from mediaagent.builtin.watchers.motion import Motion
from mediaagent.testing import MOMENT, part_of, seen_file
from tests.replay import replay

DATA = Path(__file__).parents[1] / "data" / "motion"
GAP = timedelta(seconds=5)
SECOND = timedelta(seconds=1)


def recorded(scenario: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / scenario / "expected.json").read_text())
    return found


def motion(root: Path, **options: Any) -> Motion:
    return Motion(path=root, event_gap=GAP, timezone=ZoneInfo("Europe/Vienna"), **options)


def arrived(watcher: Motion, root: Path, pace: timedelta = timedelta(0)) -> list[Part]:
    """Parts of all files on disk, in order of name, seen `pace` apart."""
    made: list[Part] = []
    for path in sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink()):
        seen_at = MOMENT + pace * len(made)
        part = part_of(watcher, path, content=path.read_bytes(), seen_at=seen_at)
        if part is not None:
            made.append(part)
    return made


def posts(sightings: Sequence[Sighting]) -> list[Sighting]:
    assert all(sighting.growing_until is None for sighting in sightings)
    return [sighting for sighting in sightings if not sighting.nothing]


def pictures(sighting: Sighting) -> list[str]:
    return sorted(part.name for part in sighting.parts if part.files)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    done: dict[str, Path] = {}

    def play(scenario: str) -> Path:
        if scenario not in done:
            done[scenario] = tmp_path_factory.mktemp(scenario) / "watched"
            replay(DATA / scenario, done[scenario])
        return done[scenario]

    return play


def truth_of_four_cameras() -> list[list[str]]:
    """The pictures of each event that has any, snapshots and debug pictures left out."""
    recording = recorded("four-cameras")
    kinds = {name: found["kind"] for name, found in recording["pictures"].items()}
    events = [event for events in recording["events_by_camera"].values() for event in events]
    found = [sorted(name for name in event["pictures"] if kinds[name] == "picture") for event in events]
    return sorted(filter(None, found))


def test_four_cameras_make_eighteen_events(played: Callable[[str], Path]) -> None:
    root = played("four-cameras")
    watcher = motion(root)
    found = posts(list(watcher.group(arrived(watcher, root), MOMENT + timedelta(days=1))))
    count = {number: sum(one.facts["camera"] == f"cam{number}" for one in found) for number in "1234"}
    assert count == recorded("four-cameras")["posts_by_camera"]
    assert sorted(map(pictures, found)) == truth_of_four_cameras()


def test_one_camera_is_watched_as_well_as_the_folder_above_it(played: Callable[[str], Path]) -> None:
    root = played("four-cameras") / "cam1"
    watcher = motion(root)
    found = posts(list(watcher.group(arrived(watcher, root), MOMENT + timedelta(days=1))))
    assert len(found) == 5
    assert {one.facts["camera"] for one in found} == {""}


def test_each_movie_is_a_fact_of_its_event(played: Callable[[str], Path]) -> None:
    root = played("four-cameras")
    watcher = motion(root)
    found = posts(list(watcher.group(arrived(watcher, root), MOMENT + timedelta(days=1))))
    for sighting in found:
        camera, start = sighting.facts["camera"], sighting.facts["started"]
        assert len(sighting.facts["movies"]) == (0 if camera == "cam3" else 1), (camera, start)
    starts = {one.facts["movies"][0] for one in found if one.facts["camera"] == "cam2"}
    movies = {name for name in recorded("four-cameras")["movies"] if name.startswith("cam2/")}
    assert movies - starts == {"cam2/05-20261123031134.mp4"}  # Motion was killed: no picture


def test_an_event_without_a_picture_is_told_and_not_posted(played: Callable[[str], Path]) -> None:
    root = played("four-cameras")
    watcher = motion(root)
    nothing = [one for one in watcher.group(arrived(watcher, root), MOMENT + timedelta(days=1)) if one.nothing]
    assert sorted(one.key for one in nothing) == ["cam2/20261123031134-05", "cam4/20261123031134-05"]
    assert {one.nothing for one in nothing} == {"no picture"}


def test_what_is_no_picture_of_an_event_is_ignored(played: Callable[[str], Path]) -> None:
    root, recording = played("four-cameras"), recorded("four-cameras")
    watcher = motion(root)
    unwanted = [name for name, found in recording["pictures"].items() if found["kind"] != "picture"]
    unwanted += [name for name, found in recording["movies"].items() if found["motion_debug"]]
    unwanted += recording["timelapse_never_complete"] + recording["symlinks_ignore"]
    assert len(unwanted) > 100
    for name in unwanted:
        assert isinstance(watcher.claim(seen_file(root / name)), Ignored), name


def test_posted_snapshots_are_events_of_their_own(played: Callable[[str], Path]) -> None:
    root = played("four-cameras")
    watcher = motion(root, snapshots="post")
    found = posts(list(watcher.group(arrived(watcher, root), MOMENT + timedelta(days=1))))
    snapshots = [one for one in found if one.kind == "snapshot"]
    assert len(snapshots) == 7
    assert sorted(pictures(one) for one in found if one.kind == "motion") == truth_of_four_cameras()
    assert all(len(one.parts) == 1 for one in snapshots)


def test_motioneyes_names_make_three_events(played: Callable[[str], Path]) -> None:
    root = played("motioneye-names")
    watcher = motion(root)
    found = posts(list(watcher.group(arrived(watcher, root), MOMENT + timedelta(days=1))))
    assert sorted(map(pictures, found)) == sorted(recorded("motioneye-names")["events"])
    assert [len(one.facts["movies"]) for one in found] == [1, 1, 1]
    assert {one.facts["camera"] for one in found} == {"Camera1"}


def test_each_whole_picture_of_an_ftp_camera_is_an_event(played: Callable[[str], Path]) -> None:
    root = played("ftp")
    watcher = motion(root, preset="reolink")
    whole = {name for name, found in recorded("ftp")["pictures"].items() if found["whole"]}
    parts = [part for part in arrived(watcher, root) if part.name in whole]
    found = posts(list(watcher.group(parts, MOMENT)))  # at once
    assert sorted(map(pictures, found)) == sorted([name] for name in whole)
    assert len({part.sha256 for part in parts}) == 1  # four pictures with the same bytes
    assert len({one.key for one in found}) == len({part.identity for part in parts}) == 4


def test_a_temporary_name_of_an_ftp_camera_is_left_alone(tmp_path: Path) -> None:
    assert isinstance(motion(tmp_path, preset="reolink").claim(seen_file(tmp_path / "Front_02_tmp.jpg")), Ignored)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scenario", ["four-cameras", "motioneye-names"])
def test_batches_in_any_order_make_the_same_events(played: Callable[[str], Path], scenario: str, seed: int) -> None:
    """Files come shuffled, a batch a second; events that are whole are closed, as the core does."""
    root = played(scenario)
    watcher = motion(root)
    parts = arrived(watcher, root)
    expected = {one.key: pictures(one) for one in watcher.group(parts, MOMENT + timedelta(days=1))}
    random.Random(seed).shuffle(parts)
    size = len(parts) // 4 + 1  # four batches, within the event gap of each other
    known: dict[str, Part] = {}
    for number, part in enumerate(parts):
        known[part.id] = replace(part, seen_at=MOMENT + SECOND * (number // size))
    batches = [list(known.values())[start : start + size] for start in range(0, len(parts), size)]
    held: dict[str, Part] = {}
    events: dict[str, list[str]] = {}
    for second in range(20):
        held |= {part.id: part for part in (batches[second] if second < len(batches) else [])}
        for sighting in watcher.group(list(held.values()), MOMENT + SECOND * second):
            if sighting.growing_until is None:
                events[sighting.key] = pictures(sighting)
                held |= {part.id: replace(held[part.id], event_key=sighting.key) for part in sighting.parts}
    assert events == expected
