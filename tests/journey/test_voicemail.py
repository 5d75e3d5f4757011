"""Messages on their way: what waits, what is taken in one hand, and what is the same again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mediaagent.app import plan
from mediaagent.builtin.watchers.voicemail import Voicemail
from mediaagent.settings import load
from tests.journey.house import House
from tests.system.storm import sound_of
from tests.unit.test_voicemail_text import FIRST

OLD, NEW = "default/1234/INBOX/msg0000", "default/1234/INBOX/msg0001"


class Phone(House):
    """A house that watches a spool."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, make_watcher=lambda root: Voicemail(path=root, **options))

    def text(self, stem: str, number: int, *, duration: int = 6, end: str = "\n") -> None:
        words = FIRST.replace(b"-00000000\n", b"-%08x\n" % number).replace(b"duration=6\n", b"duration=%d" % duration)
        self.write(f"{stem}.txt", words + end.encode())

    def sound(self, stem: str, number: int, *, seconds: int = 6) -> None:
        self.write(f"{stem}.wav", sound_of(number, seconds))

    def message(self, stem: str, number: int) -> None:
        self.sound(stem, number)
        self.text(stem, number)

    def write(self, name: str, data: bytes) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(data)

    def copy(self, stem: str, to: str) -> None:
        for ending in ("wav", "txt"):
            self.write(f"{to}.{ending}", (self.root / f"{stem}.{ending}").read_bytes())

    def rename(self, stem: str, to: str, *endings: str) -> None:
        for ending in endings:
            (self.root / f"{stem}.{ending}").rename(self.root / f"{to}.{ending}")

    def pass_time(self, seconds: float) -> None:
        """Round after round."""
        for _ in range(int(seconds / 0.5)):
            self.clock.advance(0.5)
            self.work()

    def posted(self) -> list[int]:
        """Whose sounds were posted."""
        known = {sound_of(number, 6).decode("latin-1"): number for number in range(5)}
        return [known[sound] for _, media in self.site.posts for sound in media.values()]


def test_a_whole_message_is_posted_in_the_first_round(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.message(OLD, 1)
    phone.pass_time(1)
    assert phone.posted() == [1]
    assert [*phone.site.posts[0][1]] == ["msg0000.wav"]


def test_a_text_waits_for_its_sound(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.text(OLD, 1)
    phone.pass_time(60)
    assert phone.posted() == []
    phone.sound(OLD, 1)
    phone.pass_time(12)
    assert phone.posted() == [1]


def test_a_text_that_is_met_before_its_sound_is_copied_once(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.message(OLD, 1)
    for ending in ("txt", "wav"):  # the order of a walk, all before anything is written down
        seen = phone.securing._lookout.look(phone.root / f"{OLD}.{ending}")
        assert seen is not None
        phone.securing.notice(seen)
    assert phone.securing.take() == 1
    with phone.state.database.reading() as connection:
        whats = [row["what"] for row in connection.execute("SELECT what FROM history WHERE path IS NOT NULL")]
    assert whats == ["secured"]


def test_a_sound_waits_for_its_text(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.sound(OLD, 1)
    phone.pass_time(60)
    phone.text(OLD, 1)
    phone.pass_time(2)
    assert phone.posted() == [1]


def test_a_text_that_is_still_being_written_waits(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.sound(OLD, 1)
    phone.text(OLD, 1, end="")
    phone.pass_time(30)
    assert phone.posted() == []
    assert [*(phone.folder / "state/spool/parts").iterdir()] == []
    phone.text(OLD, 1)
    phone.pass_time(12)
    assert phone.posted() == [1]


def test_a_sound_that_is_shorter_than_its_text_is_listed_and_never_posted(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.sound(OLD, 1, seconds=3)
    phone.text(OLD, 1)
    phone.pass_time(10)
    phone.clock.advance(3700)
    phone.work()
    assert phone.posted() == []
    assert any(line.startswith("incomplete") and "its sound has 3.1 s" in line for line in phone.log.lines)


def test_between_two_renames_nothing_is_taken_for_what_it_is_not(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.message(OLD, 1)
    phone.message(NEW, 2)
    phone.rename(NEW, OLD, "wav")  # the second's sound under the first's name, its text still to come
    phone.pass_time(1)
    assert phone.posted() == []
    phone.rename(NEW, OLD, "txt")
    phone.pass_time(1)
    assert phone.posted() == [2]


def test_a_text_that_stays_alone_for_good_does_not_hold_up_others(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.text(NEW, 2)
    phone.message(OLD, 1)
    phone.pass_time(4)
    assert phone.posted() == [1]


def test_renumbering_moving_and_copying_make_no_second_post(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.message(OLD, 1)
    phone.message(NEW, 2)
    phone.pass_time(1)
    phone.copy(OLD, "default/1234/Old/msg0000")
    phone.rename(NEW, OLD, "wav", "txt")
    phone.copy(OLD, "office/5678/INBOX/msg0007")
    phone.settle()
    assert sorted(phone.posted()) == [1, 2]


def test_a_message_is_known_by_itself_when_another_has_taken_its_name(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.message(OLD, 1)
    phone.pass_time(1)
    (phone.root / "default/1234/Old").mkdir()
    phone.rename(OLD, "default/1234/Old/msg0000", "wav", "txt")
    phone.message(OLD, 2)
    phone.pass_time(1)
    phone.rename("default/1234/Old/msg0000", NEW, "wav", "txt")
    phone.settle()
    assert phone.posted() == [1, 2]
    assert not [line for line in phone.log.lines if "the same content" in line]  # so it was not copied again


def test_a_message_that_is_forwarded_weeks_later_is_the_same_again(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.message(OLD, 1)
    phone.pass_time(1)
    phone.clock.advance(30 * 86400)
    phone.housekeeping.tidy()
    phone.copy(OLD, "office/5678/INBOX/msg0000")
    phone.settle()
    phone.housekeeping.tidy()
    assert phone.posted() == [1]
    assert not [line for line in phone.log.lines if "late" in line]
    assert [*(phone.folder / "state/spool/parts").iterdir()] == []


def test_copies_that_come_in_one_round_are_one_post_with_one_sound(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.message(OLD, 1)
    phone.copy(OLD, "office/5678/INBOX/msg0000")
    phone.settle()
    assert phone.posted() == [1]


def test_with_per_mailbox_a_copy_is_a_post_of_its_own_also_when_the_first_has_gone(tmp_path: Path) -> None:
    phone = Phone(tmp_path, copies="per-mailbox")
    phone.message(OLD, 1)
    phone.pass_time(1)
    phone.copy(OLD, "office/5678/INBOX/msg0000")
    shutil.rmtree(phone.root / "default")
    phone.settle()
    assert phone.posted() == [1, 1]


def test_a_spare_copy_is_still_spare_when_the_database_was_lost(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.message(OLD, 1)
    phone.copy(OLD, "office/5678/INBOX/msg0000")
    phone.pass_time(1)
    phone.close()
    for file in (tmp_path / "state").glob("outbox.db*"):
        file.unlink()
    phone.open()
    phone.settle()
    assert phone.posted() == [1]


def test_a_mailbox_has_its_own_words_and_targets(tmp_path: Path) -> None:
    mailboxes = {"1234@default": {"title": "For Ada: {{ caller }}", "access": "members"}, "5678": {"to": []}}
    phone = Phone(tmp_path, mailboxes=mailboxes)
    phone.message(OLD, 1)
    phone.message("office/5678/INBOX/msg0000", 2)
    phone.pass_time(1)
    assert phone.posted() == [1]
    prepared = [line for line in phone.log.lines if line.startswith("prepared")]
    assert ["For Ada: Alice Example" in line for line in prepared] == [True]


def test_a_mailboxs_targets_and_templates_are_checked(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text("""
        [watch.phone]
        type = "voicemail"
        path = "spool"
        [watch.phone.mailboxes."1234@default"]
        to = ["adda"]
        title = "{{ callr }}"
        [upload.ada]
        type = "page"
        path = "page"
    """)
    _, problems = plan(load(tmp_path / "agent.toml"))
    assert ["adda" in str(problem) or "callr" in str(problem) for problem in problems] == [True, True]
    assert all("mailboxes.1234@default" in problem.where for problem in problems)


@pytest.mark.parametrize(("access", "number"), [("public", "…100"), ("private", "+15550100")])
def test_a_public_source_masks_numbers_by_itself(tmp_path: Path, access: str, number: str) -> None:
    (tmp_path / "agent.toml").write_text(f"""
        [watch.phone]
        type = "voicemail"
        path = "spool"
        access = "{access}"
    """)
    made, problems = plan(load(tmp_path / "agent.toml"))
    assert problems == []
    watcher: Any = made.sources["phone"].watcher
    from tests.unit.test_voicemail import part

    (one,) = watcher.group([part(Voicemail(path=Path("/var/spool/asterisk/voicemail")))], None)
    assert one.facts["caller_number"] == number
