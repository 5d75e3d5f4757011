"""`mediaagent post mail`: a mail on standard input becomes a post, as Asterisk hands it to its mailcmd.

What a mail claims of its letters is not relied on: Asterisk writes one charset over whatever bytes it was given.
"""

from __future__ import annotations

import codecs
import mimetypes
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email import errors, message_from_bytes
from email.header import Header, decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from mediaagent import clock
from mediaagent.cli.home import Home
from mediaagent.cli.post.words import Mistaken

__all__ = ["Attachment", "Mail", "post_mail", "read"]

#: Bytes of a mail at the most, which is held in memory: two days of a telephone's sound as wav49.
_LONGEST = 256 << 20
_TOKEN = "mail:"  # noqa: S105  (no secret: a mail is known by it)
_LONGEST_ID = 190
#: Kinds by the first half of a media type, and how many files a post of that kind can have.
_KINDS = {"audio": ("audio", 1), "video": ("video", 1), "image": ("photo", 1000)}
#: What one letter a byte is written in; what is right in UTF-8 is taken for that all the same.
_ONE_BYTE = ("ascii", "iso8859", "cp", "mac", "koi8", "latin")
#: Of a page: what is not shown, and what has lines of its own.
_HIDDEN = ("script", "style", "title")
_TAG = re.compile(r"<[^<>]*>")
_BLOCKS = ("br", "div", "h1", "h2", "h3", "li", "p", "tr")


class Attachment(Struct, frozen=True):
    name: str  # without folders
    kind: str  # "audio/x-wav"
    content: bytes


class Mail(Struct, frozen=True):
    """What a mail says."""

    subject: str
    text: str
    date: datetime | None
    id: str  # its Message-ID, with its brackets; "": it has none
    attachments: tuple[Attachment, ...] = ()

    @property
    def post_kind(self) -> str:
        """The kind of post that it becomes: that of all its files, if they are of one, and a post can have so many."""
        if not self.attachments:
            return "entry"
        halves = {file.kind.partition("/")[0] for file in self.attachments}
        kind, most = _KINDS.get(min(halves), ("file", 0)) if len(halves) == 1 else ("file", 0)
        return kind if len(self.attachments) <= most else "file"


def post_mail(
    home: Home, /, *, title: str | None, access: str | None, created: str | None, once: str | None, **options: Any
) -> int:
    """Posts what stands on standard input. Returns the exit code. Raises Mistaken when there is nothing to post."""
    from mediaagent.cli.post import handing

    mail = read(_standard_input())
    title = mail.subject if title is None else title
    text = mail.text
    if not mail.attachments and not text.strip():
        text = title
    if not mail.attachments and not text.strip():
        raise Mistaken("the mail on standard input has no subject, no text and no attachment")
    if once is None and mail.id:
        once = _TOKEN + _short(mail.id)
    if created is None and mail.date is not None:
        created = mail.date.isoformat()
    with tempfile.TemporaryDirectory(prefix="mediaagent-") as folder:
        said: dict[str, Any] = {
            "message": text,
            "text_file": None,
            "title": title or None,
            "created": created,
            "once": once,
        }
        files = _written(Path(folder), mail.attachments)
        return handing.post(home, mail.post_kind, files, **said, access=access or "private", **options)


def _short(id: str) -> str:
    """A Message-ID as a token has room for it: a long one by its digest."""
    if len(id) <= _LONGEST_ID:
        return id
    import hashlib

    return f"sha256:{hashlib.sha256(id.encode()).hexdigest()}"


def _standard_input() -> bytes:
    try:
        data = sys.stdin.buffer.read(_LONGEST + 1)
    except OSError as error:
        raise Mistaken(f"standard input, where the mail should be, can't be read: {error.strerror}") from None
    if len(data) > _LONGEST:
        raise Mistaken(f"the mail on standard input has more than {_LONGEST >> 20} MB")
    return data


def _written(folder: Path, attachments: Sequence[Attachment]) -> list[str]:
    """The attachments as files, each in a folder of its own, since names may come twice."""
    files = []
    for number, file in enumerate(attachments):
        path = folder / str(number) / file.name
        path.parent.mkdir()
        path.write_bytes(file.content)
        files.append(str(path))
    return files


# --- reading ----------------------------------------------------------------------------------------------------------


def read(data: bytes) -> Mail:
    """A mail, however badly it is made. What is attached and can't be read is named at the end of its text."""
    try:
        return _told(message_from_bytes(data))
    except RecursionError:
        head = BytesHeaderParser().parsebytes(data)
        return _told(head, "(left out: what is nested too deeply to be read)")


def _told(message: Message, instead: str = "") -> Mail:
    """`instead`: what stands in the place of all that can't be read."""
    texts: list[tuple[str, str]] = []
    files: list[Attachment] = []
    broken: list[str] = []
    for part in _leaves(message) if not instead else ():
        content = part.get_payload(decode=True)
        content = content if isinstance(content, bytes) else b""
        kind = part.get_content_type()
        if kind.startswith("text/") and not part.get_filename() and part.get_content_disposition() != "attachment":
            texts.append((kind, _letters(content, part.get_content_charset())))
            continue
        name = _name(part, len(files))
        if not content or any(isinstance(defect, errors.InvalidBase64LengthDefect) for defect in part.defects):
            broken.append(f"(left out: {name}, which could not be read)")
        else:
            files.append(Attachment(name, _kind(kind, name), content))
    plain = [text.strip() for kind, text in texts if kind == "text/plain" and text.strip()]
    plain = plain or [_shown(text) for kind, text in texts if kind == "text/html"]
    text = "\n\n".join([*filter(None, [*plain, instead]), *broken]).replace("\r\n", "\n")
    return Mail(_header(message, "Subject"), text, _date(message), _header(message, "Message-ID"), tuple(files))


class _Page(HTMLParser):
    """Collects what a page shows; each block of it begins a line, and ends one."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self._hidden = self._hidden or tag in _HIDDEN
        if tag in _BLOCKS:
            self.shown.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = self._hidden and tag not in _HIDDEN
        if tag in _BLOCKS:
            self.shown.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.shown.append(data.replace("\r", " ").replace("\n", " "))


def _shown(page: str) -> str:
    """The text of a mail that is nothing but HTML; of what is no HTML at all, what stands outside of angle brackets."""
    reader = _Page()
    try:
        reader.feed(page)
        reader.close()
        text = "".join(reader.shown)
    except (AssertionError, ValueError, RecursionError):
        text = _TAG.sub("\n", page)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(filter(None, lines))


def _leaves(message: Message) -> Iterator[Message]:
    return (part for part in message.walk() if not part.is_multipart())


def _kind(claimed: str, name: str) -> str:
    """By its name where the mail only says that it is bytes."""
    if claimed != "application/octet-stream":
        return claimed
    return mimetypes.guess_type(name.lower())[0] or claimed


def _name(part: Message, number: int) -> str:
    """A name for people, without folders and what else no file can have."""
    said = _decoded(part.get_filename() or "").replace("\\", "/")
    name = "".join(letter for letter in PurePosixPath(said).name if letter.isprintable())
    while len(name.encode()) > 200:
        name = name[1:]
    if name.strip(". "):
        return name
    return f"attachment-{number + 1}{mimetypes.guess_extension(part.get_content_type()) or ''}"


def _date(message: Message) -> datetime | None:
    """When it says that it was written; None where that is no time. RFC 5322's -0000 is UTC, of nobody knows where."""
    said = _header(message, "Date")
    try:
        when = parsedate_to_datetime(said)
        if when.tzinfo is None and "-0000" in said.split():
            when = when.replace(tzinfo=UTC)
        return clock.read(when.isoformat())
    except (ValueError, TypeError, OverflowError):
        return None


def _header(message: Message, name: str) -> str:
    """A header on one line, "" where there is none."""
    return " ".join(_decoded(message.get(name, "")).split())


def _decoded(value: str | Header) -> str:
    """What encoded words (RFC 2047) and bare bytes mean."""
    try:
        pieces = decode_header(value)
    except (errors.HeaderParseError, ValueError):
        return str(value)
    return "".join(piece if isinstance(piece, str) else _letters(piece, charset) for piece, charset in pieces)


def _letters(data: bytes, claimed: str | None) -> str:
    """Text of bytes: UTF-8 where they are that, else as is claimed, else Western European."""
    try:
        charset = codecs.lookup(claimed or "utf-8").name
    except (LookupError, ValueError):
        charset = "utf-8"
    attempts = ["utf-8", charset] if charset.startswith(_ONE_BYTE) else [charset, "utf-8"]
    for attempt in (*attempts, "cp1252"):
        try:
            text = data.decode(attempt)
            text.encode()  # halves of letters, which some charsets can spell, are none
            return text
        except (ValueError, LookupError):
            continue
    return data.decode("latin-1")
