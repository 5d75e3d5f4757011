"""The demo's telephone system: a call becomes a message in a voicemail spool, file by file, in Asterisk's order.

The order, names and text are those of Asterisk 22 with `format = wav`. The text is there first, in `tmp`, and empty
until the end; beside it the sound grows while the caller speaks. When the caller hangs up both are made whole, and
under the folder's lock they are renamed into INBOX, the text last.
"""

from __future__ import annotations

import os
import secrets
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["leave_message"]

_MAILBOX = "default/1234"
_BUFFER = 32768  # Asterisk writes sound in pieces of this size, some two seconds
_TEXT = """\
;
; Message Information file
;
[message]
origmailbox=1234
context=leave
exten=1234
rdnis=unknown
priority=5
callerchan=Local/1234@leave-00000000;2
callerid="Alice Example" <+15550100>
origdate={date:%a %b %d %I:%M:%S %p} UTC {date:%Y}
origtime={time}
category=
msg_id={time}-00000000
flag=
duration={seconds}
"""


def leave_message(spool: Path, *, started: datetime, pace: float = 1.0) -> None:
    """Plays the call, which lasts 5.6 s; `pace` is how many times as fast. The text carries `started`, in seconds."""
    from . import melody  # numpy, which only the demo's own process needs

    sound = melody.tune().tobytes()
    mailbox = spool / _MAILBOX
    for folder in ("tmp", "INBOX"):
        (mailbox / folder).mkdir(parents=True, exist_ok=True)
    with _locked(mailbox / "INBOX"):
        pass  # it counts the messages
    descriptor, name = tempfile.mkstemp(prefix="", dir=mailbox / "tmp")
    os.fchmod(descriptor, 0o644)
    with os.fdopen(descriptor, "wb") as text:
        _record(Path(f"{name}.wav"), sound, melody.RATE, pace)
        seconds = len(sound) // (2 * melody.RATE)
        told = _TEXT.format(date=started.astimezone(UTC), time=int(started.timestamp()), seconds=seconds)
        text.write(told.encode())
    _file(mailbox, Path(name))


def _record(path: Path, sound: bytes, rate: int, pace: float) -> None:
    """The sound as it comes in; its header tells the length only at the end."""
    begun = time.monotonic()
    with path.open("wb", buffering=0) as file:
        file.write(_header(0, rate))
        for start in range(0, len(sound), _BUFFER):
            piece = sound[start : start + _BUFFER]
            spoken = (start + len(piece)) / (2 * rate)
            time.sleep(max(0.0, begun + spoken / pace - time.monotonic()))
            file.write(piece)
        file.seek(0)
        file.write(_header(len(sound), rate))


def _header(length: int, rate: int) -> bytes:
    """RIFF/WAVE: PCM of 16 bits in one channel (Multimedia Programming Interface 1.0, Microsoft and IBM 1991)."""
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    return struct.pack("<4sI4s4sI16s4sI", b"RIFF", 36 + length, b"WAVE", b"fmt ", 16, form, b"data", length)


def _file(mailbox: Path, recorded: Path) -> None:
    """The message gets its place, the text last: then everything is there."""
    inbox = mailbox / "INBOX"
    with _locked(inbox):
        number = len(list(inbox.glob("msg*.txt")))
        recorded.with_name(f"{recorded.name}.wav").rename(inbox / f"msg{number:04}.wav")
        recorded.rename(inbox / f"msg{number:04}.txt")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Asterisk's lock: a file of one's own, linked to the one name that all know."""
    own, lock = folder / f".lock-{secrets.token_hex(4)}", folder / ".lock"
    own.touch()
    lock.hardlink_to(own)
    own.unlink()
    yield
    lock.unlink()
