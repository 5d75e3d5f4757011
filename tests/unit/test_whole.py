"""Pictures that are believed by their structure come out as decoded ones do; what is not whole is not believed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaagent.workbench import pictures, whole
from mediaagent.workbench.containers import BadPicture
from tests.unit.metadata_samples import SECRETS, encoded, jpeg, picture
from tests.unit.test_metadata import SAMPLES


@pytest.mark.parametrize("kind", [kind for kind in SAMPLES if kind != "WebP"])
def test_they_come_out_as_if_they_had_been_decoded(kind: str) -> None:
    data = SAMPLES[kind]()
    made = whole.clean(data)
    assert made == pictures.clean(data)
    assert made is not None
    assert [secret for secret in SECRETS if secret in made.data] == []
    assert whole.prove(data) == pictures.prove(data)


@pytest.mark.parametrize("kind", SAMPLES)
def test_no_beginning_of_a_picture_is_believed(kind: str) -> None:
    data = encoded(".jpg") if "JPEG" in kind else SAMPLES[kind]()
    end = data.rindex({"PNG": b"IEND", "GIF": b";", "WebP": b"EXIF"}.get(kind, b"\xff\xd9"))
    for length in range(0, end, 7):
        assert whole.clean(data[:length]) is None
        assert whole.prove(data[:length]) is None


def test_a_webp_is_believed_as_long_as_it_says_it_is() -> None:
    with_something_behind = SAMPLES["WebP"]()
    assert whole.clean(with_something_behind) is None
    data = with_something_behind.removesuffix(b"trailing-secret")
    assert data != with_something_behind
    assert whole.clean(data) == pictures.clean(data)


def test_a_table_that_would_hide_what_stands_behind_it_is_left_to_the_decoder() -> None:
    plain = encoded(".jpg")
    at = plain.index(b"\xff\xdb")
    length = int.from_bytes(plain[at + 2 : at + 4], "big")
    comment = b"\xff\xfe\0\x10comment-secret"
    hiding = plain[: at + 2] + (length + len(comment)).to_bytes(2, "big") + plain[at + 4 : at + 2 + length] + comment
    assert whole.clean(plain) is not None
    assert whole.clean(hiding + plain[at + 2 + length :]) is None


def test_what_has_to_be_turned_or_written_anew_is_left_to_the_decoder() -> None:
    assert whole.prove(jpeg(6)) is not None
    assert whole.clean(jpeg(6)) is None
    assert whole.clean(encoded(".bmp", picture())) is None
    assert whole.clean(b"no picture at all") is None


def test_a_png_with_a_wrong_checksum_is_refused() -> None:
    data = bytearray(SAMPLES["PNG"]())
    data[data.index(b"IDAT") + 8] ^= 1
    with pytest.raises(BadPicture, match="checksum of its IDAT"):
        whole.clean(bytes(data))


@settings(max_examples=200)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_whatever_is_damaged_nothing_secret_goes_out(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(SAMPLES[kind]())
    for at in data.draw(st.lists(st.integers(2, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        made = whole.clean(bytes(damaged))
    except BadPicture:
        return
    if made is not None:
        assert [secret for secret in SECRETS if secret in made.data] == []
