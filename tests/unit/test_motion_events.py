"""When pictures are one event, and when they are two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mediaagent.api import Claim, Part, Sighting
from mediaagent.builtin.watchers.motion import Motion
from mediaagent.testing import MOMENT, part_of, seen_file

ROOT = Path("/cameras")
VIENNA = ZoneInfo("Europe/Vienna")
SECOND = timedelta(seconds=1)
LATER = MOMENT + timedelta(days=1)


def motion(gap: float = 5, **options: Any) -> Motion:
    return Motion(path=ROOT, event_gap=timedelta(seconds=gap), timezone=VIENNA, **options)


def part(watcher: Motion, name: str, **details: Any) -> Part:
    made = part_of(watcher, ROOT / name, **details)
    assert made is not None, f"{name} is ignored"
    return made


def grouped(watcher: Motion, *names: str, **details: Any) -> dict[str, list[str]]:
    return names_by_key(watcher.group([part(watcher, name, **details) for name in names], LATER))


def names_by_key(sightings: Any) -> dict[str, list[str]]:
    return {one.key: [found.name for found in one.parts] for one in sightings}


def only(sightings: Any) -> Sighting:
    (one,) = sightings
    assert isinstance(one, Sighting)
    return one


def title(sighting: Sighting) -> str:
    template = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined).from_string(Motion.defaults.title)
    return template.render(label="Garden", time="08:14", kind=sighting.kind, **sighting.facts)


# --- what is one event ------------------------------------------------------------------------------------------------


def test_numbers_begin_again_at_each_start_of_motion() -> None:
    found = grouped(motion(), "01-20261123030801-00.jpg", "01-20261123030802-00.jpg", "01-20261123030810-00.jpg")
    assert found == {
        "20261123030801-01": ["01-20261123030801-00.jpg", "01-20261123030802-00.jpg"],
        "20261123030810-01": ["01-20261123030810-00.jpg"],
    }


def test_two_numbers_within_the_gap_are_two_events() -> None:
    assert len(grouped(motion(60), "01-20261123030801-00.jpg", "02-20261123030803-00.jpg")) == 2


def test_without_a_number_the_gap_alone_tells() -> None:
    names = [f"20261123{time}-00.jpg" for time in ("030801", "030807", "030814")]
    assert list(map(len, grouped(motion(), *names).values())) == [2, 1]


def test_pictures_before_and_after_midnight_in_folders_by_date_are_one_event() -> None:
    assert len(grouped(motion(), "cam/2026-11-23/23-59-59.jpg", "cam/2026-11-24/00-00-01.jpg")) == 1


def test_two_cameras_are_two_events() -> None:
    assert set(grouped(motion(), "a/01-20261123030801-00.jpg", "b/01-20261123030801-00.jpg")) == {
        "a/20261123030801-01",
        "b/20261123030801-01",
    }


def test_two_cameras_in_one_folder_are_told_apart_by_their_id() -> None:
    watcher = motion(pattern="%t-%v-%Y%m%d%H%M%S-%q", movie_pattern="%t-%v-%Y%m%d%H%M%S")
    found = grouped(watcher, "1-01-20261123030801-00.jpg", "2-01-20261123030801-00.jpg", "2-01-20261123030801.mkv")
    assert list(map(len, found.values())) == [1, 2]


def test_a_pause_of_the_whole_gap_is_no_new_event() -> None:
    """A gap of 5 s may look like 6 s in names of whole seconds."""
    assert len(grouped(motion(5), "01-20261123030801-00.jpg", "01-20261123030807-00.jpg")) == 1
    assert len(grouped(motion(5), "01-20261123030801-00.jpg", "01-20261123030808-00.jpg")) == 2


def test_no_gap_makes_every_picture_an_event() -> None:
    found = grouped(motion(0), "01-20261123030801-00.jpg", "01-20261123030801-01.jpg", "2026-11-23/03-08-01.jpg")
    assert len(found) == 3


# --- no time in the name ----------------------------------------------------------------------------------------------


def test_no_time_in_the_name_asks_for_that_in_the_picture() -> None:
    watcher = motion(pattern="%C/%v-%q")
    first = part(watcher, "bird/01-00.jpg", taken_at="2026-11-23T03:08:02", modified_at=LATER)
    second = part(watcher, "bird/01-01.jpg", taken_at="2026-11-23T03:08:05", modified_at=LATER)
    other = part(watcher, "bird/01-02.jpg", taken_at="2026-11-23T04:08:05", modified_at=LATER)
    found = list(watcher.group([first, second, other], LATER))
    assert [one.facts["started"] for one in found] == ["2026-11-23T03:08:02", "2026-11-23T04:08:05"]


def test_a_picture_that_does_not_tell_either_is_as_old_as_its_file() -> None:
    watcher = motion(pattern="%C/%v-%q")
    stamp = datetime(2026, 11, 23, 3, 8, 2, tzinfo=UTC)
    one = only(watcher.group([part(watcher, "bird/01-00.jpg", modified_at=stamp)], LATER))
    assert one.happened_at == stamp


def test_a_day_that_there_is_not_is_as_old_as_its_file() -> None:
    watcher = motion()
    one = only(watcher.group([part(watcher, "01-20260230030801-00.jpg")], LATER))
    assert one.happened_at == MOMENT


# --- the clock --------------------------------------------------------------------------------------------------------


def test_the_time_in_names_is_the_cameras() -> None:
    one = only(motion().group([part(motion(), "01-20261123030801-00.jpg")], LATER))
    assert one.happened_at == datetime(2026, 11, 23, 2, 8, 1, tzinfo=UTC)


def test_an_event_over_the_end_of_summer_time_stays_one() -> None:
    watcher = motion()
    before = datetime(2026, 10, 25, 0, 59, 58, tzinfo=UTC)  # 02:59:58, the first time
    parts = [
        part(watcher, "01-20261025025958-00.jpg", modified_at=before),
        part(watcher, "01-20261025020001-00.jpg", modified_at=before + 3 * SECOND),
    ]
    one = only(watcher.group(parts, LATER))
    assert (one.happened_at, one.facts["seconds"]) == (before, 3)


def test_the_same_hour_twice_is_two_events_with_two_keys() -> None:
    watcher = motion()
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    parts = [
        part(watcher, "a/01-20261025023000-00.jpg", modified_at=first),
        part(watcher, "a/01-20261025023000-00.jpg", modified_at=first + timedelta(hours=1), content=b"again"),
    ]
    assert [one.key for one in watcher.group(parts, LATER)] == ["a/20261025023000-01", "a/20261025023000B-01"]


def test_an_hour_that_the_spring_leaves_out_does_no_harm() -> None:
    assert len(grouped(motion(), "01-20260329023000-00.jpg", "01-20260329023002-00.jpg")) == 1


def test_without_a_zone_the_machines_own_counts() -> None:
    watcher = Motion(path=ROOT)
    local = datetime(2026, 11, 23, 3, 8, 1).astimezone()
    assert only(watcher.group([part(watcher, "01-20261123030801-00.jpg")], LATER)).happened_at == local


# --- growing, whole, late ---------------------------------------------------------------------------------------------


def test_an_event_is_whole_after_the_gap_counted_from_when_its_last_picture_was_seen() -> None:
    watcher = motion(60)
    parts = [
        part(watcher, "01-20261123030801-00.jpg", seen_at=MOMENT),
        part(watcher, "01-20261123030802-00.jpg", seen_at=MOMENT + 30 * SECOND),
    ]
    until = only(watcher.group(parts, MOMENT + 31 * SECOND)).growing_until
    assert until is not None
    assert MOMENT + 90 * SECOND <= until <= MOMENT + 95 * SECOND
    assert only(watcher.group(parts, until)).growing_until is None


def test_a_clock_that_was_set_back_does_not_hold_an_event_up() -> None:
    watcher = motion()
    one = only(watcher.group([part(watcher, "01-20261123030801-00.jpg", seen_at=MOMENT)], MOMENT - timedelta(days=1)))
    assert one.growing_until is None


def test_a_late_frame_older_than_the_start_keeps_the_key() -> None:
    watcher = motion()
    closed = part(watcher, "01-20261123030803-00.jpg", event_key="20261123030803-01")
    late = part(watcher, "01-20261123030801-00.jpg")
    one = only(watcher.group([late, closed], LATER))
    assert (one.key, len(one.parts)) == ("20261123030803-01", 2)


def test_closed_events_are_never_merged_by_what_comes_between() -> None:
    watcher = motion()
    parts = [
        part(watcher, "01-20261123030800-00.jpg", event_key="one"),
        part(watcher, "01-20261123030803-00.jpg"),
        part(watcher, "01-20261123030808-00.jpg"),
        part(watcher, "01-20261123030812-00.jpg", event_key="two"),
    ]
    assert names_by_key(watcher.group(parts, LATER)) == {
        "one": ["01-20261123030800-00.jpg", "01-20261123030803-00.jpg"],
        "two": ["01-20261123030808-00.jpg", "01-20261123030812-00.jpg"],
    }


def test_a_closed_event_to_which_nothing_came_is_left_out() -> None:
    watcher = motion()
    assert list(watcher.group([part(watcher, "01-20261123030800-00.jpg", event_key="one")], LATER)) == []


def test_a_closed_event_stays_one_when_the_settings_gap_became_shorter() -> None:
    watcher = motion(1)
    parts = [part(watcher, f"01-2026112303080{second}-00.jpg", event_key="one") for second in (0, 4, 8)]
    one = only(watcher.group([*parts, part(watcher, "01-20261123030809-00.jpg")], LATER))
    assert (one.key, len(one.parts)) == ("one", 4)


# --- a name written anew ----------------------------------------------------------------------------------------------


def test_a_name_that_was_written_anew_is_one_frame_of_one_event() -> None:
    watcher = motion()
    old = part(watcher, "2026-11-23/03-08-01.jpg", content=b"old")
    new = part(watcher, "2026-11-23/03-08-01.jpg", content=b"new", seen_at=MOMENT + SECOND)
    one = only(watcher.group([new, old], LATER))
    assert {found.id for found in one.parts} == {old.id, new.id}
    assert one.facts["frames"] == 1


def test_a_picture_that_is_rewritten_within_its_second_waits_longer() -> None:
    rewritten = motion().claim(seen_file(ROOT / "2026-11-23/03-08-01.jpg"))
    once = motion().claim(seen_file(ROOT / "01-20261123030801-00.jpg"))
    assert isinstance(rewritten, Claim)
    assert isinstance(once, Claim)
    assert rewritten.quiet >= 2 * SECOND > once.quiet


# --- movies -----------------------------------------------------------------------------------------------------------


def test_a_movie_goes_to_the_best_picture_that_follows_it() -> None:
    found = grouped(
        motion(),
        "01-20261123030801.mp4",
        "01-20261123030809-02.jpg",
        "02-20261123030816.mp4",
        "02-20261123031016-02.jpg",
    )
    assert sorted(map(len, found.values())) == [2, 2]


def test_movies_of_one_split_event_go_to_its_one_picture() -> None:
    """movie_max_time makes several movies of one event; `best` makes one picture."""
    movies = [f"01-20261123{time}.mp4" for time in ("030000", "030100", "030200")]
    found = grouped(motion(60), *movies, "01-20261123030105-02.jpg")
    assert list(map(len, found.values())) == [4]


def test_a_movie_rather_goes_to_the_picture_after_it_than_to_one_before() -> None:
    """Motion was started anew between the two, so both have number 01; a movie begins before its picture."""
    names = ["01-20261123030125.mp4", "01-20261123030130-00.jpg", "01-20261123030140.mp4", "01-20261123030200-00.jpg"]
    found = grouped(motion(), *names)
    assert sorted(map(sorted, found.values())) == [names[:2], names[2:]]


def test_without_numbers_a_movie_goes_to_the_nearest_picture() -> None:
    found = grouped(
        motion(),
        "1-01-20261123030801.mkv",
        "20261123030803-00.jpg",
        "1-02-20261123030901.mkv",
        "20261123030904-00.jpg",
    )
    assert [sorted(names) for names in found.values()] == [
        ["1-01-20261123030801.mkv", "20261123030803-00.jpg"],
        ["1-02-20261123030901.mkv", "20261123030904-00.jpg"],
    ]


def test_a_movie_alone_is_no_event_to_post() -> None:
    watcher = motion()
    one = only(watcher.group([part(watcher, "05-20261123031134.mp4")], LATER))
    assert (one.nothing, one.key) == ("no picture", "20261123031134-05")


def test_a_picture_that_comes_after_its_movie_was_given_up_keeps_that_key() -> None:
    watcher = motion()
    movie = part(watcher, "05-20261123031134.mp4", event_key="20261123031134-05")
    one = only(watcher.group([movie, part(watcher, "05-20261123031140-00.jpg")], LATER))
    assert (one.key, one.nothing, len(one.parts)) == ("20261123031134-05", "", 2)


def test_a_movie_that_is_closed_late_does_not_hold_the_pictures_up() -> None:
    watcher = motion()
    picture = part(watcher, "01-20261123030801-00.jpg")
    movie = part(watcher, "01-20261123030801.mp4", seen_at=MOMENT + 8 * SECOND)
    assert only(watcher.group([picture, movie], MOMENT + 9 * SECOND)).growing_until is None


def test_a_movie_is_never_copied() -> None:
    assert part(motion(), "01-20261123030801.mkv").files == {}


# --- one picture, one event -------------------------------------------------------------------------------------------


def test_a_picture_sent_again_under_the_same_name_is_the_same_event() -> None:
    watcher = motion(preset="reolink")
    parts = [
        part(watcher, "Front_01_20261123032900.jpg", content=b"cut"),
        part(watcher, "Front_01_20261123032900.jpg", content=b"whole", seen_at=MOMENT + SECOND),
    ]
    assert len(list(watcher.group(parts, LATER))) == 1


def test_a_cameras_movie_belongs_to_the_picture_of_the_same_name() -> None:
    found = grouped(motion(preset="reolink"), "Front_01_20261123032900.mp4", "Front_01_20261123032900.jpg")
    assert list(map(len, found.values())) == [2]


# --- titles -----------------------------------------------------------------------------------------------------------


def test_the_title_says_what_happened() -> None:
    watcher = motion(60)
    parts = [part(watcher, f"cam/01-202611230814{second:02}-00.jpg") for second in range(35)]
    assert title(only(watcher.group(parts, LATER))) == "Garden cam, 08:14: motion for 34 s, 35 frames"


def test_the_title_of_one_picture_says_no_more_than_it_knows() -> None:
    watcher = motion()
    assert title(only(watcher.group([part(watcher, "01-20261123081400-00.jpg")], LATER))) == "Garden, 08:14: motion"


def test_a_long_visit_is_told_in_minutes() -> None:
    watcher = motion(600)
    parts = [part(watcher, f"01-2026112308{minute}00-00.jpg") for minute in (14, 20)]
    assert title(only(watcher.group(parts, LATER))) == "Garden, 08:14: motion for 6 min, 2 frames"


def test_the_title_of_a_snapshot_speaks_of_no_motion() -> None:
    watcher = motion(snapshots="post")
    one = only(watcher.group([part(watcher, "01-20261123081400-snapshot.jpg")], LATER))
    assert title(one) == "Garden, 08:14: snapshot"


# --- any order --------------------------------------------------------------------------------------------------------

START = datetime(2026, 11, 23, 3, 0, 0)


@st.composite
def recorded_events(draw: st.DrawFn) -> list[list[str]]:
    """Events as Motion makes them: frames at most 5 s apart; a quiet time between; numbers that sometimes restart."""
    numbered = draw(st.booleans())
    number, at, events = 0, START, []
    for _ in range(draw(st.integers(1, 5))):
        number = 1 if draw(st.booleans()) else number + 1
        at += timedelta(seconds=draw(st.integers(7, 40)))
        names = []
        for _ in range(draw(st.integers(1, 6))):
            stem = f"{at:%Y%m%d%H%M%S}-{draw(st.integers(0, 3)):02}"
            names.append(f"cam/{number:02}-{stem}.jpg" if numbered else f"cam/{stem}.jpg")
            at += timedelta(seconds=draw(st.integers(0, 5)))
        events.append(sorted(set(names)))
        at = datetime.strptime(names[-1].rsplit("-", 2 if numbered else 1)[-2 if numbered else 0][-14:], "%Y%m%d%H%M%S")
    return events


def close(watcher: Motion, held: Sequence[Part], now: datetime) -> list[Part]:
    """As the core does: parts of whole events get the key of their event."""
    keys = {found.id: one.key for one in watcher.group(held, now) if one.growing_until is None for found in one.parts}
    return [replace(one, event_key=keys.get(one.id, one.event_key)) for one in held]


@settings(max_examples=150, deadline=None)
@given(events=recorded_events(), data=st.data())
def test_any_order_of_arrival_makes_the_same_events(events: list[list[str]], data: st.DataObject) -> None:
    watcher = motion(5)
    names = data.draw(st.permutations([name for names in events for name in names]))
    at, held = MOMENT, list[Part]()
    for name in names:
        at += timedelta(seconds=data.draw(st.sampled_from([0.0, 0.0, 0.05, 0.2])))
        held = close(watcher, [*held, part(watcher, name, seen_at=at)], at)
    held = close(watcher, held, at + timedelta(minutes=1))
    found: dict[str, list[str]] = {}
    for one in held:
        found.setdefault(one.event_key, []).append(one.name)
    assert sorted(map(sorted, found.values())) == sorted(events)


@settings(max_examples=150, deadline=None)
@given(events=recorded_events(), data=st.data())
def test_events_that_come_one_after_the_other_are_closed_one_after_the_other(
    events: list[list[str]], data: st.DataObject
) -> None:
    """Late frames, even older ones than all before, never make a second event nor change a key."""
    watcher = motion(5)
    at, held, late = MOMENT, list[Part](), list[str]()
    for names in events:
        for name in names:
            others = [one for one in names if one != name and one not in late]
            if others and name in (names[0], names[-1]) and data.draw(st.booleans()):
                late.append(name)
                continue
            held.append(part(watcher, name, seen_at=at))
        at += timedelta(minutes=1)
        held = close(watcher, held, at)
        before = {one.event_key for one in held}
        assert "" not in before
    held += [part(watcher, name, seen_at=at) for name in late]
    held = close(watcher, held, at + timedelta(minutes=1))
    assert {one.event_key for one in held} == before
    by_name = {one.name: one.event_key for one in held}
    for names in events:
        assert len({by_name[name] for name in names}) == 1
