"""Files taken in one hand: what belongs together, whatever is renamed between seeing and opening."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mediaagent.clock import SystemClock
from mediaagent.errors import Changed, Gone, Incomplete, Refused, Renumbered
from mediaagent.lookout.walk import WalkLookout
from mediaagent.model import Claim, SeenFile
from mediaagent.store.hand import hold
from mediaagent.store.safely import open_below

FORMATS = ("wav", "WAV", "gsm")


class Inbox:
    """A folder whose files say in their content whose they are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lookout = WalkLookout(SystemClock())

    def message(self, slot: int, whose: str, *formats: str) -> SeenFile:
        for ending in formats or FORMATS:
            self.path(slot, ending).write_text(whose)
        self.path(slot, "txt").write_text(whose)
        return self.seen(slot)

    def path(self, slot: int, ending: str) -> Path:
        return self.folder / f"msg{slot:04}.{ending}"

    def seen(self, slot: int) -> SeenFile:
        file = self.lookout.look(self.path(slot, "txt"))
        assert file is not None
        return file

    def rename(self, slot: int, to: int, *endings: str) -> None:
        for ending in endings or (*FORMATS, "txt"):
            self.path(slot, ending).rename(self.path(to, ending))

    def claim(self, file: SeenFile, *, series: bool = True) -> Claim:
        sounds = tuple(file.path.with_suffix(f".{ending}") for ending in FORMATS)
        pattern = r"msg\d{4}\.txt" if series else ""
        return Claim(role="text", companions={"audio": sounds}, shown="audio", series=pattern)

    def hold(self, file: SeenFile, *, series: bool = True) -> dict[str, tuple[str, str]]:
        """By role: under which name it was opened, and whose it is."""
        with hold(self.folder, file, self.claim(file, series=series)) as hand:
            return {role: (held.path.name, os.pread(held.descriptor, 99, 0).decode()) for role, held in hand.items()}


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path)


@pytest.mark.parametrize("series", [True, False])
def test_the_best_format_that_is_there_is_taken(inbox: Inbox, series: bool) -> None:
    ada = inbox.message(0, "ada", "WAV", "gsm")
    assert inbox.hold(ada, series=series) == {"text": ("msg0000.txt", "ada"), "audio": ("msg0000.WAV", "ada")}


def test_a_message_that_was_renumbered_since_it_was_seen_is_found_under_its_new_name(inbox: Inbox) -> None:
    bob, ada = inbox.message(0, "bob"), inbox.message(1, "ada")
    inbox.rename(0, 7)
    inbox.rename(1, 0)
    assert inbox.hold(bob) == {"text": ("msg0007.txt", "bob"), "audio": ("msg0007.wav", "bob")}
    assert inbox.hold(ada) == {"text": ("msg0000.txt", "ada"), "audio": ("msg0000.wav", "ada")}


def test_while_a_text_stands_alone_names_are_not_believed(inbox: Inbox) -> None:
    bob, ada = inbox.message(0, "bob"), inbox.message(1, "ada")
    inbox.rename(1, 0, *FORMATS)
    with pytest.raises(Renumbered):
        inbox.hold(bob)
    with pytest.raises(Incomplete, match=r"msg0001\.wav or msg0001\.WAV or msg0001\.gsm is not there yet"):
        inbox.hold(ada)
    inbox.rename(1, 0, "txt")
    assert inbox.hold(ada) == {"text": ("msg0000.txt", "ada"), "audio": ("msg0000.wav", "ada")}


def test_where_the_best_format_has_gone_ahead_for_good_another_of_the_same_message_does(inbox: Inbox) -> None:
    inbox.message(0, "bob")
    ada = inbox.message(1, "ada")
    inbox.rename(1, 0, "gsm", "wav")
    assert inbox.hold(ada) == {"text": ("msg0001.txt", "ada"), "audio": ("msg0001.WAV", "ada")}


def test_a_message_that_never_had_the_better_format_is_taken_beside_others_that_have(inbox: Inbox) -> None:
    inbox.message(0, "bob")
    ada = inbox.message(1, "ada", "WAV")
    assert inbox.hold(ada)["audio"] == ("msg0001.WAV", "ada")


def test_what_was_deleted_or_replaced_is_told(inbox: Inbox) -> None:
    ada, bob = inbox.message(0, "ada"), inbox.message(1, "bob")
    os.link(inbox.path(0, "txt"), inbox.folder.parent / "kept")  # so that its inode is not given to another file
    inbox.rename(1, 0)
    with pytest.raises(Changed, match="another file now"):
        inbox.hold(ada)
    for path in [*inbox.folder.iterdir()]:
        path.unlink()
    with pytest.raises(Gone):
        inbox.hold(bob)


@pytest.mark.parametrize("series", [True, False])
def test_a_link_is_not_followed(inbox: Inbox, series: bool) -> None:
    ada = inbox.message(0, "ada", "gsm")
    secret = inbox.folder.parent / "secret"
    secret.write_text("secret")
    inbox.path(0, "gsm").unlink()
    inbox.path(0, "gsm").symlink_to(secret)
    with pytest.raises(Refused):
        inbox.hold(ada, series=series)


STORM = """
import os, sys
os.chdir(sys.argv[1])
count = int(sys.argv[2])
def rename(slot, to):
    for ending in ("gsm", "wav", "WAV", "txt"):
        os.rename(f"msg{slot:04}.{ending}", f"msg{to:04}.{ending}")
print(flush=True)
while True:
    rename(0, count)
    for slot in range(count):
        rename(slot + 1, slot)
"""


def test_in_a_storm_of_renumbering_every_hand_is_one_messages_and_every_message_is_met(inbox: Inbox) -> None:
    names = [f"caller {number}" for number in range(30)]
    files = [inbox.message(slot, whose) for slot, whose in enumerate(names)]
    command = [sys.executable, "-c", STORM, str(inbox.folder), str(len(names))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as producer:
        try:
            assert producer.stdout is not None
            producer.stdout.readline()
            walked = [
                {file.inode for file in inbox.lookout.walk(inbox.folder, (), lambda hint: None)} for _ in range(30)
            ]
            held = [[_in_the_end(inbox, file) for file in files] for _ in range(30)]
        finally:
            producer.kill()
    assert held == [names] * 30
    assert all({file.inode for file in files} <= met for met in walked)


def _in_the_end(inbox: Inbox, file: SeenFile) -> str:
    """Whose it is, looked at again where its folder stayed in motion."""
    end = time.monotonic() + 20
    while True:
        try:
            ((_, text), (_, sound)) = inbox.hold(file).values()
        except (Renumbered, Incomplete):
            assert time.monotonic() < end
            continue
        assert text == sound
        return text


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to give a folder to somebody else")
@pytest.mark.parametrize(("folder", "file", "taken"), [(0, 0, True), (1, 1, True), (1, 0, False), (0, 1, False)])
def test_a_file_with_two_names_is_taken_only_where_no_stranger_could_have_given_it_the_second(
    tmp_path: Path, folder: int, file: int, taken: bool
) -> None:
    """We are root here; 1 is somebody else."""
    (tmp_path / "outside").write_text("ours or theirs")
    (tmp_path / "watched").mkdir()
    os.link(tmp_path / "outside", tmp_path / "watched" / "a.txt")
    os.chown(tmp_path / "outside", file, file)
    os.chown(tmp_path / "watched", folder, folder)
    refused = contextlib.nullcontext() if taken else pytest.raises(Refused, match="a hard link to a file of another")
    with refused, open_below(tmp_path / "watched", tmp_path / "watched" / "a.txt") as descriptor:
        assert os.read(descriptor, 99) == b"ours or theirs"
