"""What the Debian package is made of is what pyproject.toml asks for, by its hashes."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.regenerate_docs import ROOT

DEBIAN = ROOT / "packaging" / "debian"
RENEW = "run: packaging/debian/lock"
#: What the markers of dependencies are asked about: Debian 12.
THERE = {"python_version": "3.11", "python_full_version": "3.11.2", "sys_platform": "linux"}


def locked(name: str) -> dict[str, tuple[str, list[str]]]:
    """Package -> version, hashes."""
    text = (DEBIAN / name).read_text(encoding="utf-8")
    entries = re.findall(r"^([\w.\[\]-]+)==([\w.]+)[^\n]*\\\n((?: +--hash=\S+(?: \\)?\n)+)", text, re.MULTILINE)
    return {
        canonicalize_name(name): (version, re.findall(r"sha256:[0-9a-f]{64}", rest)) for name, version, rest in entries
    }


def dependencies() -> list[Requirement]:
    """Those of the program, and of what the package brings along besides: it has no pip that could add it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["metrics"]]
    return [need for need in map(Requirement, wanted) if not need.marker or need.marker.evaluate(THERE)]


@pytest.mark.parametrize("need", dependencies(), ids=lambda need: need.name)
def test_every_dependency_is_there_in_a_version_that_is_allowed(need: Requirement) -> None:
    found = locked("requirements.txt").get(canonicalize_name(need.name))
    assert found, f"{need.name} is missing; {RENEW}"
    assert need.specifier.contains(found[0]), f"{need} against {found[0]}; {RENEW}"


@pytest.mark.parametrize("name", ["requirements.txt", "build-requirements.txt"])
def test_everything_has_hashes_and_nothing_says_where_it_was_fetched(name: str) -> None:
    text = (DEBIAN / name).read_text(encoding="utf-8")
    entries = locked(name)
    assert len(entries) == len(re.findall(r"^[^\s#]", text, re.MULTILINE)) > 5
    assert all(hashes for _, hashes in entries.values())
    assert "://" not in text
