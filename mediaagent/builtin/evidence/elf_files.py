"""ELF files: their program headers, and the build-id, which tells which build of a program it is, stripped or not."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any, Literal

from elftools.common.exceptions import ELFError
from elftools.common.utils import struct_parse
from elftools.elf.elffile import ELFFile
from elftools.elf.notes import iter_notes

__all__ = ["DAMAGE", "Kind", "build_id_in", "kind_of", "program_headers"]

Kind = Literal["symbols", "stripped", "debug"]

_MOST_SEGMENTS = 64
_MOST_SECTIONS = 512
_MOST_NOTES = 16
_LARGEST_NOTES = 1 << 16
_EXECUTABLE = 4  # SHF_EXECINSTR

#: What pyelftools raises for files that make no sense.
DAMAGE = (ELFError, ArithmeticError, AssertionError, LookupError, TypeError, ValueError, struct.error)


def program_headers(elf: ELFFile, most: int) -> Iterator[Any]:
    """One after the other, without a look at what they lead to (as `iter_segments` has)."""
    size = elf["e_phentsize"]
    for number in range(min(elf.num_segments(), most)):
        yield struct_parse(elf.structs.Elf_Phdr, elf.stream, elf["e_phoff"] + number * size)


def build_id_in(file: IO[bytes]) -> str:
    """The build-id in hexadecimal; "" where there is none, or it is no ELF file. The beginning of a file is enough."""
    try:
        elf = ELFFile(file)
        for header in program_headers(elf, _MOST_SEGMENTS):
            if header["p_type"] == "PT_NOTE" and header["p_filesz"] <= _LARGEST_NOTES:
                for note in islice(iter_notes(elf, header["p_offset"], header["p_filesz"]), _MOST_NOTES):
                    if note["n_type"] == "NT_GNU_BUILD_ID" and note["n_name"] == "GNU":
                        return str(note["n_desc"])
    except DAMAGE:
        return ""
    return ""


def kind_of(file: IO[bytes]) -> Kind:
    """Whether it tells the names of its own functions; "debug": it has nothing else, its code lies in another file."""
    try:
        sections = list(islice(ELFFile(file).iter_sections(), _MOST_SECTIONS))
    except DAMAGE:
        return "stripped"
    if any(each["sh_type"] == "SHT_NOBITS" and each["sh_flags"] & _EXECUTABLE for each in sections):
        return "debug"
    return "symbols" if any(each["sh_type"] == "SHT_SYMTAB" for each in sections) else "stripped"
