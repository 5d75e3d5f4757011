"""Runs the benches: `python -m tests.bench [--photo-sh PATH] [--only NAME…] [--quick] [--profile FOLDER]`."""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from pathlib import Path

from tests.bench.rows import Asked, Bench, Row

NAMES = ["burst", "motion", "latency", "post", "upload", "outbox", "walk", "renaming", "start", "idle"]


def chosen(names: list[str]) -> list[Bench]:
    return [import_module(f"tests.bench.bench_{name}").BENCH for name in names]


def told(row: Row) -> str:
    """One line for the terminal."""
    beside = f"  {row.ratio:8.2f} x {row.beside} ({row.theirs:.1f})" if row.beside else ""
    bound = f"  wanted {row.target}: {'kept' if row.kept else 'NOT KEPT'}" if row.target else ""
    spread = f"[{row.spread[0]:.2f} … {row.spread[1]:.2f}, {row.runs} runs]"
    return f"  {row.what:32} {row.ours:9.1f} {row.measure:12}{beside} {spread}{bound}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photo-sh", default=os.environ.get("MEDIAAGENT_PHOTO_SH", ""))
    parser.add_argument("--apprise", default="", help="a Python that has Apprise")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--profile", type=Path)
    asked = parser.parse_args()
    for bench in chosen(asked.only):
        print(bench.title, flush=True)
        for row in bench.run(
            Asked(photo_sh=asked.photo_sh, apprise=asked.apprise, quick=asked.quick, profile=asked.profile)
        ):
            print(told(row), flush=True)


if __name__ == "__main__":
    main()
