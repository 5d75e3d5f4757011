"""What a picture's proof decoded is not decoded again by whoever judges the picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mediaagent import previews
from mediaagent.workbench import pictures


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "_kept", {})


def picture(path: Path, width: int = 1280, height: int = 720, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, cv2.resize(pixels, (width, height)))[1].tobytes())
    return path


def proven(*files: Path) -> list[bool]:
    return [facts is not None for facts in pictures.prove_each({file: file.read_bytes() for file in files})]


def never(*_: object) -> None:
    raise AssertionError("it is decoded again")


def test_a_visit_that_was_proven_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visit = [picture(tmp_path / f"{number}.jpg", seed=number) for number in range(4)]
    afresh = [previews.preview(file, 1280, 720) for file in visit]
    assert all(proven(*visit))
    monkeypatch.setattr(previews, "decoded", never)
    for file, wanted in zip(visit, afresh, strict=True):
        found = previews.preview(file)
        assert found is not None
        assert found.shape == (360, 640)
        assert np.array_equal(found, wanted)


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [
        (300, 200, (200, 300)),
        (700, 350, (320, 640)),
        (1400, 1400, (640, 640)),
        (4000, 40, (6, 640)),
        (5000, 2, (1, 640)),
    ],
)
def test_it_is_grey_and_at_most_so_large(
    tmp_path: Path, ending: str, width: int, height: int, shape: tuple[int, int]
) -> None:
    file = tmp_path / f"a.{ending}"
    file.write_bytes(cv2.imencode(file.suffix, np.full((height, width, 3), 90, np.uint8))[1].tobytes())
    for known in ((width, height), (0, 0)):
        found = previews.preview(file, *known)
        assert found is not None
        assert found.shape == shape
        assert abs(int(found.mean()) - 90) <= 1


def test_what_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    file = picture(tmp_path / "a.png", 64, 64)
    assert proven(file, picture(tmp_path / "b.png", 64, 64)) == [True, True]
    file.write_bytes(cv2.imencode(".png", np.full((64, 64, 3), 200, np.uint8))[1].tobytes())
    found = previews.preview(file)
    assert found is not None
    assert found.min() == found.max() == 200


def test_of_a_visit_with_damage_nothing_is_kept(tmp_path: Path) -> None:
    good, bad = picture(tmp_path / "good.jpg"), picture(tmp_path / "bad.jpg", seed=1)
    data = bad.read_bytes()
    bad.write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    assert proven(good, bad) == [False, False]
    assert previews._kept == {}


def test_there_is_room_for_a_visit_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "_ROOM", 2 * 64 * 64)
    visit = [picture(tmp_path / f"{number}.png", 64, 64, number) for number in range(3)]
    assert proven(*visit) == [True] * 3
    assert [key[0] for key in previews._kept] == visit[1:]
    assert all(previews.preview(file) is not None for file in visit)
    assert previews._kept == {}  # what was given is not kept any longer


def test_what_no_decoder_reads_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert previews.preview(tmp_path / "a.jpg") is None
    (tmp_path / "a.jpg").write_bytes(b"")
    assert previews.preview(tmp_path / "a.jpg") is None
    with pytest.raises(FileNotFoundError):
        previews.preview(tmp_path / "gone.jpg")
