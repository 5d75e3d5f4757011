"""What plays recordings again does what was recorded."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.replay import replay

DATA = Path(__file__).parents[1] / "data" / "motion"
RUN = DATA.parent / "artifacts" / "run"


@pytest.mark.parametrize("scenario", ["four-cameras", "motioneye-names", "ftp"])
def test_every_picture_ends_as_it_was_recorded(scenario: str, tmp_path: Path) -> None:
    replay(DATA / scenario, tmp_path)
    expected = json.loads((DATA / scenario / "expected.json").read_text())
    for name, found in expected["pictures"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == found["sha256"], name
    for name, found in expected["movies"].items():
        assert (tmp_path / name).stat().st_size == found["size"], name


def test_a_test_run_ends_as_it_was_recorded(tmp_path: Path) -> None:
    replay(RUN, tmp_path)
    recorded = {str(path.relative_to(RUN / "tree")): path for path in (RUN / "tree").rglob("*") if path.is_file()}
    for name, path in recorded.items():
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert (tmp_path / name.removesuffix(".gz")).read_bytes() == data, name
    assert len(recorded) == sum(path.is_file() for path in tmp_path.rglob("*")) == 37


def test_the_pace_is_the_producers_times_the_speed(tmp_path: Path) -> None:
    started = time.monotonic()
    replay(DATA / "ftp", tmp_path, speed=50)
    assert 0.3 < time.monotonic() - started < 5  # 17.5 s in life


def test_it_is_a_command(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "replay.py"
    subprocess.run([sys.executable, script, DATA / "ftp", tmp_path / "out"], check=True, timeout=30)
    assert (tmp_path / "out/Reolink/2026/11/23/Front_01_20261123032900.jpg").stat().st_size == 23998
