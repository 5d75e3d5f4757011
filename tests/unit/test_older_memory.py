"""Beside a memory of an older version: only the agent migrates it, and every command says so."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mediaagent.store.database import VERSION
from tests.older import set_back

from .cli_help import Memory, Place, a_place

READING = (
    ("queue",),
    ("queue", "--json"),
    ("queue", "show", "1"),
    ("why", "1"),
    ("why", "pictures/a.jpg"),
    ("scan", "feeder"),
    ("status",),
)
ORDERS = (("retry", "--all"), ("retry", "1"), ("drop", "1"), ("hold", "1"), ("release", "1"))


@pytest.fixture
def older(tmp_path: Path) -> Place:
    place = a_place(tmp_path)
    memory = Memory(tmp_path / "state")
    memory.event(place.pictures / "a.jpg")
    memory.close()
    set_back(tmp_path / "state")
    return place


@pytest.fixture
def running(older: Place) -> Iterator[int]:
    """An agent that has the state folder, and has not migrated it."""
    (older.folder / "state" / "agent.lock").write_text(f"{os.getpid()}\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(older.folder / "state" / "agent.sock"))
        yield os.getpid()


def version(place: Place) -> int:
    with closing(sqlite3.connect(place.folder / "state" / "outbox.db")) as connection:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_command_that_reads_says_who_migrates_it_and_how(older: Place, words: tuple[str, ...]) -> None:
    before = older.listing()
    answer = older.call(*words)
    assert (answer.code, answer.out) == (2, "")
    assert "written by an older mediaagent (its version is 1" in answer.err
    assert "start the agent, which migrates it and keeps a copy as outbox.db.version-1" in answer.err
    assert older.listing() == before


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_beside_an_agent_that_has_not_migrated_it_a_restart_is_asked_for(
    older: Place, running: int, words: tuple[str, ...]
) -> None:
    answer = older.call(*words)
    assert (answer.code, answer.out) == (2, "")
    assert f"the running agent (process {running}) has not migrated it" in answer.err
    assert "systemctl restart mediaagent" in answer.err


def test_nagios_hears_that_it_is_unknown(older: Place) -> None:
    answer = older.call("status", "--nagios")
    assert answer.code == 3
    assert "start the agent, which migrates it" in answer.out


def test_check_warns_of_it_since_the_agent_can_be_started(older: Place) -> None:
    answer = older.call("check", "--json")
    (problem,) = [each for each in answer.json["problems"] if each["where"] == "agent.state"]
    assert problem["severity"] == "warning"
    assert "start the agent, which migrates it" in problem["what"]
    assert answer.code == 0


@pytest.mark.parametrize("words", ORDERS, ids=" ".join)
def test_an_order_of_its_owner_migrates_nothing_under_a_running_agent(
    older: Place, running: int, words: tuple[str, ...]
) -> None:
    before = older.listing()
    answer = older.call("queue", *words)
    assert answer.code == 2
    assert f"(process {running})" in answer.err
    assert "restart it" in answer.err
    assert (older.listing(), version(older)) == (before, 1)


@pytest.mark.parametrize("words", ORDERS, ids=" ".join)
def test_an_order_of_its_owner_leaves_migrating_to_the_agent(older: Place, words: tuple[str, ...]) -> None:
    before = older.listing()
    answer = older.call("queue", *words)
    assert answer.code == 2
    assert "start the agent, which migrates it" in answer.err
    assert (older.listing(), version(older)) == (before, 1)


def test_who_posts_and_waits_is_the_agent_and_migrates_it(older: Place) -> None:
    answer = older.call("post", "status", "-m", "hello", "--wait", "--patience", "20s", "--to", "family")
    assert (answer.code, answer.err) == (0, "")
    assert version(older) == VERSION
    assert [line["state"] for line in older.call("queue", "--json", "--state", "delivered").json] == ["delivered"]
