"""The agent is killed at every system call that touches its memory, its copies, its page or the site."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proof.lives import Life, a_site
from tests.proof.record import Record, Tried
from tests.proof.scenes import Scene

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

CALLS = ("openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "connect", "sendto", "recvfrom")
#: The short form kills at every seventh call, but at each with which the site is told something.
STRIDE = 7
TELLING = ("sendto", "recvfrom")


def test_a_kill_at_any_call_loses_nothing_and_doubles_nothing(
    scene: Scene, laid: dict[str, Path], undisturbed: Life, record: Record, tmp_path: Path
) -> None:
    truth = undisturbed.found()
    counts = _counted(scene, laid[scene.name], tmp_path / "counted")

    def life(case: tuple[str, int]) -> Tried:
        folder = tmp_path / f"{case[0]}-{case[1]}"
        with a_site() as double:
            life = Life(folder, scene, laid[scene.name], double)
            struck = life.struck({"kill": case})
            life.freshen()
            wrong = life.finish()
            found = [wrong] if wrong else life.judged(truth)
        if not found:
            shutil.rmtree(folder)
        return Tried([f"killed at {struck.last}: {each}" for each in found], fired=struck.struck)

    record.each(scene.name, _cases(counts, 1 if record.long else STRIDE), life)


def _counted(scene: Scene, watched: Path, folder: Path) -> dict[str, int]:
    with a_site() as double:
        return dict(Life(folder, scene, watched, double).struck({}).calls)


def _cases(counts: dict[str, int], stride: int) -> Iterator[tuple[str, int]]:
    """The long form goes on behind the count of one life, since threads don't take turns in the same way each time."""
    beyond = 2 if stride == 1 else 0
    number = 0
    for call in CALLS:
        for count in range(1, counts.get(call, 0) + beyond + 1):
            number += 1
            if number % stride == 0 or call in TELLING:
                yield call, count
