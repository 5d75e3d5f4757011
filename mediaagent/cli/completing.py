"""What a shell is offered at a TAB where an argument is a file, a folder, or a name that stands in the settings.

Nobody asked for words there, so settings that can't be read offer nothing and say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaagent.cli.home import Home

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["files", "folders", "sources", "sources_of_runs", "targets"]


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Files, and the folders on the way to them, which the shell itself knows best."""
    return _of_the_shell("file", incomplete)


def folders(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Folders only."""
    return _of_the_shell("dir", incomplete)


def sources(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The NAME of each [watch.NAME]."""
    return _beginning(incomplete, (name for name, _ in _tables(context, "watch")))


def sources_of_runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Of those the ones for test runs."""
    runs = (name for name, table in _tables(context, "watch") if table.get("type") == "artifacts")
    return _beginning(incomplete, runs)


def targets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The NAME of each [upload.NAME], or of each stored login."""
    return _beginning(incomplete, (name for name, _ in _tables(context, "upload")))


def _of_the_shell(kind: str, incomplete: str) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type=kind)]


def _beginning(incomplete: str, names: Iterator[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _tables(context: click.Context, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of the settings that the command line names so far; read no further than that, to be quick."""
    import tomllib

    named = context.find_root().params.get("config")
    try:
        path = Home(Path(named).expanduser() if named else None, None, "auto").find()
        document = tomllib.loads(path.read_text(encoding="utf-8-sig")) if path else {}
    except (OSError, ValueError, RuntimeError):  # the last: this user has no home
        return
    found = document.get(kind)
    for name, table in found.items() if isinstance(found, dict) else ():
        if isinstance(table, dict):
            yield name, table
