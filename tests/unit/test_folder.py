"""Any folder: one file, one event."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mediaagent.api import Claim, Ignored
from mediaagent.builtin.watchers.folder import Folder
from mediaagent.options import build
from mediaagent.testing import MOMENT, part_of, seen_file

ROOT = Path("/inbox")


def folder(**options: Any) -> Folder:
    return Folder(path=ROOT, **options)


def takes(watcher: Folder, name: str) -> bool:
    return isinstance(watcher.claim(seen_file(ROOT / name)), Claim)


def test_every_file_is_taken_when_nothing_is_said() -> None:
    assert takes(folder(), "a.jpg")
    assert takes(folder(), "a/b/c")


@pytest.mark.parametrize(
    ("pattern", "name", "taken"),
    [
        ("*.jpg", "a.jpg", True),
        ("*.jpg", "deep/er/a.JPG", True),
        ("*.jpg", "a.jpg.bak", False),
        ("a/*.jpg", "a/b.jpg", True),
        ("a/*.jpg", "a/b/c.jpg", False),
        ("a/*.jpg", "b/a/c.jpg", False),
        ("/a.jpg", "a.jpg", True),
        ("/a.jpg", "b/a.jpg", False),
        ("a/**/*.jpg", "a/c.jpg", True),
        ("a/**/*.jpg", "a/b/b/c.jpg", True),
        ("**/out/**", "x/out/y/z.wav", True),
        ("img?.[jp]*", "img7.png", True),
        ("img[!0-9].png", "img7.png", False),
        ("img[!0-9].png", "imgx.png", True),
        ("a.b", "axb", False),
        ("(1).jpg", "(1).jpg", True),
        ("[[].jpg", "[.jpg", True),
        ("*", "new\nline.jpg", True),
    ],
)
def test_patterns_choose_files_by_their_name_below_the_root(pattern: str, name: str, taken: bool) -> None:
    assert takes(folder(patterns=[pattern]), name) is taken


def test_ignored_files_are_left_though_a_pattern_matches() -> None:
    watcher = folder(patterns=["*.jpg"], ignore=["*-small.jpg", "drafts/**"])
    assert [takes(watcher, name) for name in ("a.jpg", "a-small.jpg", "drafts/b.jpg")] == [True, False, False]


@pytest.mark.parametrize(
    "name", [".a.jpg", ".git/a.jpg", "a.jpg.part", "a.tmp", "a.jpg.filepart", "a_tmp.jpg", "a.jpg~", "x/Thumbs.db"]
)
def test_hidden_and_temporary_names_are_left_alone(name: str) -> None:
    assert not takes(folder(), name)


@pytest.mark.parametrize("name", ["part.jpg", "my.part.jpg", "tmp/a.jpg", "a_tmp/b.jpg", "template.pdf", "a~b.jpg"])
def test_names_that_only_look_a_little_like_those_are_taken(name: str) -> None:
    assert takes(folder(), name)


def test_an_empty_file_is_not_taken_until_something_is_in_it() -> None:
    assert isinstance(folder().claim(seen_file(ROOT / "a.jpg", size=0)), Ignored)


def test_a_file_waits_for_its_marker() -> None:
    claim = folder(done=".done").claim(seen_file(ROOT / "x/a.jpg"))
    assert isinstance(claim, Claim)
    assert claim.done == ROOT / "x/a.jpg.done"


def test_a_marker_points_to_its_file() -> None:
    answer = folder(done=".done").claim(seen_file(ROOT / "x/a.jpg.done", size=0))
    assert isinstance(answer, Ignored)
    assert answer.about == ROOT / "x/a.jpg"


@pytest.mark.parametrize("name", [".done", "x/.done"])
def test_a_marker_of_nothing_is_a_hidden_file(name: str) -> None:
    answer = folder(done=".done").claim(seen_file(ROOT / name))
    assert isinstance(answer, Ignored)
    assert answer.about is None


def test_quiet_is_the_owners_to_say() -> None:
    claim = folder(quiet=timedelta(seconds=7)).claim(seen_file(ROOT / "a.jpg"))
    assert isinstance(claim, Claim)
    assert claim.quiet == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [("image/png", "picture"), ("audio/x-wav", "audio"), ("video/mp4", "video"), ("application/pdf", "file")],
)
def test_what_a_file_is_its_content_says(media_type: str, kind: str) -> None:
    made = part_of(folder(), ROOT / "x/a.b.bin", media_type=media_type, content=b"1234")
    assert made is not None
    (sighting,) = folder().group([made], MOMENT)
    assert (sighting.kind, sighting.growing_until) == (kind, None)
    assert sighting.facts == {"name": "a.b.bin", "stem": "a.b", "folder": "x", "size": 4, "media_type": media_type}


@pytest.mark.parametrize(
    ("options", "where", "what"),
    [
        ({"patterns": []}, "watch.in.patterns", "no file at all"),
        ({"patterns": ["*.jpg", ""]}, "watch.in.patterns", "empty pattern"),
        ({"ignore": ["a[z-a]"]}, "watch.in.ignore", "'a[z-a]' is not a pattern"),
        ({"done": "a/b"}, "watch.in.done", ".done"),
        ({"done": ""}, "watch.in.done", ".done"),
    ],
)
def test_settings_that_could_not_work_are_told(options: dict[str, Any], where: str, what: str) -> None:
    made, problems = build(Folder, {"path": "in", **options}, where="watch.in", base=ROOT)
    assert made is None
    assert [problem.where for problem in problems] == [where]
    assert what in problems[0].what
