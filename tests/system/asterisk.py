"""An Asterisk that takes messages one by one, with its real order of files and renames (measured on 22.10)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.unit.sounds import sox

__all__ = ["FORMATS", "Asterisk", "recorded"]

FORMATS = ("gsm", "wav", "WAV")  # in the order in which Asterisk renames them; the text comes last
_TEXT = """;
; Message Information file
;
[message]
origmailbox=1234
context=leave
macrocontext=
exten=1234
rdnis=unknown
priority=1
callerchan=PJSIP/trunk-{number:08x}
callerid="{caller}" <+4312345{number:03}>
origdate=Mon Nov 23 03:10:41 AM UTC 2026
origtime={origtime}
category=
msg_id={origtime}-{number:08x}
flag=
duration={seconds}
"""


@dataclass
class Asterisk:
    """One mailbox; its messages are recorded below tmp and renamed under the mailbox's lock."""

    spool: Path
    made: int = 0

    def __post_init__(self) -> None:
        self.inbox = self.spool / "default" / "1234" / "INBOX"
        self.tmp = self.inbox.with_name("tmp")
        self.inbox.mkdir(parents=True)
        self.tmp.mkdir()

    def takes(self, sounds: Mapping[str, bytes], seconds: int, caller: str = "Alice Example") -> float:
        """One more message, with its sound by format. Returns when its text was renamed (epoch)."""
        recorded, slot = self.tmp / f"X{self.made:05}", self.inbox / f"msg{self.made:04}"
        recorded.touch()
        for ending in ("WAV", "gsm", "wav"):
            recorded.with_suffix(f".{ending}").write_bytes(sounds[ending])
        recorded.write_text(_TEXT.format(number=self.made, caller=caller, origtime=int(time.time()), seconds=seconds))
        lock = self.inbox / ".lock-3e22aa8e"
        lock.touch()
        os.link(lock, self.inbox / ".lock")
        lock.unlink()
        for ending in FORMATS:
            recorded.with_suffix(f".{ending}").rename(slot.with_suffix(f".{ending}"))
        recorded.rename(slot.with_suffix(".txt"))
        renamed = time.time()
        slot.with_suffix(".txt").chmod(0o666)
        (self.inbox / ".lock").unlink()
        self.made += 1
        return renamed


def recorded(sound: Path, *effects: object) -> dict[str, bytes]:
    """This sound in every format; the telephone's 8 kHz where a format can't have more."""
    forms = {"gsm": ["-r", 8000], "wav": ["-b", 16], "WAV": ["-r", 8000, "-t", "wav", "-e", "gsm-full-rate"]}
    sounds = {}
    for ending, form in forms.items():
        file = sound.with_name(f"{sound.stem}-recorded.{ending}")
        sox(sound, *form, file, *effects)
        sounds[ending] = file.read_bytes()
    return sounds
