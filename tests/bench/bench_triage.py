"""How long triage takes for a core dump of 10 MB, in a workbench that is warm.

python -m tests.bench --only triage, or python -m tests.bench.bench_triage [--rounds 15]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from mediaagent.workbench.bench import ProcessWorkbench
from tests.bench.rows import Asked, Bench, Row, Target
from tests.unit.core_dumps import BIN, recorded
from tests.unit.test_triage import POST, event_of, part_of, text_of

SIZE = 10_000_000  # bytes
WAYS = {"none": "program, signal and place", "eu-stack": "stack by eu-stack", "gdb": "stack by gdb"}


class Measured(NamedTuple):
    """One way, in milliseconds."""

    what: str
    median: float
    fastest: float
    slowest: float


def measure(rounds: int) -> list[Measured]:
    """The workbench's answer, from asking to having it; ways in turn, so that a busy machine meets all alike."""
    with tempfile.TemporaryDirectory() as name:
        core = recorded("cores/threads/core", Path(name))
        with core.open("ab") as stream:
            stream.write(bytes(SIZE - stream.tell()))
        bench = ProcessWorkbench()
        took: dict[str, list[float]] = {way: [] for way in WAYS}
        try:
            for number in range(rounds + 1):
                for way in WAYS:
                    milliseconds = _once(bench, core, way, Path(name, f"{way}-{number}"))
                    took[way] += [milliseconds] if number else []  # the first one warms it
        finally:
            bench.close()
    return [Measured(WAYS[way], statistics.median(all_), min(all_), max(all_)) for way, all_ in took.items()]


def _once(bench: ProcessWorkbench, core: Path, way: str, folder: Path) -> float:
    folder.mkdir()
    steps = [("triage", {"binaries": [str(BIN)], "debugger": way})]
    begun = time.perf_counter()
    post, _ = bench.prepare(POST, event_of(part_of(core)), steps, folder)
    took = (time.perf_counter() - begun) * 1000
    assert ("#0   bad at src/threads.c:6" in text_of(post)) == (way != "none")
    return took


def run(asked: Asked) -> list[Row]:
    """The ways for which a debugger is installed."""
    bounds = {"none": 50, "eu-stack": 100}
    found = measure(2 if asked.quick else 15)
    return [
        Row(
            bench="triage",
            what=each.what,
            measure="ms",
            ours=each.median,
            spread=(each.fastest, each.slowest),
            runs=2 if asked.quick else 15,
            target=Target(bounds[way], least=False, unit="ms") if way in bounds else None,
        )
        for way, each in zip(WAYS, found, strict=True)
    ]


BENCH = Bench("triage", "Core dumps", __doc__, run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    print(f"a core dump of {SIZE / 1e6:g} MB in a warm workbench, medians of {options.rounds} rounds")
    for each in measure(options.rounds):
        print(f"  {each.what:28} {each.median:6.1f} ms ({each.fastest:.1f} to {each.slowest:.1f})")


if __name__ == "__main__":
    main()
