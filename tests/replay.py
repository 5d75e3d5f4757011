"""Does again, on disk, what a producer did: `python -m tests.replay SCENARIO TARGET --speed 20`.

A scenario is a folder with `replay.json` (objects: contents by name; steps: what happened to which path, and when) and
the files that it names. Steps: mkdir, create, grow (to a size; a smaller one truncates first), close, rename, movein
(renamed in from outside the watched folder), symlink, unlink, rmdir. Where no content was kept, zero bytes are written.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any


class Stage:
    """The target folder, with the files that the producer holds open."""

    def __init__(self, scenario: Path, target: Path, objects: dict[str, dict[str, Any]]) -> None:
        self.scenario, self.target, self.objects = scenario, target, objects
        self._contents: dict[str, bytes] = {}
        self._open: dict[str, int] = {}  # object -> descriptor
        target.mkdir(parents=True, exist_ok=True)

    def play(self, step: dict[str, Any]) -> None:
        path = self.target / step["path"]
        match step["op"]:
            case "mkdir":
                path.mkdir(parents=True, exist_ok=True)
            case "create":
                self._descriptor(step["obj"], path)
            case "grow":
                self._grow(step["obj"], path, step["size"])
            case "close":
                self._close(step["obj"], path, step["size"])
            case "rename":
                self._rename(path, self.target / step["to"])
            case "movein":
                self._move_in(step["obj"], path)
            case "symlink":
                path.unlink(missing_ok=True)
                path.symlink_to(step["to"])
            case "unlink":
                path.unlink(missing_ok=True)
            case "rmdir":
                with contextlib.suppress(OSError):
                    path.rmdir()
            case unknown:
                raise ValueError(f"{self.scenario}/replay.json: there is no step {unknown!r}")

    def leave(self) -> None:
        """Closes what the producer held open to its end."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _content(self, name: str) -> bytes:
        if name not in self._contents:
            described = self.objects[name]
            source = described.get("src", "")
            data = (self.scenario / source).read_bytes() if source else b""
            packed = source.endswith(".gz") and not described.get("raw")
            self._contents[name] = gzip.decompress(data) if packed else data
        return self._contents[name]

    def _descriptor(self, name: str, path: Path) -> int:
        if name not in self._open:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[name] = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        return self._open[name]

    def _grow(self, name: str, path: Path, size: int) -> None:
        descriptor, content = self._descriptor(name, path), self._content(name)
        if size < 0:  # to its end
            size = max(len(content), self.objects[name].get("max", 0))
        there = os.fstat(descriptor).st_size
        if size < there:
            os.ftruncate(descriptor, 0)
            there = 0
        if size > there:
            os.pwrite(descriptor, content[there:size].ljust(size - there, b"\0"), there)

    def _close(self, name: str, path: Path, size: int) -> None:
        if size >= 0:
            self._grow(name, path, size)
        descriptor = self._open.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)

    def _rename(self, path: Path, to: Path) -> None:
        if os.path.lexists(path):
            to.parent.mkdir(parents=True, exist_ok=True)
            path.rename(to)

    def _move_in(self, name: str, path: Path) -> None:
        outside = Path(tempfile.mkdtemp(prefix=".outside-", dir=self.target.parent))
        try:
            (outside / "file").write_bytes(self._content(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            (outside / "file").rename(path)
        finally:
            shutil.rmtree(outside)


def replay(scenario: Path, target: Path, speed: float = 0.0) -> None:
    """Plays a whole scenario into `target`; `speed` 1 is the producer's own pace, 0 as fast as can be."""
    script = json.loads((scenario / "replay.json").read_text(encoding="utf-8"))
    stage = Stage(scenario, target, script["objects"])
    started, first = time.monotonic(), script["steps"][0]["t"]
    try:
        for step in script["steps"]:
            if speed > 0:
                time.sleep(max(0.0, started + (step["t"] - first) / speed - time.monotonic()))
            stage.play(step)
    finally:
        stage.leave()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.replay", description="Does again, on disk, what a producer did.")
    parser.add_argument("scenario", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--speed", type=float, default=0.0, help="1: the producer's own pace; 0: as fast as can be")
    arguments = parser.parse_args()
    replay(arguments.scenario, arguments.target, arguments.speed)


if __name__ == "__main__":
    main()
