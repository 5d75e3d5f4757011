"""The commands on a telephone's spool: a message is its text and its sound, and names go from message to message."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from mediaagent.demo import leave_message

from .cli_help import Place, a_place

SETTINGS = """\
[agent]
state = "state"

[watch.phone]
type = "voicemail"
path = "spool"
existing = "post"
timezone = "UTC"
enrich = []
"""
CALLED = "2026-11-23T03:10:41+00:00"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """One message of 5 s in mailbox 1234."""
    leave_message(tmp_path / "spool", started=datetime.fromisoformat(CALLED), pace=1000)
    return a_place(tmp_path, SETTINGS)


def inbox(place: Place) -> Path:
    return place.folder / "spool/default/1234/INBOX"


def copied(place: Place, name: str) -> Path:
    """The first message once more, as `name`. Returns its text."""
    for file in inbox(place).glob("msg0000.*"):
        target = place.folder / "spool" / f"{name}{file.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return place.folder / "spool" / f"{name}.txt"


def another(place: Place, caller: str) -> Path:
    """Another caller's message in the place of the first."""
    text = inbox(place) / "msg0000.txt"
    words = text.read_text().replace("msg_id=", "msg_id=9").splitlines(keepends=True)
    text.write_text("".join(f'callerid="{caller}" <1>\n' if "callerid" in line else line for line in words))
    return text


def says(place: Place, file: Path) -> str:
    answer = place.call("why", str(file))
    assert answer.code == 0, answer.err
    return answer.out


def test_scan_reads_when_the_call_was_and_what_is_the_same_again(place: Place) -> None:
    copied(place, "office/5678/INBOX/msg0003")
    document = place.call("scan", "phone", "--json").json
    (event,) = document["events"]
    assert datetime.fromisoformat(event["happened_at"]) == datetime.fromisoformat(CALLED)
    assert (event["files"], event["spare"]) == (1, 1)
    taken = [file for file in document["files"] if file["fate"] == "take"]
    assert [(Path(file["name"]).suffix, file["event"]) for file in taken] == [(".txt", 1), (".txt", 1)]


def test_scan_and_why_tell_what_a_message_waits_for(place: Place) -> None:
    text = inbox(place) / "msg0000.txt"
    text.write_text(text.read_text().replace("duration=5", "duration=9"))
    fates = {file["name"]: file for file in place.call("scan", "phone", "--json").json["files"]}
    assert fates["default/1234/INBOX/msg0000.txt"]["fate"] == "wait"
    assert "its text tells 9 s, its sound has 5." in fates["default/1234/INBOX/msg0000.txt"]["reason"]
    assert "its text tells 9 s" in says(place, text)
    for sound in inbox(place).glob("msg0000.[!t]*"):
        sound.unlink()
    assert "waits for msg0000.wav or msg0000.WAV or msg0000.gsm" in says(place, text)


def test_why_tells_what_is_taken_together_and_that_nothing_need_be_quiet(place: Place) -> None:
    out = says(place, inbox(place) / "msg0000.txt")
    assert "whole, to be taken as text together with msg0000.wav, in a voicemail of " in out
    assert "quiet" not in out


def test_why_leads_from_a_sound_to_its_message(place: Place) -> None:
    sound = inbox(place) / "msg0000.wav"
    assert "phone: msg0000.txt: whole, to be taken" in says(place, sound)
    assert place.call("run", "--once", "--patience", "10s").code == 0
    out = says(place, sound)
    assert "phone: ignored: taken together with msg0000.txt\nphone: msg0000.txt: taken already" in out
    assert "title   Voicemail from Alice Example, 0:05" in out


def test_a_sound_without_a_text_is_told_to_be_alone(place: Place) -> None:
    (inbox(place) / "msg0000.txt").unlink()
    assert "taken together with msg0000.txt, and msg0000.txt is not there" in says(place, inbox(place) / "msg0000.wav")
    assert "msg0000.txt is not there" in place.call("scan", "phone").out


def test_preview_of_a_sound_shows_its_message(place: Place) -> None:
    (inbox(place) / "msg0000.gsm").write_bytes(b"\xd0" + bytes(32))
    files = [str(inbox(place) / f"msg0000.{ending}") for ending in ("gsm", "wav", "txt")]
    for chosen in (files[:1], files):
        post = place.call("preview", *chosen, "--json").json["post"]
        assert post["title"] == "Voicemail from Alice Example, 0:05"
        assert [part["name"] for part in post["parts"]] == ["msg0000.wav"]


def test_preview_follows_no_link_to_a_sound(place: Place) -> None:
    elsewhere = (inbox(place) / "msg0000.wav").rename(place.folder / "elsewhere.wav")
    (inbox(place) / "msg0000.wav").symlink_to(elsewhere)
    answer = place.call("preview", str(inbox(place) / "msg0000.txt"))
    assert answer.code == 2
    assert "waits for msg0000.wav" in answer.err


def test_queue_shows_a_message_with_its_sound_and_the_size_of_that(place: Place) -> None:
    size = (inbox(place) / "msg0000.wav").stat().st_size
    assert place.call("run", "--once", "--patience", "10s").code == 0
    (file,) = place.call("queue", "show", "1", "--json").json["files"]
    assert Path(file["path"]).name == "msg0000.txt"
    assert (file["shown"], file["role"], file["media_type"]) == ("msg0000.wav", "audio", "audio/wav")
    assert file["size"] == size
    out = place.call("queue", "show", "1").out
    assert "INBOX/msg0000.txt, with msg0000.wav\n" in out
    assert "secured msg0000.txt: as audio, with msg0000.wav" in out


def test_a_name_that_went_to_another_message_tells_of_that_alone(place: Place) -> None:
    """Asterisk gives msg0000 to one message after the other."""
    text = inbox(place) / "msg0000.txt"
    for caller in ("Bob", "Carol"):
        assert place.call("run", "--once", "--patience", "10s").code == 0
        another(place, caller)
    assert place.call("run", "--once", "--patience", "10s").code == 0
    for event, caller in ((1, "Alice Example"), (2, "Bob"), (3, "Carol")):
        story = place.call("queue", "show", str(event), "--json").json
        assert story["post"]["title"] == f"Voicemail from {caller}, 0:05"
        assert [step["what"] for step in story["history"]].count("secured") == 1
    out = says(place, text)
    assert out.count("title   ") == 1
    assert "Voicemail from Carol" in out
    assert "earlier files of this name were those of event 1, 2" in out


def test_why_does_not_take_a_new_message_for_an_earlier_one_of_its_name(place: Place) -> None:
    assert place.call("run", "--once", "--patience", "10s").code == 0
    out = says(place, another(place, "Bob"))
    assert "whole, to be taken as text" in out
    assert "title   " not in out
    assert "earlier files of this name were those of event 1\n" in out


def test_the_last_message_of_a_name_is_told_when_it_is_gone(place: Place) -> None:
    assert place.call("run", "--once", "--patience", "10s").code == 0
    shutil.rmtree(inbox(place))
    out = says(place, inbox(place) / "msg0000.txt")
    assert "not there" in out
    assert "title   Voicemail from Alice Example, 0:05" in out
