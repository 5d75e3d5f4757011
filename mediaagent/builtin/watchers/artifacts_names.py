"""What a file of a test run is, by its name."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["ABOUT", "PICTURES", "Kind", "kind_of"]

#: Names of files that say what a run is: the first that is there counts.
ABOUT = ("mediaagent.json", "run.json")
#: What screenshots are by content.
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif")

#: `other`: surely nothing of these. `unknown`: a core dump may have any name (core_pattern is a setting of the system).
Kind = Literal["report", "core", "log", "screenshot", "trace", "other", "unknown"]

_BY_ENDING: dict[str, Kind] = {
    "xml": "report",
    **dict.fromkeys(("log", "txt", "tap"), "log"),
    **dict.fromkeys(("png", "jpg", "jpeg", "webp", "gif"), "screenshot"),
}
#: The kernel's core, core.PID, core.NAME.PID.TIME; systemd-coredump's core.….zst; Valgrind's vgcore.PID; NAME.core.
_CORE = re.compile(r"(?:vg)?core(?:[.!_-].*)?|.+\.core(?:\.zst)?", re.DOTALL)
_NUMBERED = re.compile(r"(?:vg)?core(?:[.!_-].*)?[.!_-]\d{2,}(?:[.!_-].*)?", re.DOTALL | re.ASCII)
_OUTPUT = re.compile(r"(?:console|stdout|stderr|output)(?:[._-]?\d+)?|.*\.(?:out|err)", re.DOTALL | re.ASCII)
_TRACE = re.compile(r".*trace.*\.zip", re.DOTALL)
_OTHER = re.compile(
    r".*\.(?:a|apk|avi|bin|bz2|c|cc|class|cpp|cs|css|csv|d|deb|dll|exe|gcda|gcno|gcov|go|gz|h|hpp|htm|html|ico|info|ini|"
    r"jar|java|js|json|jsonl|jsx|kt|lock|map|md|mjs|mkv|mov|mp4|o|pdb|pdf|php|pid|py|pyc|rb|rs|rst|scss|sh|so|sql|svg|"
    r"swift|tar|tgz|toml|ts|tsx|ttf|war|webm|whl|woff2?|xz|yaml|yml|zip)",
    re.DOTALL,
)


def kind_of(name: str) -> Kind:
    """By the name alone, without folders.

    >>> [kind_of(name) for name in ("junit.xml", "core.bad-worker.14005.1795404776", "core.log", "trace.zip", "a.out")]
    ['report', 'core', 'log', 'trace', 'log']
    >>> kind_of("core.py"), kind_of("core.4711.worker.py"), kind_of("crash-4711")
    ('other', 'core', 'unknown')
    """
    low = name.lower()
    by_ending = _BY_ENDING.get(low.rpartition(".")[2]) if "." in low else None
    if by_ending:
        return by_ending
    if _NUMBERED.fullmatch(name):  # a program may well be called worker.py, or a.out
        return "core"
    if _OUTPUT.fullmatch(low):
        return "log"
    if _TRACE.fullmatch(low):
        return "trace"
    if _OTHER.fullmatch(low):
        return "other"
    return "core" if _CORE.fullmatch(name) else "unknown"
