"""What Asterisk's voicemail really did, done again while the agent watches."""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
from pathlib import Path

import pytest

from tests.replay import replay
from tests.system.agent import AgentProcess, items, settled, wait_for
from tests.system.storm import Storm, name_of, sound_of
from tests.system.voicemails import SCENARIO, expected, judge, key_of, truth

#: Times the producer's own pace, at which the long form plays.
PACE = 1 if os.environ.get("MEDIAAGENT_LONG") else 10
#: Seconds between two walks where nothing else tells of changes.
RESCAN = 10 / PACE


def agent_for(tmp_path: Path, *, lookout: str = "inotify", existing: str = "ignore") -> AgentProcess:
    (tmp_path / "spool").mkdir(exist_ok=True)
    agent = AgentProcess(tmp_path)
    agent.configure(f"""
        [agent]
        state = "state"
        lookout = "{lookout}"
        rescan = "{f"{RESCAN:g}s" if lookout == "walk" else "60s"}"
        page = "page"
        [watch.phone]
        type = "voicemail"
        path = "spool"
        timezone = "UTC"
        enrich = []
        existing = "{existing}"
    """)
    return agent


def test_the_recording_tells_which_sound_belongs_to_which_text() -> None:
    assert set(expected("posts_live")) <= set(truth())
    assert all(message.sounds for message in truth().values())


def test_every_message_of_the_recording_lies_there_for_several_walks() -> None:
    """So none may be missed, whatever the lookout."""
    assert min(went - came for came, went in presence().values()) > 3 * RESCAN


def test_run_once_after_the_fact_posts_each_message_that_is_there_once(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, existing="post")
    replay(SCENARIO, tmp_path / "spool")
    for _ in range(2):
        done = agent.call("run", "--once", "--patience", "10s")
        assert done.returncode == 0, done.stderr
        judge(tmp_path / "page", expected("posts_after"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("lookout", ["inotify", "walk", "observer"])
def test_an_agent_that_watches_posts_each_message_once(tmp_path: Path, lookout: str) -> None:
    agent = agent_for(tmp_path, lookout=lookout)
    agent.start()
    try:
        agent.wait_until_running()
        replay(SCENARIO, tmp_path / "spool", speed=PACE)
        wait_for(settled(tmp_path / "page", len(expected("posts_live"))), 30, lambda: agent.log)
        assert agent.stop() == 0
    finally:
        agent.stop()
    judge(tmp_path / "page", expected("posts_live"))
    assert "late" not in agent.log


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_in_the_middle_of_it_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    agent = agent_for(tmp_path)
    agent.start()
    agent.wait_until_running()  # its first start decides what is new
    seed = time.time_ns() % 1_000_000
    chance = random.Random(seed)
    player = threading.Thread(target=replay, args=(SCENARIO, tmp_path / "spool", PACE))
    began = time.monotonic()
    player.start()
    lives = [(0.0, live(agent, began, chance.uniform(0.1, 40 / PACE))[1])]
    try:
        for _ in range(19):
            agent.start()
            lives.append(live(agent, began, chance.uniform(0.1, 40 / PACE)))
        agent.start()
        agent.wait_until_running()
        lives.append((time.monotonic() - began, float("inf")))
        player.join()
        may_miss = came_and_went_unseen(lives)
        posts = len(expected("posts_live")) - len(may_miss)
        wait_for(settled(tmp_path / "page", posts), 30, lambda: f"seed {seed}\n{agent.log}")
        assert agent.stop() == 0
    finally:
        player.join()
        agent.stop()
    assert len(may_miss) <= 8, f"seed {seed}: the agent was hardly ever up, this proves nothing"
    judge(tmp_path / "page", expected("posts_live"), may_miss=may_miss)


def live(agent: AgentProcess, began: float, seconds: float) -> tuple[float, float]:
    """Lets the agent live for so long, then kills it. Returns from when to when it was watching."""
    before, up, until = agent.log.count("] running"), 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        if not up and agent.log.count("] running") > before:
            up = time.monotonic() - began
        time.sleep(0.02)
    agent.kill()
    down = time.monotonic() - began
    return up or down, down


def presence() -> dict[tuple[str, int], tuple[float, float]]:
    """From when to when each message lay there, in seconds after the first step of the replay."""
    listed = json.loads((SCENARIO / "expected.json").read_text())["posts_live"]
    last = max(each["after"] for each in listed)  # this one stays
    return {
        (each["msg_id"], each["duration"]): (
            each["after"] / PACE,
            float("inf") if each["after"] == last else (each["after"] + each["seconds_there"]) / PACE,
        )
        for each in listed
    }


def came_and_went_unseen(lives: list[tuple[float, float]]) -> set[tuple[str, int]]:
    """Messages that never lay there for a whole second of one of the agent's lives."""
    return {
        message
        for message, (came, went) in presence().items()
        if all(min(went, down) - max(came, up) < 1.0 for up, down in lives)
    }


@pytest.mark.slow
def test_a_storm_of_renumbering_loses_doubles_and_mixes_up_no_message(tmp_path: Path) -> None:
    agent = agent_for(tmp_path)
    # Half a second is enough where the storm leaves the agent a processor (measured on two), a second or so with two
    # more busy programs on them. Two, for machines with less: what the agent has no processor for it can't see.
    storm = Storm(tmp_path / "spool", stays=2.0)
    agent.start()
    try:
        agent.wait_until_running()
        storm.rage(200, every=0.05)
        wait_for(settled(tmp_path / "page", 200), 60, lambda: agent.log[-5000:])
        assert agent.stop() == 0
    finally:
        agent.stop()
    posted = items(tmp_path / "page")
    assert sorted(key_of(item)[0] for item in posted) == sorted(name_of(number) for number in range(200))
    for item in posted:
        number = int(key_of(item)[0].partition("-")[2], 16)
        (attachment,) = item["attachments"]
        assert (tmp_path / "page" / attachment["url"]).read_bytes() == sound_of(number, key_of(item)[1])
        assert item["title"] == f"Voicemail from Caller {number}, 0:{key_of(item)[1]:02}"


def test_preview_shows_the_post_that_a_message_would_become(tmp_path: Path) -> None:
    shutil.copytree(SCENARIO / "tree", tmp_path / "spool")
    done = agent_for(tmp_path).call("preview", str(tmp_path / "spool/default/1234/INBOX/msg0000.txt"))
    assert done.returncode == 0, done.stderr
    assert "Voicemail from Both Boxes, 0:04" in done.stdout
    assert "audio   msg0000.wav, audio/wav" in done.stdout
