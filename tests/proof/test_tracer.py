"""The tools of the proofs, proven: a fault strikes exactly where it was asked for, over all threads of a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.proof.disk_image import Disk, changes
from tests.system.agent import ROOT

pytestmark = pytest.mark.slow

_THREE_THREADS = """
import os, sys, threading
def write():
    for _ in range(3):
        with open(sys.argv[1], "ab") as file:
            file.write(b"hello")
            file.flush()
            os.fsync(file.fileno())
for _ in range(3):
    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
"""


def traced(folder: Path, **spec: Any) -> dict[str, Any]:
    command = [sys.executable, "-c", _THREE_THREADS, str(folder / "file")]
    tracer = [sys.executable, "-m", "tests.proof.tracer", json.dumps({"folders": [str(folder)], **spec}), "--"]
    done = subprocess.run([*tracer, *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_calls_are_counted_over_all_threads(tmp_path: Path) -> None:
    told = traced(tmp_path)
    assert told["calls"] == {"openat": 9, "write": 9, "fsync": 9}
    assert not told["struck"]
    assert told["code"] == 0


def test_a_kill_comes_before_the_very_call(tmp_path: Path) -> None:
    told = traced(tmp_path, kill=["write", 5])
    assert told["struck"]
    assert told["code"] == -9
    assert (tmp_path / "file").read_bytes() == b"hello" * 4


def test_an_error_comes_in_the_place_of_the_call(tmp_path: Path) -> None:
    told = traced(tmp_path, errors=[["write", 2, 2, "ENOSPC"]])
    assert told["struck"]
    # What failed is written when the file is closed; then its thread ends, and the two others write on.
    assert (tmp_path / "file").read_bytes() == b"hello" * 8


def test_a_short_write_writes_half(tmp_path: Path) -> None:
    traced(tmp_path, short=["write", 9])
    assert (tmp_path / "file").read_bytes() == b"hello" * 9, "Python writes the rest"
    assert traced(tmp_path, short=["write", 9])["calls"]["write"] == 10


def test_only_what_was_flushed_is_there_after_a_power_cut(tmp_path: Path) -> None:
    traced(tmp_path, record=str(tmp_path.with_name("trace")), kill=["fsync", 3])
    disk = Disk(tmp_path)
    for change in changes(tmp_path.with_name("trace")):
        disk.make(change)
    file = tmp_path / "file"
    assert dict(disk.image("names"))[file] == b"hello" * 2
    assert file not in dict(disk.image("flushed")), "the folder was never flushed"


def test_a_disk_that_is_full_refuses_what_has_no_room(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(bytes(4096))
    told = traced(tmp_path, room=8191)
    assert told["struck"]
    assert told["last"].startswith("write ")
    assert (tmp_path / "file").read_bytes() == b""
    traced(tmp_path, room=8192)
    assert (tmp_path / "file").read_bytes() == b"hello" * 9, "a page is enough for all of it"


def test_a_disk_that_is_read_only_refuses_to_be_written(tmp_path: Path) -> None:
    told = traced(tmp_path, read_only=True)
    assert told["struck"]
    assert told["calls"] == {"openat": 3}
    assert not (tmp_path / "file").exists()
