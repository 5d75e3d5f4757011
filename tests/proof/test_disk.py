"""A disk that is full, fails, is read-only, or has damaged what it held; and is well again afterwards."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.proof.judge import Posted
from tests.proof.lives import Life, a_site
from tests.proof.record import Record, Tried
from tests.proof.scenes import SCENES, Scene
from tests.proof.small_disk import on_a_disk
from tests.system.agent import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

CALLS = ("openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "mkdir", "ftruncate")
CODES = ("ENOSPC", "EIO", "EDQUOT")
#: The short form lets every so manieth call fail, the long one too: codes, once or on and on, and calls come in turn.
STRIDE, LONG_STRIDE = 263, 29
#: So often the disk refuses a running agent, which tries again after ten seconds, or a minute.
FAILURES = 3


def test_after_an_error_of_the_disk_at_any_call_all_is_well_again(
    scene: Scene, laid: dict[str, Path], undisturbed: Life, record: Record, tmp_path: Path
) -> None:
    truth = undisturbed.found()
    with a_site() as double:
        counts = Life(tmp_path / "counted", scene, laid[scene.name], double).struck({}).calls

    def life(case: tuple[str, str, int, int]) -> Tried:
        code, call, first, last = case
        folder = tmp_path / "-".join(map(str, case))
        with a_site() as double:
            life = Life(folder, scene, laid[scene.name], double)
            spec = {"short": [call, first]} if code == "short" else {"errors": [[call, first, last, code]]}
            struck = life.struck(spec)
            life.freshen()
            wrong = life.finish()
            found = [wrong] if wrong else life.judged(truth)
        if not found:
            shutil.rmtree(folder)
        return Tried([f"{code} at {struck.last}: {each}" for each in found], fired=struck.struck)

    record.each(scene.name, _cases(counts, LONG_STRIDE if record.long else STRIDE), life)


def _cases(counts: Counter[str], stride: int) -> Iterator[tuple[str, str, int, int]]:
    """Once, and from there on until the agent ends; and writes of which only half is done."""
    number = 0
    for call in CALLS:
        for first in range(1, counts[call] + 1):
            kinds = [(code, last) for code in CODES for last in (first, 0)]
            kinds += [("short", first)] if call in ("write", "pwrite64") else []
            for code, last in kinds:
                number += 1
                if number % stride == 0:
                    yield code, call, first, last


# --- real disks -------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_and_then_has_room_again(
    scene: Scene, laid: dict[str, Path], undisturbed: Life, record: Record, tmp_path: Path
) -> None:
    """A small disk under state and page."""
    truth = undisturbed.found()

    def life(size: int) -> Tried:
        with a_site() as double:
            life = Life(tmp_path / str(size), scene, laid[scene.name], double)
            ended, _ = on_a_disk(life, f"SMALL {size}", "RUN", "LARGE", "FINISH")
            return Tried([*ended, *life.judged(truth)])

    sizes = range(40, 1500, 40) if record.long else (60, 180, 420, 700)
    record.each(f"{scene.name}, a small disk", sizes, life)


def test_a_disk_that_is_read_only_and_then_is_not(
    scene: Scene, laid: dict[str, Path], undisturbed: Life, record: Record, tmp_path: Path
) -> None:
    truth = undisturbed.found()

    def life(at_work: bool) -> Tried:
        begun = ["RUN FOR A MOMENT"] if at_work else []
        with a_site() as double:
            life = Life(tmp_path / str(at_work), scene, laid[scene.name], double)
            ended, told = on_a_disk(life, "LARGE", *begun, "READ-ONLY", "RUN", "WRITABLE", "FINISH")
            silent = [] if "read-only" in told.lower() else [f"it does not say that the disk is read-only: {told}"]
            return Tried([*ended, *silent, *life.judged(truth)])

    record.each(f"{scene.name}, read-only", (False, True), life)


# --- an agent that goes on --------------------------------------------------------------------------------------------


def test_an_agent_that_runs_recovers_by_itself(laid: dict[str, Path], record: Record, tmp_path: Path) -> None:
    """The disk fails for a while under a running agent, which nobody starts again."""
    scene = SCENES["camera"]
    with a_site() as double:
        whole = Life(tmp_path / "whole", scene, laid["camera"], double)
        whole.freshen()
        assert not whole.finish()
        truth = whole.found()

    def life(case: tuple[str, str, int]) -> Tried:
        code, call, first = case
        with a_site() as double:
            folder = tmp_path / "-".join(map(str, case))
            life = Life(folder, scene, folder / "watched", double)
            life.watched.mkdir()
            go = life.folder / "go"
            errors = [[call, first, first + FAILURES - 1, code]]
            with life.running({"errors": errors, "from": str(go)}) as agent:
                wait_for(lambda: "running" in (life.folder / "agent.log").read_text(), 30)
                go.touch()
                life.freshen()
                scene.lay(life.watched)
                try:
                    wait_for(lambda: life.judged(truth) == [], 150)
                except AssertionError:
                    return Tried([*life.judged(truth), (life.folder / "agent.log").read_text()[-3000:]])
                assert agent.poll() is None, "it has ended"
        return Tried(times=FAILURES)

    short = [("ENOSPC", "pwrite64", 60), ("EIO", "fdatasync", 4), ("EDQUOT", "fsync", 3)]
    places = [(call, first) for call in CALLS for first in range(1, 200, 23)]
    every = [(CODES[number % len(CODES)], *place) for number, place in enumerate(places)]
    record.workers *= 2  # they wait, mostly
    record.each("while it runs", every if record.long else short, life)


# --- a damaged memory -------------------------------------------------------------------------------------------------


def _delete(database: Path, chance: random.Random) -> None:
    for path in database.parent.glob("outbox.db*"):
        path.unlink()


def _halve(database: Path, chance: random.Random) -> None:
    os.truncate(database, database.stat().st_size // 2)


def _empty(database: Path, chance: random.Random) -> None:
    os.truncate(database, 0)


def _no_header(database: Path, chance: random.Random) -> None:
    _overwrite(database, 0, bytes(100))


def _garbage(database: Path, chance: random.Random) -> None:
    """One page of noise, as a failing memory card gives it."""
    pages = {
        path: path.stat().st_size // 4096 for path in (database, database.with_name("outbox.db-wal")) if path.exists()
    }
    path = max(pages, key=lambda path: pages[path])
    _overwrite(path, 4096 * chance.randrange(pages[path]), chance.randbytes(4096))


def _other_file(database: Path, chance: random.Random) -> None:
    database.write_bytes(b"Dear diary, this is no database at all.\n" * 200)


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "deleted": _delete,
    "cut in half": _halve,
    "emptied": _empty,
    "without its header": _no_header,
    "another file": _other_file,
    "a page of noise": _garbage,
}


#: A page of noise may lie where nothing is; an empty memory may be one that was just made; the log mends what it holds.
NOTICED = ("cut in half", "without its header", "another file")


def test_a_damaged_memory_is_made_again_and_nothing_posted_twice(
    scene: Scene, laid: dict[str, Path], undisturbed: Life, record: Record, tmp_path: Path
) -> None:
    truth: dict[str, Counter[Posted]] = undisturbed.found()

    def life(case: tuple[str, int]) -> Tried:
        damage, seed = case
        folder = tmp_path / f"{damage}-{seed}"
        with a_site() as double:
            life = Life(folder, scene, laid[scene.name], double)
            if seed % 2:  # in the middle of it
                life.struck({"kill": ["sendto", 3]})
            else:
                assert not life.finish()
            DAMAGES[damage](life.state / "outbox.db", random.Random(seed))
            life.freshen()
            wrong = life.finish()
            found = [wrong] if wrong else life.judged(truth)
            if (
                damage in NOTICED
                and not seed % 2
                and "memory was lost and made again" not in (folder / "agent.log").read_text()
            ):
                found.append("it does not say so")
        if not found:
            shutil.rmtree(folder)
        return Tried(found)

    seeds = range(8) if record.long else range(2)
    cases = [(damage, seed) for damage in DAMAGES for seed in seeds]
    if not record.long:
        cases += [("a page of noise", seed) for seed in range(2, 8)]
    record.each(f"{scene.name}, a damaged memory", cases, life)
