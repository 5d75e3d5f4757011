"""Test runs on their way: what is taken when, what is another run, and what stays one."""

from __future__ import annotations

import gzip
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard

from mediaagent.builtin.watchers.artifacts import Artifacts
from mediaagent.errors import SpoolFull
from mediaagent.store.spool import DiskSpool
from tests.journey.house import House
from tests.unit.artifacts import RUN
from tests.unit.core_dumps import Written

FAILED = (
    "<testsuite><testcase classname='t' name='a'/><testcase classname='t' name='b'><failure/></testcase></testsuite>"
)
PASSED = "<testsuite><testcase classname='t' name='a'/></testsuite>"
SEGV, STRIPPED = (gzip.decompress((RUN / f"tree/cores/{name}/core.gz").read_bytes()) for name in ("segv", "stripped"))


class Runs(House):
    """A house that watches a folder of test runs."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, make_watcher=lambda root: Artifacts(path=root, **options))

    def write(self, name: str, data: str | bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        os.utime(path, (self.clock.now().timestamp(),) * 2)

    def pass_time(self, seconds: float) -> None:
        """Round after round."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.work()

    @property
    def titles(self) -> list[str]:
        return [self.site.said[key].title for key, _ in self.site.posts]

    @property
    def files(self) -> list[list[str]]:
        return [sorted(media) for _, media in self.site.posts]

    def noted(self, name: str) -> tuple[str, str]:
        with self.state.database.reading() as connection:
            row = connection.execute("SELECT state, reason FROM files WHERE path = ?", (os.fsencode(self.root / name),))
            return tuple(row.fetchone())


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_a_failed_run_becomes_one_post_with_its_evidence(runs: Runs) -> None:
    runs.write("17/junit.xml", FAILED)
    runs.write("17/out.log", "boom")
    runs.write("17/core", SEGV)
    runs.write("17/run.json", '{"name": "nightly"}')
    runs.pass_time(40)
    assert runs.titles == ["nightly: 1 of 2 tests failed, 1 crash"]
    assert runs.files == [["junit.xml", "out.log"]]
    assert runs.site.said[runs.site.posts[0][0]].kind == "entry"


def test_a_run_that_passed_is_noted_and_not_posted(runs: Runs) -> None:
    runs.write("17/junit.xml", PASSED)
    runs.pass_time(40)
    assert not runs.site.posts
    with runs.state.database.reading() as connection:
        rows = connection.execute("SELECT state, reason FROM events").fetchall()
    assert [tuple(row) for row in rows] == [("dismissed", "it passed: 1 test")]


def test_the_same_run_again_in_the_same_folder_is_another_event(runs: Runs) -> None:
    for _ in range(3):
        shutil.rmtree(runs.root / "17", ignore_errors=True)
        runs.write("17/junit.xml", FAILED)
        runs.write("17/core", SEGV)
        runs.pass_time(60)
    assert len(runs.titles) == len({key for key, _ in runs.site.posts}) == 3


def test_the_same_run_at_the_same_time_in_three_folders_is_three(runs: Runs) -> None:
    for folder in ("a", "b", "c"):
        runs.write(f"{folder}/junit.xml", FAILED)
    runs.pass_time(60)
    assert sorted(runs.titles) == [f"{folder}: 1 of 2 tests failed" for folder in ("a", "b", "c")]


def test_a_folder_that_is_moved_is_the_same_run(runs: Runs) -> None:
    runs.write("17/junit.xml", FAILED)
    runs.write("17/out.log", "boom")
    runs.pass_time(60)
    (runs.root / "17").rename(runs.root / "old")
    runs.pass_time(60)
    shutil.copytree(runs.root / "old", runs.root / "on-another-disk")
    shutil.rmtree(runs.root / "old")
    runs.pass_time(60)
    assert runs.titles == ["17: 1 of 2 tests failed"]
    assert {runs.noted(f"{folder}/junit.xml")[0] for folder in ("old", "on-another-disk")} == {"renamed"}


def test_a_folder_that_is_moved_in_with_all_that_is_in_it_is_one_run(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "slug").mkdir(parents=True)
    (tmp_path / "elsewhere" / "junit.xml").write_text(FAILED)
    (tmp_path / "elsewhere" / "slug" / "out.log").write_text("boom")
    runs.pass_time(2)
    (tmp_path / "elsewhere").rename(runs.root / "17")
    runs.pass_time(40)
    assert runs.files == [["junit.xml", "slug-out.log"]]


def test_a_crash_that_the_next_one_overwrites_is_not_lost(runs: Runs) -> None:
    runs.write("17/core", SEGV)
    runs.pass_time(2)
    (runs.root / "17/core").unlink()
    runs.write("17/core", STRIPPED)
    runs.pass_time(40)
    assert runs.titles == ["17: 2 crashes"]


def test_of_a_folder_that_is_wiped_what_was_secured_is_posted_and_the_rest_is_listed(runs: Runs) -> None:
    runs.write("17/junit.xml", FAILED)
    runs.write("17/large.log", "line\n" * 1_000_000)
    runs.pass_time(2)
    shutil.rmtree(runs.root / "17")
    runs.pass_time(60)
    assert runs.files == [["junit.xml"]]
    assert runs.noted("17/large.log") == ("gone", "it was gone before it was finished")


@pytest.mark.parametrize(("written", "why"), [("", "it is empty"), (FAILED[:70], "it does not parse")])
def test_a_report_that_was_never_finished_is_a_failure(runs: Runs, written: str, why: str) -> None:
    runs.write("17/junit.xml", written)
    runs.pass_time(80)
    assert runs.titles == ["17: 1 report not whole"]
    assert [name for files in runs.files for name in files] == (["junit.xml"] if written else [])
    with runs.state.database.reading() as connection:
        assert why in connection.execute("SELECT facts FROM events").fetchone()["facts"]


def test_a_report_that_is_finished_in_time_is_whole(runs: Runs) -> None:
    runs.write("17/junit.xml", "")  # node makes it when it starts
    runs.pass_time(20)
    runs.write("17/junit.xml", FAILED)
    runs.pass_time(60)
    assert runs.titles == ["17: 1 of 2 tests failed"]


def test_a_core_that_was_cut_is_a_crash(runs: Runs) -> None:
    runs.write("17/core", SEGV[:100_000])
    runs.pass_time(25)
    assert not runs.state.outbox.open_parts()
    runs.pass_time(60)
    assert runs.titles == ["17: 1 crash"]


@pytest.mark.parametrize("name", ["core.4711", "core.press.4711.zst", "crash"])
def test_the_core_of_a_set_uid_program_is_not_attached_either(name: str, tmp_path: Path) -> None:
    runs = Runs(tmp_path, cores="attach")
    core = Written(secure=1).data()
    runs.write(f"17/{name}", zstandard.compress(core) if name.endswith(".zst") else core)
    runs.write("17/other/core", SEGV)
    runs.pass_time(40)
    assert runs.titles == ["17: 2 crashes"]
    assert runs.files == [["core"]]
    assert runs.site.posts[0][1]["core"].encode("latin-1") == SEGV


@pytest.mark.parametrize("name", ["core.4711.press.xml", "junit.xml", "press.log", "core.txt"])
def test_a_core_under_the_name_of_a_report_or_a_log_does_not_leave(name: str, runs: Runs) -> None:
    runs.write("17/test.xml", FAILED)
    runs.write(f"17/{name}", SEGV)
    runs.pass_time(40)
    assert runs.files == [["test.xml"]]
    assert runs.noted(f"17/{name}")[0] == "unwanted"


def test_a_core_is_known_by_its_content_whatever_its_name(runs: Runs) -> None:
    runs.write("17/crash-of-press", SEGV)
    runs.write("17/notes", "no core")
    runs.write("17/core.4711", "no core either")
    runs.pass_time(60)
    assert runs.titles == ["17: 1 crash"]
    for name in ("17/notes", "17/core.4711"):
        state, why = runs.noted(name)
        assert (state, "it is text/plain" in why) == ("unwanted", True)


def test_with_its_done_file_a_run_is_posted_at_once(tmp_path: Path) -> None:
    runs = Runs(tmp_path, done="exit-code")
    runs.write("17/junit.xml", FAILED)
    runs.pass_time(10)
    assert not runs.titles
    runs.write("17/exit-code", "")
    runs.pass_time(3)
    assert runs.titles == ["17: 1 of 2 tests failed"]


def test_late_evidence_changes_the_post(runs: Runs) -> None:
    runs.write("17/junit.xml", FAILED)
    runs.pass_time(60)
    runs.write("17/core", SEGV)
    runs.pass_time(60)
    assert runs.titles == ["17: 1 of 2 tests failed, 1 crash"]


def test_a_log_that_goes_on_growing_holds_its_run_open(runs: Runs) -> None:
    runs.write("17/junit.xml", FAILED)
    for line in range(60):
        runs.write("17/out.log", "line\n" * line)
        runs.pass_time(1)
        assert not runs.titles
    runs.pass_time(60)
    ((_, media),) = runs.site.posts
    assert media["out.log"] == "line\n" * 59


def test_links_and_bombs_are_left_alone(runs: Runs) -> None:
    (runs.folder / "secret").write_text("a secret")
    runs.write("17/junit.xml", FAILED)
    (runs.root / "17" / "out.log").symlink_to(runs.folder / "secret")
    runs.write("17/slug/trace.zip", b"PK\3\4" + bytes(1000))
    runs.pass_time(60)
    assert runs.files == [["junit.xml"]]


def test_without_folders_a_pause_parts_runs(tmp_path: Path) -> None:
    runs = Runs(tmp_path, run="quiet")
    runs.write("junit.xml", FAILED)
    runs.write("sub/core", SEGV)
    runs.pass_time(60)
    runs.write("sub/core", STRIPPED)
    runs.pass_time(60)
    assert runs.titles == ["watched: 1 of 2 tests failed, 1 crash", "watched: 1 crash"]


def test_of_news_only_changes_are_told(tmp_path: Path) -> None:
    runs = Runs(tmp_path, post_when="changed")
    for number, report in enumerate([PASSED, FAILED, FAILED, "", PASSED, PASSED, FAILED]):
        runs.write(f"{number}/junit.xml", report)
        runs.write(f"logs-{number}/out.log", "no run of tests")
        runs.pass_time(90)
    assert runs.titles == ["1: 1 of 2 tests failed", "4: 1 test passed", "6: 1 of 2 tests failed"]


def test_a_disk_with_room_for_a_report_but_not_for_its_core_dump_cuts_no_run_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What found room was taken for all there is, and went as a run without failures."""
    house = Runs(tmp_path)
    make_room, free = DiskSpool._make_room, [10_000]

    def as_far_as_there_is(spool: DiskSpool, size: int) -> None:
        if size > free[0]:
            raise SpoolFull("the disk takes nothing more")
        make_room(spool, size)

    monkeypatch.setattr(DiskSpool, "_make_room", as_far_as_there_is)
    house.write("run1/a.xml", PASSED)
    house.write("run1/core", SEGV)
    house.write("run1/z.log", "the end\n")
    house.pass_time(60)
    assert house.titles == []
    house.write("run0/a.xml", PASSED)  # finds room, which tells nothing of the room for a core dump
    for _ in range(60):
        house.pass_time(1)
        house.housekeeping.release(timedelta(0))  # as the agent does where there is no room
    free[0] = 1_000_000_000
    house.pass_time(60)
    house.settle()
    assert [title.partition(":")[2] for title in house.titles] == [" 1 crash"]
