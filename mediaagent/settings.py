"""agent.toml -> Settings; knows no plug-in.

What a table holds beside the common keys is left as it is: it is the plug-in's own, and `app` gives it to the plug-in.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from mediaagent.errors import ConfigError
from mediaagent.model import Problem
from mediaagent.options import ByteSize, build, did_you_mean, option, options_of, plugin, show_value, without_dots
from mediaagent.places import logins_file, state_folder

__all__ = [
    "AgentSettings",
    "Lines",
    "Settings",
    "SourceSettings",
    "Table",
    "TargetSettings",
    "load",
    "read",
]


def _metrics_check(address: str | None) -> str | None:
    host, _, port = (address or "127.0.0.1:1").rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        return f"{address!r} is no address with a port; write 127.0.0.1:9464"
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    return None if loopback else f"{host} is not this machine's own: figures tell of files and people"


@plugin
class AgentSettings:
    """The agent as a whole."""

    state: Path = option("the folder of the agent's own memory", default_factory=state_folder)
    lookout: Literal["auto", "inotify", "observer", "walk"] = option(
        "how changes are noticed: auto takes inotify on Linux and observer elsewhere; walk serves network file systems",
        default="auto",
    )
    rescan: timedelta = option(
        "how often every folder is walked, since hints get lost; sparser by itself where a walk is dear",
        default=timedelta(seconds=60),
        check=lambda value: None if value >= timedelta(milliseconds=100) else "shorter than 100 ms",
    )
    spool_limit: ByteSize = option(
        "how much our own copies may hold; then securing pauses until posts have left", default=ByteSize(2_000_000_000)
    )
    drop: Path | None = option(
        "where other programs hand over posts (`mediaagent post`); a folder that their users may write to, if they are "
        "not the agent's (default: `drop` in the state folder)",
        default=None,
    )
    page: Path | None = option(
        "where the page goes that is used when no [upload.…] is configured (default: `page` in the state folder)",
        default=None,
    )
    metrics: str | None = option(
        "where a Prometheus server may ask for figures: an address of this machine's own, such as 127.0.0.1:9464",
        default=None,
        check=_metrics_check,
    )
    metrics_file: Path | None = option(
        "a file that the same figures are written to each minute, for node_exporter's textfile collector (NAME.prom); "
        "everybody may read it",
        default=None,
    )


def _bad_accounts(accounts: tuple[str, ...]) -> str | None:
    wrong = [account for account in accounts if not all(account.partition("::"))]
    return f"{wrong[0]!r} is no account; they are written SERVICE::NAME" if wrong else None


@plugin
class SourceSettings:
    """What every `[watch.NAME]` has, whatever its type."""

    type: str = option("which watcher: see `mediaagent plugins`")
    to: tuple[str, ...] | None = option("names of the targets (default: all of them)", default=None)
    existing: Literal["ignore", "post"] = option(
        "what to do with files that lie there when the source is first started", default="ignore"
    )
    timezone: ZoneInfo | None = option(
        "the time zone of times in file names, and of captions (default: the machine's)", default=None
    )
    title: str | None = option("template of the title (default: the watcher's)", default=None)
    body: str | None = option("template of the text under it (default: the watcher's)", default=None)
    tags: tuple[str, ...] | None = option('tags, without "#"; templates too (default: the watcher\'s)', default=None)
    access: Literal["public", "members", "private"] | None = option(
        "who may see the posts (default: the watcher's)", default=None
    )
    syndicate: tuple[str, ...] = option(
        'accounts elsewhere that the site passes the posts on to: ["twitter::ada"]; `mediaagent known syndication` '
        "lists those that it offers",
        default=(),
        check=_bad_accounts,
    )
    enrich: tuple[Any, ...] | None = option(
        'enrichers in their order: [{type = "best_frame", keep = 2}]; [] for none (default: the watcher\'s)',
        default=None,
    )
    expect_every: timedelta | None = option(
        "a source from which nothing came for so long is told of as silent, by `mediaagent status` and in the log",
        default=None,
        check=lambda value: None if value is None or value > timedelta(0) else "it must be longer than nothing",
    )
    give_up: timedelta = option(
        "a file that does not become whole in this time is listed as incomplete, once", default=timedelta(hours=1)
    )


@plugin
class TargetSettings:
    """What every `[upload.NAME]` has, whatever its type."""

    type: str = option("which uploader: see `mediaagent plugins`")


class Table(msgspec.Struct, frozen=True):
    """One `[watch.NAME]` or `[upload.NAME]`: the common part, and the plug-in's own."""

    name: str
    common: Any
    own: Mapping[str, Any]


class Settings(msgspec.Struct, frozen=True):
    """A whole agent.toml."""

    path: Path
    agent: AgentSettings
    sources: Mapping[str, Table] = msgspec.field(default_factory=dict)
    targets: Mapping[str, Table] = msgspec.field(default_factory=dict)
    lines: Lines = msgspec.field(default_factory=lambda: Lines(""))

    @property
    def base(self) -> Path:
        """Relative paths start here."""
        return self.path.parent

    @property
    def logins(self) -> bool:
        """This is what `mediaagent login` writes: each target stands for itself, and there may be none."""
        return self.path == without_dots(logins_file().absolute())


_NAME = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\[\]#"'=])+"""
_HEADER = rf"^\s*\[{{1,2}}({_NAME})\]{{1,2}}\s*(#.*)?$"
_KEY = rf"^\s*({_NAME})="


def _names(written: str) -> list[str]:
    """The names of a dotted key, `watch."a b"`, without their quotes; none where it is no key."""
    try:
        inner = tomllib.loads(f"{written} = 0")
    except tomllib.TOMLDecodeError:
        return []
    names = []
    while isinstance(inner, dict):
        ((name, inner),) = inner.items()
        names.append(name)
    return names


class Lines:
    """In which line of a TOML text a table or a key stands. (tomllib does not tell.) Looked for when somebody asks."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _lines(self) -> dict[str, int]:
        lines: dict[str, int] = {}
        table = ""
        for number, line in enumerate(self._text.splitlines(), 1):
            if header := re.match(_HEADER, line):
                table = ".".join(_names(header[1]))
                lines.setdefault(table, number)
            elif key := re.match(_KEY, line):
                where = table
                for name in _names(key[1]):
                    where = f"{where}.{name}" if where else name
                    lines.setdefault(where, number)
        return lines

    def rename(self, written: str, meant: str) -> None:
        """Lines of the table `written` are found under the name that was meant, too."""
        for where, number in list(self._lines.items()):
            if where == written or where.startswith(written + "."):
                self._lines.setdefault(meant + where[len(written) :], number)

    def exactly(self, where: str) -> int | None:
        """The line in which just this is written."""
        return self._lines.get(where)

    def of(self, where: str) -> int | None:
        """The line of `watch.garden.event_gap`, or of the nearest table around it, or of the first thing in it."""
        around = where
        while around:
            if around in self._lines:
                return self._lines[around]
            around = around.rpartition(".")[0]
        if not where:
            return None  # it stands nowhere
        inside = (number for name, number in self._lines.items() if name.startswith(f"{where}."))
        return min(inside, default=None)

    def place(self, problem: Problem, file: Path) -> Problem:
        """The same problem with its line in front."""
        line = self.of(problem.where)
        shown = f"{file}:{line}" if line else str(file)
        text = f"[{problem.where}]" if problem.where and "." not in problem.where else problem.where
        where = f"{shown}: {text}" if text else shown
        return Problem(where=where, what=problem.what, todo=problem.todo, severity=problem.severity)


def read(path: Path) -> tuple[Settings | None, list[Problem]]:
    """The settings, as far as they can be read, and everything that is wrong with them. Never raises."""
    path = without_dots(path.absolute())
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors put a mark in front
    except FileNotFoundError:
        todo = "name another with --config or MEDIAAGENT_CONFIG, or write one with `mediaagent init`"
        return None, [Problem(where=str(path), what="there is no such file", todo=todo)]
    except PermissionError:
        todo = "run this as the user that the agent runs as: sudo -u USER mediaagent …"
        return None, [Problem(where=str(path), what="this user may not read it", todo=todo)]
    except (OSError, UnicodeDecodeError) as error:
        return None, [Problem(where=str(path), what=f"can't be read: {error}")]
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [_no_toml(path, text, str(error))]
    lines = Lines(text)
    settings, problems = _interpret(path, document, lines)
    return settings, [lines.place(problem, path) for problem in problems]


def load(path: Path) -> Settings:
    """The settings. Raises ConfigError with every problem."""
    settings, problems = read(path)
    if settings is None or problems:
        raise ConfigError(problems)
    return settings


_TABLES = {"agent": AgentSettings, "watch": SourceSettings, "upload": TargetSettings}


def _no_toml(path: Path, text: str, error: str) -> Problem:
    """Where the text stops being TOML, with what usually is the reason."""
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", error)
    line = int(place[1]) if place and place[1] else text.count("\n") + 1
    what = error.replace(place[0], "") if place else error
    return Problem(
        where=f"{path}:{line}",
        what=f"this is not TOML: {what[:1].lower()}{what[1:]}",
        todo='texts stand in quotes, tables in brackets: path = "/var/lib/motion"; each key stands once in its table',
    )


def _interpret(path: Path, document: dict[str, Any], lines: Lines) -> tuple[Settings, list[Problem]]:
    base = path.parent
    document, problems = _meant(document, lines)
    agent, wrong = _as_far_as_possible(AgentSettings, _table(document, "agent", problems), "agent", base)
    problems += wrong
    sources = _tables(document, "watch", base, problems)
    targets = _tables(document, "upload", base, problems)
    written = _table(document, "upload", [])
    for name, source in sources.items():
        for target in source.common.to or ():
            if target not in written:
                todo = did_you_mean(target, written) if written else "there is no [upload.…] at all: leave `to` out"
                problems.append(Problem(where=f"watch.{name}.to", what=f"there is no [upload.{target}]", todo=todo))
    if not document.get("watch") and (agent is None or agent.drop is None):
        todo = "add one: [watch.garden] with type and path; `mediaagent init` writes an example. An agent that only "
        todo += "takes what `mediaagent post` hands over has `drop` in [agent]"
        what = "nothing is watched: there is no [watch.NAME]"
        # who has a site may post to it all the same
        problems.append(Problem(where="", what=what, todo=todo, severity="warning" if targets else "error"))
    return Settings(path, agent or AgentSettings(), sources, targets, lines), problems


def _meant(document: Mapping[str, Any], lines: Lines) -> tuple[dict[str, Any], list[Problem]]:
    """The document with mistyped tables where they belong, so that one mistake doesn't look like many."""
    meant: dict[str, Any] = {name: document[name] for name in _TABLES if name in document}
    problems = []
    for name, value in document.items():
        if name in _TABLES:
            continue
        todo = did_you_mean(name, _TABLES)
        problems.append(Problem(where=name, what="there is no such table", todo=todo))
        near = todo.partition('"')[2].partition('"')[0]
        if near and isinstance(value, dict) and isinstance(meant.get(near, {}), dict):
            meant[near] = {**value, **meant.get(near, {})}
            lines.rename(name, near)
    return meant, problems


def _as_far_as_possible(
    cls: type[Any], table: Mapping[str, Any], where: str, base: Path
) -> tuple[Any | None, list[Problem]]:
    """What `build` makes; where options are wrong, with their defaults, so that the rest can be looked at as well."""
    built, problems = build(cls, table, where=where, base=base)
    if built is None:
        wrong = {problem.where.removeprefix(f"{where}.") for problem in problems}
        built, _ = build(cls, {key: value for key, value in table.items() if key not in wrong}, where=where, base=base)
    return built, problems


def _table(document: Mapping[str, Any], name: str, problems: list[Problem]) -> Mapping[str, Any]:
    found = document.get(name, {})
    if isinstance(found, dict):
        return found
    problems.append(
        Problem(where=name, what=f"is {show_value(found)}, not a table", todo=f"write [{name}] in a line of its own")
    )
    return {}


def _tables(document: Mapping[str, Any], kind: str, base: Path, problems: list[Problem]) -> dict[str, Table]:
    common = _TABLES[kind]
    shared = {declared.name for declared in options_of(common)}
    found = {}
    for name, table in _table(document, kind, problems).items():
        where = f"{kind}.{name}"
        if not isinstance(table, dict):
            todo = f"a [{kind}.NAME] is a table of its own; under which name is this to stand?"
            problems.append(Problem(where=where, what="it stands under no name", todo=todo))
            continue
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
            todo = "letters, digits, - and _, at most 64"
            problems.append(Problem(where=where, what=f"{name!r} can't be a name", todo=todo))
        given = {key: value for key, value in table.items() if key in shared}
        built, wrong = _as_far_as_possible(common, given, where, base)
        problems += wrong
        if built is not None:
            own = {key: value for key, value in table.items() if key not in shared}
            found[name] = Table(name, built, own)
    return found
