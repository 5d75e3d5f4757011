"""What transcode costs beside bare PyAV for the same work: decode, measure loudness, level, limit, trim, encode.

Told besides: what it costs beside decoding and encoding alone, as if nobody had to listen to the message first.

python -m tests.bench --only transcode, or python -m tests.bench.bench_transcode [--seconds 600]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import av
import av.filter

from mediaagent.builtin.enrichers.transcode import Transcode
from tests.bench.rows import Asked, Bench, Row, Target, compared
from tests.unit.sounds import event, frames_of, part_of, post_of, sox, spoken

ROUNDS = 5
ENDINGS = (".wav", ".WAV", ".gsm")


class Measured(NamedTuple):
    """Medians of interleaved rounds, in seconds."""

    what: str
    sound: float  # seconds of it
    bare: float
    simple: float  # decoding and encoding alone
    ours: float
    rounds: list[list[float]]  # of each of the three

    @property
    def times_bare(self) -> float:
        return self.ours / self.bare

    @property
    def times_simple(self) -> float:
        return self.ours / self.simple


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
    ways = (_bare, _simple, _ours)
    took: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for way, seconds in zip(ways, took, strict=True):
            begun = time.process_time()
            way(file, target, folder)
            seconds.append(time.process_time() - begun)
    bare, simple, ours = map(statistics.median, took)
    assert abs(_bare(file, target, folder) - after.facts["seconds"]) < 1, "it is not the same work"
    return Measured(f"{part.file.suffix} to {target}", after.facts["seconds"], bare, simple, ours, took)


def _ours(file: Path, target: str, folder: Path):  # type: ignore[no-untyped-def]
    return Transcode(format=target).enrich(post_of(part_of(file)), event(), folder)  # type: ignore[arg-type]


def _bare(file: Path, target: str, folder: Path) -> float:
    """The same work as plainly as it can be written. Returns the seconds that are kept."""
    levels, loudness = [], -70.0
    with _opened(file) as source:
        for frame in _filtered(source, ("ebur128", "metadata=1:framelog=quiet")):
            if "lavfi.r128.M" in frame.metadata:
                levels.append(float(frame.metadata["lavfi.r128.M"]))
                loudness = float(frame.metadata["lavfi.r128.I"])
    loud = [number for number, level in enumerate(levels) if level > loudness - 20]
    start, end = max(0.0, round(loud[0] * 0.1 - 0.3, 1)), round(loud[-1] * 0.1 + 0.3, 1)
    wanted = (
        ("atrim", f"start={start}:end={end}"),
        ("asetpts", "N/SR/TB"),
        ("aformat", "sample_rates=16000"),
        ("volume", f"{-19 - loudness}dB"),
        ("alimiter", "limit=0.84:level=false"),
        ("aformat", "sample_fmts=fltp"),
    )
    with _opened(file) as source:
        _encode(_filtered(source, *wanted), target, folder)
    return end - start


def _simple(file: Path, target: str, folder: Path) -> None:
    with _opened(file) as source:
        _encode(frames_of(source), target, folder)


def _opened(file: Path) -> av.container.InputContainer:
    return av.open(str(file), format="gsm" if file.suffix == ".gsm" else "wav")


def _filtered(source: av.container.InputContainer, *filters: tuple[str, str]) -> Iterator[av.AudioFrame]:
    graph = av.filter.Graph()
    nodes = [graph.add_abuffer(template=source.streams.audio[0])]
    nodes += [graph.add(name, arguments) for name, arguments in (*filters, ("abuffersink", ""))]
    graph.link_nodes(*nodes).configure()
    for frame in itertools.chain(frames_of(source), (None,)):
        with suppress(EOFError):  # atrim has all it wants
            graph.push(frame)
        with suppress(BlockingIOError, EOFError):
            while True:
                yield graph.pull()


def _encode(frames: Iterable[av.AudioFrame], target: str, folder: Path) -> None:
    codec, container = {"mp3": ("libmp3lame", "mp3"), "m4a": ("aac", "ipod")}[target]
    with av.open(str(folder / "bare"), "w", format=container) as out:
        stream = out.add_stream(codec, rate=16_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = 32_000
        for frame in frames:
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def run(asked: Asked) -> list[Row]:
    seconds = 30 if asked.quick else 120
    rows = []
    for each in measure(seconds):
        bare, _, ours = each.rounds
        bound = Target(1.2, least=False)
        rows.append(compared("transcode", each.what, "s of CPU", ours, "bare PyAV", bare, bound))
    return rows


BENCH = Bench("transcode", "Sound", __doc__, run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="of sound")
    options = parser.parse_args()
    print(f"process time, medians of {ROUNDS} rounds")
    for each in measure(options.seconds):
        print(
            f"  {each.what:12} {each.sound:6.1f} s of sound: bare PyAV {each.bare:.3f} s, "
            f"transcode {each.ours:.3f} s ({each.sound / each.ours:.0f} x real time), x {each.times_bare:.2f} "
            f"(decoding and encoding alone {each.simple:.3f} s, x {each.times_simple:.2f})"
        )


if __name__ == "__main__":
    main()
