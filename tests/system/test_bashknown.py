"""BashKnown's calls, by the scripts of the same names; and each of the faults that the old scripts had.

With KNOWN_URL, KNOWN_USER and KNOWN_KEY set, tests/live/test_bashknown_live.py makes the same calls on a real site.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles import known_faults as faults
from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.doubles.known_http import Reply
from tests.system.agent import wait_for
from tests.system.posting import BASHKNOWN, Person, picture

US = ("birdcam", BIRDCAM_KEY)
SCRIPTS = ["blog.sh", "known.sh", "known_GET.sh", "photo.sh", "status.sh"]


@pytest.fixture
def site() -> Iterator[KnownDouble]:
    with KnownDouble() as double:
        double.site.services = {"twitter": [("username", "")]}
        yield double


@pytest.fixture
def me(tmp_path: Path) -> Person:
    return Person(tmp_path / "me")


# --- the calls of its readme ------------------------------------------------------------------------------------------


def test_status(me: Person, site: KnownDouble) -> None:
    said = me.script("status.sh", site.address, *US, "twitter::username", text="my tweet\n")
    (post,) = site.posts
    assert (said.code, said.out.strip()) == (0, f"{site.address}/{post.created.year}/my-tweet")
    assert (post.body, post.syndication) == ("my tweet", ["twitter::username"])


def test_blog(me: Person, site: KnownDouble) -> None:
    assert me.script("blog.sh", site.address, *US, text="A title\nline one\n\nline two\n").code == 0
    (post,) = site.posts
    assert (post.kind, post.title) == ("article", "A title")
    assert post.body.startswith("line one\n\nline two")


def test_photo(me: Person, site: KnownDouble) -> None:
    files = [str(picture(me.home / name)) for name in ("one.jpg", "two.jpg", "three.jpg")]
    assert me.script("photo.sh", site.address, *US, "Three birds", *files, text="at the feeder\n").code == 0
    (post,) = site.posts
    assert (post.title, len(post.names), post.body.startswith("at the feeder <span")) == ("Three birds", 3, True)


def test_known_posts_what_it_is_given(me: Person, site: KnownDouble) -> None:
    said = me.script("known.sh", f"{site.address}/status/edit", *US, text="body=my data&tags=%23a\n")
    assert (said.code, list(said.json)) == (0, ["location"])
    assert [(post.body, post.tags) for post in site.posts] == [("my data", "#a")]


def test_known_get_fetches(me: Person, site: KnownDouble) -> None:
    me.script("status.sh", site.address, *US, text="to be read")
    said = me.script("known_GET.sh", f"{site.address}/content/all/?q=read&_t=json", *US)
    assert (said.code, said.json["items"][0]["content"]) == (0, "to be read")


def test_a_site_may_be_named_with_a_slash_behind_it(me: Person, site: KnownDouble) -> None:
    assert me.script("status.sh", f"{site.address}/", *US, text="x").code == 0
    assert me.script("known_GET.sh", f"{site.address}/", *US).code == 0


# --- the faults -------------------------------------------------------------------------------------------------------


def test_the_key_is_in_no_arguments_behind_the_script(me: Person, site: KnownDouble) -> None:
    site.faults.append(faults.CommitLate(path="/status/edit", seconds=1.5))
    process = subprocess.Popen(
        [str(BASHKNOWN / "status.sh"), site.address, *US],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=me.everything,
        cwd=me.home,
    )
    assert process.stdin
    process.stdin.write(b"x")
    process.stdin.close()
    wait_for(lambda: bool(site.sent("POST", "/status/edit")), 30)
    seen = [Path(f"/proc/{process.pid}/cmdline").read_bytes()]  # the script has become the command
    assert process.wait(30) == 0
    assert b"mediaagent" in seen[0]
    assert BIRDCAM_KEY.encode() not in seen[0]


def test_it_warns_once_and_says_how_to_move_the_key(me: Person, site: KnownDouble) -> None:
    first, second = (me.script("status.sh", site.address, *US, text=f"{number}") for number in range(2))
    assert f"mediaagent login {site.address} --user birdcam" in first.err
    assert second.err == ""
    assert BIRDCAM_KEY not in first.err
    me.log_in(site)
    assert me.script("status.sh", site.address, "birdcam", "-", text="stored").code == 0
    assert [post.body for post in site.posts] == ["0", "1", "stored"]


def test_no_file_is_left_in_the_temporary_folder(me: Person, site: KnownDouble, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    assert me.script("status.sh", site.address, *US, text="x", TMPDIR=str(tmp_path / "tmp")).code == 0
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [request for request in site.requests if "cookie" in request.headers] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_refusal_is_no_success(me: Person, site: KnownDouble, script: str) -> None:
    address = site.address + {"known.sh": "/status/edit", "known_GET.sh": "/2026/nowhere"}.get(script, "")
    more = ["title", str(picture(me.home / "p.jpg"))] if script == "photo.sh" else []
    refusal = Reply.json(400, {"messages": [{"message": "Not like this.", "message_type": "alert-danger"}]})
    site.faults += [faults.Instead(path=f"/{kind}/edit", reply=refusal) for kind in ("status", "entry", "photo")]
    said = me.script(script, address, *US, *more, text="body=x")
    assert said.code == 3
    assert "Not like this." in said.err or script == "known_GET.sh"
    assert site.posts == []


@pytest.mark.parametrize("script", ["known.sh", "known_GET.sh"])
def test_a_wrong_key_is_no_success(me: Person, site: KnownDouble, script: str) -> None:
    path = {"known.sh": "/status/edit", "known_GET.sh": "/content/all/?_t=json"}[script]
    assert me.script(script, site.address + path, "birdcam", "wrong", text="body=x").code == 3


def test_a_wrong_key_keeps_the_post(me: Person, site: KnownDouble) -> None:
    said = me.script("status.sh", site.address, "birdcam", "wrong", text="x")
    assert said.code == 1
    assert "user" in said.err
    assert me.script("status.sh", site.address, *US, text="y").code == 0


@pytest.mark.parametrize("script", SCRIPTS)
def test_too_few_arguments_are_no_success(me: Person, script: str) -> None:
    said = me.script(script, "http://127.0.0.1:1", "birdcam")
    assert (said.code, said.err.startswith("Usage: ")) == (2, True)


def test_all_lines_are_read(me: Person, site: KnownDouble) -> None:
    text = "one\ntwo\n\nfour: " + "x" * 100_000
    assert me.script("status.sh", site.address, *US, text=text).code == 0
    assert site.posts[0].body == text


@pytest.mark.parametrize("caption", ["@robin at the feeder", "</etc/hostname", "@/etc/hostname", "-n"])
def test_captions_are_text_whatever_they_begin_with(me: Person, site: KnownDouble, caption: str) -> None:
    file = str(picture(me.home / "p.jpg"))
    assert me.script("photo.sh", site.address, *US, caption, file, text=caption).code == 0
    (post,) = site.posts
    assert (post.title, post.body.partition(" <span")[0]) == (caption, caption.replace("<", "&lt;"))
    assert len(post.files) == 1


def test_names_with_spaces(me: Person, site: KnownDouble) -> None:
    files = [str(picture(me.home / name)) for name in ("a robin.jpg", "two  more;type=x.jpg", "it's $(me).jpg")]
    assert me.script("photo.sh", site.address, *US, "Title, with $HOME", *files, text="x").code == 0
    (post,) = site.posts
    assert (post.title, len(post.files)) == ("Title, with $HOME", 3)


def test_a_picture_over_the_sites_limit_is_never_a_post_without_it(me: Person, site: KnownDouble) -> None:
    site.site.limits.upload_max_filesize = 20_000
    file = picture(me.home / "large.jpg", size=400)
    assert file.stat().st_size > 20_000
    me.script("photo.sh", site.address, *US, "Large", str(file), text="x")
    assert all(post.files for post in site.posts)


def test_what_comes_while_the_site_is_down_is_kept(me: Person) -> None:
    with KnownDouble() as first:
        port = int(first.address.rpartition(":")[2])
    said = me.script("photo.sh", first.address, *US, "Robin", str(picture(me.home / "p.jpg")), text="kept")
    assert said.code == 1
    assert "kept" in said.err
    with KnownDouble(port=port) as back:
        me.log_in(back)
        me.call("queue", "retry", "--all")
        assert me.call("run", "--once").code == 0
        assert [(post.title, len(post.files)) for post in back.posts] == [("Robin", 1)]


def test_one_process_does_it_all(me: Person, site: KnownDouble, tmp_path: Path) -> None:
    """Queueing a picture starts no other process."""
    script = (
        "import os, sys\n"
        "sys.addaudithook(lambda event, args: os._exit(70) if event in ('os.fork', 'subprocess.Popen', 'os.exec',"
        " 'os.posix_spawn', 'os.system') else None)\n"
        "from mediaagent.cli.commands import main\n"
        f"main(['post', 'photo', {str(picture(tmp_path / 'p.jpg'))!r}, '--queue'])\n"
    )
    me.settings(site)
    done = subprocess.run([*me.command()[:1], "-c", script], env=me.everything, cwd=BASHKNOWN.parent.parent)
    assert done.returncode == 0


def test_the_scripts_can_be_linked_to(me: Person, site: KnownDouble) -> None:
    tools = me.home / "bin"
    tools.mkdir()
    (tools / "status.sh").symlink_to(BASHKNOWN / "status.sh")
    done = subprocess.run(
        [str(tools / "status.sh"), site.address, *US], input=b"x", env=me.everything, cwd="/", capture_output=True
    )
    assert (done.returncode, len(site.posts)) == (0, 1)


def test_a_web_page_in_the_sites_place_is_no_success(me: Person, site: KnownDouble) -> None:
    site.faults.append(faults.Instead(method="GET", path="/", reply=faults.captive_portal()))
    said = me.script("known_GET.sh", f"{site.address}/", *US)
    assert (said.code, said.json["status"]) == (3, 200)
