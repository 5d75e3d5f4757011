"""What core dumps tell, those of real programs and those that lie."""

from __future__ import annotations

import resource
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaagent.builtin.evidence.cores import Core, NotReadable, Refused, build_ids, describe
from tests.unit.core_dumps import BIN, EXPECTED, Written, recorded, recorded_bytes

CORES = list(EXPECTED)


def told(core: Core) -> dict[str, Any]:
    """As expected.json has it."""
    assert core.cause
    return {
        "threads": [
            {"tid": each.tid, "cursig": each.signal, "rip": hex(each.pc or 0), "rsp": hex(each.sp or 0)}
            for each in core.threads
        ],
        "machine": core.machine,
        "fname": core.name,
        "psargs": core.command,
        "pid": core.pid,
        "uid": core.uid,
        "siginfo": {
            "signo": core.cause.signal,
            "errno": core.cause.error,
            "code": core.cause.code,
            "addr": hex(core.cause.address),
        },
        "nfiles": len(core.mappings),
        "execfn": core.started_as,
        "exe": core.program,
        "exe_build_id": core.build_id,
        "crash_module": core.crash_module,
        "crash_offset": hex(core.crash_offset or 0),
    }


def written(data: bytes, folder: Path) -> Path:
    file = folder / "core"
    file.write_bytes(data)
    return file


# --- real ones --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CORES)
def test_every_recorded_core_tells_all_that_was_recorded_of_it(name: str, tmp_path: Path) -> None:
    core = describe(recorded(name, tmp_path))
    expected = {key: value for key, value in EXPECTED[name].items() if key in told(core)}
    assert len(expected) == 13
    assert told(core) == {**expected, "psargs": expected["psargs"].strip()}
    assert core.problem == ""


@pytest.mark.parametrize("name", CORES)
def test_packed_by_systemd_it_tells_the_same(name: str, tmp_path: Path) -> None:
    plain = describe(recorded(name, tmp_path))
    packed = tmp_path / "core.segv.1000.0123.13995.1795404776000000.zst"
    packed.write_bytes(zstandard.ZstdCompressor(level=3).compress(recorded_bytes(name)))
    assert describe(packed) == plain


def test_the_signal_is_told_in_words_and_the_address_where_it_means_something(tmp_path: Path) -> None:
    segv = describe(recorded("cores/segv/core", tmp_path))
    assert (segv.signal_name, segv.signal_words, segv.address) == ("SIGSEGV", "invalid memory reference", 0)
    abrt = describe(recorded("cores/abrt/core", tmp_path))
    assert (abrt.signal_name, abrt.signal_words, abrt.address) == ("SIGABRT", "it aborted itself", None)
    raised_again = describe(recorded("cores/python/core", tmp_path))
    assert (raised_again.signal_name, raised_again.address) == ("SIGSEGV", None)


def test_a_dump_of_a_living_process_is_no_crash(tmp_path: Path) -> None:
    core = describe(recorded("cores/gcore/core.14018", tmp_path))
    assert (core.crashed, core.signal, core.signal_name) == (False, 0, "")


def test_the_crashing_thread_comes_first_though_its_id_is_not_the_process_s(tmp_path: Path) -> None:
    core = describe(recorded("cores/threads/core", tmp_path))
    assert (core.threads[0].tid, core.pid) == (13980, 13975)


def test_the_build_ids_of_libraries_are_told_too(tmp_path: Path) -> None:
    file = recorded("cores/segv/core", tmp_path)
    found = build_ids(file, describe(file))
    assert found["/srv/producers/art/dev/bin/segv"] == EXPECTED["cores/segv/core"]["exe_build_id"]
    assert set(found) >= {"/usr/lib/x86_64-linux-gnu/libc.so.6"}


def test_the_environment_is_told_nowhere(tmp_path: Path) -> None:
    """The recorded ones have none; here one stands where the kernel puts it, behind the name of the program."""
    dump = Written(memory=0x3000)
    data = bytearray(dump.data())
    data[-0x1000:-0xF00] = b"/opt/pear\0TOKEN=quince-7781\0".ljust(0x100, b"\0")
    core = describe(written(bytes(data).replace(dump.vector(), vector_with_name(dump, 0x402000)), tmp_path))
    assert core.started_as == "/opt/pear"
    assert "quince" not in repr(core)


def vector_with_name(dump: Written, address: int) -> bytes:
    return dump.pack("WW", 3, 0x400040) + dump.pack("WW", 31, address) + dump.pack("WW", 0, 0)


# --- other machines ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "order", "machine", "registers", "name"),
    [
        (64, "<", 62, 27, "EM_X86_64"),
        (32, "<", 3, 17, "EM_386"),
        (64, "<", 183, 34, "EM_AARCH64"),
        (64, ">", 183, 34, "EM_AARCH64"),
        (32, "<", 40, 18, "EM_ARM"),
        (64, "<", 243, 32, "EM_RISCV"),
        (64, ">", 21, 48, "EM_PPC64"),
    ],
)
def test_machines_of_either_word_and_order_tell_the_same(
    bits: int, order: str, machine: int, registers: int, name: str, tmp_path: Path
) -> None:
    dump = Written(bits=bits, order=order, machine=machine, registers=registers, tids=(4711, 4712))
    core = describe(written(dump.data(), tmp_path))
    assert (core.machine, core.program, core.command, core.pid, core.uid) == (
        name,
        "/opt/pear",
        "/opt/pear --ripe",
        4711,
        1000,
    )
    assert (core.signal_name, core.address) == ("SIGSEGV", 0x10)
    assert [each.tid for each in core.threads] == [4711, 4712]
    assert (core.threads[0].pc, core.crash_module, core.crash_offset) == (0x401234, "/opt/pear", 0x1234)


def test_a_machine_whose_registers_we_do_not_know_tells_the_rest(tmp_path: Path) -> None:
    core = describe(written(Written(machine=2, order=">", bits=32, registers=38).data(), tmp_path))
    assert (core.program, core.signal_name, core.threads[0].pc) == ("/opt/pear", "SIGSEGV", None)
    assert (core.crash_module, core.crash_offset) == ("", None)


def test_a_jump_to_nowhere_is_in_no_file(tmp_path: Path) -> None:
    core = describe(written(Written(pc=0).data(), tmp_path))
    assert (core.threads[0].pc, core.crash_module, core.crash_offset) == (0, "", None)


def test_a_program_that_was_deleted_has_its_path_still(tmp_path: Path) -> None:
    mappings = ((0x400000, 0x402000, 0, b"/opt/pear (deleted)"),)
    assert describe(written(Written(mappings=mappings).data(), tmp_path)).program == "/opt/pear"


def test_names_that_would_write_to_a_terminal_are_made_printable(tmp_path: Path) -> None:
    dump = Written(name=b"\x1b[31mred", command=b"a\nb\xff", mappings=((0x400000, 0x402000, 0, b"/opt/\xff\n"),))
    core = describe(written(dump.data(), tmp_path))
    assert (core.name, core.command, core.program) == ("\\x1b[31mred", "a\\nb\ufffd", "/opt/\\udcff\\n")


# --- what is refused --------------------------------------------------------------------------------------------------


def test_the_core_of_a_set_uid_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="set-uid"):
        describe(written(Written(secure=1).data(), tmp_path))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b"not an ELF file at all", "no core dump"),
        (b"\x7fELF", "damaged"),
        (b"\x28\xb5\x2f\xfd", "empty|damaged"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 100, "damaged"),
        ((BIN / "segv").read_bytes(), "no core dump"),
        (zstandard.compress((BIN / "segv").read_bytes()), "no core dump"),
        (Written().head()[:200], "cut short"),
    ],
)
def test_what_tells_nothing_is_refused_with_the_reason(data: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match=why):
        describe(written(data, tmp_path))


def test_a_file_that_is_not_there_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="No such file"):
        describe(tmp_path / "core")


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_one_that_is_cut_short_tells_what_it_can(kept: float, tmp_path: Path) -> None:
    whole = recorded_bytes("cores/segv/core")
    core = describe(written(whole[: int(len(whole) * kept)], tmp_path))
    assert (core.program, core.signal_name, core.crash_offset) == (
        "/srv/producers/art/dev/bin/segv",
        "SIGSEGV",
        0x167AD8,
    )
    assert core.problem == f"it is cut short: {int(len(whole) * kept)} of {len(whole)} bytes are there"


def test_notes_whose_lengths_lie_end_the_reading_and_what_came_before_counts(tmp_path: Path) -> None:
    dump = Written()
    lie = dump.pack("III", 5, 0xFFFFFFF0, 0x46494C45) + b"CORE\0\0\0\0"
    core = describe(written(replace(dump, extra_notes=lie).data(), tmp_path))
    assert core.signal_name == "SIGSEGV"
    assert "damaged" in core.problem


def test_files_that_are_claimed_and_not_there_cost_nothing_else(tmp_path: Path) -> None:
    dump = Written()
    data = dump.data().replace(dump.pack("WW", 1, 4096), dump.pack("WW", 1 << 60, 4096))
    core = describe(written(data, tmp_path))
    assert (core.name, core.signal_name, core.mappings) == ("pear", "SIGSEGV", ())
    assert "mapped files are claimed" in core.problem


# --- size -------------------------------------------------------------------------------------------------------------


def test_two_gigabytes_of_holes_take_no_memory_and_no_time(tmp_path: Path) -> None:
    file = tmp_path / "core"
    with file.open("wb") as stream:
        stream.write(Written(memory=2 << 30).head())
        stream.truncate(len(Written(memory=2 << 30).head()) + (2 << 30))
    before, begun = peak(), time.process_time()
    core = describe(file)
    assert (core.program, core.problem) == ("/opt/pear", "")
    assert time.process_time() - begun < 0.5
    assert peak() - before < 16 << 20


def test_a_bomb_is_not_unpacked_beyond_a_limit(tmp_path: Path) -> None:
    """A gigabyte of nothing, and a claim that the name of the program stands behind it."""
    file, head = tmp_path / "core.zst", Written(memory=64 << 30).head()
    with file.open("wb") as stream, zstandard.ZstdCompressor().stream_writer(stream) as packer:
        packer.write(head)
        for _ in range(1100):
            packer.write(bytes(1 << 20))
    assert file.stat().st_size < 1 << 20
    before = peak()
    assert describe(file).program == "/opt/pear"
    assert peak() - before < 32 << 20


def test_sixty_five_thousand_mapped_files_are_read(tmp_path: Path) -> None:
    many = [(0x400000 + n * 0x2000, 0x401000 + n * 0x2000, 0, b"/opt/lib%d.so" % n) for n in range(65_000)]
    before = peak()
    core = describe(written(Written(mappings=many, pc=0x400000 + 64_999 * 0x2000).data(), tmp_path))
    assert (len(core.mappings), core.crash_module) == (65_000, "/opt/lib64999.so")
    assert peak() - before < 64 << 20


def peak() -> int:
    """Bytes that this process has ever had at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# --- damage of any kind -----------------------------------------------------------------------------------------------

SOURCES = [Written().data(), Written(bits=32, order=">", machine=40, registers=18).data()]
SOURCES += [recorded_bytes("cores/segv/core")[: 1 << 16], zstandard.compress(Written().data())]


@settings(max_examples=300, deadline=2000)
@given(st.sampled_from(SOURCES), st.data())
def test_no_cut_and_no_changed_byte_raises_anything_else(tmp_path_factory: Any, source: bytes, data: Any) -> None:
    damaged = bytearray(source[: data.draw(st.integers(0, len(source)))])
    for _ in range(data.draw(st.integers(0, 8))):
        if damaged:
            place = data.draw(st.integers(0, min(len(damaged), 2048) - 1))
            damaged[place] = data.draw(st.integers(0, 255))
    file = written(bytes(damaged), tmp_path_factory.getbasetemp())
    with suppress(NotReadable):
        build_ids(file, describe(file))
