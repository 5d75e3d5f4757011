"""The walk: what it finds, what it survives, and what it costs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaagent.clock import SystemClock
from mediaagent.lookout.marks import Marks
from mediaagent.lookout.walk import WalkLookout, looks_linked
from mediaagent.model import Hint
from tests.bench.bench_walk import measure


@pytest.fixture
def lookout() -> WalkLookout:
    return WalkLookout(SystemClock())


class TestWalk:
    def test_it_goes_deeper_than_a_function_may_call_itself(self, lookout: WalkLookout, deep: Path) -> None:
        hints: list[Hint] = []
        found = [file.path.name for file in lookout.walk(deep, (), hints.append)]
        assert found == ["1500.jpg"]
        assert [hint.kind for hint in hints] == ["trouble"]  # beyond the longest path that the system takes
        assert "can't be read: File name too long" in hints[0].detail

    def test_a_folder_that_vanishes_during_the_walk_is_no_trouble(self, lookout: WalkLookout, tmp_path: Path) -> None:
        for name in "abc":
            (tmp_path / name).mkdir()
            (tmp_path / name / "1.jpg").touch()
        hints: list[Hint] = []
        walk = lookout.walk(tmp_path, (), hints.append)
        first = next(walk).path.parent
        for name in {"a", "b", "c"} - {first.name}:
            shutil.rmtree(tmp_path / name)
        assert list(walk) == []
        assert hints == []

    def test_a_file_that_vanishes_during_the_walk_is_no_trouble(self, lookout: WalkLookout, tmp_path: Path) -> None:
        for number in range(3):
            (tmp_path / str(number)).touch()
        hints: list[Hint] = []
        walk = lookout.walk(tmp_path, (), hints.append)
        first = next(walk).path
        for path in set(tmp_path.iterdir()) - {first}:
            path.unlink()
        assert list(walk) == []
        assert hints == []

    def test_a_missing_folder_is_trouble_only_when_it_is_a_root(self, lookout: WalkLookout, tmp_path: Path) -> None:
        hints: list[Hint] = []
        root = tmp_path / "root"
        lookout.watch([root], hints.append)
        assert list(lookout.walk(root / "gone", (), hints.append)) == []
        assert hints == []
        assert list(lookout.walk(root, (), hints.append)) == []
        assert [(hint.kind, hint.path) for hint in hints] == [("trouble", root)]

    def test_a_hint_at_a_link_leads_nowhere(self, lookout: WalkLookout, tmp_path: Path) -> None:
        (tmp_path / "root").mkdir()
        (tmp_path / "secret").mkdir()
        (tmp_path / "secret" / "a.jpg").touch()
        (tmp_path / "root" / "folder").symlink_to(tmp_path / "secret")
        lookout.watch([tmp_path / "root"], print)
        assert list(lookout.walk(tmp_path / "root" / "folder", (), print)) == []

    def test_it_asks_for_a_known_file_once_and_makes_nothing_of_it(self, lookout: WalkLookout, tmp_path: Path) -> None:
        class Asked(list[int]):
            def __contains__(self, mark: object) -> bool:
                self.append(mark)  # type: ignore[arg-type]
                return True

        for number in range(5):
            (tmp_path / str(number)).touch()
        asked = Asked()
        assert list(lookout.walk(tmp_path, asked, print)) == []
        assert len(set(asked)) == len(asked) == 5

    @pytest.mark.slow
    @pytest.mark.bench
    def test_walking_known_files_costs_little_more_than_listing_them(self) -> None:
        memory = Path("/dev/shm")
        measured = measure(200_000, memory if memory.exists() else None)
        assert measured.times_bare <= 3
        assert measured.more_megabytes <= 100


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """2,500 folders within each other, with one file at 1,500."""
    top = tmp_path / "deep"
    top.mkdir()
    inside = os.open(top, os.O_RDONLY)
    for depth in range(2500):
        os.mkdir("d", dir_fd=inside)
        inside, outside = os.open("d", os.O_RDONLY, dir_fd=inside), inside
        os.close(outside)
        if depth == 1500:
            os.close(os.open("1500.jpg", os.O_CREAT, dir_fd=inside))
    os.close(inside)
    yield top
    subprocess.run(["rm", "-rf", top], check=True)  # Python's rmtree is recursive


class TestMarks:
    def test_what_was_not_met_in_a_sweep_is_forgotten(self) -> None:
        marks = Marks([1, 2, 3])
        with marks.sweep():
            assert 2 in marks
            marks.add(4)
            marks.discard(3)
        assert sorted(marks) == [2, 4]
        assert len(marks) == 2

    def test_a_sweep_that_failed_forgets_nothing(self) -> None:
        marks = Marks([1, 2])
        with pytest.raises(OSError), marks.sweep():
            raise OSError
        assert sorted(marks) == [1, 2]

    def test_what_is_met_between_two_sweeps_has_to_be_met_again(self) -> None:
        marks = Marks([1])
        with marks.sweep():
            assert 1 in marks
        assert 1 in marks
        with marks.sweep():
            pass
        assert list(marks) == []

    def test_after_a_walk_it_holds_the_files_that_are_there(self, lookout: WalkLookout, tmp_path: Path) -> None:
        for number in range(9):
            (tmp_path / str(number)).touch()
        marks = Marks()
        for file in lookout.walk(tmp_path, marks, print):
            marks.add(lookout.mark(file))
        for number in range(4):
            (tmp_path / str(number)).unlink()
        with marks.sweep():
            assert list(lookout.walk(tmp_path, marks, print)) == []
        assert len(marks) == 5


class TestCreatedNames:
    def test_a_file_just_begun_does_not_look_linked(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"x")
        assert not looks_linked(str(tmp_path / "a"))

    def test_a_second_name_looks_linked_and_so_does_the_one_that_is_left(self, tmp_path: Path) -> None:
        (tmp_path / "a").touch()
        os.link(tmp_path / "a", tmp_path / "b")
        assert looks_linked(str(tmp_path / "b"))
        (tmp_path / "a").unlink()
        os.utime(tmp_path / "b", ns=(1, 1))
        assert looks_linked(str(tmp_path / "b"))

    def test_nothing_else_looks_linked(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("a")
        os.mkfifo(tmp_path / "pipe")
        assert not any(looks_linked(str(tmp_path / name)) for name in ("link", "pipe", "missing", "."))
