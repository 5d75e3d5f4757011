"""Hooks of other users hand over by the drop folder while the site is down and everything is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.doubles.known import KnownDouble
from tests.system.agent import ROOT, AgentProcess, wait_for
from tests.system.posting import Person, picture

#: Debian's user for nothing, and a group that stands for the one that hooks are in.
NOBODY, HOOKS = 65534, 12345
POSTS = 100

#: Loads everything as root, whose Python another user may not be able to read; then each hook is a process of its own,
#: of another user, that runs the whole command.
_HOOKS = """
    import difflib, os, platform, sys, time, traceback
    from mediaagent import model, nudges, options
    from mediaagent.cli.commands import main
    from mediaagent.cli.post import charge, handing, place, words
    drop, picture, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    slowest = 0.0
    for number in range(first, last):
        begun = time.monotonic()
        child = os.fork()
        if child == 0:
            if os.geteuid() == 0:
                os.setgroups([{group}])
                os.setgid({nobody})
                os.setuid({nobody})
            text = ["-m", f"post {{number}} of a hook"]
            words_ = ["photo", picture, *text] if number % 4 == 0 else ["status", *text]
            try:
                main(["post", *words_, "--queue", "--drop", drop])
            except SystemExit as ended:
                os._exit(ended.code or 0)
            os._exit(99)
        _, status = os.waitpid(child, 0)
        slowest = max(slowest, time.monotonic() - begun)
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"hook {{number}} ended with {{os.waitstatus_to_exitcode(status)}}")
    print(slowest)
"""


def hooks(drop: Path, file: Path, first: int, last: int) -> subprocess.Popen[str]:
    script = textwrap.dedent(_HOOKS).format(group=HOOKS, nobody=NOBODY)
    return subprocess.Popen(
        [sys.executable, "-c", script, str(drop), str(file), str(first), str(last)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": "/nonexistent"},
    )


def shared_drop(folder: Path) -> Path:
    """As tmpfiles.d makes it: its owner's, hooks may put something in and see nothing."""
    drop = folder / "drop"
    drop.mkdir()
    if os.geteuid() == 0:
        os.chown(drop, 0, HOOKS)
        for path in (folder, *folder.parents):  # pytest's own folders are closed to others
            if path.stat().st_uid == 0 and path != Path("/"):
                path.chmod(path.stat().st_mode | 0o011)
    drop.chmod(0o3730)
    return drop


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hundred_posts_of_hooks_survive_everything_and_are_posted_once(tmp_path: Path) -> None:
    drop = shared_drop(tmp_path)
    file = picture(tmp_path / "seen.jpg")
    with KnownDouble() as gone:
        port = int(gone.address.rpartition(":")[2])
        person = Person(tmp_path / "agent")
        (person.home / "agent.toml").write_text(person.settings(gone, drop=str(drop)).read_text())
    agent = AgentProcess(person.home, environment=person.everything)
    try:
        slowest = [_half(agent, drop, file, 0), _half(agent, drop, file, POSTS // 2)]
        assert max(slowest) < 5.0, "a hook had to wait"
        killed = hooks(drop, file, POSTS, POSTS + 20)
        time.sleep(0.3)
        killed.kill()  # what a killed hook had not handed over is nobody's; what it had is posted, too
        killed.communicate()
        with KnownDouble(port=port) as site:
            agent.start()
            agent.wait_until_running()
            agent.call("queue", "retry", "--all")
            expected = {f"post {number} of a hook" for number in range(POSTS)}
            wait_for(lambda: expected <= {_text(post.body) for post in site.posts}, 120, lambda: agent.log[-3000:])
            assert agent.stop() == 0
            posts = [_text(post.body) for post in site.posts]
    finally:
        agent.kill()
    assert len(posts) == len(set(posts)), "something is there twice"
    assert [post for post in site.posts if post.kind == "image" and len(post.files) != 1] == []
    assert [path.name for path in drop.iterdir() if not path.name.startswith(".making-")] == []
    if os.geteuid() == 0:
        by = {row[0] for row in agent.ask("SELECT json_extract(facts, '$.by') FROM events")}
        assert by == {NOBODY}


def _half(agent: AgentProcess, drop: Path, file: Path, first: int) -> float:
    """Half of the posts; the agent is killed while it takes them in. Returns how long the slowest hook took."""
    agent.start()
    agent.wait_until_running()
    taken = agent.log.count("event new")
    calling = hooks(drop, file, first, first + POSTS // 2)
    wait_for(lambda: agent.log.count("event new") > taken + 10 or calling.poll() is not None, 60, lambda: agent.log)
    agent.kill()
    said, trouble = calling.communicate(timeout=60)
    assert calling.returncode == 0, trouble
    return float(said)


def _text(body: str) -> str:
    return body.partition(" <span")[0]


def test_a_hook_that_may_not_look_into_the_drop_folder_hands_over_all_the_same(tmp_path: Path) -> None:
    drop = shared_drop(tmp_path)
    hook = hooks(drop, picture(tmp_path / "p.jpg"), 0, 4)
    trouble = hook.communicate(timeout=60)[1]
    assert hook.returncode == 0, trouble
    with KnownDouble() as site:
        person = Person(tmp_path / "agent")
        person.settings(site, drop=str(drop))
        assert person.call("run", "--once").code == 0
        assert sorted(_text(post.body) for post in site.posts) == [f"post {number} of a hook" for number in range(4)]


def test_a_stranger_is_told_that_its_group_may(tmp_path: Path) -> None:
    drop = shared_drop(tmp_path)
    if os.geteuid() != 0:
        drop.chmod(0o500)
    script = textwrap.dedent("""
        import difflib, os, platform, sys, traceback
        from mediaagent.cli.commands import main
        from mediaagent import model, options
        from mediaagent.cli.post import charge, handing, place, words
        if os.geteuid() == 0:
            os.setgroups([]), os.setgid(65534), os.setuid(65534)
        main(["post", "status", "--queue", "-m", "x", "--drop", sys.argv[1]])
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(drop)], cwd=ROOT, capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 2
    assert "this user may not hand over posts there; its group may" in done.stderr


def test_what_root_hands_over_belongs_to_the_agents_user(tmp_path: Path) -> None:
    """Or the agent could not read it: cron and systemd's OnFailure= call hooks as root."""
    drop = tmp_path / "drop"
    drop.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(drop, NOBODY, NOBODY)
    file = picture(tmp_path / "p.jpg")
    said = Person(tmp_path / "root").call("post", "photo", str(file), "--queue", "--drop", str(drop))
    assert said.code == 0, said.err
    owners = {path.stat().st_uid for path in drop.rglob("*")}
    assert owners == {NOBODY if os.geteuid() == 0 else os.geteuid()}
    assert file.stat().st_uid == os.geteuid()
