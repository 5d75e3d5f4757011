"""Debian's Nagios, with the commands of packaging/hooks: a problem is one post, and all that follows changes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.known import KnownDouble
from tests.doubles.known_site import StoredPost
from tests.system.agent import AgentProcess, wait_for
from tests.system.hooks import running_agent, words_of
from tests.system.nagios import Nagios
from tests.system.posting import Person

#: What a plug-in may say: quotes, and what a shell, printf, Nagios and HTML could take for their own.
NASTY = "it said \"no\" & $(touch hacked) `touch hacked` <b>; 'x' %s \\n C:\\temp Zoë ☃ $HOSTNAME$ #5"
#: What Nagios makes of its first line before anybody gets it: its own files are split at semicolons.
TOLD = NASTY.replace(";", ":")
LONGER = 'second "line" \\t & $(touch hacked)'
LINK = "https://nagios.example.org/cgi-bin/nagios4/extinfo.cgi?type="

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    return Person(tmp_path / "ada")


@pytest.fixture
def agent(tmp_path: Path, ada: Person, site: KnownDouble) -> Iterator[AgentProcess]:
    (tmp_path / "drop").mkdir()
    with running_agent(ada, ada.settings(site, drop=str(tmp_path / "drop"))) as agent:
        yield agent


def nagios(tmp_path: Path, ada: Person, more: str = "enable_environment_macros=1") -> Nagios:
    environment = {**ada.everything, "MEDIAAGENT_DROP": str(tmp_path / "drop"), "HOME": "/nonexistent"}
    return Nagios(tmp_path / "nagios", words_of("nagios.cfg", ada), environment, more)


def only(site: KnownDouble) -> StoredPost:
    (post,) = site.posts
    return post


def shows(site: KnownDouble, words: str, agent: AgentProcess, nagios: Nagios) -> None:
    """Some post comes to begin with these words."""
    wait_for(
        lambda: any(post.body.startswith(words) for post in site.posts),
        45,
        lambda: f"{[post.body for post in site.posts]}\n{agent.log[-2000:]}\n{nagios.log[-3000:]}",
    )


def test_a_problem_is_a_post_and_its_recovery_and_flapping_change_it(
    tmp_path: Path, ada: Person, site: KnownDouble, agent: AgentProcess
) -> None:
    name = 'HTTP + TLS on the "Web" server; $(id) & Co'
    with nagios(tmp_path, ada) as watching:
        watching.says("service", 2, f"{NASTY}|time=1\n{LONGER}\nthird|more=2\n")
        shows(site, f"PROBLEM: {name} is CRITICAL", agent, watching)
        assert only(site).body.splitlines()[1:] == [
            "",
            TOLD,
            LONGER,
            "third",
            "",
            f"{LINK}2&host=web%2001&service=HTTP%20%2B%20TLS",
        ]
        assert str(only(site).tags).split()[:2] == ["#CRITICAL", "#nagios"]
        watching.says("service", 0, "fine again")
        shows(site, f"RECOVERY: {name} is OK", agent, watching)
        assert "fine again" in only(site).body
        assert "CRITICAL" not in only(site).body + str(only(site).tags)
        for turn in range(1, 40):
            if watching.notified("FLAPPINGSTART"):
                break
            before = watching.log.count("SERVICE ALERT")
            watching.says("service", 2 * (turn % 2), f"turn {turn}")
            wait_for(lambda before=before: watching.log.count("SERVICE ALERT") > before, 10, lambda: watching.log)
        assert watching.notified("CRITICAL") >= 2, "it did not flap"
        shows(site, "FLAPPINGSTART: ", agent, watching)
    assert only(site).body.startswith("FLAPPINGSTART: ")
    assert not [*tmp_path.rglob("hacked")]
    ((words,),) = agent.ask("SELECT count(*) FROM parts WHERE role = 'words'")
    assert words >= 4, "there was nothing that could have been a second post"


def test_a_host_that_is_down_is_a_post_of_its_own(
    tmp_path: Path, ada: Person, site: KnownDouble, agent: AgentProcess
) -> None:
    with nagios(tmp_path, ada) as watching:
        watching.says("service", 1, "slow")
        shows(site, "PROBLEM: HTTP + TLS", agent, watching)
        watching.says("host", 2, NASTY)
        shows(site, "PROBLEM: the ", agent, watching)
        down = next(post for post in site.posts if " is DOWN" in post.body)
        assert down.body.splitlines()[2:] == [TOLD, "", f"{LINK}1&host=web%2001"]
        watching.says("host", 0, "up again")
        shows(site, "RECOVERY: the ", agent, watching)
    assert len(site.posts) == 2
    assert "is UP" in down.body
    assert not [*tmp_path.rglob("hacked")]


def test_without_the_environment_nagios_log_says_what_is_missing(
    tmp_path: Path, ada: Person, site: KnownDouble, agent: AgentProcess
) -> None:
    with nagios(tmp_path, ada, "enable_environment_macros=0") as watching:
        watching.says("service", 2, "broken")
        wait_for(lambda: "nagios.cfg needs enable_environment_macros=1" in watching.log, 30, lambda: watching.log)
    assert site.posts == []
