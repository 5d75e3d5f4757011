"""How long `mediaagent post photo` takes as a whole process, as a hook waits for it; beside BashKnown's photo.sh.

Calls are taken in turn, so that a busy machine is busy for all. 500 pictures that lie in the queue are sent by an agent
that is just started; what it would take to call photo.sh for each of them is reckoned from the calls that were made.

python -m tests.bench --only post [--photo-sh PATH]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mediaagent.handover import Handed, hand_over
from tests.bench.rows import Asked, Bench, Row, Target, compared, plain
from tests.bench.stage import SinkProcess, photo_sh_environment, pictures, sink
from tests.doubles.known_sink_site import KEYS
from tests.system.agent import AgentProcess
from tests.system.posting import Person

__all__ = ["BENCH"]

CALLS, PICTURES, ROUNDS = 21, 500, 3
ARRIVED = "post --queue, until it is at the site"
BOUNDS: dict[str, Target | None] = {
    "post --queue": Target(1.2, least=False),
    "post --wait, an agent runs": Target(3, least=False),
    "post --wait, alone": Target(3, least=False),
    ARRIVED: None,
}


@dataclass
class Posting:
    """People who post: one whose agent runs, one without, and one who has a backlog."""

    folder: Path
    site: SinkProcess
    asked: Asked
    times: dict[str, list[float]] = field(default_factory=dict)  # milliseconds

    def person(self, name: str) -> Person:
        person = Person(self.folder / name)
        (person.home / "agent.toml").write_text(person.settings(self.site).read_text())  # type: ignore[arg-type]
        return person

    def clock(self, name: str, call: Callable[[], int]) -> None:
        begun = time.perf_counter()
        code = call()
        took = time.perf_counter() - begun
        assert code == 0, f"{name} ended with {code}"
        self.times.setdefault(name, []).append(took * 1000)

    def measure(self, file: Path, calls: int) -> None:
        warm, cold = self.person("warm"), self.person("cold")
        (cold.home / "elsewhere").mkdir()
        ways = {
            "post --queue": lambda: _post(cold, file, "--queue", "--drop", str(cold.home / "elsewhere")),
            "post --wait, an agent runs": lambda: _post(warm, file, "--wait"),
            "post --wait, alone": lambda: _post(cold, file, "--wait"),
            **self._theirs(file),
        }
        agent = AgentProcess(warm.home, environment=warm.everything)
        agent.start()
        try:
            agent.wait_until_running()
            ways[ARRIVED] = lambda: self._until_there(warm, file)
            for number in range(calls + 2):
                if number == 2:  # the first ones find nothing in the caches
                    self.times.clear()
                for name, call in ways.items():
                    self.clock(name, call)
        finally:
            agent.stop()

    def _until_there(self, person: Person, file: Path) -> int:
        """Handed over to the running agent; it is over when the picture is at the site."""
        there = self.site.count()
        code = _post(person, file, "--queue")
        deadline = time.monotonic() + 20
        while self.site.count() == there:
            assert time.monotonic() < deadline, "it was handed over and does not arrive"
            time.sleep(0.002)
        return code

    def _theirs(self, file: Path) -> dict[str, Callable[[], int]]:
        ways: dict[str, Callable[[], int]] = {}
        if self.asked.photo_sh:
            environment = photo_sh_environment(self.folder)
            words = [self.asked.photo_sh, self.site.address, "birdcam", KEYS["birdcam"], "A bird", str(file)]

            def photo_sh() -> int:
                done = subprocess.run(["bash", *words], input=b"a bird\n", capture_output=True, env=environment)
                assert b"location" in done.stdout, done.stderr.decode()
                return done.returncode

            ways["photo.sh"] = photo_sh
        program = Path(self.asked.apprise).parent / "apprise"
        if self.asked.apprise and program.exists():
            target = self.site.address.replace("http://", "form://") + "/notify"
            apprise = [str(program), "-t", "A bird", "-b", "at the feeder", "-a", str(file), target]
            ways["Apprise's command"] = lambda: subprocess.run(apprise, capture_output=True).returncode
        return ways

    def backlog(self, file: Path, count: int, number: int) -> tuple[float, float]:
        """Pictures a second: from the agent's start on, and from the first one's arrival on."""
        person = self.person(f"backlog-{number}")
        drop = person.home / "state" / "drop"
        drop.mkdir(parents=True)
        for each in range(count):
            post = Handed(token=f"{each}", kind="photo", title=f"Bird {each}", access="public", files=["a.jpg"])
            hand_over(drop, post, [file])
        agent = AgentProcess(person.home, environment=person.everything)
        self.site.fresh()
        begun = time.monotonic()
        agent.start()
        try:
            came = self.site.wait_for(count, 600)
        finally:
            agent.stop()
        first, last = min(each.at for each in came), max(each.at for each in came)
        assert len({each.title for each in came}) == count == len(came)
        return count / (last - begun), (count - 1) / (last - first)


def _post(person: Person, file: Path, *words: str) -> int:
    command = [str(Path(sys.executable).parent / "mediaagent"), "post", "photo", str(file), "-m", "at the feeder"]
    environment = {name: value for name, value in person.everything.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run([*command, *words], stdin=subprocess.DEVNULL, capture_output=True, env=environment).returncode


def run(asked: Asked) -> list[Row]:
    calls, count, rounds = (2, 20, 1) if asked.quick else (CALLS, PICTURES, asked.times(ROUNDS))
    with tempfile.TemporaryDirectory(prefix="mediaagent-post-") as name, sink() as site:
        (file,) = pictures(Path(name) / "pictures", 1)
        posting = Posting(Path(name), site, asked)
        posting.measure(file, calls)
        backlogs = []
        for number in range(rounds):
            backlogs.append(posting.backlog(file, count, number))
            shutil.rmtree(posting.folder / f"backlog-{number}")
    whole, sending = zip(*backlogs, strict=True)
    return [*_calls(posting.times), *_backlogs(posting.times, whole, sending)]


def _calls(times: dict[str, list[float]]) -> list[Row]:
    others = [name for name in times if name not in BOUNDS]
    rows = [
        compared("post", name, "ms", times[name], other, times[other], bound if other == "photo.sh" else None)
        for name, bound in BOUNDS.items()
        for other in others
    ]
    return rows or [plain("post", name, "ms", times[name]) for name in BOUNDS]


def _backlogs(times: dict[str, list[float]], whole: tuple[float, ...], sending: tuple[float, ...]) -> list[Row]:
    names = {"queued pictures, from the agent's start": whole, "queued pictures, while it sends": sending}
    if "photo.sh" not in times:
        return [plain("post", name, "pictures/s", speed) for name, speed in names.items()]
    third = len(times["photo.sh"]) // len(whole)
    calls = [times["photo.sh"][third * part : third * (part + 1)] for part in range(len(whole))]
    theirs = [1000 * len(each) / sum(each) for each in calls]
    return [
        compared("post", name, "pictures/s", speed, "photo.sh", theirs, Target(15)) for name, speed in names.items()
    ]


BENCH = Bench("post", "Posting from the command line", __doc__, run, ("photo.sh", "Apprise"))
