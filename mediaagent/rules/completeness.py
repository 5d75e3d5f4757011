"""Whether a file is whole, and what it is: told by its content, cheaply.

A close is necessary, not sufficient: it also comes when a writer is killed or a transfer is cut. So the content has to
prove that it is whole, by markers and lengths. Decoding, the stronger proof, is the workbench's.

Formats that carry no end of their own can't prove it, and count as whole once they are quiet: plain text, gzip, zstd,
FLAC's sound, MPEG streams, MP3 without a Xing header, whatever is unknown. Where a prefix of a provable format can
pass, the proof's docstring says so (below `mediaagent.rules.structure`).
"""

from __future__ import annotations

from collections.abc import Callable

from mediaagent.model import Verdict
from mediaagent.rules.structure import documents, movies, pictures, sounds
from mediaagent.rules.structure.content import STILL, Content, Proof

__all__ = ["examine"]

_HEAD = 4096
_STILLS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
}
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
)


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
    media_type, proof = _kind(file, head, name)
    if not media_type:
        return Verdict(False, _by_name(name), f"the file ends in its first bytes: {size} bytes, {STILL}")
    reason = proof(file) if proof else ""
    return Verdict(not reason, media_type, reason)


def _kind(file: Content, head: bytes, name: str) -> tuple[str, Proof | None]:
    for beginning, media_type, proof in _BEGINNINGS:
        if head.startswith(beginning):
            return _closer(media_type, head), proof
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
    if brand in _STILLS:
        return _STILLS[brand], movies.heif
    if brand in (b"M4A ", b"M4B "):
        return "audio/mp4", movies.mp4
    return ("video/quicktime" if brand in (b"qt  ", b"") else "video/mp4"), movies.mp4


def _beginning_of_something(head: bytes) -> bool:
    """So short that it could still become a file of a format with a proof."""
    if len(head) >= 12:
        return False
    marks = [beginning for beginning, _, proof in _BEGINNINGS if proof] + [b"RIFF", b"\x1a\x45\xdf\xa3", *_XML]
    cut = any(mark.startswith(head) for mark in marks) or head[:4] == b"RIFF"
    return cut or b"\0\0\0".startswith(head[:3]) or b"BM".startswith(head[:2])


_XML = (b"<?xml", b"<testsuite", b"<svg")


def _text(head: bytes, name: str) -> tuple[str, Proof | None]:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(_XML) or (start.startswith(b"<") and name.lower().endswith(".xml")):
        root = documents.root_of(head)
        return ("image/svg+xml" if root.endswith(b"svg") else "application/xml"), documents.xml
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # a character cut by our own look at the first bytes is none of its faults
            return "application/octet-stream", None
        text = head[: error.start].decode()
    plain = not any(c < " " and c not in "\t\n\r\f\x1b" for c in text)
    return ("text/plain" if plain else "application/octet-stream"), None


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
