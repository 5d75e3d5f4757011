"""How long a recording is, told by its headers and lengths; nothing is decoded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["NoSound", "seconds_of"]

_PCM, _WAV49 = 1, 0x31  # format tags, RFC 2361
_WAV49_BLOCK, _WAV49_SAMPLES = 65, 320
_GSM_FRAME, _GSM_SECONDS, _GSM_MARK = 33, 0.02, 0xD0  # 20 ms a frame; each begins with these four bits (RFC 3551)
_CHUNK = _GSM_FRAME * 32768


class NoSound(ValueError):
    """It is no recording, or not a whole one; the message says why."""


def seconds_of(file: Path) -> float:
    """The length of a recording: RIFF/WAVE (PCM and the like, or GSM 6.10 as in WAV49) or raw GSM. Raises NoSound."""
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        head = stream.read(12)
        if head[:4] == b"RIFF":
            if head[8:] != b"WAVE":
                raise NoSound("it is a RIFF file, but no sound")
            return _of_riff(stream, size)
        stream.seek(0)
        return _of_gsm(stream, size)


def _of_riff(stream: BinaryIO, size: int) -> float:
    form = b""
    while len(head := stream.read(8)) == 8:
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"data":
            if stream.tell() + length > size:
                raise NoSound("its sound ends too early")
            return _of_data(form, length)
        if head[:4] == b"fmt ":
            form = stream.read(min(length, 40))
            stream.seek(length - len(form), os.SEEK_CUR)
        else:
            stream.seek(length, os.SEEK_CUR)
        stream.seek(length & 1, os.SEEK_CUR)
    raise NoSound("it holds no sound yet")


def _of_data(form: bytes, length: int) -> float:
    tag, rate, speed, block = (int.from_bytes(form[a:b], "little") for a, b in ((0, 2), (4, 8), (8, 12), (12, 14)))
    if tag == _WAV49 and block == _WAV49_BLOCK and rate:
        seconds = length / block * _WAV49_SAMPLES / rate
    elif tag == _PCM and block and rate:
        seconds = length / block / rate
    elif speed:
        seconds = length / speed
    else:
        raise NoSound("its header makes no sense")
    if not seconds:
        raise NoSound("it holds no sound yet")
    return seconds


def _of_gsm(stream: BinaryIO, size: int) -> float:
    if not size:
        raise NoSound("it holds no sound yet")
    if size % _GSM_FRAME:
        raise NoSound("it is no recording that we know, or it ends in the middle of a frame")
    while chunk := stream.read(_CHUNK):
        if any(first & 0xF0 != _GSM_MARK for first in chunk[::_GSM_FRAME]):
            raise NoSound("it is no recording that we know")
    return size / _GSM_FRAME * _GSM_SECONDS
