"""Hostile files, made from good ones: as a fuzzer that knows each format does it, and the same for the same number.

Half of them are changed without knowing the format (bits, numbers, ends, pieces doubled or left out), half in its own
terms: lengths that lie, pictures of four billion points, a sound of one sample a second, entities of entities.
"""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from collections.abc import Callable, Iterable
from functools import cache

from tests.system.agent import DATA
from tests.unit.core_dumps import Written
from tests.unit.metadata_samples import chunk, encoded, jpeg, picture, png, segment

__all__ = ["FORMATS", "good", "hostile"]

FORMATS = ("JPEG", "PNG", "WAV", "GSM", "XML", "ELF")

Chance = random.Random
_Change = Callable[[bytearray, Chance], bytes | bytearray]
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 2**63 - 1, 2**64 - 1)


@cache
def good(kind: str) -> tuple[bytes, ...]:
    """Whole files of a format; the first one is what the next good file is."""
    return tuple(_GOOD[kind]())


def hostile(kind: str, number: int) -> bytes:
    """One input. Small, but for a few that have to be large to be what they are."""
    chance = random.Random(f"{kind} {number}")
    data = bytearray(chance.choice(good(kind)))
    if chance.random() < 0.5:
        for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
            data = bytearray(chance.choice(_BLIND)(data, chance))
    else:
        data = bytearray(chance.choice(_KNOWING[kind])(data, chance))
        if chance.random() < 0.2:
            data = bytearray(chance.choice(_BLIND)(data, chance))
    return bytes(data)


def _jpegs() -> Iterable[bytes]:
    yield (DATA / "motion/ftp/tree/Reolink/2026/11/23/Front_01_20261123032900.jpg").read_bytes()
    yield jpeg(6)
    yield encoded(".jpg", picture(64, 64), 2, 1)  # IMWRITE_JPEG_PROGRESSIVE
    yield encoded(".jpg", picture(64, 64), 4, 4)  # with restart markers


def _pngs() -> Iterable[bytes]:
    yield encoded(".png", picture(320, 240))
    yield png(6)
    yield encoded(".png", picture(64, 64)[:, :, 0])


def _sounds(ending: str) -> Callable[[], Iterable[bytes]]:
    return lambda: (path.read_bytes() for path in (DATA / "sound").glob(f"*.{ending}"))


def _waves() -> Iterable[bytes]:
    yield from _sounds("wav")()
    yield from _sounds("WAV")()


def _reports() -> Iterable[bytes]:
    tree = DATA / "artifacts/run/tree"
    for name in ("pytest/junit.xml", "node/junit.xml", "ctest/ctest.xml", "playwright.xml"):
        yield (tree / name).read_bytes()


def _cores() -> Iterable[bytes]:
    yield gzip.decompress((DATA / "artifacts/run/tree/cores/segv/core.gz").read_bytes())
    for bits, order in ((64, "<"), (32, "<"), (64, ">"), (32, ">")):
        yield Written(bits=bits, order=order, tids=(4711, 4712)).data()


_GOOD: dict[str, Callable[[], Iterable[bytes]]] = {
    "JPEG": _jpegs,
    "PNG": _pngs,
    "WAV": _waves,
    "GSM": _sounds("gsm"),
    "XML": _reports,
    "ELF": _cores,
}


# --- without knowing the format ---------------------------------------------------------------------------------------


def _place(data: bytearray, chance: Chance) -> int:
    """Headers are hit as often as all the rest."""
    return chance.randrange(max(1, len(data) if chance.random() < 0.5 else min(len(data), 512)))


def _bits(data: bytearray, chance: Chance) -> bytearray:
    for _ in range(chance.randint(1, 20)):
        if data:
            data[_place(data, chance)] ^= 1 << chance.randrange(8)
    return data


def _number(data: bytearray, chance: Chance) -> bytearray:
    size, at = chance.choice((1, 2, 4, 8)), _place(data, chance)
    value = chance.choice((*_NUMBERS, len(data), len(data) - 1, len(data) + 1)) & (1 << 8 * size) - 1
    data[at : at + size] = value.to_bytes(size, chance.choice(("little", "big")))
    return data


def _cut(data: bytearray, chance: Chance) -> bytearray:
    return data[: _place(data, chance)]


def _hole(data: bytearray, chance: Chance) -> bytearray:
    at, size = _place(data, chance), chance.choice((1, 16, 512, 4096))
    data[at : at + size] = bytes([chance.choice((0, 0xFF))]) * len(data[at : at + size])
    return data


def _left_out(data: bytearray, chance: Chance) -> bytearray:
    at = _place(data, chance)
    del data[at : at + chance.choice((1, 2, 33, 512))]
    return data


def _doubled(data: bytearray, chance: Chance) -> bytearray:
    at, size, times = _place(data, chance), chance.choice((1, 4, 65, 1024)), chance.choice((1, 2, 100))
    data[at:at] = data[at : at + size] * times
    return data


def _moved(data: bytearray, chance: Chance) -> bytearray:
    source, target, size = _place(data, chance), _place(data, chance), chance.choice((4, 64, 1024))
    data[target : target + size] = data[source : source + size]
    return data


def _longer(data: bytearray, chance: Chance) -> bytearray:
    return data + chance.randbytes(chance.choice((1, 100, 10_000))) + (data if chance.random() < 0.3 else b"")


_BLIND = (_bits, _bits, _number, _number, _cut, _hole, _left_out, _doubled, _moved, _longer)


# --- JPEG -------------------------------------------------------------------------------------------------------------


def _sizes(data: bytearray, chance: Chance) -> bytearray:
    """Another height and width, parts and sampling in its frame header."""
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[at + 5 : at + 9] = struct.pack(">HH", *(chance.choice((0, 1, 9999, 30_000, 65_535)) for _ in "hw"))
    if chance.random() < 0.5:
        data[at + 9 + 3 * chance.randrange(4)] = chance.choice((0, 1, 2, 4, 0x44, 0xFF))
    return data


def _segments(data: bytearray, chance: Chance) -> bytes:
    """Many of them, of any kind, long or lying about it."""
    kind = chance.choice((*range(0xE0, 0xF0), 0xFE, 0xDB, 0xC4, 0xDD, 0xC0, 0xDA, 0xCC))
    body = chance.choice((b"", b"Exif\0\0", b"ICC_PROFILE\0\1\2", b"JFIF\0", b"Adobe\0")) + chance.randbytes(30)
    made = segment(kind, body)
    if chance.random() < 0.5:
        made = made[:2] + struct.pack(">H", chance.choice((0, 1, 2, 65_535))) + made[4:]
    return bytes(data[:2]) + made * chance.choice((1, 10, 20_000)) + bytes(data[2:])


def _scans(data: bytearray, chance: Chance) -> bytes:
    """Scan after scan of a large progressive picture: each makes the decoder go through all of it."""
    data = bytearray(good("JPEG")[2])
    frame, scan = data.find(b"\xff\xc2"), data.find(b"\xff\xda")
    data[frame + 5 : frame + 9] = struct.pack(">HH", *[chance.choice((64, 4000, 9000))] * 2)
    return bytes(data[:scan]) + bytes(data[scan:-2]) * chance.choice((2, 50, 1000)) + b"\xff\xd9"


def _exif(data: bytearray, chance: Chance) -> bytes:
    """Directories that refer to themselves, count billions of values, or lie outside."""
    order = chance.choice("<>")
    entries = b"".join(
        struct.pack(
            f"{order}HHII",
            chance.choice((0x112, 0x8769, 0x8825, 0x9003, 0x927C, 0x201)),
            chance.randrange(14),
            chance.choice(_NUMBERS[:11]),
            chance.choice((8, 0, 26, 0xFFFF_FFFF, chance.randrange(200))),
        )
        for _ in range(chance.choice((1, 5, 500)))
    )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
        f"{order}IH", 8, chance.choice((len(entries) // 12, 65_535))
    )
    body = head + entries + struct.pack(f"{order}I", chance.choice((8, 0, 0xFFFF_FFFF)))
    return bytes(data[:2]) + segment(0xE1, b"Exif\0\0" + body) + bytes(data[2:])


# --- PNG --------------------------------------------------------------------------------------------------------------


def _pieces_of_png(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append((bytes(data[at + 4 : at + 8]), bytes(data[at + 8 : at + 8 + size])))
        at += 12 + size
    return found


def _png(pieces: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, body) for name, body in pieces)


def _header(data: bytearray, chance: Chance) -> bytes:
    """Another size, depth, colour type, way of interlacing; with right checksums."""
    (_, head), *rest = _pieces_of_png(data)
    sizes = [chance.choice((0, 1, 320, 30_000, 2**31 - 1, 2**32 - 1)) for _ in "wh"]
    kind = bytes(
        [chance.choice((1, 2, 4, 8, 16, 3)), chance.choice((0, 2, 3, 4, 6, 7)), 0, 0, chance.choice((0, 1, 2))]
    )
    return _png([(b"IHDR", struct.pack(">II", *sizes) + (kind if chance.random() < 0.7 else head[8:])), *rest])


def _body(data: bytearray, chance: Chance) -> bytes:
    """One piece changed, and its checksum right again: what would be refused by that reaches the decoder."""
    pieces = _pieces_of_png(data)
    at = chance.randrange(len(pieces))
    body = bytearray(pieces[at][1])
    for _ in range(chance.choice((1, 5))):
        body = bytearray(chance.choice(_BLIND)(body, chance))
    pieces[at] = (pieces[at][0], bytes(body))
    return _png(pieces)


def _packed(data: bytearray, chance: Chance) -> bytes:
    """What unpacks to a thousand times as much: pixels, a profile, texts."""
    head, *rest = _pieces_of_png(data)
    zeros = _zeros(chance.choice((1_000_000, 50_000_000)))
    name = chance.choice((b"IDAT", b"iCCP", b"zTXt", b"iTXt", b"eXIf"))
    if name == b"IDAT":
        side = chance.choice((1000, 9999, 12_000))
        return _png([(b"IHDR", struct.pack(">II", side, side) + b"\x08\0\0\0\0"), (name, zeros), (b"IEND", b"")])
    before = {b"iTXt": b"a\0\1\0\0\0"}.get(name, b"a\0\0")
    return _png([head, *[(name, before + zeros)] * chance.choice((1, 20)), *rest])


@cache
def _zeros(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def _more_pieces(data: bytearray, chance: Chance) -> bytes:
    """Thousands of pieces, of any name; frames of an animation; all of them twice."""
    head, *rest = _pieces_of_png(data)
    name = chance.choice(
        (b"PLTE", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"IHDR", b"IEND", b"IDAT", b"tEXt", b"sPLT", b"abCd")
    )
    size, times = chance.choice(((0, 30_000), (4, 30_000), (26, 5000), (768, 100), (768, 1)))
    return _png([head, *[(name, chance.randbytes(size))] * times, *rest])


# --- WAV, GSM ---------------------------------------------------------------------------------------------------------

_CODECS = (0, 1, 2, 3, 6, 7, 0x11, 0x31, 0x50, 0x55, 0x61, 0x160, 0x161, 0x2000, 0xF1AC, 0xFFFE, 0xFFFF)


def _form(data: bytearray, chance: Chance) -> bytearray:
    """Another codec, rate, number of channels, size of a sample; some of them fit together."""
    at = data.find(b"fmt ") + 8
    codec, channels = chance.choice(_CODECS), chance.choice((0, 1, 2, 255, 65_535))
    rate, bits = chance.choice((0, 1, 8, 8000, 2**31 - 1, 2**32 - 1)), chance.choice((0, 1, 8, 16, 24, 64, 65_535))
    data[at : at + 16] = struct.pack(
        "<HHIIHH", codec, channels, rate, chance.choice((0, 1, rate)), chance.choice((0, 1, 2, 65, 65_535)), bits
    )
    if chance.random() < 0.3:  # the same sound, but a sample a second: of a minute it makes a day
        data[at : at + 16] = struct.pack("<HHIIHH", 1, 1, chance.choice((1, 2, 10)), 2, 2, 16)
    return data


def _chunks(data: bytearray, chance: Chance) -> bytes:
    """Chunks that lie about their length, lists in lists, thousands of them."""
    body = chance.randbytes(chance.choice((0, 4, 16)))
    name = chance.choice((b"LIST", b"data", b"fmt ", b"fact", b"ds64", b"bext", b"id3 ", b"cue ", b"RIFF", b"\0\0\0\0"))
    size = chance.choice((len(body), 0, 1, 2**31 - 1, 2**32 - 1, 2**32 - 8))
    made = (name + struct.pack("<I", size) + body) * chance.choice((1, 3, 30_000))
    whole = bytes(data[:12]) + made + bytes(data[12:]) if chance.random() < 0.6 else bytes(data) + made
    return chance.choice((b"RIFF", b"RIFF", b"RF64", b"RIFX")) + struct.pack("<I", len(whole) - 8) + whole[8:]


def _told(data: bytearray, chance: Chance) -> bytearray:
    at = data.find(b"data")
    data[at + 4 : at + 8] = struct.pack("<I", chance.choice((0, 1, 3, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)))
    return data


def _frames(data: bytearray, chance: Chance) -> bytes:
    """GSM frames by chance, with their sign or without."""
    sign = chance.choice((0xD0, 0xD0, 0xC0, 0))
    made = b"".join(
        bytes([sign | chance.randrange(16)]) + chance.randbytes(32) for _ in range(chance.choice((1, 50, 600)))
    )
    return made if chance.random() < 0.5 else bytes(data) + made


def _shifted(data: bytearray, chance: Chance) -> bytes:
    return bytes(data[chance.randrange(1, 33) :])


# --- XML --------------------------------------------------------------------------------------------------------------

_SUITE = (
    b'<testsuite name="a"><testcase classname="c" name="n"><failure message="m">%s</failure></testcase></testsuite>'
)


def _entities(data: bytearray, chance: Chance) -> bytes:
    """Entities of entities, of other files, of addresses; some within, some without a report."""
    lol = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
    declared = chance.choice(
        (
            b'<!ENTITY a0 "ha">' + lol,
            b'<!ENTITY a11 "' + b"A" * 100_000 + b'">',
            b'<!ENTITY a11 SYSTEM "file:///etc/passwd">',
            b'<!ENTITY a11 SYSTEM "http://127.0.0.1:1/">',
            b'<!ENTITY % a SYSTEM "file:///etc/passwd"> %a; <!ENTITY a11 "b">',
        )
    )
    used = b"&a11;" * chance.choice((0, 1, 10_000))
    return b"<!DOCTYPE testsuite [" + declared + b"]>" + _SUITE % used


def _deep(data: bytearray, chance: Chance) -> bytes:
    name = chance.choice((b"testsuite", b"testcase", b"properties", b"failure", b"a"))
    many = chance.choice((99, 101, 10_000, 100_000))
    return b"<testsuites>" + b"<%s>" % name * many + (b"</%s>" % name * many if chance.random() < 0.5 else b"")


def _long(data: bytearray, chance: Chance) -> bytes:
    """Names, attributes, texts and comments of a megabyte; thousands of different ones; text in crumbs."""
    long = b"a" * chance.choice((1000, 1000, 1_000_000, 1_000_000, 1_000_000, 9_000_000))
    crumbs = b"&#65;<!-- -->" * chance.choice((100, 50_000))
    many = b" ".join(b'a%d="1"' % number for number in range(chance.choice((10, 20_000))))
    return chance.choice(
        (
            b"<testsuite><testcase " + many + b"/></testsuite>",
            b"<testsuite><" + long + b"/></testsuite>",
            b'<testsuite name="' + long + b'"/>',
            b"<testsuite><!-- " + long,
            b"<?" + long,
            _SUITE % long,
            _SUITE % crumbs,
            b"<testsuite>" + b"".join(b"<a%d/>" % number for number in range(2000)),
            b"<testsuites>" + _SUITE % b"<![CDATA[ \x1b[31m \x00 ]]>" * 2000 + b"</testsuites>",
            b'<testsuite xmlns:a="b" a:tests="1e999" time="NaN" tests="-1" failures="' + b"9" * 5000 + b'"/>',
        )
    )


def _written_otherwise(data: bytearray, chance: Chance) -> bytes:
    """Declared as what it isn't."""
    encoding = chance.choice((b"utf-16", b"utf-7", b"utf-32", b"idna", b"zlib", b"rot13", b"cp037", b"", b"a" * 9999))
    text = bytes(data).partition(b"?>")[2] or bytes(data)
    if chance.random() < 0.3:
        text = text.decode("utf-8", "replace").encode("utf-16")
    return b'<?xml version="1.0" encoding="' + encoding + b'"?>' + text


# --- ELF --------------------------------------------------------------------------------------------------------------


def _core(**changes: object) -> bytes:
    return Written(**changes).data()  # type: ignore[arg-type]


def _notes(data: bytearray, chance: Chance) -> bytes:
    """Notes with lying lengths, thousands of them, of any type."""
    base = Written()
    kinds = (1, 3, 6, 0x5349_4749, 0x4649_4C45, 0x202, 0xFFFF_FFFF)
    note = base.note(chance.choice(kinds), chance.randbytes(chance.choice((0, 4, 128, 336))))
    if chance.random() < 0.6:
        note = (
            struct.pack("<III", *(chance.choice((0, 5, 2**31 - 1, 2**32 - 1)) for _ in "ab"), chance.choice(kinds))
            + note[12:]
        )
    return _core(extra_notes=note * chance.choice((1, 10, 20_000)))


def _mapped(data: bytearray, chance: Chance) -> bytes:
    """Mapped files without end, over each other, with names of other places."""
    names = (
        b"/opt/pear",
        b"/proc/self/mem",
        b"/dev/zero",
        b"/etc/passwd",
        b"../" * 400,
        b"\xff\xfe\n",
        b"",
        b"a" * 100_000,
    )
    ends = (0, 0x400000, 0x402000, 2**63, 2**64 - 1)
    mapping = tuple(
        (chance.choice(ends), chance.choice(ends), chance.choice((0, 2**64 - 1)), chance.choice(names[:-1]))
        for _ in range(chance.choice((1, 10, 5000)))
    )
    return _core(mappings=mapping, pc=chance.choice((0, 2**64 - 1, 0x401234)), secure=chance.choice((0, 1)))


def _threads(data: bytearray, chance: Chance) -> bytes:
    tids = tuple(range(chance.choice((1, 100, 5000))))
    return _core(
        tids=tids, signal=chance.choice((0, 11, 64, 999, 65_535)), code=-1, registers=chance.choice((0, 1, 27))
    )


def _elf_header(data: bytearray, chance: Chance) -> bytearray:
    """Offsets, sizes and counts of its tables; its class and byte order."""
    at, size = chance.choice(((4, 1), (5, 1), (16, 2), (18, 2), (32, 8), (40, 8), (54, 2), (56, 2), (58, 2), (60, 2)))
    value = chance.choice((*_NUMBERS, 64, len(data), 0xFFFF)) & (1 << 8 * size) - 1
    data[at : at + size] = value.to_bytes(size, "little")
    return data


def _segment_table(data: bytearray, chance: Chance) -> bytearray:
    """The first program headers (of 64 bits): type, offset, address, sizes."""
    entry = 64 + 56 * chance.randrange(3)
    at = entry + chance.choice((0, 8, 16, 32, 40, 48))
    data[at : at + 8] = chance.choice((*_NUMBERS, len(data), 64)).to_bytes(8, "little")
    return data


_KNOWING: dict[str, tuple[_Change, ...]] = {
    "JPEG": (_sizes, _segments, _exif, _scans),
    "PNG": (_header, _body, _body, _packed, _more_pieces),
    "WAV": (_form, _form, _chunks, _told),
    "GSM": (_frames, _shifted, _longer, _doubled),
    "XML": (_entities, _deep, _long, _written_otherwise),
    "ELF": (_notes, _mapped, _threads, _elf_header, _segment_table),
}
