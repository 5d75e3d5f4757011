"""Debian's Motion, looking at a film in which something moves now and then."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy

__all__ = ["film", "motion"]

_FRAMES = 10  # a second
_WIDTH, _HEIGHT = 320, 240
#: A camera of the test's own, before what a hook or a guide says.
_CAMERA = """
daemon off
log_file {folder}/motion.log
netcam_url file://{film}
width {width}
height {height}
framerate {frames}
threshold 500
target_dir {target}
picture_filename %v-%Y%m%d%H%M%S-%q
movie_codec mp4
event_gap 2
pre_capture 0
post_capture 0
stream_port 0
webcontrol_port 0
"""


def film(path: Path, visits: int) -> Path:
    """A white square crosses a grey field for 2 s, so many times, with 5 s in between; then nothing for a minute."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), _FRAMES, (_WIDTH, _HEIGHT))
    field = numpy.random.default_rng(1).integers(90, 110, (_HEIGHT, _WIDTH, 3), dtype="uint8")
    # Motion needs 2 s and its start to look at anything, while the film goes on already.
    for moves, seconds in [(False, 8), *[(True, 2), (False, 5)] * visits, (False, 60)]:
        for number in range(seconds * _FRAMES):
            frame = field.copy()
            if moves:
                left = 20 + number * 12
                frame[80:150, left : left + 60] = 250
            writer.write(frame)
    writer.release()
    return path


@contextmanager
def motion(folder: Path, seen: Path, words: str, environment: Mapping[str, str]) -> Iterator[Path]:
    """Motion watches the film `seen`, set up with `words`. Yields the folder that it writes to."""
    target = folder / "a camera's pictures"
    target.mkdir(parents=True, exist_ok=True)
    camera = _CAMERA.format(folder=folder, film=seen, target=target, width=_WIDTH, height=_HEIGHT, frames=_FRAMES)
    (folder / "motion.conf").write_text(camera + words)
    process = subprocess.Popen(
        ["motion", "-n", "-c", str(folder / "motion.conf")],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield target
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
