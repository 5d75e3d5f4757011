"""Motion's own file-name syntax, read."""

from __future__ import annotations

import pytest

from mediaagent.builtin.watchers.motion_names import (
    MOVIE_TYPES,
    MOVIES,
    PICTURE_TYPES,
    PICTURES,
    PRESETS,
    FileName,
    compiled,
)


def read(pattern: str, name: str) -> FileName | None:
    return compiled([pattern], PICTURE_TYPES).read(name)


@pytest.mark.parametrize(
    ("name", "number", "at", "frame"),
    [
        ("01-20261123030801-03.jpg", "01", "2026-11-23T03:08:01", 3),
        ("12345-20261123030801-103.webp", "12345", "2026-11-23T03:08:01", 103),
        ("20261123030801-03.jpg", "", "2026-11-23T03:08:01", 3),
        ("2026-11-23/03-08-01.jpg", "", "2026-11-23T03:08:01", None),
        ("2026-11-23/03-08-01-03.jpg", "", "2026-11-23T03:08:01", 3),
    ],
)
def test_names_are_known_without_a_setting(name: str, number: str, at: str, frame: int | None) -> None:
    said = compiled(PICTURES, PICTURE_TYPES).read(f"garden/{name}")
    assert said is not None
    assert (said.folder, said.number, said.at, said.frame) == ("garden", number, at, frame)


@pytest.mark.parametrize("name", ["1-02-20261123030801.mkv", "02-20261123030801.mp4", "2026-11-23/03-08-01.avi"])
def test_movies_are_known_without_a_setting(name: str) -> None:
    said = compiled(MOVIES, MOVIE_TYPES).read(name)
    assert said is not None
    assert said.at == "2026-11-23T03:08:01"


@pytest.mark.parametrize(
    ("pattern", "name", "camera", "number", "at"),
    [
        ("%Y%m%d/%H%M%S-%v-%q", "a/20261123/030801-07-00.jpg", "", "07", "2026-11-23T03:08:01"),
        ("cam%t/%F/%T-%v-%q", "cam3/2026-11-23/03:08:01-07-00.jpg", "3", "07", "2026-11-23T03:08:01"),
        (
            "%$/%Y%m%d/%Y%m%d%H%M%S_%q",
            "front door/20261123/20261123030801_00.jpg",
            "front door",
            "",
            "2026-11-23T03:08:01",
        ),
        ("%y%m%d-%H%M%S-%D-%ix%J", "261123-030801-15300-64x48.jpg", "", "", "2026-11-23T03:08:01"),
        ("%Y%m%d%H%M%S-%{host}-%4v", "20261123030801-pi-0007.jpg", "", "0007", "2026-11-23T03:08:01"),
        ("/%v-%Y%m%d%H%M%S", "07-20261123030801.jpg", "", "07", "2026-11-23T03:08:01"),
        ("100%%-%v-%Y%m%d%H%M%S", "100%-07-20261123030801.jpg", "", "07", "2026-11-23T03:08:01"),
        ("%v-%Y%m%d%H%M%S", "07-20161231235960.jpg", "", "07", "2016-12-31T23:59:59"),
    ],
)
def test_a_line_of_motion_conf_can_be_copied(pattern: str, name: str, camera: str, number: str, at: str) -> None:
    said = read(pattern, name)
    assert said is not None
    assert (said.camera, said.number, said.at) == (camera, number, at)


def test_a_name_without_a_full_time_says_none() -> None:
    said = read("%C/%v-%q", "20261123030801/01-02.jpg")
    assert said is not None
    assert (said.event, said.number, said.frame, said.at) == ("20261123030801", "01", 2, "")


def test_seconds_of_the_epoch_are_a_time() -> None:
    said = read("%s-%q", "1795403281-02.jpg")
    assert said is not None
    assert said.epoch == 1795403281


def test_an_event_id_is_read() -> None:
    said = read("%{eventid}-%q", "0000120261123030802-02.jpg")
    assert said is not None
    assert said.event == "0000120261123030802"


def test_free_text_at_the_end_may_end_in_m() -> None:
    said = read("%v-%q-%C", "01-02-alarm.jpg")
    assert said is not None
    assert (said.event, said.suffix) == ("alarm", "")


@pytest.mark.parametrize(("name", "suffix"), [("01-02m.jpg", "m"), ("01-02r.jpg", "r"), ("01-02.jpg", "")])
def test_debug_pictures_are_told_by_their_last_letter(name: str, suffix: str) -> None:
    said = read("%v-%q", name)
    assert said is not None
    assert said.suffix == suffix


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "empty pattern"),
        ("///", "empty pattern"),
        ("%v-%Y%m%d%H%M%S-%q.jpg", 'leave ".jpg" out'),
        ("%v-%E", "%E is not one of Motion's specifiers"),
        ("%v-%", "a single %"),
        ("%v-%{evenid}", "%{eventid}"),
        ("%f", "commands only"),
        ("%-d", "%- is not"),
    ],
)
def test_a_pattern_that_motion_would_not_know_is_refused_with_a_reason(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("{", r"\{").replace("(", r"\(")):
        compiled([pattern], PICTURE_TYPES)


@pytest.mark.parametrize(
    "name",
    [
        "1-20261123030801-03.jpg",  # %v has two digits at least
        "01-20261323030801-03.jpg",  # no thirteenth month
        "01-20261123250801-03.jpg",  # no such hour
        "01-20261123030801-03.jpg\n",
        "٠١-20261123030801-03.jpg",
        "01-20261123030801-03.jpg.bak",
        "01-20261123030801-.jpg",
    ],
)
def test_names_that_motion_does_not_give_are_not_read(name: str) -> None:
    assert compiled(PICTURES, PICTURE_TYPES).read(name) is None


@pytest.mark.parametrize(
    "folder",
    ["cam/2026-11-23", "cam/20261123", "cam/2026/11/23", "cam/2026/11", "cam/2026", "cam/2026-11-23/03", "cam"],
)
def test_folders_by_date_are_no_part_of_the_camera(folder: str) -> None:
    said = compiled(PICTURES, PICTURE_TYPES).read(f"{folder}/01-20261123030801-03.jpg")
    assert said is not None
    assert said.folder == "cam"


@pytest.mark.parametrize("folder", ["cam1", "10", "cam-2026", "2026garden"])
def test_other_numbers_in_folders_are(folder: str) -> None:
    said = compiled(PICTURES, PICTURE_TYPES).read(f"{folder}/01-20261123030801-03.jpg")
    assert said is not None
    assert said.folder == folder


def test_presets_read_the_time() -> None:
    reolink = PRESETS["reolink"].read("2026/11/23/Front_01_20261123032900.jpg")
    hikvision = PRESETS["hikvision"].read("gate/10.0.0.7_01_20261123032900123_MOTION_DETECTION.JPG")
    assert reolink is not None
    assert hikvision is not None
    assert (reolink.folder, reolink.at) == ("", "2026-11-23T03:29:00")
    assert (hikvision.folder, hikvision.at, hikvision.frame) == ("gate", "2026-11-23T03:29:00", 123)
