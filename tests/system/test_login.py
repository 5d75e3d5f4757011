"""Keys that are stored once, and the raw calls of `mediaagent known`."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from tests.doubles import known_faults as faults
from tests.doubles.known import BIRDCAM_KEY, PBX_KEY, KnownDouble
from tests.system.posting import Person, picture


@pytest.fixture
def bob(tmp_path: Path) -> Person:
    return Person(tmp_path / "bob")


# --- login ------------------------------------------------------------------------------------------------------------


def test_a_key_is_checked_then_stored_for_its_owner_alone(bob: Person, site: KnownDouble) -> None:
    said = bob.call("login", site.address, "--user", "birdcam", text=f"{BIRDCAM_KEY}\n")
    assert said.code == 0, said.err
    assert {request.method for request in site.requests} == {"GET"}
    holding = [path for path in bob.home.rglob("*") if path.is_file() and BIRDCAM_KEY in path.read_text()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in holding] == [0o600]
    listed = bob.call("login", "--list", "--json").json
    assert [(each["site"], each["user"], each["key"]) for each in listed] == [(site.address, "birdcam", "in a file")]
    assert BIRDCAM_KEY not in said.out + said.err + bob.call("config").out


def test_a_wrong_key_is_not_stored(bob: Person, site: KnownDouble) -> None:
    said = bob.call("login", site.address, "--user", "birdcam", text="wrong")
    assert (said.code, list(bob.home.rglob("*.key"))) == (3, [])
    assert "does not accept" in said.err


def test_a_site_that_does_not_answer_is_not_stored(bob: Person) -> None:
    said = bob.call("login", "http://127.0.0.1:1", "--user", "birdcam", text=BIRDCAM_KEY)
    assert (said.code, list(bob.home.rglob("*.key"))) == (1, [])


def test_plain_http_to_another_machine_has_to_be_asked_for(bob: Person) -> None:
    said = bob.call("login", "http://known.example.org", "--user", "birdcam", text=BIRDCAM_KEY)
    assert said.code == 2
    assert "in the clear" in said.err


def test_several_logins_and_one_that_is_forgotten(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    assert bob.call("login", site.address, "--user", "pbx", "--name", "phone", text=PBX_KEY).code == 0
    assert bob.call("post", "status", "--wait", "-m", "both").code == 0
    assert bob.call("post", "status", "--wait", "-m", "one", "--to", "phone").code == 0
    assert sorted(post.owner.handle + ": " + post.body for post in site.posts) == [
        "birdcam: both",
        "pbx: both",
        "pbx: one",
    ]
    assert bob.call("logout", site.address).code == 2  # which of them?
    assert bob.call("logout", "phone").code == 0
    assert [path.read_text().strip() for path in bob.home.rglob("*.key")] == [BIRDCAM_KEY]
    assert [each["user"] for each in bob.call("login", "--list", "--json").json] == ["birdcam"]


def test_a_renewed_key_takes_the_place_of_the_old_one(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    site.birdcam.key = "a-new-key"
    assert bob.call("post", "status", "--wait", "-m", "waits").code == 1
    assert bob.call("login", site.address, "--user", "birdcam", text="a-new-key").code == 0
    bob.call("queue", "retry", "--all")
    assert bob.call("run", "--once").code == 0
    assert [post.body for post in site.posts] == ["waits"]


def test_options_that_were_added_to_a_login_are_kept(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    path = bob.home / ".config" / "mediaagent" / "logins.toml"
    path.write_text(path.read_text() + 'timeout = "7s"\n')
    assert bob.call("login", site.address, "--user", "pbx", text=PBX_KEY).code == 0
    assert 'timeout = "7s"' in path.read_text()


def test_who_logs_out_is_told_what_waits(bob: Person, site: KnownDouble) -> None:
    bob.log_in(site)
    site.faults.append(faults.Instead(path="/status/edit", reply=faults.busy()))
    assert bob.call("post", "status", "--wait", "-m", "x").code == 1
    said = bob.call("logout", site.address)
    assert (said.code, "a post waits" in said.err) == (0, True)


def test_a_key_may_go_into_the_keyring(bob: Person, site: KnownDouble) -> None:
    bob.environment = {"PYTHON_KEYRING_BACKEND": "tests.doubles.keyring_file.FileKeyring"}
    words = ("login", site.address, "--user", "birdcam", "--keyring")
    assert bob.call(*words, text=BIRDCAM_KEY).code == 0
    assert list(bob.home.rglob("*.key")) == []
    assert bob.call("login", "--list", "--json").json[0]["key"] == "in the keyring"
    assert bob.call("post", "status", "--wait", "-m", "by keyring").code == 0
    assert bob.call("logout", site.address).code == 0
    assert (bob.home / "keyring.json").read_text() == "{}"
    assert [post.body for post in site.posts] == ["by keyring"]


def test_a_keyring_that_fails_is_told_and_nothing_is_stored(bob: Person, site: KnownDouble) -> None:
    words = ("login", site.address, "--user", "birdcam", "--keyring")
    said = bob.call(*words, text=BIRDCAM_KEY, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert said.code == 2
    assert "keyring" in said.err
    assert "mistake in mediaagent" not in said.err
    assert bob.call("login", "--list", "--json").json == []


def test_a_key_is_typed_unseen(bob: Person, site: KnownDouble) -> None:
    """On a terminal: the terminal never shows it."""
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(Path(__file__).parents[2])
        words = ("-m", "mediaagent", "login", site.address, "--user", "birdcam")
        os.execve(sys.executable, [sys.executable, *words], bob.everything)
    shown = b""
    while b"API key" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, BIRDCAM_KEY.encode() + b"\n")
    try:
        while more := os.read(terminal, 1000):
            shown += more
    except OSError:  # it has ended
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    assert b"stored" in shown
    assert BIRDCAM_KEY.encode() not in shown


# --- known ------------------------------------------------------------------------------------------------------------


def test_who_we_are(ada: Person, site: KnownDouble) -> None:
    said = ada.call("known", "whoami", "--json")
    assert (said.code, said.json["user"], said.json["name"]) == (0, "birdcam", "Bird Cam")
    site.birdcam.key = "another"
    assert ada.call("known", "whoami").code == 3


def test_accounts_that_the_site_offers(ada: Person, site: KnownDouble) -> None:
    assert "offers this user no account" in ada.call("known", "syndication").out
    site.site.services = {"webhooks": [("http://127.0.0.1/hook", "local")], "twitter": [("ada", "Ada")]}
    said = ada.call("known", "syndication", "--json")
    assert {each["account"]: each["kinds"] for each in said.json} == {
        "twitter::ada": ["status", "entry", "photo"],
        "webhooks::http://127.0.0.1/hook": ["status", "entry"],
    }
    assert "twitter::ada" in ada.call("known", "syndication").out


def test_raw_calls(ada: Person, site: KnownDouble) -> None:
    file = picture(ada.home / "a b.jpg")
    posted = ada.call("known", "post", "photo/edit", "title=@home = <b>", f"photo@{file}", "access=PUBLIC")
    assert posted.code == 0, posted.err
    (post,) = site.posts
    assert (post.title, post.names) == ("@home = <b>", ["a b.jpg"])
    assert ada.call("known", "get", posted.json["location"]).json["object"]["displayName"] == "@home = <b>"
    several = [f"photo[]@{picture(ada.home / name)}" for name in ("1.jpg", "2.jpg")]
    assert ada.call("known", "post", "/photo/edit", *several).code == 0
    assert site.posts[1].names == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("post", "/status/edit", "body="), 3),
        (("post", "/status/edit", "body=x"), 0),
        (("post", "/nowhere", "body=x"), 3),
        (("post", "/photo/edit", "title=no picture"), 3),
        (("post", "/status/edit", "what?"), 2),
        (("post", "/status/edit", "f@/nowhere"), 2),
        (("get", "/2026/nowhere"), 3),
        (("get", "/photo/edit?_t=json"), 0),
        (("get", "https://elsewhere.example.org/status/edit"), 3),
        (("find", "ma_nothing_of_this_kind"), 3),
        (("whoami", "--to", "nobody"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_exit_codes_tell_the_outcome(ada: Person, site: KnownDouble, words: tuple[str, ...], code: int) -> None:
    assert ada.call("known", *words).code == code


def test_a_site_that_does_not_answer_is_not_a_refusal(ada: Person, site: KnownDouble) -> None:
    site.faults.append(faults.Instead(method="GET", path="/2026", reply=faults.busy()))
    assert ada.call("known", "get", "/2026/x").code == 1
    assert (
        ada.call("known", "get", "/", "--site", "http://127.0.0.1:1", "--user", "x", "--key", "file:known.key").code
        == 1
    )


def test_an_anonymous_answer_is_a_refusal(ada: Person, site: KnownDouble) -> None:
    site.birdcam.key = "another"
    assert ada.call("known", "get", "/content/all/?_t=json").code == 3


def test_a_post_is_found_by_its_key_and_deleted(ada: Person, site: KnownDouble) -> None:
    url = ada.call("post", "status", "--wait", "-m", "short-lived").out.strip()
    (line,) = ada.call("queue", "--json").json
    assert ada.call("known", "find", line["key"]).out.strip() == url
    assert ada.call("known", "delete", url).code == 0
    assert site.posts == []
    again = ada.call("known", "delete", url)
    assert (again.code, "no such post" in again.err) == (3, True)


def test_nobody_elses_post_is_deleted(ada: Person, site: KnownDouble) -> None:
    (ada.home / "pbx.key").write_text(PBX_KEY)
    pbx = ("--site", site.address, "--user", "pbx", "--key", "file:pbx.key")
    location = ada.call("known", "post", "/status/edit", "body=theirs", *pbx).json["location"]
    assert ada.call("known", "delete", location).code == 3
    assert len(site.posts) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("get", "/\udcff"),
        ("delete", "/\udcff"),
        ("post", "/\udcff", "body=x"),
        ("post", "/status/edit", "body=\udcff"),
        ("post", "/status/edit", "\udcff=x"),
        ("post", "/status/edit", "\udcff@known.key"),
        ("find", "ma_\udcff\udcff\udcff\udcff"),
        ("whoami", "--site", "https://\udcff", "--user", "ada", "--key", "file:known.key"),
    ],
    ids=lambda words: " ".join(words).replace("\udcff", "?"),
)
def test_words_that_are_no_text_are_told(ada: Person, site: KnownDouble, words: tuple[str, ...]) -> None:
    said = ada.call("known", *words)
    assert (said.code, "Traceback" in said.err, site.posts) == (2, False, []), said.err
    assert "\\udcff" in said.err


def test_a_file_may_be_called_by_any_bytes(ada: Person, site: KnownDouble) -> None:
    picture(ada.home / "p.jpg").rename(ada.home / "p\udcff.jpg")
    said = ada.call("known", "post", "/photo/edit", "title=x", f"photo@{ada.home}/p\udcff.jpg")
    assert said.code == 0, said.err
    assert site.posts[0].names == ["p\ufffd.jpg"]
