"""`mediaagent preview`: the post that some files would become; nothing is sent, nothing remembered."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from mediaagent.cli import completing, output, stories
from mediaagent.cli.hand import Hands
from mediaagent.cli.home import Home
from mediaagent.errors import ConfigError, Deferred, Discarded, Unsecured
from mediaagent.model import Claim, Event, Ignored, Part, Post, Problem, Route, SeenFile, Sighting
from mediaagent.options import did_you_mean
from mediaagent.places import logins_file

if TYPE_CHECKING:
    from mediaagent.app import Plan
    from mediaagent.journey.plan import Source


@click.command("preview", help="The post that FILES would become, as one event of a source; sends nothing.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--source",
    default="",
    shell_complete=completing.sources,
    help="As [watch.NAME] would. [default: where FILE lies, else the first; without settings: motion]",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Keep the outgoing files here.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def command(home: Home, files: tuple[Path, ...], source: str, out: Path | None, as_json: bool) -> int:
    from mediaagent import app
    from mediaagent.clock import SystemClock
    from mediaagent.journey.prepare import compose

    made = _plan(home, source)
    chosen = _source(made, source, files[0])
    home.log()
    notes: list[str] = []
    with ExitStack() as stack:
        hands = stack.enter_context(Hands(app.make_lookout("walk", SystemClock())))
        event = _event(chosen, _parts(chosen, files, notes, hands), notes)
        folder = _folder(out) if out else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mediaagent-")))
        bench = app.make_workbench(made, reads=[Path("/")], writes=[folder])  # files that its owner named
        stack.callback(bench.close)
        try:
            with output.progress("preparing"):
                post, more = bench.prepare(compose(event, chosen), event, chosen.steps, folder)
        except Discarded as discarded:
            _show(None, [*notes, f"this is not posted: {discarded}"], as_json)
            return 0
    _show(post, [*notes, *more, *([f"the outgoing files are in {folder}"] if out else [])], as_json)
    return 0


def _plan(home: Home, name: str) -> Plan:
    """What the settings mean, or the built-in defaults where there are none at all."""
    if not name and home.find() in (None, logins_file()):  # stored logins watch nothing
        return _built_in()
    return home.plan()


def _source(made: Plan, name: str, file: Path) -> Source:
    """By its name, else the one that watches this file, else the first."""
    if name and name not in made.sources:
        raise click.UsageError(f"there is no [watch.{name}]; {did_you_mean(name, made.sources)}")
    if name:
        return made.sources[name]
    path = Path(os.path.abspath(file))  # noqa: PTH100  (no link is followed)
    watching = (each for each in made.sources.values() if any(path.is_relative_to(root) for root in each.watcher.roots))
    return next(watching, next(iter(made.sources.values())))


def _built_in() -> Plan:
    from mediaagent import app
    from mediaagent.settings import Settings, SourceSettings, Table

    common = SourceSettings(type="motion")
    settings = Settings(
        Path.cwd() / "agent.toml", _nowhere(), {"preview": Table("preview", common, {"path": os.fspath(Path.cwd())})}
    )
    made, problems = app.plan(settings)
    if problems:
        raise ConfigError(problems)
    return made


def _nowhere() -> Any:
    from mediaagent.settings import AgentSettings

    return AgentSettings()


def _folder(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise click.UsageError(f"{output.printable(out)} is not empty: name a new folder with --out")
    return out.absolute()


# --- files -> event ---------------------------------------------------------------------------------------------------


def _parts(source: Source, files: tuple[Path, ...], notes: list[str], hands: Hands) -> list[Part]:
    """Each file as a part, where it is whole. Raises ConfigError with every file that can't be used."""
    problems: list[Problem] = []
    parts = []
    for number, path in enumerate(dict.fromkeys(_first_of_hand(source, file) for file in files)):
        try:
            parts.append(_read(source, _part(source, path, number, notes), hands))
        except (Unsecured, Deferred, ValueError) as error:
            problems.append(Problem(where=output.printable(path), what=str(error)))
    if problems:
        raise ConfigError(problems)
    return parts


def _first_of_hand(source: Source, path: Path) -> Path:
    """The file itself, or the one that it is taken together with: a message's text for its sound."""
    path = Path(os.path.abspath(path))  # noqa: PTH100  (no link is followed)
    file = _seen(path)
    claim = source.watcher.claim(file) if file else None
    return claim.about if isinstance(claim, Ignored) and claim.about and _seen(claim.about) else path


def _seen(path: Path) -> SeenFile | None:
    from mediaagent import app
    from mediaagent.clock import SystemClock

    return app.make_lookout("walk", SystemClock()).look(path)


def _read(source: Source, part: Part, hands: Hands) -> Part:
    """With its companions, and with what its watcher reads in them. Raises Unsecured or Deferred."""
    file = _seen(part.path)
    claim = source.watcher.claim(file) if file else None
    if file is None or source.reader is None or not isinstance(claim, Claim):
        return part
    hand = hands.take(source, part.path.parent, file, claim, timedelta(days=1))
    return replace(
        part,
        files=hand.files,
        facts={**part.facts, **hand.facts},
        role=claim.shown or claim.role,
        name=part.name.removesuffix(part.path.name) + output.printable(hand.shown.path.name),
        media_type=hand.media_type,
    )


def _part(source: Source, path: Path, number: int, notes: list[str]) -> Part:
    from mediaagent import app

    file = _seen(path)
    if file is None:
        raise ValueError("is no regular file" if os.path.lexists(path) else "is not there")
    verdict = app.prove(path.parent, file)
    name, claim = _claim(source, file, notes)
    facts = dict(claim.facts) if claim else {}
    if not verdict.whole:
        if claim is None or claim.anyhow is None:
            raise ValueError(f"is not whole: {verdict.reason}")
        facts["not_whole"] = verdict.reason
    family = verdict.media_type.partition("/")[0]
    role = claim.role if claim else {"image": "picture"}.get(family, family)
    changed = datetime.fromtimestamp(file.mtime_ns // 10**9, UTC)
    return Part(
        id=f"{number:026}",
        source=source.name,
        role=role,
        path=path,
        name=name,
        files={role: path} if claim is None or claim.secure else {},
        sha256=f"{number:064x}",
        size=file.size,
        media_type=verdict.media_type,
        fingerprint=file.fingerprint,
        seen_at=changed,
        modified_at=changed,
        facts=facts,
        identity=claim.identity if claim else "",
    )


def _claim(source: Source, file: SeenFile, notes: list[str]) -> tuple[str, Claim | None]:
    """The file's name below the watched folder, as if it lay there, and what the watcher says of it."""
    root = source.watcher.roots[0]
    path = file.path if file.path.is_relative_to(root) else root / file.path.name
    name = output.printable(path.relative_to(root).as_posix())
    claim = source.watcher.claim(replace(file, path=path))
    if isinstance(claim, Claim):
        return name, claim
    notes.append(f"{name} would be ignored by {source.name}: {claim.reason}")
    return name, None


def _event(source: Source, parts: list[Part], notes: list[str]) -> Event:
    found = list(_grouped(source, parts))
    sightings = [each for each in found if not each.nothing] or found
    if sightings and sightings[0].nothing:
        notes.append(f"{source.name} would not post it: {sightings[0].nothing}")
    if len(sightings) > 1:
        notes.append(f"{source.name} would make {len(sightings)} events of these files; they are shown as one")
    first = max(sightings, key=lambda each: len(each.parts), default=None)
    unshown = {part.id for each in sightings for part in each.unshown}
    return Event(
        id=0,
        source=source.name,
        key=first.key if first else "preview",
        kind=first.kind if first else "preview",
        happened_at=min((each.happened_at for each in sightings), default=parts[0].modified_at),
        facts=_facts(source, first),
        route=first.route if first else Route(),
        revision=1,
        parts=tuple(replace(part, shown=part.id not in unshown) for part in parts),
    )


def _grouped(source: Source, parts: list[Part]) -> Iterator[Sighting]:
    claimed = [part for part in parts if part.facts or part.identity]
    if claimed:
        yield from source.watcher.group(claimed, datetime.now(UTC))
    elif parts:
        yield from source.watcher.group(parts, datetime.now(UTC))


def _facts(source: Source, sighting: Sighting | None) -> dict[str, Any]:
    """The facts of the event; where the watcher has none for these files, nothing for each that templates may name."""
    if sighting is not None:
        return dict(sighting.facts)
    return dict.fromkeys(getattr(source.watcher, "defaults").facts, 0)  # noqa: B009


# --- what is shown ----------------------------------------------------------------------------------------------------


def _show(post: Post | None, notes: list[str], as_json: bool) -> None:
    story = stories.of_post(post) if post else None
    if as_json:
        output.say_json({"post": story, "notes": [output.printable(note) for note in notes]})
        return
    for line in stories.lines_of_post(story) if story else ():
        output.say(line)
    for note in notes:
        output.say(f"note    {output.printable(note)}")
