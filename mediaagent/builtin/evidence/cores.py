"""What a core dump tells of the process that died: which program, by what signal, and where.

Of the process's memory two things are read: the first page of its files (the build-id) and the name that it was started
by. Never its environment, and nothing else of stack and heap. Import this where a file is read, not where a plug-in is
declared: it brings pyelftools, which belongs into the workbench's child.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple, cast

from elftools.elf.elffile import ELFFile
from msgspec import Struct

from mediaagent.api import printable
from mediaagent.builtin.evidence import signals
from mediaagent.builtin.evidence.core_file import DumpStream, NotReadable, opened
from mediaagent.builtin.evidence.core_notes import Cause, Notes, Process, Thread, read_notes
from mediaagent.builtin.evidence.elf_files import DAMAGE, build_id_in, program_headers
from mediaagent.builtin.evidence.module_map import Mapping, ModuleMap, without_mark

__all__ = ["Core", "Mapping", "NotReadable", "Refused", "Thread", "build_ids", "describe"]

_AT_PHDR, _AT_SECURE, _AT_EXECFN = 3, 23, 31  # linux/auxvec.h
_MOST_SEGMENTS = 200_000  # three times what Linux allows a process (vm.max_map_count)
_MOST_NOTE_SEGMENTS = 4
_MOST_FILES = 1000  # whose build-ids are looked for
_PAGE = 4096

_SECURE = (
    "its program ran with rights that its user does not have (set-uid, set-gid or capabilities; AT_SECURE in its "
    "auxiliary vector): such a core is neither read nor attached"
)


class Refused(NotReadable):
    """A dump of a program that ran with foreign rights: it may hold what its user is not to see."""


class Core(Struct, frozen=True, kw_only=True):
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

    address: int
    size: int
    offset: int  # in the dump


class _Memory:
    """The process's memory, as far as it was dumped."""

    def __init__(self, dump: DumpStream, segments: Iterable[_Segment]) -> None:
        self._dump = dump
        self._segments = sorted(segments)
        self.end = max((each.offset + each.size for each in self._segments), default=0)  # of the whole dump

    def read(self, address: int, size: int) -> bytes:
        """At most `size` bytes; fewer, or none, where it is not in the dump."""
        at = bisect_right(self._segments, address, key=lambda each: each.address) - 1
        if at < 0 or address >= self._segments[at].address + self._segments[at].size:
            return b""
        within = address - self._segments[at].address
        self._dump.seek(self._segments[at].offset + within)
        return self._dump.read(min(size, self._segments[at].size - within))

    def build_id(self, start: int) -> str:
        """Of the file that begins there: the kernel dumps the first page of each."""
        return build_id_in(BytesIO(self.read(start, _PAGE)))

    def string(self, address: int) -> str:
        """A text that ends with a zero."""
        data = self.read(address, _PAGE) if address else b""
        return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape") if b"\0" in data else ""


def describe(path: Path) -> Core:
    """Reads a dump of Linux, by the kernel, gcore or systemd-coredump (.zst); of any size in constant memory.

    Raises NotReadable where nothing can be told, and Refused for a program that ran with foreign rights. A dump that is
    cut short or damaged tells what it can; `Core.problem` says what is wrong with it.
    """
    try:
        with opened(path) as dump:
            return _described(dump)
    except DAMAGE as error:
        raise NotReadable(f"it is damaged: its headers make no sense ({error})") from None


def build_ids(path: Path, core: Core) -> dict[str, str]:
    """File -> build-id of the programs and libraries that were mapped, as far as they are in the dump.

    Raises NotReadable."""
    starts: dict[str, int] = {}
    for each in core.mappings:
        if each.offset == 0 and len(starts) < _MOST_FILES:
            starts.setdefault(without_mark(each.path), each.start)
    try:
        with opened(path) as dump:
            memory, _ = _contents(_header(dump), dump)
            found = {file: memory.build_id(start) for file, start in starts.items()}
    except DAMAGE as error:
        raise NotReadable(f"it is damaged: its headers make no sense ({error})") from None
    return {file: each for file, each in found.items() if each}


def _described(dump: DumpStream) -> Core:
    elf = _header(dump)
    memory, places = _contents(elf, dump)
    notes = read_notes(elf, dump, places)
    if notes.vector.get(_AT_SECURE):
        raise Refused(_SECURE)
    if not notes.threads and not notes.process:
        raise NotReadable(notes.damage or "it has no notes: it tells nothing of a process")
    return _told(elf, dump, memory, notes)


def _header(dump: DumpStream) -> ELFFile:
    dump.seek(0)
    start = dump.read(4)
    if start != b"\x7fELF":
        raise NotReadable("it is empty" if not start else "it is no core dump: it does not begin as ELF files do")
    elf = ELFFile(cast(IO[bytes], dump))
    if elf["e_type"] != "ET_CORE":
        raise NotReadable(f"it is an ELF file, but no core dump ({elf['e_type']})")
    return elf


def _contents(elf: ELFFile, dump: DumpStream) -> tuple[_Memory, list[tuple[int, int]]]:
    """The memory, and where the notes are (offset and size)."""
    headers_end = elf["e_phoff"] + elf.num_segments() * elf["e_phentsize"]
    if dump.size is not None and dump.size < headers_end:
        raise NotReadable(f"it is cut short: it has {dump.size} bytes, and its headers alone take {headers_end}")
    loads: list[_Segment] = []
    notes: list[tuple[int, int]] = []
    for segment in program_headers(elf, _MOST_SEGMENTS):
        offset, size = segment["p_offset"], segment["p_filesz"]
        if segment["p_type"] == "PT_LOAD" and size:
            loads.append(_Segment(segment["p_vaddr"], size, offset))
        elif segment["p_type"] == "PT_NOTE" and len(notes) < _MOST_NOTE_SEGMENTS:
            notes.append((offset, size))
    return _Memory(dump, loads), notes


def _told(elf: ELFFile, dump: DumpStream, memory: _Memory, notes: Notes) -> Core:
    process = notes.process or Process("", "", 0, 0)
    image = _image(notes)
    first = notes.threads[0] if notes.threads else None
    module, offset = ModuleMap(notes.mappings).at(first.pc if first else None)
    build_id = memory.build_id(image.start) if image else ""
    started_as = memory.string(notes.vector.get(_AT_EXECFN, 0))
    file = without_mark(image.path) if image else ""
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
        problem=notes.damage or _cut(dump, memory.end),
    )


def _image(notes: Notes) -> Mapping | None:
    """Where the program's own file begins in memory: its program headers lie there, and the kernel tells where."""
    headers = notes.vector.get(_AT_PHDR, 0)
    begins = [each for each in notes.mappings if each.offset == 0]
    own = [each for each in begins if each.start <= headers < each.end]
    return next(iter(own or begins), None)


def _cut(dump: DumpStream, whole: int) -> str:
    """A dump that met a limit (`ulimit -c`) or a full disk."""
    if dump.size is not None and dump.size < whole:
        return f"it is cut short: {dump.size} of {whole} bytes are there"
    return ""
