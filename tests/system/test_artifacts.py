"""What test runs really left behind, done again while the agent watches."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.replay import replay
from tests.system.agent import DATA, AgentProcess, items, wait_for

SCENARIO = DATA / "artifacts" / "run"
EXPECTED = json.loads((SCENARIO / "expected.json").read_text())


def agent_for(tmp_path: Path, *, lookout: str = "inotify") -> AgentProcess:
    """Without enrichers: what the watcher itself says."""
    (tmp_path / "runs").mkdir(exist_ok=True)
    agent = AgentProcess(tmp_path)
    agent.configure(f"""
        [agent]
        state = "state"
        lookout = "{lookout}"
        rescan = "1s"
        page = "page"
        [watch.nightly]
        type = "artifacts"
        path = "runs"
        quiet = "5s"
        enrich = []
    """)
    return agent


def title() -> str:
    junit = EXPECTED["junit"].values()
    failed = sum(report["by_state"]["failure"] + report["by_state"]["error"] for report in junit)
    tests = sum(report["testcases"] for report in junit)
    crashes = sum(core["threads"][0]["cursig"] != 0 for core in EXPECTED["cores"].values())
    return f"17: {failed} of {tests} tests failed, {crashes} crashes"


def wait_until_told(agent: AgentProcess) -> None:
    """Where walks are far apart a run may seem to be over before its last files are seen; they join it then."""
    page = agent.folder / "page"
    wait_for(lambda: title() in [item["title"] for item in items(page)], 60, lambda: agent.log)


def judge(page: Path) -> None:
    """One post that names each failure and each program that crashed, with all that is to be attached."""
    (item,) = items(page)
    assert item["title"] == title()
    for report in EXPECTED["junit"].values():
        for classname, name, _ in report["bad"]:
            assert ".".join(filter(None, (classname, name))) in item["content_text"]
    for name, core in EXPECTED["cores"].items():
        crashed = core["exe"].rpartition("/")[2] in item["content_text"]
        assert crashed is (core["threads"][0]["cursig"] != 0), name
    assert contents(page, item) == wanted()


def contents(page: Path, item: dict[str, Any]) -> list[bytes]:
    """What is attached, pictures left out: they are written anew."""
    files = [page / each["url"].replace("%24", "$") for each in item["attachments"]]
    return sorted(file.read_bytes() for file in files if file.suffix != ".png")


def wanted() -> list[bytes]:
    files = [path for path in (SCENARIO / "tree").rglob("*") if path.suffix in (".xml", ".log", ".txt")]
    return sorted(path.read_bytes() for path in files if path.stat().st_size)


def test_after_a_replay_at_full_speed_one_post_tells_all(tmp_path: Path) -> None:
    agent = agent_for(tmp_path)
    agent.start()
    try:
        agent.wait_until_running()
        replay(SCENARIO, tmp_path / "runs" / "17")
        wait_until_told(agent)
        assert agent.stop() == 0
    finally:
        agent.stop()
    judge(tmp_path / "page")


@pytest.mark.slow
@pytest.mark.parametrize("lookout", ["inotify", "walk", "observer"])
def test_while_a_run_goes_on_nothing_is_posted_and_then_one_post_tells_all(tmp_path: Path, lookout: str) -> None:
    agent = agent_for(tmp_path, lookout=lookout)
    agent.start()
    try:
        agent.wait_until_running()
        replay(SCENARIO, tmp_path / "runs" / "17", speed=20)
        assert not items(tmp_path / "page")
        wait_until_told(agent)
        assert agent.stop() == 0
    finally:
        agent.stop()
    judge(tmp_path / "page")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_kills_make_no_second_post(tmp_path: Path) -> None:
    agent = agent_for(tmp_path)
    agent.start()
    agent.wait_until_running()  # its first start decides what is new
    chance = random.Random(17)
    player = threading.Thread(target=replay, args=(SCENARIO, tmp_path / "runs" / "17", 20))
    player.start()
    try:
        for _ in range(20):
            time.sleep(chance.uniform(0.1, 1.5))
            agent.kill()
            agent.start()
        player.join()
        wait_until_told(agent)
        time.sleep(6)
        assert agent.stop() == 0
    finally:
        player.join()
        agent.stop()
    judge(tmp_path / "page")
