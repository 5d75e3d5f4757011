"""Whose a state folder is, and who may make one."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mediaagent import places
from mediaagent.errors import StateError
from mediaagent.store.state import StateFolder

STRANGER = 54321


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def become(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: number)


def test_a_folder_of_ours_is_ours_and_so_is_one_that_is_not_there_yet(state: Path) -> None:
    assert places.other_owner(state) is None
    assert places.other_owner(state / "later") is None


def test_a_folder_of_somebody_elses_is_theirs_also_for_root(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.geteuid() or STRANGER
    if os.geteuid() == 0:
        os.chown(state, owner, owner)
    for other in (0, STRANGER + 1):
        become(other, monkeypatch)
        assert places.other_owner(state) == owner
        with pytest.raises(StateError, match="run it as that user") as told:
            StateFolder(state, 1, lambda: datetime.now(UTC))
        assert ("runuser -u" in str(told.value) or "setpriv" in str(told.value)) == (other == 0)
        assert list(state.iterdir()) == []


def test_a_folder_that_root_made_is_whose_agent_is_in_it(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = places._owner
    monkeypatch.setattr(places, "_owner", lambda path: 0 if path == state else real(path))
    become(STRANGER, monkeypatch)
    assert places.other_owner(state) is None
    monkeypatch.setattr(places, "_owner", lambda path: 0 if path == state else STRANGER)
    assert places.other_owner(state) is None
    become(0, monkeypatch)
    assert places.other_owner(state) == STRANGER


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_a_private_folder_is_its_owners_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    os.umask(mask)
    places.make_private(tmp_path / "a" / "b" / "c")
    made = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    assert [oct(path.stat().st_mode & 0o7777) for path in made] == ["0o700"] * 3


def test_a_folder_that_is_there_keeps_its_rights(state: Path) -> None:
    state.chmod(0o750)
    places.make_private(state)
    assert state.stat().st_mode & 0o7777 == 0o750
