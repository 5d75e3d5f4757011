"""A process of its own in which an engine listens: its crash, its hunger or its slowness costs a transcript only.

Run as `python -m mediaagent.builtin.enrichers.dictation TASK`. It prints one line of JSON for each stretch of speech,
and ends when its standard input does: then whoever asked is gone.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from mediaagent.builtin.enrichers.engines import EngineName, engine
from mediaagent.builtin.enrichers.sound import Sound
from mediaagent.builtin.enrichers.voice import RATE, stretches

__all__ = ["Heard", "Task", "dictate"]

_COMPLAINTS = 4096  # bytes of what a library prints: the last are kept
_GAP = bytes(RATE * 2 * 3 // 10)  # 0.3 s of silence between stretches that are put together


class Task(Struct, frozen=True):
    """What to listen to, and with what."""

    file: str
    media_type: str
    engine: EngineName
    model: str = ""
    language: str = ""
    words: tuple[str, ...] = ()


class Heard(Struct, frozen=True):
    """What came of it."""

    words: tuple[str, ...]  # one text for each stretch in which there were any
    failure: str = ""  # why there is not more


def dictate(task: Task, seconds: float) -> Heard:
    """Lets an engine listen for so long at most. Never raises for what the engine does."""
    values = {name: getattr(task, name) for name in Task.__struct_fields__}
    command = [sys.executable, "-P", "-m", "mediaagent.builtin.enrichers.dictation", json.dumps(values)]
    with subprocess.Popen(  # noqa: S603  our own interpreter, our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            return _listen(process, time.monotonic() + seconds, seconds)
        finally:
            process.kill()


def _listen(process: subprocess.Popen[bytes], until: float, seconds: float) -> Heard:
    assert process.stdout
    assert process.stderr
    printed, complaints = bytearray(), bytearray()
    streams = {process.stdout: printed, process.stderr: complaints}
    while streams:
        ready, _, _ = select.select(list(streams), [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return Heard(_words(printed), f"it was not done after {seconds:g} s")
        for stream in ready:
            data = os.read(stream.fileno(), 65_536)
            streams[stream] += data
            del complaints[:-_COMPLAINTS]
            if not data:
                del streams[stream]
    code = process.wait()
    return Heard(_words(printed), _reason(code, complaints) if code else "")


def _words(printed: bytearray) -> tuple[str, ...]:
    """Of whole lines that are ours; libraries print, too."""
    found = []
    for line in printed.decode("utf-8", "replace").split("\n")[:-1]:
        try:
            words = json.loads(line)["words"]
        except (ValueError, TypeError, KeyError):
            continue
        if isinstance(words, str) and words.strip():
            found.append(words.strip())
    return tuple(found)


def _reason(code: int, complaints: bytearray) -> str:
    lines = complaints.decode("utf-8", "replace").strip().splitlines()
    last = lines[-1][:300] if lines else "it said nothing"
    return f"the engine was ended by signal {-code}: {last}" if code < 0 else last


# --- in that process --------------------------------------------------------------------------------------------------


def main() -> None:
    """Does one task."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    task = Task(**json.loads(sys.argv[1]))
    printer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    listener = engine(task.engine, Path(task.model) if task.model else None, task.language, tuple(task.words))
    for samples in _portions(Sound(Path(task.file), task.media_type), listener.at_once):
        print(json.dumps({"words": listener.hear(samples)}), file=printer, flush=True)


def _portions(sound: Sound, at_once: float) -> Iterator[bytes]:
    """Speech only: engines invent words on silence. Stretches are put together as far as the engine likes it."""
    together = b""
    for stretch in stretches(sound):
        if together and len(together) + len(_GAP) + len(stretch.samples) > at_once * RATE * 2:
            yield together
            together = b""
        together += (_GAP if together else b"") + stretch.samples
    if together:
        yield together


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
