"""How long `mediaagent post photo` takes as a whole process, as a hook waits for it; beside BashKnown's photo.sh.

Calls are taken in turn, so that a busy machine is busy for all. *Queued pictures* are 500 that were handed over while
the site was down, so that they lie in the agent's queue; the clock runs from the first one's arrival to the last one's.
*Handed over while no agent ran* are 500 that still lie in the drop folder when an agent is started, which has to take
them in, prepare and send them. What it would take to call photo.sh for each of them is reckoned from the calls that
were made.

python -m tests.bench --only post [--photo-sh PATH]
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mediaagent.handover import Handed, hand_over
from tests.bench.rows import Asked, Bench, Row, Target, compared, plain
from tests.bench.stage import Came, SinkProcess, ground, photo_sh_environment, pictures, sink
from tests.doubles.known_sink_site import KEYS
from tests.system.agent import AgentProcess, wait_for
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

    def person(self, name: str, site: str) -> Person:
        person = Person(self.folder / name)
        settings = person.settings(SinkProcess(site, 0))  # type: ignore[arg-type]
        (person.home / "agent.toml").write_text(settings.read_text())
        return person

    def clock(self, name: str, call: Callable[[], int]) -> None:
        begun = time.perf_counter()
        code = call()
        took = time.perf_counter() - begun
        assert code == 0, f"{name} ended with {code}"
        self.times.setdefault(name, []).append(took * 1000)

    def measure(self, file: Path, calls: int) -> None:
        warm, cold = (self.person(name, self.site.address) for name in ("warm", "cold"))
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

    def queued(self, file: Path, count: int, name: str) -> float:
        """Pictures a second, of so many that wait in the queue of an agent whose site comes back."""
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
        person = self.person(name, f"http://127.0.0.1:{port}")
        self._hand_over(person, file, count)
        agent = AgentProcess(person.home, environment=person.everything)
        agent.start()
        try:
            agent.wait_until_running()
            ready = "SELECT count(*) FROM deliveries WHERE ready = 1 AND state = 'waiting'"
            wait_for(lambda: agent.ask(ready) == [(count,)], 120)
            with sink(port) as site:
                person.call("nudge")
                came = site.wait_for(count, 600)
        finally:
            agent.stop()
        return (count - 1) / _seconds(came)

    def from_nothing(self, file: Path, count: int, name: str) -> tuple[float, float]:
        """Pictures a second, of so many that were handed over while no agent ran: from its start on, and from the first
        one's arrival on."""
        person = self.person(name, self.site.address)
        self._hand_over(person, file, count)
        agent = AgentProcess(person.home, environment=person.everything)
        self.site.fresh()
        begun = time.monotonic()
        agent.start()
        try:
            came = self.site.wait_for(count, 600)
        finally:
            agent.stop()
        assert len({each.title for each in came}) == count == len(came)
        return count / (max(each.at for each in came) - begun), (count - 1) / _seconds(came)

    def _hand_over(self, person: Person, file: Path, count: int) -> None:
        drop = person.home / "state" / "drop"
        drop.mkdir(parents=True)
        for each in range(count):
            post = Handed(token=f"{each}", kind="photo", title=f"Bird {each}", access="public", files=["a.jpg"])
            hand_over(drop, post, [file])


def _seconds(came: list[Came]) -> float:
    return max(each.at for each in came) - min(each.at for each in came)


def _post(person: Person, file: Path, *words: str) -> int:
    command = [str(Path(sys.executable).parent / "mediaagent"), "post", "photo", str(file), "-m", "at the feeder"]
    environment = {name: value for name, value in person.everything.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run([*command, *words], stdin=subprocess.DEVNULL, capture_output=True, env=environment).returncode


def run(asked: Asked) -> list[Row]:
    calls, count, rounds = (2, 20, 1) if asked.quick else (CALLS, PICTURES, asked.times(ROUNDS))
    folder = ground("post")
    with sink() as site:
        (file,) = pictures(folder / "pictures", 1)
        posting = Posting(folder, site, asked)
        posting.measure(file, calls)
        speeds = []
        for number in range(rounds):
            queued = posting.queued(file, count, f"queued-{number}")
            speeds.append((queued, *posting.from_nothing(file, count, f"from-nothing-{number}")))
    return [*_calls(posting.times), *_queues(posting.times, speeds)]


def _calls(times: dict[str, list[float]]) -> list[Row]:
    others = [name for name in times if name not in BOUNDS]
    rows = [
        compared("post", name, "ms", times[name], other, times[other], bound if other == "photo.sh" else None)
        for name, bound in BOUNDS.items()
        for other in others
    ]
    return rows or [plain("post", name, "ms", times[name]) for name in BOUNDS]


def _queues(times: dict[str, list[float]], speeds: list[tuple[float, float, float]]) -> list[Row]:
    """Each beside a part of the calls of photo.sh."""
    queued, whole, sending = zip(*speeds, strict=True)
    rows = {
        "queued pictures": (queued, Target(15)),
        "handed over while no agent ran, from its start": (whole, None),
        "handed over while no agent ran, while it sends": (sending, None),
    }
    if "photo.sh" not in times:
        return [plain("post", name, "pictures/s", speed) for name, (speed, _) in rows.items()]
    share = len(times["photo.sh"]) // len(speeds)
    calls = [times["photo.sh"][share * part : share * (part + 1)] for part in range(len(speeds))]
    theirs = [1000 * len(each) / sum(each) for each in calls]
    return [
        compared("post", name, "pictures/s", speed, "photo.sh", theirs, bound) for name, (speed, bound) in rows.items()
    ]


BENCH = Bench("post", "Posting from the command line", __doc__, run, ("photo.sh", "Apprise"))
