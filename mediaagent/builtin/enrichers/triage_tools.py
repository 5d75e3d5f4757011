"""Runs a debugger for a while: it may be slow, hang, crash or talk without end, and costs no more than that."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["lines_of"]

_MOST = 4 << 20  # bytes of what it prints
_LONGEST_LINE = 8192
_SET_DEATH_SIGNAL = 1  # linux/prctl.h


@contextmanager
def lines_of(command: Sequence[str], empty: Path, until: float) -> Iterator[Iterator[str]]:
    """The lines that it prints, as they come. It is ended at the monotonic time `until`, or when nobody reads on.

    `empty`: a folder that it may take for its user's home. It has no other environment of ours, no terminal, and no
    service for debug information to ask.
    """
    with _running(command, empty) as process:
        assert process.stdout
        yield _lines(process.stdout.fileno(), until)


@contextmanager
def _running(command: Sequence[str], empty: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {"PATH": os.defpath, "HOME": str(empty), "LC_ALL": "C.UTF-8", "TERM": "dumb", "DEBUGINFOD_URLS": ""}
    process = subprocess.Popen(  # noqa: S603  a debugger's full path, and arguments of our own
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment,
        start_new_session=True,
        preexec_fn=_bound_to(os.getpid()),
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # with all that it started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def _bound_to(parent: int) -> Callable[[], None] | None:
    """Lets it end with us, should we be ended from outside."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def bind() -> None:
        prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it happened in between
            os._exit(1)

    return bind


def _lines(descriptor: int, until: float) -> Iterator[str]:
    rest, read = b"", 0
    while read < _MOST and select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
        data = os.read(descriptor, 65_536)
        if not data:
            break
        read += len(data)
        *whole, rest = (rest + data).split(b"\n")
        yield from (line[:_LONGEST_LINE].decode("utf-8", "replace") for line in whole)
        rest = rest[:_LONGEST_LINE]
