"""However files come, and whatever the system does not tell: each is taken once, by either lookout.

tests/contract/test_lookouts.py has every way in which a lookout alone can fail; here whole agents are flooded.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.proof.record import FILES, Record, Tried
from tests.system.agent import AgentProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

LOOKOUTS = ("inotify", "observer")
#: Files in a flood. The kernel's queue holds 16,384 notices unless it was told otherwise.
SHORT, LONG = 1_000, (FILES // 20, FILES // 2)
#: Seconds. What is not there when so long nothing has come will not come; however slow the machine is.
STANDSTILL = 100.0


def _write(path: Path) -> None:
    path.write_text(f"{path.name}\n")


def nested(root: Path, count: int, send: Callable[[int], None]) -> None:
    """New folders within new folders, filled at once."""
    for number in range(count):
        folder = root / f"a{number // 100}" / f"b{number // 10 % 10}" / "c"
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{number}.txt")


def renamed(root: Path, count: int, send: Callable[[int], None]) -> None:
    """Written under a temporary name, then renamed, in one folder."""
    for number in range(count):
        temporary = root / f".{number}.tmp"
        temporary.write_text(f"{number}.txt\n")
        temporary.rename(root / f"{number}.txt")


def moved_in(root: Path, count: int, send: Callable[[int], None]) -> None:
    """Folders with files in them, moved in as they are."""
    outside = root.with_name("outside")
    for start in range(0, count, 50):
        (outside / f"{start}").mkdir(parents=True)
        for number in range(start, min(start + 50, count)):
            _write(outside / f"{start}" / f"{number}.txt")
        (outside / f"{start}").rename(root / f"{start}")


def root_made_again(root: Path, count: int, send: Callable[[int], None]) -> None:
    """The watched folder is deleted and made again, then filled."""
    shutil.rmtree(root)
    time.sleep(0.5)
    root.mkdir()
    for number in range(count):
        _write(root / f"{number}.txt")


def root_renamed(root: Path, count: int, send: Callable[[int], None]) -> None:
    """The watched folder is renamed, and another one takes its place."""
    root.rename(root.with_name("away"))
    root.mkdir()
    for number in range(count):
        _write(root / f"{number}.txt")


def stopped(root: Path, count: int, send: Callable[[int], None]) -> None:
    """The agent stands still meanwhile, so that the kernel's queue runs over."""
    send(signal.SIGSTOP)
    nested(root, count, send)
    send(signal.SIGCONT)


FLOODS = {
    flood.__name__.replace("_", " "): flood
    for flood in (nested, renamed, moved_in, root_made_again, root_renamed, stopped)
}


@pytest.mark.parametrize("lookout", LOOKOUTS)
def test_no_file_is_lost_or_taken_twice(lookout: str, record: Record, tmp_path: Path) -> None:
    def life(flood: str) -> Tried:
        count = LONG[flood == "stopped"] if record.long else SHORT
        folder = tmp_path / flood
        (folder / "watched").mkdir(parents=True)
        agent = agent_for(folder, lookout)
        agent.start()
        try:
            agent.wait_until_running()
            FLOODS[flood](folder / "watched", count, agent.send)
            found = _taken(agent, count)
            assert agent.stop() == 0
        finally:
            agent.stop()
        return Tried(found, times=count)

    record.workers = 1 if record.long else 3  # they wait, mostly
    record.each(lookout, FLOODS, life)


def agent_for(folder: Path, lookout: str) -> AgentProcess:
    agent = AgentProcess(folder)
    agent.configure(f"""
        [agent]
        state = "state"
        lookout = "{lookout}"
        rescan = "2s"
        [watch.flood]
        type = "folder"
        path = "watched"
        quiet = "200ms"
        to = []
    """)
    return agent


def _taken(agent: AgentProcess, count: int) -> list[str]:
    counted, moved = [(0, 0)], time.monotonic()
    while counted != [(count, count)] and time.monotonic() < moved + STANDSTILL:
        time.sleep(0.3)
        now = agent.ask("SELECT count(*), count(event) FROM parts")
        counted, moved = (now, time.monotonic()) if now != counted else (counted, moved)
    time.sleep(3)  # one more walk
    parts, names = agent.ask("SELECT count(*), count(DISTINCT name) FROM parts")[0]
    events, keys = agent.ask("SELECT count(*), count(DISTINCT key) FROM events")[0]
    if (parts, names, events, keys) == (count,) * 4:
        return []
    return [f"of {count} files {names} are known, in {parts} copies; {events} events of {keys} keys"]
