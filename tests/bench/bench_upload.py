"""How fast one large file goes to a Known site, beside curl sending the same bytes to the same place.

python -m tests.bench --only upload, or python -m tests.bench.bench_upload [--megabytes 1000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from mediaagent.api import Post, PostPart, Secret
from mediaagent.builtin.uploaders.known import Known
from mediaagent.builtin.uploaders.known.signing import signature
from mediaagent.testing import Notes, new_key
from tests.bench.rows import Asked, Bench, Row, Target, compared, plain

ROOT = Path(__file__).parent.parent.parent
MB = 1_000_000


class Took(NamedTuple):
    """One upload."""

    seconds: float
    cpu: float  # seconds of user and system time, of the sender alone
    grown: int  # bytes by which the most memory that it ever had grew; 0: not measured


@contextmanager
def sink() -> Iterator[str]:
    """The address of a sink in a process of its own."""
    command = [sys.executable, "-m", "tests.doubles.known_sink"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def large_file(path: Path, size: int) -> Path:
    """Bytes that don't compress, written once."""
    block = os.urandom(16 * MB)
    with path.open("wb") as file:
        while (left := size - file.tell()) > 0:
            file.write(block[:left])
    return path


def post_of(file: Path) -> Post:
    """A long post with this file."""
    part = PostPart(file=file, role="core", media_type="application/zstd", name=file.name, size=file.stat().st_size)
    return Post(kind="entry", title="Nightly", happened_at=datetime.now(UTC), parts=(part,))


def send(site: str, file: Path) -> Took:
    """By the uploader, in this process; a small file first, so that only what a large one needs more is told."""
    known = Known(site=site, user="ci", key=Secret("key"))
    small = large_file(file.with_name(f"small-{os.getpid()}"), 2 * MB)
    known.upload(post_of(small), new_key(), Notes())
    small.unlink()
    before, cpu, begun = _most_memory(), time.process_time(), time.monotonic()
    receipt = known.upload(post_of(file), new_key(), Notes())
    took = Took(time.monotonic() - begun, time.process_time() - cpu, _most_memory() - before)
    assert receipt.parts == (file.name,)
    return took


def _most_memory() -> int:
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024  # type: ignore[index]


def by_us(site: str, file: Path) -> Took:
    """In a fresh process."""
    command = [sys.executable, "-m", "tests.bench.bench_upload", "--send", str(file), "--site", site]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return Took(*json.loads(told))


def by_curl(site: str, *how: str, path: str = "/micropub/endpoint") -> Took:
    """By curl, signed as we sign."""
    signed = f"X-KNOWN-SIGNATURE: {signature('key', path)}"
    how = ("-H", "X-KNOWN-USERNAME: ci", "-H", signed, *how)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(["curl", "-sS", "-f", "-o", "/dev/null", *how, f"{site}{path}"], check=True)
    seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 0)


def measure(megabytes: int, rounds: int) -> dict[str, Took]:
    """Medians of interleaved rounds."""
    found = _rounds(megabytes, rounds)
    return {name: Took(*map(statistics.median, zip(*took, strict=True))) for name, took in found.items()}


def _rounds(megabytes: int, rounds: int) -> dict[str, list[Took]]:
    with tempfile.TemporaryDirectory(prefix="mediaagent-upload-") as folder, sink() as site:
        file = large_file(Path(folder) / "core.zst", megabytes * MB)
        ways: dict[str, Callable[[], Took]] = {
            "known": lambda: by_us(site, file),
            "curl -F": lambda: by_curl(site, "-F", f"file=@{file}"),
            "curl --data-binary": lambda: by_curl(site, "--data-binary", f"@{file}", path="/raw"),
        }
        took: dict[str, list[Took]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                took[name].append(way())
        return took


def run(asked: Asked) -> list[Row]:
    megabytes, rounds = (50, 1) if asked.quick else (1000, asked.times(5))
    found = _rounds(megabytes, rounds)
    ours, curl = found["known"], found["curl -F"]
    speed = {name: [megabytes / each.seconds for each in took] for name, took in found.items()}
    size = f"{megabytes / 1000:g} GB"
    what = f"upload of {size}"
    rows = [
        compared("upload", what, "MB/s", speed["known"], "curl -F", speed["curl -F"], Target(0.8)),
        compared("upload", what, "MB/s", speed["known"], "curl --data-binary", speed["curl --data-binary"]),
        compared(
            "upload",
            f"CPU time, {size}",
            "ms",
            [each.cpu * 1000 for each in ours],
            "curl -F",
            [each.cpu * 1000 for each in curl],
        ),
        plain(
            "upload",
            "CPU time a GB",
            "s",
            [each.cpu / megabytes * 1000 for each in ours],
            Target(0.7, least=False, unit="s/GB"),
        ),
    ]
    return [*rows, *_memory(asked)]


def _memory(asked: Asked) -> list[Row]:
    """By how much the sender's memory grows beyond what a small file takes."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="mediaagent-upload-") as folder, sink() as site:
        for megabytes in (10, 50) if asked.quick else (10, 100, 1000, 4000):
            file = Path(folder) / "core.zst"
            with file.open("wb") as core:
                core.truncate(megabytes * MB)
            grown = [by_us(site, file).grown / MB for _ in range(1 if asked.quick else 3)]
            what = f"memory growth over {megabytes / 1000:g} GB"
            rows.append(plain("upload", what, "MB", grown, Target(8, least=False, unit="MB")))
    return rows


BENCH = Bench("upload", "Large files", __doc__, run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--send", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--site", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        print(json.dumps(send(options.site, options.send)))
        return
    print(f"{options.megabytes} MB over the loopback, medians of {options.rounds} interleaved rounds")
    found = measure(options.megabytes, options.rounds)
    for name, took in found.items():
        speed, beside = options.megabytes / took.seconds, found["curl -F"].seconds / took.seconds
        memory = f", memory grew by {took.grown / MB:.1f} MB" if took.grown or name == "known" else ""
        cpu = took.cpu / options.megabytes * 1000
        print(f"  {name:20}{speed:6.0f} MB/s, x {beside:.2f} of curl -F, {cpu:.2f} CPU s/GB{memory}")


if __name__ == "__main__":
    main()
