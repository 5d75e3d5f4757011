"""From Asterisk's spool to a post that plays: with the default settings, on the page and on a Known site."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from tests.doubles.known import KnownDouble
from tests.replay import replay
from tests.system.agent import AgentProcess, items, settled, wait_for
from tests.system.asterisk import Asterisk, recorded
from tests.system.voicemails import SCENARIO, expected
from tests.unit.sounds import DATA

KEY = "sk1uq2k9umxfgwfmhdaeuj9zdgr18taj"


def agent_for(folder: Path, targets: str) -> AgentProcess:
    replay(SCENARIO, folder / "spool")
    agent = AgentProcess(folder)
    agent.configure(f"""
        [agent]
        state = "state"
        page = "page"
        [watch.phone]
        type = "voicemail"
        path = "spool"
        timezone = "UTC"
        existing = "post"
        {targets}
    """)
    return agent


def test_the_page_gets_each_message_as_a_private_player(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, "")
    done = agent.call("run", "--once", "--patience", "15s")
    assert done.returncode == 0, done.stdout + done.stderr
    posts = items(tmp_path / "page")
    assert len(posts) == len(expected("posts_after"))
    for post in posts:
        (sound,) = post["attachments"]
        assert sound["mime_type"] == "audio/mpeg"
        assert (tmp_path / "page" / sound["url"]).stat().st_size > 1000
        assert post["_mediaagent"]["access"] == "private"
        assert post["title"].startswith(("Voicemail", "Urgent"))


def test_a_known_site_gets_each_message_as_a_recording_of_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "known.key").write_text(KEY)
    os.chmod(tmp_path / "known.key", 0o600)
    with KnownDouble(plugins={"status", "photo", "entry", "indiepub", "media"}) as double:
        targets = f"""
            [upload.office]
            type = "known"
            site = "{double.address}"
            user = "birdcam"
            key = "file:known.key"
        """
        agent = agent_for(tmp_path, targets)
        done = agent.call("run", "--once", "--patience", "15s")
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(double.posts) == len(expected("posts_after"))
        assert all(post.access not in ("PUBLIC", "SITE") for post in double.posts)
        assert all(post.names[0].endswith(".mp3") for post in double.posts)


def test_a_message_that_comes_while_the_agent_runs_is_posted_within_seconds(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, "")
    agent.start()
    try:
        agent.wait_until_running()
        wait_for(settled(tmp_path / "page", len(expected("posts_after"))), 60, lambda: agent.log)
        asterisk = Asterisk(tmp_path / "spool", mailbox="4321")
        renamed = asterisk.takes(recorded(Path(shutil.copy(DATA / "msg0001.wav", tmp_path))), 2, "Late Larry")
        while not any("Late Larry" in post["title"] for post in items(tmp_path / "page")):
            assert time.time() - renamed < 10, agent.log
            time.sleep(0.02)
    finally:
        agent.stop()
