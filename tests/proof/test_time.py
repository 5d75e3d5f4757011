"""The clock is set by years, stands at 1970, or changes for the summer: nothing is lost, doubled, or dated senselessly.

Each agent runs with libfaketime, which tells it another time of the wall; the steady clocks and the times of files stay
the machine's, as they do where somebody sets the clock. tests/journey/test_exactly_once.py sets a clock of its own
between any two steps.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.doubles.known import KnownDouble
from tests.proof.judge import Posted
from tests.proof.lives import Life, a_site
from tests.proof.proxy import Answered, Proxy
from tests.proof.record import Record, Tried
from tests.proof.scenes import SCENES, Scene
from tests.system.agent import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

YEAR = 365 * 86400
RECORDED = datetime(2026, 11, 23, tzinfo=UTC)  # when the scenes' cameras and telephones say that it was
#: More requests than this are a storm: a post takes ten, asking for it two.
STORM = 60


def since_1970() -> float:
    return 100 - time.time()


def before(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() - 3 - time.time()


#: Offsets of the wall's clock in seconds, one after the other.
JUMPS = {
    "a year on": (0, YEAR),
    "a year back": (0, -YEAR),
    "to 1970": (0, since_1970()),
    "from 1970": (since_1970(), 0),
    "1970 and forth and back": (since_1970(), 0, since_1970(), 0),
    "beyond 2038": (0, 13 * YEAR),
    "ten minutes on": (0, 600),
    "ten minutes back": (0, -600),
}
CHANGES = {"summer begins": "2027-03-28T01:00:00+00:00", "summer ends": "2026-10-25T01:00:00+00:00"}


class Wall:
    """The wall's clock of one life."""

    def __init__(self, life: Life) -> None:
        self._file = life.folder / "offset"
        self.set(0)
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        life.environment |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, offset: float) -> None:
        temporary = self._file.with_name("offset.new")
        temporary.write_text(f"{offset:+.0f}\n")
        temporary.rename(self._file)


def test_a_clock_that_was_set_while_the_agent_was_away(
    scene: Scene, laid: dict[str, Path], undisturbed: Life, record: Record, tmp_path: Path
) -> None:
    truth = undisturbed.found()

    def life(jump: str) -> Tried:
        with a_site() as double:
            life = Life(tmp_path / jump, scene, laid[scene.name], double, site="http://127.0.0.1:9")
            wall = Wall(life)
            for offset in JUMPS[jump][:-1]:
                wall.set(offset)
                life.call("run", "--once", "--patience", "5s")
            life.site = double.address
            life.configure()
            wall.set(JUMPS[jump][-1])
            life.freshen()
            wrong = life.finish()
            return Tried([wrong] if wrong else _judged(life, truth), times=len(JUMPS[jump]) - 1)

    short = ("to 1970", "from 1970", "a year back")
    record.each(f"{scene.name}, while it was away", JUMPS if record.long else short, life)


def test_a_clock_that_is_set_while_the_agent_runs(laid: dict[str, Path], record: Record, tmp_path: Path) -> None:
    """What waits for its site to come back is neither forgotten for a year nor tried without a pause."""
    truth = _truth(SCENES["camera"], laid, tmp_path)

    def life(jump: str) -> Tried:
        with a_site() as double, Proxy(("127.0.0.1", int(double.address.rpartition(":")[2]))) as proxy:
            proxy.lay([Answered()] * 2)
            life = Life(tmp_path / jump, SCENES["camera"], laid["camera"], double, site=proxy.address)
            wall = Wall(life)
            wall.set(JUMPS[jump][0])
            with life.running() as agent:
                wait_for(lambda: proxy.struck > 0, 60, (life.folder / "agent.log").read_text)
                for offset in JUMPS[jump][1:]:
                    wall.set(offset)
                    time.sleep(1)
                life.freshen()
                found = _waited(life, truth, 240)
                if agent.poll() is not None:
                    found.append("it has ended")
            return Tried(found, times=len(JUMPS[jump]) - 1)

    short = ("a year on", "a year back", "to 1970", "1970 and forth and back")
    record.workers = 4  # they wait, mostly
    record.each("while it runs", JUMPS if record.long else short, life)


def test_the_hour_that_comes_twice_and_the_one_that_never_comes(
    laid: dict[str, Path], record: Record, tmp_path: Path
) -> None:
    truth = _truth(SCENES["camera"], laid, tmp_path)

    def life(change: str) -> Tried:
        with a_site() as double:
            life = Life(tmp_path / change, SCENES["camera"], laid["camera"], double)
            life.environment["TZ"] = "Europe/Vienna"
            Wall(life).set(before(CHANGES[change]))
            with life.running():
                time.sleep(5)
                life.freshen()
                return Tried(_waited(life, truth, 120))

    record.each("summer time", CHANGES, life)


def test_a_file_of_a_machine_without_a_clock_is_not_dated_1970(
    laid: dict[str, Path], record: Record, tmp_path: Path
) -> None:
    """A Raspberry Pi writes its files before it knows the time, and posts them when it does."""
    truth = _truth(SCENES["camera"], laid, tmp_path)

    def life(kind: str) -> Tried:
        with a_site() as double:
            life = Life(tmp_path / "pi", SCENES["camera"], laid["camera"], double)
            life.freshen()
            os.utime(life.folder / "fresh" / "fresh.txt", (3 * 86400, 3 * 86400))
            wrong = life.finish()
            return Tried([wrong] if wrong else _judged(life, truth))

    record.each("a file of 1970", ["a file of 1970"], life)


def _truth(scene: Scene, laid: dict[str, Path], folder: Path) -> dict[str, Counter[Posted]]:
    with a_site() as double:
        life = Life(folder / "whole", scene, laid[scene.name], double)
        life.freshen()
        assert not life.finish()
        return life.found()


def _waited(life: Life, truth: dict[str, Counter[Posted]], seconds: float) -> list[str]:
    try:
        wait_for(lambda: life.judged(truth) == [], seconds)
    except AssertionError:
        return [*life.judged(truth), (life.folder / "agent.log").read_text()[-2000:]]
    time.sleep(2)
    return _judged(life, truth)


def _judged(life: Life, truth: dict[str, Counter[Posted]]) -> list[str]:
    wrong = life.judged(truth)
    wrong += _senseless(life.double)
    if len(life.double.requests) > STORM:
        wrong.append(f"a storm: {len(life.double.requests)} requests")
    return wrong


def _senseless(double: KnownDouble) -> Sequence[str]:
    """Dates that are neither the producer's nor about now."""
    now, day = datetime.now(UTC), timedelta(days=1)
    return [
        f"{post.title!r} is dated {post.created}"
        for post in double.posts
        if not any(abs(post.created - moment) < day for moment in (now, RECORDED))
    ]
