"""From Asterisk's spool to a post that plays: with the default settings, on the page and on a Known site."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
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


# --- the spool is Asterisk's ------------------------------------------------------------------------------------------


def listing(folder: Path) -> dict[str, tuple[int, ...]]:
    """All that is there, and what would tell of any change."""
    found = [folder, *folder.rglob("*")]
    return {
        str(path.relative_to(folder)): (path.lstat().st_ino, path.lstat().st_mode, path.lstat().st_ctime_ns)
        for path in found
    }


def without_roots_rights() -> None:
    """What is read-only is that for root, too, in the program that is started next (CAP_DAC_OVERRIDE)."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP


def test_a_spool_that_can_only_be_read_is_enough_and_stays_as_it_was(tmp_path: Path) -> None:
    agent = agent_for(tmp_path, "")
    spool = tmp_path / "spool"
    for path in (spool, *spool.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = listing(spool)
    try:
        writes = subprocess.run(["touch", spool / "it"], preexec_fn=without_roots_rights, stderr=subprocess.DEVNULL)
        assert writes.returncode, "the spool can be written, so this proves nothing"
        done = subprocess.run(
            agent.command("run", "--once", "--patience", "15s"),
            capture_output=True,
            text=True,
            timeout=100,
            preexec_fn=without_roots_rights,
        )
    finally:
        after = listing(spool)
        for path in (spool, *spool.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(items(tmp_path / "page")) == len(expected("posts_after"))
    assert after == before


# --- what callers call themselves -------------------------------------------------------------------------------------

NASTY = "<script>alert(1)</script>&amp;\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066'; {{ 7*7 }}"
SHOWN = "<script>alert(1)</script>&amp;]0;owned[2Jgnp.exe'; {{ 7*7 }}"


def test_what_a_caller_calls_himself_is_shown_and_does_nothing(tmp_path: Path) -> None:
    """On the page, in its feed, on a Known site, in the log, in the terminal."""
    (tmp_path / "known.key").write_text(KEY)
    os.chmod(tmp_path / "known.key", 0o600)
    Asterisk(tmp_path / "spool").takes(recorded(Path(shutil.copy(DATA / "msg0001.wav", tmp_path))), 2, NASTY)
    with KnownDouble(plugins={"status", "photo", "entry", "indiepub", "media"}) as double:
        agent = AgentProcess(tmp_path)
        agent.configure(f"""
            [agent]
            state = "state"
            [watch.phone]
            type = "voicemail"
            path = "spool"
            existing = "post"
            body = "{{{{ caller }}}} called"
            [upload.page]
            type = "page"
            path = "page"
            [upload.office]
            type = "known"
            site = "{double.address}"
            user = "birdcam"
            key = "file:known.key"
        """)
        done = agent.call("run", "--once", "--patience", "15s")
        assert done.returncode == 0, done.stdout + done.stderr
        (post,) = double.posts
    assert post.title == f"Voicemail from {SHOWN}, 0:02"
    assert post.body.startswith(
        "&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;]0;owned[2Jgnp.exe'; {{ 7*7 }} called <span"
    )
    page = (tmp_path / "page" / "index.html").read_text()
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;]0;owned") == 2
    assert "<script" not in page
    (item,) = items(tmp_path / "page")
    assert (item["title"], item["content_text"]) == (post.title, f"{SHOWN} called")
    told = [done.stdout, done.stderr]
    message = str(tmp_path / "spool/default/1234/INBOX/msg0000.txt")
    for words in (["queue"], ["queue", "show", "1"], ["why", message], ["preview", message], ["scan", "phone"]):
        answer = agent.call(*words)
        told.append(answer.stdout + answer.stderr)
    assert sum(SHOWN in text for text in told) >= 4
    assert all(c == "\n" or c.isprintable() for text in (*told, page, post.title, post.body) for c in text)
