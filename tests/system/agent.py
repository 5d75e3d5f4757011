"""A real agent in a process of its own, as its owner runs it, and a judge of what it posted."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy

DATA = Path(__file__).parent.parent / "data"
ROOT = Path(__file__).parent.parent.parent


def bound_by_rights() -> None:
    """What is started from here on can't read what its rights forbid, be it root's (prctl(2), capabilities(7))."""
    drop, override, read_search = 24, 1, 2
    for capability in (override, read_search):
        ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0)


@dataclass
class AgentProcess:
    """`mediaagent run` in a folder with an agent.toml."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def configure(self, text: str) -> None:
        (self.folder / "agent.toml").write_text(text)

    def start(self) -> None:
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command("run"), cwd=ROOT, stdout=log, stderr=log, env={**os.environ, **self.environment}
            )

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "mediaagent", "--config", str(self.folder / "agent.toml"), *words]

    def call(self, *words: str, timeout: float = 100, humble: bool = False) -> subprocess.CompletedProcess[str]:
        """A command; a `humble` one is bound by rights also where the tests run as root."""
        return subprocess.run(
            self.command(*words),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **self.environment},
            preexec_fn=bound_by_rights if humble else None,
        )

    def wait_until_running(self) -> None:
        wait_for(lambda: self.log.count("running") > self.log.count("stopped"), 20, lambda: self.log)

    @property
    def log(self) -> str:
        path = self.folder / "agent.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def stop(self) -> int:
        """As systemd does it. Returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        return self.process.wait(60)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What the agent's memory says."""
        path = self.folder / "state" / "outbox.db"
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


def wait_for(condition: Callable[[], bool], seconds: float, explain: Callable[[], object] = lambda: "") -> None:
    """Until it holds; fails with an explanation when it does not come to hold."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"it did not happen in {seconds} s\n{explain()}")


def items(page: Path) -> list[dict[str, Any]]:
    """Every post of a page, from its feeds."""
    return [item for feed in sorted(page.glob("feed*.json")) for item in json.loads(feed.read_text())["items"]]


def events_of(scenario: str) -> list[list[str]]:
    """The pictures of each event that has any, as the recording's own truth has them (without debug pictures)."""
    expected = json.loads((DATA / "motion" / scenario / "expected.json").read_text())
    if scenario == "ftp":
        return [[name] for name, picture in expected["pictures"].items() if picture["whole"]]
    events = expected.get("events") or [
        event["pictures"] for camera in expected["events_by_camera"].values() for event in camera
    ]
    kept = [[name for name in event if not name.endswith("m.jpg")] for event in events]
    return [event for event in kept if event]


def judge(page: Path, watched: Path, scenario: str) -> None:
    """Exactly one post an event, each with a picture of that event, and with the producer's pixels."""
    posts = items(page)
    keys = [post["id"] for post in posts]
    assert len(set(keys)) == len(keys), "a post stands there twice"
    left = events_of(scenario)
    for post in posts:
        (attachment,) = post["attachments"]
        name = Path(attachment["url"]).name
        camera = post["_mediaagent"]["key"].partition("/")[0]
        event = next(
            (event for event in left if any(each.startswith(camera) and each.endswith(name) for each in event)), None
        )
        assert event is not None, f"{post['title']} ({name}) belongs to no event, or its event is posted already"
        left.remove(event)
        original = next(each for each in event if each.endswith(name))
        same_pixels(page / attachment["url"], watched / original)
    assert not left, f"never posted: {left}"


def same_pixels(posted: Path, original: Path) -> None:
    ours, theirs = cv2.imread(str(posted)), cv2.imread(str(original))
    assert numpy.array_equal(ours, theirs), f"{posted} is not the picture {original}"
    assert b"Exif" not in posted.read_bytes()[:4096], f"{posted} still has metadata"


def settled(page: Path, count: int) -> Callable[[], bool]:
    """So many posts are there, and a second later no more."""
    reached: list[float] = []

    def check() -> bool:
        found = len(items(page)) if page.exists() else 0
        if found < count:
            reached.clear()
            return False
        reached.append(time.monotonic())
        return reached[-1] - reached[0] > 1.0

    return check
