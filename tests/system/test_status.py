"""Whether all is well: for people, for Nagios and for Prometheus; and settings that are taken while it runs."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.system.agent import AgentProcess, items, settled, wait_for


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
