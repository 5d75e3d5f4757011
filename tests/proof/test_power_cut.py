"""The power goes at any moment: what was not flushed is gone, in every way in which a file system may lose it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proof.disk_image import KINDS, Disk, changes
from tests.proof.lives import Life, a_site
from tests.proof.record import Record, Tried
from tests.proof.scenes import Scene

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

#: Power goes just before these: then most is not flushed.
FLUSHES = ("fsync", "fdatasync")
CALLS = (*FLUSHES, "rename", "unlink", "sendto")
#: The short form lets it go at every so manieth of them.
STRIDE = 31


def test_after_a_power_cut_nothing_is_lost_and_nothing_posted_twice(
    scene: Scene, laid: dict[str, Path], undisturbed: Life, record: Record, tmp_path: Path
) -> None:
    truth = undisturbed.found()
    with a_site() as double:
        counts = Life(tmp_path / "counted", scene, laid[scene.name], double).struck({}).calls

    def life(case: tuple[str, int, str]) -> Tried:
        call, number, kind = case
        folder = tmp_path / f"{call}-{number}-{kind}"
        with a_site() as double:
            life = Life(folder, scene, laid[scene.name], double)
            struck = life.struck({"kill": [call, number], "record": str(folder / "trace")})
            cut_power(life, kind, number)
            life.freshen()
            wrong = life.finish()
            found = [wrong] if wrong else life.judged(truth)
        if not found:
            shutil.rmtree(folder)
        return Tried([f"power went before {struck.last}: {each}" for each in found], fired=struck.struck)

    record.each(scene.name, _cases(counts, record.long), life)


def cut_power(life: Life, kind: str, seed: int) -> None:
    """Puts in the place of what the agent left what a disk may have kept of it."""
    disk = Disk(life.state, life.page)
    for change in changes(life.folder / "trace"):
        disk.make(change)
    image = list(disk.image(kind, seed))
    for folder in (life.state, life.page):
        if folder.exists():
            folder.rename(folder.with_name(f"{folder.name}-before"))
    for path, content in image:
        if content is None:
            path.mkdir(mode=0o700)
        else:
            path.write_bytes(content)


def _cases(counts: dict[str, int], long: bool) -> Iterator[tuple[str, int, str]]:
    """The long form: at each flush with every kind of loss, at all other calls with the kinds in turn."""
    number = 0
    for call in CALLS:
        stride = STRIDE if not long else 1 if call in FLUSHES else 2
        for count in range(1, counts.get(call, 0) + 1):
            for kind in KINDS:
                number += 1
                if number % stride == 0:
                    yield call, count, kind


def test_what_the_model_tells_is_what_lies_there_and_all_that_counts_was_flushed(
    laid: dict[str, Path], scene: Scene, tmp_path: Path
) -> None:
    """Else a power cut here would be milder, or harder, than a real one."""
    with a_site() as double:
        life = Life(tmp_path / "whole", scene, laid[scene.name], double)
        life.struck({"record": str(life.folder / "trace")})
    disk = Disk(life.state, life.page)
    for change in changes(life.folder / "trace"):
        disk.make(change)
    flushed = {path: content for path, content in disk.image("flushed") if content is not None}
    real = {
        path: path.read_bytes()
        for folder in (life.state, life.page)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "agent.lock"  # its content is a help for people only
    }
    assert {path for path, _ in disk.image("names")} >= set(real)
    assert [path for path in real if flushed.get(path) != real[path]] == []
