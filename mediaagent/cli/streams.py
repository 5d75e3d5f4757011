"""Standard streams that whoever called has closed: the next file that is opened must not take their place."""

from __future__ import annotations

import os
import sys

__all__ = ["mend"]


def mend() -> None:
    """Opens what is closed. To read or to write there is an error, as it would have been, but for the standard error:
    that nobody listens to it is none."""
    # From the lowest number on, since the system gives the lowest that is free.
    if sys.stdin is None:
        sys.stdin = os.fdopen(_held(0, os.O_WRONLY), closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(_held(1, os.O_RDONLY), "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(_held(2, os.O_WRONLY), "w", closefd=False)


def _held(number: int, mode: int) -> int:
    """A descriptor of nothing at this number, also for the programs that are started from here."""
    try:
        os.fstat(number)
    except OSError:
        os.dup2(os.open(os.devnull, mode), number)
    return number
