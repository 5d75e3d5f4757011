"""The watcher `voicemail`: what it takes, what it reads, and what is the same again."""

from __future__ import annotations

import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mediaagent.api import Claim, Ignored, Incomplete, Part, Sighting
from mediaagent.builtin.watchers.voicemail import Voicemail
from mediaagent.builtin.watchers.voicemail_sound import NoSound, seconds_of
from mediaagent.options import build, to_table
from mediaagent.testing.files import MOMENT, part_of, seen_file
from tests.system.voicemails import SCENARIO
from tests.unit.test_voicemail_text import FIRST

SPOOL = Path("/var/spool/asterisk/voicemail")
INBOX = SPOOL / "default" / "1234" / "INBOX"
LONG_AGO = timedelta(days=1)


def voicemail(**options: Any) -> Voicemail:
    return Voicemail(**{"path": SPOOL, **options})


# --- claim ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SPOOL, SPOOL / "default", SPOOL / "default/1234", INBOX])
def test_mailbox_and_context_come_from_the_path_wherever_the_root_is(path: Path) -> None:
    claim = voicemail(path=path).claim(seen_file(INBOX / "msg0000.txt"))
    assert isinstance(claim, Claim)
    assert claim.facts == {"context": "default", "mailbox": "1234", "folder": "INBOX"}


def test_a_message_is_its_text_with_the_best_sound_that_is_there() -> None:
    claim = voicemail().claim(seen_file(INBOX / "msg0007.txt"))
    assert isinstance(claim, Claim)
    assert [path.name for path in claim.hand["audio"]] == ["msg0007.wav", "msg0007.WAV", "msg0007.gsm"]
    assert claim.shown == "audio"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("default/1234/tmp/tSJ7jy", "still going on"),
        ("default/1234/tmp/tSJ7jy.wav", "still going on"),
        ("default/1234/INBOX/.lock", "lock"),
        ("default/1234/INBOX/.lock-3e22aa8e", "lock"),
        ("default/1234/INBOX/lock", "lock"),
        ("default/1234/INBOX/msg0000-bak.txt", "-bak"),
        ("default/1234/INBOX/msg0000-prepend.wav", "-prepend"),
        ("default/1234/INBOX/msg0000intro.wav", "introduction"),
        ("default/1234/unavail.wav", "greeting"),
        ("default/1234/unavail.tmp.wav", "greeting"),
        ("default/1234/Old/msg0000.txt", "Old is not among `folders`"),
        ("default/1234/INBOX/msg0000.wav", "taken together with msg0000.txt"),
        ("default/1234/INBOX/msg0000.ulaw", "taken together with msg0000.txt"),
        ("default/1234/INBOX/msg00001.txt", "no message"),
        ("default/1234/INBOX/notes.txt", "no message"),
        ("a/default/1234/INBOX/msg0000.txt", "deeper"),
    ],
)
def test_what_is_no_message_is_ignored_with_a_reason(name: str, reason: str) -> None:
    answer = voicemail().claim(seen_file(SPOOL / name))
    assert isinstance(answer, Ignored)
    assert reason in answer.reason


def test_a_sound_wakes_its_text() -> None:
    answer = voicemail().claim(seen_file(INBOX / "msg0003.WAV"))
    assert isinstance(answer, Ignored)
    assert answer.about == INBOX / "msg0003.txt"


def test_a_text_of_a_megabyte_is_none() -> None:
    answer = voicemail().claim(seen_file(INBOX / "msg0003.txt", size=1_000_001))
    assert isinstance(answer, Ignored)
    assert "no text of a message" in answer.reason


def test_other_folders_can_be_asked_for() -> None:
    assert isinstance(voicemail(folders=["Work"]).claim(seen_file(SPOOL / "default/1/Work/msg0000.txt")), Claim)


# --- read -------------------------------------------------------------------------------------------------------------


def record(path: Path, seconds: float) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(round(16000 * seconds) // 2 * 2))
    return path


def files_of(folder: Path, text: bytes = FIRST, seconds: float = 6.3) -> dict[str, Path]:
    (folder / "text").write_bytes(text)
    return {"text": folder / "text", "audio": record(folder / "audio", seconds)}


def test_a_whole_message_is_read_at_once(tmp_path: Path) -> None:
    facts = voicemail().read(files_of(tmp_path), timedelta(0))
    assert facts["seconds"] == 6
    assert facts["message"] == "1795403441-00000000"
    assert facts["caller_name"] == "Alice Example"
    assert facts["origtime"] == 1795403441


@pytest.mark.parametrize("duration", [b"", b"duration=\n", b"duration=6", b"duration=six\n", "duration=٦\n".encode()])
def test_a_text_without_a_duration_waits(tmp_path: Path, duration: bytes) -> None:
    with pytest.raises(Incomplete, match="no duration"):
        voicemail().read(files_of(tmp_path, FIRST.replace(b"duration=6\n", duration)), LONG_AGO)


def test_a_sound_that_is_shorter_than_the_text_says_waits_for_ever(tmp_path: Path) -> None:
    with pytest.raises(Incomplete, match=r"tells 6 s, its sound has 3\.0 s") as caught:
        voicemail().read(files_of(tmp_path, seconds=3.0), LONG_AGO)
    assert caught.value.again is None


def test_a_sound_that_is_longer_counts_when_nobody_changes_it(tmp_path: Path) -> None:
    files = files_of(tmp_path, seconds=12.0)  # Asterisk takes silence at the end off the duration
    with pytest.raises(Incomplete) as caught:
        voicemail().read(files, timedelta(seconds=1))
    assert caught.value.again == timedelta(seconds=3)
    assert voicemail().read(files, caught.value.again)["seconds"] == 6


@pytest.mark.parametrize("sound", [b"", b"no sound at all" * 33, b"RIFF\0\0\0\0WAVE", b"RIFF\x04\0\0\0AVI "])
def test_what_is_no_sound_is_not_read(tmp_path: Path, sound: bytes) -> None:
    files = files_of(tmp_path)
    files["audio"].write_bytes(sound)
    with pytest.raises(Incomplete, match="its sound"):
        voicemail().read(files, LONG_AGO)


def test_a_recording_that_was_killed_has_no_sound() -> None:
    killed = [path for path in SCENARIO.glob("lost/synth-*") if path.stat().st_size in (44, 60)]
    assert len(killed) == 2
    for path in killed:
        with pytest.raises(NoSound):
            seconds_of(path)


@pytest.mark.parametrize("text", sorted(SCENARIO.glob("tree/*/*/*/msg*.txt")), ids=lambda path: path.parent.name)
def test_every_format_of_a_recorded_message_has_its_length(text: Path) -> None:
    for ending in ("wav", "WAV", "gsm"):
        facts = voicemail().read({"text": text, "audio": text.with_suffix(f".{ending}")}, timedelta(0))
        assert facts["seconds"] <= seconds_of(text.with_suffix(f".{ending}")) < facts["seconds"] + 1


def test_three_hours_are_measured_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "long.wav").open("wb") as stream:
        size = 3 * 3600 * 16000
        head = b"WAVEfmt " + bytes.fromhex("10000000 0100 0100 401f0000 803e0000 0200 1000") + b"data"
        stream.write(b"RIFF" + (size + 36).to_bytes(4, "little") + head + size.to_bytes(4, "little"))
        stream.truncate(size + 44)
    assert seconds_of(tmp_path / "long.wav") == 3 * 3600


# --- group ------------------------------------------------------------------------------------------------------------


def part(
    watcher: Voicemail, name: str = "default/1234/INBOX/msg0000.txt", *, event_key: str = "", **facts: Any
) -> Part:
    said = {"message": "17-0", "seconds": 6, "caller_name": "Alice", "caller_number": "+15550100", "origtime": 17}
    made = part_of(watcher, SPOOL / name, content=repr(facts).encode(), event_key=event_key, **(said | facts))
    assert made is not None
    return made


def grouped(watcher: Voicemail, *parts: Part) -> list[Sighting]:
    return sorted(watcher.group(parts, MOMENT), key=lambda each: each.key)


def test_a_message_is_known_by_the_servers_word_and_its_duration() -> None:
    (one,) = grouped(voicemail(server="pbx"), part(voicemail()))
    assert one.key == "pbx/17-0-6"
    assert one.growing_until is None
    assert one.happened_at == datetime(1970, 1, 1, 0, 0, 17, tzinfo=UTC)


def test_a_copy_in_another_mailbox_is_spare() -> None:
    watcher = voicemail()
    (one,) = grouped(watcher, part(watcher), part(watcher, "office/5678/INBOX/msg0003.txt"))
    assert (len(one.parts), len(one.spare)) == (1, 1)
    assert one.once


def test_with_per_mailbox_each_has_its_own() -> None:
    watcher = voicemail(copies="per-mailbox")
    found = grouped(watcher, part(watcher), part(watcher, "office/5678/INBOX/msg0003.txt"))
    assert [each.key for each in found] == ["1234@default/17-0-6", "5678@office/17-0-6"]
    assert len({part.identity for each in found for part in each.parts}) == 2


def test_a_message_with_a_greeting_before_it_is_another_one() -> None:
    watcher = voicemail()
    assert [each.key for each in grouped(watcher, part(watcher), part(watcher, seconds=9))] == ["17-0-6", "17-0-9"]


def test_a_copy_of_what_was_posted_is_spare() -> None:
    watcher = voicemail()
    (one,) = grouped(watcher, part(watcher, event_key="17-0-6"), part(watcher, "default/1/INBOX/msg0000.txt"))
    assert (one.key, len(one.spare)) == ("17-0-6", 1)


def test_without_a_msg_id_time_caller_and_sound_tell_messages_apart(tmp_path: Path) -> None:
    text = FIRST.replace(b"msg_id=1795403441-00000000\n", b"")
    watcher = voicemail()

    def key(text: bytes, seconds: float) -> str:
        facts = watcher.read(files_of(tmp_path, text, seconds), LONG_AGO)
        return grouped(watcher, part(watcher, **facts))[0].key

    assert key(text, 6.3) == key(text, 6.3)
    assert len({key(text, 6.3), key(text, 6.4), key(text.replace(b"Alice", b"Bob"), 6.3)}) == 3
    assert "15550100" not in key(text, 6.3)


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ({}, "+15550100"),
        ({"access": "private"}, "+15550100"),
        ({"access": "public"}, "…100"),
        ({"access": "members"}, "…100"),
        ({"access": "public", "caller_number": "show"}, "+15550100"),
        ({"caller_number": "hide"}, ""),
        ({"mailboxes": {"1234": {"access": "public"}}}, "…100"),
        ({"access": "public", "mailboxes": {"1234@default": {"access": "private"}}}, "+15550100"),
    ],
)
def test_a_number_is_masked_unless_the_post_is_private(options: dict[str, Any], number: str) -> None:
    watcher = voicemail(**options)
    (one,) = grouped(watcher, part(watcher))
    assert one.facts["caller_number"] == number
    assert "15550100" not in str(one.facts) or number == "+15550100"


def test_who_has_no_name_is_called_by_the_number_that_may_be_shown() -> None:
    watcher = voicemail(caller_number="mask")
    (one,) = grouped(watcher, part(watcher, caller_name=""))
    assert one.facts["caller"] == "…100"
    (one,) = grouped(watcher, part(watcher, caller_name="", caller_number=""))
    assert one.facts["caller"] == "an unknown caller"


def test_an_urgent_message_is_marked() -> None:
    watcher = voicemail()
    (one,) = grouped(watcher, part(watcher, "default/1234/Urgent/msg0000.txt"))
    assert one.facts["urgent"] is True


# --- mailboxes --------------------------------------------------------------------------------------------------------


def test_a_mailbox_has_its_own_route_and_the_context_counts_first() -> None:
    mailboxes = {"1234": {"to": ["all"]}, "1234@default": {"to": ["ada"], "title": "For Ada", "tags": ["phone"]}}
    watcher = voicemail(mailboxes=mailboxes)
    (one,) = grouped(watcher, part(watcher))
    assert (one.route.to, one.route.title, one.route.tags) == (("ada",), "For Ada", ("phone",))
    (other,) = grouped(watcher, part(watcher, "office/1234/INBOX/msg0000.txt"))
    assert other.route.to == ("all",)
    (none,) = grouped(watcher, part(watcher, "office/1/INBOX/msg0000.txt"))
    assert none.route.to is None
    assert set(watcher.routes()) == {"mailboxes.1234", "mailboxes.1234@default"}


@pytest.mark.parametrize(
    ("mailboxes", "told"),
    [
        ({"1234@": {}}, "no mailbox"),
        ({"1234": {"titel": "x"}}, "there is no 'titel'"),
        ({"1234": {"to": "ada"}}, "not a list"),
        ({"1234": {"access": "friends"}}, "none of public"),
        ({"1234": {"title": 7}}, "not a text"),
        ({"1234": "ada"}, "is not a table"),
    ],
)
def test_what_is_wrong_with_a_mailbox_is_told(mailboxes: dict[str, Any], told: str) -> None:
    made, problems = build(Voicemail, {"path": "spool", "mailboxes": mailboxes}, where="watch.phone", base=Path("/"))
    assert made is None
    assert told in str(problems[0])


def test_its_options_survive_the_way_to_the_workbench() -> None:
    watcher = voicemail(mailboxes={"1234": {"to": ["ada"], "tags": ["a"]}}, caller_number="hide")
    again, problems = build(Voicemail, to_table(watcher), where="", base=Path("/"))
    assert problems == []
    assert again == watcher


# --- check ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [".", "voicemail/default", "voicemail/default/1234", "voicemail/default/1234/INBOX"])
def test_a_spool_with_mailboxes_has_no_problem_wherever_the_root_is(tmp_path: Path, path: str) -> None:
    (tmp_path / "voicemail/default/1234/INBOX").mkdir(parents=True)
    root = tmp_path / ("voicemail" if path == "." else path)
    assert list(voicemail(path=root, mailboxes={"1234": {}, "1234@default": {}}).check()) == []


def told_by_check(**options: Any) -> str:
    found = list(voicemail(**options).check())
    assert all(problem.severity == "warning" for problem in found)
    return "\n".join(map(str, found))


def test_check_tells_of_a_mailbox_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "default/1234/INBOX").mkdir(parents=True)
    told = told_by_check(path=tmp_path, mailboxes={"1234@defualt": {"title": "x"}, "1234": {}})
    assert told.startswith("mailboxes.1234@defualt: there is no mailbox 1234@defualt in ")
    assert 'did you mean "1234@default"?' in told
    assert told.count("there is no mailbox") == 1


def test_check_tells_of_a_root_above_the_spool_and_of_one_without_mailboxes(tmp_path: Path) -> None:
    assert "no mailbox lies in" in told_by_check(path=tmp_path)
    (tmp_path / "voicemail/default/1234/INBOX").mkdir(parents=True)
    assert f'path = "{tmp_path}/voicemail"' in told_by_check(path=tmp_path)
    assert told_by_check(path=tmp_path / "nothing") == ""  # `check` tells this of every source


def test_check_tells_of_a_folder_that_asterisk_never_makes(tmp_path: Path) -> None:
    (tmp_path / "default/1234/INBOX").mkdir(parents=True)
    assert 'did you mean "INBOX"?' in told_by_check(path=tmp_path, folders=["Inbox", "Old"])
    assert "Asterisk's are: INBOX, Old" in told_by_check(path=tmp_path, folders=["Holidays"])
