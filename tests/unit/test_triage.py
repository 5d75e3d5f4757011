"""triage, on recorded core dumps and logs: with eu-stack, with gdb, with neither, and with debuggers that misbehave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mediaagent.builtin.enrichers.triage import Triage
from mediaagent.builtin.enrichers.triage_cores import explain
from mediaagent.builtin.enrichers.triage_debuggers import Debugger, Evidence, gdb_frames
from mediaagent.builtin.enrichers.triage_programs import Shelf
from mediaagent.builtin.enrichers.triage_stack import canonical
from mediaagent.builtin.evidence.cores import build_ids, describe
from mediaagent.builtin.evidence.elf_files import build_id_in
from mediaagent.model import Bucket, Event, Fingerprint, Part, Post, PostPart, Pre, Text
from mediaagent.workbench.bench import ProcessWorkbench
from tests.unit.core_dumps import BIN, DATA, EXPECTED, Written, recorded, recorded_bytes

MOMENT = datetime(2026, 11, 23, 3, 33, tzinfo=UTC)
POST = Post(
    kind="entry", title="nightly: 2 crashes", body=(Text("2 crashes"),), happened_at=MOMENT, source="ci", key="k"
)
LIBRARY = "/usr/lib/x86_64-linux-gnu/libc.so.6"
TOOLS: list[Debugger] = ["eu-stack", "gdb"]


def part_of(file: Path, role: str = "core", **facts: Any) -> Part:
    return Part(
        id=f"{file.name:0>26}",
        source="ci",
        role=role,
        path=Path("/runs/1", file.name),
        name=f"1/{file.name}",
        files={role: file},
        sha256="",
        size=file.stat().st_size,
        media_type="application/octet-stream",
        fingerprint=Fingerprint(1, 2, 3, 4),
        seen_at=MOMENT,
        modified_at=MOMENT,
        facts=facts,
    )


def event_of(*parts: Part, **facts: Any) -> Event:
    return Event(
        id=1, source="ci", key="k", kind="run", happened_at=MOMENT, facts=facts, revision=1, parts=tuple(parts)
    )


def report(*bad: tuple[str, str], folder: Path) -> Part:
    file = folder / f"report-{len(bad)}.xml"
    file.write_text("<testsuites/>")
    failures = [{"classname": each, "name": name, "state": "failure", "message": "", "text": ""} for each, name in bad]
    return part_of(file, "report", junit={"failed": len(bad), "bad": failures, "bad_more": 0})


def triaged(folder: Path, *parts: Part, facts: dict[str, Any] | None = None, **options: Any) -> Post:
    made = folder / "made"
    made.mkdir(exist_ok=True)
    post = Triage(**options).enrich(POST, event_of(*parts, **(facts or {})), made)
    assert list(made.iterdir()) == []
    assert post.body[0] == POST.body[0]
    return post


def text_of(post: Post) -> str:
    return "\n".join(block.text for block in post.body)


def stack_of(post: Post) -> str:
    (stack,) = [block.text for block in post.body if isinstance(block, Pre)]
    return stack


def libc_is_that_of(name: str, folder: Path) -> bool:
    """Only the C library of the recording tells how to get from its functions to the program's."""
    file = recorded(name, folder)
    wanted = build_ids(file, describe(file)).get(LIBRARY)
    try:
        with open(LIBRARY, "rb") as stream:
            return build_id_in(stream) == wanted
    except OSError:
        return False


def own_functions(name: str) -> list[str]:
    """Those of gdb's list that are the program's, in order, each once."""
    ours = ("weigh", "pick", "main", "check", "bad", "dig")
    return list(dict.fromkeys(each for each in EXPECTED[name]["gdb_functions"] if each in ours))


# --- stacks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("debugger", TOOLS)
@pytest.mark.parametrize("name", [name for name in EXPECTED if "python" not in name])
def test_the_program_s_functions_are_named_from_the_crash_on(name: str, debugger: Debugger, tmp_path: Path) -> None:
    crashed_in_library = EXPECTED[name]["crash_module"] == LIBRARY
    (finding,) = explain([part_of(recorded(name, tmp_path))], [BIN], debugger, tmp_path, 60)
    if crashed_in_library and not libc_is_that_of(name, tmp_path):
        assert finding.frames[0].module == "libc.so.6"
        return
    module = Path(EXPECTED[name]["exe"]).name
    named = dict.fromkeys(frame.function for frame in finding.frames if frame.module == module and frame.source)
    assert list(named)[: len(own_functions(name))] == own_functions(name)
    first = finding.frames[0]
    if crashed_in_library and first.function and first.module == "libc.so.6":
        assert canonical(first.function) == canonical(EXPECTED[name]["gdb_functions"][0])


@pytest.mark.parametrize("debugger", TOOLS)
def test_a_crash_is_told_with_its_stack(debugger: Debugger, tmp_path: Path) -> None:
    core = part_of(recorded("cores/threads/core", tmp_path))
    post = triaged(tmp_path, core, facts={"keep_cores": "36 hours"}, binaries=(BIN,), debugger=debugger)
    _, told, stack, kept = post.body
    assert told.text == (
        "threads crashed: SIGSEGV, invalid memory reference at 0x8; in threads+0x11a3; "
        "command: /srv/producers/art/dev/bin/threads; thread 13980, one of 6; "
        f"build-id 9116c5402655f8fcee25ad00d99e2788641895c2; core dump {core.name}"
    )
    assert isinstance(stack, Pre)
    assert stack.text.splitlines()[0] == "#0   bad at src/threads.c:6"
    assert kept == Text(f"Kept in the agent's spool for 36 hours: {core.file}")


@pytest.mark.parametrize("debugger", TOOLS)
def test_recursion_is_told_once_and_the_overflow_named(debugger: Debugger, tmp_path: Path) -> None:
    post = triaged(tmp_path, part_of(recorded("cores/stackov/core", tmp_path)), binaries=(BIN,), debugger=debugger)
    assert stack_of(post).splitlines()[:2] == ["#0   dig (x 468) at src/stackov.c:3", "#468 main at src/stackov.c:4"]
    assert "the stack overflowed" in text_of(post)


def test_both_debuggers_give_the_same_hash(tmp_path: Path) -> None:
    parts = [part_of(recorded(name, tmp_path)) for name in ("cores/threads/core", "cores/stackov/core")]
    by_tool = [[each.hash for each in explain(parts, [BIN], tool, tmp_path, 60)] for tool in TOOLS]
    assert by_tool[0] == by_tool[1]
    assert len(set(by_tool[0])) == 2


def test_of_a_stripped_program_and_one_with_symbols_the_second_is_taken(tmp_path: Path) -> None:
    """bin/ has both under the same build-id."""
    finding = explain([part_of(recorded("cores/stripped/core", tmp_path))], [BIN], "eu-stack", tmp_path, 60)[0]
    if libc_is_that_of("cores/stripped/core", tmp_path):
        assert [frame.function for frame in finding.frames if frame.source][:2] == ["weigh", "pick"]
    assert finding.core
    assert finding.core.name == "segv-stripped"
    assert "names may be missing" not in finding.problem


@pytest.mark.parametrize("debugger", TOOLS)
def test_without_the_program_places_stand_for_names(debugger: Debugger, tmp_path: Path) -> None:
    post = triaged(tmp_path, part_of(recorded("cores/threads/core", tmp_path)), debugger=debugger)
    assert "threads+0x11a3" in text_of(post)
    assert "`binaries`" in text_of(post)


def test_another_build_under_the_same_name_is_never_taken(tmp_path: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    (build / "threads").write_bytes((BIN / "stackov").read_bytes())
    (finding,) = explain([part_of(recorded("cores/threads/core", tmp_path))], [build], "eu-stack", tmp_path, 60)
    assert finding.frames[0].name == "threads+0x11a3"


def test_links_pipes_and_nonsense_among_the_programs_are_passed_over(tmp_path: Path) -> None:
    build = tmp_path / "build"
    (build / "deep" / "er").mkdir(parents=True)
    os.mkfifo(build / "a-pipe")
    (build / "a-link").symlink_to("/dev/zero")
    (build / "a-loop").symlink_to(build)
    (build / "cut").write_bytes((BIN / "threads").read_bytes()[:200])
    (build / "deep" / "er" / "renamed").write_bytes((BIN / "threads").read_bytes())
    (finding,) = explain([part_of(recorded("cores/threads/core", tmp_path))], [build], "eu-stack", tmp_path, 60)
    assert finding.frames[0].name == "bad"


def test_symbols_in_a_file_of_their_own_are_found(tmp_path: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    subprocess.run(["eu-strip", "-f", build / "stackov.symbols", "-o", build / "stackov", BIN / "stackov"], check=True)
    core = part_of(recorded("cores/stackov/core", tmp_path))
    for debugger in TOOLS:
        (finding,) = explain([core], [build], debugger, tmp_path, 60)
        assert finding.frames[0].name == "dig"


@pytest.mark.parametrize("debugger", TOOLS)
def test_a_core_that_systemd_packed_has_the_same_stack(debugger: Debugger, tmp_path: Path) -> None:
    file = tmp_path / "core.threads.0.1.13975.1795404776.zst"
    file.write_bytes(zstandard.compress(recorded_bytes("cores/threads/core")))
    post = triaged(tmp_path, part_of(file), binaries=(BIN,), debugger=debugger)
    assert stack_of(post).startswith("#0   bad at src/threads.c:6")


@pytest.mark.parametrize("debugger", TOOLS)
def test_no_argument_s_value_is_told(debugger: Debugger, tmp_path: Path) -> None:
    """gdb would tell `bad (p=0x8)`; an argument may be a password."""
    post = triaged(tmp_path, part_of(recorded("cores/threads/core", tmp_path)), binaries=(BIN,), debugger=debugger)
    assert "p=" not in text_of(post)


def test_without_a_debugger_program_signal_and_place_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    post = triaged(tmp_path, part_of(recorded("cores/segv/core", tmp_path)), binaries=(BIN,))
    assert "segv crashed: SIGSEGV, invalid memory reference at 0x0; in libc.so.6+0x167ad8" in text_of(post)
    assert "no backtrace: no debugger is installed" in text_of(post)
    assert post.bucket


def test_a_core_of_another_machine_is_told_without_a_stack(tmp_path: Path) -> None:
    file = tmp_path / "core"
    file.write_bytes(Written(machine=22, order=">", registers=27).data())  # EM_S390
    text = text_of(triaged(tmp_path, part_of(file)))
    assert "pear crashed: SIGSEGV, invalid memory reference at 0x10" in text
    assert "another machine (S390)" in text


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (Written(secure=1).data(), "set-uid"),
        (b"garbage", "no core dump"),
        (recorded_bytes("cores/segv/core")[:300], "cut short"),
    ],
)
def test_what_can_t_be_explained_is_told_with_the_reason_and_its_place(data: bytes, why: str, tmp_path: Path) -> None:
    file = tmp_path / "core"
    file.write_bytes(data)
    post = triaged(tmp_path, part_of(file))
    assert "1/core is not explained: " in text_of(post)
    assert why in text_of(post)
    assert str(file) in text_of(post)
    assert post.bucket is None


@pytest.mark.parametrize("debugger", TOOLS)
def test_a_core_that_is_cut_short_is_explained_as_far_as_it_goes(debugger: Debugger, tmp_path: Path) -> None:
    whole = recorded_bytes("cores/threads/core")
    file = tmp_path / "core"
    file.write_bytes(whole[: len(whole) // 2])
    text = text_of(triaged(tmp_path, part_of(file), binaries=(BIN,), debugger=debugger))
    assert "threads crashed: SIGSEGV" in text
    assert "cut short" in text


@pytest.mark.parametrize("debugger", TOOLS)
def test_two_gigabytes_of_holes_are_no_burden(debugger: Debugger, tmp_path: Path) -> None:
    """The core's last segment claims them."""
    file = tmp_path / "core"
    with file.open("wb") as stream:
        stream.write(Written(memory=2 << 30).head())
        stream.truncate((2 << 30) + 4096)
    begun = time.monotonic()
    (finding,) = explain([part_of(file)], [BIN], debugger, tmp_path, 20)
    assert time.monotonic() - begun < 10
    assert finding.core
    assert finding.core.signal_name == "SIGSEGV"


# --- the same again ---------------------------------------------------------------------------------------------------


def test_two_crashes_of_one_stack_are_told_once(tmp_path: Path) -> None:
    names = ("cores/threads/core", "cores/patterns/core.bad-worker.14005.1795404776")
    parts = [part_of(recorded(name, tmp_path)) for name in names]
    post = triaged(tmp_path, *parts, binaries=(BIN,))
    assert "threads crashed 2 times: SIGSEGV" in text_of(post)
    assert len([block for block in post.body if isinstance(block, Pre)]) == 1
    assert all(part.name in text_of(post) and str(part.file) in text_of(post) for part in parts)


def test_a_dump_of_a_living_process_is_told_as_that_and_is_in_no_bucket(tmp_path: Path) -> None:
    post = triaged(tmp_path, part_of(recorded("cores/gcore/core.14018", tmp_path)), binaries=(BIN,))
    assert "sleeper was alive when its core was dumped" in text_of(post)
    assert post.bucket is None


def buckets(folder: Path, *runs: Sequence[Part], **options: Any) -> list[Bucket | None]:
    return [triaged(folder, *parts, binaries=(BIN,), **options).bucket for parts in runs]


def test_the_same_failures_have_the_same_bucket_in_any_order_and_others_another(tmp_path: Path) -> None:
    first, again = (
        part_of(recorded(name, tmp_path))
        for name in ("cores/threads/core", "cores/patterns/core.bad-worker.14005.1795404776")
    )
    other = part_of(recorded("cores/stackov/core", tmp_path))
    tests = report(("test_orchard", "test_weight"), ("test_orchard", "test_climb"), folder=tmp_path)
    turned = report(("test_orchard", "test_climb"), ("test_orchard", "test_weight"), folder=tmp_path)
    same, same_again, without_tests, with_another, of_tests = buckets(
        tmp_path, (first, tests), (turned, again), (first,), (first, other, tests), (tests,)
    )
    assert same == same_again
    found = [same, without_tests, with_another, of_tests]
    assert all(found)
    assert len(set(found)) == 4


def test_a_crash_of_which_nothing_is_known_is_not_passed_over(tmp_path: Path) -> None:
    refused = tmp_path / "core"
    refused.write_bytes(Written(secure=1).data())
    facts = {
        "program": "",
        "signal": 0,
        "signal_name": "",
        "pid": 0,
        "command": "",
        "crashed": True,
        "problem": "set-uid",
    }
    crash, failed = part_of(refused, "core", core=facts), report(("t", "a"), folder=tmp_path)
    with_it, without, other = (
        triaged(tmp_path, *parts).bucket for parts in ([failed, crash], [failed], [failed, replace(crash, id="2" * 26)])
    )
    assert len({bucket.key for bucket in (with_it, without, other) if bucket}) == 3


def test_nothing_known_has_no_bucket_and_neither_has_a_bucket_of_no_time(tmp_path: Path) -> None:
    crash = part_of(recorded("cores/threads/core", tmp_path))
    assert buckets(tmp_path, ()) == [None]
    assert buckets(tmp_path, (crash,), bucket=timedelta(0)) == [None]


@pytest.mark.parametrize(
    ("url", "link"),
    [("https://ci.example/7", "https://ci.example/7"), ("javascript:alert(1)", ""), ("", "")],
)
def test_the_bucket_links_to_the_build(url: str, link: str, tmp_path: Path) -> None:
    post = triaged(tmp_path, report(("t", "a"), folder=tmp_path), facts={"url": url})
    assert post.bucket
    assert (post.bucket.link, post.bucket.within) == (link, timedelta(days=30))


@pytest.mark.parametrize("cores", ["triage", "keep"])
def test_of_cores_that_are_not_kept_no_place_is_told(cores: str, tmp_path: Path) -> None:
    core = part_of(recorded("cores/threads/core", tmp_path))
    assert "spool" not in text_of(triaged(tmp_path, core, facts={"cores": cores, "keep_cores": ""}))
    assert "Kept in the agent's spool: " in text_of(triaged(tmp_path, core, facts={"cores": cores}))


def test_cores_that_are_kept_are_mentioned_and_not_opened(tmp_path: Path) -> None:
    file = recorded("cores/threads/core", tmp_path)
    told = {"program": "/opt/threads", "signal_name": "SIGSEGV", "crashed": True}
    post = triaged(tmp_path, part_of(file, core=told), facts={"cores": "keep", "keep_cores": "14 days"})
    assert [block.text for block in post.body[1:]] == [
        f"A core dump of threads (SIGSEGV) was left: 1/{file.name}",
        f"Kept in the agent's spool for 14 days: {file}",
    ]
    assert post.bucket


def test_cores_that_are_attached_are_explained_without_a_place(tmp_path: Path) -> None:
    core = part_of(recorded("cores/threads/core", tmp_path))
    assert "spool" not in text_of(triaged(tmp_path, core, facts={"cores": "attach"}))


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (b"/opt/pear --ripe ", "command: /opt/pear --ripe;"),
        (b"/opt/pear " + b"x" * 40 + b" postgres://bob:hunter2hunter2@db.example.org/", f"pear {'x' * 40} …;"),
        (b"/opt/pear-" + b"x" * 90, "command: …;"),
        (b"/opt/pear " + "ü".encode() * 50, "command: /opt/pear …;"),
    ],
)
def test_a_command_that_the_kernel_cut_ends_with_its_last_whole_word(command: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "core"
    file.write_bytes(Written(command=command[:79]).data())
    assert told in text_of(triaged(tmp_path, part_of(file)))


def test_of_a_set_uid_program_s_core_that_is_not_attached_the_place_is_told(tmp_path: Path) -> None:
    file = tmp_path / "core"
    file.write_bytes(Written(secure=1).data())
    told = text_of(triaged(tmp_path, part_of(file), facts={"cores": "attach"}))
    assert "neither read nor attached" in told
    assert f"Kept in the agent's spool: {file}" in told


def test_a_flood_of_cores_is_counted_not_told(tmp_path: Path) -> None:
    files = [tmp_path / f"core.{n}" for n in range(14)]
    for number, file in enumerate(files):
        file.write_bytes(Written(pc=0x400100 + number).data())
    post = triaged(tmp_path, *map(part_of, files), debugger="none")
    assert text_of(post).count("pear crashed") == 10
    assert post.body[-1] == Text("… and 4 more core dumps")


def test_cores_for_which_there_is_no_time_are_told_as_that(tmp_path: Path) -> None:
    post = triaged(tmp_path, part_of(recorded("cores/threads/core", tmp_path)), time_limit=timedelta(0))
    assert "is not explained: there was no time left" in text_of(post)


def test_stacks_of_which_nothing_is_known_are_not_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, "print('#0  0x0000000000000000')", monkeypatch)
    names = ("cores/threads/core", "cores/stackov/core")
    found = explain([part_of(recorded(name, tmp_path)) for name in names], [], "eu-stack", tmp_path, 20)
    assert len({each.hash for each in found}) == 2


# --- debuggers that misbehave -----------------------------------------------------------------------------------------


def pretend(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An eu-stack of our own comes first."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "eu-stack").write_text(f"#!{sys.executable} -I\n{script}")
    (tools / "eu-stack").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")


def running(script: str) -> list[int]:
    return [each.pid for each in psutil.process_iter(["cmdline"]) if script in " ".join(each.info["cmdline"] or ())]


@pytest.mark.parametrize(
    "script",
    [
        "import time; time.sleep(600)",
        "import sys\nwhile True: sys.stdout.write('x' * 100_000)",
        "while True: print('#0  0x0000000000401234 pear', flush=True)",
        "import os; os.abort()",
        "import os, time\nos.close(1); time.sleep(600)",
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])",
        "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(600)",
    ],
)
def test_a_debugger_that_misbehaves_costs_time_and_names_only(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, script, monkeypatch)
    begun = time.monotonic()
    core = part_of(recorded("cores/threads/core", tmp_path))
    post = triaged(tmp_path, core, debugger="eu-stack", time_limit=timedelta(seconds=2))
    assert time.monotonic() - begun < 10
    assert "threads crashed: SIGSEGV, invalid memory reference at 0x8; in threads+0x11a3" in text_of(post)
    assert len(text_of(post)) < 4000
    assert running(str(tmp_path)) == []
    assert psutil.Process().children(recursive=True) == []


def test_where_eu_stack_fails_gdb_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, "raise SystemExit(2)", monkeypatch)
    post = triaged(tmp_path, part_of(recorded("cores/threads/core", tmp_path)), binaries=(BIN,))
    assert stack_of(post).startswith("#0   bad at src/threads.c:6")


def test_a_debugger_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import os\nfor n, name in enumerate(sorted(os.environ)): print(f'#{n}  0x000000000000000{n} {name}')"
    pretend(tmp_path, script, monkeypatch)
    monkeypatch.setenv("KNOWN_API_KEY", "quince")
    stack = stack_of(triaged(tmp_path, part_of(recorded("cores/threads/core", tmp_path)), debugger="eu-stack"))
    assert "KNOWN_API_KEY" not in stack
    assert "DEBUGINFOD_URLS" in stack


@pytest.mark.parametrize(
    ("line", "function", "source"),
    [
        ("#1  0x0000000000401234 in pick (n=...) at src/segv.c:5", "pick", "src/segv.c:5"),
        ("#0  pick () at /home/ada/work/src/segv.c:5", "pick", "src/segv.c:5"),
        ("#1  0x00007f0000000000 in raise () from /lib/x86_64-linux-gnu/libc.so.6", "raise", ""),
        (
            "#1  0x0000000000401234 in Pear::operator() (this=..., x=...) at a (1)/b.c:5",
            "Pear::operator()",
            "a (1)/b.c:5",
        ),
        (
            "#1  0x0000000000401234 in Pear::at(int)::{lambda(int)#1}::operator()(int) const (i=...) at x.cpp:5",
            "Pear::at::{lambda#1}::operator()",
            "x.cpp:5",
        ),
        ("#4  <signal handler called>", "<signal handler called>", ""),
        ("#1  0x0000000000401234 in ?? ()", "", ""),
    ],
)
def test_what_gdb_says_is_read(line: str, function: str, source: str, tmp_path: Path) -> None:
    file = recorded("cores/threads/core", tmp_path)
    core = describe(file)
    (frame,) = gdb_frames([line], Evidence(file, core, {}, Shelf([])))
    assert (frame.function, frame.source) == (function, source)


def test_what_gdb_says_takes_no_longer_when_it_is_made_to_be_hard(tmp_path: Path) -> None:
    file = recorded("cores/threads/core", tmp_path)
    evidence = Evidence(file, describe(file), {}, Shelf([]))
    begun = time.process_time()
    gdb_frames([f"#{n}  0x0000000000401234 in " + "x (y) at :1 from " * 480 for n in range(200)], evidence)
    assert time.process_time() - begun < 2


def test_what_a_debugger_prints_is_made_fit_to_be_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, r"print('#0  0x0000000000000000 pear\x1b[31m<b>' + 'x' * 9000)", monkeypatch)
    stack = stack_of(triaged(tmp_path, part_of(recorded("cores/threads/core", tmp_path)), debugger="eu-stack"))
    assert "\x1b" not in stack
    assert len(stack) < 500


@pytest.mark.parametrize("trap", [".gdbinit", "threads-gdb.py", "threads-gdb.gdb"])
def test_gdb_runs_nothing_that_lies_beside_the_core_or_the_program(trap: str, tmp_path: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    (build / "threads").write_bytes((BIN / "threads").read_bytes())
    for folder in (tmp_path, build):
        sprung = f"open({str(folder / 'sprung')!r}, 'w')"
        (folder / trap).write_text(sprung if trap.endswith(".py") else f"python {sprung}\n")
    stack = stack_of(
        triaged(tmp_path, part_of(recorded("cores/threads/core", tmp_path)), binaries=(build,), debugger="gdb")
    )
    assert stack.startswith("#0   bad")
    assert not (tmp_path / "sprung").exists()
    assert not (build / "sprung").exists()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 255)), max_size=30), st.integers(1000, 700_000))
def test_a_damaged_core_is_explained_or_not_and_never_harms(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], kept: int
) -> None:
    data = bytearray(recorded_bytes("cores/stackov/core")[:kept])
    for place, value in changes:
        data[place % len(data)] = value
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "core").write_bytes(data)
    begun = time.monotonic()
    post = triaged(folder, part_of(folder / "core"), binaries=(BIN,), debugger="eu-stack")
    assert time.monotonic() - begun < 25
    assert len(post.body) > 1


# --- in the workbench -------------------------------------------------------------------------------------------------


@pytest.fixture
def bench() -> Iterator[ProcessWorkbench]:
    bench = ProcessWorkbench()
    yield bench
    bench.close()


@pytest.mark.parametrize("debugger", ["eu-stack", "gdb", "none"])
def test_it_works_within_the_workbench_s_limits(debugger: str, bench: ProcessWorkbench, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    event = event_of(part_of(recorded("cores/threads/core", tmp_path)), url="https://ci.example/7")
    steps = [("triage", {"binaries": [str(BIN)], "debugger": debugger})]
    post, _ = bench.prepare(POST, event, steps, tmp_path / "made")
    assert "threads crashed: SIGSEGV" in text_of(post)
    assert ("#0   bad at src/threads.c:6" in text_of(post)) == (debugger != "none")
    assert post.bucket
    assert post.title == POST.title


def test_a_debugger_ends_with_the_workbench_s_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "begun"
    pretend(tmp_path, f"import time; open({str(mark)!r}, 'w').close(); time.sleep(600)", monkeypatch)
    code = (
        "from tests.unit.test_triage import *\n"
        f"core = recorded('cores/threads/core', Path({str(tmp_path)!r}))\n"
        f"explain([part_of(core)], [], 'eu-stack', Path({str(tmp_path)!r}), 60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as child:
        while not mark.exists():
            assert child.poll() is None
            time.sleep(0.05)
        (tool,) = running(f"{tmp_path}/tools/eu-stack")
        child.send_signal(signal.SIGKILL)
    psutil.wait_procs([psutil.Process(tool)] if psutil.pid_exists(tool) else [], timeout=10)
    assert running(f"{tmp_path}/tools/eu-stack") == []


def test_the_main_process_which_asks_for_options_only_reads_no_elf_files() -> None:
    code = "import sys, mediaagent.builtin.enrichers.triage; print({'elftools', 'zstandard'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n"


# --- logs -------------------------------------------------------------------------------------------------------------

CONSOLE = DATA / "run" / "tree" / "pytest" / "console.log"
FAULT = DATA / "run" / "tree" / "cores" / "python" / "out.log"


def test_what_python_says_of_its_own_crash_is_shown(tmp_path: Path) -> None:
    log = part_of(FAULT, "log")
    shown = PostPart(file=FAULT, role="log", media_type="text/plain", name="out.log")
    post = Triage().enrich(replace(POST, parts=(shown,)), event_of(log), tmp_path)
    assert post.body[1] == Text(f"{log.name}: Fatal Python error: Segmentation fault")
    assert post.body[2].text.splitlines()[-1] == '  File "<string>", line 1 in <module>'
    assert post.parts[0].facts["exceptions"] == ["Fatal Python error: Segmentation fault"]
    assert post.bucket is None


def test_failures_that_a_report_tells_of_are_not_told_again(tmp_path: Path) -> None:
    log = part_of(CONSOLE, "log")
    alone = text_of(triaged(tmp_path, log))
    assert "console.log (test_weight): AssertionError: assert" in alone
    tests = report(("test_orchard", "test_weight"), ("test_orchard", "test_climb"), folder=tmp_path)
    beside = text_of(triaged(tmp_path, log, tests))
    assert "(test_weight)" not in beside
    assert "test_climb" not in beside
    assert "console.log (TestPress.test_deep): ZeroDivisionError" in beside


def test_a_log_that_is_no_text_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "out.log").write_bytes(os.urandom(100_000))
    assert triaged(tmp_path, part_of(tmp_path / "out.log", "log")).body == POST.body


# --- check ------------------------------------------------------------------------------------------------------------


def test_check_warns_of_missing_debuggers_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(Triage(binaries=(BIN,)).check()) == []
    monkeypatch.setenv("PATH", str(tmp_path))
    debugger, folder = Triage(binaries=(tmp_path / "build",)).check()
    assert (debugger.severity, folder.severity) == ("warning", "warning")
    assert "apt-get install elfutils" in debugger.todo
    assert folder.what == f"there is no folder {tmp_path}/build"
    assert list(Triage(debugger="none").check()) == []
