"""BashKnown's calls, and what the old scripts did wrong, on the site that the environment names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaagent.testing import new_key
from tests.system.posting import Person, Said, picture

SITE = os.environ.get("KNOWN_URL", "").rstrip("/")
US = (os.environ.get("KNOWN_USER", ""), os.environ.get("KNOWN_KEY", ""))


class Caller(Person):
    """Remembers what it posted, to tidy up."""

    posted: list[str]

    def post(self, name: str, *words: str, text: str) -> Said:
        said = self.script(name, SITE, *US, *words, text=text)
        self.posted += [line for line in said.out.splitlines() if line.startswith("http")]
        return said

    def shown(self, url: str) -> dict[str, object]:
        found: dict[str, object] = self.script("known_GET.sh", f"{url}?_t=json", *US).json["object"]
        return found


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Caller]:
    caller = Caller(tmp_path / "me")
    caller.posted = []
    key = tmp_path / "key"
    key.write_text(US[1])
    yield caller
    for url in caller.posted:
        where = ("--site", SITE, "--user", US[0], "--key", f"file:{key}", "--insecure")
        assert caller.call("known", "delete", url, *where).code == 0


def test_status_and_all_its_lines(me: Caller) -> None:
    text = f"{new_key()}\nsecond line\n\n@fourth <b>"
    assert me.post("status.sh", text=text).code == 0
    assert str(me.shown(me.posted[0])["content"]).startswith(text.partition("\n")[0])


def test_blog(me: Caller) -> None:
    assert me.post("blog.sh", text=f"Title {new_key()}\nline one\nline two\n").code == 0
    assert str(me.shown(me.posted[0])["displayName"]).startswith("Title ")


@pytest.mark.parametrize("caption", ["@robin", "</etc/hostname"])
def test_photos_with_odd_names_and_captions(me: Caller, caption: str) -> None:
    files = [str(picture(me.home / name)) for name in ("a robin.jpg", "two;type=x.jpg")]
    assert me.post("photo.sh", f"Birds {new_key()}", *files, text=caption).code == 0
    shown = me.shown(me.posted[0])
    attachments = shown["attachments"]
    assert isinstance(attachments, list)
    assert (shown["objectType"], len(attachments)) == ("image", 2)


def test_known_and_known_get(me: Caller) -> None:
    said = me.script("known.sh", f"{SITE}/status/edit", *US, text=f"body={new_key()}\n")
    assert said.code == 0
    me.posted.append(said.json["location"].partition("?")[0])
    assert me.script("known_GET.sh", f"{SITE}/content/all/?_t=json", *US).code == 0


def test_refusals_are_no_success(me: Caller) -> None:
    assert me.script("known.sh", f"{SITE}/status/edit", *US, text="body=").code == 3
    assert me.script("known.sh", f"{SITE}/status/edit", US[0], "wrong", text="body=x").code == 3
    assert me.script("known_GET.sh", f"{SITE}/content/all/?_t=json", US[0], "wrong").code == 3


def test_the_same_token_again_posts_nothing(me: Caller) -> None:
    token = new_key()
    words = ("post", "status", "--wait", "--site", SITE, "--user", US[0], "--insecure", "--once", token, "-m")
    first, again = (me.call(*words, f"{token} {number}", MEDIAAGENT_KEY=US[1]) for number in range(2))
    me.posted.append(first.out.strip())
    assert (first.code, again.code) == (0, 0)
    assert first.out == again.out
