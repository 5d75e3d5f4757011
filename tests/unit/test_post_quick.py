"""Plain calls of `post` are read without click, and mean what click takes them for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaagent.cli.commands import main
from mediaagent.cli.post import quick
from mediaagent.cli.post.options import FILES, OPTIONS, WORDS

NAMES = [name for option in (*WORDS, *OPTIONS) for name in option.names]
VALUES = st.one_of(st.sampled_from(["", "-", "--", "-x", "--queue", "a b", "x=y", "=", "--title=z"]), st.text())
OPTION = st.one_of(
    st.sampled_from(NAMES).map(lambda name: [name]),
    st.tuples(st.sampled_from(NAMES), VALUES).map(list),
    st.tuples(st.sampled_from(NAMES), VALUES).map(lambda pair: ["=".join(pair)]),
    VALUES.map(lambda value: [value]),
)
CALLS = st.tuples(st.sampled_from([*FILES, "mail", "run", "x"]), st.lists(OPTION, max_size=6)).map(
    lambda call: ["post", call[0], *(word for option in call[1] for word in option)]
)


def as_click_reads(words: list[str]) -> tuple[Path | None, str, tuple[str, ...], dict[str, Any]]:
    """Raises click's error where it finds a mistake."""
    context = main.make_context("mediaagent", list(words))
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, command, rest = context.command.resolve_command(context, rest)
        assert name
        assert command
        context = command.make_context(name, rest, parent=context)
    files = context.params.pop("files", ())
    config = context.find_root().params["config"]
    return config, str(context.info_name), files if isinstance(files, tuple) else (files,), context.params


@given(CALLS)
def test_what_is_read_without_click_is_what_click_reads(words: list[str]) -> None:
    call = quick.read(words)
    if call is not None:
        assert tuple(call) == as_click_reads(words)


@pytest.mark.parametrize("kind", FILES)
def test_what_hooks_call_is_read_without_click(kind: str) -> None:
    files = ["a.jpg"] if FILES[kind] else []
    plain = ["--config", "x.toml", "post", kind, *files, "-m", "-1 °C", "--tag", "a", "--tag=b", "--queue", "--json"]
    call = quick.read(plain)
    assert call is not None
    assert tuple(call) == as_click_reads(plain)
    assert call.options["tags"] == ("a", "b")
    assert call.options["wait"] is False


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["queue"],
        ["post"],
        ["post", "-h"],
        ["post", "status", "--help"],
        ["post", "status", "a.jpg"],
        ["post", "photo"],
        ["post", "audio", "a", "b"],
        ["post", "status", "--titel", "x"],
        ["post", "status", "-m"],
        ["post", "status", "--queue=yes"],
        ["post", "photo", "-"],
        ["--log-level", "debug", "post", "status"],
    ],
)
def test_all_else_is_left_to_click(words: list[str]) -> None:
    assert quick.read(words) is None


def test_settings_and_drop_folder_of_the_environment_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAAGENT_CONFIG", "/etc/x.toml")
    monkeypatch.setenv("MEDIAAGENT_DROP", "/drop")
    words = ["post", "status", "-m", "x"]
    call = quick.read(words)
    assert call is not None
    assert (call.config, call.options["drop"]) == (Path("/etc/x.toml"), "/drop")
    assert tuple(call) == as_click_reads(words)
