"""A camera with much to see: 500 pictures of 25 visits, of which `motion` makes 25 posts, each `best_frame`'s choice.

Counted are the pictures that were looked at. The time in which the agent only waits for visits to end is taken off: it
is the camera's, not the machine's. Beside it photo.sh, which looks at nothing and posts each picture. Besides:
`best_frame` by itself, in a workbench that is warm, beside OpenCV just decoding the same pictures.

python -m tests.bench --only motion
"""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy

from mediaagent.model import Event, Fingerprint, Part, Post, PostPart
from mediaagent.workbench.bench import ProcessWorkbench
from tests.bench.bench_burst import FEW, by_photo_sh
from tests.bench.rows import Asked, Bench, Row, Target, compared, plain
from tests.bench.stage import SinkProcess, agent, ground, pictures, posting_settings, sink

__all__ = ["BENCH"]

ROUNDS = 3
VISITS, FRAMES = 25, 20
MOMENT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
QUIET = 1.0  # seconds: what `motion` waits by itself before it takes a picture with a frame number as finished
SETTINGS = """
[agent]
state = "state"
[watch.camera]
type = "motion"
path = "watched"
access = "public"
timezone = "UTC"
event_gap = "2s"
[upload.site]
type = "known"
site = "{site}"
user = "birdcam"
key = "file:known.key"
"""


def run(asked: Asked) -> list[Row]:
    """Rounds in turn."""
    visits, rounds = (3, 1) if asked.quick else (VISITS, asked.times(ROUNDS))
    ours, theirs = [], []
    folder = ground("motion")
    with sink() as site:
        taken = pictures(folder / "pictures", visits * FRAMES)
        for number in range(rounds):
            place = folder / f"ours-{number}"
            site.fresh()
            ours.append(by_us(place, site, taken, asked))
            if asked.photo_sh and not asked.profile:
                place = folder / f"photo.sh-{number}"
                place.mkdir()
                site.fresh()
                theirs.append(by_photo_sh(asked.photo_sh, place, site, taken[:FEW]).rate)
        choosing = _choosing(folder, taken, asked)
    what, measure = "motion and best_frame", "pictures/s"
    if not theirs:
        return [plain("motion", what, measure, ours), choosing]
    return [compared("motion", what, measure, ours, "photo.sh", theirs, Target(5)), choosing]


def by_us(place: Path, site: SinkProcess, taken: list[Path], asked: Asked) -> float:
    """Pictures looked at a second, from the first one's beginning to the last post's arrival, without the waiting."""
    with agent(place, posting_settings(place, site.address, SETTINGS), asked) as running:
        begun, wall = time.monotonic(), time.time()
        for number, file in enumerate(taken):
            visit, frame = divmod(number, FRAMES)
            name = f"{visit:02}-20261123{8 + visit // 60:02}{visit % 60:02}{frame:02}-00.jpg"
            shutil.copyfile(file, place / "watched" / name)
        came = site.wait_for(len(taken) // FRAMES, 300, *filter(None, [running.process]))
        ((secured,),) = running.ask("SELECT max(at) FROM history WHERE what = 'secured'")
        ((whole,),) = running.ask("SELECT min(at) FROM history WHERE what = 'event new'")
        ((parts, events),) = running.ask("SELECT count(*), count(DISTINCT event) FROM parts WHERE event IS NOT NULL")
    assert (parts, events) == (len(taken), len(taken) // FRAMES), (parts, events)
    assert secured > wall + QUIET
    took = max(each.at for each in came) - begun - QUIET - max(whole - secured, 0.0)
    return len(taken) / took


# --- best_frame by itself ---------------------------------------------------------------------------------------------


def _choosing(folder: Path, taken: list[Path], asked: Asked) -> Row:
    post, event = _visit(taken[: 60 if asked.quick else 200])
    decoded, chosen = [], []
    bench = ProcessWorkbench()
    try:
        for number in range(2 if asked.quick else 5):
            made = folder / f"chosen-{number}"
            made.mkdir()
            begun = time.perf_counter()
            bench.prepare(post, event, [("best_frame", {})], made)
            chosen.append(len(event.parts) / (time.perf_counter() - begun))
            decoded.append(_decoding([part.file for part in event.parts]))
    finally:
        bench.close()
    # The first one starts the child.
    return compared("motion", "best_frame alone", "pictures/s", chosen[1:], "cv2.imdecode alone", decoded[1:])


def _decoding(files: list[Path]) -> float:
    begun = time.perf_counter()
    for file in files:
        assert cv2.imdecode(numpy.frombuffer(file.read_bytes(), numpy.uint8), cv2.IMREAD_COLOR) is not None
    return len(files) / (time.perf_counter() - begun)


def _visit(taken: list[Path]) -> tuple[Post, Event]:
    parts = tuple(
        Part(
            id=f"{number:026}",
            source="camera",
            role="picture",
            path=file,
            name=file.name,
            files={"picture": file},
            sha256=f"{number:064x}",
            size=file.stat().st_size,
            media_type="image/jpeg",
            fingerprint=Fingerprint(1, number, file.stat().st_size, number),
            seen_at=MOMENT,
            modified_at=MOMENT,
            facts={"frame": number},
        )
        for number, file in enumerate(taken)
    )
    event = Event(id=1, source="camera", key="1", kind="motion", happened_at=MOMENT, facts={}, revision=1, parts=parts)
    shown = tuple(_shown(part) for part in parts)
    return Post(kind="photo", title="A visit", happened_at=MOMENT, source="camera", key="k", parts=shown), event


def _shown(part: Part) -> PostPart:
    return PostPart(file=part.file, role="picture", media_type="image/jpeg", name=part.name, size=part.size)


BENCH = Bench("motion", "A camera's visits", __doc__, run, ("photo.sh",))
