"""What a mail says, however badly it is made."""

from __future__ import annotations

import base64
import time
import zlib
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaagent.cli.post.mail import Attachment, read
from tests.system.agent import DATA

SOUND = b"RIFF\x24\x00\x00\x00WAVEfmt "


def mail(*headers: bytes, text: bytes = b"Hello", charset: str = "ISO-8859-1", **files: bytes) -> bytes:
    """As Asterisk puts it together: bytes as they come. `files`: what stands in place of their base64."""
    parts = [b"Content-Type: text/plain; charset=" + charset.encode() + b"\n\n" + text + b"\n"]
    for name, content in files.items():
        kind = b"Content-Type: audio/x-wav; name=" + name.encode() + b".wav\nContent-Transfer-Encoding: base64\n"
        parts.append(kind + b"Content-Disposition: attachment; filename=" + name.encode() + b".wav\n\n" + content)
    body = b"".join(b"\n--cut\n" + part for part in parts) + b"\n--cut--\n.\n"
    return b"\n".join([*headers, b'Content-Type: multipart/mixed; boundary="cut"', b"", body])


def test_a_mail_of_asterisks_is_read() -> None:
    told = read((DATA / "asterisk" / "mailcmd.eml").read_bytes())
    assert told.subject == "[PBX]: New message 1 in mailbox 1234"
    assert told.text.startswith('Dear Reception Desk: msg 1 in 1234 from "Alice Example" <+15550100> on Monday')
    assert told.date == datetime(2026, 11, 23, 3, 10, 48, tzinfo=UTC)
    assert (told.id, told.post_kind) == ("<Asterisk-1-1324393351-1234-22385@vm>", "audio")
    (sound,) = told.attachments
    assert (sound.name, sound.kind.lower(), len(sound.content)) == ("msg0000.WAV", "audio/x-wav", 10265)
    assert sound.content.startswith(b"RIFF")


@pytest.mark.parametrize(
    ("text", "charset", "meant"),
    [
        ("Zoë ☃".encode(), "ISO-8859-1", "Zoë ☃"),  # what Asterisk claims of a name in UTF-8
        ("Zoë".encode("latin-1"), "ISO-8859-1", "Zoë"),
        ("Zoë".encode("latin-1"), "UTF-8", "Zoë"),
        ("Zoë".encode("latin-1"), "us-ascii", "Zoë"),
        ("5 €".encode("cp1252"), "ISO-8859-1", "5 \x80"),
        ("5 €".encode("cp1252"), "windows-1252", "5 €"),
        ("Жук".encode("koi8-r"), "koi8-r", "Жук"),
        ("日本".encode("iso-2022-jp"), "iso-2022-jp", "日本"),
        ("Zoë".encode(), "no-such-charset", "Zoë"),
        ("Zoë".encode("latin-1"), "no-such-charset", "Zoë"),
        (b"\x81\x8d", "utf-8", "\x81\x8d"),
        (b"\\ud800", "unicode_escape", "\\ud800"),
        (zlib.compress(b"x"), "zlib", zlib.compress(b"x").decode("cp1252")),  # no charset, whatever Python calls it
    ],
)
def test_letters_are_what_they_are_and_not_what_is_claimed(text: bytes, charset: str, meant: str) -> None:
    assert read(mail(text=text, charset=charset)).text == meant


@pytest.mark.parametrize(
    "subject",
    [
        b"=?ISO-8859-1?Q?Zo=C3=AB_calls?=",  # UTF-8 that is called Latin-1
        b"=?ISO-8859-1?Q?Zo=EB_calls?=",
        b"=?utf-8?b?Wm/Dqw==?= calls",
        "Zoë calls".encode(),
        "Zoë calls".encode("latin-1"),
        b"=?ISO-8859-1?Q?Zo=C3?=\n =?ISO-8859-1?Q?=AB_calls?=",  # cut in the middle of a letter
        "Zoë\n calls".encode(),
    ],
)
def test_so_are_those_of_a_subject(subject: bytes) -> None:
    assert read(mail(b"Subject: " + subject)).subject == "Zoë calls"


def test_what_is_attached_and_broken_is_named_and_the_rest_stays() -> None:
    told = read(mail(good=base64.b64encode(SOUND), cut=b"UklGR", empty=b""))
    assert [(file.name, file.content) for file in told.attachments] == [("good.wav", SOUND)]
    assert told.text.splitlines() == [
        "Hello",
        "",
        "(left out: cut.wav, which could not be read)",
        "",
        "(left out: empty.wav, which could not be read)",
    ]


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ([], "entry"),
        (["audio/x-wav"], "audio"),
        (["audio/x-wav", "audio/mpeg"], "file"),
        (["image/jpeg", "image/png"], "photo"),
        (["video/mp4"], "video"),
        (["image/jpeg", "video/mp4"], "file"),
        (["application/pdf"], "file"),
    ],
)
def test_what_is_attached_tells_what_it_becomes(files: list[str], kind: str) -> None:
    made = EmailMessage()
    made.set_content("Hello")
    for number, each in enumerate(files):
        main, _, sub = each.partition("/")
        made.add_attachment(SOUND, maintype=main, subtype=sub, filename=f"file {number}")
    told = read(made.as_bytes())
    assert told.post_kind == kind
    assert [file.content for file in told.attachments] == [SOUND] * len(files)


@pytest.mark.parametrize(
    ("date", "told"),
    [
        (b"Mon, 23 Nov 2026 08:00:00 -0000", "2026-11-23T08:00:00+00:00"),  # UTC, of nobody knows where
        (b"Mon, 23 Nov 2026 08:00:00 -0000 (UTC)", "2026-11-23T08:00:00+00:00"),
        (b"Mon, 23 Nov 2026 08:00:00 +0100", "2026-11-23T08:00:00+01:00"),
        (b"Mon, 23 Nov 2026 08:00:00", "2026-11-23T08:00:00+01:00"),  # of this machine
    ],
)
def test_its_time_is_the_one_that_it_tells(monkeypatch: pytest.MonkeyPatch, date: bytes, told: str) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Vienna")
        time.tzset()
        found = read(mail(b"Date: " + date)).date
    time.tzset()
    assert found is not None
    assert found.isoformat() == told


@pytest.mark.parametrize(
    "date",
    [
        b"Fri, 31 Dec 9999 23:59:59 -2300",
        b"Mon, 1 Jan 0999 00:00:00 +1400",
        b"Mon, 23 Nov 2026 08:00:00 +9999",
        b"soon",
    ],
)
def test_a_time_that_makes_no_sense_is_none(date: bytes) -> None:
    told = read(mail(b"Date: " + date))
    assert (told.date, told.text) == (None, "Hello")


def test_of_what_is_nested_too_deeply_the_head_is_told() -> None:
    levels = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (each, each) for each in range(3000)
    )
    told = read(b"Subject: deep\nMessage-ID: <1@x>\n" + levels + b"Content-Type: text/plain\n\nhello\n")
    assert (told.subject, told.id) == ("deep", "<1@x>")
    assert told.text == "(left out: what is nested too deeply to be read)"


def test_of_a_page_that_no_parser_takes_the_words_are_told() -> None:
    assert read(b"Content-Type: text/html\n\n<p>hi<![foo[ <x>there").text.splitlines() == ["hi<![foo[", "there"]


def test_of_a_mail_that_is_a_page_the_text_is_taken() -> None:
    made = EmailMessage()
    page = (
        "<html><head><title>x</title><style>p {}</style></head><p>Motion &amp; <b>more</b>\n at\n5 &lt; 6</p>you<br>me"
    )
    made.set_content(page, subtype="html")
    assert read(made.as_bytes()).text.splitlines() == ["Motion & more at 5 < 6", "you", "me"]
    made = EmailMessage()
    made.set_content("plain")
    made.add_alternative(page, subtype="html")
    assert read(made.as_bytes()).text == "plain"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\msg.wav", "msg.wav"),
        ("..", "attachment-1.wav"),
        ("a\tb.wav", "ab.wav"),
        ("Zoë & Co.wav", "Zoë & Co.wav"),
        ("x" * 300 + ".wav", "x" * 196 + ".wav"),
    ],
)
def test_names_have_no_folders_and_fit_a_file(name: str, told: str) -> None:
    made = EmailMessage()
    made.add_attachment(SOUND, maintype="audio", subtype="x-wav", filename=name)
    (file,) = read(made.as_bytes()).attachments
    assert file.name == told


def test_bytes_of_no_type_are_told_by_their_name() -> None:
    made = EmailMessage()
    made.add_attachment(SOUND, maintype="application", subtype="octet-stream", filename="MSG0000.WAV")
    told = read(made.as_bytes())
    assert (told.post_kind, told.attachments) == ("audio", (Attachment("MSG0000.WAV", "audio/x-wav", SOUND),))


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda junk: mail(b"Subject: " + junk, junk, text=junk)))
def test_nothing_is_too_broken_to_be_read(data: bytes) -> None:
    told = read(data)
    assert "\n" not in told.subject
    for text in (told.subject, told.text, told.id):
        text.encode()
