"""Whether a file is whole, and what it is: told by its content, cheaply.

A close is necessary, not sufficient: it also comes when a writer is killed or a transfer is cut. So the content has to
prove that it is whole, by markers and lengths. Decoding, the stronger proof, is the workbench's.

Formats that carry no end of their own can't prove it, and count as whole once they are quiet: plain text, gzip, zstd,
FLAC's sound, MPEG streams, MP3 without a Xing header, cameras' raw formats, whatever is unknown. Where a prefix of a
provable format can pass, the proof's docstring says so (below `mediaagent.rules.structure`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mediaagent.model import Verdict
from mediaagent.rules.structure import documents, movies, pictures, sounds
from mediaagent.rules.structure.content import STILL, Content, Proof

__all__ = ["examine", "media_type_of"]

_HEAD = 4096
#: brands of ISO/IEC 23008-12 and of AVIF; the last four letters of a container's first box say them
_STILLS = (
    dict.fromkeys((b"avif", b"avis", b"avio"), "image/avif")
    | dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic")
    | dict.fromkeys((b"mif1", b"mif2", b"msf1", b"miaf", b"MiHB", b"MiHE", b"jpeg", b"jpgs"), "image/heif")
)
_FILMS = re.compile(
    rb"qt  |iso[m2-9a-c]|mp4[12]|avc1|M4V |M4VH|M4VP|3g[pgrs2].|dash|f4v |mmp4|MSNV|XAVC|SDV ", re.DOTALL
)
_RIFFS = {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}
_WAV49 = b"\x31\x00"  # the format tag of GSM 6.10, RFC 2361

#: what a file begins with -> media type, proof
_BEGINNINGS: tuple[tuple[bytes, str, Proof | None], ...] = (
    (b"\xff\xd8\xff", "image/jpeg", pictures.jpeg),
    (b"\x89PNG\r\n\x1a\n", "image/png", pictures.png),
    (b"GIF87a", "image/gif", pictures.gif),
    (b"GIF89a", "image/gif", pictures.gif),
    (b"II*\0", "image/tiff", pictures.tiff),
    (b"MM\0*", "image/tiff", pictures.tiff),
    (b"P5\n", "image/x-portable-graymap", pictures.ppm),
    (b"P6\n", "image/x-portable-pixmap", pictures.ppm),
    (b"OggS", "audio/ogg", sounds.ogg),
    (b"ID3", "audio/mpeg", sounds.mp3),
    (b"fLaC", "audio/flac", sounds.flac),
    (b"\x7fELF", "application/x-elf", documents.elf),
    (b"%PDF-", "application/pdf", documents.pdf),
    (b"PK\3\4", "application/zip", documents.zip_archive),
    (b"PK\5\6", "application/zip", documents.zip_archive),
    (b"\x1f\x8b", "application/gzip", None),
    (b"\x28\xb5\x2f\xfd", "application/zstd", None),
    (b"\0\0\1\xba", "video/mpeg", None),
    (b"\0\0\1\xb3", "video/mpeg", None),
    # Pictures that mostly no decoder of ours reads. They are known all the same: they carry EXIF, and a picture that
    # can't be rid of it does not leave.
    (b"II+\0", "image/tiff", None),  # BigTIFF
    (b"MM\0+", "image/tiff", None),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2", None),
    (b"\xff\x4f\xff\x51", "image/j2c", None),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl", None),
    (b"\xff\x0a", "image/jxl", None),
    (b"FUJIFILMCCD-RAW", "image/x-fuji-raf", None),
    (b"IIU\0", "image/x-panasonic-rw2", None),
    (b"II\x1a\0\0\0HEAPCCDR", "image/x-canon-crw", None),
    (b"\0MRM", "image/x-minolta-mrw", None),
    (b"II\xbc\1", "image/jxr", None),
    (b"BPG\xfb", "image/bpg", None),
    (b"\x8bJNG\r\n\x1a\n", "image/x-jng", None),
    (b"\x8aMNG\r\n\x1a\n", "image/x-mng", None),
    (b"v/1\1", "image/x-exr", None),
)
#: The same, but a plain text can begin so, too.
_LETTERS = {
    b"IIRO": "image/x-olympus-orf",
    b"IIRS": "image/x-olympus-orf",
    b"MMOR": "image/x-olympus-orf",
    b"8BPS": "image/vnd.adobe.photoshop",
    b"FLIF": "image/flif",
    b"FOVb": "image/x-sigma-x3f",
    b"gimp": "image/x-xcf",
}
#: A JPEG with something in front of it: a stray byte of a transfer, a header of its camera's own.
_NEARLY_JPEG = re.compile(rb"\xff\xd8\xff[\xdb\xe0-\xef\xfe]")
_NEARLY = 64
#: Control characters but for tab, line feed, form feed, carriage return and escape.
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def examine(size: int, read: Callable[[int, int], bytes], name: str) -> Verdict:
    """Whether the file is whole, and its media type. `read(offset, length)` is the only look into it; any error it
    raises goes through. `name` decides only where the content can't: raw GSM has no header, text has many names.

    >>> examine(0, lambda offset, length: b"", "a.jpg").reason
    'the file is empty'
    >>> examine(6, lambda offset, length: b"hello\\n"[offset : offset + length], "a.txt")
    Verdict(whole=True, media_type='text/plain', reason='')
    """
    if size == 0:
        return Verdict(False, _by_name(name), "the file is empty")
    file = Content(size, read, name)
    head = file.at(0, _HEAD)
    media_type, proof = _kind(head, name)
    if not media_type:
        return Verdict(False, _by_name(name), f"the file ends in its first bytes: {size} bytes, {STILL}")
    reason = proof(file) if proof else ""
    return Verdict(not reason, media_type, reason)


def media_type_of(head: bytes, name: str = "") -> str:
    """What a file is by its first 4096 bytes; its `name` decides only where those can't.

    >>> media_type_of(b"\\xff\\xd8\\xff\\xe1", "a.bin")
    'image/jpeg'
    """
    return _kind(head[:_HEAD], name)[0] or _by_name(name)


def _kind(head: bytes, name: str) -> tuple[str, Proof | None]:
    for beginning, media_type, proof in _BEGINNINGS:
        if head.startswith(beginning):
            return _closer(media_type, head), proof
    if head[:4] in _LETTERS and not _is_text(head):
        return _LETTERS[head[:4]], None
    if head[:4] == b"RIFF" and head[8:12] in _RIFFS:
        return _closer(_RIFFS[head[8:12]], head), sounds.riff
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide") and len(head) >= 12:
        return _container(head)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return ("video/webm" if b"webm" in head[:64] else "video/x-matroska"), movies.matroska
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "image/bmp", pictures.bmp
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:  # layer III, any version
        return "audio/mpeg", sounds.mp3
    if name.lower().endswith(".gsm"):
        return "audio/x-gsm", sounds.gsm
    if _beginning_of_something(head) and _by_name(name) != "text/plain":
        return "", None
    return _text(head, name)


def _closer(media_type: str, head: bytes) -> str:
    """The media type of a file whose beginning is shared by several."""
    if media_type == "application/x-elf" and head[16:18] in (b"\4\0", b"\0\4"):
        return "application/x-coredump"
    if media_type == "audio/wav" and head[12:16] == b"fmt " and head[20:22] == _WAV49:
        return "audio/vnd.wave; codec=31"  # no browser plays it
    if media_type == "audio/ogg" and b"theora" in head[:64]:
        return "video/ogg"
    return media_type


def _container(head: bytes) -> tuple[str, Proof]:
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand == b"crx ":
        return "image/x-canon-cr3", movies.mp4
    still = _still(brand, head)
    if still:
        return still, movies.heif
    if brand in (b"M4A ", b"M4B "):
        return "audio/mp4", movies.mp4
    return ("video/quicktime" if brand in (b"qt  ", b"") else "video/mp4"), movies.mp4


def _still(brand: bytes, head: bytes) -> str:
    """By the brand, else by the first of the others that the file is compatible with, unless it calls itself a film."""
    others = range(16, min(int.from_bytes(head[:4], "big"), len(head)) - 3, 4)
    brands = [brand] if not brand or _FILMS.match(brand) else [brand, *(head[at : at + 4] for at in others)]
    return next((_STILLS[one] for one in brands if one in _STILLS), "")


def _beginning_of_something(head: bytes) -> bool:
    """So short that it could still become a file of a format with a proof."""
    if len(head) >= 12:
        return False
    marks = [beginning for beginning, _, proof in _BEGINNINGS if proof] + [b"RIFF", b"\x1a\x45\xdf\xa3", *_XML]
    cut = any(mark.startswith(head) for mark in marks) or head[:4] == b"RIFF"
    return cut or b"\0\0\0".startswith(head[:3]) or b"BM".startswith(head[:2])


_XML = (b"<?xml", b"<testsuite", b"<svg")
_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def _text(head: bytes, name: str) -> tuple[str, Proof | None]:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        svg = documents.root_of(head).endswith(b"svg") or name.lower().endswith(".svg")
        if svg or start.startswith(_XML) or name.lower().endswith(".xml"):
            return ("image/svg+xml" if svg else "application/xml"), documents.xml
    if _is_text(head):
        return "text/plain", None
    if _NEARLY_JPEG.search(head[: _NEARLY + 4]):
        return "image/jpeg", None  # no decoder reads it, so it does not leave
    wide = head[2:].decode(_UTF_16.get(head[:2], "latin-1"), "replace").encode("ascii", "replace").lstrip()
    if head[:2] in _UTF_16 and documents.root_of(wide).endswith(b"svg"):
        return "image/svg+xml", None
    return "application/octet-stream", None


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # a character cut by our own look at the first bytes is none of its faults
            return False
        text = head[: error.start].decode()
    return not _NO_TEXT.search(text)


_NAMES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".mkv": "video/x-matroska",
    ".wav": "audio/wav",
    ".gsm": "audio/x-gsm",
    ".txt": "text/plain",
    ".xml": "application/xml",
}


def _by_name(name: str) -> str:
    """What an empty file seems to become."""
    dot = name.rfind(".")
    return _NAMES.get(name[dot:].lower() if dot >= 0 else "", "application/octet-stream")
