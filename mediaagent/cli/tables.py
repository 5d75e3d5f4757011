"""Options of plug-ins as tables: for `plugins NAME`, for the docs, and for agent.toml.example."""

from __future__ import annotations

import types
import zoneinfo
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from mediaagent.options import ByteSize, Option, Secret, options_of, show_value

__all__ = ["kind_name", "markdown", "rows_of"]

_PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    timedelta: "duration",
    ByteSize: "size",
    Path: "path",
    Secret: "secret",
    zoneinfo.ZoneInfo: "time zone",
    Any: "anything",
}


def kind_name(kind: Any) -> str:
    """An option's type, in words.

    >>> kind_name(tuple[str, ...] | None), kind_name(Literal["a", "b"])
    ('list of text', '"a" or "b"')
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(kind_name(each) for each in arguments if each is not type(None))
    if origin is Literal:
        return " or ".join(show_value(each) for each in arguments)
    if origin in (list, tuple):
        return "list" if arguments[0] is Any else f"list of {kind_name(arguments[0])}"
    if origin in (dict, Mapping) or kind in (dict, Mapping):
        return "table"
    return _PLAIN.get(kind, getattr(kind, "__name__", str(kind)))


def default_of(option: Option) -> str:
    """The default as it would stand in agent.toml; "" where it is nothing that could be written."""
    return "required" if option.required else show_value(option.default)


def rows_of(cls: type[Any]) -> list[dict[str, Any]]:
    """The options of a plug-in: name, type, default, required, help."""
    return [
        {
            "name": option.name,
            "type": kind_name(option.kind),
            "default": "" if option.required else show_value(option.default),
            "required": option.required,
            "help": option.help,
        }
        for option in options_of(cls)
    ]


def markdown(cls: type[Any]) -> str:
    """The same as a table for the docs."""
    lines = ["| option | type | default | meaning |", "|---|---|---|---|"]
    for row in rows_of(cls):
        default = "required" if row["required"] else f"`{row['default']}`" if row["default"] else ""
        cells = (f"`{row['name']}`", row["type"], default, row["help"])
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
