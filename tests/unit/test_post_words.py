"""The words of a post, as they are said on a command line."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaagent.cli.post import words
from mediaagent.handover import Handed, parse

SAID: dict[str, Any] = {
    "message": None,
    "text_file": None,
    "title": None,
    "tags": (),
    "access": None,
    "created": None,
    "syndicate": (),
    "reply_to": (),
    "to": (),
    "once": None,
    "state_key": "",
    "state": "",
    "state_within": None,
}


def said(kind: str = "status", files: tuple[Path, ...] = (), **options: Any) -> tuple[Handed, list[str]]:
    mistakes: list[str] = []
    return words.handed(kind, files, mistakes, **{**SAID, **options}), mistakes


@given(st.text(min_size=1).filter(str.strip))
def test_a_text_is_taken_as_it_is(text: str) -> None:
    post, mistakes = said(message=text)
    assert (post.body, mistakes) == (text, [])


@given(st.binary(min_size=1))
def test_standard_input_is_taken_whole_whatever_bytes_it_has(data: bytes) -> None:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data))
    try:
        post, mistakes = said()
    finally:
        sys.stdin = before
    text = data.decode("utf-8-sig", "replace")
    assert post.body == text
    assert bool(mistakes) == (not text.strip())


@given(st.text(), st.text())
def test_tokens_that_are_given_and_those_that_are_made_are_never_the_same(token: str, text: str) -> None:
    given_, _ = said(message="x", once=token)
    made, _ = said(message=text)
    assert given_.token == "once:" + token
    assert made.token.startswith("post:")
    assert made.token != said(message=text)[0].token


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r")))
def test_an_entry_with_a_first_line_has_it_as_its_title(text: str) -> None:
    post, mistakes = said("entry", message=text)
    lines = text.strip().split("\n")
    if not mistakes:
        assert post.title == lines[0].strip()
        assert post.body.split() == (text.split() if len(lines) == 1 else "\n".join(lines[1:]).split())


def test_an_entry_with_a_title_keeps_its_first_line() -> None:
    post, _ = said("entry", message="one\ntwo", title="Title")
    assert (post.title, post.body) == ("Title", "one\ntwo")


def test_bytes_that_are_no_letters_cost_no_post() -> None:
    post, mistakes = said(message="caf\udce9", title="\udcff", tags=("a\udcff",), state_key="x", state="\udcff")
    assert (mistakes, post.body, post.title, post.tags, post.state) == ([], "caf?", "?", ["a?"], "?")


def test_states_of_things_that_differ_in_such_bytes_are_told_apart() -> None:
    keys = {said(message="x", state_key=key)[0].state_key for key in ("caf\udce9", "caf\udcff", "caf?")}
    assert len(keys) == 3


@given(st.text(st.characters(), max_size=9), st.text(st.characters(), max_size=9), st.datetimes().map(str) | st.text())
def test_whatever_is_said_without_a_mistake_can_be_handed_over(words: str, name: str, when: str) -> None:
    post, mistakes = said(message=words, title=name, tags=(name,), once=name or None, state_key=words, created=when)
    if not mistakes:
        assert parse(json.dumps({"version": 1, **post._asdict()}).encode()).token == post.token


@pytest.mark.parametrize("when", ["2026-11-25T08:14", "2026-11-25T08:14:00+01:00", "2026-11-25", "20261125T081400Z"])
def test_times_have_a_zone(when: str) -> None:
    post, mistakes = said(message="x", created=when)
    assert mistakes == []
    assert datetime.fromisoformat(post.created).tzinfo is not None


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 86_400),
        ({"state": "OK"}, 3600),
        ({"state_within": "2h"}, 7200),
        ({"state": "OK", "state_within": "2h"}, 7200),
    ],
)
def test_how_long_a_story_stays_open(options: dict[str, str], seconds: float) -> None:
    post, mistakes = said(message="x", state_key="web", **options)
    assert (post.state_within, mistakes) == (seconds, [])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"created": "yesterday"}, "--created yesterday: this is no time"),
        ({"created": "9999-12-31T23:59:59-23:59"}, "no time in the years 1000 to 9998"),
        ({"created": "0001-01-01T00:00:00+14:00"}, "no time in the years 1000 to 9998"),
        ({"created": "0001-01-01"}, "no time in the years 1000 to 9998"),
        ({"once": "x\udcff"}, r"--once x\udcff: this is not UTF-8"),
        ({"to": ("\udcff",)}, "this is not UTF-8"),
        ({"syndicate": ("a::\udcff",)}, "this is not UTF-8"),
        ({"reply_to": ("http://x/\udcff",)}, "this is not UTF-8"),
        ({"tags": ("x",) * 1001}, "1001 are too many for tags: at most 1000 are taken"),
        ({"files": (Path(__file__),) * 1001}, "1001 are too many for files: at most 1000 are taken"),
        ({"message": "x" * (64 << 20)}, "the text is too long: at most 63 MB are taken; post it as a file"),
        ({"message": "\0" * (11 << 20)}, "the text is too long"),  # six bytes each where it is written down
        ({"access": "pubic"}, 'did you mean "public"?'),
        ({"syndicate": ("twitter",)}, "SERVICE::NAME"),
        ({"syndicate": ("::ada",)}, "SERVICE::NAME"),
        ({"reply_to": ("example.org/1",)}, "this is no web address"),
        ({"once": ""}, "1 to 200 characters"),
        ({"once": "x" * 201}, "1 to 200 characters"),
        ({"message": "x", "text_file": "y"}, "leave one out"),
        ({"message": None, "text_file": "/nowhere"}, "--file /nowhere: No such file"),
        ({"files": (Path("/nowhere"),)}, "/nowhere: No such file"),
        ({"files": (Path("/"),)}, "/: this is a folder"),
        ({"files": (Path("/dev/null"),)}, "/dev/null: this is no file"),
        ({"files": (Path("a\0b"),)}, "null"),
        ({"state": "OK"}, "--state goes with --state-key"),
        ({"state_within": "1h"}, "--state-within goes with --state-key"),
        ({"state_key": "web", "state_within": "soon"}, "--state-within: "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_mistakes_are_told(options: dict[str, Any], told: str) -> None:
    _, mistakes = said(**{"message": "x", **options})
    assert len(mistakes) == 1
    assert told in mistakes[0]
    with pytest.raises(words.Mistaken):
        words.refuse(mistakes)
