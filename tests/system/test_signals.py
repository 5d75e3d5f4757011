"""Signals to a running agent, whenever they come: none kills it, none that asks to stop is lost, none makes it deaf."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.system.agent import ROOT, AgentProcess, settled, wait_for

SETTINGS = """
[agent]
state = "state"
page = "page"

[watch.reports]
type = "folder"
path = "watched"
quiet = "100ms"
existing = "post"
"""
#: A plug-in that can't be made, as soon as a file says so.
PLUGIN = '''
from collections.abc import Iterable
from pathlib import Path

from mediaagent.api import Defaults, Problem, option, plugin


@plugin
class Moody:
    """A watcher with moods."""

    path: Path = option("what it watches")
    defaults = Defaults(title="{{ label }}")

    def __post_init__(self) -> None:
        if (self.path / "mood").exists():
            {what}

    @property
    def roots(self) -> tuple[Path, ...]:
        return (self.path,)

    def claim(self, file):
        raise NotImplementedError

    def group(self, parts, now):
        return ()
'''


class Systemd:
    """Hears what an agent tells systemd."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.setblocking(False)
        self._heard: list[str] = []

    def heard(self) -> list[str]:
        """The first line of each word."""
        while True:
            try:
                self._heard.append(self._socket.recv(4096).decode().splitlines()[0])
            except BlockingIOError:
                return self._heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(tmp_path)
    yield made
    made.close()


@pytest.fixture
def agent(tmp_path: Path, systemd: Systemd) -> Iterator[AgentProcess]:
    (tmp_path / "watched").mkdir()
    home = tmp_path / "home"
    home.mkdir()
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "HOME": str(home), "PYTHONPATH": str(ROOT)}
    made = AgentProcess(tmp_path, environment=environment)
    made.configure(SETTINGS)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(20)


def start_by_search(agent: AgentProcess) -> None:
    """As its owner does who names no settings: they are found in the folder where it is started."""
    command = [sys.executable, "-m", "mediaagent", "run"]
    environment = {name: value for name, value in os.environ.items() if name != "MEDIAAGENT_CONFIG"}
    with (agent.folder / "agent.log").open("ab") as log:
        agent.process = subprocess.Popen(
            command, cwd=agent.folder, stdout=log, stderr=log, env={**environment, **agent.environment}
        )


def wait_for_runs(agent: AgentProcess, count: int) -> None:
    wait_for(lambda: agent.log.count("running ") >= count, 30, lambda: agent.log)


def refused(agent: AgentProcess, systemd: Systemd) -> bool:
    return "settings not taken" in agent.log and systemd.heard()[-2:] == ["RELOADING=1", "READY=1"]


def test_settings_that_are_gone_at_a_reload_change_nothing_and_it_still_hears(
    agent: AgentProcess, systemd: Systemd
) -> None:
    start_by_search(agent)
    wait_for_runs(agent, 1)
    (agent.folder / "agent.toml").unlink()
    agent.send(signal.SIGHUP)
    wait_for(lambda: refused(agent, systemd), 20, lambda: (agent.log, systemd.heard()))
    assert "there is no such file" in agent.log
    (agent.folder / "watched" / "a.txt").write_text("one")
    wait_for(settled(agent.folder / "page", 1), 20, lambda: agent.log)
    assert agent.stop() == 0
    assert "Traceback" not in agent.log


@pytest.mark.parametrize("where", ["home/.config/mediaagent/agent.toml", "home/.config/mediaagent/logins.toml"])
def test_a_reload_reads_the_file_that_it_was_started_with_and_no_other(
    agent: AgentProcess, systemd: Systemd, where: str
) -> None:
    start_by_search(agent)
    wait_for_runs(agent, 1)
    other = agent.folder / where
    other.parent.mkdir(parents=True)
    other.write_text(SETTINGS)
    mine = agent.folder / "agent.toml"
    mine.rename(agent.folder / "away")
    agent.send(signal.SIGHUP)
    wait_for(lambda: refused(agent, systemd), 20, lambda: (agent.log, systemd.heard()))
    assert not (other.parent / "state").exists()
    assert agent.stop() == 0


def test_a_restart_takes_the_file_that_it_was_started_with_though_an_earlier_one_is_there_now(
    agent: AgentProcess,
) -> None:
    theirs = agent.folder / "home" / ".config" / "mediaagent" / "agent.toml"
    theirs.parent.mkdir(parents=True)
    (theirs.parent / "watched").mkdir()
    (agent.folder / "agent.toml").rename(theirs)
    start_by_search(agent)
    wait_for_runs(agent, 1)
    agent.configure(SETTINGS)
    agent.send(signal.SIGHUP)
    wait_for_runs(agent, 2)
    assert not (agent.folder / "state").exists()
    (theirs.parent / "watched" / "a.txt").write_text("one")
    wait_for(settled(theirs.parent / "page", 1), 20, lambda: agent.log)
    assert agent.stop() == 0


@pytest.mark.parametrize("what", ['raise RuntimeError("not today")', "raise SystemExit(5)"])
def test_a_plug_in_that_fails_at_a_reload_changes_nothing_and_it_still_hears(
    agent: AgentProcess, systemd: Systemd, what: str
) -> None:
    install(agent.folder / "plugins", PLUGIN.replace("{what}", what))
    agent.environment["PYTHONPATH"] += os.pathsep + str(agent.folder / "plugins")
    (agent.folder / "moods").mkdir()
    agent.configure(SETTINGS + '[watch.moods]\ntype = "moody"\npath = "moods"\n')
    agent.start()
    wait_for_runs(agent, 1)
    (agent.folder / "moods" / "mood").touch()
    for times in (1, 2):
        agent.send(signal.SIGHUP)
        wait_for(lambda times=times: systemd.heard().count("READY=1") == 1 + times, 20, lambda: agent.log)  # type: ignore[misc]
    assert agent.log.count("settings not taken") == 2
    assert ("not today" if "not today" in what else "SystemExit: 5") in agent.log
    assert agent.stop() == 0


def test_settings_that_a_plug_in_fails_on_are_a_problem_of_its_table(agent: AgentProcess) -> None:
    install(agent.folder / "plugins", PLUGIN.replace("{what}", 'raise RuntimeError("not today")'))
    agent.environment["PYTHONPATH"] += os.pathsep + str(agent.folder / "plugins")
    (agent.folder / "moods").mkdir()
    (agent.folder / "moods" / "mood").touch()
    agent.configure(SETTINGS + '[watch.moods]\ntype = "moody"\npath = "moods"\n')
    done = agent.call("check")
    assert done.returncode == 2
    assert (
        "agent.toml:11: watch.moods: watcher moody can't be made of these options: RuntimeError: not today"
        in done.stderr
    )


def install(folder: Path, code: str) -> None:
    """A plug-in, as pip would leave it."""
    (folder / "moody-1.0.dist-info").mkdir(parents=True)
    (folder / "moody.py").write_text(code)
    information = folder / "moody-1.0.dist-info"
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: moody\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[mediaagent.watchers]\nmoody = moody:Moody\n")


def test_more_reloads_during_a_restart_do_not_kill_it(agent: AgentProcess) -> None:
    agent.start()
    wait_for_runs(agent, 1)
    for gap in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.02, 0.05, 0.1, 0.2, 0.3):
        agent.send(signal.SIGHUP)
        time.sleep(gap)
    wait_for(lambda: agent.log.count("running ") > agent.log.count("settings taken") > 1, 30, lambda: agent.log)
    (agent.folder / "watched" / "a.txt").write_text("one")
    wait_for(settled(agent.folder / "page", 1), 30, lambda: agent.log)
    assert agent.stop() == 0, agent.log


@pytest.mark.parametrize("gap", [0.0, 0.003, 0.01, 0.03, 0.1, 0.3])
def test_a_stop_during_a_restart_is_obeyed(agent: AgentProcess, gap: float) -> None:
    agent.start()
    wait_for_runs(agent, 1)
    agent.send(signal.SIGHUP)
    wait_for(lambda: "settings taken" in agent.log, 20, lambda: agent.log)
    time.sleep(gap)
    number = signal.SIGTERM if gap else signal.SIGINT
    assert stopped_by(agent, number) in (0, -number), agent.log  # between two programs it ends by the signal itself


def test_a_stop_right_after_a_reload_is_obeyed(agent: AgentProcess) -> None:
    agent.start()
    wait_for_runs(agent, 1)
    agent.send(signal.SIGHUP)
    time.sleep(0.005)
    assert stopped_by(agent, signal.SIGTERM) in (0, -signal.SIGTERM), agent.log


def stopped_by(agent: AgentProcess, number: int) -> int:
    """The exit code, which comes in less than 5 s of the agent's own time."""
    agent.send(number)
    assert agent.process is not None
    return agent.process.wait(10)


def test_a_reload_before_it_runs_is_taken_up_when_it_does(agent: AgentProcess) -> None:
    agent.start()
    wait_for(lambda: hears(agent), 20, lambda: agent.log)
    agent.send(signal.SIGHUP)
    wait_for_runs(agent, 2)
    assert agent.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_before_it_runs_ends_it(agent: AgentProcess, number: int) -> None:
    agent.start()
    wait_for(lambda: hears(agent), 20, lambda: agent.log)
    assert stopped_by(agent, number) == 0, agent.log
    assert "running " not in agent.log


def hears(agent: AgentProcess) -> bool:
    """Its process holds SIGHUP back, or has a handler for it."""
    assert agent.process is not None
    status = Path(f"/proc/{agent.process.pid}/status").read_text()
    masks = {
        line.partition(":")[0]: int(line.split()[1], 16)
        for line in status.splitlines()
        if line[:3] == "Sig" and "/" not in line
    }
    return bool((masks["SigBlk"] | masks["SigCgt"]) >> (signal.SIGHUP - 1) & 1)


def test_what_it_starts_can_be_stopped_by_signals(agent: AgentProcess) -> None:
    """Nothing is blocked in a running agent, before and after a restart; so nothing is in what it starts."""
    agent.start()
    wait_for_runs(agent, 1)
    agent.send(signal.SIGHUP)
    wait_for_runs(agent, 2)
    assert agent.process is not None
    (agent.folder / "watched" / "a.txt").write_text("one")
    wait_for(settled(agent.folder / "page", 1), 20, lambda: agent.log)
    tasks = [*Path(f"/proc/{agent.process.pid}/task").iterdir()]
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    assert children, "the workbench's child is gone"
    for status in [*(task / "status" for task in tasks), *(Path(f"/proc/{child}/status") for child in children)]:
        assert "SigBlk:\t0000000000000000" in status.read_text(), status.read_text()
    assert agent.stop() == 0


def test_once_is_ended_by_ctrl_c(agent: AgentProcess) -> None:
    """What is held for the agent that runs on is not held for one that ends by itself."""
    (agent.folder / "watched" / "a.txt").write_text("one")
    agent.configure(SETTINGS.replace("100ms", "1h"))
    command = agent.command("run", "--once", "--patience", "1h")
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **agent.environment}) as process:
        try:
            wait_for(lambda: (agent.folder / "state" / "outbox.db").exists(), 20)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        finally:
            process.kill()


def test_every_option_before_the_command_that_takes_a_value_is_known_at_the_start() -> None:
    from mediaagent import __main__
    from mediaagent.cli.commands import main

    taking = {option.opts[0] for option in main.params if isinstance(option, click.Option) and not option.is_flag}
    assert taking == set(__main__._WITH_VALUE)
