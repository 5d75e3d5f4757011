"""Explains the core dumps of a run: what each is of, by whose stack it is the same as another."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

from msgspec import Struct

from mediaagent.api import Part
from mediaagent.builtin.enrichers.triage_debuggers import Debugger, Evidence, backtrace, installed, may_be_asked
from mediaagent.builtin.enrichers.triage_programs import Shelf
from mediaagent.builtin.enrichers.triage_stack import Frame, own_frames, stack_hash
from mediaagent.builtin.evidence.core_file import ZSTD, unpacked
from mediaagent.builtin.evidence.cores import Core, NotReadable, Refused, build_ids, describe

__all__ = ["Finding", "explain", "together"]

_LARGEST_UNPACKED = 1 << 30  # bytes: what the workbench's child may write
_AT_ONCE = 4


class Finding(Struct, frozen=True, kw_only=True):
    """What is known of one core dump."""

    part: Part
    core: Core | None = None  # None: it can't be read, or is not to be
    problem: str = ""  # why there is not more
    refused: bool = False  # it is not attached either
    frames: Sequence[Frame] = ()  # from the first one of its own; none without a backtrace

    @property
    def hash(self) -> str:
        """Of its stack; without a backtrace of the program and the place where it crashed, which may be the C library;
        "" for what is no crash, or crashed nowhere that is known."""
        if not self.core or not self.core.crashed:
            return ""
        if self.frames:
            return stack_hash(self.core.signal_name, self.frames)
        if self.core.crash_offset is None:
            return ""
        return stack_hash(self.core.signal_name, [Frame(PurePath(self.core.program).name), place_of(self.core)])


def place_of(core: Core) -> Frame:
    """Where it crashed, without a name."""
    return Frame("", PurePath(core.crash_module).name, core.crash_offset)


def explain(
    parts: Sequence[Part], binaries: Sequence[Path], debugger: Debugger, folder: Path, seconds: float
) -> list[Finding]:
    """Each of these core dumps. `folder`: for a moment's files. `seconds`: for all of their backtraces."""
    shelf, until = Shelf(binaries), time.monotonic() + seconds
    found = []
    for left, part in zip(range(len(parts), 0, -1), parts, strict=True):
        rest = until - time.monotonic()
        share = rest / min(left, _AT_ONCE)  # one that takes for ever leaves something to others
        if rest > 0:
            found.append(_explained(part, shelf, debugger, folder, time.monotonic() + share))
        else:
            found.append(Finding(part=part, problem="there was no time left (option `time_limit` of triage)"))
    return found


def together(findings: Iterable[Finding]) -> list[list[Finding]]:
    """The same crash in one list. What has no hash is by itself."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.hash or finding.part.id, []).append(finding)
    return list(groups.values())


def _explained(part: Part, shelf: Shelf, debugger: Debugger, folder: Path, until: float) -> Finding:
    try:
        core = describe(part.file)
    except NotReadable as error:
        return Finding(part=part, problem=str(error), refused=isinstance(error, Refused))
    frames: list[Frame] = []
    reason = _without_debugger(core, debugger)
    if not reason:
        try:
            frames, reason = _backtrace(part.file, core, shelf, debugger, folder, until)
        except (NotReadable, OSError) as error:
            reason = f"no backtrace: {error}"
    problem = "; ".join(filter(None, [core.problem, reason]))
    return Finding(part=part, core=core, problem=problem, frames=own_frames(frames))


def _backtrace(
    file: Path, core: Core, shelf: Shelf, debugger: Debugger, folder: Path, until: float
) -> tuple[list[Frame], str]:
    """The frames, and why there are none, or why they may lack names. Raises NotReadable or OSError."""
    with _plain(file, folder) as dump:
        evidence = Evidence(dump, core, build_ids(file, core), shelf)
        frames = backtrace(evidence, debugger, folder, until)
    if all(frame.name == "??" for frame in frames):
        frames = []
    if not evidence.program:
        return frames, "names may be missing: no program of this build was found (option `binaries` of triage)"
    return frames, "" if frames else "no backtrace: no debugger could tell the stack"


def _without_debugger(core: Core, debugger: Debugger) -> str:
    """Why none is asked; "" when one is."""
    if debugger == "none":
        return "no backtrace was asked for"
    if not may_be_asked(core):
        return f"no backtrace: it is of another machine ({core.machine.removeprefix('EM_')})"
    if not installed(debugger):
        return "no backtrace: no debugger is installed"
    return ""


@contextmanager
def _plain(file: Path, folder: Path) -> Iterator[Path]:
    """The dump as debuggers read it."""
    with open(file, "rb") as stream:
        packed = stream.read(len(ZSTD)) == ZSTD
    if not packed:
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="triage-", dir=folder) as name:
        target = Path(name, "core")
        unpacked(file, target, _LARGEST_UNPACKED)
        yield target
