"""A site, and somebody who posts to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.known import KnownDouble
from tests.system.posting import Person


@pytest.fixture
def site() -> Iterator[KnownDouble]:
    with KnownDouble() as double:
        yield double


@pytest.fixture
def ada(tmp_path: Path, site: KnownDouble) -> Person:
    """Ada has settings."""
    person = Person(tmp_path / "ada")
    person.settings(site)
    return person
