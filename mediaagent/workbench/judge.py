"""Judges what the child hands back: it has opened strangers' files, so it is not simply believed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from mediaagent.errors import Deferred, Discarded
from mediaagent.model import Bucket, Event, Post, PostPart, Text
from mediaagent.options import convert, readable_size
from mediaagent.rules.completeness import media_type_of
from mediaagent.workbench import wire

__all__ = [
    "as_seen",
    "believed",
    "is_picture",
    "is_sound",
    "lies_in",
    "more_for",
    "ours",
    "reason_of",
    "size_of",
    "told_of",
    "unfit",
    "uniquely_named",
    "with_pictures",
    "without",
]

_ACCESS = ("public", "members", "private")
_LONGEST = 3600.0  # seconds of patience, for long sound or large files
_SVG = "image/svg+xml"
_VAGUE = ("application/octet-stream", "text/plain")
_CLEAN = ("image/jpeg", "image/png", "image/gif", "image/webp")  # what the child writes


def is_picture(part: PostPart) -> bool:
    return part.media_type.startswith("image/")


def is_sound(part: PostPart) -> bool:
    return part.media_type.startswith("audio/")


def as_seen(part: PostPart) -> PostPart:
    """The part as the picture that its first bytes show it to be, whatever it was called."""
    seen = _type_of(part)
    if seen == _SVG or (seen.startswith("image/") and not is_picture(part)):
        return replace(part, media_type=seen)
    return part


def unfit(part: PostPart) -> str:
    """Why a picture is not even tried; "" for all others."""
    return "SVG pictures can hold scripts and can't be cleaned" if part.media_type == _SVG else ""


def _type_of(part: PostPart) -> str:
    try:
        descriptor = os.open(part.file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not make us wait
        with open(descriptor, "rb") as stream:
            return media_type_of(stream.read(4096), part.name)
    except OSError as error:
        raise Deferred(f"{part.name} can't be read: {error}") from None


def size_of(part: PostPart) -> int:
    try:
        return part.file.stat().st_size
    except OSError as error:
        raise Deferred(f"{part.name} can't be read: {error}") from None


def reason_of(answer: wire.Answer) -> str:
    return answer.reason if isinstance(answer, wire.Refused | wire.Discard | wire.Failed) else "an unfitting answer"


def with_pictures(post: Post, parts: list[PostPart], reasons: list[str]) -> Post:
    """The post with these parts. Raises Discarded when it was made for its pictures and none is left."""
    if post.kind == "photo" and reasons and not any(map(is_picture, parts)):
        raise Discarded(f"no picture that can be decoded: {'; '.join(reasons)}")
    return replace(post, parts=tuple(parts))


def believed(better: Post, post: Post, event: Event, folder: Path, step: str) -> Post:
    """What an enricher may change: not whose post it is, nor wider access, nor files from elsewhere. What a file is,
    its content says."""
    known = {file for part in event.parts if part.shown for file in part.files.values()}
    known |= {part.file for part in post.parts}
    for part in better.parts:
        if part.file not in known and not lies_in(part.file, folder):
            raise Deferred(
                f"enricher {step} failed: {part.file} is neither the event's nor a file of its own (no link) in the "
                f"folder for new files"
            )
    types = {part.files[part.role]: part.media_type for part in event.parts if part.role in part.files}
    types |= {part.file: part.media_type for part in post.parts}
    access = max(post.access, better.access, key=_ACCESS.index)
    return replace(
        better,
        access=access,
        parts=uniquely_named([_labelled(part, types) for part in better.parts]),
        source=post.source,
        key=post.key,
        revision=post.revision,
        happened_at=post.happened_at,
        bucket=_bucket(better),
        seen=post.seen,
    )


def _bucket(post: Post) -> Bucket | None:
    """As the enricher said, if it can be one: it decides which earlier post is changed."""
    bucket = post.bucket
    if bucket is None or not re.fullmatch(r"[0-9a-f]{8,64}", bucket.key) or bucket.within <= timedelta(0):
        return None
    link = bucket.link if bucket.link.startswith(("https://", "http://")) and bucket.link.isprintable() else ""
    return replace(bucket, link=link[:2000])


def _labelled(part: PostPart, types: Mapping[Path, str]) -> PostPart:
    """With the media type that its file had before, or shows where it is new; what a text is, only its maker knows."""
    if part.file in types:
        return replace(part, media_type=types[part.file])
    seen = _type_of(part)
    return as_seen(part) if is_picture(part) or seen in _VAGUE else replace(part, media_type=seen)


def ours(written: PostPart, part: PostPart, folder: Path) -> PostPart:
    """What the child wrote, in the place of the part. Raises Deferred when it can't be that."""
    if not lies_in(written.file, folder):
        raise Deferred(f"the workbench gave back a file that is not its own: {written.file}")
    media_type = _type_of(written)
    if media_type not in _CLEAN:
        raise Deferred(f"the workbench gave back {media_type} for the picture {part.name}")
    ending = Path(written.name).suffix if media_type != part.media_type else ""
    name = str(Path(part.name).with_suffix(ending)) if ending else part.name
    return replace(part, file=written.file, name=name, media_type=media_type, size=size_of(written))


def lies_in(file: Path, folder: Path) -> bool:
    """A regular file of this folder, and of no other: neither a symbolic nor a hard link."""
    try:
        found = file.lstat()
    except OSError:
        return False
    return file.parent == folder and stat.S_ISREG(found.st_mode) and found.st_nlink == 1


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


def more_for(post: Post, event: Event, options: Mapping[str, Any]) -> float:
    """Seconds that an enricher gets above the rest: for large files (a second for each 20 MB, also of those that the
    post does not show), for long sound (a second for each 20 kB: an hour of GSM 06.10, the densest that telephone
    systems write, gets five minutes), and what its own option `time_limit` asks."""
    sound = sum(size_of(part) for part in post.parts if is_sound(part))
    shown = {part.file: size_of(part) for part in post.parts}
    hidden = {part.file: part.size for part in event.parts if part.role in part.files and part.file not in shown}
    large = sum(shown.values()) + sum(hidden.values())
    asked = convert(options.get("time_limit", 0), timedelta, Path())
    longest = min(sound / 20_000, _LONGEST) + min(large / 20_000_000, _LONGEST)
    return longest + float(asked.total_seconds())


def without(post: Post, parts: Sequence[PostPart], left_out: Sequence[PostPart], limit: int) -> Post:
    """An entry with these parts, which says what the site does not take."""
    why = f"more than the site takes: only files up to {readable_size(limit)} are sent"
    said = "\n".join(f"Left out: {part.name} ({readable_size(size_of(part))}, {why})" for part in left_out)
    return replace(post, parts=uniquely_named(parts), body=(*post.body, Text(said)) if said else post.body)


def told_of(step: str, before: Post, after: Post) -> list[str]:
    """What became of the parts. An enricher tells its reasons in a fact of the part, named like itself."""
    others = [f"{step}: {part.name}: {part.facts[step]}" for part in after.parts if _is_news(step, part, before)]
    pictures = [part for part in after.parts if is_picture(part)]
    count = sum(map(is_picture, before.parts))
    if count == len(pictures):
        return others
    return [
        f"{step} kept {len(pictures)} of {count} pictures",
        *(f"{step} chose {part.name}: {part.facts[step]}" for part in pictures if step in part.facts),
        *others,
    ]


def _is_news(step: str, part: PostPart, before: Post) -> bool:
    known = [each.facts for each in before.parts]
    return not is_picture(part) and step in part.facts and part.facts not in known
