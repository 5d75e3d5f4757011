"""What a walk over known files costs beside a bare scandir and lstat of the same tree.

python -m tests.bench --only walk, or python -m tests.bench.bench_walk [--files 200000] [--folder /dev/shm]
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mediaagent.clock import SystemClock
from mediaagent.lookout.marks import Marks
from mediaagent.lookout.walk import WalkLookout
from tests.bench.rows import Asked, Bench, Row, Target, compared, plain

ROUNDS = 5
IN_A_FOLDER = 1000


class Measured(NamedTuple):
    """Medians of interleaved rounds."""

    files: int
    bare: float  # seconds
    known_set: float
    known_marks: float
    unknown: float
    more_megabytes: float  # the most that marks and walks held beyond what the bare listing left
    rounds: list[list[float]]  # seconds of each way, in this order

    @property
    def times_bare(self) -> float:
        return max(self.known_set, self.known_marks) / self.bare


def measure(files: int, folder: Path | None = None) -> Measured:
    """Makes a tree of empty files, walks it in each way, and removes it."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        _plant(Path(name), files)
        return _measure(Path(name), files)


def _measure(top: Path, files: int) -> Measured:
    lookout = WalkLookout(SystemClock())
    _bare(top)
    gc.collect()
    before = _resident_megabytes()
    most = before
    known, marks = set[int](), Marks()
    for file in lookout.walk(top, (), print):
        mark = lookout.mark(file)
        known.add(mark)
        marks.add(mark)

    def swept() -> int:
        with marks.sweep():
            return sum(1 for _ in lookout.walk(top, marks, print))

    ways: list[Callable[[], int]] = [
        lambda: files - _bare(top),
        lambda: sum(1 for _ in lookout.walk(top, known, print)),
        swept,
        lambda: sum(1 for _ in lookout.walk(top, (), print)) - files,
    ]
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for way, took in zip(ways, seconds, strict=True):
            begun = time.perf_counter()
            assert way() == 0
            took.append(time.perf_counter() - begun)
            most = max(most, _resident_megabytes())
    assert len(marks) == files
    return Measured(files, *(statistics.median(took) for took in seconds), most - before, seconds)


def _plant(top: Path, files: int) -> None:
    for number in range(files):
        if number % IN_A_FOLDER == 0:
            folder = top / f"camera-{number // IN_A_FOLDER:04}"
            folder.mkdir()
        os.close(os.open(f"{folder}/01-20261123030801-{number % IN_A_FOLDER:03}.jpg", os.O_CREAT | os.O_WRONLY))


def _bare(top: Path) -> int:
    folders, count = [os.fspath(top)], 0
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    count += 1
    return count


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(asked: Asked) -> list[Row]:
    files = 20_000 if asked.quick else 100_000
    memory = Path("/dev/shm")
    found = measure(files, memory if memory.is_dir() else None)
    bare, known, swept, fresh = ([1000 * seconds for seconds in way] for way in found.rounds)
    beside, most = "scandir + stat", Target(2, least=False)
    return [
        compared("walk", f"{files:,} known files, swept", "ms", swept, beside, bare, most),
        compared("walk", f"{files:,} known files", "ms", known, beside, bare, most),
        compared("walk", f"{files:,} files, none known", "ms", fresh, beside, bare),
        plain("walk", "memory for what is known", "MB", [found.more_megabytes]),
    ]


BENCH = Bench("walk", "Walks", __doc__, run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="where the tree is made (default: the system's temporary folder)")
    options = parser.parse_args()
    measured = measure(options.files, options.folder)
    print(f"{measured.files} files in folders of {IN_A_FOLDER}, medians of {ROUNDS} rounds")
    for what, seconds in (
        ("bare scandir + lstat", measured.bare),
        ("walk, all known (set)", measured.known_set),
        ("walk, all known (Marks, swept)", measured.known_marks),
        ("walk, none known", measured.unknown),
    ):
        speed = measured.files / seconds / 1000
        print(f"  {what:32} {seconds:7.3f} s  {speed:7.0f} k files/s  x {seconds / measured.bare:.2f}")
    print(f"  memory, set and Marks together   {measured.more_megabytes:7.1f} MB more")


if __name__ == "__main__":
    main()
