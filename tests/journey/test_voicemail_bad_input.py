"""What a spool holds besides whole messages, from the first look to what its owner is told of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.journey.test_voicemail import NEW, OLD, Phone
from tests.system.storm import sound_of
from tests.unit.test_voicemail_text import FIRST

WHOLE = sound_of(1, 6)
BROKEN = {
    "killed before its first block": WHOLE[:4] + bytes(4) + WHOLE[8:40] + bytes(4),
    "killed in the middle: its lengths are 0": WHOLE[:4] + bytes(4) + WHOLE[8:40] + bytes(4) + WHOLE[44:30000],
    "half-written: its lengths tell more": WHOLE[:30000],
    "empty": b"",
    "no sound at all": b"<html>not found</html>" * 100,
    "another kind of file": b"\x89PNG\r\n\x1a\n" + bytes(1000),
}


def told(phone: Phone, state: str) -> list[str]:
    return [line for line in phone.log.lines if line.startswith(state)]


@pytest.mark.parametrize("sound", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("ending", ["wav", "WAV", "gsm"])
def test_a_sound_that_is_none_is_listed_once_and_never_posted(tmp_path: Path, sound: bytes, ending: str) -> None:
    phone = Phone(tmp_path)
    phone.write(f"{OLD}.{ending}", sound)
    phone.text(OLD, 1)
    phone.message(NEW, 2)
    phone.pass_time(10)
    assert phone.posted() == [2]
    for _ in range(3):
        phone.clock.advance(3700)
        phone.work()
    assert phone.posted() == [2]
    (line,) = told(phone, "incomplete")
    assert "msg0000.txt" in line
    assert "sound" in line or f"msg0000.{ending}" in line
    assert [*(phone.folder / "state/spool/tmp").iterdir()] == []


def test_a_broken_sound_that_is_made_whole_is_posted(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.write(f"{OLD}.wav", BROKEN["half-written: its lengths tell more"])
    phone.text(OLD, 1)
    phone.pass_time(60)
    assert phone.posted() == []
    phone.sound(OLD, 1)
    phone.pass_time(12)
    assert phone.posted() == [1]


def test_a_text_whose_sound_never_comes_is_listed_once(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.text(OLD, 1)
    phone.pass_time(10)
    for _ in range(3):
        phone.clock.advance(3700)
        phone.work()
    (line,) = told(phone, "incomplete")
    assert "msg0000.wav or msg0000.WAV or msg0000.gsm is not there yet" in line


def test_a_text_of_a_megabyte_is_left_and_one_of_a_little_less_is_read(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.sound(OLD, 1)
    phone.write(f"{OLD}.txt", FIRST + b"x" * (1_000_001 - len(FIRST)))
    phone.sound(NEW, 2)
    phone.write(f"{NEW}.txt", FIRST.replace(b"Alice Example", b"A" * 900_000))
    phone.pass_time(10)
    assert phone.posted() == [2]
    (prepared,) = told(phone, "prepared")
    assert len(prepared) < 2000


def test_messages_of_an_asterisk_that_names_none_are_posted_once_however_they_are_renamed(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    for stem, number in ((OLD, 1), (NEW, 2)):
        phone.sound(stem, number)
        phone.write(f"{stem}.txt", FIRST.replace(b"msg_id=1795403441-00000000\n", b""))
    phone.pass_time(1)
    phone.copy(NEW, "office/5678/INBOX/msg0003")
    phone.rename(NEW, OLD, "wav", "txt")
    phone.settle()
    assert sorted(phone.posted()) == [1, 2]


@pytest.mark.parametrize(
    "place",
    [b"caf\xe9/\xff\xfe", b"de\x1b[31mfault/12<b>34", "\u202edefault/{{ 7 * 7 }}".encode(), b"two\nlines/a\tb"],
)
@pytest.mark.parametrize("copies", ["once", "per-mailbox"])
def test_mailboxes_may_have_any_name_that_the_system_allows(tmp_path: Path, place: bytes, copies: str) -> None:
    phone = Phone(tmp_path, copies=copies)
    stem = os.fsdecode(place + b"/INBOX/msg0000")
    phone.message(stem, 1)
    phone.pass_time(1)
    assert phone.posted() == [1]
    assert not [line for line in phone.log.lines if "unexpected" in line or not line.isprintable()]
    phone.restart()
    phone.settle()
    assert phone.posted() == [1]
