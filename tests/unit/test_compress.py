"""The enricher `compress`: what a reader of the post gets of large files, and what he is told of the rest."""

from __future__ import annotations

import itertools
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mediaagent.api import ByteSize, Event, Post, PostPart, Text
from mediaagent.builtin.enrichers import compress_zstd
from mediaagent.builtin.enrichers.compress import Compress
from mediaagent.builtin.enrichers.compress_logs import cut
from mediaagent.builtin.enrichers.compress_zstd import TooMuch, compress, runs
from mediaagent.options import build, to_table
from mediaagent.workbench.bench import Limits, ProcessWorkbench

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EVENT = Event(id=1, source="ci", key="k", kind="run", happened_at=NOON, facts={}, revision=1, parts=())
MB = 1_000_000
SPARSE = 1 << 20  # holes that count are as long as that


def small(**changes: int) -> Compress:
    """The same enricher, with sizes that tests can write in no time."""
    sizes = {"cut_over": 10_000, "head": 2_000, "tail": 4_000, "zstd_over": 20_000, "part_limit": 50_000}
    return Compress(**{name: ByteSize(size) for name, size in (sizes | {"post_limit": 90_000} | changes).items()})


class Desk:
    """Where a test puts the parts of its post, and where the enricher writes."""

    def __init__(self, folder: Path) -> None:
        self.spool, self.made = folder / "spool", folder / "made"
        self.spool.mkdir()
        self.made.mkdir()

    def part(self, name: str, content: bytes, media_type: str = "text/plain", role: str = "log") -> PostPart:
        file = self.spool / f"{len(list(self.spool.iterdir()))}"
        file.write_bytes(content)
        return PostPart(file=file, role=role, media_type=media_type, name=name, size=len(content))

    def sparse(self, name: str, size: int, data: dict[int, bytes]) -> PostPart:
        part = self.part(name, b"", "application/x-coredump", "core")
        with part.file.open("wb") as file:
            file.truncate(size)
            for offset, piece in data.items():
                file.seek(offset)
                file.write(piece)
        return replace(part, size=size)

    def enriched(self, enricher: Compress, *parts: PostPart, **changes: Any) -> Post:
        post = Post(kind="entry", title="Nightly", happened_at=NOON, parts=parts, body=(Text("It failed."),))
        return enricher.enrich(replace(post, **changes), EVENT, self.made)

    @property
    def left_lying(self) -> set[str]:
        return {path.name for path in self.made.iterdir()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def lines(count: int) -> bytes:
    return b"".join(b"%08d something happened, and then something else\n" % number for number in range(count))


def unpacked(file: Path) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(file.open("rb"), read_across_frames=True).read()


# --- logs -------------------------------------------------------------------------------------------------------------


def test_a_long_log_becomes_its_beginning_and_its_end_and_the_post_says_where_the_whole_is(desk: Desk) -> None:
    log = desk.part("console.log", lines(1000))
    post = desk.enriched(small(), log)
    (part,) = post.parts
    content = part.file.read_bytes()
    beginning, said, end = re.split(rb"(?m)^(\[\.\.\..*\.\.\.\])\n", content)
    assert lines(1000).startswith(beginning)
    assert lines(1000).endswith(end)
    assert 1900 < len(beginning) <= 2000
    assert 3900 < len(end) <= 4000
    left_out = log.size - len(beginning) - len(end)
    assert said == f"[... {left_out} bytes (47 kB) are left out here ...]".encode()
    assert (part.name, part.media_type, part.size) == ("console.log", "text/plain", len(content))
    assert post.body[0] == Text("It failed.")
    assert post.body[1:] == (
        Text(f"console.log is cut to its beginning and end; the whole, 53 kB, stays for a while at {log.file}"),
    )
    assert log.file.read_bytes() == lines(1000)


def test_a_log_that_is_not_long_stays_as_it_is(desk: Desk) -> None:
    log = desk.part("console.log", lines(100))
    assert desk.enriched(small(), log) == desk.enriched(small(), log, parts=(log,))
    assert desk.enriched(small(), log).parts == (log,)
    assert desk.left_lying == set()


@pytest.mark.parametrize(
    ("name", "media_type", "role"),
    [
        ("test-results.xml", "application/xml", "report"),
        ("trace.json", "text/plain", "log"),
        ("wide.log", "application/octet-stream", "log"),
        ("console.log.xz", "application/octet-stream", "log"),
        ("core.4711", "application/x-coredump", "core"),
        ("screen.png", "image/png", "screenshot"),
    ],
)
def test_nothing_is_cut_of_which_a_part_is_no_use(desk: Desk, name: str, media_type: str, role: str) -> None:
    content = lines(300).decode().encode("utf-16") if name == "wide.log" else lines(300)
    post = desk.enriched(small(zstd_over=10 * MB), desk.part(name, content, media_type, role))
    assert post.parts[0].file.read_bytes() == content
    assert len(post.body) == 1


def test_a_log_that_is_no_utf_8_is_a_log_all_the_same(desk: Desk) -> None:
    content = "Prüfung schlug fehl, wieder einmal\n".encode("latin-1") * 1000
    (part,) = desk.enriched(small(), desk.part("console.log", content, "application/octet-stream")).parts
    assert part.size < 6100


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(st.text(alphabet="aß☃🐦 ", max_size=30), max_size=60),
    end=st.sampled_from(["\n", "\r\n", ""]),
    head=st.integers(0, 300),
    tail=st.integers(0, 300),
)
def test_what_stays_of_a_log_is_its_very_beginning_and_end_in_whole_lines_and_characters(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], end: str, head: int, tail: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    content = end.join(pieces).encode()
    (folder / "log").write_bytes(content)
    left_out = cut(folder / "log", folder / "cut", head, tail)
    if not left_out:
        assert not (folder / "cut").exists()
        return
    before, count, after = re.fullmatch(  # type: ignore[union-attr]
        r"(.*?)\n?\[\.\.\. (\d+) bytes [^\n]*\n(.*)", (folder / "cut").read_bytes().decode(), re.DOTALL
    ).groups()
    assert int(count) == left_out
    assert content.startswith(before.encode())
    assert content.endswith(after.encode())
    assert len(before.encode()) <= head
    assert len(after.encode()) <= tail + 3
    if b"\n" in content[head // 2 + 1 : head]:
        assert content.startswith(before.encode() + b"\n")
    if b"\n" in content[len(content) - tail : len(content) - tail // 2 - 1]:
        assert content.removesuffix(after.encode())[-1:] == b"\n"


def test_one_endless_line_is_cut_as_well(desk: Desk) -> None:
    content = b"\n" + "ß".encode() * 200_000
    (part,) = desk.enriched(small(head=2001, tail=4001, zstd_over=MB), desk.part("dots.log", content)).parts
    assert part.file.read_bytes().decode().count("ß") in (3000, 3001)


# --- zstd -------------------------------------------------------------------------------------------------------------


def test_a_large_file_is_attached_as_zstd(desk: Desk) -> None:
    core = desk.part("core.4711", b"\x7fELF" + lines(1000), "application/x-coredump", "core")
    (part,) = desk.enriched(small(), core).parts
    assert (part.name, part.media_type, part.role) == ("core.4711.zst", "application/zstd", "core")
    assert part.size == part.file.stat().st_size < 20_000
    assert unpacked(part.file) == core.file.read_bytes()
    assert part.facts["compress"].startswith("53 kB as zstd: ")
    assert desk.left_lying == {part.file.name}


def test_a_long_log_is_cut_first_and_attached_as_zstd_then(desk: Desk) -> None:
    (part,) = desk.enriched(small(zstd_over=5000), desk.part("console.log", lines(1000))).parts
    assert part.name == "console.log.zst"
    assert b"bytes (47 kB) are left out here" in unpacked(part.file)
    assert "47 kB of 53 kB cut out; 6 kB as zstd: " in part.facts["compress"]
    assert desk.left_lying == {part.file.name}


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("trace.zip", "application/zip"),
        ("core.zst", "application/zstd"),
        ("job.log.gz", "application/gzip"),
        ("screen.png", "image/png"),
        ("screen.mp4", "video/mp4"),
        ("job.tar.xz", "application/octet-stream"),
    ],
)
def test_what_is_compressed_already_goes_as_it_is(desk: Desk, name: str, media_type: str) -> None:
    part = desk.part(name, lines(500), media_type)
    assert desk.enriched(small(), part).parts == (part,)


def test_what_does_not_become_smaller_goes_as_it_is(desk: Desk) -> None:
    part = desk.part("noise.bin", os.urandom(40_000), "application/octet-stream", "file")
    assert desk.enriched(small(), part).parts == (part,)
    assert desk.left_lying == set()


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(0, 12 * SPARSE),
    places=st.lists(st.tuples(st.integers(0, 12 * SPARSE), st.integers(1, 2 * SPARSE)), max_size=5),
)
def test_a_file_with_holes_comes_out_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, size: int, places: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("core")
    with (folder / "core").open("wb") as file:
        file.truncate(size)
        for offset, length in places:
            if offset + length <= size:
                file.seek(offset)
                file.write(b"x" * length)
    with (folder / "core").open("rb") as file:
        found = list(runs(file.fileno(), size))
    content = (folder / "core").read_bytes()
    assert [run.offset for run in found] == [sum(run.length for run in found[:n]) for n in range(len(found))]
    assert sum(run.length for run in found) == size
    assert not any(content[run.offset : run.offset + run.length].strip(b"\0") for run in found if run.hole)
    assert not any(a.hole == b.hole for a, b in itertools.pairwise(found))
    written = compress(folder / "core", folder / "core.zst", 100 * MB)
    assert written == (folder / "core.zst").stat().st_size
    assert unpacked(folder / "core.zst") == content


def test_of_a_file_of_holes_only_its_data_are_read(desk: Desk) -> None:
    core = desk.sparse("core", 2000 * MB, {0: b"\x7fELF" * 1000, 900 * MB: os.urandom(4096), 2000 * MB - 3: b"end"})
    with core.file.open("rb") as file:
        found = list(runs(file.fileno(), 2000 * MB))
    assert sum(run.length for run in found if not run.hole) < 200_000
    (part,) = desk.enriched(Compress(), core).parts
    assert part.size < 100_000
    reader, size = zstandard.ZstdDecompressor().stream_reader(part.file.open("rb"), read_across_frames=True), 0
    while block := reader.read(4 * MB):
        size += len(block)
    assert size == 2000 * MB


def test_where_the_system_knows_no_holes_all_is_data(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    core = desk.sparse("core", 5 * SPARSE, {0: b"\x7fELF"})
    monkeypatch.delattr(compress_zstd.os, "SEEK_DATA")
    monkeypatch.delattr(compress_zstd.os, "SEEK_HOLE")
    with core.file.open("rb") as file:
        assert [run.hole for run in runs(file.fileno(), 5 * SPARSE)] == [False]
    (part,) = desk.enriched(Compress(), core).parts
    assert unpacked(part.file) == core.file.read_bytes()


def test_what_comes_out_too_long_leaves_nothing_behind(desk: Desk) -> None:
    part = desk.part("noise", os.urandom(100_000))
    with pytest.raises(TooMuch):
        compress(part.file, desk.made / "noise.zst", 50_000)
    assert desk.left_lying == set()


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_file_over_the_limit_is_left_out_and_the_post_says_so(desk: Desk) -> None:
    trace = desk.part("trace.zip", bytes(120_000), "application/zip", "trace")
    core = desk.part("core.4711", os.urandom(200_000), "application/x-coredump", "core")
    log = desk.part("console.log", b"ok\n")
    post = desk.enriched(small(), trace, core, log)
    assert post.parts == (log,)
    assert post.body[1:] == (
        Text(
            f"Left out: trace.zip (120 kB, over part_limit = 50 kB); it stays for a while at {trace.file}\n"
            f"Left out: core.4711 (200 kB, over part_limit = 50 kB after compression); "
            f"it stays for a while at {core.file}"
        ),
    )
    assert desk.left_lying == set()


def test_of_too_many_files_the_largest_are_left_out(desk: Desk) -> None:
    parts = [desk.part(f"{size}.zip", bytes(size * 1000), "application/zip") for size in (40, 10, 41, 30)]
    post = desk.enriched(small(), *parts)
    assert [part.name for part in post.parts] == ["40.zip", "10.zip", "30.zip"]
    assert "Left out: 41.zip (41 kB, over post_limit = 90 kB with the others)" in post.text
    post = desk.enriched(small(post_limit=0), *parts)
    assert post.parts == ()
    assert post.text.count("Left out: ") == 4


def test_of_very_many_files_a_few_stay_and_reports_before_others(desk: Desk) -> None:
    logs = [desk.part(f"{number}.log", b"x\n", "text/plain") for number in range(30)]
    report = desk.part("junit.xml", b"<testsuite/>", "application/xml", "report")
    post = desk.enriched(replace(small(), most_files=10), *logs, report)
    assert [part.name for part in post.parts] == [*(f"{number}.log" for number in range(9)), "junit.xml"]
    assert post.text.endswith("Left out: 21 more files, over most_files = 10: 9.log, 10.log, 11.log, 12.log, 13.log, …")


def test_of_very_many_that_are_left_out_not_all_are_listed(desk: Desk) -> None:
    logs = [desk.part(f"{number}.log", os.urandom(50), "application/octet-stream") for number in range(120)]
    post = desk.enriched(small(part_limit=40), *logs)
    assert post.text.count("Left out: ") == 50
    assert post.text.endswith("… and 70 more are cut or left out")


def test_a_log_that_was_cut_and_left_out_is_only_left_out(desk: Desk) -> None:
    post = desk.enriched(small(post_limit=100), desk.part("console.log", lines(1000)))
    assert "is cut" not in post.text
    assert "Left out: console.log (53 kB, over post_limit = 100 bytes with the others)" in post.text
    assert desk.left_lying == set()


def test_a_photo_post_whose_picture_is_left_out_becomes_an_entry(desk: Desk) -> None:
    picture, note = desk.part("a.png", bytes(60_000), "image/png"), desk.part("a.txt", b"a note")
    assert desk.enriched(small(), picture, note, kind="photo").kind == "entry"
    assert desk.enriched(small(), picture, note, kind="photo").parts == (note,)
    assert desk.enriched(small(part_limit=MB), picture, note, kind="photo").kind == "photo"


# --- options ----------------------------------------------------------------------------------------------------------


def test_the_default_sizes_are_those_that_are_documented() -> None:
    assert to_table(Compress()) == {
        "cut_over": "10 MB",
        "head": "2 MB",
        "tail": "4 MB",
        "zstd_over": "1 MB",
        "part_limit": "50 MB",
        "post_limit": "200 MB",
        "most_files": 200,
    }


def test_a_head_and_a_tail_longer_than_what_is_cut_are_a_mistake() -> None:
    made, problems = build(Compress, {"cut_over": "5 MB"}, where="enrich", base=Path())
    assert made is None
    assert "head and tail are 6 MB together, more than cut_over = 5 MB" in str(problems[0])


def test_check_finds_nothing_wrong() -> None:
    assert list(Compress().check()) == []


# --- in the workbench -------------------------------------------------------------------------------------------------


def prepared(desk: Desk, *parts: PostPart, limits: Limits | None = None, **options: Any) -> tuple[Post, int]:
    """The post, and the most memory that the child had, in bytes."""
    bench = ProcessWorkbench(limits)
    try:
        post = Post(kind="entry", title="Nightly", happened_at=NOON, parts=parts)
        made, _ = bench.prepare(post, EVENT, [("compress", options)], desk.made)
        status = Path(f"/proc/{bench.pid}/status").read_text() if psutil.LINUX else "VmHWM: 0"
        return made, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]
    finally:
        bench.close()


def test_in_the_workbench_large_files_take_no_more_memory_than_small_ones(desk: Desk) -> None:
    line = b"a line as compilers write them, with a number here and there: 4711\n"
    log = desk.part("console.log", line * 3_000_000)  # 200 MB
    start = b"\x7fELF\2\1\1" + bytes(9) + b"\4\0>\0"  # the secret gate would unpack a text
    data = {0: start} | {at * MB: line * 100_000 for at in range(90, 1900, 90)}
    core = desk.sparse("core", 2000 * MB, data)
    _, before = prepared(desk, desk.part("a.log", line))
    post, most = prepared(desk, log, core)
    assert [part.name for part in post.parts] == ["console.log.zst", "core.zst"]
    assert most - before < 30 * MB


def test_more_than_the_workbench_may_write_is_left_out_and_the_rest_is_posted(desk: Desk) -> None:
    noise = desk.part("noise.bin", os.urandom(3 * MB) + bytes(3 * MB), "application/octet-stream", "file")
    log = desk.part("console.log", lines(50_000))
    limits = Limits(file=MB)
    post, _ = prepared(desk, noise, log, limits=limits, part_limit="5 MB")
    assert [part.name for part in post.parts] == ["console.log.zst"]
    assert "Left out: noise.bin (6 MB, over part_limit = 5 MB after compression)" in post.text
    post, _ = prepared(desk, noise, log, limits=limits, part_limit="7 MB")
    assert [part.name for part in post.parts] == ["noise.bin", "console.log.zst"]


def test_the_rest_of_a_file_that_became_shorter_is_no_success(desk: Desk) -> None:
    part = desk.part("core", b"x" * 5000)
    with part.file.open("rb") as file, pytest.raises(OSError, match="shorter"):
        b"".join(compress_zstd._pieces(file.fileno(), 6000))
