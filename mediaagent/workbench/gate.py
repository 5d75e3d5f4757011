"""The secret gate: nothing of a post leaves with a secret in it.

What is a text goes through the child, which writes it anew without its secrets. This machine's own secrets are not told
to the child: they are looked for here, as bytes, in whatever goes out. A part that the gate can't look through is
withheld. Captions come last, since names of parts are among them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any

import msgspec
from msgspec.structs import replace

from mediaagent.errors import Deferred
from mediaagent.model import Event, Link, Post, PostPart, Pre, Text
from mediaagent.rules import secrets
from mediaagent.rules.caption import tag_of
from mediaagent.rules.secrets import known
from mediaagent.rules.secrets.content import HEAD, Packing, nature_of, packing_of
from mediaagent.rules.secrets.known import Known
from mediaagent.workbench import wire
from mediaagent.workbench.judge import lies_in, reason_of, size_of, uniquely_named

__all__ = ["Gate"]

_PIECE = 1 << 20
_SPEED = 1_000_000  # bytes a second that a child surely looks through, on a slow machine and full of secrets
_UNPACKED = 50  # so many times as much may come out of what is packed
_MOST_UNPACKED = 1 << 30
_SHORTEST = 6  # characters of a fact's secret that are looked for in other places
_FAILED = "the check for secrets failed"

#: Asks the child, giving it so many seconds more. Raises Deferred.
Ask = Callable[[wire.Request, float], wire.Answer]


class Withheld(Exception):
    """A part can't go out, and why: in few words for the post, and all that is known for `why`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail or reason


class Gate(msgspec.Struct):
    """One post's way through. `folder` is where what is written anew goes."""

    ask: Ask
    own: Known
    folder: Path
    found: Counter[str] = msgspec.field(default_factory=Counter)
    withheld: list[str] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)

    def passed(self, post: Post, event: Event) -> Post:
        """The post as it may leave, and in it what was taken out. Raises Deferred."""
        parts = []
        for number, part in enumerate(post.parts, 1):
            before = Counter(self.found)
            try:
                part = self._part(part, number)
            except Withheld as withheld:
                self.found = before
                name = self._name(part.name)
                self.withheld.append(f"{name} ({withheld})")
                self.notes.append(f"{name} withheld: {withheld.detail}")
            else:
                parts.append(part)
                if taken := self.found - before:
                    self.notes.append(f"taken out of {self._name(part.name)}: {secrets.counted(taken)}")
        return self._told(self._captioned(replace(post, kind=_kind(post, parts), parts=tuple(parts)), event))

    # --- parts --------------------------------------------------------------------------------------------------------

    def _part(self, part: PostPart, number: int) -> PostPart:
        written = [self.folder / f"{step}-{number:03}" for step in ("sifted", "cleared", "packed")]
        file = part.file
        try:
            file = self._cleared(part, *written)
        finally:
            for other in written:
                if other != file:
                    other.unlink(missing_ok=True)
        return part if file == part.file else replace(part, file=file, size=file.stat().st_size)

    def _cleared(self, part: PostPart, plain: Path, cleared: Path, packed: Path) -> Path:
        """The part's file, or one that was written without what is secret in it. Raises Withheld."""
        sifted = self._sifted(part, plain)
        file = plain if sifted.written else part.file
        own = self._holds_own(file)
        if (own or sifted.found) and sifted.nature != "text":
            raise Withheld(f"it holds {secrets.counted(sifted.found or {known.KIND: 1})} and is no text")
        if own:
            self._clear_own(file, cleared)
            file = cleared
        self.found.update(sifted.found)
        if not own and not sifted.found:
            return part.file  # it may have been unpacked, only to be looked through here
        return self._packed(file, sifted.packing, packed) if sifted.packing else file

    def _sifted(self, part: PostPart, target: Path) -> wire.Sifted:
        head = _head(part.file)
        packing = packing_of(head)
        if not packing and nature_of(head, part.media_type) == "closed":
            return wire.Sifted({}, "closed", "", written=False)
        size = size_of(part)
        longest = min(size * _UNPACKED, _MOST_UNPACKED) if packing else size
        answer = self.ask(wire.Sift(part, target, bool(self.own)), longest / _SPEED)
        if not isinstance(answer, wire.Sifted):
            raise Withheld(_FAILED, f"{_FAILED}: {reason_of(answer)}")
        if not set(answer.found) <= secrets.kinds() or min(answer.found.values(), default=1) < 1:
            raise Withheld(_FAILED, f"{_FAILED}: an unfitting answer")
        if answer.written and not lies_in(target, self.folder):
            raise Withheld(_FAILED, f"{_FAILED}: what it wrote is not there")
        if answer.found and not answer.written and answer.nature == "text":
            raise Withheld(_FAILED, f"{_FAILED}: nothing was written")
        return answer

    def _packed(self, file: Path, packing: Packing, target: Path) -> Path:
        if packing != "gzip" and packing != "zstd":
            raise Withheld(f"it holds something secret and can't be packed as {packing} again")
        answer = self.ask(wire.Pack(file, packing, target), file.stat().st_size / _SPEED)
        if not isinstance(answer, wire.Packed) or not lies_in(target, self.folder):
            raise Withheld(_FAILED, f"{_FAILED}: it can't be packed again: {reason_of(answer)}")
        return target

    # --- this machine's own -------------------------------------------------------------------------------------------

    def _holds_own(self, file: Path) -> bool:
        return bool(self.own) and any(self.own.holds(piece) for piece in _overlapping(file, self.own.overlap))

    def _clear_own(self, file: Path, target: Path) -> None:
        """Writes a text anew without them."""
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(file, "rb") as source, open(descriptor, "wb") as out:
            text, last = b"", False
            while not last:
                piece = source.read(_PIECE)
                text, last = text + piece, not piece
                at, sure = 0, len(text) if last else len(text) - self.own.overlap
                for start, end, marker in self.own.places(text):
                    if start >= sure:
                        break
                    out.write(text[at:start] + marker)
                    self.found[known.KIND] += 1
                    at = end
                sure = max(at, sure)
                out.write(text[at:sure])
                text = text[sure:]
            out.flush()
            os.fsync(out.fileno())

    # --- captions -----------------------------------------------------------------------------------------------------

    def _captioned(self, post: Post, event: Event) -> Post:
        spoken = sorted(_spoken(event), key=len, reverse=True)
        bucket = post.bucket and replace(post.bucket, link=self._address(post.bucket.link))
        parts = [replace(part, name=self._name(part.name), text=self._text(part.text, spoken)) for part in post.parts]
        return replace(
            post,
            title=self._text(post.title, spoken),
            body=tuple(self._block(block, spoken) for block in post.body),
            tags=tuple(dict.fromkeys(self._tag(tag, spoken) for tag in post.tags)),
            parts=uniquely_named(parts),
            bucket=bucket,
            reply_to=tuple(map(self._address, post.reply_to)),
        )

    def _block(self, block: Text | Pre | Link, spoken: Iterable[str]) -> Text | Pre | Link:
        text = self._text(block.text, spoken)
        if isinstance(block, Link):
            return Link(text, self._address(block.url))
        return Pre(text) if isinstance(block, Pre) else Text(text)

    def _text(self, text: str, spoken: Iterable[str]) -> str:
        text, count = self.own.redact(text)
        text, found = secrets.redact(text)
        self.found.update(found)
        self.found.update({known.KIND: count} if count else {})
        for secret in spoken:
            if count := text.count(secret):
                text = text.replace(secret, secrets.marker("secret"))
                self.found["secret"] += count
        return text

    def _plain(self, text: str, spoken: Iterable[str] = ()) -> str:
        """For what must not have a marker's brackets and spaces."""
        redacted = self._text(text, spoken)
        return text if redacted == text else secrets.without_markers(redacted)

    def _address(self, url: str) -> str:
        return self._plain(url)

    def _name(self, name: str) -> str:
        path = PurePath(name)
        return self._plain(path.stem) + self._plain(path.suffix)

    def _tag(self, tag: str, spoken: Iterable[str]) -> str:
        """A tag has lost the signs between its words, and so may a secret in it."""
        return self._plain(tag, [*spoken, *filter(None, map(tag_of, spoken))])

    def _told(self, post: Post) -> Post:
        said = [f"Taken out: {secrets.counted(self.found)}."] if self.found else []
        said += [f"Withheld: {', '.join(self.withheld)}."] if self.withheld else []
        return replace(post, body=(*post.body, Text(" ".join(said)))) if said else post


def _kind(post: Post, parts: list[PostPart]) -> Any:
    """A post whose pictures or sounds were all withheld is none of them any more."""
    family = {"photo": "image/", "audio": "audio/", "video": "video/"}.get(post.kind, "")
    if len(parts) == len(post.parts) or any(part.media_type.startswith(family) for part in parts):
        return post.kind
    return "entry" if parts or post.kind == "entry" else "status"


def _head(file: Path) -> bytes:
    try:
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            return stream.read(HEAD)
    except OSError as error:
        raise Deferred(f"{file.name} can't be read: {error}") from None


def _overlapping(file: Path, overlap: int) -> Iterator[bytes]:
    """All of a file in pieces, each with the end of the one before. Holes are skipped."""
    with open(file, "rb", buffering=0) as stream:
        size, at, end = os.fstat(stream.fileno()).st_size, 0, b""
        while at < size:
            with suppress(OSError):  # it has no holes, or can't tell
                data = os.lseek(stream.fileno(), at, os.SEEK_DATA)
                at, end = data, end if data == at else b""
            piece = os.pread(stream.fileno(), _PIECE, at)
            if not piece:
                return
            yield end + piece
            at, end = at + len(piece), (end + piece)[-overlap:] if overlap else b""


def _spoken(event: Event) -> frozenset[str]:
    """The secrets in an event's facts, which a caption may repeat without what they were known by."""
    return frozenset(
        secret for text in _texts(event.facts) for secret in secrets.values_in(text) if len(secret) >= _SHORTEST
    )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
