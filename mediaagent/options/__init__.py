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

from mediaagent.options.declaring import MISSING, Option, option, options_of, plugin
from mediaagent.options.reading import build, convert, did_you_mean, without_dots
from mediaagent.options.values import ByteSize, Secret
from mediaagent.options.writing import readable_size, show_duration, show_value, to_table

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
