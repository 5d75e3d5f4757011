"""Which file of a process lies where in its memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Mapping", "ModuleMap", "without_mark"]

_DELETED = " (deleted)"  # what the kernel puts behind the path of a file that is gone


class Mapping(NamedTuple):
    """A piece of memory that shows a file."""

    start: int
    end: int
    offset: int  # bytes into the file
    path: str  # as the system gives it, see PEP 383


class ModuleMap:
    """Finds the file of an address."""

    def __init__(self, mappings: Iterable[Mapping]) -> None:
        self._pieces = sorted(mappings)
        self._starts = [each.start for each in self._pieces]
        self._bases = self._begins()

    def _begins(self) -> list[int]:
        """Of each piece, where its file begins in memory. Pieces of a file follow each other; in small files the second
        one may show the first page, too."""
        begins: dict[str, int] = {}
        bases, before = [], ""
        for each in self._pieces:
            if each.path != before and (each.offset == 0 or each.path not in begins):
                begins[each.path] = each.start - each.offset
            bases.append(begins[each.path])
            before = each.path
        return bases

    def at(self, address: int | None) -> tuple[str, int | None]:
        """The file, and how far from its beginning in memory (what addr2line takes for a PIE); "" and None for none."""
        at = -1 if address is None else bisect_right(self._starts, address) - 1
        if at < 0 or address is None or address >= self._pieces[at].end:
            return "", None
        return without_mark(self._pieces[at].path), address - self._bases[at]


def without_mark(path: str) -> str:
    """The path of a file that may be gone."""
    return path.removesuffix(_DELETED)
