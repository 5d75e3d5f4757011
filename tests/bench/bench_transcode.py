"""What transcode costs beside bare PyAV for the same work: the same file decoded once and written in the same form.

python -m tests.bench.bench_transcode [--seconds 600]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import av

from mediaagent.builtin.enrichers.transcode import Transcode
from tests.unit.sounds import event, frames_of, part_of, post_of, sox, spoken

ROUNDS = 5
ENDINGS = (".wav", ".WAV", ".gsm")


class Measured(NamedTuple):
    """Medians of interleaved rounds, in seconds."""

    what: str
    sound: float  # seconds of it
    bare: float
    ours: float

    @property
    def times_bare(self) -> float:
        return self.ours / self.bare


def measure(length: float) -> list[Measured]:
    """One figure for each form that Asterisk writes and each that is posted."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        once = spoken(folder / "once.wav")
        found = []
        for ending in ENDINGS:
            file = folder / f"long{ending}"
            form = ["-t", "wav", "-e", "gsm-full-rate"] if ending == ".WAV" else []
            sox(once, *form, file, "repeat", max(0, round(length / 13) - 1))
            for target in ("mp3", "m4a"):
                found.append(_compared(file, target, folder))
        return found


def _compared(file: Path, target: str, folder: Path) -> Measured:
    part = part_of(file)
    (after,) = _ours(file, target, folder).parts
    ways: list[Callable[[], object]] = [lambda: _bare(file, target, folder), lambda: _ours(file, target, folder)]
    took: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for way, seconds in zip(ways, took, strict=True):
            begun = time.process_time()
            way()
            seconds.append(time.process_time() - begun)
    bare, ours = (statistics.median(seconds) for seconds in took)
    return Measured(f"{part.file.suffix} to {target}", after.facts["seconds"], bare, ours)


def _ours(file: Path, target: str, folder: Path):  # type: ignore[no-untyped-def]
    return Transcode(format=target).enrich(post_of(part_of(file)), event(), folder)  # type: ignore[arg-type]


def _bare(file: Path, target: str, folder: Path) -> None:
    codec, container = {"mp3": ("libmp3lame", "mp3"), "m4a": ("aac", "ipod")}[target]
    demuxer = "gsm" if file.suffix == ".gsm" else "wav"
    with av.open(str(file), format=demuxer) as source, av.open(str(folder / "bare"), "w", format=container) as out:
        stream = out.add_stream(codec, rate=16_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = 32_000
        for frame in frames_of(source):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="of sound")
    options = parser.parse_args()
    print(f"process time, medians of {ROUNDS} rounds")
    for each in measure(options.seconds):
        print(
            f"  {each.what:12} {each.sound:6.1f} s of sound: bare PyAV {each.bare:.3f} s, "
            f"transcode {each.ours:.3f} s ({each.sound / each.ours:.0f} x real time), x {each.times_bare:.2f}"
        )


if __name__ == "__main__":
    main()
