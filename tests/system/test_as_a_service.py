"""What a service manager asks: an end within 5 s in the middle of anything, and pings while all is well."""

from __future__ import annotations

import itertools
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doubles import known_faults as faults
from tests.doubles.known import KnownDouble
from tests.system.agent import DATA, AgentProcess, items, wait_for

KEY = "sk1uq2k9umxfgwfmhdaeuj9zdgr18taj"
PICTURE = next((DATA / "motion" / "four-cameras" / "tree" / "cam1").glob("01-202611230308*.jpg"))
#: A plug-in that takes its time at one step, as long as a file called "hang" lies beside agent.toml.
SLOW = '''
import time
from pathlib import Path
from mediaagent.api import Claim, one_by_one, option, plugin

def hang(place, told=None):
    ((told or place) / "reached").touch()
    while (place / "hang").exists():
        time.sleep(0.1)

@plugin
class SlowWatcher:
    """Files, claimed slowly."""
    path: Path = option("the folder")
    @property
    def roots(self):
        return (self.path,)
    def claim(self, file):
        hang(self.path.parent)
        return Claim(role="file")
    def group(self, parts, now):
        return one_by_one(parts)

@plugin
class SlowEnricher:
    """The same post, later."""
    place: Path = option("where agent.toml is")
    def enrich(self, post, event, folder):
        hang(self.place, folder)  # it may write nowhere else
        return post
'''


@pytest.fixture
def agent(tmp_path: Path) -> AgentProcess:
    """With the slow plug-in installed, and a folder to watch."""
    (tmp_path / "watched").mkdir()
    (tmp_path / "hang").touch()
    site = tmp_path / "site"
    (site / "slow-1.0.dist-info").mkdir(parents=True)
    (site / "slow.py").write_text(SLOW)
    (site / "slow-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (site / "slow-1.0.dist-info" / "entry_points.txt").write_text(
        "[mediaagent.watchers]\nslow = slow:SlowWatcher\n[mediaagent.enrichers]\nslow = slow:SlowEnricher\n"
    )
    return AgentProcess(tmp_path, environment={"PYTHONPATH": str(site)})


def settings(watch: str, upload: str) -> str:
    return f"""
        [agent]
        state = "state"
        [watch.garden]
        path = "watched"
        existing = "post"
        {watch}
        [upload.family]
        {upload}
    """


FOLDER = 'type = "folder"\nquiet = "100ms"'
PAGE = 'type = "page"\npath = "page"'


def stopped_within_5_s(agent: AgentProcess) -> None:
    asked = time.monotonic()
    assert agent.stop() == 0, agent.log
    assert time.monotonic() - asked < 5, agent.log


def started_in_the_middle(agent: AgentProcess, reached: Callable[[], bool]) -> None:
    agent.start()
    wait_for(reached, 30, lambda: agent.log)


# --- an end within 5 s ------------------------------------------------------------------------------------------------


def test_a_site_that_never_answers_does_not_hold_up_the_stop_and_gets_one_post(
    agent: AgentProcess, tmp_path: Path
) -> None:
    with KnownDouble() as double:
        (tmp_path / "known.key").write_text(KEY)
        (tmp_path / "known.key").chmod(0o600)
        known = f'type = "known"\nsite = "{double.address}"\nuser = "birdcam"\nkey = "file:known.key"'
        agent.configure(settings(FOLDER, f'{known}\nsettles_after = "1s"'))
        shutil.copyfile(PICTURE, tmp_path / "watched" / "robin.jpg")
        double.faults.append(stall := faults.Stall(seconds=60, path="/photo/"))
        started_in_the_middle(agent, lambda: stall.times == 0)
        stopped_within_5_s(agent)
        assert agent.ask("SELECT state FROM deliveries") == [("sending",)]
        agent.start()
        wait_for(lambda: "delivered" in agent.log, 30, lambda: agent.log)
        stopped_within_5_s(agent)
        assert len(double.posts) == 1


def test_an_event_that_is_being_prepared_is_left_as_it_was_and_prepared_by_the_next_start(
    agent: AgentProcess, tmp_path: Path
) -> None:
    agent.configure(settings(f'{FOLDER}\nenrich = [{{type = "slow", place = "."}}]', PAGE))
    shutil.copyfile(PICTURE, tmp_path / "watched" / "robin.jpg")
    started_in_the_middle(agent, lambda: any((tmp_path / "state/spool/events").glob("*/reached")))
    stopped_within_5_s(agent)
    assert "not prepared" not in agent.log, "a stop is no failure, and must not count as one"
    (tmp_path / "hang").unlink()
    agent.start()
    wait_for(lambda: (tmp_path / "page").exists() and len(items(tmp_path / "page")) == 1, 20, lambda: agent.log)
    stopped_within_5_s(agent)


def test_a_flood_of_files_is_left_in_the_middle_and_gone_on_with(agent: AgentProcess, tmp_path: Path) -> None:
    count = 4000
    for number in range(count):
        (tmp_path / "watched" / f"{number:05}.txt").write_text(f"the {number}. line")
    agent.configure(settings(FOLDER, PAGE))

    def secured() -> int:
        return int(agent.ask("SELECT count(*) FROM parts")[0][0]) if agent.log.count("running") else 0

    started_in_the_middle(agent, lambda: secured() > 100)
    stopped_within_5_s(agent)
    assert 100 < secured() < count
    agent.start()
    wait_for(lambda: secured() == count, 60, lambda: agent.log[-2000:])
    stopped_within_5_s(agent)


def test_where_the_watching_thread_itself_hangs_the_process_ends_all_the_same(
    agent: AgentProcess, tmp_path: Path
) -> None:
    """As with a share whose server is gone: no thread can be waited for."""
    agent.configure(settings('type = "slow"', PAGE))
    started_in_the_middle(agent, lambda: "running" in agent.log)
    shutil.copyfile(PICTURE, tmp_path / "watched" / "robin.jpg")
    wait_for((tmp_path / "reached").exists, 20, lambda: agent.log)
    stopped_within_5_s(agent)
    assert "stopped in the middle" in agent.log
    (tmp_path / "hang").unlink()
    agent.start()
    wait_for(lambda: (tmp_path / "page").exists() and len(items(tmp_path / "page")) == 1, 20, lambda: agent.log)
    stopped_within_5_s(agent)


# --- pings ------------------------------------------------------------------------------------------------------------


class Systemd:
    """Listens as systemd does, with the time of each message."""

    def __init__(self, address: Path, agent: AgentProcess, seconds: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(address))
        self.messages: list[tuple[float, str]] = []
        agent.environment |= {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": str(int(seconds * 1e6))}

    def listen(self, seconds: float) -> list[str]:
        """What comes within so long."""
        before, end = len(self.messages), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                message = self._socket.recv(4096).decode()
            except TimeoutError:
                break
            self.messages.append((time.monotonic(), message))
        return [message for _, message in self.messages[before:]]

    def wait_for(self, message: str) -> None:
        end = time.monotonic() + 30
        while not any(heard == message for _, heard in self.messages):
            assert time.monotonic() < end, self.messages
            self.listen(0.1)


def test_the_agent_says_that_it_is_ready_pings_in_time_and_says_that_it_stops(
    agent: AgentProcess, tmp_path: Path
) -> None:
    systemd = Systemd(tmp_path / "notify", agent, 3.0)
    agent.configure(settings(FOLDER, PAGE))
    agent.start()
    systemd.wait_for("READY=1")
    assert set(systemd.listen(9)) == {"WATCHDOG=1"}
    times = [at for at, message in systemd.messages if message == "WATCHDOG=1"]
    assert all(1.0 < later - sooner < 3.0 for sooner, later in itertools.pairwise(times)), times
    stopped_within_5_s(agent)
    assert systemd.listen(0.5)[-1] == "STOPPING=1"


def test_an_agent_whose_watching_thread_hangs_does_not_ping(agent: AgentProcess, tmp_path: Path) -> None:
    systemd = Systemd(tmp_path / "notify", agent, 1.0)
    agent.configure(settings('type = "slow"', PAGE))
    agent.start()
    systemd.wait_for("WATCHDOG=1")
    shutil.copyfile(PICTURE, tmp_path / "watched" / "robin.jpg")
    wait_for((tmp_path / "reached").exists, 20, lambda: agent.log)
    systemd.listen(0.5)  # what had been sent before
    assert systemd.listen(3) == []
    (tmp_path / "hang").unlink()
    assert "WATCHDOG=1" in systemd.listen(3)
    stopped_within_5_s(agent)
