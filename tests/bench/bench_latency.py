"""From the close of a picture's file to its whole body at the server, while twenty come in a second.

python -m tests.bench --only latency
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench import stage
from tests.bench.rows import Asked, Bench, Row, Target, compared
from tests.bench.stage import QUIET, Came, Program, SinkProcess, agent, pictures, posting_settings, sink

__all__ = ["BENCH"]

ROUNDS = 3
PICTURES = 200
PACE = 0.05  # seconds from one close to the next


class Late(NamedTuple):
    """Milliseconds, of one round."""

    p50: float
    p99: float


def run(asked: Asked) -> list[Row]:
    """Rounds in turn."""
    count, rounds = (30, 1) if asked.quick else (PICTURES, asked.times(ROUNDS))
    took: dict[str, list[Late]] = {}
    folder = stage.ground("latency")
    with sink() as site:
        taken = pictures(folder / "pictures", count)
        for number in range(rounds):
            for way, call in _ways(asked, site, taken).items():
                place = folder / f"{way}-{number}"
                (place / "watched").mkdir(parents=True)
                site.fresh()
                took.setdefault(way, []).append(call(place))
    return _rows(took)


def _ways(asked: Asked, site: SinkProcess, taken: list[Path]) -> dict[str, Callable[[Path], Late]]:
    def program(make: Callable[[str, Path, int], Program]) -> Callable[[Path], Late]:
        return lambda place: by_program(make(site.address, place / "watched", len(taken)), place, site, taken)

    ways: dict[str, Callable[[Path], Late]] = {"ours": lambda place: by_us(place, site, taken, asked)}
    if not asked.profile:
        ways["floor"] = program(stage.floor)
        if shutil.which("inotifywait"):
            ways["inotifywait | curl"] = program(stage.inotify_curl)
    return ways


def by_us(place: Path, site: SinkProcess, taken: list[Path], asked: Asked) -> Late:
    """A real agent that has just posted another picture; its quiet time is taken off."""
    with agent(place, posting_settings(place, site.address), asked) as running:
        shutil.copyfile(taken[0], place / "watched" / "first.jpg")
        site.wait_for(1, 20)
        site.fresh()
        closed = pace(taken, place / "watched")
        return _late(closed, site.wait_for(len(taken), 120, *filter(None, [running.process])), QUIET)


def by_program(program: Program, place: Path, site: SinkProcess, taken: list[Path]) -> Late:
    with program.running() as process:
        closed = pace(taken, place / "watched")
        came = site.wait_for(len(taken), 120, process)
        process.wait(20)
    return _late(closed, came, 0.0)


def pace(taken: Sequence[Path], folder: Path) -> dict[str, float]:
    """Writes one after the other at the pace. Returns when each was closed."""
    closed, due = {}, time.monotonic()
    for file in taken:
        time.sleep(max(due - time.monotonic(), 0.0))
        shutil.copyfile(file, folder / file.name)
        closed[file.stem] = time.monotonic()
        due += PACE
    return closed


def _late(closed: dict[str, float], came: Sequence[Came], quiet: float) -> Late:
    late = [(each.at - closed[each.title] - quiet) * 1000 for each in came]
    assert len(late) == len(closed)
    return Late(statistics.median(late), statistics.quantiles(late, n=100)[98])


def _rows(took: dict[str, list[Late]]) -> list[Row]:
    bounds = {"p50": Target(4, least=False), "p99": Target(10, least=False)}
    figures = {
        way: {"p50": [each.p50 for each in runs], "p99": [each.p99 for each in runs]} for way, runs in took.items()
    }
    rows = []
    for share, bound in bounds.items():
        for way in [way for way in took if way != "ours"] or ["ours"]:
            target = bound if way in ("floor", "ours") else None
            what = f"close to body, {share}"
            rows.append(compared("latency", what, "ms", figures["ours"][share], way, figures[way][share], target))
    return rows


BENCH = Bench("latency", "From a file's close to the server", __doc__, run, ("inotifywait", "curl"))
