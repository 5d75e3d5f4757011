"""Finds what Python says when it fails, in logs of any length: tracebacks, faulthandler's words, pytest's sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from mediaagent.api import printable

__all__ = ["Trouble", "troubles_in"]

_HEAD, _TAIL = 256 << 10, 1 << 20  # bytes that are read of a log
_LONGEST_LINE = 400
_MOST_LINES = 30  # of one trouble
_MOST_FOUND = 50  # in one log
_LONGEST_TRACEBACK = 2000  # lines

_COLOURS = re.compile(r"\x1b\[[0-9;:]*[A-Za-z]")
_FATAL = re.compile(r"(Fatal Python error: .*|Timeout \(\d+:\d\d:\d\d(?:\.\d+)?\)!)$")
_CURRENT = re.compile(r"(Current thread|Thread) 0x[0-9a-f]+ .*\(most recent call first\):")
_FILE = re.compile(r'  File ".*", line \S+ in ')
_TRACEBACK = re.compile(r"(\s*(?:[|+]\s+)?)Traceback \(most recent call last\):$")
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:: .*|$)")
_CHAINED = re.compile(
    r"(During handling of the above exception, another exception occurred|"
    r"The above exception was the direct cause of the following exception):$"
)
_SECTION = re.compile(r"_{3,} (\S.*\S|\S) _{3,}$")
_BANNER = re.compile(r"={3,} .* ={3,}$")
_MARKED = re.compile(r"E {3,}")
_PLACE = re.compile(r"\S+:\d+: \w[\w.]*$")


class Trouble(Struct, frozen=True):
    """One failure that a log tells of."""

    exception: str  # its line: "ZeroDivisionError: division by zero"
    excerpt: str
    test: str = ""  # pytest's name of it: "TestPress.test_squeeze"


def troubles_in(log: Path) -> list[Trouble]:
    """What is found at the log's beginning and end; the same exception with the same words once. Raises OSError."""
    found: dict[tuple[str, str], Trouble] = {}
    for piece in _pieces(log):
        lines = [_clean(line) for line in piece.splitlines()]
        for trouble in _read(lines):
            if len(found) < _MOST_FOUND:
                found.setdefault((trouble.exception, trouble.test), trouble)
    return list(found.values())


def _pieces(log: Path) -> Iterator[str]:
    """The whole of it, or its ends."""
    with open(log, "rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        if size <= _HEAD + _TAIL:
            yield stream.read(_HEAD + _TAIL).decode("utf-8", "replace")
            return
        yield stream.read(_HEAD).decode("utf-8", "replace")
        stream.seek(size - _TAIL)
        yield stream.read(_TAIL).decode("utf-8", "replace")


def _clean(line: str) -> str:
    """Without colours; what else controls a terminal can be read."""
    line = _COLOURS.sub("", line)[:_LONGEST_LINE].rstrip()
    return line if line.isprintable() else "\t".join(map(printable, line.split("\t")))


def _read(lines: Sequence[str]) -> Iterator[Trouble]:
    at = 0
    while at < len(lines):
        for reader in (_fatal, _traceback, _section):
            trouble, end = reader(lines, at)
            if trouble:
                yield trouble
                at = end
                break
        else:
            at += 1


def _fatal(lines: Sequence[str], at: int) -> tuple[Trouble | None, int]:
    """faulthandler (and CPython's own end): the thread that failed, the innermost call first.

    Its first words may stand behind others: it writes into a line that pytest has begun."""
    first = _FATAL.search(lines[at])
    if not first:
        return None, at
    kept, end, ours = [first[1]], at + 1, True
    while end < len(lines) and (not lines[end] or _CURRENT.match(lines[end]) or _FILE.match(lines[end])):
        if head := _CURRENT.match(lines[end]):
            ours = head[1] == "Current thread" or first[1].startswith("Timeout")
        if ours and lines[end]:
            kept.append(lines[end])
        end += 1
    return Trouble(first[1], _cut(kept, tail=0)), end


def _traceback(lines: Sequence[str], at: int) -> tuple[Trouble | None, int]:
    """A traceback, with those that led to it."""
    kept: list[str] = []
    exception, end = "", at
    while end < len(lines) and (opening := _TRACEBACK.match(lines[end])):
        last = _end_of(lines, end + 1, opening[1])
        if last is None:
            break
        kept += [line.removeprefix(opening[1]) for line in lines[end : last + 1]]
        exception, end = lines[last].removeprefix(opening[1]), last + 1
        chained = [n for n in range(end, min(end + 3, len(lines))) if _CHAINED.search(lines[n])]
        if not chained:
            break
        kept += ["", lines[chained[0]].strip(), ""]
        end = next((n for n in range(chained[0] + 1, min(chained[0] + 3, len(lines))) if lines[n]), len(lines))
    return (Trouble(exception, _cut(kept)), end) if exception else (None, at)


def _end_of(lines: Sequence[str], at: int, indent: str) -> int | None:
    """The line of the exception: the first that is not further in."""
    for end in range(at, min(at + _LONGEST_TRACEBACK, len(lines))):
        line = lines[end].removeprefix(indent)
        if line and not line.startswith(" "):
            return end if _EXCEPTION.match(line) else None
    return None


def _section(lines: Sequence[str], at: int) -> tuple[Trouble | None, int]:
    """pytest's section of a failing test: its lines that are marked with E, what they are about, and where."""
    title = _SECTION.match(lines[at])
    if not title:
        return None, at
    end = at + 1
    while end < len(lines) and not (_SECTION.match(lines[end]) or _BANNER.match(lines[end])):
        end += 1
    inside = lines[at + 1 : end]
    told = [line for line in inside if _MARKED.match(line)]
    if not told:
        return None, at
    exception = _MARKED.sub("", told[0])
    kept = [line for line in inside if line.startswith("> ") or _MARKED.match(line) or _PLACE.match(line)]
    return Trouble(exception, _cut(kept), title[1]), end


def _cut(lines: Sequence[str], tail: int = _MOST_LINES // 2) -> str:
    """The first lines, and the last so many."""
    if len(lines) <= _MOST_LINES:
        return "\n".join(lines)
    head = _MOST_LINES - tail - 1
    left_out = f"[… {len(lines) - head - tail} lines …]"
    return "\n".join([*lines[:head], left_out, *lines[len(lines) - tail :]])
