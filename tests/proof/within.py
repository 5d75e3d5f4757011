"""An agent within this process: the same parts as in its own, without the time that a process takes to start."""

from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

from mediaagent.app import Agent, make_agent
from mediaagent.once import run_once
from mediaagent.settings import load
from tests.proof.lives import Life

__all__ = ["Within", "taken_up"]


class _Quiet:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(f"{event} {fields}")

    warning = exception = info


class Within:
    """One agent on a life's folder, whose lanes are driven by hand."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.log = _Quiet()
        self.agent: Agent = make_agent(load(life.folder / "agent.toml"), self.log)
        self.agent.start()

    def deliver(self, seconds: float) -> bool:
        """Tries again and again, without the waits of the back-off, until nothing waits. Returns whether so."""
        deadline = time.monotonic() + seconds
        while self._waiting() and time.monotonic() < deadline:
            self._due_now()
            for lane in self.agent.lanes:
                lane.hurry()
                while lane.step():
                    pass
            time.sleep(0.02)
        return not self._waiting()

    def round(self) -> None:
        """One walk, and what comes of it."""
        run_once(self.agent, 2.0)

    def _waiting(self) -> int:
        counts = self.agent.state.deliveries.counts()
        return counts["waiting"] + counts["sending"]

    def _due_now(self) -> None:
        """Not those in doubt: the site may still be at work on them, and how long they wait is part of the promise."""
        now = time.time()
        with self.agent.state.database.transaction() as connection:
            connection.execute("UPDATE deliveries SET due_at = ? WHERE state = 'waiting' AND due_at > ?", (now, now))

    def troubles(self) -> list[sqlite3.Row]:
        """What did not get through."""
        with self.agent.state.database.reading() as connection:
            return connection.execute(
                "SELECT target, state, last_error FROM deliveries WHERE state <> 'delivered'"
            ).fetchall()

    def close(self) -> None:
        self.agent.close()


def taken_up(life: Life, template: Path) -> None:
    """The state of another life, with its page."""
    shutil.copytree(template / "state", life.state)
    shutil.copytree(template / "page", life.page)
