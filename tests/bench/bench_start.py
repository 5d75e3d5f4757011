"""How long the agent takes from its start until it watches, and the commands until they are done.

Beside a Python that only imports what any such program needs (sqlite3, requests): the least that there could be.

python -m tests.bench --only start
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.rows import Asked, Bench, Row, compared
from tests.bench.stage import posting_settings
from tests.system.agent import AgentProcess

__all__ = ["BENCH"]

ROUNDS = 11
BARE = "import sqlite3, requests"


def run(asked: Asked) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mediaagent-start-") as name:
        folder = Path(name)
        agent = AgentProcess(folder)
        agent.configure(posting_settings(folder, "http://127.0.0.1:9"))
        ways: dict[str, Callable[[], float]] = {
            "bare": lambda: _command([sys.executable, "-c", BARE]),
            "run, until it watches": lambda: _until_watching(agent),
            "status": lambda: _command(agent.command("status")),
            "--version": lambda: _command(agent.command("--version")),
        }
        took: dict[str, list[float]] = {way: [] for way in ways}
        for number in range((2 if asked.quick else asked.times(ROUNDS)) + 1):
            for way, call in ways.items():
                milliseconds = call() * 1000
                took[way] += [milliseconds] if number else []  # the first finds nothing in the caches
    bare = f"python -c '{BARE}'"
    return [compared("start", way, "ms", took[way], bare, took["bare"]) for way in list(ways)[1:]]


def _command(words: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(words, capture_output=True)
    return time.perf_counter() - begun


def _until_watching(agent: AgentProcess) -> float:
    """The agent tells systemd, or here its log, when it is ready."""
    path = agent.folder / "agent.log"
    path.unlink(missing_ok=True)
    begun = time.perf_counter()
    agent.start()
    try:
        while b"running" not in (path.read_bytes() if path.exists() else b""):
            time.sleep(0.002)
            assert time.perf_counter() - begun < 20, agent.log
        return time.perf_counter() - begun
    finally:
        agent.stop()


BENCH = Bench("start", "Starting", __doc__, run)
