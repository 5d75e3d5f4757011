"""A spool in a storm: messages come and go while the folder is renumbered without a pause, as Asterisk does it."""

from __future__ import annotations

import io
import os
import random
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path

FORMATS = ("gsm", "wav", "WAV")  # in the order in which Asterisk renames them; the text comes last
_TEXT = """;
; Message Information file
;
[message]
origmailbox=1234
context=leave
callerid="Caller {number}" <555{number:04}>
origtime={origtime}
category=
msg_id={message}
flag=
duration={duration}
"""


@dataclass
class Storm:
    """One mailbox's INBOX; every message has a sound of its own, and most have the same duration."""

    spool: Path
    stays: float  # seconds before a message may be deleted
    messages: dict[int, float] = field(default_factory=dict)  # slot -> when it came
    made: int = 0
    passes: int = 0

    def __post_init__(self) -> None:
        self.inbox = self.spool / "default" / "1234" / "INBOX"
        self.tmp = self.inbox.with_name("tmp")
        self.inbox.mkdir(parents=True)
        self.tmp.mkdir()

    def rage(self, count: int, every: float) -> None:
        """So many new messages, and passes of renumbering all the time, until the last of them could be deleted."""
        began = time.monotonic()
        while self.made < count or self.messages:
            if self.made < count and time.monotonic() - began >= self.made * every:
                self._arrive()
            elif self.messages:
                self._visit()

    def _arrive(self) -> None:
        number, stem = self.made, self.tmp / f"X{self.made:05}"
        duration = 1 if number % 4 else 2
        stem.with_suffix(".wav").write_bytes(sound_of(number, duration))
        for ending in ("gsm", "WAV"):
            stem.with_suffix(f".{ending}").write_bytes(b"\xd0" * 33)
        stem.write_text(
            _TEXT.format(number=number, origtime=1795403441 + number, message=name_of(number), duration=duration)
        )
        slot = len(self.messages)
        for ending in FORMATS:
            stem.with_suffix(f".{ending}").rename(self.inbox / f"msg{slot:04}.{ending}")
        stem.rename(self.inbox / f"msg{slot:04}.txt")
        self.messages[slot] = time.monotonic()
        self.made += 1

    def _visit(self) -> None:
        """The lowest message is deleted when it has been there for long enough, else moved behind the others."""
        came = self.messages.pop(0)
        if time.monotonic() - came >= self.stays:
            for ending in ("txt", *FORMATS):
                (self.inbox / f"msg0000.{ending}").unlink()
        else:
            behind = len(self.messages) + 1
            self._rename(0, behind)
            self.messages[behind] = came
        for place, slot in enumerate(sorted(self.messages)):
            self._rename(slot, place)
            self.messages[place] = self.messages.pop(slot)
        self.passes += 1

    def _rename(self, slot: int, to: int) -> None:
        if slot != to:
            for ending in (*FORMATS, "txt"):
                os.rename(self.inbox / f"msg{slot:04}.{ending}", self.inbox / f"msg{to:04}.{ending}")


def name_of(number: int) -> str:
    """The msg_id of a message."""
    return f"{1795403441 + number}-{number:08x}"


def sound_of(number: int, duration: int) -> bytes:
    """A message's own noise."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(random.Random(number).randbytes(16000 * duration + 1600))
    return file.getvalue()
