"""`python -m tests.bench` measures, and writes a page that says what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.bench.__main__ import NAMES, bench_of
from tests.bench.report import Report, remarks
from tests.bench.rows import Row, Target, compared
from tests.system.agent import ROOT

DOCS = ROOT / "docs"


def test_one_bench_is_run_and_its_rows_stand_on_the_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.bench", "--quick", "--only", "outbox", "--into", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "performance" / "results.json").read_text())["outbox"]
    page = (tmp_path / "performance.md").read_text()
    assert [row["what"] for row in run["rows"]][:1] == ["events added singly"]
    for row in run["rows"]:
        assert row["ours"] > 0
        assert f"| {row['what']} | " in page
        assert row["what"] in done.stdout
    ElementTree.parse(tmp_path / "performance" / "goals.svg")


def test_every_bench_is_known_by_its_name() -> None:
    for name in NAMES:
        bench = bench_of(name)
        assert bench.name == name
        assert bench.text.strip().count("python -m tests.bench --only " + name) == 1


@pytest.mark.parametrize(
    ("target", "ratio", "kept"),
    [(Target(15), 15.0, True), (Target(15), 14.9, False), (Target(0.1, least=False), 0.1, True)],
)
def test_a_target_is_reached_or_not(target: Target, ratio: float, kept: bool) -> None:
    assert compared("burst", "posts", "a second", [ratio], "floor", [1.0], target).kept is kept


def test_of_several_rounds_the_median_of_their_ratios_counts() -> None:
    row = compared("burst", "posts", "a second", [10.0, 40.0, 30.0], "floor", [10.0, 10.0, 10.0])
    assert (row.ratio, row.spread, row.runs, row.ours) == (3.0, (1.0, 4.0), 3, 30.0)


def test_the_page_is_what_the_figures_and_the_remarks_make() -> None:
    assert (DOCS / "performance.md").read_text() == Report.in_folder(DOCS).page(remarks())


def test_the_plots_are_small_and_whole() -> None:
    plots = sorted((DOCS / "performance").glob("*.svg"))
    assert {plot.stem for plot in plots} == Report.in_folder(DOCS).plots().keys()
    for plot in plots:
        ElementTree.parse(plot)
        assert plot.stat().st_size < 10_000


def test_every_remark_is_about_a_row_and_every_missed_target_has_one() -> None:
    told, report = remarks(), Report.in_folder(DOCS)
    rows = {_named(row): row for name in report.runs for row in report.rows(name)}
    assert {name for name in told if name.partition(":")[0] in report.runs} <= rows.keys()
    missed = [name for name, row in rows.items() if row.kept is False]
    assert [name for name in missed if not told.get(name, {}).get("why")] == []


def _named(row: Row) -> str:
    return f"{row.bench}: {row.what}" + (f" / {row.beside}" if row.beside else "")
