"""Finds the very programs and libraries that a core dump was made of, by their build-ids."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import IO

from mediaagent.builtin.evidence.elf_files import Kind, build_id_in, kind_of

__all__ = ["Shelf"]

_MOST_FILES = 50_000  # looked at below `binaries`
_MOST_SECONDS = 5.0
_MOST_COPIES = 16  # of one build
_PROGRAMS = (2, 3)  # e_type: ET_EXEC, ET_DYN


class Shelf:
    """The programs below some folders. They are looked through once, when the first is asked for."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    @cached_property
    def _found(self) -> Mapping[str, Sequence[Path]]:
        found: dict[str, list[Path]] = {}
        for file in _programs(self._folders):
            with suppress(OSError), _opened(file) as stream:
                if build_id := build_id_in(stream):
                    found.setdefault(build_id, []).append(file)
        return found

    def _first(self, build_id: str, kind: Kind) -> Path | None:
        for file in self._found.get(build_id, ())[:_MOST_COPIES]:
            with suppress(OSError), _opened(file) as stream:
                if kind_of(stream) == kind:
                    return file
        return None

    def program(self, build_id: str) -> Path | None:
        """The file of that build; of two, the one with symbols."""
        return self._first(build_id, "symbols") or self._first(build_id, "stripped")

    def debug(self, build_id: str) -> Path | None:
        """The file with nothing but its symbols (NAME.debug)."""
        return self._first(build_id, "debug")

    def here(self, files: Mapping[str, str]) -> dict[str, Path]:
        """Of files and their build-ids, those that this machine has: on the shelf, or still where they were."""
        found = ((file, self.program(each) or _same_build(Path(file), each)) for file, each in files.items())
        return {file: path for file, path in found if path}


def _same_build(file: Path, build_id: str) -> Path | None:
    if not build_id or not file.is_absolute():
        return None
    with suppress(OSError, ValueError), _opened(file) as stream:
        return file if build_id_in(stream) == build_id else None
    return None


def _programs(folders: Iterable[Path]) -> Iterator[Path]:
    """Executables and libraries below these folders; links are not followed."""
    looked_at, until = 0, time.monotonic() + _MOST_SECONDS
    for folder in folders:
        for place, folders_below, names in os.walk(folder):
            folders_below.sort()
            for name in sorted(names):
                looked_at += 1
                if looked_at > _MOST_FILES or time.monotonic() > until:
                    return
                file = Path(place, name)
                if not file.is_symlink() and _is_program(file):
                    yield file


def _is_program(file: Path) -> bool:
    with suppress(OSError), _opened(file) as stream:
        head = stream.read(18)
        kind = int.from_bytes(head[16:18], "big" if head[5:6] == b"\2" else "little")
        return head[:4] == b"\x7fELF" and kind in _PROGRAMS
    return False


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """A regular file: opening a device or a pipe may do something, or wait. Raises OSError."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(f"{file} is no regular file")
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(f"{file} is no regular file")
        yield stream
