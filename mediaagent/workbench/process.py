"""The parent's hold on one child process: starts it, asks it with a time-out, ends it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import Any

import msgspec

from mediaagent.workbench import wire
from mediaagent.workbench.launch import launch
from mediaagent.workbench.wire import Limits

__all__ = ["Child", "Died", "Hung"]

_START_PATIENCE = 60.0  # seconds; a Raspberry Pi takes its time to start Python


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
        """Starts it and tells it its limits; what that takes is waited for in `come_up`."""
        self._launched = launch()
        self._socket, self._words = self._launched.socket, self._launched.words
        self._process, self._keeper = self._launched.process, self._launched.keeper
        self._up: dict[str, Any] | None = None
        with contextlib.suppress(OSError):  # where it is gone, nothing comes back
            self._socket.sendall(wire.framed(msgspec.json.encode(limits)))

    def come_up(self) -> dict[str, Any]:
        """Its first words: under "held" limit -> "" or why it does not hold. Raises Died or Hung when none come."""
        if self._up is None:
            try:
                answer = self._receive(_START_PATIENCE)
            except (Died, Hung):
                self.end()
                raise
            self._up = answer.facts if isinstance(answer, wire.Told) else {}
        return self._up

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
        """Kills it. May be called from any thread: the one that waits for an answer gets Died."""
        self._launched.kill()

    def end(self) -> None:
        """Kills it and waits until it is gone. May be called more than once."""
        self._launched.end()


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time ones have no name
        return f"signal {number}"
