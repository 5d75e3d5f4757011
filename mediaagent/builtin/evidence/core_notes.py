"""The notes of a core dump, which the kernel writes before the memory (Linux, fs/binfmt_elf.c).

The walk over them is our own: pyelftools' `iter_notes` reads as much as a damaged note claims, a whole disk if need be.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from typing import Any, NamedTuple

from elftools.common.exceptions import ELFError
from elftools.common.utils import struct_parse
from msgspec import Struct, field

from mediaagent.builtin.evidence.core_file import DumpStream, NotReadable
from mediaagent.builtin.evidence.module_map import Mapping

__all__ = ["Cause", "Notes", "Process", "Thread", "read_notes"]

_STATUS, _PROCESS, _VECTOR, _CAUSE, _FILES = 1, 3, 6, 0x53494749, 0x46494C45  # linux/elf.h
_MOST_THREADS = 100_000
_MOST_VALUES = 256  # of the auxiliary vector
#: e_machine -> the places of program counter and stack pointer among the registers (asm/ptrace.h of each)
_REGISTERS = {
    "EM_X86_64": (16, 19),
    "EM_386": (12, 15),
    "EM_AARCH64": (32, 31),
    "EM_ARM": (15, 13),
    "EM_RISCV": (0, 2),
    "EM_PPC64": (32, 1),
    "EM_PPC": (32, 1),
    "EM_S390": (1, 17),
    "EM_LOONGARCH": (33, 3),
}


class Thread(NamedTuple):
    """One thread when the dump was made."""

    tid: int
    signal: int  # the kernel writes that of the crash into every thread; 0 in a dump of a living process
    pc: int | None  # program counter; None: of a machine that we don't know
    sp: int | None  # stack pointer


class Process(NamedTuple):
    """NT_PRPSINFO."""

    name: str  # at most 15 bytes
    command: str  # at most 80 bytes
    pid: int
    uid: int


class Cause(NamedTuple):
    """NT_SIGINFO."""

    signal: int
    error: int
    code: int
    address: int  # means something for some signals only: `signals.tells_address`


class Notes(Struct):
    """What they tell."""

    threads: list[Thread] = field(default_factory=list)  # the one that crashed comes first
    process: Process | None = None
    cause: Cause | None = None
    vector: dict[int, int] = field(default_factory=dict)  # the auxiliary vector: linux/auxvec.h
    mappings: tuple[Mapping, ...] = ()
    damage: str = ""  # why there is not more


def read_notes(elf: Any, dump: DumpStream, places: Iterable[tuple[int, int]]) -> Notes:
    """Reads the notes at these places (offset and size in bytes). Stops at damage, and keeps what came before it."""
    notes = Notes()
    for offset, size in places:
        try:
            for kind, data in _walk(elf, dump, offset, offset + size):
                _take(notes, elf, kind, data)
        except (ELFError, NotReadable, struct.error, ValueError) as error:
            notes.damage = notes.damage or f"its notes are damaged: {error}"
    return notes


def _walk(elf: Any, dump: DumpStream, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Those notes that are of use, by type. Names and contents are padded to four bytes."""
    head = struct.Struct(_form(elf, "III"))
    wanted = (_STATUS, _PROCESS, _VECTOR, _CAUSE, _FILES)
    while at + head.size <= end:
        dump.seek(at)
        name_size, size, kind = head.unpack(_exactly(dump, head.size))
        data_at = at + head.size + -(-name_size // 4) * 4
        at = data_at + -(-size // 4) * 4
        if at > end + 3:
            raise NotReadable("one is longer than all of them")
        if kind not in wanted or name_size not in (4, 5) or _exactly(dump, 4) != b"CORE":
            continue
        dump.seek(data_at)
        yield kind, _exactly(dump, size)


def _exactly(dump: DumpStream, size: int) -> bytes:
    data = dump.read(size)
    if len(data) < size:
        raise NotReadable("they are cut short")
    return data


def _take(notes: Notes, elf: Any, kind: int, data: bytes) -> None:
    if kind == _STATUS and len(notes.threads) < _MOST_THREADS:
        notes.threads.append(_thread(elf, data))
    elif kind == _PROCESS and notes.process is None:
        notes.process = _process(elf, data)
    elif kind == _CAUSE and notes.cause is None:
        notes.cause = _cause(elf, data)
    elif kind == _VECTOR and not notes.vector:
        pairs = struct.iter_unpack(_form(elf, "WW"), data[: len(data) // _word(elf, 2) * _word(elf, 2)])
        notes.vector = dict(islice(pairs, _MOST_VALUES))
    elif kind == _FILES and not notes.mappings:
        notes.mappings = tuple(_mappings(elf, data))


def _form(elf: Any, fields: str) -> str:
    """A format of `struct` in which W is a word of the dump's machine."""
    return ("<" if elf.little_endian else ">") + fields.replace("W", "Q" if elf.elfclass == 64 else "I")


def _word(elf: Any, times: int) -> int:
    return int(times * elf.elfclass // 8)


def _thread(elf: Any, data: bytes) -> Thread:
    """`struct elf_prstatus` of linux/elfcore.h: signal, two sets of signals, ids, four times, registers."""
    (signal,) = struct.unpack_from(_form(elf, "H"), data, 12)
    ids = 16 + _word(elf, 2)
    (tid,) = struct.unpack_from(_form(elf, "i"), data, ids)
    registers = ids + 16 + _word(elf, 8)
    known = _REGISTERS.get(elf["e_machine"])
    if known is None:
        return Thread(tid, signal, None, None)
    pc, sp = (struct.unpack_from(_form(elf, "W"), data, registers + _word(elf, place))[0] for place in known)
    return Thread(tid, signal, pc, sp)


def _process(elf: Any, data: bytes) -> Process:
    told = struct_parse(elf.structs.Elf_Prpsinfo, BytesIO(data))
    return Process(_text(told.pr_fname), _text(told.pr_psargs), told.pr_pid, told.pr_uid)


def _cause(elf: Any, data: bytes) -> Cause:
    """The beginning of `siginfo_t`; on MIPS alone its second and third field are the other way round."""
    signal, error, code = struct.unpack_from(_form(elf, "iii"), data)
    if elf["e_machine"] == "EM_MIPS":
        error, code = code, error
    (address,) = struct.unpack_from(_form(elf, "W"), data, 16 if elf.elfclass == 64 else 12)
    return Cause(signal, error, code, address)


def _mappings(elf: Any, data: bytes) -> Iterator[Mapping]:
    """Count and page size; start, end and offset in pages of each; their names."""
    count, page = struct.unpack_from(_form(elf, "WW"), data)
    names = _word(elf, 2 + 3 * count)
    if names > len(data):
        raise NotReadable(f"{count} mapped files are claimed in {len(data)} bytes")
    places = struct.iter_unpack(_form(elf, "WWW"), data[_word(elf, 2) : names])
    for (start, end, pages), name in zip(places, data[names:].split(b"\0", count), strict=False):
        yield Mapping(start, end, pages * page, os.fsdecode(name))


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")
