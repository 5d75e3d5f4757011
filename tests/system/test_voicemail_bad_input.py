"""What strangers may say into a spool, and what the agent must not do to it: the whole agent, with its commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.doubles.known import KnownDouble
from tests.system.agent import AgentProcess, items
from tests.system.storm import sound_of
from tests.unit.test_voicemail_text import FIRST

KEY = "sk1uq2k9umxfgwfmhdaeuj9zdgr18taj"
#: A caller's name as a hostile network could give it: markup, an escape sequence, a turned direction, a template.
HOSTILE = b'"<script>alert(1)</script>\x1b[31m\xe2\x80\xae{{ 7 * 7 }} Zo\xeb & Co" <+15550100>'


def leave(spool: Path, number: int, *, caller: bytes = b'"Alice Example" <+15550100>') -> Path:
    """A whole message."""
    stem = spool / f"default/1234/INBOX/msg{number:04}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".wav").write_bytes(sound_of(number, 6))
    text = FIRST.replace(b'"Alice Example" <+15550100>', caller).replace(b"-00000000\n", b"-%08x\n" % number)
    stem.with_suffix(".txt").write_bytes(text)
    return stem.with_suffix(".txt")


def agent_for(folder: Path, more: str = "") -> AgentProcess:
    agent = AgentProcess(folder)
    agent.configure(f"""
        [agent]
        state = "state"
        page = "page"
        [watch.phone]
        type = "voicemail"
        path = "spool"
        timezone = "UTC"
        enrich = []
        existing = "post"
        {more}
    """)
    return agent


def printed(done: subprocess.CompletedProcess[str]) -> str:
    """What a command wrote, which a terminal takes as text alone."""
    said = done.stdout + done.stderr
    assert all(line.isprintable() for line in said.splitlines()), repr(said)
    return said


def test_a_hostile_callers_name_is_text_on_the_page_in_the_log_and_in_the_terminal(tmp_path: Path) -> None:
    text = leave(tmp_path / "spool", 0, caller=HOSTILE)
    agent = agent_for(tmp_path)
    preview = printed(agent.call("preview", str(text)))
    run = printed(agent.call("run", "--once", "--patience", "10s"))
    (post,) = items(tmp_path / "page")
    assert post["title"].isprintable()
    assert "<script>alert(1)</script>[31m" in post["title"]
    assert "{{ 7 * 7 }}" in post["title"]
    assert "<script>alert" not in (tmp_path / "page" / "index.html").read_text()
    assert "&lt;script&gt;alert(1)" in (tmp_path / "page" / "index.html").read_text()
    for said in (preview, run, *(printed(agent.call(*words)) for words in (("queue", "--all"), ("why", str(text))))):
        assert "\x1b" not in said
    assert "<script>" in preview


def test_a_hostile_callers_name_is_text_on_a_known_site(tmp_path: Path) -> None:
    leave(tmp_path / "spool", 0, caller=HOSTILE)
    (tmp_path / "known.key").write_text(KEY)
    os.chmod(tmp_path / "known.key", 0o600)
    with KnownDouble(plugins={"status", "photo", "entry", "indiepub", "media"}) as double:
        agent = agent_for(
            tmp_path,
            f"""
            [upload.office]
            type = "known"
            site = "{double.address}"
            user = "birdcam"
            key = "file:known.key"
            """,
        )
        done = agent.call("run", "--once", "--patience", "10s")
        assert done.returncode == 0, printed(done)
        (post,) = double.posts
        assert "<script" not in post.body
        assert "alert(1)" in post.title
        assert "\x1b" not in post.title + post.body


def test_a_sound_without_its_text_is_told_and_posted_when_the_text_comes(tmp_path: Path) -> None:
    text = leave(tmp_path / "spool", 0)
    words = text.read_bytes()
    text.unlink()
    agent = agent_for(tmp_path)
    agent.call("run", "--once", "--patience", "1s")
    for command in (("why", str(text.with_suffix(".wav"))), ("scan", "phone")):
        assert "taken together with msg0000.txt, and msg0000.txt is not there" in printed(agent.call(*command))
    text.write_bytes(words)
    done = agent.call("run", "--once", "--patience", "10s")
    assert done.returncode == 0, printed(done)
    assert len(items(tmp_path / "page")) == 1


def test_a_message_of_three_hours_is_posted_whole(tmp_path: Path) -> None:
    text = leave(tmp_path / "spool", 0)
    text.write_bytes(text.read_bytes().replace(b"duration=6\n", b"duration=10800\n"))
    size = 3 * 3600 * 16000
    with text.with_suffix(".wav").open("r+b") as sound:
        head = bytearray(sound.read(44))
        head[4:8], head[40:44] = (size + 36).to_bytes(4, "little"), size.to_bytes(4, "little")
        sound.seek(0)
        sound.write(head)
        sound.truncate(size + 44)
    done = agent_for(tmp_path).call("run", "--once", "--patience", "20s")
    assert done.returncode == 0, printed(done)
    (post,) = items(tmp_path / "page")
    assert post["title"].endswith("3:00:00")
    assert (tmp_path / "page" / post["attachments"][0]["url"]).stat().st_size == size + 44


def state_of(spool: Path) -> dict[str, tuple[int, ...]]:
    """Everything that writing, renaming, linking or changing rights would change."""
    found = {}
    for path in [spool, *sorted(spool.rglob("*"))]:
        each = path.lstat()
        found[str(path)] = (each.st_ino, each.st_mode, each.st_nlink, each.st_size, each.st_mtime_ns, each.st_ctime_ns)
    return found


def test_nothing_in_the_spool_is_touched(tmp_path: Path) -> None:
    for number in range(3):
        leave(tmp_path / "spool", number)
    (tmp_path / "spool/default/1234/INBOX/msg0007.txt").write_text("no message")
    before = state_of(tmp_path / "spool")
    agent_for(tmp_path).call("run", "--once", "--patience", "5s")
    assert len(items(tmp_path / "page")) == 3
    assert state_of(tmp_path / "spool") == before


#: Mounts the spool read-only for this process and its children alone.
_ALONE = ["unshare", "--map-root-user", "--mount"]
_READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'


def test_a_spool_that_can_not_be_written_to_is_served(tmp_path: Path) -> None:
    for number in range(3):
        leave(tmp_path / "spool", number)
    agent = agent_for(tmp_path)
    spool = [tmp_path / "spool", *(tmp_path / "spool").rglob("*")]
    for path in spool:
        path.chmod(0o555 if path.is_dir() else 0o444)
    command = agent.command("run", "--once", "--patience", "10s")
    # Most containers don't allow the mount; there rights have to do, which bind everybody but root.
    if subprocess.run([*_ALONE, "sh", "-c", _READ_ONLY, "sh", spool[0], "true"], capture_output=True).returncode == 0:
        command = [*_ALONE, "sh", "-c", _READ_ONLY, "sh", str(spool[0]), *command]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=100)
    finally:
        for path in spool:
            path.chmod(0o755)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(items(tmp_path / "page")) == 3
