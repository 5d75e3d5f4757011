"""Values of options as they stand in TOML, and for people."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from mediaagent.options.declaring import MISSING, options_of
from mediaagent.options.values import ByteSize, Secret

__all__ = ["readable_size", "show_duration", "show_value", "to_table", "toml"]


def to_table(instance: Any) -> dict[str, Any]:
    """A plug-in's options as TOML values, so that another process can build it again. Secrets stay references.

    TOML has no word for None: such options are left out.
    """
    values = {declared.name: getattr(instance, declared.name) for declared in options_of(type(instance))}
    return {name: _plain(value) for name, value in values.items() if value is not None}


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


def toml(value: Any) -> str:
    """A value of TOML as it is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        return '"' + re.sub(r'["\\\x00-\x1f\x7f]', _escaped, value) + '"'
    return str(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml(name)


def _escaped(match: re.Match[str]) -> str:
    """One character of a basic string of TOML 1.0 that can't stand there as it is."""
    return {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}.get(match[0]) or f"\\u{ord(match[0]):04x}"


def show_value(value: Any) -> str:
    """A value as it would stand in agent.toml; secrets masked."""
    if value is MISSING or value is None:
        return ""
    return toml(str(value) if isinstance(value, Secret) else _plain(value))
