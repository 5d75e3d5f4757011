"""A burst of pictures of 192 kB: how fast they are on the site, and what that costs in CPU time.

The source is a `folder` with its default settings; the two seconds for which it waits in silence are taken off. *At
once* is with an agent that has just posted something; *from idleness* it has to start its workbench first. CPU time is
that of all processes that take part, but the sink's.

python -m tests.bench --only burst
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import psutil

from tests.bench import stage
from tests.bench.rows import Asked, Bench, Row, Target, compared, plain
from tests.bench.stage import (
    QUIET,
    Program,
    SinkProcess,
    Took,
    agent,
    cpu_of,
    photo_sh_environment,
    pictures,
    posting_settings,
    sink,
)
from tests.doubles.known_sink_site import KEYS
from tests.system.agent import wait_for

__all__ = ["BENCH"]

ROUNDS = 3
PICTURES = 500
#: Those that start programs for each picture are as fast with a few as with many, and the bench has to end one day.
FEW = 40


def run(asked: Asked) -> list[Row]:
    """Rounds in turn; each way of posting gets a folder of its own each time."""
    count, rounds = (40, 1) if asked.quick else (PICTURES, asked.times(ROUNDS))
    took: dict[str, list[Took]] = {}
    folder = stage.ground("burst")
    with sink() as site:
        taken = pictures(folder / "pictures", count)
        for number in range(rounds):
            for way, call in _ways(asked, site, taken).items():
                place = folder / f"{way}-{number}"
                place.mkdir()
                site.fresh()
                took.setdefault(way, []).append(call(place))
    return _rows(took)


def _ways(asked: Asked, site: SinkProcess, taken: list[Path]) -> dict[str, Callable[[Path], Took]]:
    def program(make: Callable[[str, Path, int], Program], taken: list[Path] = taken) -> Callable[[Path], Took]:
        return lambda place: by_program(make(site.address, place / "watched", len(taken)), place, site, taken)

    few = taken[:FEW]
    ways: dict[str, Callable[[Path], Took]] = {"ours": lambda place: by_us(place, site, taken, asked)}
    if asked.profile:
        return ways
    ways["ours, from idleness"] = lambda place: by_us(place, site, taken, asked, warm=False)
    ways["floor"] = program(stage.floor)
    ways["floor that decodes"] = program(stage.decoding_floor)
    ways["motionEye's way"] = program(stage.motioneye)
    if shutil.which("inotifywait") and shutil.which("curl"):
        ways["inotifywait | curl"] = program(stage.inotify_curl, few)
    if asked.apprise:
        ways["Apprise"] = program(partial(stage.apprise, asked.apprise), few)
    if asked.photo_sh:
        ways["photo.sh"] = lambda place: by_photo_sh(asked.photo_sh, place, site, few)
    return ways


def by_us(place: Path, site: SinkProcess, taken: list[Path], asked: Asked, *, warm: bool = True) -> Took:
    """A real agent. Its quiet time is taken off; `warm`: it has just posted another picture."""
    with agent(place, posting_settings(place, site.address), asked) as running:
        assert running.process
        process = psutil.Process(running.process.pid)
        if warm:
            shutil.copyfile(taken[0], place / "watched" / "first.jpg")
            site.wait_for(1, 20, running.process)
            site.fresh()
            time.sleep(0.3)
        before, begun = cpu_of(process), time.monotonic()
        write(taken, place / "watched")
        came = site.wait_for(len(taken), 300, running.process)
        delivered = [("delivered", len(taken) + warm)]
        wait_for(lambda: running.ask("SELECT state, count(*) FROM deliveries GROUP BY state") == delivered, 20)
        cpu = cpu_of(process) - before
    return _judged(came, taken, begun + QUIET, cpu)


def by_program(program: Program, place: Path, site: SinkProcess, taken: list[Path]) -> Took:
    """A script that watches a folder and ends when it has posted all."""
    (place / "watched").mkdir()
    with program.running() as process:
        before, begun = cpu_of(psutil.Process(process.pid)), time.monotonic()
        write(taken, place / "watched")
        came = site.wait_for(len(taken), 300, process)
        _, code, used = os.wait4(process.pid, 0)
        process.returncode = code
    return _judged(came, taken, begun, used.ru_utime + used.ru_stime - before)


def by_photo_sh(script: str, place: Path, site: SinkProcess, taken: list[Path]) -> Took:
    """BashKnown's script, called for one picture after the other."""
    environment = photo_sh_environment(place)
    before, begun = os.times(), time.monotonic()
    for file in taken:
        words = [script, site.address, "birdcam", KEYS["birdcam"], file.stem, str(file)]
        done = subprocess.run(["bash", *words], input=b"a picture\n", capture_output=True, env=environment)
        assert b"location" in done.stdout, done.stderr.decode()
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return _judged(site.came(), taken, begun, cpu)


def write(taken: Sequence[Path], folder: Path) -> None:
    """As a camera's program does it: opened under its name, written, closed."""
    for file in taken:
        shutil.copyfile(file, folder / file.name)


def _judged(came: Sequence[object], taken: Sequence[Path], begun: float, cpu: float) -> Took:
    titles, wanted = sorted(each.title for each in came), sorted(file.stem for file in taken)  # type: ignore[attr-defined]
    assert titles == wanted, f"{len(titles)} came, {len(wanted)} were taken"
    return Took(max(each.at for each in came) - begun, cpu, len(came))  # type: ignore[attr-defined]


def _rows(took: dict[str, list[Took]]) -> list[Row]:
    speed = {way: [each.rate for each in runs] for way, runs in took.items()}
    cost = {way: [each.cpu_each for each in runs] for way, runs in took.items()}
    bounds = {"photo.sh": Target(15), "floor": Target(0.3)}
    others = [way for way in took if not way.startswith("ours")]
    if not others:  # profiled
        return [
            plain("burst", "pictures at once", "pictures/s", speed["ours"]),
            plain("burst", "CPU time a post", "ms", cost["ours"]),
        ]
    posts = took["ours"][0].posts
    names = {"ours": f"{posts} pictures at once", "ours, from idleness": f"{posts} pictures, from idleness"}
    rows = [
        compared("burst", what, "pictures/s", speed[ours], way, speed[way], bounds.get(way) if ours == "ours" else None)
        for ours, what in names.items()
        for way in others
    ]
    rows += [
        compared(
            "burst",
            "CPU time a post",
            "ms",
            cost["ours"],
            way,
            cost[way],
            Target(0.1, least=False) if way == "photo.sh" else None,
        )
        for way in others
    ]
    return rows


BENCH = Bench("burst", "A burst of pictures", __doc__, run, ("photo.sh", "Apprise", "inotifywait", "curl"))
