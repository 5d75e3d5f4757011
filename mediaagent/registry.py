"""Finds plug-ins by their entry points; a broken one is a value with a reason, never a crash."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Any

from mediaagent.errors import PluginError
from mediaagent.options import did_you_mean

__all__ = ["GROUPS", "PluginRecord", "find", "load", "records"]

#: kind of plug-in -> entry-point group
GROUPS = {
    "watcher": "mediaagent.watchers",
    "enricher": "mediaagent.enrichers",
    "uploader": "mediaagent.uploaders",
}


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """One plug-in that is installed: its class, or why it can't be had."""

    kind: str
    name: str
    distribution: str
    plugin: type[Any] | None
    reason: str = ""


@cache
def _points(kind: str) -> dict[str, EntryPoint]:
    """All that are installed. One that comes along keeps its name, whoever else takes it."""
    return {point.name: point for point in entry_points(group=GROUPS[kind])} | _own(kind)


@cache
def _own(kind: str) -> dict[str, EntryPoint]:
    """Those that come along: to find them, no other package's list has to be read."""
    try:
        points = distribution("mediaagent").entry_points
    except PackageNotFoundError:  # a source tree that is not installed has no entry points at all
        return {}
    return {point.name: point for point in points if point.group == GROUPS[kind]}


def _point(kind: str, name: str) -> EntryPoint | None:
    return _own(kind).get(name) or _points(kind).get(name)


def load(kind: str, name: str) -> PluginRecord:
    """Imports one plug-in. Only what is asked for is imported: heavy ones cost nothing while unused."""
    point = _point(kind, name)
    assert point is not None
    distribution = point.dist.name if point.dist else ""
    try:
        return PluginRecord(kind, name, distribution, point.load())
    except Exception as error:  # a stranger's import: whatever it raises is its reason
        return PluginRecord(kind, name, distribution, None, f"{type(error).__name__}: {error}")


def find(kind: str, name: str) -> type[Any]:
    """The class of a plug-in. Raises PluginError saying what there is instead, or why it could not be loaded."""
    if _point(kind, name) is None:
        raise PluginError(f'there is no {kind} "{name}"; {did_you_mean(name, _points(kind))}')
    record = load(kind, name)
    if record.plugin is None:
        raise PluginError(f'the {kind} "{name}" of {record.distribution} could not be loaded: {record.reason}')
    return record.plugin


def records(kind: str) -> list[PluginRecord]:
    """Every installed plug-in of a kind, broken ones too, by name."""
    return [load(kind, name) for name in sorted(_points(kind))]
