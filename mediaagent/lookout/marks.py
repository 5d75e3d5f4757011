"""Which files need no second look, in little memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

__all__ = ["Marks"]


class Marks(Collection[int]):
    """Marks of files (see `Lookout.mark`), each with the last sweep in which it was met.

    To ask for a mark is to meet it: a walk asks for every file that it passes, so whatever nobody asked for
    during a whole walk belongs to a file that is gone. 200,000 marks take about 20 MB. Single operations may come
    from several threads; a set of marks belongs to one root, because a sweep is a walk of everything it stands for.

    >>> marks = Marks([1, 2])
    >>> with marks.sweep():
    ...     1 in marks, 3 in marks
    (True, False)
    >>> list(marks)
    [1]
    """

    __slots__ = ("_met", "_sweep")

    def __init__(self, marks: Collection[int] = ()) -> None:
        self._sweep = 0
        self._met = dict.fromkeys(marks, 0)

    def __contains__(self, mark: object) -> bool:
        if mark in self._met:
            self._met[mark] = self._sweep
            return True
        return False

    def __iter__(self) -> Iterator[int]:
        return iter(tuple(self._met))

    def __len__(self) -> int:
        return len(self._met)

    def add(self, mark: int) -> None:
        """This file needs no second look as long as it stays as it is."""
        self._met[mark] = self._sweep

    def discard(self, mark: int) -> None:
        """This file is to be looked at again."""
        self._met.pop(mark, None)

    @contextmanager
    def sweep(self) -> Iterator[None]:
        """Around one walk of the whole root: afterwards, what was neither met nor added is forgotten.

        Nothing is forgotten when the block is left by an exception: the walk did not come to its end."""
        self._sweep += 1
        begun = self._sweep
        yield
        for mark, met in tuple(self._met.items()):
            if met < begun:
                self._met.pop(mark, None)
