"""Sites beside the settings: what is stored of them, whose each name is, and where posts go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doubles.known import BIRDCAM_KEY, PBX_KEY, KnownDouble
from tests.system.agent import ROOT, wait_for
from tests.system.posting import Person

#: As long as it may be made of: the name of its login is cut.
DEEP = "/departments/biology/field-station/cameras/and/telephones/known"


@pytest.fixture
def bob(tmp_path: Path) -> Person:
    """Somebody with a key of each user in a file."""
    person = Person(tmp_path / "bob")
    (person.home / "birdcam.key").write_text(BIRDCAM_KEY)
    (person.home / "pbx.key").write_text(PBX_KEY)
    return person


def at(site: KnownDouble | str, user: str = "birdcam") -> tuple[str, ...]:
    address = site if isinstance(site, str) else site.address
    return ("--site", address, "--user", user, "--key", f"file:{user}.key")


@contextmanager
def running_agent(person: Person) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**person.everything, "PYTHONPATH": str(ROOT)}
    agent = subprocess.Popen(person.command("run"), env=environment, cwd=person.home, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: bool(list(person.home.rglob("agent.sock"))), 30)
        yield agent
    finally:
        agent.terminate()
        agent.wait(30)


def logins_of(person: Person) -> Path:
    return person.home / ".config" / "mediaagent" / "logins.toml"


def said_at(site: KnownDouble) -> list[str]:
    return sorted(f"{post.owner.handle}: {post.body}" for post in site.posts)


def queue_of(person: Person) -> list[str]:
    return [f"{line['target']}: {line['state']}" for line in person.call("queue", "--json").json]


# --- nothing is stored before it is checked ---------------------------------------------------------------------------

MISTAKES = {
    "no web address": ("htp://known.example.org", "ada", "is no web address"),
    "in the clear": ("http://known.example.org", "ada", "--insecure"),
    "no host": ("https://known..example.org", "ada", "is no web address"),
    "no user": ("https://known.example.org", "анна", "is no user name"),
    "no text": ("https://known.example.org/\udcff", "ada", "is no web address"),
    "both": ("htp://known.example.org", "анна", "is no user name"),
}


@pytest.mark.parametrize("how", ["--wait", "--queue", "--dry-run"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistaken_site_is_told_and_never_stored(bob: Person, mistake: str, how: str) -> None:
    address, user, what = MISTAKES[mistake]
    words = ("--site", address, "--user", user, "--key", "file:birdcam.key")
    said = bob.call("post", "status", "-m", "x", how, *words)
    assert (said.code, what in said.err) == (2, True), said.err
    assert "Traceback" not in said.err
    assert not logins_of(bob).exists()
    assert not list(bob.home.rglob("post.json"))


def test_a_mistaken_site_costs_no_other_post(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    assert bob.call("post", "status", "-m", "oops", "--wait", *at("http://known.example.org")).code == 2
    assert bob.call("post", "status", "-m", "good", "--wait").code == 0
    assert bob.call("run", "--once").code == 0
    assert said_at(site) == ["birdcam: good"]


def test_nothing_is_stored_for_a_post_that_is_mistaken_itself(bob: Person, site: KnownDouble) -> None:
    assert bob.call("post", "photo", "nowhere.jpg", "--queue", *at(site)).code == 2
    assert bob.call("post", "run", "nowhere", *at(site)).code == 2
    assert not logins_of(bob).exists()


def test_a_dry_run_stores_nothing_and_says_where_it_would_go(bob: Person, site: KnownDouble) -> None:
    said = bob.call("post", "status", "-m", "x", "--dry-run", "--json", *at(site))
    assert said.code == 0, said.err
    assert len(said.json["to"]) == 1
    assert not logins_of(bob).exists()


def test_logging_in_checks_the_same(bob: Person) -> None:
    for address, user, what in MISTAKES.values():
        said = bob.call("login", address, "--user", user, text=BIRDCAM_KEY)
        assert (said.code, what in said.err) == (2, True), said.err
    assert not logins_of(bob).exists()


# --- one that stands there already ------------------------------------------------------------------------------------


def with_a_bad_login(person: Person, site: str = "htp://known.example.org") -> None:
    text = f'\n[upload.typo]\ntype = "known"\nsite = "{site}"\nuser = "ada"\nkey = "file:{person.home}/birdcam.key"\n'
    logins_of(person).write_text(logins_of(person).read_text() + text)


def test_a_bad_login_that_stands_there_stops_no_other(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    with_a_bad_login(bob)
    assert bob.call("post", "status", "-m", "waited for", "--wait").code == 0
    assert bob.call("post", "status", "-m", "queued", "--queue").code == 0
    assert bob.call("run", "--once").code == 0
    assert said_at(site) == ["birdcam: queued", "birdcam: waited for"]
    checked = bob.call("check")
    assert checked.code == 0
    assert "mediaagent logout typo" in checked.err


@pytest.mark.parametrize("named", [("--site", "typo"), ("--site", "htp://known.example.org", "--user", "ada")])
def test_who_posts_to_a_bad_login_is_told_how_to_get_rid_of_it(
    bob: Person, site: KnownDouble, named: tuple[str, ...]
) -> None:
    bob.log_in(site)
    with_a_bad_login(bob)
    said = bob.call("post", "status", "-m", "x", "--queue", *named)
    assert said.code == 2
    assert "mediaagent logout typo" in said.err
    assert bob.call("logout", "typo").code == 0
    assert "typo" not in logins_of(bob).read_text()


def test_what_waits_for_a_login_that_was_spoilt_goes_when_it_is_put_right(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    good = logins_of(bob).read_text()
    logins_of(bob).write_text(good.replace("http://", "htp://"))
    assert bob.call("post", "status", "-m", "kept", "--queue").code == 0
    said = bob.call("run", "--once")
    assert said.code == 1
    (line,) = bob.call("queue", "--json").json
    assert (line["state"], "mediaagent logout" in line["last_error"]) == ("waiting", True)
    logins_of(bob).write_text(good)
    bob.call("queue", "retry", "--all")
    assert bob.call("run", "--once").code == 0
    assert said_at(site) == ["birdcam: kept"]


def test_posts_that_only_a_bad_login_could_get_are_a_mistake_when_they_are_to_go_now(
    bob: Person, site: KnownDouble
) -> None:
    bob.log_in(site)
    logins_of(bob).write_text(logins_of(bob).read_text().replace("http://", "htp://"))
    said = bob.call("post", "status", "-m", "x", "--wait")
    assert (said.code, "mediaagent logout" in said.err) == (2, True)
    assert not list(bob.home.rglob("post.json"))
    assert bob.call("known", "whoami").code == 2


def test_a_bad_login_can_be_forgotten_though_a_post_waits_for_it(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    assert bob.call("post", "status", "-m", "x", "--queue").code == 0
    logins_of(bob).write_text(logins_of(bob).read_text().replace("http://", "htp://"))
    (name,) = (each["name"] for each in bob.call("login", "--list", "--json").json)
    said = bob.call("logout", name)
    assert (said.code, "nothing is sent there" in said.err) == (0, True)
    assert bob.call("login", "--list", "--json").json == []


# --- names ------------------------------------------------------------------------------------------------------------


def test_two_users_of_a_site_never_share_a_name(bob: Person, site: KnownDouble) -> None:
    address = site.address + DEEP
    users = ["birdcam", "pbx", "a.b", "a-b", "a_b", "x" * 70, "x" * 71]
    for user in users:
        words = ("--site", address, "--user", user, "--key", "file:birdcam.key")
        assert bob.call("post", "status", "-m", f"of {user}", "--queue", *words).code == 0
    listed = bob.call("login", "--list", "--json").json
    assert [each["user"] for each in listed] == users
    names = [each["name"] for each in listed]
    assert len({name.lower() for name in names}) == len(users)
    assert max(map(len, names)) <= 64
    handed = [json.loads(path.read_text()) for path in sorted(bob.home.rglob("post.json"))]
    assert [each["to"] for each in handed] == [[name] for name in names]


def test_two_sites_never_share_a_name(bob: Person) -> None:
    sites = [f"http://localhost:8000{path}" for path in ("", "/a-b", "/a.b", "/A.b", "/a/b")] + [
        "https://localhost:8000"
    ]
    for address in sites:
        assert bob.call("post", "status", "-m", "x", "--queue", *at(address)).code == 0
    listed = bob.call("login", "--list", "--json").json
    assert [each["site"] for each in listed] == sites
    assert len({each["name"] for each in listed}) == len(sites)


def test_one_site_is_the_same_however_its_address_is_written(bob: Person) -> None:
    for address in ("https://Known.Example.org/", "https://known.example.org", "known.example.org"):
        assert bob.call("post", "status", "-m", "x", "--queue", *at(address)).code == 0
    assert len(bob.call("login", "--list", "--json").json) == 1


def test_a_second_user_of_a_site_replaces_no_stored_login(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    assert bob.call("post", "status", "-m", "of pbx", "--wait", *at(site, "pbx")).code == 0
    assert bob.call("post", "status", "-m", "of birdcam", "--wait").code == 0
    assert said_at(site) == ["birdcam: of birdcam", "pbx: of pbx"]


def test_a_name_is_nobody_elses_after_its_login_is_forgotten(bob: Person, site: KnownDouble) -> None:
    assert bob.call("login", site.address, "--user", "birdcam", "--name", "mine", text=BIRDCAM_KEY).code == 0
    assert bob.call("post", "status", "-m", "of birdcam", "--queue").code == 0
    assert bob.call("logout", "mine").code == 0
    said = bob.call("login", site.address, "--user", "pbx", "--name", "mine", text=PBX_KEY)
    assert (said.code, "birdcam" in said.err) == (2, True)
    assert bob.call("login", site.address, "--user", "pbx", text=PBX_KEY).code == 0
    bob.call("run", "--once")
    assert said_at(site) == []
    assert bob.call("login", site.address, "--user", "birdcam", text=BIRDCAM_KEY).code == 0
    assert [each["name"] for each in bob.call("login", "--list", "--json").json if each["user"] == "birdcam"] == [
        "mine"
    ]
    bob.call("queue", "retry", "--all")
    assert bob.call("run", "--once").code == 0
    assert said_at(site) == ["birdcam: of birdcam"]


def test_users_that_post_at_once_get_names_of_their_own(bob: Person, site: KnownDouble) -> None:
    users = [f"user{number}" for number in range(6)]
    words = [("post", "status", "-m", user, "--queue", "--site", site.address, "--user", user) for user in users]
    environment = {**bob.everything, "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen(bob.command(*each, "--key", "file:birdcam.key"), env=environment, cwd=bob.home)
        for each in words
    ]
    assert [process.wait(60) for process in running] == [0] * len(users)
    names = {each["user"]: each["name"] for each in bob.call("login", "--list", "--json").json}
    assert len(set(names.values())) == len(users)
    handed = [json.loads(path.read_text()) for path in bob.home.rglob("post.json")]
    assert {each["body"]: each["to"] for each in handed} == {user: [name] for user, name in names.items()}


# --- posts that name no site ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["--wait", "--queue"])
def test_without_a_stored_login_a_post_goes_nowhere_and_the_way_is_shown(
    bob: Person, site: KnownDouble, how: str
) -> None:
    assert bob.call("post", "status", "-m", "of birdcam", "--wait", *at(site)).code == 0
    assert bob.call("post", "status", "-m", "of pbx", "--wait", *at(site, "pbx")).code == 0
    said = bob.call("post", "status", "-m", "to nobody in particular", how)
    assert (said.code, "mediaagent login" in said.err) == (2, True)
    assert bob.call("run", "--once").code == 0
    assert said_at(site) == ["birdcam: of birdcam", "pbx: of pbx"]


def test_a_target_that_is_no_stored_login_is_named_by_its_site_only(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    assert bob.call("post", "status", "-m", "x", "--queue", *at(site, "pbx")).code == 0
    (name,) = (each["name"] for each in bob.call("login", "--list", "--json").json if each["user"] == "pbx")
    said = bob.call("post", "status", "-m", "y", "--queue", "--to", name)
    assert (said.code, "there is no such target" in said.err) == (2, True)


def test_the_report_of_a_run_goes_to_stored_logins_only(bob: Person, site: KnownDouble) -> None:
    run = bob.home / "run"
    run.mkdir()
    (run / "junit.xml").write_text(
        '<testsuite name="s" tests="1" failures="1"><testcase classname="a" name="b"><failure message="no"/></testcase>'
        "</testsuite>"
    )
    assert bob.call("post", "status", "-m", "x", "--wait", *at(site, "pbx")).code == 0
    said = bob.call("post", "run", str(run))
    assert (said.code, "mediaagent login" in said.err) == (2, True)
    bob.log_in(site)
    assert bob.call("post", "run", str(run)).code == 0
    assert sorted(post.owner.handle for post in site.posts) == ["birdcam", "pbx"]


def test_what_is_handed_over_to_the_agent_of_stored_logins_goes_to_those_alone(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    assert bob.call("post", "status", "-m", "x", "--queue", *at(site, "pbx")).code == 0
    drop = str(bob.home / ".local" / "state" / "mediaagent" / "logins" / "drop")
    assert bob.call("post", "status", "-m", "hello", "--queue", "--drop", drop).code == 0
    assert bob.call("run", "--once").code == 0
    assert said_at(site) == ["birdcam: hello", "pbx: x"]


@pytest.mark.parametrize("taken", [True, False], ids=["taken by the agent", "in the drop folder"])
def test_what_waits_for_a_login_that_was_forgotten_goes_after_a_new_one(
    bob: Person, site: KnownDouble, taken: bool
) -> None:
    bob.log_in(site)
    site.birdcam.key = "another"
    assert bob.call("post", "status", "-m", "waits", "--queue").code == 0
    if taken:
        assert bob.call("run", "--once").code == 1
    said = bob.call("logout", site.address)
    assert (said.code, "a post waits" in said.err) == (0, True)
    assert not list((bob.home / ".config").rglob("*.key"))
    said = bob.call("post", "status", "-m", "x", "--wait")
    assert (said.code, "mediaagent login" in said.err) == (2, True)
    assert bob.call("run", "--once").code == 1
    assert [line.partition(": ")[2] for line in queue_of(bob)] == ["waiting"]
    assert not list(bob.home.rglob("index.html"))
    assert bob.call("login", site.address, "--user", "birdcam", text="another").code == 0
    bob.call("queue", "retry", "--all")
    assert bob.call("run", "--once").code == 0
    assert said_at(site) == ["birdcam: waits"]


def test_what_waits_for_a_site_that_was_taken_out_waits_for_it_to_come_back(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    assert bob.call("post", "status", "-m", "x", "--queue", *at(site, "pbx")).code == 0
    said = bob.call("logout", site.address, "--user", "pbx")
    assert (said.code, "a post waits" in said.err) == (0, True)
    for _ in range(2):
        bob.call("run", "--once")
        assert [line.rpartition(": ")[2] in ("waiting", "held") for line in queue_of(bob)] == [True]
    assert bob.call("login", site.address, "--user", "pbx", text=PBX_KEY).code == 0
    assert bob.call("run", "--once").code == 0
    assert said_at(site) == ["pbx: x"]


def test_a_site_that_the_running_agent_has_not_heard_of_gets_its_post_later(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    with running_agent(bob) as agent:
        said = bob.call("post", "status", "-m", "x", "--wait", "--patience", "2s", *at(site, "pbx"))
        assert (said.code, f"kill -HUP {agent.pid}" in said.err) == (1, True), said.err
        agent.send_signal(signal.SIGHUP)
        wait_for(lambda: said_at(site) == ["pbx: x"], 30)


def test_a_key_that_the_running_agent_does_not_go_by_is_told(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    with running_agent(bob):
        said = bob.call("post", "status", "-m", "x", "--wait", *at(site))
        assert (said.code, "leave --key out" in said.err) == (2, True), said.err
        assert not list(bob.home.rglob("post.json"))
        assert bob.call("post", "status", "-m", "y", "--wait", *at(site)[:4], MEDIAAGENT_KEY=BIRDCAM_KEY).code == 0
    assert said_at(site) == ["birdcam: y"]


def test_where_the_last_login_was_forgotten_nothing_goes_to_a_page(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    assert bob.call("post", "status", "-m", "x", "--wait").code == 0
    assert bob.call("logout", site.address).code == 0
    for words in (("post", "status", "-m", "y", "--wait"), ("post", "status", "-m", "y", "--queue"), ("run", "--once")):
        said = bob.call(*words)
        assert (said.code, "mediaagent login" in said.err) == (2, True), words
    assert queue_of(bob) != []
    assert bob.call("check").code == 0
    assert not list(bob.home.rglob("index.html"))


# --- keys and folders beside a site -----------------------------------------------------------------------------------


def test_known_asks_the_site_of_a_stored_login_by_its_name(bob: Person, site: KnownDouble) -> None:
    assert bob.call("login", site.address, "--user", "birdcam", "--name", "mysite", text=BIRDCAM_KEY).code == 0
    said = bob.call("known", "whoami", "--site", "mysite", "--json")
    assert (said.code, said.json["user"]) == (0, "birdcam")


def test_a_name_comes_before_a_host_that_is_called_the_same(bob: Person, site: KnownDouble) -> None:
    assert bob.call("login", site.address, "--user", "birdcam", "--name", "mysite", text=BIRDCAM_KEY).code == 0
    assert bob.call("post", "status", "-m", "x", "--queue", *at("https://mysite")).code == 0
    assert bob.call("post", "status", "-m", "named", "--wait", "--site", "mysite").code == 0
    assert said_at(site) == ["birdcam: named"]


def test_another_user_of_a_site_that_is_named_by_a_login(bob: Person, site: KnownDouble) -> None:
    assert bob.call("login", site.address, "--user", "birdcam", "--name", "mysite", text=BIRDCAM_KEY).code == 0
    assert bob.call("post", "status", "-m", "x", "--wait", *at("mysite", "pbx")).code == 0
    assert said_at(site) == ["pbx: x"]
    assert bob.call("known", "whoami", "--json", *at("mysite", "pbx")).json["user"] == "pbx"


def test_a_key_that_is_named_is_not_silently_another_one(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    site.birdcam.key = "fresh"
    (bob.home / "fresh.key").write_text("fresh")
    words = ("--site", site.address, "--user", "birdcam", "--key", "file:fresh.key")
    said = bob.call("post", "status", "-m", "queued", "--queue", *words)
    assert (said.code, "mediaagent login" in said.err, "--wait" in said.err) == (2, True, True)
    assert not list(bob.home.rglob("post.json"))
    assert bob.call("post", "status", "-m", "now", "--wait", *words).code == 0
    stored = next((bob.home / ".config" / "mediaagent" / "logins").glob("*.key"))
    assert bob.call("post", "status", "-m", "same", "--queue", *words[:-1], f"file:{stored}").code == 0


def test_a_key_that_is_named_takes_the_place_of_one_that_was_remembered(bob: Person, site: KnownDouble) -> None:
    (bob.home / "stale.key").write_text("stale")
    words = ("--site", site.address, "--user", "birdcam", "--key")
    assert bob.call("post", "status", "-m", "one", "--queue", *words, "file:stale.key").code == 0
    assert bob.call("post", "status", "-m", "two", "--queue", *words, "file:birdcam.key").code == 0
    assert bob.call("run", "--once").code == 0
    assert said_at(site) == ["birdcam: one", "birdcam: two"]


def test_a_key_of_the_environment_that_is_named_can_not_be_queued(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    words = ("post", "status", "-m", "x", "--queue", "--site", site.address, "--user", "birdcam")
    said = bob.call(*words, "--key", "env:FRESH", FRESH="fresh")
    assert (said.code, "FRESH is gone" in said.err) == (2, True)
    assert bob.call(*words, MEDIAAGENT_KEY="whatever: the stored one serves").code == 0


def test_what_is_queued_for_a_forgotten_key_is_told(bob: Person, site: KnownDouble) -> None:
    words = ("--site", site.address, "--user", "birdcam")
    assert bob.call("post", "status", "-m", "x", "--wait", *words, MEDIAAGENT_KEY=BIRDCAM_KEY).code == 0
    for how in ("--wait", "--queue"):
        said = bob.call("post", "status", "-m", "x", how, *words)
        assert (said.code, "there is no key" in said.err) == (2, True)


def test_a_drop_folder_beside_a_site_is_a_mistake(bob: Person, site: KnownDouble) -> None:
    drop = str(bob.home)
    said = bob.call("post", "status", "-m", "x", "--queue", *at(site), "--drop", drop)
    assert (said.code, "--drop" in said.err) == (2, True)
    assert not logins_of(bob).exists()
    assert bob.call("post", "status", "-m", "x", "--queue", *at(site), MEDIAAGENT_DROP=drop).code == 0


# --- light ------------------------------------------------------------------------------------------------------------


def test_queueing_for_a_site_imports_only_what_it_needs(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    assert bob.call("post", "status", "-m", "x", "--queue", *at(site, "pbx")).code == 0
    absolute = [word.replace("file:", f"file:{bob.home}/") for word in at(site, "pbx")]
    for where in ([], absolute):
        loaded = loaded_by(bob, "post", "status", "--queue", "-m", "light", *where)
        heavy = {"av", "click", "cv2", "jinja2", "msgspec", "numpy", "pyinotify", "requests", "sqlite3", "structlog"}
        ours = {"app", "builtin", "daemon", "journey", "lookout", "memory", "model", "options", "registry", "settings"}
        assert not loaded & heavy
        assert not loaded & {f"mediaagent.{name}" for name in ours}


def loaded_by(person: Person, *words: str) -> set[str]:
    """Modules that a call has loaded when it ends."""
    script = f"""
        import sys
        from mediaagent.cli.post import quick
        assert quick.run({words!r}) == 0
        print(" ".join(sorted(sys.modules)))
    """
    environment = {**person.everything, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())
