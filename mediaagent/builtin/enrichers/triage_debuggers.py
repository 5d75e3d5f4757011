"""Asks a debugger for the stack of the thread that crashed.

Neither may run anything that comes with a core or a program (`.gdbinit`, scripts in debug information, libraries of the
machine that crashed), ask a server for debug information, or tell the values of arguments.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePath
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from mediaagent.builtin.enrichers.triage_programs import Shelf
from mediaagent.builtin.enrichers.triage_stack import Frame, readable
from mediaagent.builtin.enrichers.triage_tools import lines_of
from mediaagent.builtin.evidence.cores import Core
from mediaagent.builtin.evidence.module_map import ModuleMap

__all__ = ["Debugger", "Evidence", "backtrace", "gdb_frames", "installed", "may_be_asked"]

Debugger = Literal["auto", "eu-stack", "gdb", "none"]

_MOST_FRAMES = 4096
_MACHINES = {"x86_64": ("EM_X86_64", "EM_386"), "aarch64": ("EM_AARCH64", "EM_ARM"), "armv7l": ("EM_ARM",)}
_MACHINES |= {"i686": ("EM_386",), "riscv64": ("EM_RISCV",), "ppc64le": ("EM_PPC64",), "s390x": ("EM_S390",)}


class Evidence(Struct, frozen=True, dict=True):
    """A core, and what belongs to it."""

    file: Path  # the dump, unpacked
    core: Core
    build_ids: Mapping[str, str]  # of all mapped files
    shelf: Shelf

    @cached_property
    def here(self) -> Mapping[str, Path]:
        """Mapped file -> the same build on this machine."""
        return self.shelf.here(self.build_ids)

    @cached_property
    def program(self) -> Path | None:
        return self.shelf.here({self.core.image: self.core.build_id}).get(self.core.image)

    @cached_property
    def modules(self) -> ModuleMap:
        return ModuleMap(self.core.mappings)


def installed(debugger: Debugger) -> list[tuple[str, str]]:
    """Name and path of those that may be used and are there, the quicker one first."""
    wanted = ("eu-stack", "gdb") if debugger == "auto" else (debugger,)
    return [(name, found) for name in wanted if name != "none" and (found := shutil.which(name))]


def may_be_asked(core: Core) -> bool:
    """Whether it is of a machine like this one."""
    return core.machine in _MACHINES.get(platform.machine(), ())


def backtrace(evidence: Evidence, debugger: Debugger, folder: Path, until: float) -> list[Frame]:
    """The frames of the thread that crashed, the innermost first; none where no debugger can tell them.

    `folder`: for a moment's links. `until`: the monotonic time at which it has to end.
    """
    with tempfile.TemporaryDirectory(prefix="triage-", dir=folder) as name:
        for tool, path in installed(debugger):
            found = list(_ASKED[tool](path, evidence, Path(name), until))
            if found:
                return found
    return []


# --- eu-stack (elfutils) ----------------------------------------------------------------------------------------------

_EU_FRAME = re.compile(r"#\d+ +0x([0-9a-f]+)(?: - 1)?(?: (.*))?")
_EU_SOURCE = re.compile(r" {4}(\S.*?):(\d+)(?::\d+)?")


class _Line(Struct, frozen=True):
    """A frame as eu-stack tells it."""

    pc: int
    function: str
    source: str = ""


def _eu_stack(path: str, evidence: Evidence, folder: Path, until: float) -> list[Frame]:
    """Asks for names first, with the system's debug information (/usr/lib/debug) as well, then for lines and inlined
    functions of what has its own: those of the C library would take four times as long as all the rest.

    It takes files of the right build only: those that the core names, and those under .build-id."""
    _shelve(evidence, folder)
    command = [path, "-n", str(_MOST_FRAMES), f"--core={evidence.file}"]
    command += [f"--executable={evidence.program}"] if evidence.program else []
    named = _first_thread([*command, f"--debuginfo-path=:.debug:/usr/lib/debug:{folder}"], folder, until)
    detailed = _first_thread([*command, "-i", "-s", f"--debuginfo-path=:.debug:{folder}"], folder, until)
    names = {line.pc: line.function for line in named}
    lines = detailed if len(detailed) >= len(named) else named
    return [
        replace(
            _frame(line.function if line.source else names.get(line.pc) or line.function, line.pc, evidence),
            source=line.source,
        )
        for line in lines
    ]


def _first_thread(command: Sequence[str], folder: Path, until: float) -> list[_Line]:
    """That is the one that crashed."""
    found: list[_Line] = []
    threads = 0
    with lines_of(command, folder, until) as lines:
        for line in lines:
            threads += line.startswith("TID ")
            if threads > 1 or len(found) > _MOST_FRAMES:
                break
            if frame := _EU_FRAME.fullmatch(line):
                found.append(_Line(int(frame[1], 16), frame[2] or ""))
            elif found and (source := _EU_SOURCE.fullmatch(line)):
                found[-1] = replace(found[-1], source=_source(source[1], source[2]))
    return found


def _shelve(evidence: Evidence, folder: Path) -> None:
    """Makes what is on the shelf findable by build-id: .build-id/ab/cdef…, and with .debug its symbols."""
    for build_id in set(evidence.build_ids.values()):
        links = {"": evidence.shelf.program(build_id), ".debug": evidence.shelf.debug(build_id)}
        for ending, target in links.items():
            if target and re.fullmatch(r"[0-9a-f]{4,64}", build_id):
                _link(folder / ".build-id" / build_id[:2] / f"{build_id[2:]}{ending}", target)


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        link.symlink_to(target)


# --- gdb --------------------------------------------------------------------------------------------------------------

_GDB_FRAME = re.compile(r"#(\d+) +(?:0x([0-9a-f]+) in )?")
_GDB_SOURCE = re.compile(r"(.+):(\d+)")
_GDB_SETTINGS = (
    "set auto-load off",
    "set debuginfod enabled off",
    "set libthread-db-search-path",
    "set python print-stack none",
    "set print frame-arguments none",
    "set print entry-values no",
    "set print frame-info location-and-address",
    "set style enabled off",
    "set width 0",
)


def _gdb(path: str, evidence: Evidence, folder: Path, until: float) -> list[Frame]:
    """It would take any library under the name that the core gives; so it sees none but those of the right build."""
    if not evidence.program:
        return []
    _shelve(evidence, folder)
    for file, target in evidence.here.items():
        for name in _names(PurePath(file).name):
            _link(folder / "libraries" / name, target)
    _link(folder / "program", evidence.program)
    _link(folder / "core", evidence.file.absolute())
    places = (
        f"debug-file-directory /usr/lib/debug:{folder}",
        f"sysroot {folder}/none",
        f"solib-search-path {folder}/libraries",
    )
    settings = (*_GDB_SETTINGS, *(f"set {each}" for each in places))
    command = [path, "-nx", "-q", "-batch", *(word for each in settings for word in ("-iex", each))]
    command += [f"--exec={folder}/program", f"--symbols={folder}/program", f"--core={folder}/core"]
    with lines_of([*command, "-ex", f"backtrace {_MOST_FRAMES}"], folder, until) as lines:
        return gdb_frames(lines, evidence)


def _names(name: str) -> Iterator[str]:
    """Those by which programs ask for a library: libffi.so.8.1.2 is also libffi.so.8."""
    yield name
    while (shorter := re.sub(r"\.\d+$", "", name)) != name:
        yield shorter
        name = shorter


def gdb_frames(lines: Iterable[str], evidence: Evidence) -> list[Frame]:
    """It tells the first frame when it has read the core, and again in the backtrace."""
    frames: list[Frame] = []
    for line in lines:
        if not (found := _GDB_FRAME.match(line)):
            continue
        if found[1] == "0":
            frames.clear()
        function, source = _gdb_words(line[found.end() :])
        frame = _frame("" if function == "??" else function, int(found[2], 16) if found[2] else None, evidence)
        frames.append(replace(frame, source=source))
    return frames


def _gdb_words(told: str) -> tuple[str, str]:
    """Function and source of `press (n=...) at src/press.c:4`, or of `press () from /usr/lib/libpress.so`.

    Not by one pattern: a name made for it would keep that busy for hours."""
    before, _, end = told.rpartition(") at ")
    place = _GDB_SOURCE.fullmatch(end) if before else None
    if not place:
        before = told.rpartition(") from ")[0] or told.removesuffix(")")
    function = before.rpartition(" (")[0] or before
    return function, _source(place[1], place[2]) if place else ""


# --- both -------------------------------------------------------------------------------------------------------------

_ASKED = {"eu-stack": _eu_stack, "gdb": _gdb}


def _frame(function: str, pc: int | None, evidence: Evidence) -> Frame:
    module, offset = evidence.modules.at(pc)
    return Frame(readable(function), os.path.basename(module), offset)  # noqa: PTH119  no path of ours


def _source(file: str, line: str) -> str:
    """File and line; of a path from the root on, which names somebody's home, only the end."""
    path = PurePath(file)
    return f"{PurePath(*path.parts[-2:]) if path.is_absolute() else path}:{line}"
