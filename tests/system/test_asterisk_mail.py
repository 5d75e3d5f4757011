"""A message's mail becomes a private audio post, called as Asterisk calls its mailcmd."""

from __future__ import annotations

import base64
import html
import io
import re
import shutil
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.known import KnownDouble
from tests.system.agent import DATA
from tests.system.hooks import words_of
from tests.system.posting import Person

MAIL = DATA / "asterisk" / "mailcmd.eml"


@pytest.fixture
def site() -> Iterator[KnownDouble]:
    with KnownDouble() as double:
        double.site.plugins.add("media")
        yield double


def mailed(ada: Person, mail: Path = MAIL) -> None:
    """As app_voicemail does it: the mail in a file of its own, a shell that puts it on mailcmd's standard input."""
    (mailcmd,) = re.findall(r"^mailcmd=(.*)$", words_of("voicemail.conf", ada), re.MULTILINE)
    written = ada.home / "astmail-4uCg1m"
    shutil.copy(mail, written)
    environment = {**ada.everything, "MEDIAAGENT_DROP": str(ada.home / "state" / "drop"), "HOME": "/nonexistent"}
    (ada.home / "state" / "drop").mkdir(parents=True, exist_ok=True)
    called = f"( {mailcmd} < {written} ; echo $? > {written}.code ; rm -f {written} )"
    done = subprocess.run(["/bin/sh", "-c", called], capture_output=True, text=True, timeout=60, env=environment)
    assert Path(f"{written}.code").read_text() == "0\n", done.stderr
    assert not written.exists()


def with_wav(folder: Path) -> tuple[Path, bytes]:
    """The same mail where `format` begins with wav, and its sound."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as written:
        written.setparams((1, 2, 8000, 0, "NONE", ""))
        written.writeframes(bytes(16_000))
    head, _, rest = MAIL.read_bytes().replace(b"msg0000.WAV", b"msg0000.wav").partition(b"UklGR")
    mail = folder / "wav.eml"
    mail.write_bytes(head + base64.encodebytes(sound.getvalue()) + b"\n--" + rest.partition(b"\n--")[2])
    return mail, sound.getvalue()


def test_its_sound_is_the_post_and_its_subject_and_text_the_words(
    ada: Person, site: KnownDouble, tmp_path: Path
) -> None:
    mail, recorded = with_wav(tmp_path)
    mailed(ada, mail)
    assert site.requests == []
    assert ada.call("run", "--once").code == 0
    (post,) = site.posts
    assert (post.kind, post.title) == ("media", "[PBX]: New message 1 in mailbox 1234")
    shown = html.unescape(post.body)
    assert shown.startswith('Dear Reception Desk: msg 1 in 1234 from "Alice Example" <+15550100> on Monday')
    assert post.access == site.site.uuid(site.birdcam), "it is not private"
    assert post.created.isoformat() == "2026-11-23T03:10:48+00:00"
    assert "#voicemail" in str(post.tags)
    (sound,) = post.files
    assert sound.name.startswith("msg0000")
    assert sound.content == recorded


def test_a_sound_that_no_browser_plays_is_linked(ada: Person, site: KnownDouble) -> None:
    mailed(ada)
    assert ada.call("run", "--once").code == 0
    (post,) = site.posts
    assert (post.kind, post.access) == ("article", site.site.uuid(site.birdcam))
    (sound,) = site.site.loose
    assert sound.name.startswith("msg0000")
    assert sound.content.startswith(b"RIFF")
    assert len(sound.content) == 10265


def test_the_same_mail_again_posts_nothing(ada: Person, site: KnownDouble) -> None:
    for _ in range(2):
        mailed(ada)
        assert ada.call("run", "--once").code == 0
    assert len(site.posts) == 1


def test_a_mail_without_its_sound_is_a_text(ada: Person, site: KnownDouble, tmp_path: Path) -> None:
    mail = tmp_path / "bare.eml"
    mail.write_bytes(b"Subject: Message\nContent-Type: text/plain; charset=ISO-8859-1\n\nfrom Zo\xc3\xab\n")
    mailed(ada, mail)
    assert ada.call("run", "--once").code == 0
    (post,) = site.posts
    assert (post.title, post.body.partition(" <span")[0], post.files) == ("Message", "from Zoë", [])
    assert post.access == site.site.uuid(site.birdcam)


def test_what_the_command_line_says_goes_before_what_the_mail_says(ada: Person, site: KnownDouble) -> None:
    words = ["--title", "A call", "--access", "public", "--created", "2026-01-02T03:04:05+00:00", "--once", "t"]
    for _ in range(2):
        said = ada.call("post", "mail", "--wait", *words, text=MAIL.read_bytes())
        assert said.code == 0, said.err
        assert said.out.startswith(site.address)
    (post,) = site.posts
    assert (post.title, post.access, post.created.year) == ("A call", "PUBLIC", 2026)
    assert post.created.month == 1


def test_nothing_on_standard_input_is_no_mail(ada: Person, site: KnownDouble) -> None:
    said = ada.call("post", "mail", "--queue", text="\n")
    assert (said.code, site.requests) == (2, [])
    assert "has no subject, no text and no attachment" in said.err
    assert not [*ada.home.rglob("post.json")]
