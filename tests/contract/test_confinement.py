"""What the workbench's child can't do even when a decoder was taken over: an enricher stands for whoever did that."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mediaagent.workbench import landlock
from mediaagent.workbench.bench import Limits, ProcessWorkbench
from tests.contract import workbench_plugins
from tests.contract.test_workbench import Pile, encoded, event, post_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pile(tmp_path: Path) -> Pile:
    (tmp_path / "pile").mkdir()
    return Pile(tmp_path / "pile")


@pytest.fixture
def bench(pile: Pile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessWorkbench]:
    """As the agent makes it: it sees the pile, and changes what is made of it."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", workbench_plugins.install(folder))
    limits = Limits(reads=(os.fsencode(pile.folder), os.fsencode(tmp_path / "build")), writes=(os.fsencode(pile.made),))
    bench = ProcessWorkbench(limits)
    try:
        yield bench
    finally:
        bench.close()


def tried(bench: ProcessWorkbench, pile: Pile, *attempts: str) -> list[str]:
    """How each ended: "done", or the error's name."""
    post = post_of(pile.add("a.jpg", encoded(".jpg")), tags=attempts)
    return bench.prepare(post, event(), [("escaper", {})], pile.made)[0].title.split()


def test_everything_that_it_needs_goes_on(bench: ProcessWorkbench, pile: Pile) -> None:
    assert bench.held()["files"] == ""
    attempts = (
        f"read {pile.folder / 'a.jpg'}",
        f"list {pile.folder}",
        f"write {pile.made / 'new'}",
        f"append {pile.made / 'new'}",
        f"remove {pile.made / 'new'}",
        f"list {sys.prefix}",
        "read /etc/passwd",
        "read /proc/self/status",
        "write /dev/null",
        "run /bin/true",
        "keep a temporary file",
    )
    assert tried(bench, pile, *attempts) == ["done"] * len(attempts)


def test_a_folder_that_is_made_later_or_made_anew_is_seen(bench: ProcessWorkbench, pile: Pile, tmp_path: Path) -> None:
    """Build systems delete theirs and make them again; what a kernel was told of the old one says nothing of it."""
    build, attempt = tmp_path / "build", f"list {tmp_path / 'build'}"
    assert tried(bench, pile, attempt) == ["FileNotFoundError"]
    build.mkdir()
    assert tried(bench, pile, attempt) == ["done"]
    child = bench.pid
    assert tried(bench, pile, attempt) == ["done"]
    assert bench.pid == child
    build.rename(tmp_path / "old")
    build.mkdir()
    assert tried(bench, pile, attempt) == ["done"]


def test_it_sees_and_changes_nothing_else(bench: ProcessWorkbench, pile: Pile, tmp_path: Path) -> None:
    secret, program = tmp_path / "secret", tmp_path / "program"
    secret.write_text("secret")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (pile.folder / "way-out").symlink_to(secret)
    (pile.made / "program").symlink_to(program)
    attempts = (
        f"read {secret}",
        f"read {pile.folder / 'way-out'}",
        f"list {tmp_path}",
        f"list {Path.home()}",
        "read /etc/shadow",
        f"read /proc/{os.getpid()}/environ",
        f"write {secret}",
        f"append {secret}",
        f"remove {secret}",
        f"append {pile.folder / 'a.jpg'}",
        f"write {pile.folder / 'new'}",
        f"remove {pile.folder / 'a.jpg'}",
        f"write {tmp_path / 'plugins' / 'misbehaving.py'}",
        f"run {pile.made / 'program'}",
    )
    assert tried(bench, pile, *attempts) == ["PermissionError"] * len(attempts)
    assert secret.read_text() == "secret"


def test_it_talks_to_nobody_and_signals_nobody(bench: ProcessWorkbench, pile: Pile, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "agent.sock"))
        server.listen()
        attempts = (f"call {tmp_path / 'agent.sock'}", f"signal {os.getpid()}", f"signal {os.getppid()}")
        reached = tried(bench, pile, *attempts)
    assert reached[0] == "PermissionError"
    if landlock.abi() >= 6:
        assert reached == ["PermissionError"] * 3


def test_it_has_no_privilege_even_where_the_agent_has_all(bench: ProcessWorkbench) -> None:
    bench.held()
    told = dict(line.split(":\t") for line in Path(f"/proc/{bench.pid}/status").read_text().splitlines())
    assert {int(told[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2"


def test_what_it_leaves_in_its_temporary_folder_goes_with_it(bench: ProcessWorkbench, pile: Pile) -> None:
    bench.held()
    environment = Path(f"/proc/{bench.pid}/environ").read_bytes().split(b"\0")
    (room,) = [Path(os.fsdecode(each[7:])) for each in environment if each.startswith(b"TMPDIR=")]
    assert tried(bench, pile, f"write {room / 'left'}") == ["done"]
    assert (room / "left").exists()
    bench.close()
    assert not room.exists()


#: Loads everything as root, whose Python another user may not be able to read, then is somebody else.
AS_SOMEBODY = """
import ctypes, os, sys, threading, time
from mediaagent.workbench.limits import Limits, apply
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: its files below /proc are its own
print(apply(Limits(processes=64))["processes"] or "held")
started = 0
try:
    for _ in range(1000):
        threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
        started += 1
except RuntimeError:
    pass
try:
    os.fork()
except BlockingIOError:
    print(started, "threads, then no more, and no process", flush=True)
os._exit(0)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to become somebody else")
def test_it_does_not_become_many() -> None:
    """Root's processes are never counted, so this is somebody else's."""
    told = subprocess.run([sys.executable, "-c", AS_SOMEBODY], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert told.stdout.splitlines() == ["held", "63 threads, then no more, and no process"], told.stderr


# --- where the kernel has less ----------------------------------------------------------------------------------------

#: struct seccomp_data -> landlock_create_ruleset(2) fails with an error of its own, as on a kernel without it.
WITHOUT = """
import ctypes, struct, sys
sys.path.insert(0, {root!r})
from mediaagent.workbench import landlock, seccomp
steps = ((0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x0005_0000 | {error}), (0x06, 0, 0, 0x7FFF_0000))
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(seccomp._Program(4, ctypes.addressof(code))), 0, 0) == 0
print(landlock.abi(), landlock.restrict(run=[], read=[], write=[]))
"""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (38, "this kernel has no Landlock"),
        (95, "Landlock is switched off: the kernel was started without it (lsm=)"),
        (1, "no Landlock: Operation not permitted"),
    ],
)
def test_a_kernel_without_landlock_is_told(error: int, reason: str) -> None:
    program = WITHOUT.format(root=str(ROOT), error=error)
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (told.stdout.strip(), told.stderr) == (f"0 {reason}", "")


AS_AN_OLDER_KERNEL = """
import os, sys
sys.path.insert(0, {root!r})
import ctypes
from mediaagent.workbench import landlock
landlock.abi = lambda: {abi}
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
programs = [b"/usr", b"/lib", b"/lib64"]
print(landlock.restrict(run=programs, read=[os.fsencode(sys.prefix)], write=[{folder!r}]) or "held")
def tell(action):
    try:
        action()
        print("done")
    except OSError as error:
        print(type(error).__name__)
tell(lambda: open("/etc/shadow").close())
tell(lambda: open({folder!r} + b"/new", "w").close())
tell(lambda: os.rename({folder!r} + b"/new", {folder!r} + b"/renamed"))
tell(lambda: open({folder!r} + b"/../new", "w").close())
"""


@pytest.mark.parametrize("abi", range(1, max(landlock.abi(), 1) + 1))
def test_each_version_of_landlock_holds_what_it_knows(abi: int, tmp_path: Path) -> None:
    """A kernel takes the rules of every older one."""
    (tmp_path / "made").mkdir()
    program = AS_AN_OLDER_KERNEL.format(root=str(ROOT), abi=abi, folder=os.fsencode(tmp_path / "made"))
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == ["held", "PermissionError", "done", "done", "PermissionError"], told.stderr


def test_the_numbers_of_the_calls_are_those_of_this_kernel() -> None:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(445, -1, 1, None, 0) == -1
    assert ctypes.get_errno() in (9, 14, 22, 38, 95)  # of a descriptor that is none; not somebody else's success
