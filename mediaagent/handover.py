"""Posts that other programs hand over: bundles in a drop folder, on disk before anybody is told so.

::

    drop/
      .making-…/              a bundle in the making; nobody looks at it
      01970…-3f2a…/           a bundle: its name sorts by time
        post.json             what is to be posted
        0001 0002 …           its files, in the order of `files` in post.json

A bundle is made under a hidden name, flushed, and renamed; so it is there whole or not at all. Whoever may write into
the folder may hand over, but reads nothing of others (the way of Postfix's maildrop). The agent takes it from there.

What a hook calls has to be quick, so this module imports little.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from mediaagent import clock

__all__ = [
    "ACCESS",
    "KINDS",
    "LONGEST",
    "LONGEST_STORY",
    "MAKING",
    "OVER",
    "REFUSED",
    "SOURCE",
    "WORDS",
    "Handed",
    "goes_on",
    "hand_over",
    "parse",
    "too_long",
    "too_many",
]

#: The name under which posts that were handed over stand in the queue. No [watch.NAME] can have it.
SOURCE = "post:"

KINDS = ("status", "entry", "photo", "audio", "video", "file")
ACCESS = ("", "public", "members", "private")
#: What a bundle in the making is called before its name, and what one that can't be used.
MAKING, REFUSED = ".making-", ".refused-"
WORDS = "post.json"
#: Bytes of post.json that are read at the most.
LONGEST = 64 << 20
#: So many of them are left for what is said to a post when its text was read already: the names of targets.
_ROOM = 1 << 20
#: Files of a post, and words in each of its lists, at the most.
_MOST = 1000
#: Characters of a token, and of a file's name, at the most.
_LONGEST_TOKEN, _LONGEST_NAME = 300, 255
#: Seconds in which a word may change a post at the most: a hundred years.
LONGEST_STORY = 100 * 365.25 * 86_400
_VERSION = 1
_CHUNK = 1 << 20


#: What a state is called that is over: what comes later is another story. In any case of letters.
OVER = ("ok", "up", "recovered", "resolved", "passed")


class Handed(NamedTuple):
    """What is to be posted, as it stands in post.json. Texts are plain; nothing in them is a template or HTML.

    No dataclass: those import a dozen modules, which a hook would wait for."""

    token: str  # known by it for ever: the same again posts nothing
    kind: str  # one of KINDS
    title: str = ""
    body: str = ""
    tags: Sequence[str] = ()
    access: str = ""  # one of ACCESS; "": as the agent's settings say
    created: str = ""  # ISO 8601 with zone; "": when it was handed over
    to: Sequence[str] = ()  # names of targets; none: all of them
    syndicate: Sequence[str] = ()
    reply_to: Sequence[str] = ()
    state_key: str = ""  # what it tells the state of: a later word on the same changes the post
    state: str = ""  # that state; unless it is one of OVER, the next word changes the post, whenever it comes
    state_within: float = 86_400.0  # seconds after the last word in which it does in any case
    files: Sequence[str] = ()  # their names for people, in the order of 0001, 0002, …
    handed_at: float = 0.0  # seconds since 1970


def goes_on(state: str) -> bool:
    """Whether what a state tells of is not over. Nobody knows it of a state that was not told: "".

    >>> goes_on("CRITICAL"), goes_on("OK"), goes_on("")
    (True, False, False)
    """
    return bool(state.strip()) and state.strip().lower() not in OVER


def hand_over(drop: Path, post: Handed, files: Iterable[Path | IO[bytes]]) -> str:
    """Puts a bundle into the folder; it is on disk when this returns. The bundle's name.

    Raises OSError, or ValueError for a text that UTF-8 has no bytes for.

    `files` go with `post.files`; a path is opened as whoever calls may open it."""
    words = _written(post)
    name = f"{time.time_ns():020d}-{os.urandom(8).hex()}"
    making = drop / f"{MAKING}{name}"
    # Others' hooks write here: the group (the agent's, where the folder is set-gid) has to read and remove it.
    making.mkdir(mode=0o770)
    # What root hands over belongs to whoever the folder belongs to, or its agent could not read it.
    owner = drop.stat() if os.geteuid() == 0 else None
    try:
        with contextlib.suppress(PermissionError):
            making.chmod(stat.S_IMODE(making.stat().st_mode) | 0o770)  # whatever the umask took
        for number, file in enumerate(files, 1):
            _write(making / f"{number:04d}", file, owner)
        _write(making / WORDS, words, owner)
        _flush(making, owner)
        making.rename(drop / name)
    except BaseException:
        _remove(making)
        raise
    try:
        _flush(drop)
    except PermissionError:  # a folder that hooks may write to and not read: its journal takes the rename along
        _flush(drop / name)
    return name


#: A field's type, as its default has it -> what it is in JSON.
_KINDS_OF: dict[type, tuple[type, ...]] = {str: (str,), tuple: (list,), float: (int, float)}


def _written(post: Handed) -> bytes:
    return json.dumps({"version": _VERSION, **_said(post)}, ensure_ascii=False).encode()


def _said(post: Handed) -> dict[str, Any]:
    """What was said of it; agents that are older than a field take bundles that don't use it."""
    newer = {"state"}
    return {name: value for name, value in post._asdict().items() if value or name not in newer}


def parse(data: bytes) -> Handed:
    """post.json again. Raises ValueError with what is wrong."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {error}") from None
    if not isinstance(said, dict):
        raise ValueError("it is no JSON object")
    if said.pop("version", None) != _VERSION:
        raise ValueError(f"its version is not {_VERSION}: the agent is older or newer than what wrote it")
    for name, value in said.items():
        if name not in Handed._fields:
            raise ValueError(f"it has a field {name[:50]!r} that is not known")
        kinds = _KINDS_OF[type(Handed._field_defaults.get(name, ""))]
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ValueError(f"its {name} is of the wrong kind")
        if isinstance(value, list) and not all(isinstance(each, str) for each in value):
            raise ValueError(f"its {name} is no list of texts")
    try:
        values: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in said.items()}
        post = Handed(**values)
    except TypeError as error:
        raise ValueError(f"it lacks a field: {error}") from None
    for wrong in (*too_many(post), *_unusable(post)):
        raise ValueError(wrong)
    return post


def too_many(post: Handed) -> Iterator[str]:
    """What a post has more of than an agent takes, in words."""
    for name, said in post._asdict().items():
        if isinstance(said, list | tuple) and len(said) > _MOST:
            yield f"{len(said)} are too many for {name}: at most {_MOST} are taken"


def too_long(post: Handed) -> Iterator[str]:
    """Whether its words are more than an agent takes."""
    if len(_written(post)) > LONGEST - _ROOM:
        yield f"the text is too long: at most {(LONGEST - _ROOM) >> 20} MB are taken; post it as a file"


def _unusable(post: Handed) -> Iterator[str]:
    """What is of the right kind, and nothing that an agent could store, compute with or show."""
    if post.kind not in KINDS:
        yield f"its kind is {post.kind[:50]!r}, and none of {', '.join(KINDS)}"
    if post.access not in ACCESS:
        yield f"its access is {post.access[:50]!r}, and none of {', '.join(ACCESS[1:])}"
    if not 0 < len(post.token) <= _LONGEST_TOKEN:
        yield f"its token has {len(post.token)} characters, and not 1 to {_LONGEST_TOKEN}"
    for name, value in post._asdict().items():
        texts = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
        if not all(map(_is_text, texts)):
            yield f"its {name} has halves of letters, which are no text"
    if any(len(name) > _LONGEST_NAME for name in post.files):
        yield f"the name of one of its files has more than {_LONGEST_NAME} characters"
    if not 0 <= post.state_within <= LONGEST_STORY:  # nor is NaN
        yield "its state_within is no time of nothing to a hundred years, in seconds"
    if not 0 <= post.handed_at <= clock.LATEST.timestamp():
        yield "its handed_at is no time, in seconds since 1970"
    try:
        clock.read(post.created or "1970-01-01")
    except ValueError as error:
        yield f"its created is no time: {error}"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _write(path: Path, source: Path | IO[bytes] | bytes, owner: os.stat_result | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    with open(descriptor, "wb") as target:
        if isinstance(source, bytes):
            target.write(source)
        elif isinstance(source, Path):
            with source.open("rb") as stream:
                _copy(stream, target)
        else:
            _copy(source, target)
        target.flush()
        with contextlib.suppress(PermissionError):
            os.fchmod(target.fileno(), 0o640)
        if owner is not None:
            os.fchown(target.fileno(), owner.st_uid, owner.st_gid)
        os.fsync(target.fileno())


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while chunk := source.read(_CHUNK):
        target.write(chunk)


def _remove(making: Path) -> None:
    with contextlib.suppress(OSError):  # what stays, the agent removes
        for file in making.iterdir():
            file.unlink()
        making.rmdir()


def _flush(folder: Path, owner: os.stat_result | None = None) -> None:
    follow = 0 if owner is None else os.O_NOFOLLOW  # the drop folder itself may be a link
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | follow)
    try:
        if owner is not None:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
