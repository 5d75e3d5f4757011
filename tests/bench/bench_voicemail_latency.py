"""How long a voicemail of 6 seconds takes from the rename of its text, Asterisk's last act, to a post on a Known site.

A real agent with the default settings, the double of a site on the loopback, messages one after the other.

python -m tests.bench --only voicemail_latency, or
python -m tests.bench.bench_voicemail_latency [--messages 40] [--pause 0.5] [--enrich '["transcode", "speech"]']
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.rows import Asked, Bench, Row, Target, plain
from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.doubles.known_http import Request
from tests.system.agent import AgentProcess, wait_for
from tests.system.asterisk import Asterisk, recorded
from tests.unit.sounds import DATA

TARGET = 0.5  # seconds, at the median
SECONDS = 6
PLUGINS = {"status", "photo", "entry", "indiepub", "media"}
SETTINGS = """
[agent]
state = "state"
[watch.phone]
type = "voicemail"
path = "spool"
timezone = "UTC"
{enrich}
[upload.office]
type = "known"
site = "{site}"
user = "birdcam"
key = "file:known.key"
"""


class Arrivals(list[Request]):
    """The double's requests, and when each of them came."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[tuple[str, float]] = []

    def append(self, request: Request) -> None:
        path = re.sub(r"/voicemail-.*", "/…", request.path)
        self.at.append((f"{request.method} {path}", time.time()))
        super().append(request)


@dataclass
class Measured:
    """Seconds of each message; of its stages, each from the end of the one before."""

    cold: float = 0.0  # of the very first, for which both children have to be started
    total: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)

    def add(self, moments: Sequence[tuple[str, float]]) -> None:
        for (_, before), (stage, at) in itertools.pairwise(moments):
            self.stages.setdefault(stage, []).append(at - before)


def measure(messages: int, pause: float, enrich: str = "") -> Measured:
    """The first message is told apart, the second not counted."""
    found = Measured()
    with tempfile.TemporaryDirectory(prefix="mediaagent-latency-") as name, KnownDouble(plugins=PLUGINS) as double:
        double.requests = arrivals = Arrivals()
        sound = Path(shutil.copy(DATA / "msg0001.wav", name))
        sounds = recorded(sound, "repeat", 2, "trim", 0, SECONDS + 0.2)
        agent, asterisk = _agent(Path(name), double, enrich), Asterisk(Path(name) / "spool")
        agent.start()
        try:
            agent.wait_until_running()
            for number in range(messages + 2):
                arrivals.at.clear()
                renamed, posted = asterisk.takes(sounds, SECONDS), _until_posted(double, number + 1, agent)
                moments = _moments(agent, number, renamed, posted, arrivals)
                if number == 0:
                    found.cold = posted - renamed
                if number >= 2:
                    found.total.append(posted - renamed)
                    found.add(moments)
                time.sleep(pause)
            assert len(double.posts) == messages + 2
            assert all(post.names[0].endswith(".mp3") for post in double.posts)
        finally:
            agent.stop()
    return found


def _agent(folder: Path, double: KnownDouble, enrich: str) -> AgentProcess:
    (folder / "known.key").write_text(BIRDCAM_KEY)
    (folder / "known.key").chmod(0o600)
    agent = AgentProcess(folder)
    agent.configure(SETTINGS.format(site=double.address, enrich=f"enrich = {enrich}" if enrich else ""))
    return agent


def _until_posted(double: KnownDouble, count: int, agent: AgentProcess) -> float:
    """When so many posts were there, within a millisecond."""
    deadline = time.time() + 20
    while len(double.posts) < count:
        assert time.time() < deadline, agent.log
        time.sleep(0.001)
    return time.time()


def _moments(
    agent: AgentProcess, number: int, renamed: float, posted: float, arrivals: Arrivals
) -> list[tuple[str, float]]:
    """When each step of the message so many was done: as the agent wrote it down, and as the site saw it."""
    wait_for(lambda: _written(agent, "delivered", number) > 0, 10, lambda: agent.log)
    steps = [(what, _written(agent, what, number)) for what in ("secured", "event new", "prepared", "delivered")]
    moments = [("renamed", renamed), ("(the post was there)", posted), *steps, *arrivals.at]
    return sorted(moments, key=lambda moment: moment[1])


def _written(agent: AgentProcess, what: str, number: int) -> float:
    rows = agent.ask(f"SELECT at FROM history WHERE what = '{what}' ORDER BY id")
    return float(rows[number][0]) if len(rows) > number else 0.0


def run(asked: Asked) -> list[Row]:
    found = measure(3 if asked.quick else 30, 0.3)
    total = [1000 * seconds for seconds in found.total]
    bound = Target(1000 * TARGET, least=False, unit="ms")
    return [
        plain("voicemail_latency", "a message of 6 s, to its post", "ms", total, bound),
        plain("voicemail_latency", "the very first, from a cold start", "ms", [1000 * found.cold]),
    ]


BENCH = Bench("voicemail_latency", "Voicemail", __doc__, run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=40)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two messages")
    parser.add_argument("--enrich", default="", help="as in agent.toml; default: what voicemail has by itself")
    options = parser.parse_args()
    found = measure(options.messages, options.pause, options.enrich)
    total = sorted(found.total)
    tenth = statistics.quantiles(total, n=10)
    print(f"{len(total)} messages of {SECONDS} s, from the rename of the text to the post on the double, in ms")
    print(
        f"  median {statistics.median(total) * 1e3:.0f} (target: under {TARGET * 1e3:.0f}), "
        f"nine in ten {tenth[8] * 1e3:.0f}, from {total[0] * 1e3:.0f} to {total[-1] * 1e3:.0f}"
    )
    print(f"  the first of all, for which the workbench has to be started: {found.cold * 1e3:.0f}")
    print("where it goes, medians:")
    for stage, seconds in found.stages.items():
        print(f"  {stage:40}{statistics.median(seconds) * 1e3:8.1f}")


if __name__ == "__main__":
    main()
