"""What an owner can say of a camera, and what is said of mistakes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mediaagent.api import Claim, Ignored
from mediaagent.builtin.watchers.motion import Motion
from mediaagent.options import build, to_table
from mediaagent.testing import seen_file

ROOT = Path("/cameras")


def role(watcher: Motion, name: str) -> str:
    answer = watcher.claim(seen_file(ROOT / name))
    return answer.role if isinstance(answer, Claim) else ""


def why(watcher: Motion, name: str) -> str:
    answer = watcher.claim(seen_file(ROOT / name))
    assert isinstance(answer, Ignored)
    return answer.reason


def test_motions_own_gap_is_the_default() -> None:
    assert Motion(path=ROOT).event_gap == timedelta(seconds=60)


def test_a_pattern_replaces_the_built_in_ones_of_its_kind_only() -> None:
    watcher = Motion(path=ROOT, pattern="%$-%Y%m%d-%H%M%S-%q")
    assert role(watcher, "gate-20261123-030801-00.jpg") == "picture"
    assert role(watcher, "01-20261123030801-00.jpg") == ""
    assert role(watcher, "01-20261123030801.mkv") == "movie"


def test_a_snapshot_pattern_tells_snapshots_apart() -> None:
    watcher = Motion(path=ROOT, snapshot_pattern="snap/%Y%m%d%H%M%S-%q", snapshots="post")
    assert role(watcher, "snap/20261123030801-00.jpg") == "snapshot"
    assert role(watcher, "20261123030801-00.jpg") == "picture"


def test_one_pattern_for_both_makes_them_all_pictures() -> None:
    same = "%Y-%m-%d/%H-%M-%S"
    assert role(Motion(path=ROOT, pattern=same, snapshot_pattern=same), "2026-11-23/03-08-01.jpg") == "picture"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lastsnap.jpg", "newest snapshot"),
        ("01-20261123030801-snapshot.jpg", 'snapshots = "post"'),
        ("01-20261123030801-00m.jpg", "debug view"),
        ("01-20261123030801-00r.jpg", "cut-out"),
        ("01-20261123030801m.mkv", "debug view"),
        ("20261123-timelapse.mpg", "time-lapse"),
        ("2026-11-23/03-23-06.mp4.thumb", "preview"),
        (".01-20261123030801-00.jpg", "hidden"),
        (".pureftpd-upload.6b03b5e9.49f4", "temporary name"),
        (".in.01-20261123030801-00.jpg.", "temporary name"),
        ("01-20261123030801-00.jpg.tmp", "temporary name"),
        ("Front_02_tmp.jpg", "temporary name"),
        ("holiday.jpg", "`pattern`"),
        ("holiday.mp4", "`movie_pattern`"),
        ("motion.log", "neither a picture nor a movie"),
    ],
)
def test_why_a_file_is_ignored_is_said_in_plain_words(name: str, reason: str) -> None:
    assert reason in why(Motion(path=ROOT), name)


@pytest.mark.parametrize("option", ["pattern", "snapshot_pattern", "movie_pattern"])
def test_a_pattern_that_can_not_be_read_is_told_at_the_settings(option: str) -> None:
    made, problems = build(Motion, {"path": "x", option: "%v-%&"}, where="watch.garden", base=ROOT)
    assert made is None
    assert [problem.where for problem in problems] == [f"watch.garden.{option}"]
    assert "%& is not one of Motion's specifiers" in problems[0].what


def test_a_preset_and_a_pattern_do_not_go_together() -> None:
    made, problems = build(Motion, {"path": "x", "preset": "reolink", "pattern": "%v"}, where="watch.garden", base=ROOT)
    assert made is None
    assert "keep one of them" in problems[0].what


def test_another_process_can_build_it_again() -> None:
    watcher = Motion(path=ROOT, pattern="%v-%q", event_gap=timedelta(seconds=5))
    table = {name: value for name, value in to_table(watcher).items() if value is not None}
    assert build(Motion, table, where="watch.garden", base=ROOT)[0] == watcher


def test_the_root_may_be_the_present_folder() -> None:
    answer = Motion(path=Path()).claim(seen_file(Path("cam/01-20261123030801-00.jpg")))
    assert isinstance(answer, Claim)
