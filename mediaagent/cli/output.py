"""What commands write: lines, tables, JSON, problems; fit for any terminal and any file name.

Every command imports this, also those that have to be quick; so it imports the rest where it is used.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import mediaagent

if TYPE_CHECKING:
    import threading

    import click

    from mediaagent.model import Problem

__all__ = [
    "ago",
    "duration",
    "hush",
    "local",
    "offer",
    "offer_json",
    "printable",
    "progress",
    "say",
    "say_json",
    "sending",
    "show_bug",
    "show_problems",
    "table",
    "tell",
    "when",
]


def printable(name: object) -> str:
    """A file name fit for a terminal, a log and JSON."""
    from mediaagent import model

    return model.printable(name)


def say(text: str = "") -> None:
    """A line for the reader, or the next program."""
    _write(sys.stdout, text)


def offer(text: str) -> None:
    """A line for the reader, if there is one: what was done stays done, and its exit code tells, whoever listens."""
    try:
        say(text)
    except OSError as error:
        if error.errno != errno.EPIPE:  # `… | true`: who listens no more has heard enough
            tell(f"this could not be written: {error.strerror}")
        hush()


def tell(text: str) -> None:
    """A line for the one at the keyboard only; where that can't be written, the exit code has to do."""
    with suppress(OSError):
        _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


def hush() -> None:
    """Nothing more is written, at the end of the process neither."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_json(document: Any) -> None:
    """One JSON document, in ASCII: no terminal can spoil it."""
    say(_json(document))


def offer_json(document: Any) -> None:
    """The same for the reader, if there is one."""
    offer(_json(document))


def _json(document: Any) -> str:
    import json

    return json.dumps(document, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return when(value)
    return printable(value)


def when(moment: datetime | None) -> str | None:
    """For JSON: local time with its offset."""
    return moment.astimezone().isoformat(timespec="seconds") if moment else None


def local(moment: datetime) -> str:
    """For people: local time, without a year that is this one anyway."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(span: timedelta) -> str:
    """A span in one unit: "12 s", "3 min", "2 h", "5 d"."""
    seconds = abs(span.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size * 2:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def show_problems(problems: Iterable[Problem]) -> None:
    """Each with its place and what to do."""
    for problem in problems:
        tell(("warning: " if problem.severity == "warning" else "") + str(problem))


def show_bug(error: BaseException, command: str) -> int:
    """A report that is ready to paste; settings and keys are not in it."""
    import platform
    import traceback

    tell("This is a mistake in mediaagent, and not yours. Please report it with the lines below.\n")
    tell(f"mediaagent {mediaagent.__version__}, Python {platform.python_version()}, {platform.platform()}")
    tell(f"command: {printable(command)}\n")
    tell("".join(traceback.format_exception(error)).rstrip())
    return 2


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, width: int | None = None) -> Iterator[str]:
    """Lines of a table; where it is too wide, the last column is cut, on a terminal only."""
    import shutil

    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(head), *cells]) for column in range(len(head))]
    limit = width or (shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000)
    for row in [list(head), *cells]:
        line = "  ".join(cell.ljust(widths[column]) for column, cell in enumerate(row)).rstrip()
        yield line if len(line) <= limit else line[: max(limit - 3, 20)] + "..."


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Says that it goes on, on a terminal, from the first second on."""
    if not sys.stderr.isatty():
        yield
        return
    import threading

    ended = threading.Event()
    thread = threading.Thread(target=_count, args=(what, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _count(what: str, ended: threading.Event) -> None:
    started, width = time.monotonic(), 0
    while not ended.wait(1.0):
        line = f"{what}: {time.monotonic() - started:.0f} s"
        width = len(line)
        sys.stderr.write(f"\r{line}")
        sys.stderr.flush()
    if width:
        sys.stderr.write(f"\r{' ' * width}\r")


@contextmanager
def sending() -> Iterator[None]:
    """A bar for each large request that leaves meanwhile, on a terminal."""
    from mediaagent import transfer

    if not sys.stderr.isatty():
        yield
        return
    shown = [0.0, 0]  # when, and how wide

    def show(sent: int, of: int) -> None:
        now = time.monotonic()
        if of < _LARGE or (sent < of and now - shown[0] < _BLINK):
            return
        done = sent * _BAR // of
        line = f"[{'#' * done}{'-' * (_BAR - done)}] {sent / 1e6:.1f} of {of / 1e6:.1f} MB"
        sys.stderr.write(f"\r{line.ljust(int(shown[1]))}")
        sys.stderr.flush()
        shown[:] = now, len(line)

    with transfer.heard(show):
        yield
    if shown[1]:
        sys.stderr.write(f"\r{' ' * int(shown[1])}\r")


#: Bytes from which on a request has a bar; its width; seconds between two looks.
_LARGE, _BAR, _BLINK = 1_000_000, 30, 0.1


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    """A click callback: "30s" as a timedelta."""
    import click

    from mediaagent.options import convert

    try:
        return None if value is None else convert(value, timedelta, Path())
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
