"""What parent and child say to each other: one MessagePack message after its length in four bytes.

The child has opened strangers' files, so the parent believes nothing by its form alone: an answer is decoded into these
types or not at all, and what it may change of a post is decided in `bench`. Paths travel as the bytes they are.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from mediaagent.model import Bucket, Event, Link, Post, PostPart, Pre, Seen, Text, printable

__all__ = [
    "LONGEST",
    "Answer",
    "Clean",
    "Cleaned",
    "Discard",
    "Draft",
    "Enrich",
    "Enriched",
    "Facts",
    "Failed",
    "Limits",
    "Pack",
    "Packed",
    "Prove",
    "ProveEach",
    "ProvenEach",
    "Read",
    "Refused",
    "Request",
    "Shrink",
    "Sift",
    "Sifted",
    "Told",
    "Unfinished",
    "decode_answer",
    "decode_request",
    "encode",
    "framed",
]

LONGEST = 64 << 20  # bytes of one message
#: As rules.secrets.content has it, whose package takes longer to load than all that most children ever do.
Packing = Literal["", "gzip", "zstd", "bzip2", "xz"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much the child may use. It is told first, as JSON."""

    memory: int = 2 << 30  # of address space
    cpu_seconds: int = 3600  # in one life
    file: int = 1 << 30  # of one file that it writes
    descriptors: int = 256
    processes: int = 256  # with their threads; gdb starts one for each processor
    reads: tuple[bytes, ...] | None = None  # files and folders besides Python, the system's programs and libraries
    writes: tuple[bytes, ...] = ()  # folders; not told in `reads` is every file


class Draft(msgspec.Struct, frozen=True):
    """A Post on its way. Its body is in a form that says which block is which."""

    kind: Literal["photo", "audio", "video", "status", "entry"]
    title: str
    body: list[tuple[Literal["text", "pre", "link"], str, str]]
    tags: tuple[str, ...]
    access: Literal["public", "members", "private"]
    happened_at: datetime
    parts: tuple[PostPart, ...]
    source: str
    key: str
    revision: int
    bucket: Bucket | None = None
    seen: Seen | None = None
    syndicate: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()

    @classmethod
    def of(cls, post: Post) -> Draft:
        """A post, ready to travel."""
        body = [_block(block) for block in post.body]
        same = {name: getattr(post, name) for name in cls.__struct_fields__ if name != "body"}
        return cls(body=body, **same)

    def post(self) -> Post:
        """The post again."""
        body = tuple(_unblock(*block) for block in self.body)
        same = {name: getattr(self, name) for name in self.__struct_fields__ if name != "body"}
        return Post(body=body, **same)


def _block(block: Text | Pre | Link) -> tuple[Literal["text", "pre", "link"], str, str]:
    if isinstance(block, Link):
        return "link", block.text, block.url
    return ("pre" if isinstance(block, Pre) else "text"), block.text, ""


def _unblock(kind: str, text: str, url: str) -> Text | Pre | Link:
    if kind == "link":
        return Link(text, url)
    return Pre(text) if kind == "pre" else Text(text)


# --- requests ---------------------------------------------------------------------------------------------------------


class Facts(msgspec.Struct, frozen=True, tag=True):
    """Tell these facts of a file."""

    file: Path
    wants: tuple[str, ...]


class Read(msgspec.Struct, frozen=True, tag=True):
    """Let a watcher read what stands in its files."""

    watcher: str
    options: Mapping[str, Any]
    files: Mapping[str, Path]
    quiet: float


class Prove(msgspec.Struct, frozen=True, tag=True):
    """Decode a picture; or only look whether it is whole, where its structure tells that."""

    file: Path
    decode: bool = True


class ProveEach(msgspec.Struct, frozen=True, tag=True):
    """Decode several, side by side."""

    files: tuple[Path, ...]


class Enrich(msgspec.Struct, frozen=True, tag=True):
    """Let an enricher have its turn."""

    step: str
    options: Mapping[str, Any]
    draft: Draft
    event: Event
    folder: Path


class Clean(msgspec.Struct, frozen=True, tag=True):
    """Write a picture upright and without metadata, decoded in full; `target` still lacks its ending."""

    part: PostPart
    target: Path
    decode: bool = True  # what goes out, for proof


class Shrink(msgspec.Struct, frozen=True, tag=True):
    """Write a picture in at most `limit` bytes; `target` still lacks its ending."""

    part: PostPart
    limit: int
    target: Path


class Sift(msgspec.Struct, frozen=True, tag=True):
    """Write a part without the secrets that it holds to `target`, if it holds any; what is packed, unpacked.

    `unpack`: do so in any case, for there is more to look for in it."""

    part: PostPart
    target: Path
    unpack: bool


class Pack(msgspec.Struct, frozen=True, tag=True):
    """Write a file packed."""

    file: Path
    packing: Literal["gzip", "zstd"]
    target: Path


# --- answers ----------------------------------------------------------------------------------------------------------


class Told(msgspec.Struct, frozen=True, tag=True):
    """Facts of a file."""

    facts: dict[str, Any]


class Enriched(msgspec.Struct, frozen=True, tag=True):
    """The post that an enricher made."""

    draft: Draft


class Cleaned(msgspec.Struct, frozen=True, tag=True):
    """The part as it was written, and what the picture told of itself."""

    part: PostPart
    facts: dict[str, Any] = {}


class Sifted(msgspec.Struct, frozen=True, tag=True):
    """What was found in a part, by kind, and whether `target` was written."""

    found: dict[str, int]
    nature: Literal["text", "data", "closed"]  # closed: it was not looked into
    packing: Packing
    written: bool


class Packed(msgspec.Struct, frozen=True, tag=True):
    """It is."""


class ProvenEach(msgspec.Struct, frozen=True, tag=True):
    """Facts of each file, in order; None: that one has to be asked for by itself."""

    facts: list[dict[str, Any] | None]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It is the picture's fault."""

    reason: str


class Unfinished(msgspec.Struct, frozen=True, tag=True):
    """A watcher finds its files not whole yet."""

    reason: str
    again: float | None


class Discard(msgspec.Struct, frozen=True, tag=True):
    """An enricher wants the event not to be posted."""

    reason: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """It is nobody's fault that we know of: another time it may work."""

    reason: str


Request = Facts | Read | Prove | ProveEach | Enrich | Clean | Shrink | Sift | Pack
Answer = Told | ProvenEach | Enriched | Cleaned | Sifted | Packed | Refused | Unfinished | Discard | Failed


def _from_path(value: object) -> bytes:
    if isinstance(value, Path):
        return os.fsencode(value)
    raise NotImplementedError(f"{type(value).__name__} does not travel")


def _to_path(kind: type[Any], value: object) -> object:
    if issubclass(kind, Path) and isinstance(value, bytes):
        return Path(os.fsdecode(value))
    raise NotImplementedError(f"{kind.__name__} does not travel")


_encoder = msgspec.msgpack.Encoder(enc_hook=_from_path)


@functools.cache
def _requests() -> msgspec.msgpack.Decoder[Request]:  # each side makes its own only, which takes a while
    return msgspec.msgpack.Decoder(Request, dec_hook=_to_path)


@functools.cache
def _answers() -> msgspec.msgpack.Decoder[Answer]:
    return msgspec.msgpack.Decoder(Answer, dec_hook=_to_path)


def encode(message: Request | Answer) -> bytes:
    """A message with its length in front. Text that no encoding holds is made printable."""
    try:
        data = _encoder.encode(message)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(message, builtin_types=(bytes, datetime), enc_hook=_from_path)
        data = _encoder.encode(_escaped(plain))
    return framed(data)


def framed(data: bytes) -> bytes:
    """With its length in front."""
    return len(data).to_bytes(4, "big") + data


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else "".join(printable(c) if "\ud800" <= c <= "\udfff" else c for c in value)
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value


def decode_request(data: bytes) -> Request:
    """Raises msgspec.DecodeError, which only a mistake of ours can cause."""
    return _requests().decode(data)


def decode_answer(data: bytes) -> Answer:
    """Raises msgspec.DecodeError or ValueError for anything that is not exactly an answer."""
    return _answers().decode(data)
