"""What Motion, motionEye and a camera with FTP really did, done again while the agent watches."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.replay import replay
from tests.system.agent import DATA, AgentProcess, events_of, judge, settled, wait_for

SCENARIOS = {"four-cameras": "", "motioneye-names": "", "ftp": 'preset = "reolink"'}
LOOKOUTS = ("inotify", "observer", "walk")
#: The long form plays at the producers' own pace.
SPEED = 1 if os.environ.get("MEDIAAGENT_LONG") else 20


def agent_for(tmp_path: Path, scenario: str, *, lookout: str = "inotify", existing: str = "ignore") -> AgentProcess:
    (tmp_path / "watched").mkdir(exist_ok=True)
    agent = AgentProcess(tmp_path)
    agent.configure(f"""
        [agent]
        state = "state"
        lookout = "{lookout}"
        rescan = "{"500ms" if lookout == "walk" else "60s"}"
        page = "page"
        [watch.garden]
        type = "motion"
        path = "watched"
        event_gap = "5s"
        timezone = "UTC"
        existing = "{existing}"
        {SCENARIOS[scenario]}
    """)
    return agent


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_run_once_after_the_fact_posts_each_event_once(tmp_path: Path, scenario: str) -> None:
    agent = agent_for(tmp_path, scenario, existing="post")
    replay(DATA / "motion" / scenario, tmp_path / "watched")
    done = agent.call("run", "--once", "--patience", "12s" if scenario == "ftp" else "30s")
    assert done.returncode == 0, done.stderr
    judge(tmp_path / "page", tmp_path / "watched", scenario)
    again = agent.call("run", "--once", "--patience", "1s")
    assert again.returncode == 0, again.stderr
    judge(tmp_path / "page", tmp_path / "watched", scenario)


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("lookout", LOOKOUTS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_an_agent_that_watches_posts_each_event_once(tmp_path: Path, scenario: str, lookout: str) -> None:
    agent = agent_for(tmp_path, scenario, lookout=lookout)
    agent.start()
    try:
        agent.wait_until_running()
        replay(DATA / "motion" / scenario, tmp_path / "watched", speed=SPEED)
        wait_for(settled(tmp_path / "page", len(events_of(scenario))), 60, lambda: agent.log)
        assert agent.stop() == 0
    finally:
        agent.stop()
    judge(tmp_path / "page", tmp_path / "watched", scenario)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_kills_in_the_middle_of_it_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, "four-cameras")
    agent.start()
    agent.wait_until_running()  # its first start decides what is new
    seed = time.time_ns() % 1_000_000
    chance = random.Random(seed)
    player = threading.Thread(target=replay, args=(DATA / "motion" / "four-cameras", tmp_path / "watched", 16))
    player.start()
    try:
        for _ in range(20):
            time.sleep(chance.uniform(0.05, 1.8))
            agent.kill()
            agent.start()
        player.join()
        wait_for(settled(tmp_path / "page", len(events_of("four-cameras"))), 60, lambda: f"seed {seed}\n{agent.log}")
        assert agent.stop() == 0
    finally:
        player.join()
        agent.stop()
    judge(tmp_path / "page", tmp_path / "watched", "four-cameras")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_an_agent_that_was_stopped_during_a_flood_of_50000_files_loses_none(tmp_path: Path) -> None:
    (tmp_path / "watched").mkdir()
    agent = AgentProcess(tmp_path)
    agent.configure("""
        [agent]
        state = "state"
        rescan = "1h"
        [watch.flood]
        type = "folder"
        path = "watched"
        quiet = "500ms"
        to = []
    """)
    agent.start()
    try:
        agent.wait_until_running()
        agent.send(signal.SIGSTOP)
        for number in range(50_000):
            folder = tmp_path / "watched" / f"{number // 1000}"
            if number % 1000 == 0:
                folder.mkdir()
            (folder / f"{number}.txt").write_text(f"{number}\n")
        agent.send(signal.SIGCONT)

        def secured() -> bool:
            time.sleep(1)
            return agent.ask("SELECT count(*) FROM parts")[0][0] >= 50_000

        wait_for(secured, 900, lambda: agent.ask("SELECT count(*) FROM parts"))
        wait_for(lambda: agent.ask("SELECT count(*) FROM parts WHERE event IS NULL") == [(0,)], 120)
        assert agent.ask("SELECT count(*), count(DISTINCT name) FROM parts") == [(50_000, 50_000)]
        assert agent.ask("SELECT count(*), count(DISTINCT key) FROM events") == [(50_000, 50_000)]
        assert agent.stop() == 0
    finally:
        agent.stop()
