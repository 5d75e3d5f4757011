"""What a disk may hold after the power went: a model of a file system, fed with what an agent did to its folders.

Each file has its content now and as of its last fsync; each folder its entries now and as of its last fsync. From that
come the images that POSIX allows a power cut to leave:

- `flushed`: nothing that was not flushed, be it content or a name in a folder;
- `names`: every name as it was last, but of each content only what was flushed (ext4 without auto_da_alloc, XFS);
- `chance`: of each file and each folder either the one or the other.

It does not model a disk that lies about flushing, a half-written sector, or writes behind a memory map (SQLite's -shm,
which nobody needs after a power cut).
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["KINDS", "Change", "Disk", "changes"]

KINDS = ("flushed", "names", "chance")


@dataclass(frozen=True)
class Change:
    """One change of a folder. `what`: create truncate write rename link unlink mkdir rmdir sync."""

    what: str
    path: str
    to: str = ""
    offset: int = 0
    data: bytes = b""
    source: str = ""  # where copied bytes come from: a file that nobody changes


@dataclass
class _File:
    now: bytearray = field(default_factory=bytearray)
    kept: bytes = b""


@dataclass
class _Folder:
    now: dict[str, _File | _Folder] = field(default_factory=dict)
    kept: dict[str, _File | _Folder] = field(default_factory=dict)


class Disk:
    """The folders below `roots`, empty at first."""

    def __init__(self, *roots: Path) -> None:
        self._roots = {str(root): _Folder() for root in roots}

    def make(self, change: Change) -> None:
        """Does it. What concerns a file that has no name any more has no consequence after a power cut."""
        folder, name = self._place(change.path)
        if folder is None:
            return
        there = folder.now.get(name) if name else folder
        match change.what:
            case "mkdir" if name:
                folder.now.setdefault(name, _Folder())
            case "create":
                folder.now.setdefault(name, _File())
            case "unlink" | "rmdir":
                folder.now.pop(name, None)
            case "rename" | "link":
                target, called = self._place(change.to)
                if target is not None and there is not None:
                    target.now[called] = there
                    if change.what == "rename":
                        del folder.now[name]
            case "sync" if isinstance(there, _File):
                there.kept = bytes(there.now)
            case "sync" if isinstance(there, _Folder):
                there.kept = dict(there.now)
            case "truncate":
                there = folder.now.setdefault(name, _File())
                if isinstance(there, _File):
                    _resize(there.now, change.offset)
            case "write" if isinstance(there, _File):
                _write(there.now, change)

    def _place(self, path: str) -> tuple[_Folder | None, str]:
        """The folder that holds it, and its name there; of a root itself: that, and ""."""
        for root, top in self._roots.items():
            if path == root:
                return top, ""
            if path.startswith(f"{root}/"):
                *folders, name = path.removeprefix(f"{root}/").split("/")
                here: _File | _Folder | None = top
                for each in folders:
                    here = here.now.get(each) if isinstance(here, _Folder) else None
                return (here, name) if isinstance(here, _Folder) else (None, "")
        return None, ""

    def image(self, kind: str, seed: int = 0) -> Iterator[tuple[Path, bytes | None]]:
        """What lies there after the cut: folders (None) before what they hold, and contents."""
        chance = random.Random(seed)

        def flushed(names: bool) -> bool:
            return {"flushed": True, "names": not names, "chance": chance.random() < 0.5}[kind]

        def walk(folder: _Folder, path: Path) -> Iterator[tuple[Path, bytes | None]]:
            yield path, None
            for name, node in (folder.kept if flushed(True) else folder.now).items():
                if isinstance(node, _Folder):
                    yield from walk(node, path / name)
                else:
                    yield path / name, node.kept if flushed(False) else bytes(node.now)

        for root, top in self._roots.items():
            yield from walk(top, Path(root))


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _write(content: bytearray, change: Change) -> None:
    data = Path(change.source).read_bytes() if change.source else change.data
    end = change.offset + len(data)
    content.extend(bytes(max(end - len(content), 0)))
    content[change.offset : end] = data


def changes(trace: Path) -> Iterator[Change]:
    """What a tracer recorded, up to where it ended."""
    with trace.open("rb") as stream, suppress(EOFError, pickle.UnpicklingError):
        while True:
            yield pickle.load(stream)
