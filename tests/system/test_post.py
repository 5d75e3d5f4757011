"""`mediaagent post`, as people and hooks call it, against a double of Known."""

from __future__ import annotations

import contextlib
import copy
import os
import pty
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.doubles import known_faults as faults
from tests.doubles import known_json
from tests.doubles.known import BIRDCAM_KEY, PBX_KEY, KnownDouble
from tests.doubles.known_http import Reply
from tests.system.agent import ROOT, AgentProcess, wait_for
from tests.system.posting import Person, picture


@pytest.fixture
def bob(tmp_path: Path) -> Person:
    """Bob has none."""
    return Person(tmp_path / "bob")


# --- texts ------------------------------------------------------------------------------------------------------------


def test_a_status_is_posted_and_its_address_told(ada: Person, site: KnownDouble) -> None:
    said = ada.call("post", "status", "--wait", "-m", "my tweet")
    (post,) = site.posts
    assert (said.code, said.out) == (0, f"{site.address}/2026/my-tweet\n".replace("2026", str(post.created.year)))
    assert (post.kind, post.body, post.access) == ("note", "my tweet", "PUBLIC")


def test_standard_input_is_read_whole(ada: Person, site: KnownDouble) -> None:
    text = "first line\n\n  second\n" + "long " * 40_000 + "Ende: Zoë ☃"
    assert ada.call("post", "status", "--wait", text=text).code == 0
    assert site.posts[0].body == text


@pytest.mark.parametrize("text", ["@mention first", "<b>bold</b> & so on", "-m is an option", "--", "@/etc/passwd"])
def test_a_text_may_begin_with_anything(ada: Person, site: KnownDouble, text: str, tmp_path: Path) -> None:
    file = picture(ada.home / "p.jpg")
    assert ada.call("post", "status", "--wait", "-m", text).code == 0
    assert ada.call("post", "photo", str(file), "--wait", "-m", text).code == 0
    status, photo = site.posts
    assert status.body == text
    shown = photo.body.partition(" <span hidden>")[0]
    assert shown == text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert not {"mention", "etc"} & {file.name for file in photo.files}


def test_an_entrys_title_is_its_first_line_unless_one_is_given(ada: Person, site: KnownDouble) -> None:
    assert ada.call("post", "entry", "--wait", text="Nightly build\n\nall 312 tests passed\n").code == 0
    assert ada.call("post", "entry", "--wait", "--title", "Build", text="Nightly\nfine\n").code == 0
    first, second = site.posts
    assert (first.title, first.body.partition(" <span")[0]) == ("Nightly build", "all 312 tests passed")
    assert (second.title, second.body.partition(" <span")[0]) == ("Build", "Nightly\nfine")


def test_a_file_with_the_text(ada: Person, site: KnownDouble) -> None:
    (ada.home / "text of today.txt").write_text("from a file\n")
    assert ada.call("post", "status", "--wait", "--file", "text of today.txt").code == 0
    assert site.posts[0].body == "from a file"


def test_everything_that_can_be_said_of_a_post_arrives(ada: Person, site: KnownDouble) -> None:
    site.site.services = {"twitter": [("ada", "Ada L.")]}
    words = ["--tag", "state ok", "--tag", "web", "--access", "members", "--created", "2026-01-02T03:04:05+01:00"]
    words += ["--syndicate", "twitter::ada", "--reply-to", "https://example.org/1", "--to", "family"]
    assert ada.call("post", "status", "--wait", "-m", "x", *words).code == 0
    (post,) = site.posts
    assert str(post.tags).split()[:2] == ["#state_ok", "#web"]
    assert (post.access, post.created.isoformat()) == ("SITE", "2026-01-02T02:04:05+00:00")
    assert (post.syndication, post.in_reply_to) == (["twitter::ada"], ["https://example.org/1"])


def test_mistakes_are_told_all_at_once_and_nothing_is_handed_over(ada: Person, site: KnownDouble) -> None:
    words = ["nowhere.jpg", "--access", "pubic", "--to", "famly", "--created", "soon", "--syndicate", "twitter"]
    said = ada.call("post", "photo", *words, "-m", "a", "--file", "b", "--patience", "long")
    assert said.code == 2
    for told in (
        "nowhere.jpg: No such file",
        'did you mean "public"?',
        'did you mean "family"?',
        "soon: this is no time",
        "SERVICE::NAME",
        "-m and --file both",
        '"long" is not a duration',
    ):
        assert told in said.err
    assert not list((ada.home).rglob("post.json"))
    assert site.requests == []


@pytest.mark.parametrize("kind", ["status", "entry"])
def test_an_empty_text_is_no_post(ada: Person, site: KnownDouble, kind: str) -> None:
    said = ada.call("post", kind, "--wait", text=" \n\n")
    assert (said.code, site.requests) == (2, [])
    assert "standard input is empty" in said.err


def test_a_dry_run_shows_it_and_does_nothing(ada: Person, site: KnownDouble) -> None:
    said = ada.call("post", "status", "--dry-run", "--json", "-m", "x", "--tag", "a")
    assert said.code == 0
    assert (said.json["body"], said.json["tags"], said.json["to"]) == ("x", ["a"], ["family"])
    assert not (ada.home / "state").exists()


# --- files ------------------------------------------------------------------------------------------------------------


def test_several_pictures_with_odd_names_become_one_post_in_their_order(ada: Person, site: KnownDouble) -> None:
    names = ["b side.jpg", "a\nline.jpg", "-x.jpg", "Ümlaut.jpg"]
    files = [str(picture(ada.home / name)) for name in names]
    said = ada.call("post", "photo", "--wait", "--title", "Four", "--", *files)
    assert said.code == 0, said.err
    (post,) = site.posts
    assert [name.rpartition("-")[0] for name in post.names] == ["b side", "a_nline", "-x", "Ümlaut"]


def test_sound_film_and_any_files(ada: Person, site: KnownDouble) -> None:
    site.site.plugins.add("media")
    (ada.home / "core dump.gz").write_bytes(os.urandom(2000))
    (ada.home / "log.txt").write_text("it failed\n")
    said = ada.call("post", "file", "core dump.gz", "log.txt", "--wait", "--title", "Crash", "-m", "see both")
    assert said.code == 0, said.err
    sound = ROOT / "tests" / "data" / "asterisk" / "voicemail" / "tree" / "default" / "1234" / "INBOX" / "msg0000.wav"
    assert ada.call("post", "audio", str(sound), "--wait", "-m", "a call").code == 0
    entry, call = site.posts
    assert (entry.kind, entry.title, call.kind) == ("article", "Crash", "media")
    assert b"it failed" in [file.content[:9] for file in site.site.loose]
    assert call.names[0].startswith("msg0000")


def test_syndication_goes_with_photos_too(ada: Person, site: KnownDouble) -> None:
    site.site.services = {"twitter": [("ada", "Ada L.")]}
    files = [str(picture(ada.home / name)) for name in ("1.jpg", "2.jpg")]
    assert ada.call("post", "photo", *files, "--wait", "--syndicate", "twitter::ada").code == 0
    assert site.posts[0].syndication == ["twitter::ada"]
    assert len([r for r in site.sent("POST", "/photo/edit") if "syndication" in r.lists]) == 1  # once, not with each


def test_an_account_that_the_site_lacks_is_told(ada: Person, site: KnownDouble) -> None:
    site.site.services = {"twitter": [("ada", "Ada L.")]}
    said = ada.call("post", "status", "--wait", "-m", "x", "--syndicate", "twitter::adda")
    assert said.code == 0
    assert 'twitter::adda: no target offers this account for such a post; did you mean "twitter::ada"?' in said.err


def test_check_compares_the_accounts_of_a_source_with_what_the_site_offers(ada: Person, site: KnownDouble) -> None:
    site.site.services = {"webhooks": [("http://127.0.0.1/hook", "local")], "twitter": [("ada", "Ada")]}
    (ada.home / "pictures").mkdir()
    accounts = '["twitter::adda", "webhooks::http://127.0.0.1/hook"]'
    ada.settings(site)
    path = ada.home / ".config" / "mediaagent" / "agent.toml"
    table = f'type = "folder"\npath = "{ada.home}/pictures"\nexisting = "post"\nsyndicate = '
    path.write_text(f"{path.read_text()}\n[watch.garden]\n{table}{accounts}\n")
    said = ada.call("check")
    assert "watch.garden.syndicate: family offers no account twitter::adda, and ignores it" in said.err
    assert 'did you mean "twitter::ada"?' in said.err
    assert "hook only when they are status, entry, not photo, audio, video" in said.err
    path.write_text(path.read_text().replace(accounts, '["twitter::ada"]'))
    picture(ada.home / "pictures" / "a.jpg")
    assert ada.call("run", "--once").code == 0
    assert [post.syndication for post in site.posts] == [["twitter::ada"]]


# --- how it ends ------------------------------------------------------------------------------------------------------


def test_what_the_site_refuses_is_an_error_with_its_reason(ada: Person, site: KnownDouble) -> None:
    refusal = Reply.json(400, {"messages": [{"message": "No robins, please.", "message_type": "alert-danger"}]})
    site.faults.append(faults.Instead(path="/status/edit", reply=refusal))
    said = ada.call("post", "status", "--wait", "-m", "robin")
    assert (said.code, said.out) == (3, "")
    assert "No robins, please." in said.err


def test_while_the_site_is_down_it_is_kept_and_delivered_later(ada: Person, tmp_path: Path) -> None:
    with KnownDouble() as first:
        port = int(first.address.rpartition(":")[2])
        ada.settings(first)
    said = ada.call("post", "status", "--wait", "--json", "-m", "kept")
    assert said.code == 1
    assert (said.json["state"], said.json["posts"][0]["state"]) == ("waiting", "waiting")
    assert "connection refused" in said.json["posts"][0]["why"]
    assert "`mediaagent run --once` delivers it" in said.err
    with KnownDouble(port=port) as back:
        assert ada.call("queue", "retry", "--all").code == 0
        assert ada.call("run", "--once").code == 0
        assert [post.body for post in back.posts] == ["kept"]


def test_a_target_that_is_not_there_is_told_by_the_agent(ada: Person, site: KnownDouble, tmp_path: Path) -> None:
    drop = ada.home / "state" / "drop"
    drop.mkdir(parents=True)
    said = ada.call("post", "status", "--queue", "--drop", str(drop), "--to", "nowhere", "-m", "x")
    assert said.code == 0  # a hook that may not read the settings can't know
    assert ada.call("run", "--once").code == 0
    (line,) = ada.call("queue", "--all", "--json").json
    assert "there is no [upload.nowhere]" in str(line)


def test_the_same_token_again_posts_nothing_and_prints_the_first_address(ada: Person, site: KnownDouble) -> None:
    first = ada.call("post", "status", "--wait", "--once", "build-42", "-m", "done")
    again = ada.call("post", "status", "--wait", "--once", "build-42", "-m", "done, really")
    queued = ada.call("post", "status", "--queue", "--once", "build-42", "-m", "and again")
    assert ada.call("run", "--once").code == 0
    assert (first.code, again.code, queued.code) == (0, 0, 0)
    assert first.out == again.out != ""
    assert [post.body for post in site.posts] == ["done"]


def test_a_token_of_a_later_word_prints_the_address_of_what_it_changed(ada: Person, site: KnownDouble) -> None:
    story = [("t1", "DOWN"), ("t2", "UP"), ("t3", "DOWN"), ("t2", "UP")]
    words = ("post", "status", "--wait", "--state-key", "web")
    said = [ada.call(*words, "--state", state, "--once", token, "-m", token) for token, state in story]
    assert {(each.code, each.out) for each in said} == {(0, said[0].out)}
    assert [post.body for post in site.posts] == ["t3"]


@pytest.mark.parametrize("way", ["--queue", "--wait"])
def test_a_token_that_is_no_text_is_a_mistake(ada: Person, site: KnownDouble, way: str) -> None:
    said = ada.call("post", "status", way, "--once", os.fsdecode(b"x\xff"), "-m", "x")
    assert said.code == 2
    assert r"--once x\udcff: this is not UTF-8" in said.err
    assert not list(ada.home.rglob("post.json"))


# --- too much, and what makes no sense --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["--queue", "--wait"])
def test_what_is_more_than_an_agent_takes_is_a_mistake(ada: Person, site: KnownDouble, way: str) -> None:
    (ada.home / "huge.txt").write_bytes(b"a" * 70_000_000)
    long = ada.call("post", "status", way, "--file", "huge.txt")
    piped = ada.call("post", "status", way, text=b"a" * 70_000_000)
    many = ada.call("post", "file", way, *["huge.txt"] * 1001, "-m", "many")
    assert (long.code, piped.code, many.code) == (2, 2, 2)
    assert "the text is too long: at most 63 MB are taken; post it as a file" in long.err
    assert "the text is too long" in piped.err
    assert "1001 are too many for files: at most 1000 are taken" in many.err
    assert not list(ada.home.rglob("post.json"))


def test_a_strangers_mail_of_no_time_is_posted_and_stops_nobody(ada: Person, site: KnownDouble) -> None:
    mail = "Subject: boo\nDate: Fri, 31 Dec 9999 23:59:59 -2300\nMessage-ID: <1@x>\n\nhello\n"
    assert ada.call("post", "mail", "--queue", text=mail).code == 0
    assert ada.call("post", "status", "--wait", "-m", "after").code == 0
    assert ada.call("run", "--once").code == 0
    assert {post.body.partition(" <span")[0] for post in site.posts} == {"hello", "after"}


def test_a_mail_with_a_long_name_of_its_own_is_posted_once(ada: Person, site: KnownDouble) -> None:
    for name in ("x" * 300 + "1", "x" * 300 + "1", "x" * 300 + "2"):
        assert ada.call("post", "mail", "--queue", text=f"Subject: s\nMessage-ID: <{name}@x>\n\n{name}\n").code == 0
    assert ada.call("run", "--once").code == 0
    assert len(site.posts) == 2


def test_what_the_agent_can_not_use_is_told_by_status_queue_and_run(ada: Person, site: KnownDouble) -> None:
    assert ada.call("post", "status", "--queue", "-m", "fine").code == 0
    bundle = ada.home / "state" / "drop" / "0-of-another-program"
    bundle.mkdir()
    (bundle / "post.json").write_text('{"version": 1, "token": "t", "kind": "status", "handed_at": 1e300}')
    once = ada.call("run", "--once")
    why = "post.json can't be used: its handed_at is no time, in seconds since 1970"
    assert once.code == 1
    assert "1 delivered, 1 refused" in once.out
    status, nagios, queue = ada.call("status"), ada.call("status", "--nagios"), ada.call("queue")
    for said in (once, status, nagios, queue):
        assert f"{bundle.with_name('.refused-0-of-another-program')}: {why}" in said.out
    assert "1 file never taken" in queue.out
    assert [post.body for post in site.posts] == ["fine"]


def test_many_at_once_with_one_token_are_one_post(ada: Person, site: KnownDouble) -> None:
    with ThreadPoolExecutor(4) as pool:
        words = ("post", "status", "--wait", "--once", "t", "-m")
        said = list(pool.map(lambda number: ada.call(*words, f"word {number}"), range(4)))
    assert [each.code for each in said] == [0] * 4, [each.err for each in said]
    assert len(site.posts) == 1
    assert len({each.out for each in said}) == 1


def test_a_word_on_a_state_changes_the_post(ada: Person, site: KnownDouble) -> None:
    for word in ("PROBLEM: web", "OK: web", "PROBLEM: web"):
        assert ada.call("post", "status", "--wait", "--state-key", "web/http", "-m", word).code == 0
    assert [post.body for post in site.posts] == ["PROBLEM: web"]


def test_settings_that_only_name_a_site_are_enough(ada: Person, site: KnownDouble) -> None:
    path = ada.home / ".config" / "mediaagent" / "agent.toml"
    lines = [line for line in path.read_text().splitlines() if "drop =" not in line]
    path.write_text("\n".join(lines))
    assert ada.call("post", "status", "--wait", "-m", "x").code == 0
    said = ada.call("check")
    assert (said.code, "warning: " in said.err, "nothing is watched" in said.err) == (0, True, True)


# --- a running agent --------------------------------------------------------------------------------------------------


def test_with_a_running_agent_it_delivers_and_the_address_is_told(ada: Person, site: KnownDouble) -> None:
    agent = AgentProcess(ada.home, environment=ada.everything)
    (ada.home / "agent.toml").write_text((ada.home / ".config" / "mediaagent" / "agent.toml").read_text())
    agent.start()
    try:
        agent.wait_until_running()
        said = ada.call("post", "status", "--wait", "-m", "through the agent")
        assert (said.code, said.out.startswith(site.address)) == (0, True), said.err
        assert ada.call("post", "status", "--queue", "-m", "queued").code == 0
        wait_for(lambda: len(site.posts) == 2, 10, lambda: agent.log)
    finally:
        assert agent.stop() == 0
    assert "delivered" in agent.log


def test_a_large_file_has_a_bar_on_a_terminal(ada: Person, site: KnownDouble) -> None:
    (ada.home / "large.bin").write_bytes(os.urandom(3_000_000))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, ada.command("post", "file", str(ada.home / "large.bin"), "-m", "x"), ada.everything)
    shown = b""
    with contextlib.suppress(OSError):  # it has ended
        while more := os.read(terminal, 1000):
            shown += more
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    assert b"[" + b"#" * 30 + b"] 3.0 of 3.0 MB" in shown
    assert f"\r{site.address}/".encode() in shown


def test_a_call_that_is_killed_while_it_delivers_loses_nothing(ada: Person, site: KnownDouble) -> None:
    site.faults.append(faults.CommitLate(path="/status/edit", seconds=1.0))
    process = subprocess.Popen(
        ada.command("post", "status", "--wait", "-m", "cut"), env=ada.everything, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    wait_for(lambda: bool(site.sent("POST", "/status/edit")), 20)
    process.kill()
    process.wait()
    time.sleep(1.2)
    for _ in range(10):
        ada.call("queue", "retry", "--all")
        if ada.call("run", "--once", "--patience", "2s").code == 0:
            break
    assert [post.body for post in site.posts] == ["cut"]


@pytest.mark.parametrize("kind", ["status", "mail"])
@pytest.mark.parametrize(
    "fault", [faults.Stall(path="/", seconds=12.0), faults.CommitLate(path="/", seconds=5.0)], ids=["lost", "late"]
)
def test_patience_ends_while_a_site_does_not_answer_and_it_is_posted_once(
    ada: Person, site: KnownDouble, fault: faults.Fault, kind: str
) -> None:
    path = ada.settings(site)
    path.write_text(path.read_text().replace('timeout = "2s"', 'timeout = "60s"'))
    fault = copy.copy(fault)
    fault.path = {"status": "/status/edit", "mail": "/entry/edit"}[kind]
    site.faults.append(fault)
    text = {"status": "hangs", "mail": "Subject: hangs\n\nhangs\n"}[kind]
    begun = time.monotonic()
    said = ada.call("post", kind, "--wait", "--patience", "2s", text=text, TMPDIR=str(ada.home))
    assert time.monotonic() - begun < 4.9, "it waited for the site"
    assert (said.code, said.out) == (1, ""), said.err
    assert "it was sent and not answered yet" in said.err
    assert "it is kept; `mediaagent run --once` delivers it" in said.err
    assert not list(ada.home.glob("mediaagent-*"))
    time.sleep(6.0)
    posted = len(site.posts)
    assert ada.call("run", "--once", "--patience", "2s").code == 0
    assert ([post.body.partition(" <")[0] for post in site.posts], posted) == (
        ["hangs"],
        int(isinstance(fault, faults.CommitLate)),
    )


def test_what_is_interrupted_says_that_it_is_kept(ada: Person, site: KnownDouble) -> None:
    path = ada.settings(site)
    path.write_text(path.read_text().replace('timeout = "2s"', 'timeout = "60s"'))
    site.faults.append(faults.Stall(path="/status/edit", seconds=8.0))
    words = ada.command("post", "status", "--wait", "-m", "cut")
    process = subprocess.Popen(words, env=ada.everything, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: bool(site.sent("POST", "/status/edit")), 20)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=4)[1]
    assert process.returncode == 130
    assert "it is kept; `mediaagent run --once` delivers it" in told
    time.sleep(2.0)
    assert ada.call("run", "--once", "--patience", "2s").code == 0
    assert [post.body for post in site.posts] == ["cut"]


def test_a_site_that_does_not_say_which_accounts_it_offers_costs_patience_and_no_more(
    ada: Person, site: KnownDouble
) -> None:
    path = ada.settings(site)
    path.write_text(path.read_text().replace('timeout = "2s"', 'timeout = "60s"'))
    site.faults.append(faults.Stall(method="GET", path="/", seconds=10.0, times=9))
    begun = time.monotonic()
    said = ada.call("post", "status", "--wait", "--patience", "2s", "-m", "x", "--syndicate", "twitter::ada")
    assert (said.code, time.monotonic() - begun < 5) == (1, True), said.err
    assert "it is kept" in said.err


def test_a_memory_that_is_damaged_is_mended_by_the_call_that_finds_it(ada: Person, site: KnownDouble) -> None:
    assert ada.call("post", "status", "--wait", "-m", "before").code == 0
    (ada.home / "state" / "outbox.db").write_bytes(b"no database at all" * 1000)
    said = ada.call("post", "status", "--wait", "-m", "after", "--patience", "20s")
    assert said.code == 0, said.err
    assert [post.body for post in site.posts] == ["before", "after"]
    assert list((ada.home / "state").glob("outbox.db.damaged-*"))


# --- quick and light --------------------------------------------------------------------------------------------------


def test_queueing_imports_only_what_it_needs(ada: Person, tmp_path: Path) -> None:
    file = picture(tmp_path / "p.jpg")
    loaded = loaded_by(ada, "photo", str(file), "--queue", "-m", "light")
    heavy = {"av", "click", "cv2", "jinja2", "msgspec", "numpy", "pyinotify", "requests", "sqlite3", "structlog"}
    ours = {"app", "builtin", "daemon", "journey", "lookout", "memory", "model", "options", "registry", "settings"}
    assert not loaded & heavy
    assert not loaded & {f"mediaagent.{name}" for name in ours}
    assert list((ada.home / "state" / "drop").glob("*/post.json"))


def test_being_the_agent_for_one_picture_imports_only_what_it_needs(
    ada: Person, site: KnownDouble, tmp_path: Path
) -> None:
    assert ada.call("post", "status", "--wait", "-m", "the first one makes the memory").code == 0
    loaded = loaded_by(ada, "photo", str(picture(tmp_path / "p.jpg")), "--wait", "-m", "Robin at the feeder, 08:14")
    assert [post.kind for post in site.posts] == ["note", "image"]
    heavy = {"av", "click", "cv2", "jinja2", "numpy", "pyinotify", "requests", "structlog", "watchdog"}
    slow = {"ctypes", "difflib", "importlib.metadata", "pyexpat", "re2", "urllib.request", "zipfile"}
    assert loaded & (heavy | slow) == set()
    kinds = {f"mediaagent.builtin.uploaders.known.{kind}" for kind in ("audio", "draft", "entry", "status")}
    assert loaded & kinds == set()
    assert not loaded & {f"mediaagent.rules.secrets.{way}" for way in ("assignments", "blocks", "places", "shapes")}


def loaded_by(person: Person, *words: str) -> set[str]:
    """Modules that a `post` has loaded when it ends."""
    script = f"""
        import sys
        from mediaagent.cli.post import quick
        code = quick.run(["post", *{words!r}])
        assert code == 0, code
        print(" ".join(sorted(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, env=person.everything, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


# --- without settings -------------------------------------------------------------------------------------------------


def test_a_key_from_the_environment_serves_one_call(bob: Person, site: KnownDouble) -> None:
    words = ("post", "status", "--wait", "--site", site.address, "--user", "birdcam", "-m", "hi")
    said = bob.call(*words, MEDIAAGENT_KEY=BIRDCAM_KEY)
    assert (said.code, said.out.startswith(site.address)) == (0, True), said.err
    assert not [path for path in bob.home.rglob("*") if path.is_file() and BIRDCAM_KEY.encode() in path.read_bytes()]


def test_a_key_that_stands_only_in_the_environment_can_not_be_queued(bob: Person, site: KnownDouble) -> None:
    words = ("post", "status", "--queue", "--site", site.address, "--user", "birdcam", "-m", "hi")
    said = bob.call(*words, MEDIAAGENT_KEY=BIRDCAM_KEY)
    assert (said.code, BIRDCAM_KEY in said.err) == (2, False)
    assert f"mediaagent login {site.address} --user birdcam" in said.err
    assert not list(bob.home.rglob("post.json"))


def test_the_key_itself_is_no_argument_and_is_not_repeated(bob: Person, site: KnownDouble) -> None:
    said = bob.call("post", "status", "-m", "x", "--site", site.address, "--user", "birdcam", "--key", BIRDCAM_KEY)
    assert (said.code, BIRDCAM_KEY in said.err) == (2, False)
    assert "never the key itself" in said.err


def test_a_key_in_a_file_serves_what_waits_too(bob: Person, tmp_path: Path) -> None:
    (bob.home / "k").write_text(PBX_KEY)
    with KnownDouble() as first:
        port = int(first.address.rpartition(":")[2])
    words = ("--site", first.address, "--user", "pbx", "--key", "file:k")
    assert bob.call("post", "status", "--queue", *words, "-m", "queued").code == 0
    said = bob.call("post", "status", "--wait", *words, "-m", "waits")
    assert said.code == 1, said.err
    with KnownDouble(port=port) as back:
        bob.call("queue", "retry", "--all")
        done = bob.call("run", "--once")
        assert done.code == 0, done.err
        assert sorted(post.body for post in back.posts) == ["queued", "waits"]
        assert {post.owner.handle for post in back.posts} == {"pbx"}


def test_what_had_to_wait_for_an_environments_key_goes_with_the_next_call_that_has_it(bob: Person) -> None:
    with KnownDouble() as first:
        port = int(first.address.rpartition(":")[2])
    words = ("post", "status", "--wait", "--site", first.address, "--user", "birdcam", "-m")
    said = bob.call(*words, "one", MEDIAAGENT_KEY=BIRDCAM_KEY)
    assert said.code == 1
    assert f"mediaagent login {first.address} --user birdcam" in said.err
    with KnownDouble(port=port) as back:
        bob.call("queue", "retry", "--all")
        assert bob.call(*words, "two", MEDIAAGENT_KEY=BIRDCAM_KEY).code == 0
        assert sorted(post.body for post in back.posts) == ["one", "two"]


def test_posts_that_name_no_site_go_to_stored_logins_alone(bob: Person, site: KnownDouble) -> None:
    site_of_pbx = ("--site", site.address, "--user", "pbx")
    assert bob.call("post", "status", "--wait", *site_of_pbx, "-m", "once", MEDIAAGENT_KEY=PBX_KEY).code == 0
    bob.log_in(site)
    said = bob.call("post", "status", "--wait", "-m", "hello")
    assert (said.code, len(said.out.splitlines())) == (0, 1), said.err
    assert [(post.body, post.owner.handle) for post in site.posts] == [("once", "pbx"), ("hello", "birdcam")]


def test_without_settings_site_or_login_the_way_is_shown(bob: Person) -> None:
    said = bob.call("post", "status", "-m", "x", "--queue")
    assert said.code == 2
    assert "mediaagent init" in said.err


def test_no_cookie_is_kept_or_sent_and_nothing_is_written_to_the_temporary_folder(
    ada: Person, site: KnownDouble, tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    assert ada.call("post", "status", "--wait", "-m", "x", TMPDIR=str(tmp_path / "tmp")).code == 0
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [request for request in site.requests if "cookie" in request.headers] == []


def test_an_accounts_list_is_what_the_forms_say() -> None:
    """The double offers webhooks where the real site was seen to offer them."""
    with KnownDouble() as site:
        site.site.services = {"webhooks": [("http://127.0.0.1/hook", "local")]}
        offered = {kind: known_json.offered(site.site, kind) for kind in known_json.TYPES}
    assert offered == {"status": {"webhooks::http://127.0.0.1/hook"}, "entry": {"webhooks::http://127.0.0.1/hook"}} | {
        "photo": set(),
        "media": set(),
    }
