"""Renews the manual pages and the shells' completions from the commands and the options.

    python -m tests.unit.regenerate_manual

mediaagent(1) comes from click's help, agent.toml(5) from the declared options, completions from click's own machinery.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import BashComplete, ZshComplete

from mediaagent import registry, settings
from mediaagent.cli.commands import main
from mediaagent.cli.tables import default_of, kind_name
from mediaagent.options import Option, options_of
from mediaagent.places import settings_files

__all__ = ["made"]

PACKAGING = Path(__file__).parent.parent.parent / "packaging"

_NAME = "mediaagent"
_COMPLETE = "_MEDIAAGENT_COMPLETE"


def made() -> dict[str, str]:
    """Every file, by its place in packaging/."""
    return {
        "man/mediaagent.1": "\n".join(_commands()) + "\n",
        "man/agent.toml.5": "\n".join(_settings()) + "\n",
        "completions/mediaagent.bash": BashComplete(main, {}, _NAME, _COMPLETE).source(),
        "completions/_mediaagent": _always_complete(ZshComplete(main, {}, _NAME, _COMPLETE).source()),
    }


def _always_complete(script: str) -> str:
    """For a file that zsh loads by fpath: as click ends it, the second completion of a shell only registers it."""
    body, found, _ = script.rpartition("if [[ $zsh_eval_context[-1]")
    assert found, "click ends its script in another way now: see whether this is still needed"
    return f'{body}_mediaagent_completion "$@"\n'


# --- roff -------------------------------------------------------------------------------------------------------------


def _text(text: str) -> str:
    """Plain text as a line of man(7). `code` is bold."""
    line = text.replace("\\", "\\e").replace("-", "\\-")
    line = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", " ".join(line.split()))
    return f"\\&{line}" if line.startswith((".", "'")) else line


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(filter(None, inspect.cleandoc(text).split("\n\n"))):
        if number:
            yield ".PP"
        yield _text(paragraph)


def _item(term: str, *said: str) -> Iterator[str]:
    yield from (".TP", f"\\fB{_text(term)}\\fR", *map(_text, filter(None, said)))


# --- mediaagent(1) ----------------------------------------------------------------------------------------------------


def _commands() -> Iterator[str]:
    context = click.Context(main, info_name=_NAME)
    yield '.TH MEDIAAGENT 1 "" "mediaagent" "User commands"'
    yield from (".SH NAME", _text(f"{_NAME} - {(main.help or '').partition(': ')[0].lower()}"))
    yield from (".SH SYNOPSIS", f"\\fB{_NAME}\\fR {_text(' '.join(main.collect_usage_pieces(context)))}")
    yield from (".SH DESCRIPTION", *_paragraphs(re.sub(r"\s*Exit codes:.*", "", main.help or "", flags=re.DOTALL)))
    yield from (".SH OPTIONS", *_options(main, context), ".SH COMMANDS")
    for name in main.list_commands(context):
        yield from _command(main.get_command(context, name), context)
    yield ".SH EXIT STATUS"
    for code, meaning in _EXIT.items():
        yield from _item(code, meaning)
    yield ".SH ENVIRONMENT"
    for name, meaning in _ENVIRONMENT.items():
        yield from _item(name, meaning)
    yield ".SH FILES"
    yield from _item(", ".join(_place(path) for path in settings_files()), "The settings: the first that is there.")
    for name, meaning in _FILES.items():
        yield from _item(name, meaning)
    yield from (".SH SEE ALSO", "\\fBagent.toml\\fR(5), \\fBsystemd\\fR(1)")


def _command(command: click.Command | None, above: click.Context) -> Iterator[str]:
    assert command is not None
    context = click.Context(command, info_name=command.name, parent=above)
    called = context.command_path.partition(" ")[2]
    yield f".SS {_text(' '.join([called, *command.collect_usage_pieces(context)]))}"
    yield from _paragraphs(command.help or command.short_help or "")
    yield from _options(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _command(command.get_command(context, name), context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and (record[1] or isinstance(parameter, click.Option)) and "--help" not in parameter.opts:
            yield from _item(record[0], record[1])


def _place(path: Path) -> str:
    return f"./{path}" if not path.is_absolute() else re.sub(r"^.*/(mediaagent/agent\.toml)$", _home, str(path))


def _home(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith("/etc/") else f"~/.config/{found[1]}"


_EXIT = {
    "0": "Done.",
    "1": "Something waits.",
    "2": "Usage, settings or state can't be used; check found an error.",
    "3": "Something was rejected.",
    "130": "Ctrl-C.",
}
_ENVIRONMENT = {
    "MEDIAAGENT_CONFIG": "The settings, where --config does not name them.",
    "STATE_DIRECTORY": "The folder of the agent's memory, where the settings don't name it; systemd sets it.",
    "CREDENTIALS_DIRECTORY": 'Where a key written as "credential:NAME" is; systemd sets it.',
    "REQUESTS_CA_BUNDLE": "Certificates that are trusted instead of those that come along.",
}
_FILES = {
    "/var/lib/mediaagent": "The memory of the agent that runs as a service.",
    "~/.local/state/mediaagent": "That of one that somebody runs.",
    "/etc/mediaagent/keys": "Keys of sites; the service hands KEY over as credential:key_KEY.",
}

# --- agent.toml(5) ----------------------------------------------------------------------------------------------------

_INTRODUCTION = """\
A TOML file with one table `[agent]`, one `[watch.NAME]` for each folder that is watched, and one `[upload.NAME]` for
each place where posts go. Without any of the last, posts go to a page on disk.

Durations are written 500ms, 30s, 5m, 2h, 14d; sizes 500 MB, 2 GB; paths are relative to the file. `mediaagent check`
tells every mistake; `mediaagent config` shows what is in effect; `mediaagent plugins NAME` tells which facts templates
may use."""
_KINDS = {
    "watcher": ("WATCHERS", "What `type` of a [watch.NAME] may be, and what may stand beside it."),
    "enricher": ("ENRICHERS", 'Steps of `enrich` in a [watch.NAME], as in `[{type = "best_frame", keep = 2}]`.'),
    "uploader": ("UPLOADERS", "What `type` of an [upload.NAME] may be, and what may stand beside it."),
}


def _settings() -> Iterator[str]:
    yield '.TH AGENT.TOML 5 "" "mediaagent" "File formats"'
    yield from (".SH NAME", _text("agent.toml - settings of mediaagent"))
    yield from (".SH DESCRIPTION", *_paragraphs(_INTRODUCTION), ".SH THE TABLE [AGENT]")
    yield from _own(settings.AgentSettings, leave_default=("state",))
    yield from (".SH EVERY [WATCH.NAME]", *_own(settings.SourceSettings))
    for kind, (heading, said) in _KINDS.items():
        yield from (f".SH {heading}", _text(said))
        for record in registry.records(kind):
            if record.distribution == _NAME and record.plugin is not None:
                yield from (f".SS {record.name}", *_paragraphs(record.plugin.__doc__ or ""), *_own(record.plugin))
    yield from (".SH SEE ALSO", "\\fBmediaagent\\fR(1)")


def _own(cls: type[Any], leave_default: tuple[str, ...] = ()) -> Iterator[str]:
    for option in options_of(cls):
        yield from _item(option.name, f"{option.help}. {_kind(option, option.name not in leave_default)}")


def _kind(option: Option, default: bool) -> str:
    value = default_of(option) if default else ""
    told = f", {value}" if option.required else f", default {value}" if value else ""
    return f"({kind_name(option.kind)}{told})"


if __name__ == "__main__":
    for name, text in made().items():
        (PACKAGING / name).write_text(text, encoding="utf-8")
