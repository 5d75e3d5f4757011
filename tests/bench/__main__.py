"""Runs the benches, interleaved with what is used today, and writes docs/performance.md: `python -m tests.bench`."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from importlib import import_module
from pathlib import Path

from tests.bench.report import Report, figure_of, held, remarks
from tests.bench.rows import Asked, Bench, Row
from tests.system.agent import ROOT

NAMES = [
    *("burst", "motion", "latency", "post", "upload", "large", "outbox", "walk", "renaming", "start", "idle"),
    *("gate", "page", "triage", "transcode", "voicemail_latency"),
]


def bench_of(name: str) -> Bench:
    bench = import_module(f"tests.bench.bench_{name}").BENCH
    assert isinstance(bench, Bench)
    return bench


def line_of(row: Row) -> str:
    """A row for the terminal."""
    beside = f"  x {figure_of(row)} of {row.beside} ({row.theirs:.1f})" if row.beside else f"  {figure_of(row)}"
    bound = f"  wanted {row.target}: {'kept' if row.kept else 'NOT KEPT'}" if row.target else ""
    floor = held(row, remarks())
    bound += f", BELOW ITS FLOOR {floor}" if floor and not floor.kept(row.figure) else ""
    return f"  {row.what:42} {row.ours:9.1f} {row.measure:12}{beside}{bound}"


def left_out(bench: Bench, asked: Asked) -> list[str]:
    """What is not measured beside us, and why."""
    found = []
    if "photo.sh" in bench.beside and not asked.photo_sh:
        found.append("photo.sh, for --photo-sh (or MEDIAAGENT_PHOTO_SH) does not say where it lies")
    if "Apprise" in bench.beside and not asked.apprise:
        found.append("Apprise, for --apprise (or MEDIAAGENT_APPRISE) names no Python that has it")
    programs = [name for name in ("inotifywait", "curl") if name in bench.beside and not shutil.which(name)]
    return found + [f"{name}, which is not installed" for name in programs]


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--photo-sh", default=os.environ.get("MEDIAAGENT_PHOTO_SH", ""), help="BashKnown's script")
    apprise = os.environ.get("MEDIAAGENT_APPRISE", "")
    parser.add_argument("--apprise", default=apprise, help="the Python of an environment that has Apprise")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="a small form, to see that all runs; writes no page")
    parser.add_argument("--rounds", type=int, default=0, help="at most so many rounds: for a first look")
    parser.add_argument("--profile", type=Path, help="the agent's profiles go there; it is slower; writes no page")
    parser.add_argument("--into", type=Path, help="where performance.md goes (default: docs)")
    parser.add_argument("--report", action="store_true", help="only write the page anew")
    return parser.parse_args()


def main() -> None:
    words = _asked()
    asked = Asked(words.photo_sh, words.apprise, words.quick, words.profile, words.rounds)
    into = words.into or (None if words.quick or words.profile else ROOT / "docs")
    report = Report.in_folder(into) if into else None
    for name in [] if words.report else words.only:
        bench, begun = bench_of(name), time.monotonic()
        rows = bench.run(asked)
        print(f"{bench.title} ({time.monotonic() - begun:.0f} s)", *map(line_of, rows), sep="\n", flush=True)
        if asked.profile:
            print((asked.profile / "threads.txt").read_text(), f"python -m pstats {asked.profile}/prepare.prof", sep="")
        if report:
            report.take(bench, rows, left_out(bench, asked))
            report.write(NAMES)
    if report:
        report.write(NAMES)


if __name__ == "__main__":
    main()
