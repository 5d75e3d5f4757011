"""What a caller has closed, or never had: standard streams, a reader of the output, a home."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest

from tests.doubles import known_faults as faults
from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.system.agent import ROOT
from tests.system.posting import Person, Said, picture


def in_shell(person: Person, line: str, *words: str, **environment: str) -> Said:
    """`mediaagent WORDS` where `line` has %s, as a shell with pipefail runs it."""
    script = f"set -o pipefail; {line % shlex.join(person.command(*words))}"
    everything = {**person.everything, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        ["bash", "-c", script], cwd=person.home, env=everything, capture_output=True, text=True, timeout=100
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("line", ["%s >&-", "%s <&- >&- 2>&-", "%s >/dev/full", "%s 2>&-", "%s <&-", "%s | true"])
@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("mail",)])
def test_what_is_queued_is_queued_whoever_listens(ada: Person, line: str, words: tuple[str, ...]) -> None:
    text = ["-m", "x"] if words[0] == "status" else []
    if not text:
        line = f"printf 'Subject: x\\n\\nx\\n' | {line}".replace(" <&-", "")
    said = in_shell(ada, line, "post", *words, *text, "--queue")
    assert said.code == 0, said.err
    assert len([*(ada.home / "state" / "drop").glob("*/post.json")]) == 1


def test_no_file_takes_the_place_of_a_closed_stream(ada: Person, site: KnownDouble) -> None:
    said = in_shell(ada, "%s <&- >&- 2>&-", "post", "photo", str(picture(ada.home / "p.jpg")), "-m", "x", "--wait")
    assert said.code == 0
    assert [len(post.files) for post in site.posts] == [1]
    assert ada.call("queue").out.count("delivered") > 0


def test_what_is_delivered_is_delivered_though_its_address_can_not_be_told(ada: Person, site: KnownDouble) -> None:
    said = in_shell(ada, "%s >&-", "post", "status", "-m", "x", "--wait")
    assert (said.code, len(site.posts)) == (0, 1), said.err
    assert "this could not be written: Bad file descriptor" in said.err


@pytest.mark.parametrize("words", [("post", "status", "-m", "x", "--wait", "--json"), ("post", "run", "run", "--json")])
def test_what_waits_ends_with_1_though_nobody_reads_on(ada: Person, site: KnownDouble, words: tuple[str, ...]) -> None:
    (ada.home / "run").mkdir()
    (ada.home / "run" / "j.xml").write_text('<testsuite><testcase name="a"><failure/></testcase></testsuite>')
    site.faults.append(faults.Instead(reply=faults.busy(), method="POST", path="/", times=99))
    assert in_shell(ada, "%s | true", *words).code == 1


def test_a_list_of_which_the_head_is_read_ends_well(ada: Person) -> None:
    assert ada.call("post", "status", "-m", "x", "--wait").code == 0
    assert in_shell(ada, "%s | true", "queue").code == 0
    said = in_shell(ada, "%s >&-", "queue")
    assert (said.code, "this could not be written to its end" in said.err) == (2, True)
    assert in_shell(ada, "%s >&-", "status", "--nagios").code == in_shell(ada, "%s", "status", "--nagios").code


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("post", "status", "--queue"), "standard input can't be read: Bad file descriptor: give the text by -m TEXT"),
        (("post", "entry", "--wait", "--file", "-"), "standard input can't be read"),
        (("post", "mail", "--queue"), "standard input, where the mail should be, can't be read"),
        (
            ("login", "https://known.example.org", "--user", "a"),
            "standard input, where the key should be, can't be read",
        ),
        (("known", "post", "/x", "--data=-"), "--data: standard input can't be read"),
    ],
)
def test_standard_input_that_is_needed_and_closed_is_a_mistake(ada: Person, words: tuple[str, ...], told: str) -> None:
    said = in_shell(ada, "%s <&-", *words)
    assert (said.code, told in said.err) == (2, True), said.err
    assert not (ada.home / "state" / "drop").exists()


# --- no home ----------------------------------------------------------------------------------------------------------

_HOMELESS = """
import os, sys
os.environ.pop("HOME", None)
import pwd
def getpwuid(number): raise KeyError(number)
pwd.getpwuid = getpwuid
sys.argv = ["mediaagent", *sys.argv[1:]]
from mediaagent.__main__ import run
run()
"""


def homeless(person: Person, *words: str) -> Said:
    """A call of somebody who has no HOME, and whom the machine does not know."""
    command = [*person.command()[:1], "-c", _HOMELESS, *words]
    everything = {**person.everything, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=person.home, env=everything, capture_output=True, text=True, timeout=100)
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def test_who_has_no_home_can_use_settings_that_name_all_places(ada: Person, site: KnownDouble) -> None:
    settings = str(ada.home / ".config" / "mediaagent" / "agent.toml")
    assert homeless(ada, "--config", settings, "post", "status", "-m", "x", "--queue").code == 0
    assert homeless(ada, "--config", settings, "post", "status", "-m", "y", "--wait").code == 0
    assert homeless(ada, "--config", settings, "check").code == 0
    assert homeless(ada, "--config", settings, "queue").code == 0
    assert len(site.posts) >= 1


def test_who_has_no_home_is_told_what_is_missing(ada: Person, site: KnownDouble) -> None:
    (ada.home / "k").write_text(BIRDCAM_KEY)
    words = ("post", "status", "-m", "x", "--queue")
    said = homeless(ada, *words, "--site", site.address, "--user", "birdcam", "--key", "file:k")
    assert (said.code, "this user has no home" in said.err) == (2, True), said.err
    said = homeless(ada, *words)
    assert (said.code, "mediaagent init" in said.err) == (2, True), said.err
    (ada.home / "tilde.toml").write_text('[agent]\nstate = "~/state"\n')
    said = homeless(ada, "--config", "tilde.toml", *words)
    assert (said.code, 'tilde.toml:2: agent.state: "~/state": there is no such user' in said.err) == (2, True), said.err
    assert not os.path.lexists("/nonexistent")
