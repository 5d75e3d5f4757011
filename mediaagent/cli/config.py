"""`mediaagent config`: the settings as they are in effect, secrets masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from mediaagent.cli import output
from mediaagent.cli.home import Home
from mediaagent.options import ByteSize, Secret, options_of, show_value

if TYPE_CHECKING:
    from mediaagent.app import Plan
    from mediaagent.journey.plan import Source


@click.command("config", help="The settings in effect, with the defaults, secrets masked.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def command(home: Home, as_json: bool) -> int:
    made = home.plan()
    if as_json:
        output.say_json(_document(made))
        return 0
    output.say(f"# {output.printable(made.settings.path)}")
    for line in _lines(made):
        output.say(line)
    return 0


def _source_values(made: Plan, name: str, source: Source) -> dict[str, Any]:
    """The common options of a source as the plan has them, and the watcher's own."""
    common = made.settings.sources[name].common
    values = {option.name: getattr(common, option.name) for option in options_of(type(common))}
    values |= {
        "to": source.targets,
        "title": source.title,
        "body": source.body,
        "tags": source.tags,
        "access": source.access,
        "enrich": [{"type": type_, **options} for type_, options in source.steps],
    }
    return values | _own(source.watcher, values)


def _own(instance: Any, before: Mapping[str, Any]) -> dict[str, Any]:
    found = {option.name: getattr(instance, option.name) for option in options_of(type(instance))}
    return {name: value for name, value in found.items() if name not in before}


def _tables(made: Plan) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """Each table with its effective values, and the names that the file itself gives."""
    agent = made.settings.agent
    lines = made.settings.lines
    tables = {"agent": {option.name: getattr(agent, option.name) for option in options_of(type(agent))}}
    for name, source in made.sources.items():
        tables[f"watch.{name}"] = _source_values(made, name, source)
    for name, uploader in made.uploaders.items():
        table = made.settings.targets.get(name)
        values = {"type": table.common.type if table else "page"}
        tables[f"upload.{name}"] = values | _own(uploader, values)
    for where, values in tables.items():
        yield where, values, {name for name in values if lines.exactly(f"{where}.{name}")}


def _lines(made: Plan) -> Iterator[str]:
    for where, values, given in _tables(made):
        yield f"\n[{where}]"
        if where.startswith("upload.") and not given:
            yield "# no target is configured, so posts go to a page on disk"
        for name, value in values.items():
            shown = show_value(value)
            if name in given:
                yield f"{name} = {shown}"
            else:
                yield f"# {name} = {shown or '(none)'}"


def _document(made: Plan) -> dict[str, Any]:
    document: dict[str, Any] = {"path": made.settings.path, "agent": {}, "watch": {}, "upload": {}}
    for where, values, _ in _tables(made):
        kind, _, name = where.partition(".")
        shown = {key: _plain(value) for key, value in values.items()}
        if name:
            document[kind][name] = shown
        else:
            document[kind] = shown
    return document


def _plain(value: Any) -> Any:
    """For JSON; what has a written form in agent.toml has the same here."""
    if isinstance(value, Secret | Path | ZoneInfo):
        return str(value)
    if isinstance(value, timedelta | ByteSize):
        return show_value(value).strip('"')
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return value
