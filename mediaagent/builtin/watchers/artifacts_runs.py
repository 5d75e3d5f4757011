"""Which files are one test run: those of one folder, or those between two pauses; and which of them count.

A folder may be used again. So where a report, log or core comes under a name that a closed run of this folder has, it
begins another run; whatever else comes is late evidence of that run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from mediaagent.api import Part

__all__ = ["Run", "runs_of"]

#: Roles of files that each run writes anew.
_WRITTEN_ANEW = ("report", "log", "core")


class Run(Struct, frozen=True):
    """Files of one run; those that count are in order of their names, then of time."""

    folder: str  # below the watched folder; "" where that itself is the run's
    closed: str  # the key of the closed event that it goes on with; "" when it is new
    parts: tuple[Part, ...]
    spare: tuple[Part, ...]  # older versions of files that were written again

    @property
    def key(self) -> str:
        """What it is known by: its contents, under their names below its folder; nothing of where that lies."""
        if self.closed:
            return self.closed
        digest = hashlib.sha256()
        for part in self.parts:
            content = part.sha256 or str(part.fingerprint.mtime_ns)  # a file that is only noted has no other
            digest.update("\0".join((self.name_of(part), content, f"{part.copy}\n")).encode())
        return digest.hexdigest()[:32]

    def of(self, role: str) -> list[Part]:
        return [part for part in self.parts if part.role == role]

    def name_of(self, part: Part) -> str:
        """A part's name below the run's folder."""
        return _below(part, self.folder)


def runs_of(parts: Iterable[Part], reopens: bool) -> Iterator[Run]:
    """The runs that have open parts. `reopens`: late parts may join a closed one."""
    fresh: dict[str, list[Part]] = {}
    closed: dict[str, dict[str, list[Part]]] = {}
    for part in parts:
        folder = str(part.facts.get("run", ""))
        if part.event_key:
            closed.setdefault(folder, {}).setdefault(part.event_key, []).append(part)
        else:
            fresh.setdefault(folder, []).append(part)
    for folder, found in fresh.items():
        key, before = _newest(closed.get(folder, {}))
        if not reopens or _is_another(found, before, folder):
            key, before = "", []
        yield _run(folder, key, [*before, *found])


def _newest(closed: dict[str, list[Part]]) -> tuple[str, list[Part]]:
    """The closed run that was seen last, of those of one folder."""
    return max(closed.items(), key=lambda item: (max(part.seen_at for part in item[1]), item[0]), default=("", []))


def _is_another(fresh: Iterable[Part], before: Iterable[Part], folder: str) -> bool:
    names = {_below(part, folder) for part in before if part.role in _WRITTEN_ANEW}
    return any(part.role in _WRITTEN_ANEW and _below(part, folder) in names for part in fresh)


def _run(folder: str, closed: str, parts: Sequence[Part]) -> Run:
    versions: dict[tuple[str, str], list[Part]] = {}
    for part in sorted(parts, key=lambda part: (part.seen_at, part.modified_at, part.id)):
        versions.setdefault((part.name, part.role), []).append(part)
    counting = {part.id for found in versions.values() for part in _counting(found)}
    ordered = sorted(parts, key=lambda part: (part.name, part.seen_at, part.modified_at, part.id))
    return Run(
        folder=folder,
        closed=closed,
        parts=tuple(part for part in ordered if part.id in counting),
        spare=tuple(part for part in ordered if part.id not in counting),
    )


def _counting(versions: Sequence[Part]) -> Iterator[Part]:
    """Of a name's versions the last; but each core is another crash, unless it was taken before it was whole."""
    seen = set()
    for part in versions[:-1]:
        if part.role == "core" and "not_whole" not in part.facts and part.sha256 not in seen:
            seen.add(part.sha256)
            yield part
    if versions[-1].sha256 not in seen or versions[-1].role != "core":
        yield versions[-1]


def _below(part: Part, folder: str) -> str:
    return part.name.removeprefix(f"{folder}/") if folder else part.name
