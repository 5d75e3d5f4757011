"""What a run's facts tell of a core dump; the enricher `triage` tells more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mediaagent.builtin.evidence.core_file import opened
from mediaagent.builtin.evidence.cores import NotReadable, Refused, describe

__all__ = ["core_in"]


def core_in(path: Path) -> dict[str, Any]:
    """Which program, and by what signal. What can't be read was a crash all the same, unless it is no dump at all.

    `refused`: it is a set-uid program's, which nobody is to get."""
    try:
        core = describe(path)
    except NotReadable as error:
        nothing = {"program": "", "command": "", "signal": 0, "signal_name": "", "pid": 0}
        refused = {"refused": True} if isinstance(error, Refused) else {}
        return {**nothing, "crashed": _may_be_one(path), "problem": str(error), **refused}
    return {
        "program": core.program,
        "command": core.command,
        "signal": core.signal,
        "signal_name": core.signal_name,
        "pid": core.pid,
        "crashed": core.crashed,
        "problem": core.problem,
    }


def _may_be_one(path: Path) -> bool:
    """Packed files are taken by their names; only unpacking tells what is in them."""
    try:
        with opened(path) as dump:
            return dump.read(4) in (b"", b"\x7fELF")
    except NotReadable:
        return True
