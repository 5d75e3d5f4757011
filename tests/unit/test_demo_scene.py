"""The demo's camera: what it draws, and that it writes as Motion does."""

from __future__ import annotations

import re
import struct
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from mediaagent.demo import draw_visit
from mediaagent.demo import scene as camera

STARTED = datetime(2026, 5, 3, 6, 14, 0, tzinfo=UTC)
PICTURE = re.compile(r"01-(\d{14})-(\d\d)\.jpg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "new" / "camera"
    draw_visit(folder, started=STARTED, pace=1000)
    return folder


@pytest.fixture(scope="module")
def frames() -> list[camera.Frame]:
    return list(camera.frames())


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if PICTURE.fullmatch(path.name))


def exif(path: Path) -> dict[int, bytes]:
    """The tags of a JPEG's EXIF directories, with their raw values."""
    content = path.read_bytes()
    start = content.index(b"Exif\0\0") + 6
    tiff, tags = content[start:], {}
    todo = [struct.unpack(">I", tiff[4:8])[0]]
    while todo:
        at = todo.pop()
        for number in range(struct.unpack(">H", tiff[at : at + 2])[0]):
            tag, kind, count, value = struct.unpack(">HHI4s", tiff[at + 2 + 12 * number : at + 14 + 12 * number])
            size = count * {2: 1, 3: 2, 4: 4, 7: 1, 8: 2}[kind]
            where = int.from_bytes(value, "big")
            tags[tag] = tiff[where : where + size] if size > 4 else value[:size]
            if tag == 0x8769:
                todo.append(where)
    return tags


def sharpness(frame: camera.Frame) -> float:
    """Of what moved."""
    x, y, width, height = frame.moved
    part = frame.picture[max(0, y - height // 2) : y + height // 2, max(0, x - width // 2) : x + width // 2]
    blurred = cv2.GaussianBlur(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), (0, 0), 1.5)  # without the sensor's noise
    return float(cv2.Laplacian(blurred, cv2.CV_64F).var())


def test_the_names_are_motions_and_run_on_at_four_a_second(folder: Path) -> None:
    names = [path.name for path in pictures(folder)]
    assert len(names) == 16
    local = STARTED.astimezone()
    assert names[0] == f"01-{local:%Y%m%d%H%M}00-02.jpg"
    assert names[-1] == f"01-{local:%Y%m%d%H%M}04-01.jpg"
    others = {path.name for path in folder.iterdir()} - set(names)
    assert others == {
        f"01-{local:%Y%m%d%H%M}00.mkv",
        f"01-{local:%Y%m%d%H%M}00-snapshot.jpg",
        f"01-{local:%Y%m%d%H%M}02-02m.jpg",
        "lastsnap.jpg",
    }


def test_lastsnap_is_a_link_to_the_snapshot(folder: Path) -> None:
    assert (folder / "lastsnap.jpg").readlink() == Path(f"01-{STARTED.astimezone():%Y%m%d%H%M}00-snapshot.jpg")


def test_every_picture_is_whole_and_carries_its_time_and_what_moved(folder: Path, frames: list[camera.Frame]) -> None:
    for path, frame in zip(pictures(folder), frames, strict=True):
        decoded = cv2.imread(str(path))
        assert decoded is not None
        assert decoded.shape == (480, 640, 3)
        tags = exif(path)
        stamp = PICTURE.fullmatch(path.name)
        assert stamp
        assert re.sub(rb"[: \0]", b"", tags[0x9003]).decode() == stamp[1]
        assert struct.unpack(">4H", tags[0x9214]) == frame.moved
        assert tags[0x0132] == tags[0x9003]
        assert tags[0x9000] == b"0220"


def test_the_movie_holds_every_frame(folder: Path) -> None:
    [movie] = folder.glob("*.mkv")
    reader = cv2.VideoCapture(str(movie))
    count = 0
    while reader.read()[0]:
        count += 1
    assert count == 16


def test_the_bird_comes_and_goes_in_a_blur_and_sits_sharp_in_between(frames: list[camera.Frame]) -> None:
    sitting = min(sharpness(frame) for frame in frames[9:13])
    assert max(sharpness(frames[0]), sharpness(frames[-1])) < sitting / 4
    for frame in (frames[0], frames[-1]):  # partly out of sight
        x, _, width, _ = frame.moved
        assert x - width // 2 <= 1
    for frame in frames[4:13]:
        x, y, width, height = frame.moved
        assert x - width // 2 > 0
        assert x + width // 2 < camera.WIDTH
        assert y - height // 2 > 0
        assert y + height // 2 < camera.HEIGHT


def test_what_moved_is_where_the_picture_differs_from_the_empty_garden(frames: list[camera.Frame]) -> None:
    frame = frames[12]  # the feeder hangs still
    gray = cv2.GaussianBlur(cv2.absdiff(frame.picture, camera.empty()), (0, 0), 3).max(axis=2)
    rows, columns = np.nonzero(gray > 25)
    x, y, width, _ = frame.moved
    assert abs((rows.min() + rows.max()) / 2 - y) < 12
    assert abs((columns.min() + columns.max()) / 2 - x) < 12
    assert abs(columns.max() - columns.min() - width) < 30


def test_it_takes_as_long_as_a_visit_takes(tmp_path: Path) -> None:
    begun = time.monotonic()
    draw_visit(tmp_path, started=STARTED, pace=4)
    assert time.monotonic() - begun >= 5 / 4 - 0.01


LINUX = [pytest.param(None, id="linux")] if sys.platform == "linux" else []


@pytest.mark.parametrize("_system", LINUX)
def test_the_movie_is_made_first_and_closed_last_and_each_picture_is_closed_once(tmp_path: Path, _system: None) -> None:
    events = list(_events_of(tmp_path))
    [movie] = tmp_path.glob("*.mkv")
    made = [name for what, name in events if what == "create"]
    closed = [name for what, name in events if what == "close"]
    names = [path.name for path in pictures(tmp_path)]
    assert made[0].endswith("-snapshot.jpg")
    assert made[1] == "lastsnap.jpg"
    assert made[2] == movie.name
    assert [name for name in made if name in names] == names
    assert [name for name in closed if name in names] == names
    assert closed[-1] == movie.name


def _events_of(folder: Path) -> Iterator[tuple[str, str]]:
    import pyinotify

    seen: list[tuple[str, str]] = []

    class Recorder(pyinotify.ProcessEvent):  # type: ignore[misc]
        def process_IN_CREATE(self, event: pyinotify.Event) -> None:  # noqa: N802
            seen.append(("create", event.name))

        def process_IN_CLOSE_WRITE(self, event: pyinotify.Event) -> None:  # noqa: N802
            seen.append(("close", event.name))

    manager = pyinotify.WatchManager()
    notifier = pyinotify.Notifier(manager, Recorder(), timeout=100)
    try:
        manager.add_watch(str(folder), pyinotify.IN_CREATE | pyinotify.IN_CLOSE_WRITE)
        draw_visit(folder, started=STARTED, pace=1000)
        while notifier.check_events():
            notifier.read_events()
            notifier.process_events()
    finally:
        notifier.stop()
    return iter(seen)
