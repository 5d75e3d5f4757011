"""Makes evidence fit to be attached: long logs cut, large files as zstd, what is too large even so listed."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from mediaagent.api import ByteSize, Event, Post, PostPart, Problem, Text, option, plugin, printable, readable_size
from mediaagent.builtin.enrichers.compress_logs import cut
from mediaagent.builtin.enrichers.compress_zstd import TooMuch, compress

__all__ = ["Compress"]

_ZSTD = "application/zstd"
#: What is compressed already: by what it is, by its family, by its name where the content does not tell.
_PACKED = {"application/gzip", "application/pdf", "application/zip", _ZSTD}
_PACKED_FAMILIES = {"audio", "image", "video"}
_PACKED_NAMES = {".7z", ".age", ".br", ".bz2", ".gpg", ".lz4", ".lzma", ".rar", ".xz"}
#: Half of such a text is none.
_STRUCTURED = {".csv", ".har", ".htm", ".html", ".json", ".sql", ".svg", ".xml", ".yaml", ".yml"}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
#: Roles whose files stay where there are too many.
_FIRST = {"report", "screenshot"}
_MOST_LINES, _MOST_NAMES = 50, 5
_WORTH = 0.9  # of its size, at the most; else a file goes as it is


class _Fate(Struct, frozen=True):
    """What becomes of one part."""

    whole: PostPart
    now: PostPart
    cut: bool = False
    why: str = ""  # it is left out

    @property
    def said(self) -> str:
        """What the post's reader has to know of it; "" when nothing is missing."""
        stays = f"for a while at {printable(self.whole.file)}"
        size = readable_size(self.whole.size)
        if self.why:
            return f"Left out: {self.whole.name} ({size}, {self.why}); it stays {stays}"
        if self.cut:
            return f"{self.whole.name} is cut to its beginning and end; the whole, {size}, stays {stays}"
        return ""


@plugin
class Compress:
    """Cuts long logs to their beginning and end, attaches large files as zstd, leaves out what is too large even so.

    The post says what was cut and what was left out, and where the whole of it stays for a while: in the spool.
    """

    cut_over: ByteSize = option("longer logs are cut", default=ByteSize(10_000_000))
    head: ByteSize = option("so much of a cut log's beginning stays, in whole lines", default=ByteSize(2_000_000))
    tail: ByteSize = option("and so much of its end", default=ByteSize(4_000_000))
    zstd_over: ByteSize = option(
        "larger files are attached as NAME.zst, unless they are compressed already", default=ByteSize(1_000_000)
    )
    part_limit: ByteSize = option("files that are larger even so are left out", default=ByteSize(50_000_000))
    post_limit: ByteSize = option(
        "for all files of a post together: the largest are left out", default=ByteSize(200_000_000)
    )

    most_files: int = option(
        "so many files a post; of more, reports and pictures stay before others",
        default=200,
        check=lambda value: None if value >= 1 else f"{value} is less than 1",
    )

    def __post_init__(self) -> None:
        if self.head + self.tail > self.cut_over:
            raise ValueError(
                f"head and tail are {readable_size(self.head + self.tail)} together, more than "
                f"cut_over = {readable_size(self.cut_over)}"
            )

    def check(self) -> Iterable[Problem]:
        """Whether the library is there."""
        if find_spec("zstandard") is None:
            yield Problem(where="compress", what="the library zstandard is missing", todo="pip install zstandard")

    def enrich(self, post: Post, event: Event, folder: Path) -> Post:
        """The post with its parts made smaller; at the end of its text stands what is not there as a whole."""
        few, others = self._few(post.parts)
        fates = [self._fate(part, folder / f"smaller-{number:03}") for number, part in enumerate(few, 1)]
        fates = self._within_post_limit(fates)
        parts = tuple(fate.now for fate in fates if not fate.why)
        for fate in fates:
            if fate.why and fate.now is not fate.whole:
                fate.now.file.unlink()
        said = "\n".join(_said([fate.said for fate in fates if fate.said], others, self.most_files))
        body = (*post.body, Text(said)) if said else post.body
        return replace(post, kind=_kind_of(post, parts), body=body, parts=parts)

    def _few(self, parts: Sequence[PostPart]) -> tuple[list[PostPart], list[PostPart]]:
        """Those that a reader may look at, in their order, and the others."""
        ranked = sorted(range(len(parts)), key=lambda number: (parts[number].role not in _FIRST, number))
        chosen = set(ranked[: self.most_files])
        few = [part for number, part in enumerate(parts) if number in chosen]
        return few, [part for number, part in enumerate(parts) if number not in chosen]

    def _fate(self, part: PostPart, target: Path) -> _Fate:
        whole = now = replace(part, size=part.file.stat().st_size)
        if whole.size > self.cut_over and _can_be_cut(whole):
            now = self._cut(whole, target)
        shorter = now is not whole
        if now.size > self.zstd_over and not _is_packed(now):
            now = self._packed(now, target.with_name(f"{target.name}.zst"))
            if shorter and now.file != target:
                target.unlink()
        if now.size > self.part_limit:
            tried = "" if _is_packed(whole) else " after compression"
            return _Fate(whole, now, why=f"over part_limit = {readable_size(self.part_limit)}{tried}")
        return _Fate(whole, now, cut=shorter)

    def _cut(self, part: PostPart, target: Path) -> PostPart:
        try:
            left_out = cut(part.file, target, self.head, self.tail)
        except OSError as error:
            if error.errno != errno.EFBIG:
                raise
            left_out = 0
        if not left_out:
            return part
        told = f"{readable_size(left_out)} of {readable_size(part.size)} cut out"
        return replace(part, file=target, size=target.stat().st_size, facts={**part.facts, "compress": told})

    def _packed(self, part: PostPart, target: Path) -> PostPart:
        """The part as zstd; the part itself where that would not make it fit or is not worth it."""
        try:
            size = compress(part.file, target, min(self.part_limit, int(part.size * _WORTH)))
        except TooMuch:
            return part
        told = "; ".join(filter(None, (part.facts.get("compress"), f"{readable_size(part.size)} as zstd")))
        return replace(
            part,
            file=target,
            name=f"{part.name}.zst",
            media_type=_ZSTD,
            size=size,
            facts={**part.facts, "compress": f"{told}: {readable_size(size)}"},
        )

    def _within_post_limit(self, fates: Sequence[_Fate]) -> list[_Fate]:
        """The smallest first, so that as many as possible stay."""
        room, why = int(self.post_limit), f"over post_limit = {readable_size(self.post_limit)} with the others"
        judged = list(fates)
        for number in sorted(range(len(judged)), key=lambda number: judged[number].now.size):
            fate = judged[number]
            if not fate.why and fate.now.size > room:
                judged[number] = replace(fate, why=why)
            elif not fate.why:
                room -= fate.now.size
        return judged


def _said(lines: Sequence[str], others: Sequence[PostPart], most: int) -> list[str]:
    """What is not there as a whole; of very much not all."""
    said = [*lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        said.append(f"… and {len(lines) - _MOST_LINES} more are cut or left out")
    if others:
        names = ", ".join(part.name for part in others[:_MOST_NAMES])
        said.append(f"Left out: {len(others)} more files, over most_files = {most}: {names}, …")
    return said


def _can_be_cut(part: PostPart) -> bool:
    if part.media_type.partition(";")[0] != "text/plain" and part.role != "log":
        return False
    with open(part.file, "rb") as file:
        wide = file.read(2) in _UTF_16
    return not (wide or _is_packed(part) or PurePath(part.name).suffix.lower() in _STRUCTURED)


def _is_packed(part: PostPart) -> bool:
    kind = part.media_type.partition(";")[0]
    return (
        kind in _PACKED
        or kind.partition("/")[0] in _PACKED_FAMILIES
        or PurePath(part.name).suffix.lower() in _PACKED_NAMES
    )


def _kind_of(post: Post, parts: Sequence[PostPart]) -> Literal["photo", "audio", "video", "status", "entry"]:
    """A photo post without a picture is none."""
    family = {"photo": "image", "audio": "audio", "video": "video"}.get(post.kind, "")
    if len(parts) == len(post.parts) or any(part.media_type.startswith(family) for part in parts):
        return post.kind
    return "entry"
