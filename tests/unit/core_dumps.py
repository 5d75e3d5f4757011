"""Core dumps for the tests: the recorded ones, and some that are written here, byte by byte, as Linux does it."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["BIN", "DATA", "EXPECTED", "Written", "recorded", "recorded_bytes"]

DATA = Path(__file__).parents[1] / "data" / "artifacts"
BIN = DATA / "bin"
EXPECTED: dict[str, dict[str, Any]] = json.loads((DATA / "run" / "expected.json").read_text(encoding="utf-8"))["cores"]


@cache
def recorded_bytes(name: str) -> bytes:
    """A recorded dump, by its name in expected.json."""
    return gzip.decompress((DATA / "run" / "tree" / f"{name}.gz").read_bytes())


def recorded(name: str, folder: Path) -> Path:
    """The same as a file."""
    file = folder / name.replace("/", "-")
    file.write_bytes(recorded_bytes(name))
    return file


@dataclass(frozen=True, kw_only=True)
class Written:
    """A dump of a program that never was."""

    bits: int = 64
    order: str = "<"
    machine: int = 62  # EM_X86_64
    registers: int = 27
    signal: int = 11
    code: int = 1
    address: int = 0x10
    tids: Sequence[int] = (4711,)
    name: bytes = b"pear"
    command: bytes = b"/opt/pear --ripe "
    pc: int = 0x401234
    secure: int = 0
    mappings: Sequence[tuple[int, int, int, bytes]] = ((0x400000, 0x402000, 0, b"/opt/pear"),)
    extra_notes: bytes = b""
    memory: int = 4096  # bytes in the dump, at 0x400000

    def form(self, fields: str) -> str:
        return self.order + fields.replace("W", "Q" if self.bits == 64 else "I")

    def pack(self, fields: str, *values: Any) -> bytes:
        return struct.pack(self.form(fields), *values)

    def note(self, kind: int, data: bytes, name: bytes = b"CORE\0") -> bytes:
        head = self.pack("III", len(name), len(data), kind)
        return head + name + bytes(-len(name) % 4) + data + bytes(-len(data) % 4)

    def notes(self) -> bytes:
        first, *others = self.tids
        found = self.note(1, self.status(first)) + self.note(3, self.process())
        found += self.note(0x53494749, self.cause()) + self.note(6, self.vector()) + self.note(0x46494C45, self.files())
        return found + b"".join(self.note(1, self.status(tid)) for tid in others) + self.extra_notes

    def status(self, tid: int) -> bytes:
        registers = [0] * self.registers
        for place in (16, 12, 32, 15, 0):  # where machines have their program counter
            if place < self.registers:
                registers[place] = self.pc
        head = self.pack("iiiHH", self.signal, 0, 0, self.signal, 0)
        ids = self.pack("iiii", tid, 1, 1, 1)
        return (
            head + self.pack("WW", 0, 0) + ids + self.pack("8W", *[0] * 8) + self.pack(f"{self.registers}W", *registers)
        )

    def process(self) -> bytes:
        ids = self.pack("II" if self.bits == 64 or self.machine not in (3, 40) else "HH", 1000, 1000)
        head = b"\0R\0\0" + (bytes(4) if self.bits == 64 else b"") + self.pack("W", 0)
        return (
            head
            + ids
            + self.pack("IIII", self.tids[0], 1, 1, 1)
            + self.name.ljust(16, b"\0")
            + self.command.ljust(80, b"\0")
        )

    def cause(self) -> bytes:
        head = self.pack("iii", self.signal, 0, self.code) + (bytes(4) if self.bits == 64 else b"")
        return (head + self.pack("W", self.address)).ljust(128, b"\0")

    def vector(self) -> bytes:
        return self.pack("WW", 3, 0x400040) + self.pack("WW", 23, self.secure) + self.pack("WW", 0, 0)

    def files(self) -> bytes:
        places = b"".join(self.pack("WWW", start, end, pages) for start, end, pages, _ in self.mappings)
        return self.pack("WW", len(self.mappings), 4096) + places + b"".join(m[3] + b"\0" for m in self.mappings)

    def header(self, count: int) -> bytes:
        ident = b"\x7fELF" + bytes([2 if self.bits == 64 else 1, 1 if self.order == "<" else 2, 1, 0]) + bytes(8)
        size, each = (64, 56) if self.bits == 64 else (52, 32)
        return ident + self.pack("HHIWWWIHHHHHH", 4, self.machine, 1, 0, size, 0, 0, size, each, count, 0, 0, 0)

    def segment(self, kind: int, offset: int, address: int, size: int) -> bytes:
        if self.bits == 64:
            return self.pack("IIQQQQQQ", kind, 4, offset, address, 0, size, size, 4)
        return self.pack("IIIIIIII", kind, offset, address, 0, size, size, 4, 4)

    def head(self) -> bytes:
        """All but the memory."""
        notes = self.notes()
        start = len(self.header(2)) + 2 * len(self.segment(1, 0, 0, 0))
        segments = self.segment(4, start, 0, len(notes)) + self.segment(1, start + len(notes), 0x400000, self.memory)
        return self.header(2) + segments + notes

    def data(self) -> bytes:
        return self.head() + bytes(self.memory)
