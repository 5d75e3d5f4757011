"""What systemd hears, over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mediaagent.systemd import Watchdog, notify
from mediaagent.testing import FakeClock

MINUTE = timedelta(minutes=1)


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(10 * 60 * 1_000_000))
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    there = Systemd(str(tmp_path / "notify"))
    yield there
    there.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_ping_is_sent_twice_in_the_time_that_systemd_waits(systemd: Systemd, clock: FakeClock) -> None:
    watchdog = Watchdog(clock.steady)
    pings = 0
    for _ in range(60):  # an hour
        assert watchdog.turn() == ""
        pings += len(systemd.heard())
        clock.advance(MINUTE)
    assert pings == 12


def test_the_watching_thread_has_to_wake_for_the_next_ping_alone(systemd: Systemd, clock: FakeClock) -> None:
    watchdog = Watchdog(clock.steady)
    watchdog.turn()
    assert watchdog.wait() == 300
    clock.advance(timedelta(seconds=watchdog.wait()))
    assert watchdog.wait() == 0
    watchdog.turn()
    assert systemd.heard() == ["WATCHDOG=1"] * 2


def test_a_step_may_be_slow_but_not_hang_for_ever(systemd: Systemd, clock: FakeClock) -> None:
    watchdog = Watchdog(clock.steady)
    with watchdog.step("family"):
        clock.advance(timedelta(hours=20))
        assert watchdog.turn() == ""
        assert systemd.heard() == ["WATCHDOG=1"]
        clock.advance(timedelta(hours=5))
        assert watchdog.turn() == "family"
        assert systemd.heard() == []
    clock.advance(5 * MINUTE)
    assert watchdog.turn() == ""
    assert systemd.heard() == ["WATCHDOG=1"]


@pytest.mark.parametrize("asked", [{"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_PID": "1"}])
def test_who_is_not_asked_says_nothing_and_wakes_nobody(
    systemd: Systemd, clock: FakeClock, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    watchdog = Watchdog(clock.steady)
    assert watchdog.wait() == float("inf")
    assert watchdog.turn() == ""
    assert systemd.heard() == []


def test_an_abstract_address_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"mediaagent-test-{os.getpid()}"
    there = Systemd(f"\0{address}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{address}")
    notify("READY=1")
    assert there.heard() == ["READY=1"]
    there.close()


def test_without_systemd_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")
