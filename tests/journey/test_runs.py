"""What test runs need of the core: evidence that isn't whole, what no post shows, the same again, and news only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaagent.model import Bucket, Claim, Defaults, Event, Ignored, Part, SeenFile, Sighting
from tests.journey.house import Crash, Fuse, House

QUIET = timedelta(seconds=5)
WHOLE, CUT = "<testsuite></testsuite>", "<testsuite><testcase"


class Runs:
    """A watcher of RUN/NAME: each folder is a run; .core files are no post's; .bin files are taken if they are PDFs."""

    defaults: ClassVar[Defaults] = Defaults(title="{{ run }}", reopen=timedelta(minutes=15), form="entry")
    news = False

    def __init__(self, root: Path) -> None:
        self.roots = (root,)

    def claim(self, file: SeenFile) -> Claim | Ignored:
        run, suffix = file.path.parent.name, file.path.suffix
        if suffix == ".bin":
            return Claim(role="found", quiet=timedelta(0), only=("application/pdf",), together=run)
        xml = suffix == ".xml"
        return Claim(
            role=suffix[1:],
            quiet=timedelta(0) if xml else timedelta(seconds=1),
            anyhow=QUIET if xml else None,
            together=run,
            identity=str(file.mtime_ns),
        )

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        runs: dict[str, list[Part]] = {}
        for part in parts:
            runs.setdefault(part.path.parent.name, []).append(part)
        for run, found in runs.items():
            bad = any("not_whole" in part.facts or part.role == "core" for part in found)
            yield Sighting(
                key=run,
                kind="run",
                happened_at=max(part.modified_at for part in found),
                parts=tuple(found),
                unshown=tuple(part for part in found if part.role == "core"),
                facts={"run": run},
                growing_until=max(part.seen_at for part in found) + QUIET,
                together=run,
                keep=timedelta(days=14) if bad else timedelta(0),
                topic="nightly" if self.news else "",
                outcome=("failed" if bad else "passed") if self.news else "",
            )


class News(Runs):
    news = True


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, make_watcher=Runs)


def leave(house: House, **files: str) -> None:
    """`run__name_xml="content"` leaves run/name.xml."""
    for name, content in files.items():
        run, _, file = name.partition("__")
        path = house.root / run / re.sub(r"_(\w+)$", r".\1", file)
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        os.utime(path, (house.clock.now().timestamp(),) * 2)


def work(house: House, seconds: int) -> None:
    for _ in range(seconds):
        house.clock.advance(1)
        house.work()


def noted(house: House) -> dict[str, tuple[str, str]]:
    with house.state.database.reading() as connection:
        rows = connection.execute("SELECT path, state, reason FROM files WHERE state <> 'taken'").fetchall()
    return {Path(row["path"].decode()).name: (row["state"], row["reason"]) for row in rows}


def titles(house: House) -> list[str]:
    return sorted(post.title for post in house.site.said.values())


def test_a_report_that_was_cut_is_taken_as_it_is_after_a_while(house: House) -> None:
    leave(house, a__r_xml=CUT)
    work(house, 4)
    assert not house.state.outbox.open_parts()
    work(house, 12)
    ((_, media),) = house.site.posts
    assert media == {"r.xml": CUT}
    (part,) = (part for _, part in _parts(house))
    assert "does not parse" in part.facts["not_whole"]


def test_an_empty_report_is_evidence_too(house: House) -> None:
    leave(house, a__r_xml="")
    work(house, 16)
    assert [media for _, media in house.site.posts] == [{"r.xml": ""}]


def test_a_report_that_is_finished_in_time_is_taken_whole(house: House) -> None:
    leave(house, a__r_xml=CUT)
    work(house, 3)
    leave(house, a__r_xml=WHOLE)
    work(house, 20)
    assert [media for _, media in house.site.posts] == [{"r.xml": WHOLE}]


def test_a_file_of_another_kind_than_was_looked_for_is_noted_and_left(house: House) -> None:
    leave(house, a__x_bin="no PDF at all", a__y_bin="%PDF-1.4\n%%EOF\n")
    work(house, 20)
    assert noted(house)["x.bin"] == ("unwanted", "it is text/plain; of this name only application/pdf is taken")
    assert [media for _, media in house.site.posts] == [{"y.bin": "%PDF-1.4\n%%EOF\n"}]


def test_a_run_is_not_closed_while_one_of_its_files_is_still_written(house: House) -> None:
    leave(house, a__r_xml=WHOLE)
    for line in range(30):
        with open(house.root / "a" / "long.log", "a") as log:
            log.write(f"{line}\n")
        house.clock.advance(0.5)
        house.work()
        assert not house.site.posts
    work(house, 15)
    ((_, media),) = house.site.posts
    assert sorted(media) == ["long.log", "r.xml"]


def test_a_file_that_never_becomes_whole_does_not_hold_up_its_run_for_ever(house: House) -> None:
    leave(house, a__r_xml=WHOLE)
    (house.root / "a" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    work(house, 20)
    assert [sorted(media) for _, media in house.site.posts] == [["r.xml"]]


def test_what_no_post_shows_is_the_events_and_stays_for_its_time(house: House) -> None:
    leave(house, a__r_xml=WHOLE, a__x_core="memory")
    work(house, 20)
    ((_, media),) = house.site.posts
    assert sorted(media) == ["r.xml"]
    core = next(part for _, part in _parts(house) if part.role == "core")
    assert not core.shown
    house.clock.advance(timedelta(days=13).total_seconds())
    house.housekeeping.tidy()
    assert core.file.read_text() == "memory"
    house.clock.advance(timedelta(days=2).total_seconds())
    house.housekeeping.tidy()
    assert not core.file.exists()


def test_what_is_kept_for_longer_makes_room_when_there_is_none(house: House) -> None:
    leave(house, a__x_core="memory")
    work(house, 20)
    (core,) = (part for _, part in _parts(house))
    house.housekeeping.release(timedelta(0))
    assert not core.file.exists()


def test_what_no_post_shows_is_still_shown_by_none_after_a_lost_database(house: House) -> None:
    house.site.mood = "down"
    leave(house, a__r_xml=WHOLE, a__x_core="memory")
    work(house, 12)
    house.close()
    for file in (house.folder / "state").glob("outbox.db*"):
        file.unlink()
    house.site.mood = "up"
    house.open()
    house.settle()
    ((_, media),) = house.site.posts
    assert sorted(media) == ["r.xml"]


def _parts(house: House) -> list[tuple[int, Part]]:
    with house.state.database.reading() as connection:
        ids = [row["id"] for row in connection.execute("SELECT id FROM events").fetchall()]
    events = [event for each in ids if (event := house.state.outbox.event(each))]
    return [(event.id, part) for event in events for part in event.parts]


# --- the same again ---------------------------------------------------------------------------------------------------


def by_content(event: Event) -> Bucket:
    text = "".join(sorted(part.file.read_text() for part in event.parts))
    return Bucket(key=text.encode().hex()[:64].ljust(8, "0"), within=timedelta(days=30), link=f"https://ci/{event.key}")


def test_the_same_again_is_counted_at_the_first_post(house: House) -> None:
    house.bucket = by_content
    for run in ("a", "b", "c"):
        leave(house, **{f"{run}__r_log": "boom"})
        work(house, 20)
    assert titles(house) == ["a (3 times)"]
    (said,) = house.site.said.values()
    assert said.body[0].text.startswith("Seen 3 times: first on 2026-11-23 ")  # type: ignore[union-attr]
    assert said.body[1].url == "https://ci/c"  # type: ignore[union-attr]
    leave(house, d__r_log="another crash")
    work(house, 20)
    assert titles(house) == ["a (3 times)", "d"]


def test_the_same_is_counted_before_its_first_post_has_left(house: House) -> None:
    house.bucket = by_content
    house.site.mood = "down"
    for run in ("a", "b"):
        leave(house, **{f"{run}__r_log": "boom"})
        work(house, 20)
    house.settle()
    assert titles(house) == ["a (2 times)"]
    assert len(house.site.posts) == 1


def test_after_the_bucket_s_time_the_same_is_a_post_of_its_own(house: House) -> None:
    house.bucket = by_content
    leave(house, a__r_log="boom")
    work(house, 20)
    house.clock.advance(timedelta(days=31).total_seconds())
    leave(house, b__r_log="boom")
    work(house, 20)
    assert titles(house) == ["a", "b"]


def test_a_run_that_grows_into_another_failure_is_counted_no_more(house: House) -> None:
    house.bucket = by_content
    for run in ("a", "b"):
        leave(house, **{f"{run}__r_log": "boom"})
        work(house, 20)
    assert titles(house) == ["a (2 times)"]
    leave(house, b__late_log="and a second failure")
    work(house, 20)
    assert titles(house) == ["a", "b"]


def test_a_post_that_its_owner_dropped_counts_nothing(house: House) -> None:
    house.bucket = by_content
    house.site.mood = "down"
    leave(house, a__r_log="boom")
    work(house, 20)
    with house.state.database.transaction() as connection:
        connection.execute("UPDATE deliveries SET state = 'dropped'")
    leave(house, b__r_log="boom")
    work(house, 20)
    house.settle()
    assert titles(house) == ["b"]


def test_a_post_that_was_deleted_on_the_site_counts_nothing_and_no_failure_is_lost_with_it(house: House) -> None:
    house.bucket = by_content
    for run in ("a", "b"):
        leave(house, **{f"{run}__r_log": "boom"})
        work(house, 20)
    assert titles(house) == ["a (2 times)"]
    house.site.posts.clear()
    house.site.said.clear()
    leave(house, c__r_log="boom")
    work(house, 30)
    assert titles(house) == ["c"]
    leave(house, d__r_log="boom")
    work(house, 20)
    assert titles(house) == ["c (2 times)"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["up", "loses the reply", "down"]), st.integers(0, 60)), min_size=3, max_size=6)
)
def test_kills_and_lost_replies_change_no_count(
    tmp_path_factory: pytest.TempPathFactory, lives: list[tuple[str, int]]
) -> None:
    house = House(tmp_path_factory.mktemp("house"), make_watcher=Runs)
    house.bucket = by_content
    for number, (mood, steps) in enumerate(lives):
        leave(house, **{f"run{number}__r_log": "boom"})
        house.site.mood = mood
        fuse = Fuse()
        fuse.steps = steps
        try:
            with fuse.laid():
                work(house, 12)
        except Crash:
            house.restart()
    house.settle()
    assert len(house.site.posts) == 1
    (said,) = house.site.said.values()
    assert said.seen is not None
    assert said.seen.times == len(lives)
    house.close()


# --- news only --------------------------------------------------------------------------------------------------------


def test_only_the_first_failure_and_the_first_success_after_it_are_told(tmp_path: Path) -> None:
    house = House(tmp_path, make_watcher=News)
    for run, content in enumerate([WHOLE, CUT, CUT, WHOLE, WHOLE, CUT]):
        leave(house, **{f"run{run}__r_xml": content})
        work(house, 25)
    assert titles(house) == ["run1", "run3", "run5"]


def test_a_failure_that_comes_back_after_a_success_is_news_though_it_is_the_same_again(tmp_path: Path) -> None:
    house = House(tmp_path, make_watcher=News)
    house.bucket = lambda event: Bucket(key="0" * 8, within=timedelta(days=30))
    for run, content in enumerate([CUT, WHOLE, CUT]):
        leave(house, **{f"run{run}__r_xml": content})
        work(house, 25)
    assert titles(house) == ["run0", "run1", "run2"]


def test_a_success_that_turns_out_to_be_none_is_told(tmp_path: Path) -> None:
    house = House(tmp_path, make_watcher=News)
    leave(house, run0__r_xml=WHOLE)
    work(house, 20)
    assert not house.site.posts
    leave(house, run0__x_core="late")
    work(house, 20)
    assert titles(house) == ["run0"]
