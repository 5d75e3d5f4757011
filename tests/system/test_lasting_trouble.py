"""What goes wrong again and again is told now and then, and hinders nothing else."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.agent import AgentProcess, items, wait_for

SETTINGS = """
[agent]
state = "state"
drop = "drop"
[watch.garden]
type = "folder"
path = "watched"
[upload.page]
type = "page"
path = "page"
"""


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    agent = AgentProcess(tmp_path)
    agent.configure(SETTINGS)
    (tmp_path / "watched").mkdir()
    yield agent
    agent.stop()


def run_for(agent: AgentProcess, seconds: float) -> None:
    """With a file that comes meanwhile."""
    agent.start()
    agent.wait_until_running()
    (agent.folder / "watched" / "a.txt").write_text("a wren")
    time.sleep(seconds)


def test_a_drop_folder_that_is_none_hinders_no_source_and_is_told_once(agent: AgentProcess) -> None:
    (agent.folder / "drop").write_text("a file")
    run_for(agent, 3)
    wait_for(lambda: len(items(agent.folder / "page")) == 1, 20, lambda: agent.log)
    assert len(agent.log.splitlines()) < 30
    status = agent.call("status")
    assert "the drop folder can't be read" in status.stdout
    checked = agent.call("check")
    assert checked.returncode == 2
    assert f"{agent.folder / 'drop'} is no folder" in checked.stdout + checked.stderr


def test_whoever_may_hand_over_can_not_stop_the_agent_with_folders(agent: AgentProcess) -> None:
    drop = agent.folder / "drop"
    for name in ("aaa", ".refused-aaa", ".refused-aaa-2"):
        (drop / name / "in it").mkdir(parents=True)
    run_for(agent, 3)
    wait_for(lambda: len(items(agent.folder / "page")) == 1, 20, lambda: agent.log)
    assert (drop / ".refused-aaa-3" / "in it").is_dir()
    assert len(agent.log.splitlines()) < 30


def test_a_memory_that_fails_at_each_call_is_told_now_and_then(agent: AgentProcess) -> None:
    (agent.folder / "drop").mkdir()
    agent.start()
    agent.wait_until_running()
    with closing(sqlite3.connect(agent.folder / "state" / "outbox.db", timeout=30)) as memory:
        memory.execute("ALTER TABLE history RENAME TO away")
        (agent.folder / "watched" / "a.txt").write_text("a wren")
        wait_for(lambda: "no such table" in agent.log, 20, lambda: agent.log)
        time.sleep(3)
        assert len(agent.log.splitlines()) < 30
        memory.execute("ALTER TABLE away RENAME TO history")
    wait_for(lambda: len(items(agent.folder / "page")) == 1, 40, lambda: agent.log)
