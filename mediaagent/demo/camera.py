"""The demo's camera: plays a robin's visit to a feeder into a folder, file by file, in Motion's order.

The order, names and EXIF are those of Motion 4.5.1: a snapshot with its link, then an event: the movie is there first
and empty, the pictures of just before the motion follow in quick succession, then one picture a frame, and the movie is
closed last.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from .exif import with_exif
from .metronome import metronome

__all__ = ["draw_visit"]

_BEFORE = 2  # Motion's pre_capture: it writes that many frames from before it noticed the motion
_BUFFER = 28672  # Motion writes a picture in pieces of this size
_DEBUGGED = 8  # the frame that gets a motion picture beside it (picture_output_motion)


def draw_visit(folder: Path, *, started: datetime, pace: float = 1.0) -> None:
    """Plays the visit, which lasts 5 s; `pace` is how many times as fast. The names carry `started`, as local time."""
    from . import scene  # OpenCV, which only the demo's own process needs

    folder.mkdir(parents=True, exist_ok=True)
    local = started.astimezone()
    wait = metronome(pace)
    _snapshot(folder, local, scene.empty())

    event = local + timedelta(seconds=0.5)
    held, movie = [], None
    for number, frame in enumerate(scene.frames()):
        moment = event + timedelta(seconds=number / scene.FPS)
        held.append((moment, frame))
        if number < _BEFORE:
            continue
        wait((moment - local).total_seconds())
        movie = movie or _movie(folder / f"01-{event:%Y%m%d%H%M%S}.mkv", scene)
        for taken, one in held:
            _write(folder / _name(taken), with_exif(_jpeg(one.picture), taken, one.moved))
            movie.write(one.picture)
        if number == _DEBUGGED:
            _write(
                folder / _name(moment, "m"), with_exif(_jpeg(_difference(frame.picture, scene)), moment, frame.moved)
            )
        held.clear()
    wait((moment - local).total_seconds() + 0.75)  # nothing moves any more: the event is over
    assert movie is not None
    movie.release()


def _name(moment: datetime, mark: str = "") -> str:
    """Motion's `%v-%Y%m%d%H%M%S-%q`: event number, second, frame within the second."""
    return f"01-{moment:%Y%m%d%H%M%S}-{moment.microsecond // 250_000:02}{mark}.jpg"


def _snapshot(folder: Path, moment: datetime, picture: Any) -> None:
    path = folder / f"01-{moment:%Y%m%d%H%M%S}-snapshot.jpg"
    _write(path, with_exif(_jpeg(picture), moment, (0, 0, 0, 0)))
    last = folder / "lastsnap.jpg"
    last.unlink(missing_ok=True)
    last.symlink_to(path.name)


def _movie(path: Path, scene: Any) -> Any:
    import cv2

    path.touch()  # and so it stays, empty, until it is closed
    return cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), scene.FPS, (scene.WIDTH, scene.HEIGHT))


def _difference(picture: Any, scene: Any) -> Any:
    import cv2

    return cv2.cvtColor(cv2.absdiff(picture, scene.empty()), cv2.COLOR_BGR2GRAY)


def _jpeg(picture: Any) -> bytes:
    import cv2

    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1])


def _write(path: Path, content: bytes) -> None:
    """As Motion does: under its final name, in pieces, and no fsync."""
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), _BUFFER):
            file.write(content[start : start + _BUFFER])
