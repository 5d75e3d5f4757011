"""Folders of ours, and those that other programs handed over, go with all that is in them, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaagent.store.safely import remove


def test_a_folder_goes_with_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}").write_text("x")
    remove(folder)
    assert list(tmp_path.iterdir()) == []


def test_folders_in_it_go_too(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    (folder / "in" / "it").mkdir(parents=True)
    (folder / "in" / "it" / "a").write_text("x")
    (folder / "b").write_text("x")
    remove(folder)
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "a").write_text("x")
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "inside").symlink_to(precious)
    remove(folder)
    (tmp_path / "itself").symlink_to(precious)
    with pytest.raises(OSError):
        remove(tmp_path / "itself")
    remove(tmp_path / "itself", anyhow=True)
    assert (precious / "a").read_text() == "x"
    assert not folder.exists()


def test_one_that_is_gone_is_told_unless_nobody_minds(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove(tmp_path / "gone")
    remove(tmp_path / "gone", anyhow=True)
