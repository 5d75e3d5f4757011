"""Every Python that mediaagent is for, where it is installed: the README's first command, and the lookouts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.agent import ROOT


def found(version: str) -> str | None:
    """An interpreter of that version: on the PATH, or kept by pyenv (whose shims alone run nothing)."""
    kept = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python{version}"))
    for python in (shutil.which(f"python{version}"), *map(str, reversed(kept))):
        if python and subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0:
            return python
    return None


OTHERS = [version for version in ("3.11", "3.12", "3.13") if version != f"3.{sys.version_info.minor}"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each interpreter that is there; none, and none skipped, where there is no other."""
    metafunc.parametrize("python", [python for version in OTHERS if (python := found(version))] or [sys.executable])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_ends_with_its_post(python: str, tmp_path: Path) -> None:
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True, timeout=100)
    installed = [tmp_path / "venv" / "bin" / "pip", "install", "-q", str(ROOT), "pytest", "pytest-timeout"]
    subprocess.run(installed, check=True, timeout=400, cwd=tmp_path)
    demo = subprocess.run(
        [tmp_path / "venv" / "bin" / "mediaagent", "demo"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    lookouts = [tmp_path / "venv" / "bin" / "python", "-m", "pytest", "-q", "tests/contract/test_lookouts.py"]
    tested = subprocess.run(
        [*lookouts, "-p", "no:cacheprovider", "--override-ini", "addopts=--import-mode=importlib"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert tested.returncode == 0, tested.stdout
