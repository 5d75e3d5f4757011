"""The floors of the house hold; and each contract has been seen to fail on a planted violation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.agent import ROOT

#: contract -> (module, line that breaks it)
PLANTED = {
    "floors": ("rules/backoff.py", "import mediaagent.app"),
    "plugins": ("builtin/watchers/folder.py", "from mediaagent.model import Part as _Part"),
    "concrete": ("cli/why.py", "import mediaagent.store.codec"),
    "story": ("journey/deliver.py", "import sqlite3"),
    "light": ("daemon.py", "import cv2"),
    "strangers": ("builtin/watchers/folder.py", "import mediaagent.builtin.watchers.motion"),
    "cycles": ("store/codec.py", "import mediaagent.store.rows"),
}


def lint(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    chosen = [word for contract in contracts for word in ("--contract", contract)]
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    return subprocess.run(
        [*command, "--config", "pyproject.toml", "--no-cache", *chosen],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=100,
    )


def copy_of_the_package(folder: Path) -> Path:
    shutil.copytree(ROOT / "mediaagent", folder / "mediaagent", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_floors_hold(tmp_path: Path) -> None:
    result = lint(copy_of_the_package(tmp_path))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_violation_breaks_its_contract(tmp_path: Path, contract: str) -> None:
    module, line = PLANTED[contract]
    planted = copy_of_the_package(tmp_path) / "mediaagent" / module
    planted.write_text(f"{planted.read_text()}\n\ndef planted() -> None:\n    {line}\n")
    result = lint(tmp_path, contract)
    assert result.returncode != 0, result.stdout
    assert "BROKEN" in result.stdout
