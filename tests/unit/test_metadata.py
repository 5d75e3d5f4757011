"""EXIF, GPS and their like never leave; pixels stay as they are, and the right way up."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaagent.rules.completeness import examine
from mediaagent.workbench.exif import exif_of
from mediaagent.workbench.metadata import without_metadata
from mediaagent.workbench.pictures import BadPicture, clean, prove, smaller
from tests.unit.metadata_samples import SECRETS, encoded, gif, jpeg, picture, png, profile, webp, webp_with

SAMPLES: dict[str, Callable[[], bytes]] = {
    "JPEG": jpeg,
    "progressive JPEG": lambda: jpeg(progressive=True),
    "PNG": png,
    "WebP": webp,
    "GIF": gif,
}


def pixels_of(data: bytes) -> np.ndarray:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", SAMPLES)
def test_nothing_secret_goes_out_and_not_a_pixel_changes(kind: str) -> None:
    before = SAMPLES[kind]()
    assert any(secret in before for secret in SECRETS)
    after = clean(before).data
    assert [secret for secret in SECRETS if secret in after] == []
    assert np.array_equal(pixels_of(after), pixels_of(before))
    assert examine(len(after), lambda offset, length: after[offset : offset + length], "x").whole


def test_the_samples_hold_every_secret_that_they_are_to_lose() -> None:
    everything = b"".join(make() for make in SAMPLES.values())
    assert [secret for secret in SECRETS if secret not in everything] == []


def test_a_jpeg_keeps_its_colour_profile_and_nothing_that_is_not_needed() -> None:
    stripped = without_metadata(jpeg())
    assert stripped is not None
    assert profile() in stripped
    assert len(stripped) == len(encoded(".jpg", None, cv2.IMWRITE_JPEG_QUALITY, 95)) + len(profile())


def test_a_thumbnail_inside_the_jfif_header_goes_too() -> None:
    plain = encoded(".jpg")
    with_thumbnail = plain[:4] + b"\0\x16" + plain[6:18] + b"\x01\x02thumb!" + plain[20:]
    after = clean(with_thumbnail).data
    assert after == plain


def test_an_animation_keeps_its_frames_and_its_loop() -> None:
    after, media_type, _, _ = clean(gif())
    assert media_type == "image/gif"
    assert after.count(b"!\xf9\x04") == 2
    assert b"NETSCAPE2.0" in after


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_each_orientation_is_applied_and_then_gone(kind: str, orientation: int) -> None:
    upright = picture()
    stored = {  # what a camera held in each way stores of the same scene (EXIF 2.32, table 4.6.4-6)
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    stored = np.ascontiguousarray(stored)
    data = {
        "JPEG": lambda: jpeg(orientation, pixels=stored),
        "PNG": lambda: png(orientation, stored),
        "WebP": lambda: webp_with(stored, orientation),
    }[kind]()
    after = clean(data).data
    shown = pixels_of(after)
    assert shown.shape == upright.shape
    assert np.abs(shown.astype(int) - upright.astype(int)).mean() < 6
    assert exif_of(after).orientation == 1
    assert [secret for secret in SECRETS if secret in after] == []


def test_a_turned_picture_keeps_its_colour_profile() -> None:
    assert profile() in clean(jpeg(6))[0]


def test_what_browsers_do_not_show_is_written_anew_as_png() -> None:
    for ending in (".bmp", ".tiff", ".ppm"):
        after, media_type, name_ending, _ = clean(encoded(ending))
        assert (media_type, name_ending) == ("image/png", ".png")
        assert np.array_equal(pixels_of(after), picture())


def test_the_time_and_the_motion_box_are_read_from_the_cameras_exif() -> None:
    for order in "<>":
        found = exif_of(jpeg(3, order=order, box=(58, 199, 80, 34)))
        assert found.orientation == 3
        assert found.taken_at == "2026-11-23T03:08:03"
        assert found.motion_box == (18, 182, 80, 34)  # SubjectArea tells the centre


def test_motions_empty_box_is_no_box() -> None:
    assert exif_of(jpeg(box=(0, 0, 0, 0))).motion_box is None


def test_a_time_that_is_none_is_left_out() -> None:
    assert exif_of(jpeg(taken=b"0000:00:00 00:00:00")).taken_at == ""


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_damaged_exif_tells_nothing_wrong_and_raises_nothing(data: st.DataObject) -> None:
    sample = bytearray(data.draw(st.sampled_from([jpeg(), png(), webp()])))
    for _ in range(data.draw(st.integers(1, 8))):
        sample[data.draw(st.integers(2, min(len(sample) - 1, 400)))] = data.draw(st.integers(0, 255))
    found = exif_of(bytes(sample[: data.draw(st.integers(0, len(sample)))]))
    assert 1 <= found.orientation <= 8


@given(st.sampled_from(sorted(SAMPLES)), st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_picture_is_refused_or_comes_out_clean(kind: str, data: st.DataObject) -> None:
    sample = bytearray(SAMPLES[kind]())
    for _ in range(data.draw(st.integers(1, 5))):
        sample[data.draw(st.integers(0, len(sample) - 1))] = data.draw(st.integers(0, 255))
    try:
        prove(bytes(sample))
        after = clean(bytes(sample)).data
    except BadPicture:
        return
    assert b"trailing-secret" not in after


def test_a_jpeg_of_which_only_the_end_marker_is_missing_is_refused() -> None:
    """All its pixels decode, and not every release of OpenCV minds."""
    with pytest.raises(BadPicture):
        prove(encoded(".jpg")[:-2])


def test_a_picture_is_made_as_small_as_asked() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    whole = encoded(".jpg", noise, cv2.IMWRITE_JPEG_QUALITY, 95)
    for limit in (len(whole) // 2, len(whole) // 20, 4000):
        assert len(smaller(whole, limit)) <= limit
        assert pixels_of(smaller(whole, limit)).shape[1] <= 800


def test_a_picture_that_cannot_be_made_so_small_is_refused() -> None:
    with pytest.raises(BadPicture, match="smaller"):
        smaller(encoded(".jpg"), 30)


def test_transparency_is_laid_on_white_when_a_picture_becomes_a_jpeg() -> None:
    clear = np.zeros((400, 400, 4), np.uint8)
    assert pixels_of(smaller(encoded(".png", clear), 100_000)).min() > 250
