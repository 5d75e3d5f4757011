"""Plug-ins are found by name: those that come along at once, others by the entry points of what is installed."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mediaagent import registry
from mediaagent.errors import PluginError

ROOT = Path(__file__).parents[2]


def told(code: str, *places: Path) -> str:
    """What another Python prints, with these places in its path."""
    before = "".join(f"import sys; sys.path.append({str(place)!r}); " for place in places)
    done = subprocess.run(
        [sys.executable, "-c", f"{before}from mediaagent import registry; {code}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A package that brings a bell, and wants to be `known`."""
    info = tmp_path / "ding-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ding\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mediaagent.uploaders]\nbell = ding:Bell\nknown = ding:Bell\n")
    (tmp_path / "ding.py").write_text("class Bell: pass\n")
    return tmp_path


def test_the_table_of_those_that_come_along_is_that_of_the_package() -> None:
    registered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert {group: registry.OURS[kind] for kind, group in registry.GROUPS.items()} == registered


def test_ours_are_found_without_reading_what_is_installed() -> None:
    code = "import sys; print(registry.find('uploader', 'known').__name__, 'importlib.metadata' in sys.modules)"
    assert told(code) == "Known False"


def test_a_stranger_is_found_and_takes_no_name_of_ours(stranger: Path) -> None:
    assert told("print(registry.find('uploader', 'bell'))", stranger) == "<class 'ding.Bell'>"
    code = "print(*(each.name + ':' + each.distribution for each in registry.records('uploader')))"
    assert told(code, stranger) == "bell:ding known:mediaagent page:mediaagent"


def test_a_name_that_nobody_has_is_told_with_the_nearest() -> None:
    with pytest.raises(PluginError, match='there is no uploader "knwon"; did you mean "known"'):
        registry.find("uploader", "knwon")
