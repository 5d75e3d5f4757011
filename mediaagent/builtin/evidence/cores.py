"""What a core dump tells of the process that died: which program, by what signal, and where.

Of the process's memory two things are read: the first page of its files (the build-id) and the name that it was started
by. Never its environment, and nothing else of stack and heap. Import this where a file is read, not where a plug-in is
declared: it brings pyelftools, which belongs into the workbench's child.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple, cast

from elftools.elf.elffile import ELFFile

from mediaagent.api import printable
from mediaagent.builtin.evidence import signals
from mediaagent.builtin.evidence.core_file import DumpStream, NotReadable, opened
from mediaagent.builtin.evidence.core_notes import Cause, Mapping, Notes, Process, Thread, read_notes
from mediaagent.builtin.evidence.elf_files import DAMAGE, build_id_in, program_headers

__all__ = ["Core", "Mapping", "NotReadable", "Thread", "build_ids", "describe"]

_AT_PHDR, _AT_SECURE, _AT_EXECFN = 3, 23, 31  # linux/auxvec.h
_MOST_SEGMENTS = 200_000  # three times what Linux allows a process (vm.max_map_count)
_MOST_NOTE_SEGMENTS = 4
_PAGE = 4096
_DELETED = " (deleted)"  # what the kernel puts behind the path of a file that is gone

_SECURE = (
    "its program ran with rights that its user does not have (set-uid, set-gid or capabilities; AT_SECURE in its "
    "auxiliary vector): such a core is not read"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """A core dump, described."""

    program: str  # its path, printable; its name when the dump does not tell the path
    name: str  # as the kernel knows it: at most 15 bytes
    command: str  # at most 80 bytes, printable
    started_as: str  # what it was executed as, printable; a link's name, say
    pid: int
    uid: int
    signal: int  # 0: of a living process (gcore)
    cause: Cause | None
    threads: tuple[Thread, ...]  # the one that crashed comes first; its tid may differ from pid
    mappings: tuple[Mapping, ...]
    image: str  # the path of the program's file as the system gives it; "" when it is not known
    build_id: str  # of the program; "" when it has none, or the page with it is not in the dump
    crash_module: str  # the file in which it crashed, as the system gives it; "": in none
    crash_offset: int | None  # bytes from where that file begins in memory
    machine: str  # pyelftools' word for e_machine: "EM_X86_64"
    problem: str  # why it does not tell more; "" when all is well

    @property
    def crashed(self) -> bool:
        return self.signal != 0

    @property
    def signal_name(self) -> str:
        return signals.name_of(self.signal)

    @property
    def signal_words(self) -> str:
        return signals.words_of(self.signal, self.code)

    @property
    def code(self) -> int:
        """`si_code`: what kind of it."""
        return self.cause.code if self.cause else 0

    @property
    def address(self) -> int | None:
        """Which memory was meant; None where the signal has nothing to do with any."""
        if self.cause and self.crashed and signals.tells_address(self.cause.signal, self.cause.code):
            return self.cause.address
        return None


class _Segment(NamedTuple):
    """A piece of memory that is in the dump."""

    offset: int
    address: int
    size: int


def describe(path: Path) -> Core:
    """Reads a dump of Linux, by the kernel, gcore or systemd-coredump (.zst); of any size in constant memory.

    Raises NotReadable where nothing can be told, and for a program that ran with foreign rights. A dump that is cut
    short or damaged tells what it can; `Core.problem` says what is wrong with it.
    """
    try:
        with opened(path) as dump:
            return _described(dump)
    except DAMAGE as error:
        raise NotReadable(f"it is damaged: {error}") from None


def build_ids(path: Path, core: Core) -> dict[str, str]:
    """File -> build-id of all that was mapped, as far as the dump has their first pages. Raises NotReadable."""
    starts = {each.path: each.start for each in reversed(core.mappings) if each.offset == 0}
    try:
        with opened(path) as dump:
            loads, _ = _segments(_header(dump), dump)
            found = {file: _build_id(dump, loads, start) for file, start in sorted(starts.items(), key=lambda i: i[1])}
    except DAMAGE as error:
        raise NotReadable(f"it is damaged: {error}") from None
    return {file: each for file, each in found.items() if each}


def _described(dump: DumpStream) -> Core:
    elf = _header(dump)
    loads, places = _segments(elf, dump)
    notes = read_notes(elf, dump, places)
    if notes.vector.get(_AT_SECURE):
        raise NotReadable(_SECURE)
    if not notes.threads and not notes.process:
        raise NotReadable(notes.damage or "it has no notes: it tells nothing of a process")
    return _told(elf, dump, loads, notes)


def _header(dump: DumpStream) -> ELFFile:
    dump.seek(0)
    start = dump.read(4)
    if start != b"\x7fELF":
        raise NotReadable("it is empty" if not start else "it is no core dump: it does not begin as ELF files do")
    elf = ELFFile(cast(IO[bytes], dump))
    if elf["e_type"] != "ET_CORE":
        raise NotReadable(f"it is an ELF file, but no core dump ({elf['e_type']})")
    return elf


def _segments(elf: ELFFile, dump: DumpStream) -> tuple[list[_Segment], list[tuple[int, int]]]:
    """What is in the dump of the memory, and where its notes are."""
    loads: list[_Segment] = []
    notes: list[tuple[int, int]] = []
    for segment in program_headers(elf, _MOST_SEGMENTS):
        offset, size = segment["p_offset"], segment["p_filesz"]
        if segment["p_type"] == "PT_LOAD" and size:
            loads.append(_Segment(offset, segment["p_vaddr"], size))
        elif segment["p_type"] == "PT_NOTE" and len(notes) < _MOST_NOTE_SEGMENTS:
            notes.append((offset, size))
    return loads, notes


def _told(elf: ELFFile, dump: DumpStream, loads: Sequence[_Segment], notes: Notes) -> Core:
    process = notes.process or Process("", "", 0, 0)
    image = _image(notes)
    first = notes.threads[0] if notes.threads else None
    module, offset = _place(notes.mappings, first.pc if first else None)
    build_id = _build_id(dump, loads, image.start) if image else ""
    started_as = _string(dump, loads, notes.vector.get(_AT_EXECFN, 0))
    file = image.path.removesuffix(_DELETED) if image else ""
    return Core(
        program=printable(file or started_as or process.name),
        name=printable(process.name),
        command=printable(process.command.strip()),
        started_as=printable(started_as),
        pid=process.pid,
        uid=process.uid,
        signal=first.signal if first else 0,
        cause=notes.cause,
        threads=tuple(notes.threads),
        mappings=notes.mappings,
        image=file,
        build_id=build_id,
        crash_module=module,
        crash_offset=offset,
        machine=str(elf["e_machine"]),
        problem=notes.damage or _cut(dump, loads),
    )


def _image(notes: Notes) -> Mapping | None:
    """Where the program's own file begins in memory: its program headers lie there, and the kernel tells where."""
    headers = notes.vector.get(_AT_PHDR, 0)
    begins = [each for each in notes.mappings if each.offset == 0]
    own = [each for each in begins if each.start <= headers < each.end]
    return next(iter(own or begins), None)


def _place(mappings: Iterable[Mapping], pc: int | None) -> tuple[str, int | None]:
    """The file that was running, and how far from its beginning in memory (what addr2line takes for a PIE)."""
    if pc is None:
        return "", None
    begin: Mapping | None = None
    for each in mappings:  # a file's pieces follow each other
        if each.offset == 0 and not (begin and begin.path == each.path):
            begin = each
        if each.start <= pc < each.end:
            start = begin.start if begin and begin.path == each.path else each.start - each.offset
            return each.path.removesuffix(_DELETED), pc - start
    return "", None


def _memory(dump: DumpStream, loads: Iterable[_Segment], address: int, size: int) -> bytes:
    """At most `size` bytes of memory; fewer, or none, where it is not in the dump."""
    for load in loads:
        if load.address <= address < load.address + load.size:
            within = address - load.address
            dump.seek(load.offset + within)
            return dump.read(min(size, load.size - within))
    return b""


def _build_id(dump: DumpStream, loads: Sequence[_Segment], start: int) -> str:
    return build_id_in(BytesIO(_memory(dump, loads, start, _PAGE)))


def _string(dump: DumpStream, loads: Sequence[_Segment], address: int) -> str:
    data = _memory(dump, loads, address, _PAGE) if address else b""
    return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape") if b"\0" in data else ""


def _cut(dump: DumpStream, loads: Sequence[_Segment]) -> str:
    """A dump that met a limit (`ulimit -c`) or a full disk."""
    whole = max((load.offset + load.size for load in loads), default=0)
    if dump.size is not None and dump.size < whole:
        return f"it is cut short: {dump.size} of {whole} bytes are there"
    return ""
