"""Proofs for films and for what shares their containers: MP4 and its kin, Matroska."""

from __future__ import annotations

from mediaagent.rules.structure.content import STILL, Content

__all__ = ["heif", "matroska", "mp4"]

_MANY = 65_536


def mp4(file: Content) -> str:
    """Top-level boxes that add up to the size, with moov and media data among them (ISO/IEC 14496-12, section 4.2).

    A fragmented film that is cut exactly between two fragments passes: nothing in it tells how many there should be.
    """
    boxes = _boxes(file)
    if isinstance(boxes, str):
        return boxes
    if "moov" not in boxes:
        return f"the MP4 has no index (moov): {file.size} bytes, {STILL}"
    return "" if "mdat" in boxes else f"the MP4 has no media data (mdat): {file.size} bytes, {STILL}"


def heif(file: Content) -> str:
    """Like `mp4`, for still pictures (HEIC, AVIF), whose index is called meta (and moov, when there are many)."""
    boxes = _boxes(file)
    if isinstance(boxes, str):
        return boxes
    return (
        ""
        if "mdat" in boxes and boxes & {"meta", "moov"}
        else f"the picture has no index or no data: {file.size} bytes, {STILL}"
    )


def _boxes(file: Content) -> set[str] | str:
    offset, found = 0, set[str]()
    for _ in range(_MANY):
        if offset == file.size:
            return found
        head = file.at(offset, 16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8].decode("latin-1")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0 and len(head) >= 8:
            length = file.size - offset  # "to the end": a writer that never came back to fill it in has no moov either
        if len(head) < 8 or length < 8 or offset + length > file.size:
            return f"the MP4's boxes don't end where the file does: {file.size} bytes, {STILL}"
        found.add(kind)
        offset += length
    return f"the MP4 is damaged: more than {_MANY} boxes"


def matroska(file: Content) -> str:
    """The segment ends where the file ends (RFC 8794, RFC 9559).

    A length that was never filled in belongs to a film in the making, a killed recorder or a live stream: not whole.
    """
    offset, segment = 0, False
    for _ in range(_MANY):
        if offset >= file.size:
            break
        head = file.at(offset, 12)
        wide = _vint_width(head[:1])
        size_wide = _vint_width(head[wide : wide + 1])
        if not wide or not size_wide or len(head) < wide + size_wide:
            return f"the film is damaged or ends early: {file.size} bytes, {STILL}"
        bits = 7 * size_wide
        length = int.from_bytes(head[wide : wide + size_wide], "big") & ((1 << bits) - 1)
        if length == (1 << bits) - 1:
            return "the film's length was never filled in: still recorded, or its recorder was killed"
        segment = segment or head[:wide] == b"\x18\x53\x80\x67"
        offset += wide + size_wide + length
    if offset < file.size:
        return f"the film is damaged: more than {_MANY} elements"
    if offset > file.size:
        return f"the film holds {file.size} of {offset} bytes, {STILL}"
    return "" if segment else f"the film has a header only: {file.size} bytes, {STILL}"


def _vint_width(first: bytes) -> int:
    return 9 - first[0].bit_length() if first and first[0] else 0
