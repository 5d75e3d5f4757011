"""The demo's telephone: what it plays, and that it writes as Asterisk does."""

from __future__ import annotations

import json
import re
import sys
import time
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mediaagent.builtin.watchers.voicemail import Voicemail
from mediaagent.builtin.watchers.voicemail_text import caller_of, fields_of
from mediaagent.demo import leave_message, melody

from .sounds import loudness

RECORDED = Path(__file__).parents[1] / "data/asterisk/voicemail"
STARTED = datetime(2026, 11, 23, 3, 10, 41, tzinfo=UTC)


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spool = tmp_path_factory.mktemp("demo") / "new" / "voicemail"
    leave_message(spool, started=STARTED, pace=1000)
    return spool


@pytest.fixture(scope="module")
def inbox(spool: Path) -> Path:
    return spool / "default" / "1234" / "INBOX"


def test_the_message_lies_whole_in_its_place_and_nothing_else_is_left(spool: Path) -> None:
    files = {str(path.relative_to(spool)) for path in spool.rglob("*") if path.is_file()}
    assert files == {"default/1234/INBOX/msg0000.txt", "default/1234/INBOX/msg0000.wav"}


def test_the_text_is_asterisks_with_the_calls_time(inbox: Path) -> None:
    text = (inbox / "msg0000.txt").read_bytes()
    fields = fields_of(text)
    assert caller_of(fields["callerid"]).name == "Alice Example"
    assert fields["origtime"] == "1795403441"
    assert fields["msg_id"] == "1795403441-00000000"
    assert fields["origdate"] == "Mon Nov 23 03:10:41 AM UTC 2026"
    recorded = (RECORDED / "lost/o2-msg0000.txt").read_bytes()  # a call of 6 s at the same time, by Asterisk
    assert text == recorded.replace(b"duration=6", b"duration=5")


def test_the_watcher_finds_it_whole(inbox: Path, spool: Path) -> None:
    facts = Voicemail(path=spool).read({"text": inbox / "msg0000.txt", "audio": inbox / "msg0000.wav"}, timedelta(0))
    assert facts["seconds"] == 5


def test_the_tune_is_soft_telephone_sound_quiet_at_both_ends(inbox: Path) -> None:
    with wave.open(str(inbox / "msg0000.wav")) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
        assert sound.getnframes() == len(melody.tune())
    tune = melody.tune().astype(float) / 32768
    assert np.abs(tune).max() < 0.3  # what levelling is for
    assert np.abs(tune[:4000]).max() < 0.01
    assert np.abs(tune[-400:]).max() < 0.02
    assert -35 < loudness(inbox / "msg0000.wav") < -22


def test_a_second_call_gets_the_next_number(tmp_path: Path) -> None:
    for minute in range(2):
        leave_message(tmp_path, started=STARTED + timedelta(minutes=minute), pace=1000)
    texts = sorted(path.name for path in (tmp_path / "default/1234/INBOX").glob("*.txt"))
    assert texts == ["msg0000.txt", "msg0001.txt"]


def test_while_the_caller_speaks_the_text_is_empty_and_the_sound_grows_in_asterisks_pieces(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as players:
        playing = players.submit(leave_message, tmp_path, started=STARTED, pace=3)
        texts, sounds = set(), set()
        while not playing.done():
            for path in (tmp_path / "default/1234/tmp").glob("*"):
                with suppress(FileNotFoundError):  # renamed meanwhile
                    (sounds if path.suffix else texts).add(path.stat().st_size)
            time.sleep(0.01)
    whole = 44 + 2 * len(melody.tune())
    assert 0 in texts
    assert texts <= {0, (tmp_path / "default/1234/INBOX/msg0000.txt").stat().st_size}
    assert {32812, 65580} <= sounds <= {0, 44, 32812, 65580, whole}


def test_it_takes_as_long_as_the_tune_plays(tmp_path: Path) -> None:
    begun = time.monotonic()
    leave_message(tmp_path, started=STARTED, pace=4)
    assert time.monotonic() - begun >= len(melody.tune()) / melody.RATE / 4 - 0.01


# --- the order --------------------------------------------------------------------------------------------------------

LINUX = [pytest.param(None, id="linux")] if sys.platform == "linux" else []
Step = tuple[str, str]


@pytest.mark.parametrize("_system", LINUX)
def test_the_order_is_that_of_a_recorded_asterisk(tmp_path: Path, _system: None) -> None:
    """But for the formats that it doesn't write."""
    assert _played(tmp_path) == [*_recorded()]


def _recorded() -> Iterator[Step]:
    """What Asterisk did for its first message."""
    placed = False
    for step in json.loads((RECORDED / "replay.json").read_text())["steps"]:
        path = step.get("to", step["path"])
        if step["op"] in ("create", "close", "rename", "unlink") and not path.endswith((".gsm", ".WAV")):
            yield step["op"], _plain(path)
        placed = placed or step["op"] == "rename"
        if placed and step["op"] == "unlink":  # the lock
            return


def _plain(path: str) -> str:
    """Without what is different each time."""
    return re.sub(r"(?<=tmp/)[^./]+|(?<=\.lock-)\w+", "…", path)


def _played(spool: Path) -> list[Step]:
    import pyinotify

    seen: list[Step] = []
    words = {"IN_CREATE": "create", "IN_CLOSE_WRITE": "close", "IN_MOVED_TO": "rename", "IN_DELETE": "unlink"}

    def note(event: pyinotify.Event) -> None:
        seen.append((words[event.maskname], _plain(str(Path(event.pathname).relative_to(spool)))))

    manager = pyinotify.WatchManager()
    notifier = pyinotify.Notifier(manager, note, timeout=100)
    try:
        for folder in ("tmp", "INBOX"):
            path = spool / "default/1234" / folder
            path.mkdir(parents=True)
            manager.add_watch(str(path), sum(getattr(pyinotify, name) for name in words))
        leave_message(spool, started=STARTED, pace=1000)
        while notifier.check_events():
            notifier.read_events()
            notifier.process_events()
    finally:
        notifier.stop()
    return seen
