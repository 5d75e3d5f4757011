"""Options are a plug-in's fields: declared once, read from TOML with every problem told, shown in every table.

A plug-in is a frozen class made by `@plugin`; its docstring is its manual::

    @plugin
    class Doorbell:
        \"\"\"Pictures of a doorbell camera.\"\"\"

        path: Path = option("the folder that the camera writes to")
        gap: timedelta = option("a longer pause starts a new event", default=timedelta(seconds=60))

The types an option may have: str, int, float, bool, timedelta ("60s"), ByteSize ("2 GB"), Path (relative to the
settings file), ZoneInfo ("Europe/Vienna"), Secret, Literal, lists and dicts of those, and any of them `| None`.
"""

from __future__ import annotations

import functools
import os
import re
import types
import typing
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, dataclass_transform, get_args, get_origin

import msgspec
import msgspec.structs

from mediaagent import keyrings
from mediaagent.model import Problem

__all__ = [
    "MISSING",
    "ByteSize",
    "Option",
    "Secret",
    "build",
    "convert",
    "did_you_mean",
    "option",
    "options_of",
    "plugin",
    "readable_size",
    "show_duration",
    "show_value",
    "to_table",
    "without_dots",
]

MISSING: Any = msgspec.NODEFAULT
T = TypeVar("T")


class ByteSize(int):
    """A number of bytes, written "2 GB" (powers of ten) or "2 GiB" (of two) in settings."""


class Secret(msgspec.Struct, frozen=True, eq=False):
    """A reference to a secret: `file:PATH`, `env:NAME`, `credential:NAME` (systemd), `keyring:NAME`, or itself.

    It prints masked; `reveal` reads it anew each time, so a renewed key file is honoured without a restart.
    """

    reference: str
    base: Path = Path()

    def reveal(self) -> str:
        """The secret, without white space around it. Raises OSError or KeyError when it is not there."""
        scheme, _, rest = self.reference.partition(":")
        if scheme == "file":
            return (self.base / Path(rest).expanduser()).read_text(encoding="utf-8").strip()
        if scheme == "env":
            return os.environ[rest].strip()
        if scheme == "credential":
            return (Path(os.environ["CREDENTIALS_DIRECTORY"]) / rest).read_text(encoding="utf-8").strip()
        if scheme == "keyring":
            return keyrings.get(rest).strip()
        return self.reference

    @property
    def file(self) -> Path | None:
        """The file that holds it, where one does."""
        scheme, _, rest = self.reference.partition(":")
        return self.base / Path(rest).expanduser() if scheme == "file" else None

    @property
    def literal(self) -> bool:
        """The secret itself stands in the settings."""
        return self.reference.partition(":")[0] not in _REFERENCES

    def __eq__(self, other: object) -> bool:
        return self.reference == other.reference if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.reference)

    def __str__(self) -> str:
        return "********" if self.literal else self.reference

    __repr__ = __str__


class Option(typing.NamedTuple):
    """One option of a plug-in, as documented."""

    name: str
    help: str
    kind: Any  # the annotation
    default: Any  # MISSING when the option must be given

    @property
    def required(self) -> bool:
        return self.default is MISSING


def option(
    help: str,
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    check: Callable[[Any], str | None] | None = None,
) -> Any:
    """Declares a field of a plug-in. `check` gets the value and returns what is wrong with it, or None."""
    return _Declared(help, check, default, default_factory)


class _Declared(typing.NamedTuple):
    """What `option` says of a field, until `plugin` makes a class with it."""

    help: str
    check: Callable[[Any], str | None] | None
    default: Any
    factory: Callable[[], Any] | None

    @property
    def value(self) -> Any:
        """The default itself."""
        return self.factory() if self.factory else self.default

    @property
    def field(self) -> Any:
        """As a structure has it."""
        return msgspec.field(default_factory=self.factory) if self.factory else msgspec.field(default=self.default)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option,))
def plugin(cls: type[T]) -> type[T]:
    """Makes a plug-in of a class: frozen, made by keywords, with `__post_init__` and room for cached properties."""
    if not cls.__doc__:
        raise TypeError(f"{cls.__name__} needs a docstring: it is the plug-in's manual")
    own = _own(cls)
    body = {name: each.field for name, each in own.items()}
    body["__annotations__"] = {name: cls.__annotations__[name] for name in own}
    body["__options__"] = {**getattr(cls, "__options__", {}), **own}
    body |= {name: getattr(cls, name) for name in ("__doc__", "__module__", "__qualname__")}
    bases = (cls,) if issubclass(cls, msgspec.Struct) else (cls, msgspec.Struct)
    keywords: dict[str, Any] = {"frozen": True, "kw_only": True, "dict": True}
    if type(cls) not in (type, type(msgspec.Struct)):  # it says that it is a Watcher, say: a protocol
        keywords["metaclass"] = type("_Meta", (type(msgspec.Struct), type(cls)), {})
    return types.new_class(cls.__name__, bases, keywords, lambda namespace: namespace.update(body))


def _own(cls: type[Any]) -> dict[str, _Declared]:
    """The options that a class declares itself; one that goes on from another plug-in is a structure already."""
    values = dict(vars(cls))
    if issubclass(cls, msgspec.Struct):
        values = {field.name: field.default for field in msgspec.structs.fields(cls)}
    own = {name: value for name, value in values.items() if isinstance(value, _Declared)}
    if bare := [name for name in own if name not in getattr(cls, "__annotations__", {})]:
        raise TypeError(f"{cls.__name__}.{bare[0]} is an option and has no type: write {bare[0]}: TYPE = option(…)")
    return own


def _declared(cls: Any) -> Mapping[str, _Declared]:
    return cls.__options__  # type: ignore[no-any-return]


def options_of(cls: type[Any]) -> list[Option]:
    """The options of a plug-in, in order of declaration."""
    hints = _hints(typing.cast(Any, cls))
    return [Option(name, each.help, hints[name], each.value) for name, each in _declared(cls).items()]


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def build(
    cls: type[Any], table: Mapping[str, Any], *, where: str, base: Path, beside: Iterable[str] = ()
) -> tuple[Any | None, list[Problem]]:
    """A plug-in from its TOML table, or every problem of that table. `where` names it in messages.

    `beside`: names that the table may hold too, which are somebody else's; a mistyped one may have been meant.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    known = {declared.name: declared for declared in options_of(cls)}
    checks = {name: each.check for name, each in _declared(cls).items()}
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


def to_table(instance: Any) -> dict[str, Any]:
    """A plug-in's options as TOML values, so that another process can build it again. Secrets stay references.

    TOML has no word for None: such options are left out.
    """
    values = {declared.name: getattr(instance, declared.name) for declared in options_of(type(instance))}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name; what there is, when nothing comes near."""
    import difflib  # mistakes are rare

    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(names) or 'none'}"


# --- TOML value -> Python value ---------------------------------------------------------------------------------------

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d|w)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 100 * 365.25 * 86400
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?", re.IGNORECASE)


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
            raise ValueError(f"{_toml(value)} is none of {', '.join(choices)}{hint}")
        return value
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise ValueError(f"{_toml(value)} is not a list; write [{_toml(value)}]")
        items = [convert(item, get_args(kind)[0], base) for item in value]
        return tuple(items) if origin is tuple else items
    if origin in (dict, Mapping) or origin is typing.get_origin(Mapping[str, str]):
        if not isinstance(value, dict):
            raise ValueError(f"{_toml(value)} is not a table")
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
            raise ValueError(f"{_toml(value)} is not {_WANTED[kind]}")
        return value
    if kind is float:
        if type(value) not in (int, float):
            raise ValueError(f"{_toml(value)} is not a number")
        return float(value)
    if not isinstance(value, str):
        raise ValueError(f"{_toml(value)} is not a text in quotes")
    if kind is Path:
        if not value or "\0" in value:
            raise ValueError("an empty path")
        try:
            return without_dots(base / Path(value).expanduser())
        except RuntimeError:  # ~somebody, whom this machine doesn't know
            raise ValueError(f"{_toml(value)}: there is no such user on this machine") from None
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


#: What may stand before the colon of a reference to a secret.
_REFERENCES = ("file", "env", "credential", "keyring")


def _secret(value: str, base: Path) -> Secret:
    """A mistyped reference must not pass for the secret itself. What may be one is not shown."""
    word, colon, _ = value.partition(":")
    if colon and word.isalpha() and word not in _REFERENCES:
        near = did_you_mean(word.lower(), _REFERENCES)
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
        raise ValueError(f'{_toml(value)} is not a duration; write "60s", "5m", "2h" or "14d"')
    if number > _LONGEST:
        raise ValueError(f"{_toml(value)} is longer than a hundred years")
    return timedelta(seconds=number)


def _size(value: Any) -> ByteSize:
    if type(value) is int and value >= 0:
        return ByteSize(value)
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError(f'{_toml(value)} is not a size; write "500 MB" or "2 GB"')
    unit = 1024 if match[3] else 1000
    if len(match[1]) > 18:
        raise ValueError(f"{_toml(value)} is larger than any disk")
    return ByteSize(float(match[1]) * unit ** " KMGT".index(match[2].upper() or " "))


def _zone(value: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = did_you_mean(value, zoneinfo.available_timezones()) if zoneinfo.available_timezones() else ""
        near = near if near.startswith("did") else 'write a name like "Europe/Vienna"'
        raise ValueError(f"{_toml(value)} is no time zone of this machine; {near}") from None


# --- Python value -> TOML value ---------------------------------------------------------------------------------------


def show_duration(value: timedelta) -> str:
    """The shortest form that `convert` reads back.

    >>> show_duration(timedelta(minutes=5)), show_duration(timedelta(milliseconds=1500))
    ('5m', '1500ms')
    """
    milliseconds = round(value.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0 and milliseconds >= size:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def _show_size(value: ByteSize) -> str:
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if value and value % 1000**power == 0:
            return f"{value // 1000**power} {unit}"
    return f"{int(value)} B"


def readable_size(value: int) -> str:
    """Bytes as people say them, rounded; a size of the settings comes out as it is written there.

    >>> readable_size(999), readable_size(16_527), readable_size(999_999), readable_size(120_000_000)
    ('999 bytes', '17 kB', '1 MB', '120 MB')
    >>> readable_size(1_250_000), readable_size(2_400_000_000), readable_size(13_000_000_000_000)
    ('1.2 MB', '2.4 GB', '13 TB')
    """
    if value < 1000:
        return "1 byte" if value == 1 else f"{value} bytes"
    for power, unit in ((1, "kB"), (2, "MB"), (3, "GB")):
        amount = value / 1000**power
        digits = 1 if power > 1 and amount < 9.95 else 0
        if round(amount, digits) < 1000:
            return f"{amount:.{digits}f} {unit}".replace(".0 ", " ")
    return f"{value / 1000**4:.0f} TB"


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return show_duration(value)
    if isinstance(value, ByteSize):
        return _show_size(value)
    if isinstance(value, Secret):
        return value.reference
    if isinstance(value, Path | zoneinfo.ZoneInfo):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        return '"' + re.sub(r'["\\\x00-\x1f\x7f]', _escaped, value) + '"'
    return str(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _escaped(match: re.Match[str]) -> str:
    """One character of a basic string of TOML 1.0 that can't stand there as it is."""
    return {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}.get(match[0]) or f"\\u{ord(match[0]):04x}"


def show_value(value: Any) -> str:
    """A value as it would stand in agent.toml; secrets masked."""
    if value is MISSING or value is None:
        return ""
    return _toml(str(value) if isinstance(value, Secret) else _plain(value))
