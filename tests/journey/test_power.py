"""A power cut after the first start: the names that lead to our copies have to be on disk, not only the copies."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mediaagent.store.state import StateFolder


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, set[str]]]:
    """Each folder that was flushed, with the names that it had then."""
    seen: list[tuple[str, set[str]]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_dir():
            seen.append((path.name, {each.name for each in path.iterdir()}))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return seen


def test_after_a_start_every_name_that_leads_to_a_copy_is_flushed(
    tmp_path: Path, flushed: list[tuple[str, set[str]]]
) -> None:
    state = StateFolder(tmp_path / "state", 1_000_000, lambda: datetime.now(UTC))
    try:
        kept = dict(flushed)
        assert "state" in kept[tmp_path.name]
        assert {"agent.json", "outbox.db", "spool"} <= kept["state"]
        assert {"parts", "events", "tmp"} <= kept["spool"]
        flushed.clear()
        state.begun("cam", tmp_path)
        assert [name for name, _ in flushed] == ["state"], "since when a folder is watched outlives a power cut"
    finally:
        state.close()
