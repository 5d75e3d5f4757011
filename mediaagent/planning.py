"""What the settings mean: every plug-in that they name made, and everything that is wrong with them told at once.

Two halves: `plan` makes sources and targets; `self_checks` asks the plug-ins themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from mediaagent import registry
from mediaagent.errors import Deferred, PluginError
from mediaagent.journey.plan import Source
from mediaagent.model import Defaults, Post, Problem, Receipt, Route, printable
from mediaagent.options import Secret, build, did_you_mean, option, options_of, plugin, to_table
from mediaagent.places import stored_keys
from mediaagent.ports import ChecksPosts, PassesOn, Progress, ReadsContent, ReadsElsewhere, RoutesEvents, SelfChecks
from mediaagent.rules import caption
from mediaagent.settings import Settings, SourceSettings, Table, TargetSettings

__all__ = [
    "Plan",
    "Unusable",
    "accounts_of",
    "own_secrets",
    "plan",
    "private_files",
    "read_by_enrichers",
    "self_checks",
    "sent_to",
]

_BARE = Defaults(title="{{ label }}, {{ date }} {{ time }}")


class Plan(msgspec.Struct, frozen=True):
    """What the settings mean: sources and targets, made."""

    settings: Settings
    sources: Mapping[str, Source]
    uploaders: Mapping[str, Any]

    @property
    def everywhere(self) -> tuple[str, ...]:
        """The targets of a post that names none: all of them, but for sites that only what was sent there waits for."""
        if not self.settings.logins:
            return tuple(self.uploaders)
        keys = {name: table.own.get("key") for name, table in self.settings.targets.items()}
        return tuple(name for name in self.uploaders if keys[name] in stored_keys(name))


@plugin
class Unusable:
    """Takes the place of a login with a mistake: what is sent there waits, and other logins go on."""

    why: str = option("what is wrong, and what to do")

    def upload(self, post: Post, key: str, progress: Progress) -> Receipt:
        """Raises Deferred: when it is put right, nothing is lost."""
        raise Deferred(self.why, target_down=True)


def plan(settings: Settings) -> tuple[Plan, list[Problem]]:
    """Makes every plug-in that the settings name, and tells everything that is wrong with them."""
    problems: list[Problem] = []
    uploaders = {}
    for name, table in _targets(settings).items():
        wrong: list[Problem] = []
        uploader = _make("uploader", f"upload.{name}", table.common.type, table.own, settings, wrong)
        if uploader is None and settings.logins:
            wrong = [_of_one_login(name, problem) for problem in wrong]
            uploader = Unusable(why="; ".join(f"{problem.what}: {problem.todo}" for problem in wrong))
        if uploader is not None:
            uploaders[name] = uploader
        problems += wrong
    sources = {}
    for name, table in settings.sources.items():
        source = _source(name, table, settings, tuple(_targets(settings)), problems)
        if source is not None:
            sources[name] = source
    problems += _own_folders_watched(settings, sources, uploaders)
    return Plan(settings, sources, uploaders), [settings.lines.place(each, settings.path) for each in problems]


def _of_one_login(name: str, problem: Problem) -> Problem:
    """A mistake in one login is none of the others'."""
    todo = f"put it right, or forget it with `mediaagent logout {name}`"
    return replace(problem, todo=todo, severity="warning")


def _own_folders_watched(
    settings: Settings, sources: Mapping[str, Source], uploaders: Mapping[str, Any]
) -> list[Problem]:
    """What the agent writes must not lie where it looks for files: it would post its own work, for ever."""
    written = {"[agent] state": settings.agent.state}
    for name, uploader in uploaders.items():
        for declared in options_of(type(uploader)):
            value = getattr(uploader, declared.name)
            if isinstance(value, Path):
                written[f"[upload.{name}] {declared.name}"] = value
    return [
        Problem(
            where=f"watch.{name}",
            what=f"{printable(folder)} ({what}) lies inside of the watched folder {printable(root)}",
            todo=f"name another folder for {what}, or the agent's own files would be taken for new ones",
        )
        for name, source in sources.items()
        for root in source.watcher.roots
        for what, folder in written.items()
        if folder.resolve().is_relative_to(root.resolve())
    ]


def private_files(settings: Settings, uploaders: Mapping[str, Any]) -> Callable[[Path], bool]:
    """Tells the settings file and the files that keys are in: wherever they lie, they are never posted."""
    files = {settings.path}
    for uploader in uploaders.values():
        files |= {secret.file for secret in _secrets_of(uploader) if secret.file is not None}
    names = {file.name for file in files}

    def private(path: Path) -> bool:
        return path.name in names and any(path == file or _same(path, file) for file in files)

    return private


def _same(path: Path, file: Path) -> bool:
    try:
        return path.samefile(file)
    except OSError:
        return False


def _targets(settings: Settings) -> Mapping[str, Table]:
    """The configured targets; with none configured the page, so that a first try needs no site."""
    if settings.targets or settings.logins:
        return settings.targets
    folder = settings.agent.page or settings.agent.state / "page"
    common, _ = build(TargetSettings, {"type": "page"}, where="", base=settings.base)
    return {"page": Table("page", common, {"path": str(folder)})}


def _make(
    kind: str, where: str, type_: str, own: Mapping[str, Any], settings: Settings, problems: list[Problem]
) -> Any | None:
    try:
        cls = registry.find(kind, type_)
    except PluginError as error:
        problems.append(Problem(where=f"{where}.type", what=str(error)))
        return None
    try:
        made, wrong = build(cls, own, where=where, base=settings.base, beside=_beside(kind))
    except Exception as error:  # a plug-in's turn
        what = f"{kind} {type_} can't be made of these options: {type(error).__name__}: {error}"
        wrong = [Problem(where=where, what=what, todo="this is a mistake of the plug-in: tell whoever wrote it")]
        made = None
    problems += wrong
    return made


@cache
def _beside(kind: str) -> list[str]:
    """What a plug-in's table holds beside its own options."""
    common = {"watcher": SourceSettings, "uploader": TargetSettings}.get(kind)
    return [each.name for each in options_of(common)] if common else ["type"]


def _source(
    name: str, table: Table, settings: Settings, targets: tuple[str, ...], problems: list[Problem]
) -> Source | None:
    common: SourceSettings = table.common
    where = f"watch.{name}"
    own = dict(table.own)
    try:
        cls = registry.find("watcher", common.type)
    except PluginError as error:
        problems.append(Problem(where=f"{where}.type", what=str(error)))
        return None
    for key in {"timezone", "access"} & {each.name for each in options_of(cls)}:
        if getattr(common, key) is not None:
            own[key] = str(getattr(common, key))  # a common key that the watcher wants to know too
    watcher: Any = _make("watcher", where, common.type, own, settings, problems)
    defaults: Defaults = getattr(cls, "defaults", _BARE)
    source = Source(
        name=name,
        watcher=watcher,  # None: its options are wrong, and what follows is looked at all the same
        targets=common.to if common.to is not None else targets,
        title=_given(common.title, defaults.title),
        body=_given(common.body, defaults.body),
        tags=_given(common.tags, defaults.tags),
        access=_given(common.access, defaults.access),
        zone=common.timezone,
        steps=_steps(where, common, defaults, settings, problems),
        existing=common.existing,
        give_up=common.give_up,
        reopen=defaults.reopen,
        form=defaults.form,
        syndicate=common.syndicate,
        reader=(common.type, to_table(watcher)) if isinstance(watcher, ReadsContent) else None,
    )
    problems += _template_problems(where, source, defaults)
    if isinstance(watcher, RoutesEvents):
        for place, route in watcher.routes().items():
            problems += _route_problems(f"{where}.{place}", route, defaults, targets)
    return source if watcher is not None else None


def _given(value: Any, default: Any) -> Any:
    return default if value is None else value


def _steps(
    where: str, common: SourceSettings, defaults: Defaults, settings: Settings, problems: list[Problem]
) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Enrichers with their options as TOML values: they are made anew in the workbench's child."""
    if common.enrich is None:
        return tuple((type_, {}) for type_ in defaults.enrich)
    steps = []
    for number, table in enumerate(common.enrich, 1):
        place = f"{where}.enrich"
        if isinstance(table, str):
            table = {"type": table}
        if not isinstance(table, dict) or not isinstance(table.get("type"), str):
            todo = 'write [{type = "best_frame"}]'
            problems.append(Problem(where=place, what=f"the {number}. step has no type", todo=todo))
            continue
        own = {key: value for key, value in table.items() if key != "type"}
        made = _make("enricher", place, table["type"], own, settings, problems)
        if made is not None:
            steps.append((table["type"], to_table(made)))
    return tuple(steps)


def _route_problems(where: str, route: Route, defaults: Defaults, targets: tuple[str, ...]) -> list[Problem]:
    unknown = [target for target in route.to or () if target not in targets]
    return [
        Problem(where=f"{where}.to", what=f"there is no [upload.{target}]", todo=did_you_mean(target, targets))
        for target in unknown
    ] + _template_problems(where, route, defaults)


def _template_problems(where: str, said: Source | Route, defaults: Defaults) -> list[Problem]:
    templates = [("title", said.title or ""), ("body", said.body or ""), *(("tags", tag) for tag in said.tags or ())]
    todo = "a name in a template is a fact of the event; `mediaagent plugins TYPE` lists them"
    return [
        Problem(where=f"{where}.{field}", what=mistake, todo=todo)
        for field, template in templates
        for mistake in caption.mistakes(template, defaults.facts)
    ]


def self_checks(made: Plan) -> list[Problem]:
    """What the plug-ins themselves find wrong, without a side effect."""
    plugins: list[tuple[str, Any]] = [(f"watch.{name}", source.watcher) for name, source in made.sources.items()]
    plugins += [
        (f"watch.{name}.enrich", build(registry.find("enricher", step), options, where="", base=Path("/"))[0])
        for name, source in made.sources.items()
        for step, options in source.steps
    ]
    asked = [(where, each.check) for where, each in plugins if isinstance(each, SelfChecks)]
    for name, uploader in made.uploaders.items():
        if isinstance(uploader, ChecksPosts):
            asked.append((f"upload.{name}", partial(uploader.check_posts, sent_to(made, name))))
        elif isinstance(uploader, SelfChecks):
            asked.append((f"upload.{name}", uploader.check))
    return [problem for where, check in asked for problem in _told(where, check)] + _unoffered(made)


def read_by_enrichers(made: Plan) -> Iterator[Path]:
    """Files and folders that they read besides a post's own: those that their options name, and what they tell."""
    for source in made.sources.values():
        for step, options in source.steps:
            enricher: Any = build(registry.find("enricher", step), options, where="", base=Path("/"))[0]
            for declared in options_of(type(enricher)):
                value = getattr(enricher, declared.name)
                listed = value if isinstance(value, list | tuple) else [value]
                yield from (each for each in listed if isinstance(each, Path))
            if isinstance(enricher, ReadsElsewhere):
                yield from map(Path, enricher.reads(source.watcher.roots))


def _told(where: str, check: Callable[[], Iterable[Problem]]) -> Iterator[Problem]:
    try:
        for each in check():
            yield Problem(where=f"{where}: {each.where}", what=each.what, todo=each.todo, severity=each.severity)
    except Exception as error:  # a plug-in's turn
        yield Problem(where=where, what=f"its own check failed: {type(error).__name__}: {error}")


def sent_to(made: Plan, target: str) -> Mapping[str, set[str]]:
    """Kinds of posts that the sources send there, and who may see them."""
    sent: dict[str, set[str]] = {}
    for source in made.sources.values():
        routes = list(source.watcher.routes().values()) if isinstance(source.watcher, RoutesEvents) else []
        for route in (Route(), *routes):
            if target in (source.targets if route.to is None else route.to):
                for kind in source.watcher.defaults.sends:
                    sent.setdefault(kind, set()).add(route.access or source.access)
    return sent


def _unoffered(made: Plan) -> list[Problem]:
    """Accounts that posts are to be passed on to, and that the target does not have: it would ignore them."""
    problems = []
    for name, source in made.sources.items():
        for target in source.targets if source.syndicate else ():
            offered = accounts_of(made.uploaders.get(target))
            if offered is not None:
                problems += [
                    Problem(where=f"watch.{name}.syndicate", what=f"{target} {what}", todo=todo, severity="warning")
                    for account in source.syndicate
                    for what, todo in _of_account(account, offered)
                ]
    return problems


def accounts_of(uploader: Any) -> Mapping[str, Sequence[str]] | None:
    """For each kind of post the accounts that it may be passed on to; None where nobody can tell."""
    try:
        return uploader.accounts() if isinstance(uploader, PassesOn) else None
    except Exception:  # a plug-in's turn; what is wrong with the site is told by its own check
        return None


def _of_account(account: str, offered: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    kinds = [kind for kind, accounts in offered.items() if account in accounts]
    there = {each for accounts in offered.values() for each in accounts}
    if not kinds:
        yield f"offers no account {account}, and ignores it", did_you_mean(account, there)
    elif len(kinds) < len(offered):
        others = ", ".join(kind for kind in offered if kind not in kinds)
        yield f"passes posts on to {account} only when they are {', '.join(kinds)}, not {others}", ""


def own_secrets(made: Plan | None) -> Iterator[str]:
    """Keys as they are now. One that can't be read is nowhere it could leave from by us, and its uploader tells."""
    plugins = [*made.uploaders.values(), *(source.watcher for source in made.sources.values())] if made else []
    for secret in (secret for each in plugins for secret in _secrets_of(each)):
        with suppress(OSError, KeyError, ValueError):
            yield secret.reveal()


def _secrets_of(plugin: Any) -> Iterator[Secret]:
    for declared in options_of(type(plugin)):
        value = getattr(plugin, declared.name)
        listed = value if isinstance(value, list) else value.values() if isinstance(value, dict) else [value]
        yield from (each for each in listed if isinstance(each, Secret))
