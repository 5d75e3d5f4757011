"""agent.toml, written from the declared options: for `init`, and as agent.toml.example."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mediaagent.cli.tables import default_of, kind_name
from mediaagent.options import Option, options_of, show_value
from mediaagent.registry import find
from mediaagent.settings import AgentSettings, SourceSettings

__all__ = ["AGENT", "TARGETS", "example", "folder_source", "motion_source", "voicemail_source"]

_WIDTH = 100

#: A sensible value where an option has no default that could be shown.
_SAMPLES = {
    "to": '["page"]',
    "timezone": '"Europe/Vienna"',
    "title": '"{{ label }}, {{ time }}"',
    "body": '"{{ date }}"',
    "tags": '["garden"]',
    "access": '"members"',
    "enrich": '[{type = "best_frame", keep = 2}]',
    "page": '"page"',
    "drop": '"/var/spool/mediaagent/drop"',
    "state": '"state"',
    "metrics": '"127.0.0.1:9464"',
    "metrics_file": '"/var/lib/prometheus/node-exporter/mediaagent.prom"',
    "expect_every": '"2d"',
    "about": '{name = "nightly"}',
    "pattern": '"%v-%Y%m%d%H%M%S-%q"',
    "snapshot_pattern": '"%v-%Y%m%d%H%M%S-snapshot"',
    "movie_pattern": '"%v-%Y%m%d%H%M%S"',
    "preset": '"reolink"',
    "done": '".done"',
    "model": '"/var/lib/mediaagent/ggml-base.bin"',
}

AGENT = """\
# Settings of mediaagent. Try them with `mediaagent check`; `mediaagent config` shows what is in effect.
# Paths are relative to this file. Lines with "#" show what could be set; `mediaagent plugins NAME` tells more.

[agent]
# state = "/var/lib/mediaagent"   # the agent's own memory (default: ~/.local/state/mediaagent)
"""

TARGETS = """\
# Where posts go. With no [upload.NAME] at all they go to a page on disk, in the folder `page` of the state.

# [upload.page]
# type = "page"                   # a timeline on disk, for any browser
# path = "page"

# [upload.family]
# type = "known"                  # a site that runs Known (https://withknown.com)
# site = "https://example.org"
# user = "ada"
# key = "file:known.key"          # or "env:NAME", or "credential:NAME" with systemd
"""


def motion_source(
    name: str, path: str, *, comment: str = "", event_gap: str = "", patterns: Mapping[str, str] | None = None
) -> str:
    """A `[watch.NAME]` of Motion's files, as short as it can be."""
    lines = [
        f"[watch.{name}]" + (f"   # {comment}" if comment else ""),
        'type = "motion"',
        f"path = {show_value(path)}",
    ]
    lines += [f"{option} = {show_value(text)}" for option, text in (patterns or {}).items()]
    if event_gap:
        lines.append(f"event_gap = {show_value(event_gap)}")
    lines += [
        '# existing = "post"              # post what lies there already, too',
        f"# timezone = {_SAMPLES['timezone']}",
    ]
    return "\n".join([*lines, ""])


def voicemail_source(name: str, path: str, mailboxes: Collection[tuple[str, str]] = (), *, comment: str = "") -> str:
    """A `[watch.NAME]` of Asterisk's voicemail, with tables to fill for `mailboxes` ("1234@default", whose)."""
    lines = [
        f"[watch.{name}]" + (f"   # {comment}" if comment else ""),
        'type = "voicemail"',
        f"path = {show_value(path)}",
        '# access = "members"              # who may see the posts; "private" unless you say otherwise',
        '# caller_number = "mask"          # "show", "mask" or "hide"; default: shown in private posts, else masked',
        '# copies = "per-mailbox"          # a message for several mailboxes: a post for each, not one for all',
        '# enrich = ["transcode", {type = "speech", hang_ups = "discard"}]   # no post where nobody speaks',
        '# existing = "post"               # post what lies there already, too',
    ]
    for number, (mailbox, whose) in enumerate(mailboxes):
        lines += ["", f"# [watch.{name}.mailboxes.{show_value(mailbox)}]" + (f"   # {whose}" if whose else "")]
        if not number:
            lines += ['# title = "Mailbox {{ mailbox }}: {{ caller }}, {{ duration }}"', '# to = ["page"]']
    return "\n".join([*lines, ""])


def folder_source() -> str:
    """A `[watch.NAME]` of any folder."""
    lines = ['type = "folder"', 'path = "pictures"               # the folder to watch', '# existing = "post"']
    return "\n".join(["[watch.pictures]", *lines, ""])


# --- agent.toml.example -----------------------------------------------------------------------------------------------


def example() -> str:
    """Every option of the agent and of the built-in plug-ins; a short working example, the rest commented out."""
    return "\n".join(
        [
            "# Every option of mediaagent and of its built-in plug-ins; generated from their declarations.",
            "# What has no # in front is a small working example. `mediaagent init` writes a file to start from.",
            "# Durations are written 500ms, 30s, 5m, 2h, 14d; sizes 500 MB, 2 GB; paths are relative to this file.",
            "",
            "[agent]",
            *_options(AgentSettings),
            "",
            "# --- what is watched: a table each, [watch.NAME] ---",
            "",
            "[watch.feeder]",
            'type = "motion"',
            'path = "/var/lib/motion"',
            "",
            "# Every [watch.NAME] may have:",
            *_options(SourceSettings, leave=("type",)),
            "",
            *_plugin("watcher", "motion", leave=("path", "timezone")),
            "",
            "[watch.pictures]",
            'type = "folder"',
            'path = "pictures"',
            "",
            *_plugin("watcher", "folder", leave=("path",)),
            "",
            "[watch.phone]",
            'type = "voicemail"',
            'path = "/var/spool/asterisk/voicemail"',
            "",
            *_plugin("watcher", "voicemail", leave=("path", "access")),
            "",
            "[watch.tests]",
            'type = "artifacts"',
            'path = "/var/lib/ci/runs"',
            "",
            *_plugin("watcher", "artifacts", leave=("path",)),
            "",
            "# --- steps of `enrich`, in a source's table ---",
            "",
            *_plugin("enricher", "best_frame", step=True),
            *_plugin("enricher", "compress", step=True),
            *_plugin("enricher", "transcode", step=True),
            *_plugin("enricher", "speech", step=True),
            *_plugin("enricher", "transcribe", step=True),
            *_plugin("enricher", "triage", step=True),
            "",
            "# --- where posts go: a table each, [upload.NAME] ---",
            "",
            "[upload.page]",
            'type = "page"',
            'path = "page"',
            "",
            *_plugin("uploader", "page", leave=("path",)),
            "",
            "# [upload.family]",
            '# type = "known"',
            *_plugin("uploader", "known"),
            "",
        ]
    )


def _plugin(kind: str, name: str, leave: Collection[str] = (), step: bool = False) -> Iterator[str]:
    cls = find(kind, name)
    summary = (cls.__doc__ or "").strip().partition("\n")[0]
    yield f"# {name}: {summary}"
    if step:
        yield from _step(name, cls)
    else:
        yield from _options(cls, leave)


def _options(cls: type[Any], leave: Collection[str] = ()) -> Iterator[str]:
    for option in options_of(cls):
        if option.name not in leave:
            yield from textwrap.wrap(
                f"{option.help} ({kind_name(option.kind)})", _WIDTH, initial_indent="# # ", subsequent_indent="# # "
            )
            yield f"# {option.name} = {_value(option)}"


def _step(name: str, cls: type[Any]) -> Iterator[str]:
    for option in options_of(cls):
        yield from textwrap.wrap(
            f"{option.name}: {option.help} ({kind_name(option.kind)})",
            _WIDTH,
            initial_indent="# # ",
            subsequent_indent="# # ",
        )
    values = "".join(f", {option.name} = {_value(option)}" for option in options_of(cls))
    yield f'# enrich = [{{type = "{name}"{values}}}]'


def _value(option: Option) -> str:
    if option.name in ("state", "access"):  # the machine's own default is no example; a watcher's default differs
        return _SAMPLES[option.name]
    if not option.required and default_of(option):
        return default_of(option)
    return _SAMPLES.get(option.name) or _REQUIRED.get(option.name, '""')


_REQUIRED = {"site": '"https://example.org"', "user": '"ada"', "key": '"file:known.key"', "path": '"page"'}

if __name__ == "__main__":  # python -m mediaagent.cli.example > agent.toml.example
    print(example(), end="")
