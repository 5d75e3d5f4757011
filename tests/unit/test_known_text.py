"""A post's words, names and times as Known is sent them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mediaagent.api import Link, PostPart, Pre, Text
from mediaagent.builtin.uploaders.known import names, text
from mediaagent.builtin.uploaders.known.common import created

KEY = "ma_0123456789ab"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def body(*blocks: Text | Pre | Link) -> str:
    return text.photo_body(blocks, KEY).removesuffix(f" <span hidden>{KEY}</span>")


def test_preformatted_text_keeps_its_lines_and_is_no_list_of_tags() -> None:
    assert body(Pre("#0 main <x>\n#1 y")) == "<pre>&#35;0 main &lt;x&gt;&#10;&#35;1 y</pre>"


def test_a_link_can_not_break_out_of_its_attribute() -> None:
    assert body(Link("a & b", 'https://x/?a=1&b="><script>')) == (
        '<a href="https://x/?a=1&amp;b=&quot;&gt;&lt;script&gt;">a &amp; b</a>'
    )


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", " javascript:x", "//x", ""])
def test_a_link_that_is_no_web_address_stays_text(url: str) -> None:
    assert "<a" not in body(Link("x", url))


def test_a_body_without_words_carries_the_key_alone() -> None:
    assert text.photo_body((), KEY) == f"<span hidden>{KEY}</span>"


def test_what_is_no_utf8_and_no_text_is_left_out() -> None:
    assert body(Text("a\0b\x1bc\udcffd\r\ne")) == "abc?d\ne"


@pytest.mark.parametrize(
    ("when", "sent"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (datetime(1970, 1, 2, tzinfo=UTC), True),
        (NOW, True),
        (NOW + timedelta(minutes=4), True),
        (NOW + timedelta(minutes=6), False),
        (datetime(2040, 1, 1, tzinfo=UTC), False),
    ],
)
def test_only_times_that_the_site_takes_are_sent(when: datetime, sent: bool) -> None:
    assert bool(created(when, NOW)) is sent
    assert created(datetime(2039, 1, 1, tzinfo=UTC), datetime(2039, 1, 1, tzinfo=UTC)) == ""


def part(name: str, media_type: str = "image/jpeg") -> PostPart:
    return PostPart(file=Path("x"), role="picture", media_type=media_type, name=name)


def test_a_name_is_the_same_at_every_try_and_another_for_every_post() -> None:
    assert names.site_name(part("a.jpg"), KEY) == names.site_name(part("a.jpg"), KEY)
    assert names.site_name(part("a.jpg"), KEY) != names.site_name(part("a.jpg"), KEY + "0")
    assert names.original(names.site_name(part("a.b.jpg"), KEY), KEY) == "a.b.jpg"


def test_a_name_always_has_an_extension_and_fits() -> None:
    assert names.site_name(part("frame"), KEY).endswith(".jpg")
    assert names.site_name(part("frame", "image/webp"), KEY).endswith(".webp")
    long = [names.site_name(part("x" * 250 + end + ".jpg"), KEY) for end in "ab"]
    assert len(set(long)) == 2
    assert all(len(name) < 130 for name in long)


def test_a_held_file_is_known_by_its_name_even_if_the_site_added_an_extension() -> None:
    assert names.same("a-1", "a-1.JPG")
    assert not names.same("a-1.jpg", "a-12.jpg")
    assert not names.same("a", "a.b.jpg")
