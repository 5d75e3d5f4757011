"""Finds plug-ins by their entry points; a broken one is a value with a reason, never a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from mediaagent.errors import PluginError
from mediaagent.options import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["GROUPS", "OURS", "PluginRecord", "find", "load", "records"]

#: kind of plug-in -> entry-point group
GROUPS = {
    "watcher": "mediaagent.watchers",
    "enricher": "mediaagent.enrichers",
    "uploader": "mediaagent.uploaders",
}

#: Those that come along, as pyproject.toml registers them (a test compares the two). They keep their names, whoever
#: else takes them, and are found without reading what is installed, whose reader takes as long to load as an uploader.
OURS = {
    "watcher": {
        "artifacts": "mediaagent.builtin.watchers.artifacts:Artifacts",
        "folder": "mediaagent.builtin.watchers.folder:Folder",
        "motion": "mediaagent.builtin.watchers.motion:Motion",
        "voicemail": "mediaagent.builtin.watchers.voicemail:Voicemail",
    },
    "enricher": {
        "best_frame": "mediaagent.builtin.enrichers.best_frame:BestFrame",
        "compress": "mediaagent.builtin.enrichers.compress:Compress",
        "speech": "mediaagent.builtin.enrichers.speech:Speech",
        "transcode": "mediaagent.builtin.enrichers.transcode:Transcode",
        "transcribe": "mediaagent.builtin.enrichers.transcribe:Transcribe",
        "triage": "mediaagent.builtin.enrichers.triage:Triage",
    },
    "uploader": {
        "known": "mediaagent.builtin.uploaders.known:Known",
        "page": "mediaagent.builtin.uploaders.page:Page",
    },
}


class PluginRecord(NamedTuple):
    """One plug-in that is installed: its class, or why it can't be had."""

    kind: str
    name: str
    distribution: str
    plugin: type[Any] | None
    reason: str = ""


@cache
def _others(kind: str) -> dict[str, EntryPoint]:
    """What other packages bring."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUPS[kind]) if point.name not in OURS[kind]}


def _names(kind: str) -> Iterator[str]:
    yield from OURS[kind]
    yield from _others(kind)


def load(kind: str, name: str) -> PluginRecord:
    """Imports one plug-in. Only what is asked for is imported: heavy ones cost nothing while unused."""
    if name in OURS[kind]:
        return _record(kind, name, "mediaagent", lambda: _at(OURS[kind][name]))
    point = _others(kind)[name]
    return _record(kind, name, point.dist.name if point.dist else "", point.load)


def _at(place: str) -> type[Any]:
    """The class at `module:name`."""
    module, _, name = place.partition(":")
    found: type[Any] = getattr(import_module(module), name)
    return found


def _record(kind: str, name: str, distribution: str, plugin: Callable[[], type[Any]]) -> PluginRecord:
    try:
        return PluginRecord(kind, name, distribution, plugin())
    except Exception as error:  # a stranger's import: whatever it raises is its reason
        return PluginRecord(kind, name, distribution, None, f"{type(error).__name__}: {error}")


def find(kind: str, name: str) -> type[Any]:
    """The class of a plug-in. Raises PluginError saying what there is instead, or why it could not be loaded."""
    if name not in OURS[kind] and name not in _others(kind):
        raise PluginError(f'there is no {kind} "{name}"; {did_you_mean(name, _names(kind))}')
    record = load(kind, name)
    if record.plugin is None:
        raise PluginError(f'the {kind} "{name}" of {record.distribution} could not be loaded: {record.reason}')
    return record.plugin


def records(kind: str) -> list[PluginRecord]:
    """Every installed plug-in of a kind, broken ones too, by name."""
    return [load(kind, name) for name in sorted(_names(kind))]
