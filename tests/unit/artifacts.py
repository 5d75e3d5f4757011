"""Parts of test runs, as the core would make them of files."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from mediaagent.api import Part, Sighting
from mediaagent.builtin.watchers.artifacts import Artifacts
from mediaagent.testing.files import MOMENT, part_of

__all__ = ["LATER", "ROOT", "RUN", "artifacts", "core", "grouped", "part", "report"]

RUN = Path(__file__).parents[1] / "data" / "artifacts" / "run"
ROOT = Path("/var/lib/runs")
LATER = timedelta(minutes=5)


def artifacts(**options: Any) -> Artifacts:
    return Artifacts(**{"path": ROOT, **options})


def part(
    watcher: Artifacts,
    name: str,
    content: str = "",
    *,
    second: float = 0,
    copy: int = 1,
    event_key: str = "",
    size: int | None = None,
    **facts: object,
) -> Part:
    """The part of a file that was last changed `second` seconds after MOMENT."""
    at = MOMENT + timedelta(seconds=second)
    made = part_of(watcher, ROOT / name, content=(content or name).encode(), seen_at=at, event_key=event_key, **facts)
    assert made is not None, name
    return replace(made, copy=copy, size=made.size if size is None else size)


def report(
    watcher: Artifacts, name: str, *, passed: int = 0, bad: tuple[str, ...] = (), broken: str = "", **rest: Any
) -> Part:
    """A report with so many passed tests, and one failure for each of `bad`."""
    failures = [{"classname": "t", "name": each, "state": "failure", "message": f"{each}!\nmore"} for each in bad]
    said = {"suites": 1, "tests": passed + len(bad), "passed": passed, "failed": len(bad), "errors": 0, "skipped": 0}
    junit: dict[str, Any] = {**said, "bad": failures, "bad_more": 0} | ({"broken": broken} if broken else {})
    return part(watcher, name, rest.pop("content", f"{passed} {bad} {broken}"), junit=junit, **rest)


def core(watcher: Artifacts, name: str, program: str = "/bin/press", signal: int = 11, **rest: Any) -> Part:
    """A core dump; signal 0: of a living process."""
    said = {"program": program, "command": program, "signal": signal, "pid": 4711, "problem": ""}
    said |= {"signal_name": "SIGSEGV" if signal else "", "crashed": bool(signal)}
    return part(watcher, name, rest.pop("content", ""), core=said, **rest)


def grouped(watcher: Artifacts, *parts: Part, at: datetime = MOMENT + LATER) -> list[Sighting]:
    return sorted(watcher.group(parts, at), key=lambda sighting: sighting.parts[0].name)
