"""A memory card fails under a running agent."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.system.agent import AgentProcess, items, wait_for


def test_a_running_agent_sets_its_damaged_memory_aside_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "watched").mkdir()
    agent = AgentProcess(tmp_path)
    agent.configure("""
        [agent]
        state = "state"
        page = "page"
        [watch.folder]
        type = "folder"
        path = "watched"
        quiet = "100ms"
        title = "{{ name }}"
    """)
    agent.start()
    try:
        agent.wait_until_running()
        (tmp_path / "watched" / "one.txt").write_text("one\n")
        wait_for(lambda: len(items(tmp_path / "page")) == 1, 20, lambda: agent.log)
        spoil(tmp_path / "state" / "outbox.db", "parts", "deliveries", "events")
        (tmp_path / "watched" / "two.txt").write_text("two\n")
        wait_for(lambda: len(items(tmp_path / "page")) == 2, 60, lambda: agent.log)
        assert agent.process is not None
        assert agent.process.poll() is None, "the same process goes on"
        assert "memory was lost and made again from the spool" in agent.log
        assert agent.stop() == 0
    finally:
        agent.stop()
    assert sorted(item["title"] for item in items(tmp_path / "page")) == ["one.txt", "two.txt"]


def spoil(database: Path, *tables: str) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    marks = ", ".join("?" * len(tables))
    pages = connection.execute(f"SELECT rootpage FROM sqlite_master WHERE tbl_name IN ({marks})", tables).fetchall()
    connection.execute("PRAGMA user_version = 2")  # a change, so that the agent reads its pages anew
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.open("r+b") as file:
        for (page,) in pages:
            file.seek((page - 1) * 4096)
            file.write(b"\xa5" * 4096)
    connection.close()
