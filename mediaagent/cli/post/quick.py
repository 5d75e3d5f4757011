"""`mediaagent post` without click, whose import would take as long as all the rest of `post --queue`.

Only calls that are plain as they stand are read here; whatever else there is on a command line (a mistake, --help, a
way of writing that click alone knows) is left to click, so it is told and understood in one way.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mediaagent.cli import ending
from mediaagent.cli.post.options import FILES, OPTIONS, WORDS, Option

__all__ = ["Call", "read", "run"]

_BY_NAME = {name: option for option in (*WORDS, *OPTIONS) for name in option.names}
_CLICKS = -1  # no exit code: click has to say what is wrong


class Call(NamedTuple):
    """One call of `post`."""

    config: Path | None
    kind: str
    files: tuple[str, ...]
    options: dict[str, Any]


def run(words: Sequence[str]) -> int | None:
    """Does what the command line says. Returns the exit code; None: click has to read it."""
    call = read(words)
    if call is None or "_MEDIAAGENT_COMPLETE" in os.environ:
        return None
    from mediaagent.cli.home import Home
    from mediaagent.cli.post import handing
    from mediaagent.cli.post.words import Mistaken

    def body() -> int:
        try:
            return handing.post(Home(call.config, None, "auto"), call.kind, call.files, **call.options)
        except Mistaken:
            return _CLICKS

    ending.write_anything()
    code = ending.code_of(body, lambda: "post")
    return None if code == _CLICKS else code


def read(words: Sequence[str]) -> Call | None:
    """The call that these words are, which stand after the program's name; None where only click can tell."""
    rest = list(words)
    config = os.environ.get("MEDIAAGENT_CONFIG") or None
    if rest[:1] == ["--config"] and len(rest) > 1:
        config, rest = rest[1], rest[2:]
    if len(rest) < 2 or rest[0] != "post" or rest[1] not in FILES:
        return None
    kind, rest = rest[1], rest[2:]
    options, files = {option.name: _unsaid(option) for option in (*WORDS, *OPTIONS)}, []
    while rest:
        word = rest.pop(0)
        if word == "--":
            files += rest
            break
        if not word.startswith("-"):
            files.append(word)
        elif not _option(word, rest, options):
            return None
    most = {"": 0, "FILE": 1, "FILE...": len(files)}[FILES[kind]]
    if len(files) > most or (not files and FILES[kind]):
        return None
    return Call(Path(config) if config is not None else None, kind, tuple(files), options)


def _option(word: str, rest: list[str], options: dict[str, Any]) -> bool:
    """Takes an option, and from `rest` its value. Returns whether it is plain."""
    name, given, value = word.partition("=")
    option = _BY_NAME.get(name)
    if option is None or (given and not name.startswith("--")):
        return False
    if option.kind in ("flag", "pair"):
        if given:
            return False
        options[option.name] = name == option.names[0]
        return True
    if not given:
        if not rest:
            return False
        value = rest.pop(0)
    options[option.name] = (*options[option.name], value) if option.kind == "many" else value
    return True


def _unsaid(option: Option) -> Any:
    """What an option has that nobody gave."""
    if option.envvar and os.environ.get(option.envvar):
        return os.environ[option.envvar]
    return {"many": (), "flag": False}.get(option.kind, option.default)
