"""A nudge is heard at once, costs nobody anything, and reaches nobody else's agent."""

from __future__ import annotations

import os
import queue
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from mediaagent.nudges import Listener, nudge
from tests.contract.lookout_core import unprivileged
from tests.journey.house import House

from .cli_help import Place, a_place

#: What Asterisk's externnotify appends, and what it might.
APPENDED = [
    ("default", "1234", "2", "6", "0"),
    (),
    ("--config", "/nowhere", "--all"),
    ("-x", "--", "-h"),
    ("--help", "1234"),
    ("", "$(id)", "ünïcode"),
]


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """The usual one; an agent in this process leaves a stricter one behind."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[queue.SimpleQueue[float]]:
    """When a listener in `tmp_path`/state heard something."""
    (tmp_path / "state").mkdir(exist_ok=True)
    times: queue.SimpleQueue[float] = queue.SimpleQueue()
    listener = Listener(tmp_path / "state", lambda: times.put(time.monotonic()))
    yield times
    listener.close()
    assert not (tmp_path / "state" / "agent.sock").exists()


def test_a_nudge_is_heard_at_once(tmp_path: Path, heard: queue.SimpleQueue[float]) -> None:
    sent = time.monotonic()
    assert nudge(tmp_path / "state")
    assert heard.get(timeout=5) - sent < 1


def test_a_flood_of_nudges_is_heard_as_a_few_and_never_waits(tmp_path: Path, heard: queue.SimpleQueue[float]) -> None:
    begun = time.monotonic()
    assert all(nudge(tmp_path / "state") for _ in range(2000))
    took = time.monotonic() - begun
    time.sleep(1.2)
    assert 2 <= heard.qsize() <= 4 + took / 0.5


def test_where_no_agent_is_nobody_hears(tmp_path: Path) -> None:
    assert not nudge(tmp_path)
    assert not nudge(tmp_path / "nowhere")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as killed:  # leaves its socket behind
        killed.bind(str(tmp_path / "agent.sock"))
    assert not nudge(tmp_path)


def test_a_path_that_is_too_long_for_a_socket_costs_only_the_nudge(tmp_path: Path) -> None:
    state = tmp_path / ("long" * 30)
    state.mkdir()
    listener = Listener(state, lambda: None)
    assert not nudge(state)
    listener.close()


def test_nobody_else_may_nudge(tmp_path: Path, heard: queue.SimpleQueue[float]) -> None:
    """Neither while the state folder is closed to others, as it is made, nor when somebody opened it."""
    for folder in (*tmp_path.parents[:2], tmp_path):
        folder.chmod(0o755)
    for mode in (0o700, 0o755):
        (tmp_path / "state").chmod(mode)
        with unprivileged(), pytest.raises(PermissionError):
            nudge(tmp_path / "state")
    if os.geteuid() == 0:  # then "somebody else" was really somebody else
        assert heard.empty()


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return a_place(tmp_path)


@pytest.mark.parametrize("words", APPENDED)
def test_the_command_ignores_whatever_is_appended(
    place: Place, heard: queue.SimpleQueue[float], words: tuple[str, ...]
) -> None:
    answer = place.call("nudge", *words)
    assert (answer.code, answer.out, answer.err) == (0, "the agent looks now\n", "")
    heard.get(timeout=5)


@pytest.mark.parametrize("words", APPENDED)
def test_without_an_agent_it_says_so_and_ends_with_1(place: Place, words: tuple[str, ...]) -> None:
    answer = place.call("nudge", *words)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("no agent is running on ")
    assert "mediaagent run" in answer.err
    assert not (place.folder / "state").exists()


def test_help_alone_is_help(place: Place) -> None:
    for word in ("--help", "-h"):
        answer = place.call("nudge", word)
        assert answer.code == 0
        assert "Usage:" in answer.out


def test_another_user_is_told_whose_word_counts(place: Place, heard: queue.SimpleQueue[float]) -> None:
    for folder in (*place.folder.parents[:2], place.folder):
        folder.chmod(0o755)
    (place.folder / "state").chmod(0o700)
    with unprivileged():
        answer = place.call("nudge", "default", "1234")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "may not nudge" in answer.err
    assert "sudo -u " in answer.err
    (place.folder / "agent.toml").chmod(0o600)
    with unprivileged():
        answer = place.call("nudge", "default", "1234")
    assert answer.code == 2
    assert "may not read it" in answer.err
    assert "sudo -u " in answer.err


def test_the_agent_is_nudged_also_where_the_settings_of_a_source_are_mistaken(
    place: Place, heard: queue.SimpleQueue[float]
) -> None:
    text = (place.folder / "agent.toml").read_text()
    (place.folder / "agent.toml").write_text(text.replace('existing = "post"', 'existing = "perhaps"'))
    assert place.call("nudge").code == 0


# --- what the agent does ----------------------------------------------------------------------------------------------


def test_a_nudged_agent_walks_long_before_its_time_and_finds_what_no_hint_told(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.work()
    (house.root / "robin-1.txt").write_text("x")
    house.clock.advance(0.5)  # half of `rescan`
    house.work()
    assert not house.watching.growing
    house.watching.look_now()
    house.work()
    assert house.watching.growing
    house.close()


def test_nudges_make_walks_no_dearer_than_a_fiftieth_of_the_time(tmp_path: Path) -> None:
    house = House(tmp_path)
    walks = []
    looked = house.watching.lookout.walk

    def slow(*words: object) -> object:
        walks.append(house.clock.steady())
        house.clock.advance(0.01)
        return looked(*words)  # type: ignore[arg-type]

    house.watching.lookout.walk = slow  # type: ignore[method-assign, assignment]
    for _ in range(2000):
        house.watching.look_now()
        house.watching.round()
        house.clock.advance(0.005)
    gaps = [later - earlier for earlier, later in pairwise(walks)]
    assert 15 <= len(walks) <= 25  # 10 s
    assert min(gaps[1:]) >= 0.5
    house.close()
