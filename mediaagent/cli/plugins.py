"""`mediaagent plugins`: what is installed, and what it can be told."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.cli.tables import rows_of
from mediaagent.options import did_you_mean

if TYPE_CHECKING:
    from mediaagent.registry import PluginRecord


@click.command("plugins", help="What is installed; with NAME its manual, options and facts.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def command(home: Home, name: str | None, as_json: bool) -> int:
    from mediaagent import registry

    found = [record for kind in registry.GROUPS for record in registry.records(kind)]
    if name is not None:
        names = {record.name for record in found}
        found = [record for record in found if record.name == name]
        if not found:
            raise click.UsageError(f"there is no plug-in {name!r}; {did_you_mean(name, names)}")
    if as_json:
        output.say_json([_record(each) for each in found])
    elif name is None:
        rows = ([each.name, each.kind, each.distribution, _summary(each)] for each in found)
        for line in output.table(("NAME", "KIND", "FROM", "WHAT"), rows):
            output.say(line)
    else:
        for each in found:
            for line in _manual(each):
                output.say(line)
    return 2 if name is not None and any(each.plugin is None for each in found) else 0


def _summary(record: PluginRecord) -> str:
    if record.plugin is None:
        return f"broken: {record.reason}"
    return (inspect.getdoc(record.plugin) or "").partition("\n")[0]


def _record(record: PluginRecord) -> dict[str, Any]:
    plugin, common = record.plugin, _common(record.kind)
    return {
        "name": record.name,
        "kind": record.kind,
        "distribution": record.distribution,
        "broken": record.reason,
        "manual": inspect.getdoc(plugin) if plugin else "",
        "options": rows_of(plugin) if plugin else [],
        "common": rows_of(common) if common else [],
        "facts": dict(_facts(record)),
    }


def _common(kind: str) -> type[Any] | None:
    """The options that every table of this kind has."""
    from mediaagent.settings import SourceSettings, TargetSettings

    return {"watcher": SourceSettings, "uploader": TargetSettings}.get(kind)


def _facts(record: PluginRecord) -> dict[str, str]:
    """The names that templates may use, if it is a watcher."""
    if record.plugin is None or record.kind != "watcher":
        return {}
    from mediaagent.rules.caption import NAMES

    defaults = getattr(record.plugin, "defaults", None)
    return {**(defaults.facts if defaults else {}), **NAMES}


_TABLES = {"watcher": "[watch.NAME]", "uploader": "[upload.NAME]", "enricher": "a step of enrich = [...]"}


def _manual(record: PluginRecord) -> Iterator[str]:
    yield f"{record.name}: {record.kind}, of {record.distribution}"
    if record.plugin is None:
        yield f"broken: {record.reason}"
        return
    yield ""
    yield inspect.getdoc(record.plugin) or ""
    yield f'\nOptions in {_TABLES[record.kind]} with type = "{record.name}":'
    yield from _options(record.plugin)
    common = _common(record.kind)
    if common and record.kind == "watcher":
        yield "\nOptions of every [watch.NAME]:"
        yield from _options(common)
    if _facts(record):
        yield "\nNames for title, body and tags:"
        yield from (f"  {name:14} {meaning}" for name, meaning in _facts(record).items())
    yield ""


def _options(cls: type[Any]) -> Iterator[str]:
    rows = rows_of(cls)
    if not rows:
        yield "  none"
        return
    cells = ([row["name"], row["type"], "required" if row["required"] else row["default"], row["help"]] for row in rows)
    for line in output.table(("NAME", "TYPE", "DEFAULT", "MEANING"), cells, width=10_000):
        yield "  " + line
