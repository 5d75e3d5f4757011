"""What the benches need around them: pictures, a sink, an agent, programs that do the same another way."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy
import psutil

from tests.bench.rows import Asked
from tests.doubles.known_sink_site import KEYS
from tests.system.agent import ROOT, AgentProcess

__all__ = [
    "Came",
    "Program",
    "SinkProcess",
    "Took",
    "agent",
    "apprise",
    "cpu_of",
    "decoding_floor",
    "floor",
    "ground",
    "inotify_curl",
    "motioneye",
    "photo_sh_environment",
    "pictures",
    "posting_settings",
    "sink",
]

QUIET = 2.0  # seconds: what `folder` waits by itself before it takes a file as finished
SIZE = 192_000  # bytes of a picture
INCUMBENTS = Path(__file__).parent / "incumbents"


class Took(NamedTuple):
    """So many pictures, from the first one's beginning to the last one's arrival."""

    seconds: float
    cpu: float  # seconds of user and system time of everything that was needed, the sink's left out
    posts: int

    @property
    def rate(self) -> float:
        return self.posts / self.seconds

    @property
    def cpu_each(self) -> float:
        """Milliseconds."""
        return self.cpu / self.posts * 1000


class Came(NamedTuple):
    """One body at the sink."""

    at: float  # time.monotonic()
    title: str
    names: list[str]
    size: int


@dataclass
class SinkProcess:
    """The sink as the benches see it."""

    address: str
    pid: int
    _skip: int = 0

    def fresh(self) -> None:
        """What has come until now does not count any more."""
        self._skip = self.count()

    def count(self) -> int:
        """How many bodies have come at all."""
        with urllib.request.urlopen(f"{self.address}/-/count") as answer:
            return int(answer.read())

    def came(self) -> list[Came]:
        with urllib.request.urlopen(f"{self.address}/-/arrivals?{self._skip}") as answer:
            return [Came(*each) for each in json.load(answer)]

    def wait_for(self, count: int, seconds: float, *also: subprocess.Popen[Any]) -> list[Came]:
        """Until so many have come. Fails when they don't, or when one of the processes `also` ends before."""
        deadline = time.monotonic() + seconds
        while (came := self.count() - self._skip) < count:
            assert time.monotonic() < deadline, f"{came} of {count} came in {seconds:.0f} s"
            assert all(process.poll() in (None, 0) for process in also), "it ended before all had come"
            time.sleep(0.05)
        return self.came()


def ground(name: str) -> Path:
    """A folder that is there until all benches are over.

    For minutes ext4 gives the number of a deleted file to no new one, and looks at each of them whenever a file is made
    beside (`recently_deleted` in fs/ext4/ialloc.c): who clears away between two rounds slows the next one down, and
    most of all who makes many files. A fifth of our CPU time was that."""
    folder = tempfile.mkdtemp(prefix=f"mediaagent-{name}-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@contextmanager
def sink(port: int = 0) -> Iterator[SinkProcess]:
    """A sink in a process of its own; 0: at any port."""
    command = [sys.executable, "-m", "tests.doubles.known_sink", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield SinkProcess(process.stdout.readline().strip(), process.pid)
        finally:
            process.terminate()


def pictures(folder: Path, count: int, size: int = SIZE, name: str = "picture-{:04}.jpg") -> list[Path]:
    """So many JPEGs of 1280 x 720 pixels, each unlike the others, of about so many bytes: what a camera's are like."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = numpy.random.default_rng(1)
    scene = cv2.resize(chance.integers(0, 255, (18, 32, 3), dtype="uint8"), (1280, 720), interpolation=cv2.INTER_CUBIC)
    grain = chance.normal(0, 6, (720, 1280, 3)).astype("int16")
    quality = min(range(30, 100, 2), key=lambda quality: abs(len(_jpeg(scene, grain, 0, quality)) - size))
    made = []
    for number in range(count):
        path = folder / name.format(number)
        path.write_bytes(_jpeg(scene, grain, number, quality))
        made.append(path)
    return made


def _jpeg(scene: Any, grain: Any, number: int, quality: int) -> bytes:
    pixels = numpy.clip(numpy.roll(scene, number, 1) + numpy.roll(grain, 7 * number, 0), 0, 255).astype("uint8")
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


# --- ours -------------------------------------------------------------------------------------------------------------

POSTING = """
[agent]
state = "state"
[watch.camera]
type = "folder"
path = "watched"
access = "public"
[upload.site]
type = "known"
site = "{site}"
user = "birdcam"
key = "file:known.key"
"""


def posting_settings(folder: Path, site: str, text: str = POSTING) -> str:
    """Settings that post to the sink, with all that they name."""
    (folder / "watched").mkdir(parents=True, exist_ok=True)
    (folder / "known.key").write_text(KEYS["birdcam"])
    (folder / "known.key").chmod(0o600)
    return text.format(site=site)


@dataclass
class _Profiled(AgentProcess):
    into: Path = field(default_factory=Path)

    def command(self, *words: str) -> list[str]:
        _, _, _, *rest = super().command(*words)
        return [sys.executable, "-m", "tests.bench.profiled", str(self.into), *rest]


@contextmanager
def agent(folder: Path, settings: str, asked: Asked) -> Iterator[AgentProcess]:
    """`mediaagent run` with these settings, running and settled."""
    if asked.profile:
        running: AgentProcess = _Profiled(folder, into=asked.profile.resolve())
    else:
        running = AgentProcess(folder)
    running.configure(settings)
    running.start()
    try:
        running.wait_until_running()
        time.sleep(0.5)
        yield running
    finally:
        running.stop()


def cpu_of(process: psutil.Process) -> float:
    """Seconds of user and system time of a process, its children, and those of them that have ended."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


# --- theirs -----------------------------------------------------------------------------------------------------------


@dataclass
class Program:
    """Another way of posting what comes into a folder, in a process of its own: a script of `incumbents`."""

    name: str
    command: list[str]

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """Until it ends by itself; once it watches."""
        with subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            assert process.stdout
            try:
                assert process.stdout.readline().strip() == "ready", f"{self.name} does not start"
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)


def floor(site: str, folder: Path, count: int) -> Program:
    return _python("floor", "floor.py", site, folder, count, str(folder.parent / "floor.db"))


def decoding_floor(site: str, folder: Path, count: int) -> Program:
    """The floor, which also decodes each picture before it sends it."""
    return _python("floor", "floor.py", site, folder, count, str(folder.parent / "floor.db"), "decode")


def motioneye(site: str, folder: Path, count: int) -> Program:
    return _python("motionEye's way", "motioneye.py", site, folder, count)


def apprise(python: str, site: str, folder: Path, count: int) -> Program:
    """`python`: that of an environment that has it."""
    return Program("Apprise", [python, *_python("", "apprised.py", site, folder, count).command[1:]])


def inotify_curl(site: str, folder: Path, count: int) -> Program:
    return Program("inotifywait | curl", ["bash", *_words("inotify_curl.sh", site, folder, count)])


def _python(name: str, script: str, site: str, folder: Path, count: int, *more: str) -> Program:
    return Program(name, [sys.executable, *_words(script, site, folder, count), *more])


def _words(script: str, site: str, folder: Path, count: int) -> list[str]:
    return [str(INCUMBENTS / script), site, str(folder), str(count)]


def photo_sh_environment(folder: Path) -> dict[str, str]:
    """It calls `python`, which has to be one, and writes its cookies to /tmp."""
    tools = folder / "bin"
    tools.mkdir(exist_ok=True)
    if not (tools / "python").exists():
        (tools / "python").symlink_to(shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable)
    return {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
