"""The parent's hold on one child process: starts it, asks it with a time-out, ends it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import msgspec

import mediaagent
from mediaagent.workbench import wire
from mediaagent.workbench.limits import Limits

__all__ = ["Child", "Died", "Hung"]

_START_PATIENCE = 60.0  # seconds; a Raspberry Pi takes its time to start Python
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")


class Died(Exception):
    """The child ended, or answered nonsense, in the middle of a request.

    `killed`: by SIGKILL, which no decoder sends itself: the system was short of memory, or somebody ended it."""

    def __init__(self, reason: str, *, killed: bool = False) -> None:
        super().__init__(reason)
        self.killed = killed


class Hung(Exception):
    """The child did not answer in time. It was ended."""


class Child:
    """One child process. Not thread-safe but for `kill`."""

    def __init__(self, limits: Limits) -> None:
        """Raises Died or Hung when it does not come up."""
        self._socket, theirs = socket.socketpair()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  what it prints last; closed in `end`
        self._room = tempfile.TemporaryDirectory(prefix="mediaagent-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        started = threading.Event()
        # The kernel ends a child whose parent *thread* ends (PR_SET_PDEATHSIG), so it gets a thread that outlives it.
        self._keeper = threading.Thread(target=self._keep, args=(limits, theirs, started), daemon=True)
        self._keeper.start()
        started.wait()
        self.held: dict[str, Any] = self._first_words()  # limit -> "" or why it does not hold

    def _keep(self, limits: Limits, theirs: socket.socket, started: threading.Event) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter, our own module
                [sys.executable, "-P", "-m", "mediaagent.workbench.child", msgspec.json.encode(limits).decode()],
                stdin=theirs.fileno(),
                stdout=self._words,
                stderr=self._words,
                cwd="/",
                env=_environment() | {"TMPDIR": self._room.name},
                start_new_session=True,
            )
        except OSError as error:
            self._words.write(str(error).encode())
        finally:
            theirs.close()
            started.set()
        if self._process:
            self._process.wait()

    def _first_words(self) -> dict[str, Any]:
        try:
            answer = self._receive(_START_PATIENCE)
        except (Died, Hung):
            self.end()
            raise
        return answer.facts if isinstance(answer, wire.Told) else {}

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        return self._keeper.is_alive()

    def ask(self, request: wire.Request, patience: float) -> wire.Answer:
        """The answer within `patience` seconds. After Died or Hung the child is gone."""
        try:
            self._socket.settimeout(patience)
            try:
                self._socket.sendall(wire.encode(request))
            except TimeoutError:
                raise Hung(f"no answer within {patience:g} s") from None
            except OSError:
                raise self._death() from None
            return self._receive(patience)
        except (Died, Hung):
            self.end()
            raise

    def _receive(self, patience: float) -> wire.Answer:
        head, patience = self._read(4, patience)
        length = int.from_bytes(head, "big")
        if length > wire.LONGEST:
            raise Died("it answered nonsense")
        body, _ = self._read(length, patience)
        try:
            return wire.decode_answer(body)
        except (msgspec.MsgspecError, ValueError, NotImplementedError) as error:
            raise Died(f"it answered nonsense: {error}") from None

    def _read(self, length: int, patience: float) -> tuple[bytes, float]:
        """Bytes, and the patience that is left.

        Waits in steps of at most a second: the time during which this process was stopped (or the machine slept) counts
        as one step only, and is not held against the child."""
        data = bytearray()
        readable = select.poll()
        readable.register(self._socket, select.POLLIN)
        while len(data) < length:
            step = min(patience, 1.0)
            if not readable.poll(step * 1000):
                patience -= step
                if patience <= 0:
                    raise Hung("no answer in time")
                continue
            try:
                more = self._socket.recv(min(length - len(data), 1 << 20))
            except OSError:
                more = b""
            if not more:
                raise self._death()
            data += more
        return bytes(data), patience

    def _death(self) -> Died:
        self._keeper.join(5)
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return Died(f"it was ended by {_name_of(-code)}", killed=-code == signal.SIGKILL)
        return Died(f"it ended with code {code}{self._last_words()}")

    def _last_words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            self._words.seek(max(0, self._words.seek(0, os.SEEK_END) - 400))
            lines = self._words.read().decode("utf-8", "replace").strip().splitlines()
            return f": {lines[-1]}" if lines else ""
        return ""

    def kill(self) -> None:
        """Kills it, by its pid. May be called from any thread: the one that waits for an answer gets Died."""
        if self._process and self._keeper.is_alive():
            self._process.kill()

    def end(self) -> None:
        """Kills it and waits until it is gone. May be called more than once."""
        self.kill()
        self._keeper.join(10)
        self._socket.close()
        self._words.close()
        self._room.cleanup()


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time ones have no name
        return f"signal {number}"


def _environment() -> dict[str, str]:
    """Nothing secret goes in: only what finding and starting Python needs, and what holds libraries back."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    places = [os.environ.get("PYTHONPATH", ""), str(Path(mediaagent.__file__).parents[1])]
    return kept | {
        "PYTHONPATH": os.pathsep.join(
            str(Path(p).absolute()) for place in places for p in place.split(os.pathsep) if p
        ),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENCV_IO_MAX_IMAGE_PIXELS": "100000000",
        "OPENCV_LOG_LEVEL": "ERROR",
    }
