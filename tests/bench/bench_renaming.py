"""A burst of temp + rename inside one folder: how fast each lookout tells of the new names, and how many it loses.

Our lookouts collect hints as the agent does; watchdog's own observer runs with a handler that notes each new name. The
files are written by another process. What is lost, a walk would find: this is about hints alone.

python -m tests.bench --only renaming
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from mediaagent.clock import SystemClock
from mediaagent.lookout.inotify import InotifyLookout
from mediaagent.lookout.observer import ObserverLookout
from mediaagent.model import Hint
from tests.bench.rows import Asked, Bench, Row, Target, compared

__all__ = ["BENCH"]

FILES, ROUNDS = 3_000, 5  # four notices a file: they fit the kernel's queue of 16,384
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # the disk is not what is measured
PATIENCE = 1.5  # seconds without a new name after which nothing more is expected
WRITER = """
import os, sys
folder, count = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    temporary = f"{folder}/.{number}.part"
    os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY))
    os.rename(temporary, f"{folder}/{number}.jpg")
"""


class Heard:
    """The names that were told, and when the last new one was."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.last = 0.0
        self._lock = threading.Lock()

    def hear(self, path: str) -> None:
        if not path.endswith(".jpg"):
            return
        with self._lock:
            if path not in self.names:
                self.names.add(path)
                self.last = time.monotonic()


class Told(NamedTuple):
    rate: float  # names a second
    lost: int


def run(asked: Asked) -> list[Row]:
    count, rounds = (1_000, 1) if asked.quick else (FILES, asked.times(ROUNDS))
    ways: dict[str, Callable[[Path, Heard], object]] = {
        "watchdog": _watchdog,
        "inotify": lambda folder, heard: _ours(InotifyLookout(SystemClock()), folder, heard),
        "observer": lambda folder, heard: _ours(ObserverLookout(SystemClock()), folder, heard),
    }
    took: dict[str, list[Told]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, listening in ways.items():
            took[way].append(_measure(listening, count))
    theirs = [each.rate for each in took["watchdog"]]
    lost = {way: sum(each.lost for each in all_) / rounds for way, all_ in took.items()}
    note = f"lost of {count:,}: {lost['inotify']:.0f} (inotify), {lost['observer']:.0f} (observer), "
    note += f"{lost['watchdog']:.0f} (watchdog)"
    return [
        compared(
            "renaming",
            f"lookout {way}",
            "names/s",
            [each.rate for each in took[way]],
            "watchdog's own observer",
            theirs,
            Target(10) if way == "inotify" else None,
            note=note,
        )
        for way in ("inotify", "observer")
    ]


def _measure(listening: Callable[[Path, Heard], object], count: int) -> Told:
    with tempfile.TemporaryDirectory(prefix="mediaagent-renaming-", dir=MEMORY) as name:
        folder, heard = Path(name), Heard()
        command = [sys.executable, "-c", WRITER, name, str(count)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
            assert writer.stdin
            assert writer.stdout
            writer.stdout.readline()
            with listening(folder, heard):  # type: ignore[attr-defined]
                begun = time.monotonic()
                writer.stdin.write(b"go\n")
                writer.stdin.close()
                writer.wait()
                while time.monotonic() - max(heard.last, begun) < PATIENCE and len(heard.names) < count:
                    time.sleep(0.02)
        assert heard.names
        return Told(len(heard.names) / (heard.last - begun), count - len(heard.names))


@contextmanager
def _ours(lookout: InotifyLookout | ObserverLookout, folder: Path, heard: Heard) -> Iterator[None]:
    def report(hint: Hint) -> None:
        heard.hear(str(hint.path))

    lookout.watch([folder], report)
    try:
        yield
    finally:
        lookout.close()


@contextmanager
def _watchdog(folder: Path, heard: Heard) -> Iterator[None]:
    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            heard.hear(str(event.dest_path or event.src_path))

    observer = Observer()
    observer.schedule(Handler(), str(folder), recursive=True)
    observer.start()
    try:
        yield
    finally:
        observer.stop()
        observer.join()


BENCH = Bench("renaming", "Temp and rename", __doc__, run)
