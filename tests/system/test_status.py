"""Whether all is well: for people, for Nagios and for Prometheus; and settings that are taken while it runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.agent import ROOT, AgentProcess, items, settled, wait_for


def settings(more: str = "", agent: str = "") -> str:
    return f"""
        [agent]
        state = "state"
        page = "page"
        {agent}
        [watch.reports]
        type = "folder"
        path = "watched"
        quiet = "100ms"
        existing = "post"
        {more}
    """


@pytest.fixture
def agent(tmp_path: Path) -> AgentProcess:
    (tmp_path / "watched").mkdir()
    made = AgentProcess(tmp_path)
    made.configure(settings())
    return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_before_anything_came_it_says_so(agent: AgentProcess) -> None:
    done = agent.call("status")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "no agent is running: `mediaagent run` starts one",
        "reports: nothing came yet",
        "to page: nothing posted yet",
    ]
    nagios = agent.call("status", "--nagios")
    assert nagios.returncode == 2
    assert nagios.stdout.startswith("MEDIAAGENT CRITICAL - no agent is running | waiting=0;;;0 oldest=0s;3600;86400;0")


def test_a_running_agent_tells_what_came_and_went(agent: AgentProcess) -> None:
    (agent.folder / "watched" / "a.txt").write_text("one")
    agent.start()
    try:
        wait_for(settled(agent.folder / "page", 1), 20, lambda: agent.log)
        lines = agent.call("status").stdout.splitlines()
        assert agent.process is not None
        assert lines[0] == f"the agent is running (process {agent.process.pid})"
        assert lines[1].startswith("reports: last file ")
        assert lines[2].startswith("to page: last posted ")
        nagios = agent.call("status", "--nagios")
        assert (nagios.returncode, nagios.stdout[:15]) == (0, "MEDIAAGENT OK -")
        document = json.loads(agent.call("status", "--json").stdout)
        assert document["sources"]["reports"]["events"] == 1
        assert document["targets"]["page"]["states"] == {"delivered": 1}
        assert agent.stop() == 0
    finally:
        agent.stop()


def test_what_waits_is_told_with_its_reason(agent: AgentProcess) -> None:
    (agent.folder / "known.key").write_text("k" * 32)
    (agent.folder / "watched" / "a.txt").write_text("one")
    agent.configure(
        settings()
        + f"""
        [upload.site]
        type = "known"
        site = "http://127.0.0.1:{free_port()}"
        user = "x"
        key = "file:known.key"
        """
    )
    assert agent.call("run", "--once").returncode == 1
    done = agent.call("status")
    assert done.returncode == 1
    assert "1 waits, the oldest for" in done.stdout
    assert "connection refused" in done.stdout


def test_a_source_that_is_silent_for_too_long_is_told(agent: AgentProcess) -> None:
    agent.configure(settings('expect_every = "1s"'))
    (agent.folder / "watched" / "a.txt").write_text("one")
    assert agent.call("run", "--once").returncode == 0
    wait_for(lambda: "SILENT" in agent.call("status").stdout, 20)
    assert json.loads(agent.call("status", "--json").stdout)["silent"] == ["reports"]


def test_nagios_gets_unknown_for_settings_that_can_t_be_read(agent: AgentProcess) -> None:
    agent.configure("nonsense")
    done = agent.call("status", "--nagios")
    assert done.returncode == 3
    assert done.stdout.startswith("MEDIAAGENT UNKNOWN - ")
    assert len(done.stdout.splitlines()) == 1


def test_prometheus_reads_the_figures_from_an_address_and_from_a_file(agent: AgentProcess) -> None:
    port = free_port()
    agent.configure(settings(agent=f'metrics = "127.0.0.1:{port}"\nmetrics_file = "mediaagent.prom"'))
    (agent.folder / "watched" / "a.txt").write_text("one")
    agent.start()
    try:
        wait_for(settled(agent.folder / "page", 1), 20, lambda: agent.log)
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        assert 'mediaagent_deliveries{state="delivered",target="page"} 1.0' in text
        assert 'mediaagent_files_total{source="reports"} 1.0' in text
        assert 'mediaagent_bytes_total{source="reports"} 3.0' in text
        assert "mediaagent_up 1.0" in (agent.folder / "mediaagent.prom").read_text()
        assert agent.stop() == 0
    finally:
        agent.stop()


def test_figures_are_offered_to_this_machine_only(agent: AgentProcess) -> None:
    agent.configure(settings(agent='metrics = "0.0.0.0:9464"'))
    done = agent.call("run", "--once")
    assert done.returncode == 2
    assert "0.0.0.0 is not this machine's own" in done.stderr


def test_new_settings_are_taken_without_a_new_process(agent: AgentProcess) -> None:
    agent.start()
    try:
        agent.wait_until_running()
        assert agent.process is not None
        pid = agent.process.pid
        (agent.folder / "other").mkdir()
        (agent.folder / "other" / "b.txt").write_text("two")
        agent.configure(settings() + '[watch.more]\ntype = "folder"\npath = "other"\nexisting = "post"\n')
        agent.send(signal.SIGHUP)
        wait_for(settled(agent.folder / "page", 1), 20, lambda: agent.log)
        assert agent.process.poll() is None
        assert f"(process {pid})" in agent.call("status").stdout
        assert agent.stop() == 0
    finally:
        agent.stop()


def test_mistaken_settings_change_nothing_and_are_told(agent: AgentProcess) -> None:
    agent.start()
    try:
        agent.wait_until_running()
        agent.configure(settings('quiett = "1s"'))
        agent.send(signal.SIGHUP)
        wait_for(lambda: "settings not taken" in agent.log, 20, lambda: agent.log)
        (agent.folder / "watched" / "a.txt").write_text("one")
        wait_for(settled(agent.folder / "page", 1), 20, lambda: agent.log)
        assert "quiett" in agent.log
        assert len(items(agent.folder / "page")) == 1
        assert agent.stop() == 0
    finally:
        agent.stop()


@contextmanager
def taken_port() -> Iterator[int]:
    """A port of this machine at which somebody listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def without_prometheus(agent: AgentProcess) -> None:
    """As where prometheus_client was never installed."""
    (agent.folder / "first").mkdir()
    (agent.folder / "first" / "prometheus_client.py").write_text("raise ModuleNotFoundError('prometheus_client')")
    agent.environment["PYTHONPATH"] = os.pathsep.join([str(agent.folder / "first"), str(ROOT)])


def reloads(agent: AgentProcess) -> int:
    return agent.log.count("settings taken")


def test_a_reload_refuses_what_would_keep_the_agent_from_starting(agent: AgentProcess) -> None:
    without_prometheus(agent)
    agent.start()
    (agent.folder / "state2").mkdir()
    (agent.folder / "state2" / "agent.json").write_text("{half of it")
    other = AgentProcess(agent.folder / "other")
    other.folder.mkdir()
    (other.folder / "watched").mkdir()
    other.configure(settings())
    other.start()
    try:
        agent.wait_until_running()
        other.wait_until_running()
        with taken_port() as port:
            for text, told in {
                settings(agent=f'metrics = "127.0.0.1:{port}"'): "Address already in use",
                settings(agent='metrics_file = "mediaagent.prom"'): "prometheus_client is missing",
                settings().replace('"state"', '"/proc/nope"'): "the state folder /proc/nope can't be used",
                settings().replace('"state"', '"agent.toml"'): "is no folder",
                settings(agent='drop = "agent.toml"'): "agent.drop",
                settings().replace('"state"', '"state2"'): "agent.json can't be read",
                settings().replace('"state"', '"other/state"'): "another mediaagent (process ",
            }.items():
                agent.configure(text)
                agent.send(signal.SIGHUP)
                wait_for(lambda told=told: told in agent.log, 20, lambda: agent.log)  # type: ignore[misc]
        assert reloads(agent) == 0
        (agent.folder / "watched" / "a.txt").write_text("one")
        wait_for(settled(agent.folder / "page", 1), 20, lambda: agent.log)
        assert agent.stop() == 0
    finally:
        agent.stop()
        other.stop()
    assert sorted(path.name for path in (agent.folder / "state2").iterdir()) == ["agent.json"]


@pytest.mark.parametrize("way", ["{}", "localhost{}"])
def test_the_address_of_the_running_agent_is_its_own(agent: AgentProcess, way: str) -> None:
    port = free_port()
    agent.configure(settings(agent=f'metrics = "127.0.0.1:{port}"'))
    agent.start()
    try:
        agent.wait_until_running()
        wait_for(lambda: agent.call("check").returncode == 0, 20, lambda: agent.call("check").stderr)
        if way != "{}":
            agent.configure(settings(agent=f'metrics = "localhost:{port}"'))
        agent.send(signal.SIGHUP)
        wait_for(lambda: agent.log.count("running ") == 2, 20, lambda: agent.log)
        assert "mediaagent_up 1.0" in asked(port)
        assert agent.stop() == 0
    finally:
        agent.stop()


def asked(port: int) -> str:
    answer: bytes = urllib.request.urlopen(f"http://localhost:{port}/metrics", timeout=10).read()
    return answer.decode()


def test_check_tells_what_would_keep_the_agent_from_starting(agent: AgentProcess) -> None:
    with taken_port() as port:
        agent.configure(settings(agent=f'metrics = "127.0.0.1:{port}"'))
        done = agent.call("check")
        assert done.returncode == 2
        assert f"127.0.0.1:{port} can't be listened at: Address already in use" in done.stderr
        assert not (agent.folder / "state").exists()
        assert agent.call("run").returncode == 2
    assert agent.call("check").returncode == 0
    agent.configure(settings(agent='drop = "agent.toml"'))
    assert "agent.toml is no folder" in agent.call("check").stderr
    agent.configure(settings().replace('"state"', '"/proc/nope"'))
    assert "the state folder /proc/nope can't be used" in agent.call("check").stderr
    without_prometheus(agent)
    agent.configure(settings(agent='metrics_file = "mediaagent.prom"'))
    done = agent.call("check")
    assert (done.returncode, "prometheus_client is missing" in done.stderr) == (2, True)


def test_check_warns_of_a_file_of_figures_that_can_t_be_written(agent: AgentProcess) -> None:
    agent.configure(settings(agent='metrics_file = "nowhere/mediaagent.prom"'))
    done = agent.call("check")
    assert (done.returncode, "nowhere, so no figures will be there" in done.stderr) == (0, True)


def test_a_file_of_figures_is_for_others_and_tells_when_the_agent_ends(agent: AgentProcess) -> None:
    """node_exporter is another user, and whoever alerts reads mediaagent_up."""
    agent.configure(settings(agent='metrics_file = "figures/mediaagent.prom"'))
    figures = agent.folder / "figures"
    figures.mkdir()
    (figures / ".mediaagent.prom.new").write_text("what one that was killed left")
    (agent.folder / "watched" / "a.txt").write_text("one")
    file = figures / "mediaagent.prom"
    agent.start()
    try:
        wait_for(lambda: file.exists() and "mediaagent_up 1.0" in file.read_text(), 20, lambda: agent.log)
        assert file.stat().st_mode & 0o777 == 0o644
        assert [path.name for path in figures.iterdir()] == ["mediaagent.prom"]
        assert agent.stop() == 0
    finally:
        agent.stop()
    assert "mediaagent_up 0.0" in file.read_text()
    assert "mediaagent_spool_bytes" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_file_of_figures_says_up_again_after_a_restart(agent: AgentProcess) -> None:
    agent.configure(settings(agent='metrics_file = "mediaagent.prom"'))
    file = agent.folder / "mediaagent.prom"
    agent.start()
    try:
        agent.wait_until_running()
        agent.send(signal.SIGHUP)
        wait_for(lambda: agent.log.count("running ") == 2, 20, lambda: agent.log)
        wait_for(lambda: "mediaagent_up 1.0" in file.read_text(), 20, lambda: agent.log)
        assert agent.stop() == 0
    finally:
        agent.stop()
    assert "mediaagent_up 0.0" in file.read_text()


def test_attempts_are_counted_though_their_owner_has_them_tried_anew(agent: AgentProcess) -> None:
    """Prometheus takes a counter that falls for one that began anew, and counts everything twice."""
    (agent.folder / "known.key").write_text("k" * 32)
    for name in ("a", "b"):
        (agent.folder / "watched" / f"{name}.txt").write_text(name)
    site = (
        f'[upload.site]\ntype = "known"\nsite = "http://127.0.0.1:{free_port()}"\nuser = "x"\nkey = "file:known.key"\n'
    )
    agent.configure(settings() + site)
    assert agent.call("run", "--once").returncode == 1
    counted = [attempts(agent)]
    assert counted[0] > 0
    for _ in range(3):
        assert agent.call("queue", "retry", "--all").returncode == 0
        counted.append(attempts(agent))
        assert agent.call("run", "--once").returncode == 1
        counted.append(attempts(agent))
    ((tried,),) = agent.ask("SELECT count(*) FROM history WHERE what = 'deferred' AND target = 'site'")
    assert counted == sorted(counted)
    assert counted[-1] == tried
    assert counted[1] == counted[0] < counted[2]


def attempts(agent: AgentProcess) -> int:
    found: int = json.loads(agent.call("status", "--json").stdout)["targets"]["site"]["attempts"]
    return found
