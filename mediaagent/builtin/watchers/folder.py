"""The watcher `folder`: any folder, one file one event."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace

from mediaagent.api import Claim, Defaults, Ignored, Part, SeenFile, Sighting, one_by_one, option, plugin
from mediaagent.builtin.watchers.passing import passing

__all__ = ["Folder"]

_FACTS = {
    "name": "the file's name",
    "stem": "the file's name without its extension",
    "folder": 'the folders below `path` that it lies in; "" when it lies in `path` itself',
    "size": "bytes",
    "media_type": 'what it is by its content: "image/jpeg", "audio/x-wav", …',
}
_KINDS = {"image": "picture", "audio": "audio", "video": "video"}

_ELSEWHERE = Ignored("it does not lie below `path`")
_EMPTY = Ignored("it is empty")
_UNWANTED = Ignored("its name matches none of `patterns`")
_IGNORED = Ignored("its name matches one of `ignore`")


def _patterns_check(patterns: list[str]) -> str | None:
    if not patterns:
        return "an empty list would match no file at all"
    return _globs_check(patterns)


def _globs_check(globs: list[str]) -> str | None:
    for glob in globs:
        try:
            _expression([glob])
        except re.error as error:
            return f"{glob!r} is not a pattern: {error}"
    return "an empty pattern" if not all(globs) else None


def _done_check(done: str | None) -> str | None:
    if done is None or (done and "/" not in done):
        return None
    return f'{done!r} can not be put after a file\'s name; write something like ".done"'


@plugin
class Folder:
    """Any folder: each file is an event of its own, and what it is, is told by its content.

    A pattern without "/" is matched against the file's name in any folder; one with "/" against the whole name below
    `path`, where "*" stays within a folder and "**" goes through any number. Upper and lower case are the same.
    """

    path: Path = option("the folder to watch, with all below it")
    patterns: list[str] = option(
        'files to take: ["*.jpg", "reports/**/*.pdf"]', default_factory=lambda: ["*"], check=_patterns_check
    )
    ignore: list[str] = option("files to leave, though `patterns` match them", default_factory=list, check=_globs_check)
    done: str | None = option(
        'a file is finished when a marker lies beside it: ".done" means NAME.done', default=None, check=_done_check
    )
    quiet: timedelta = option("a file is finished after this long without a change", default=timedelta(seconds=2))

    defaults: ClassVar[Defaults] = Defaults(title="{{ stem }}", facts=_FACTS)

    @property
    def roots(self) -> tuple[Path, ...]:
        return (self.path,)

    @cached_property
    def _root(self) -> str:
        return "" if self.path == Path() else os.path.join(self.path, "")  # noqa: PTH118  (a Path ends in no slash)

    @cached_property
    def _wanted(self) -> re.Pattern[str]:
        return _expression(self.patterns)

    @cached_property
    def _unwanted(self) -> re.Pattern[str]:
        return _expression(self.ignore)

    def claim(self, file: SeenFile) -> Claim | Ignored:
        """What matches is taken, markers point to their files, all else is ignored with a reason."""
        path = os.fspath(file.path)
        if not path.startswith(self._root):
            return _ELSEWHERE
        name = path[len(self._root) :]
        if self.done and name.endswith(self.done) and not f"/{name}".endswith("/" + self.done):
            return Ignored("the marker that another file is finished", about=Path(path[: -len(self.done)]))
        temporary = passing(name)
        if temporary is not None:
            return temporary
        if not self._wanted.fullmatch(name):
            return _UNWANTED
        if self._unwanted.fullmatch(name):
            return _IGNORED
        if not file.size:
            return _EMPTY
        return Claim(role="file", quiet=self.quiet, done=Path(path + self.done) if self.done else None)

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        """Each file at once; its kind is that of its content."""
        for sighting in one_by_one([part for part in parts if not part.event_key]):
            (part,) = sighting.parts
            kind = _KINDS.get(part.media_type.partition("/")[0], "file")
            yield replace(sighting, kind=kind, facts=_facts(part))


def _facts(part: Part) -> dict[str, str | int]:
    folder, _, name = part.name.rpartition("/")
    return {
        "name": name,
        "stem": name.rpartition(".")[0] or name,
        "folder": folder,
        "size": part.size,
        "media_type": part.media_type,
    }


# --- globs ------------------------------------------------------------------------------------------------------------

_GLOB = re.compile(
    r"(?P<any>\*\*/)|(?P<all>\*\*)|(?P<star>\*)|(?P<one>\?)|\[(?P<set>!?\]?[^\]]*)\]|(?P<text>.)", re.DOTALL
)
_MEANING = {"any": "(?:.*/)?", "all": ".*", "star": "[^/]*", "one": "[^/]"}


def _expression(globs: Iterable[str]) -> re.Pattern[str]:
    """Names that match one of some globs.

    >>> bool(_expression(["*.jpg"]).fullmatch("a/b/c.JPG")), bool(_expression(["a/*.jpg"]).fullmatch("a/b/c.jpg"))
    (True, False)
    """
    bodies = [("" if "/" in glob else "(?:.*/)?") + _translated(glob.removeprefix("/")) for glob in globs]
    return re.compile("|".join(f"(?:{body})" for body in bodies) or r"(?!)", re.DOTALL | re.IGNORECASE)


def _translated(glob: str) -> str:
    return "".join(_token(token) for token in _GLOB.finditer(glob))


def _token(token: re.Match[str]) -> str:
    if token["text"]:
        return re.escape(token["text"])
    if token["set"] is not None:
        inside = token["set"].replace("\\", r"\\").replace("[", r"\[").replace("&", r"\&").replace("~", r"\~")
        inside = inside.replace("|", r"\|")
        return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
    return _MEANING[token.lastgroup or "text"]
