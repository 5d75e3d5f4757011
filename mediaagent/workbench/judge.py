"""Judges what the child hands back: it has opened strangers' files, so it is not simply believed."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from mediaagent.errors import Deferred, Discarded
from mediaagent.model import Event, Post, PostPart
from mediaagent.options import convert
from mediaagent.workbench import wire

__all__ = [
    "believed",
    "is_picture",
    "is_sound",
    "more_for",
    "ours",
    "reason_of",
    "size_of",
    "told_of",
    "uniquely_named",
    "with_pictures",
]

_ACCESS = ("public", "members", "private")
_LONGEST_SOUND = 3600.0  # seconds of patience


def is_picture(part: PostPart) -> bool:
    return part.media_type.startswith("image/")


def is_sound(part: PostPart) -> bool:
    return part.media_type.startswith("audio/")


def size_of(part: PostPart) -> int:
    try:
        return part.file.stat().st_size
    except OSError as error:
        raise Deferred(f"{part.name} can't be read: {error}") from None


def reason_of(answer: wire.Answer) -> str:
    return answer.reason if isinstance(answer, wire.Refused | wire.Discard | wire.Failed) else "an unfitting answer"


def with_pictures(post: Post, parts: list[PostPart], reasons: list[str]) -> Post:
    """The post with these parts. Raises Discarded when it had pictures and none is left."""
    if reasons and not any(map(is_picture, parts)):
        raise Discarded(f"no picture that can be decoded: {'; '.join(reasons)}")
    return replace(post, parts=tuple(parts))


def believed(better: Post, post: Post, event: Event, folder: Path, step: str) -> Post:
    """What an enricher may change: not whose post it is, nor wider access, nor files from elsewhere."""
    known = {part.file for part in post.parts} | {file for part in event.parts for file in part.files.values()}
    for part in better.parts:
        if part.file not in known and not _lies_in(part.file, folder):
            raise Deferred(
                f"enricher {step} failed: {part.file} is neither the event's nor in the folder for new files"
            )
    access = max(post.access, better.access, key=_ACCESS.index)
    return replace(
        better,
        access=access,
        parts=uniquely_named(better.parts),
        source=post.source,
        key=post.key,
        revision=post.revision,
        happened_at=post.happened_at,
    )


def ours(written: PostPart, part: PostPart, folder: Path) -> PostPart:
    if not _lies_in(written.file, folder):
        raise Deferred(f"the workbench gave back a file that is not its own: {written.file}")
    ending = Path(written.name).suffix if written.media_type != part.media_type else ""
    name = str(Path(part.name).with_suffix(ending)) if ending else part.name
    return replace(part, file=written.file, name=name, media_type=written.media_type, size=size_of(written))


def _lies_in(file: Path, folder: Path) -> bool:
    """A regular file (no link to one) of this folder."""
    try:
        return file.parent == folder and stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


def uniquely_named(parts: Sequence[PostPart]) -> tuple[PostPart, ...]:
    """A new format's ending can make two names one."""
    taken: set[str] = set()
    named = []
    for part in parts:
        name, number = Path(part.name), 2
        while str(name) in taken:
            name, number = Path(part.name).with_stem(f"{Path(part.name).stem}-{number}"), number + 1
        taken.add(str(name))
        named.append(replace(part, name=str(name)))
    return tuple(named)


def more_for(post: Post, options: Mapping[str, Any]) -> float:
    """Seconds that an enricher gets above the rest: for long sound (a second for each 20 kB: an hour of GSM 06.10, the
    densest that telephone systems write, gets five minutes), and what its own option `time_limit` asks."""
    sound = sum(size_of(part) for part in post.parts if is_sound(part))
    asked = convert(options.get("time_limit", 0), timedelta, Path())
    return min(sound / 20_000, _LONGEST_SOUND) + float(asked.total_seconds())


def told_of(step: str, before: Post, after: Post) -> list[str]:
    """What became of pictures and sounds. An enricher tells its reasons in a fact of the part, named like itself."""
    sounds = [f"{step}: {part.name}: {part.facts[step]}" for part in after.parts if _is_news(step, part, before)]
    pictures = [part for part in after.parts if is_picture(part)]
    count = sum(map(is_picture, before.parts))
    if count == len(pictures):
        return sounds
    return [
        f"{step} kept {len(pictures)} of {count} pictures",
        *(f"{step} chose {part.name}: {part.facts[step]}" for part in pictures if step in part.facts),
        *sounds,
    ]


def _is_news(step: str, part: PostPart, before: Post) -> bool:
    known = [each.facts for each in before.parts]
    return is_sound(part) and step in part.facts and part.facts not in known
