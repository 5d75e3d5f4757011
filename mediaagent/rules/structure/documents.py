"""Proofs for programs' files: ELF (core dumps too), XML, PDF, ZIP."""

from __future__ import annotations

import re
from typing import Literal

from mediaagent.rules.structure.content import STILL, Content

__all__ = ["elf", "pdf", "root_of", "xml", "zip_archive"]

_PARSED = 8 << 20  # bytes of XML that are parsed; of more only the ends are looked at
_NAME = re.compile(rb"<([A-Za-z_:][\w:.\-\x80-\xff]*)")
_MOST_SEGMENTS = 1 << 20  # a core has one for each mapping; Linux lets a process have 65,530 unless told otherwise
#: Possessive (`*+`): a stranger's blanks must not be tried in every way to share them out.
_NOT_YET = re.compile(rb"(?:\s|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*+(?:\[.*?\]\s*+)?>)*", re.DOTALL)
_ALONE = re.compile(rb"<[^<>]*/>")
_AFTER = ((b"-->", b"<!--"), (b"?>", b"<?"))  # what may stand behind the root: its end, its beginning


def elf(file: Content) -> str:
    """Segments and the table of sections lie inside the file (System V ABI, chapters 4 and 5)."""
    wide, order = file.at(4, 1) == b"\2", "little" if file.at(5, 1) == b"\1" else "big"
    missing = f"the ELF file ends before its segments do: {file.size} bytes, {STILL}"
    if file.size < (64 if wide else 52):
        return missing
    at, word = ((32, 40, 54), 8) if wide else ((28, 32, 42), 4)
    segments, sections = file.number(at[0], word, order), file.number(at[1], word, order)
    segment_size, count, section_size, section_count = (file.number(at[2] + 2 * i, 2, order) for i in range(4))
    if sections and sections + section_size * max(section_count, 1) > file.size:
        return missing
    if count == 0xFFFF and sections:  # PN_XNUM: the true number stands in section 0
        count = file.number(sections + (44 if wide else 28), 4, order)
    if count < 0:
        return missing
    if count and segment_size != (56 if wide else 32):
        return "the ELF file is damaged: its segments have an unknown size"
    if count > _MOST_SEGMENTS:
        return f"the ELF file is damaged: more than {_MOST_SEGMENTS} segments"
    table = file.at(segments, segment_size * count) if count else b""
    if len(table) < segment_size * count:
        return missing
    ends = _segment_ends(table, wide, "little" if order == "little" else "big")
    return missing if max(ends, default=0) > file.size else ""


def _segment_ends(table: bytes, wide: bool, order: Literal["little", "big"]) -> list[int]:
    step, start, length, word = (56, 8, 32, 8) if wide else (32, 4, 16, 4)
    return [
        int.from_bytes(table[i + start : i + start + word], order)
        + int.from_bytes(table[i + length : i + length + word], order)
        for i in range(0, len(table), step)
    ]


def root_of(head: bytes) -> bytes:
    """The name of an XML document's root element, from its first bytes; b"" when it isn't there yet."""
    match = _NAME.match(head, _start_of_root(head))
    return match[1] if match else b""


def _start_of_root(head: bytes) -> int:
    mark = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    start = _NOT_YET.match(head, mark)
    return start.end() if start else mark


def xml(file: Content) -> str:
    """It parses (up to 8 MB); above that, or in an encoding that the parser does not know (Shift_JIS and others with
    characters of several bytes), the root's closing tag is at the end: an inner element of the same name passes then.
    """
    root = root_of(file.at(0, 65_536))
    if not root:
        return f"the XML has no root element yet: {file.size} bytes, {STILL}"
    if file.size > _PARSED:
        return _xml_end(file, root)
    from xml.parsers import expat

    parser = expat.ParserCreate()
    try:
        for offset in range(0, file.size, 65_536):
            parser.Parse(file.at(offset, 65_536), False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        return f"the XML does not parse ({error}): damaged, {STILL}"
    except (ValueError, LookupError):  # how pyexpat tells of an encoding that it can't read
        return _xml_end(file, root)
    return ""


def _xml_end(file: Content, root: bytes) -> str:
    body = _without_trailer(file.tail(65_536))
    head = file.at(0, 65_536)
    alone = _ALONE.match(head, _start_of_root(head))  # <root/>
    closed = re.search(rb"</" + re.escape(root) + rb"\s*+>\Z", body[-1024:]) or (alone and body == head[: alone.end()])
    return "" if closed else f"the XML's root element is not closed: {file.size} bytes, {STILL}"


def _without_trailer(tail: bytes) -> bytes:
    """Without the blanks, comments and instructions that may follow the root."""
    while True:
        tail = tail.rstrip(b" \t\r\n\0")
        start = next((tail.rfind(begin) for end, begin in _AFTER if tail.endswith(end)), -1)
        if start < 0:
            return tail
        tail = tail[:start]


def pdf(file: Content) -> str:
    """The end-of-file marker in the last 1024 bytes (ISO 32000-1, 7.5.5). An update cut off whole is not noticed."""
    return "" if b"%%EOF" in file.tail(1024) else f"the PDF has no end marker: {file.size} bytes, {STILL}"


def zip_archive(file: Content) -> str:
    """The directory at the end, and its record, fit together (PKWARE's APPNOTE, 4.3.16)."""
    tail = file.tail(65_557)
    at = tail.rfind(b"PK\5\6")
    record = tail[at : at + 22] if at >= 0 else b""
    if len(record) < 22:
        return f"the ZIP has no directory: {file.size} bytes, {STILL}"
    wide = record[16:20] == b"\xff\xff\xff\xff"  # ZIP64 keeps the true number elsewhere
    listed = int.from_bytes(record[12:16], "little") + int.from_bytes(record[16:20], "little")
    comment = int.from_bytes(record[20:22], "little")
    end = file.size - len(tail) + at
    whole = end + 22 + comment <= file.size and (wide or listed <= end)
    return "" if whole else f"the ZIP's directory is not whole: {file.size} bytes, {STILL}"
