"""Commands of root, and of others, on a state folder that is somebody else's; and what folders are made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.doubles.known import KnownDouble
from tests.system.agent import ROOT
from tests.system.posting import BASHKNOWN, Person, picture

#: Nobody of this machine's.
OWNER = 54321


class TestAsRoot:
    """Root may write everywhere, so rights keep it from nothing."""

    __test__ = os.geteuid() == 0

    @pytest.fixture
    def state(self, ada: Person) -> Path:
        """A state folder with a memory of its owner's."""
        assert ada.call("post", "status", "--wait", "-m", "first").code == 0
        state = ada.home / "state"
        for path in (state, *state.rglob("*")):
            os.chown(path, OWNER, OWNER)
        return state

    def test_a_post_is_handed_over_and_who_delivers_it_is_told(
        self, ada: Person, site: KnownDouble, state: Path
    ) -> None:
        for words in (("status", "-m", "x"), ("photo", str(picture(ada.home / "p.jpg")))):
            said = ada.call("post", *words, "--wait", "--json")
            assert (said.code, said.json["state"]) == (1, "waiting"), said.err
            assert f"no agent is running, and only uid {OWNER}, whose it is, can be it" in said.err
            assert f"it is kept; `setpriv --reuid={OWNER} --clear-groups mediaagent run --once` delivers it" in said.err
        assert {path.stat().st_uid for path in (state, *state.rglob("*"))} == {OWNER}
        assert [post.body for post in site.posts] == ["first"]
        assert len([*(state / "drop").glob("*/post.json")]) == 2

    def test_no_command_is_the_agent_there(self, ada: Person, site: KnownDouble, state: Path) -> None:
        (ada.home / "run").mkdir()
        for words in (("run", "--once"), ("run",), ("post", "run", str(ada.home / "run"))):
            said = ada.call(*words)
            assert said.code == 2, said.out
            assert f"belongs to uid {OWNER}, who alone may be its agent, and this is root" in said.err
            assert f"setpriv --reuid={OWNER} --clear-groups mediaagent" in said.err
        assert {path.stat().st_uid for path in (state, *state.rglob("*"))} == {OWNER}
        assert not (ada.home / "state-post").exists()

    def test_check_says_whose_it_is(self, ada: Person, state: Path) -> None:
        said = ada.call("check")
        assert said.code == 0, said.err
        assert f"warning: agent.state: {state} belongs to uid {OWNER}, and this is checked by root" in said.err


def test_check_names_a_file_of_the_agents_that_can_not_be_read(ada: Person) -> None:
    assert ada.call("post", "status", "--wait", "-m", "x").code == 0
    note = ada.home / "state" / "agent.json"
    note.chmod(0)
    said = ada.call("check", humble=True)
    assert said.code == 2
    assert f"agent.state: {note} can't be read by this user" in said.err
    said = ada.call("post", "status", "--wait", "-m", "y", humble=True)
    assert said.code == 1
    assert f"{note} can't be used: Permission denied; `mediaagent check` says what is in the way" in said.err


@pytest.mark.parametrize("mask", [0o022, 0o777])
def test_folders_of_the_agents_are_its_users_alone_whoever_makes_them(
    ada: Person, tmp_path: Path, site: KnownDouble, mask: int
) -> None:
    words = ada.command("post", "photo", str(picture(ada.home / "p.jpg")), "--queue", "-m", "x")
    done = subprocess.run(words, env=ada.everything, cwd=ROOT, umask=mask, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    state = ada.home / "state"
    assert [oct(path.stat().st_mode & 0o7777) for path in (state, state / "drop")] == ["0o700"] * 2
    assert ada.call("run", "--once").code == 0
    assert [post.kind for post in site.posts] == ["image"]


def test_scripts_of_bashknown_make_no_folder_that_others_can_read(tmp_path: Path, site: KnownDouble) -> None:
    bob = Person(tmp_path / "bob")
    script = [str(BASHKNOWN / "status.sh"), site.address, "birdcam", "no-key"]
    environment = {**bob.everything, "PYTHONPATH": str(ROOT), "MEDIAAGENT": "true"}
    subprocess.run(script, env=environment, umask=0o022, input=b"x", capture_output=True, timeout=60)
    state = bob.home / ".local" / "state" / "mediaagent"
    assert (state / "bashknown-warned").exists()
    assert oct(state.stat().st_mode & 0o7777) == "0o700"


def test_a_drop_folder_behind_a_closed_one_is_told_with_what_is_closed(ada: Person) -> None:
    state = ada.home / "state"
    (state / "drop").mkdir(parents=True)
    state.chmod(0)
    said = ada.call("post", "status", "--queue", "-m", "x", "--drop", str(state / "drop"), humble=True)
    state.chmod(0o700)
    assert said.code == 2
    assert f"{state} is closed to this user, whose it is: chmod u+rwx {state}" in said.err
