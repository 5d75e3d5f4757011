"""How long `mediaagent post photo` takes as a whole process, beside BashKnown's photo.sh, on one double of a site.

    python -m tests.bench.bench_post [--photo-sh PATH] [--calls 25] [--pictures 500]

photo.sh is BashKnown's own (https://github.com/mapkyca/BashKnown); MEDIAAGENT_PHOTO_SH names it, too. Without it the
times are told alone. Calls are taken in turn, so that a busy machine is busy for all. What it would take to call
photo.sh for each of the pictures is reckoned from the calls that were made.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.doubles.known import BIRDCAM_KEY
from tests.system.agent import ROOT, AgentProcess, wait_for
from tests.system.posting import Person, picture

QUEUE, WAIT, BACKLOG = 1.2, 3.0, 15.0  # times photo.sh; the last one: faster than that


@dataclass
class Site:
    """The double in a process of its own, as a site is; its posts are counted by what it tells."""

    process: subprocess.Popen[str]
    address: str

    @classmethod
    def up(cls) -> Site:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.doubles.known"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        return cls(process, process.stdout.readline().strip())


@dataclass
class Bench:
    """People who post: one whose agent runs, one without, and one who has a backlog."""

    folder: Path
    site: Site
    calls: int
    photo_sh: str
    times: dict[str, list[float]] = field(default_factory=dict)

    def person(self, name: str) -> Person:
        person = Person(self.folder / name)
        (person.home / "agent.toml").write_text(person.settings(self.site).read_text())  # type: ignore[arg-type]
        return person

    def clock(self, name: str, call: Callable[[], int]) -> None:
        begun = time.perf_counter()
        code = call()
        took = time.perf_counter() - begun
        assert code == 0, f"{name} ended with {code}"
        self.times.setdefault(name, []).append(took)

    def measure(self) -> None:
        file = str(picture(self.folder / "bird.jpg", size=160))
        warm, cold = self.person("warm"), self.person("cold")
        agent = AgentProcess(warm.home, environment=warm.everything)
        agent.start()
        try:
            agent.wait_until_running()
            for number in range(self.calls + 2):
                if number == 2:  # the first ones find nothing in the caches
                    self.times.clear()
                if self.photo_sh:
                    self.clock("photo.sh", lambda: self._photo_sh(cold, file))
                self.clock("--queue", lambda: _post(cold, file, "--queue", "--drop", str(cold.home / "elsewhere")))
                self.clock("--wait, agent", lambda: _post(warm, file, "--wait"))
                self.clock("--wait, alone", lambda: _post(cold, file, "--wait"))
        finally:
            agent.stop()

    def _photo_sh(self, person: Person, file: str) -> int:
        words = [self.photo_sh, self.site.address, "birdcam", BIRDCAM_KEY, "A bird", file]
        environment = {**person.everything}
        done = subprocess.run(
            ["bash", *words], input=b"at the feeder\n", capture_output=True, env=environment, cwd=person.home
        )
        assert b"location" in done.stdout, done.stderr.decode()
        return done.returncode

    def backlog(self, pictures: int) -> tuple[float, float]:
        """Seconds from the agent's start to the last post; and of these, those in which pictures were sent."""
        person = self.person("backlog")
        file = picture(self.folder / "bird.jpg", size=160)
        from mediaagent.handover import Handed, hand_over

        drop = person.home / "state" / "drop"
        drop.mkdir(parents=True)
        for number in range(pictures):
            hand_over(drop, Handed(token=f"{number}", kind="photo", title=f"Bird {number}", files=["a.jpg"]), [file])
        agent = AgentProcess(person.home, environment=person.everything)
        begun = time.perf_counter()
        agent.start()
        try:
            wait_for(lambda: agent.log.count("delivered ") > 0, 60, lambda: agent.log)
            first = time.perf_counter()
            wait_for(lambda: agent.log.count("delivered ") >= pictures, 600, lambda: agent.log[-2000:])
            end = time.perf_counter()
        finally:
            agent.stop()
        return end - begun, end - first


def _post(person: Person, file: str, *words: str) -> int:
    (person.home / "elsewhere").mkdir(exist_ok=True)
    command = [str(Path(sys.executable).parent / "mediaagent"), "post", "photo", file, "-m", "at the feeder", *words]
    environment = {name: value for name, value in person.everything.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment).returncode


def report(bench: Bench) -> None:
    base = statistics.median(bench.times["photo.sh"]) if bench.photo_sh else 0.0
    if not bench.photo_sh:
        print("photo.sh: left out; name it with --photo-sh or MEDIAAGENT_PHOTO_SH")
    wanted = {"--queue": QUEUE, "--wait, agent": WAIT, "--wait, alone": WAIT}
    for name, times in bench.times.items():
        median = statistics.median(times)
        told = f"{name:14} {median * 1000:7.1f} ms  (least {min(times) * 1000:.1f})"
        if base and name in wanted:
            ratio = median / base
            told += f"  {ratio:5.2f} x photo.sh, wanted at most {wanted[name]}: {_word(ratio <= wanted[name])}"
        print(told)


def _word(kept: bool) -> str:
    return "kept" if kept else "NOT KEPT"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo-sh", default=os.environ.get("MEDIAAGENT_PHOTO_SH", ""))
    parser.add_argument("--calls", type=int, default=25)
    parser.add_argument("--pictures", type=int, default=500)
    asked = parser.parse_args()
    site = Site.up()
    try:
        with tempfile.TemporaryDirectory(prefix="mediaagent-post-") as folder:
            bench = Bench(Path(folder), site, asked.calls, asked.photo_sh)
            bench.measure()
            report(bench)
            whole, sending = bench.backlog(asked.pictures)
            print(
                f"{asked.pictures} queued pictures: {whole:.2f} s from the agent's start, {sending:.2f} s of it sending"
            )
            if asked.photo_sh:
                theirs = statistics.median(bench.times["photo.sh"]) * asked.pictures
                for name, took in (("from the start", whole), ("sending alone", sending)):
                    kept = _word(theirs / took >= BACKLOG)
                    print(f"  {name}: {theirs / took:.1f} x as fast as photo.sh, wanted {BACKLOG:.0f}: {kept}")
            print(f"load: {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores")
    finally:
        site.process.terminate()
        site.process.wait()


if __name__ == "__main__":
    main()
