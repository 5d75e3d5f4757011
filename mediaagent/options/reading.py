"""Tables of TOML become plug-ins; every mistake in them is told with what was found and what is wanted."""

from __future__ import annotations

import re
import types
import typing
import zoneinfo
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from mediaagent.model import Problem
from mediaagent.options.declaring import checks_of, options_of
from mediaagent.options.values import REFERENCES, ByteSize, Secret
from mediaagent.options.writing import toml

__all__ = ["build", "convert", "did_you_mean", "without_dots"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d|w)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 100 * 365.25 * 86400
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?", re.IGNORECASE)


def build(
    cls: type[Any], table: Mapping[str, Any], *, where: str, base: Path, beside: Iterable[str] = ()
) -> tuple[Any | None, list[Problem]]:
    """A plug-in from its TOML table, or every problem of that table. `where` names it in messages.

    `beside`: names that the table may hold too, which are somebody else's; a mistyped one may have been meant.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    known = {declared.name: declared for declared in options_of(cls)}
    checks = checks_of(cls)
    meant = set()  # what is there under a mistyped name is not missing as well
    for name in table:
        if name not in known:
            todo = did_you_mean(name, {*known, *beside})
            problems.append(Problem(where=f"{where}.{name}", what="there is no such option", todo=todo))
            meant.add(todo.removeprefix('did you mean "').removesuffix('"?'))
    for name, declared in known.items():
        if name not in table:
            if declared.required and name not in meant:
                problems.append(Problem(where=where, what=f'"{name}" is missing', todo=f"{name}: {declared.help}"))
            continue
        try:
            values[name] = convert(table[name], declared.kind, base)
            check = checks[name]
            complaint = check(values[name]) if check else None
        except ValueError as error:
            complaint = str(error)
        if complaint:
            problems.append(Problem(where=f"{where}.{name}", what=complaint, todo=f"{name}: {declared.help}"))
    if problems:
        return None, problems
    try:
        return cls(**values), []
    except ValueError as error:  # from __post_init__: options that don't go together
        return None, [Problem(where=where, what=str(error))]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name; what there is, when nothing comes near."""
    import difflib  # mistakes are rare

    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(names) or 'none'}"


def convert(value: Any, kind: Any, base: Path) -> Any:
    """`value` from TOML as `kind`. Raises ValueError with what was found and what is wanted."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return convert(value, next(arg for arg in get_args(kind) if arg is not type(None)), base)
    if origin is Literal:
        if value not in get_args(kind):
            choices = [str(choice) for choice in get_args(kind)]
            near = did_you_mean(str(value), choices)
            hint = f"; {near}" if near.startswith("did") else ""
            raise ValueError(f"{toml(value)} is none of {', '.join(choices)}{hint}")
        return value
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise ValueError(f"{toml(value)} is not a list; write [{toml(value)}]")
        items = [convert(item, get_args(kind)[0], base) for item in value]
        return tuple(items) if origin is tuple else items
    if origin in (dict, Mapping) or origin is typing.get_origin(Mapping[str, str]):
        if not isinstance(value, dict):
            raise ValueError(f"{toml(value)} is not a table")
        return {key: convert(item, get_args(kind)[1], base) for key, item in value.items()}
    return _convert_plain(value, kind, base)


def _convert_plain(value: Any, kind: Any, base: Path) -> Any:
    if kind is Any:
        return value
    if kind is timedelta:
        return _duration(value)
    if kind is ByteSize:
        return _size(value)
    if kind is bool or kind is str or kind is int:
        if type(value) is not kind:
            raise ValueError(f"{toml(value)} is not {_WANTED[kind]}")
        return value
    if kind is float:
        if type(value) not in (int, float):
            raise ValueError(f"{toml(value)} is not a number")
        return float(value)
    if not isinstance(value, str):
        raise ValueError(f"{toml(value)} is not a text in quotes")
    if kind is Path:
        if not value or "\0" in value:
            raise ValueError("an empty path")
        try:
            return without_dots(base / Path(value).expanduser())
        except RuntimeError:  # ~somebody, whom this machine doesn't know; or ~ of a user without a home
            raise ValueError(f"{toml(value)}: there is no such user on this machine, or none with a home") from None
    if kind is Secret:
        return _secret(value, base)
    if kind is zoneinfo.ZoneInfo:
        return _zone(value)
    raise TypeError(f"an option can't have the type {kind}")


def without_dots(path: Path) -> Path:
    """The same path without `..`. What stands behind the last one is kept as it was written, links too.

    >>> without_dots(Path("/proc/../srv/motion"))
    PosixPath('/srv/motion')
    """
    parts = path.parts
    if ".." not in parts:
        return path
    end = len(parts) - parts[::-1].index("..")
    return Path(*parts[:end]).resolve().joinpath(*parts[end:])


def _secret(value: str, base: Path) -> Secret:
    """A mistyped reference must not pass for the secret itself. What may be one is not shown."""
    word, colon, _ = value.partition(":")
    if colon and word.isalpha() and word not in REFERENCES:
        near = did_you_mean(word.lower(), REFERENCES)
        hint = (
            near.replace('"?', ':"?') if near.startswith("did") else "there are file:, env:, credential: and keyring:"
        )
        raise ValueError(f"no secret is looked up this way; {hint} (a secret that holds a colon goes into a file)")
    return Secret(value, base)


_WANTED = {bool: "true or false", str: "a text in quotes", int: "a whole number"}


def _duration(value: Any) -> timedelta:
    number = value if type(value) in (int, float) and value >= 0 else None
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        number = float(match[1]) * _SECONDS[match[2] or "s"]
    if number is None:
        raise ValueError(f'{toml(value)} is not a duration; write "60s", "5m", "2h" or "14d"')
    if number > _LONGEST:
        raise ValueError(f"{toml(value)} is longer than a hundred years")
    return timedelta(seconds=number)


def _size(value: Any) -> ByteSize:
    if type(value) is int and value >= 0:
        return ByteSize(value)
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError(f'{toml(value)} is not a size; write "500 MB" or "2 GB"')
    unit = 1024 if match[3] else 1000
    if len(match[1]) > 18:
        raise ValueError(f"{toml(value)} is larger than any disk")
    return ByteSize(float(match[1]) * unit ** " KMGT".index(match[2].upper() or " "))


def _zone(value: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = did_you_mean(value, zoneinfo.available_timezones()) if zoneinfo.available_timezones() else ""
        near = near if near.startswith("did") else 'write a name like "Europe/Vienna"'
        raise ValueError(f"{toml(value)} is no time zone of this machine; {near}") from None
