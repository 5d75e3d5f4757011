"""Work on several things at once, where a library does it without the interpreter's lock (OpenCV, files)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["side_by_side"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
#: Each has a picture in memory.
_MOST = 4


def side_by_side(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """`work` on each item, in order; as many at once as there are processors. Raises what the first failure raises."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_MOST, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))
