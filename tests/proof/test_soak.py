"""All producers at once, random kills, a network that fails again and again: nothing lost, and memory stays flat."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy
import psutil
import pytest

from tests.doubles.known import KnownDouble
from tests.proof.lives import Life, a_site
from tests.proof.proxy import Fault, Proxy
from tests.proof.record import Record, Tried
from tests.proof.scenes import Scene
from tests.proof.test_lost_replies import FAULTS
from tests.system.agent import DATA, items, wait_for
from tests.system.asterisk import FORMATS, Asterisk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4200)]

#: Seconds. The long one may be made shorter where the machine is not to be had for an hour; the page tells.
SHORT, LONG = 60.0, float(os.environ.get("MEDIAAGENT_PROOF_SOAK", 3600))
KINDS = ("frame", "sound", "report", "paper")
HOUSE = Scene(
    "house",
    lambda folder: None,
    """type = "motion"
event_gap = "2s"
enrich = []
title = "visit {{ date }} {{ time }}"
""",
)
MORE = """
[watch.phone]
type = "voicemail"
path = "{folder}/spool"
enrich = []
[watch.nightly]
type = "artifacts"
path = "{folder}/runs"
quiet = "2s"
enrich = []
[watch.papers]
type = "folder"
path = "{folder}/papers"
quiet = "200ms"
"""
KNOWN = 'timeout = "1s"\nsettles_after = "5s"'
#: In the end, when so long nothing more has arrived, nothing will. What arrives slowly, on a busy machine, is not lost:
#: eight programs on two cores need minutes for what a quiet machine has posted in ten seconds.
STANDSTILL = 60.0
#: What may be added between the middle of a soak and its end.
MORE_MEMORY, MORE_DESCRIPTORS = 15_000_000, 8
_JUNIT = """<testsuite name="orchard" tests="1" failures="1"><testcase classname="Press" name="squeezes{number}">
<failure message="no juice in {number}">at Press.java:{number}</failure></testcase></testsuite>
"""


@dataclass
class House:
    """All that is finished, by what it is known by; one thread a producer, until the end."""

    folder: Path
    made: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    pace: float = 1.0  # by how much all pauses are longer
    over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        for name in ("cam", "runs", "papers"):
            (self.folder / name).mkdir()
        self._asterisk = Asterisk(self.folder / "spool")
        for body, pause in ((self._visit, 3.5), (self._message, 2.0), (self._run, 3.0), (self._paper, 0.3)):
            self._threads.append(threading.Thread(target=self._again, args=(body, pause * self.pace), daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()

    def _again(self, body: Callable[[int], None], pause: float) -> None:
        number = 0
        while not self.over.wait(pause):
            body(number)
            number += 1

    def _visit(self, number: int) -> None:
        for frame in range(3):
            noise = numpy.random.default_rng(number * 10 + frame).integers(0, 255, (48, 64, 3), numpy.uint8)
            coded = bytes(cv2.imencode(".jpg", noise)[1])
            stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
            (self.folder / "cam" / f"01-{stamp}-{frame:02}.jpg").write_bytes(coded)
            self.made["frame"].add(pixels(coded))
            time.sleep(0.1)

    def _message(self, number: int) -> None:
        sounds = {ending: (DATA / "sound" / f"msg0001.{ending}").read_bytes() for ending in FORMATS}
        self._asterisk.takes(sounds, 2, caller=f"Caller {number}")
        self.made["sound"].add(f"Caller {number},")

    def _run(self, number: int) -> None:
        report = _JUNIT.format(number=number).encode()
        (self.folder / "runs" / f"run{number}").mkdir()
        (self.folder / "runs" / f"run{number}" / "junit.xml").write_bytes(report)
        self.made["report"].add(digest(report))

    def _paper(self, number: int) -> None:
        paper = f"paper {number}\n".encode()
        (self.folder / "papers" / f"paper{number}.txt").write_bytes(paper)
        self.made["paper"].add(digest(paper))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pixels(coded: bytes) -> str:
    return digest(cv2.imdecode(numpy.frombuffer(coded, numpy.uint8), cv2.IMREAD_COLOR).tobytes())


def test_all_at_once_for_a_while(record: Record, tmp_path: Path) -> None:
    seconds = LONG if record.long else SHORT
    record.each("all producers", [seconds], lambda seconds: _soaked(seconds, tmp_path))


def _soaked(seconds: float, folder: Path) -> Tried:
    seed = int(os.environ.get("MEDIAAGENT_PROOF_SEED", time.time_ns() % 1_000_000))
    chance, house = random.Random(seed), House(folder, pace=1.0 if seconds < 600 else 4.0)
    house.begin()
    with a_site() as double, Proxy(("127.0.0.1", int(double.address.rpartition(":")[2])), patience=2.0) as proxy:
        more = MORE.format(folder=folder)
        life = Life(folder / "life", HOUSE, folder / "cam", double, site=proxy.address, known=KNOWN + more)
        with life.running():
            time.sleep(4)  # the first start decides what is new
        house.start()
        kills = _with_kills(life, proxy, chance, seconds / 2)
        with life.running() as process:
            grown = _without_kills(life, process, proxy, chance, seconds / 2)
            house.end()
            proxy.lay(())
            found = _arrives(life, house, double)
        found += grown
    files = sum(map(len, house.made.values()))
    note = f"{seconds:.0f} s: {files} files and messages, {kills} kills, {proxy.struck} faults of the network"
    return Tried([f"seed {seed}: {each}" for each in found], times=kills + proxy.struck, note=note)


def _with_kills(life: Life, proxy: Proxy, chance: random.Random, seconds: float) -> int:
    """One in four is killed while it starts, the others when they have been at work for a while."""
    kills, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        life.call("queue", "retry", "--all")  # else one refusal leaves the network in peace for as long as it says
        began = _begun(life)
        with life.running() as process:
            proxy.lay(_faults(chance, 200))
            if chance.random() < 0.75:
                wait_for(lambda began=began: _begun(life) > began, 60)  # type: ignore[misc]
            time.sleep(chance.uniform(0.1, 5.0))
            process.kill()
        kills += 1
    return kills


def _begun(life: Life) -> int:
    """How often it said that it is running."""
    log = life.folder / "agent.log"
    return log.read_bytes().count(b"running") if log.exists() else 0


def _without_kills(
    life: Life, process: subprocess.Popen[bytes], proxy: Proxy, chance: random.Random, seconds: float
) -> list[str]:
    """What grew in the second half of this."""
    agent, end = psutil.Process(process.pid), time.monotonic() + seconds
    middle: tuple[int, int] | None = None
    while time.monotonic() < end:
        proxy.lay(_faults(chance, 200))
        time.sleep(4)
        life.call("queue", "retry", "--all")
        if middle is None and time.monotonic() > end - seconds / 2:
            middle = agent.memory_info().rss, agent.num_fds()
    assert middle is not None
    memory, descriptors = agent.memory_info().rss - middle[0], agent.num_fds() - middle[1]
    grown = [f"{memory / 1e6:.0f} MB more"] if memory > MORE_MEMORY else []
    return grown + ([f"{descriptors} descriptors more"] if descriptors > MORE_DESCRIPTORS else [])


def _faults(chance: random.Random, count: int) -> list[Fault | None]:
    harmless = [name for name in FAULTS if name != "413"]  # which rightly makes files smaller
    return [FAULTS[chance.choice(harmless)] if chance.random() < 0.05 else None for _ in range(count)]


def _arrives(life: Life, house: House, double: KnownDouble) -> list[str]:
    """Until all is there, by the owner's asking now and then; then what is wrong."""
    counted, moved = (0, 0), time.monotonic()
    while time.monotonic() < moved + STANDSTILL:
        there = {"known": _on_known(double), "page": _on_page(life.page)}
        if not any(_wrong(house, each) for each in there.values()):
            break
        counts = there["known"].total(), there["page"].total()
        if counts != counted:
            counted, moved = counts, time.monotonic()
        time.sleep(3)
        life.call("queue", "retry", "--all")
    time.sleep(2)
    there = {"known": _on_known(double), "page": _on_page(life.page)}
    return [f"{where}: {each}" for where, files in there.items() for each in _wrong(house, files)]


def _wrong(house: House, there: Counter[str]) -> list[str]:
    wanted = {name for names in house.made.values() for name in names}
    wrong = [f"{kind} lost: {name}" for kind, names in house.made.items() for name in sorted(names - set(there))[:3]]
    wrong += [f"a stranger: {name}" for name in sorted(set(there) - wanted)[:3]]
    return wrong + [f"posted {times} times: {name}" for name, times in there.items() if times > 1]


def _known_by(title: str, name: str, content: bytes) -> str:
    if "oicemail" in title:
        return title[title.index("Caller") : title.index(",") + 1]
    return pixels(content) if name.endswith(".jpg") else digest(content)


def _on_known(double: KnownDouble) -> Counter[str]:
    there: Counter[str] = Counter()
    for post in double.posts:
        linked = [double.site.file(part[:32]) for part in post.body.split("/file/")[1:]]
        there.update({_known_by(post.title, file.name, file.sent) for file in [*post.files, *linked] if file})
    return there


def _on_page(page: Path) -> Counter[str]:
    there: Counter[str] = Counter()
    for item in items(page):
        files = [page / each["url"].replace("%24", "$") for each in item["attachments"]]
        there.update({_known_by(item["title"], file.name, file.read_bytes()) for file in files})
    return there
