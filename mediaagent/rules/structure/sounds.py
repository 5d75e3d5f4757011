"""Proofs for sounds and for RIFF, the container that WAV shares with AVI and WebP."""

from __future__ import annotations

from mediaagent.rules.structure.content import STILL, Content

__all__ = ["flac", "gsm", "mp3", "ogg", "riff"]

_OGG_PAGE = 65_307  # bytes of the longest page, RFC 3533
_GSM_FRAME = 33
_MANY = 65_536  # chunks or blocks that are followed one by one


def riff(file: Content) -> str:
    """The lengths in the headers agree with the size: of each RIFF (long AVIs have several), and of its last chunk.

    A recorder writes its header first, with lengths of nought, and fills them in at the end.
    """
    offset, pad = 0, 0
    for _ in range(_MANY):
        if offset >= file.size:
            break
        head = file.at(offset, 12)
        length = int.from_bytes(head[4:8], "little")
        if len(head) < 12 or length < 4 or (offset and head[:4] != b"RIFF"):
            return f"the header's length ({length}) is not that of the file ({file.size} bytes), {STILL}"
        pad = length & 1
        offset += 8 + length + pad
    if offset - pad <= file.size <= offset:  # the last pad byte is often forgotten
        return _riff_data(file)
    return f"the header tells {offset} bytes, the file has {file.size}: {STILL}"


def _riff_data(file: Content) -> str:
    if file.at(8, 4) != b"WAVE":
        return ""
    offset = 12
    for _ in range(_MANY):
        head = file.at(offset, 8)
        if len(head) < 8:
            break
        length = int.from_bytes(head[4:], "little")
        if offset + 8 + length > file.size:
            return f"the sound's data ends too early: {file.size} bytes, {STILL}"
        if head[:4] == b"data":
            return ""
        offset += 8 + length + (length & 1)
    return f"the sound has no data: {file.size} bytes, {STILL}"


def ogg(file: Content) -> str:
    """The last page ends where the file does and says that it is the last (RFC 3533, section 6)."""
    tail = file.tail(_OGG_PAGE)
    start = tail.rfind(b"OggS\0")
    page = tail[start:] if start >= 0 else b""
    if len(page) < 27 or len(page) < 27 + page[26]:
        return f"the Ogg ends in the middle of a page: {file.size} bytes, {STILL}"
    if len(page) != 27 + page[26] + sum(page[27 : 27 + page[26]]):
        return f"the Ogg's last page is not whole: {file.size} bytes, {STILL}"
    return "" if page[5] & 4 else f"the Ogg's last page is not there: {file.size} bytes, {STILL}"


def mp3(file: Content) -> str:
    """The tag at the front fits in, and the length in a Xing or Info header, where there is one; else nothing tells."""
    start = 0
    head = file.at(0, 10)
    if head[:3] == b"ID3":
        if len(head) < 10:
            return f"the MP3 ends in its tag: {file.size} bytes, {STILL}"
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    frame = file.at(start, 64)
    if len(frame) < 4:
        return f"the MP3 holds no sound yet: {file.size} bytes, {STILL}"
    for mark in (b"Xing", b"Info"):
        at = frame.find(mark)
        if at >= 0 and len(frame) >= at + 16 and frame[at + 7] & 2:
            skip = 12 if frame[at + 7] & 1 else 8
            wanted = start + int.from_bytes(frame[at + skip : at + skip + 4], "big")
            return "" if file.size >= wanted else f"the MP3 holds {file.size} of {wanted} bytes, {STILL}"
    return ""


def flac(file: Content) -> str:
    """The metadata blocks fit in and sound follows (RFC 9639, section 8). How much of it, nothing tells."""
    offset, last = 4, False
    for _ in range(_MANY):
        if last:
            break
        head = file.at(offset, 4)
        if len(head) < 4:
            return f"the FLAC ends in its header: {file.size} bytes, {STILL}"
        last = bool(head[0] & 0x80)
        offset += 4 + int.from_bytes(head[1:], "big")
    return (
        "" if last and file.at(offset, 2)[:1] == b"\xff" else f"the FLAC holds no sound yet: {file.size} bytes, {STILL}"
    )


def gsm(file: Content) -> str:
    """Whole frames of 33 bytes that begin with the sign 1101 (RFC 3551, section 4.5.8.1); looks at first and last."""
    if file.size % _GSM_FRAME:
        return f"the GSM sound ends in the middle of a frame: {file.size} bytes, {STILL}"
    signs = file.at(0, 1) + file.at(file.size - _GSM_FRAME, 1)
    return "" if all(sign >> 4 == 0xD for sign in signs) else "this is no GSM 06.10 sound"
