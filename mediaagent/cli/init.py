"""`mediaagent init`: a commented agent.toml, with what Motion's own configuration says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import click

from mediaagent.cli import motion_conf, output
from mediaagent.cli.example import AGENT, TARGETS, folder_source, motion_source
from mediaagent.cli.home import Home
from mediaagent.cli.motion_conf import Camera

#: Motion's own default of event_gap, in seconds.
_GAP = "60"


@click.command("init", help="Write a commented agent.toml, with what Motion's own configuration says.")
@click.option("--output", "target", type=click.Path(dir_okay=False, path_type=Path), help="[default: agent.toml]")
@click.option("--motion", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Motion's configuration.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.pass_obj
def command(home: Home, target: Path | None, motion: Path | None, force: bool) -> int:
    path = target or home.config or Path("agent.toml")
    if os.path.lexists(path) and not force:
        raise click.UsageError(f"{output.printable(path)} is there already: --force overwrites it")
    told: list[str] = []
    files = [motion] if motion else motion_conf.find()
    found = [camera for file in files for camera in motion_conf.cameras(file, told)]
    text = document(found, told)
    _write(path, text)
    for line in told:
        output.say(line)
    if not found:
        output.say("no configuration of Motion was found: the example watches a folder; name Motion's with --motion")
    output.say(f"wrote {output.printable(path)}; now edit it, try `mediaagent check`, and start `mediaagent run`")
    return 0


def document(cameras: Iterable[Camera], told: list[str]) -> str:
    """The whole agent.toml. What was found is added to `told`."""
    sources = [_source(name, camera, told) for name, camera in _distinct(cameras)]
    return "\n".join([AGENT, *(sources or [folder_source()]), TARGETS])


def _distinct(cameras: Iterable[Camera]) -> Iterable[tuple[str, Camera]]:
    """One source for each folder: the watcher itself tells cameras apart that share one. Each with a name."""
    seen: set[Path | None] = set()
    names: set[str] = set()
    for camera in cameras:
        if camera.target_dir in seen:
            continue
        seen.add(camera.target_dir)
        base = re.sub(r"[^A-Za-z0-9_-]+", "-", camera.name).strip("-_").lower()[:48] or "camera"
        name, number = base, 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.add(name)
        yield name, camera


def _source(name: str, camera: Camera, told: list[str]) -> str:
    values = camera.values
    folder = camera.target_dir
    told.append(
        f"{output.printable(camera.file)}: {output.printable(camera.name)} writes to "
        f"{output.printable(folder) if folder else 'a folder that it does not name (target_dir)'}"
    )
    if values.get("picture_output", values.get("output_pictures", "on")) in ("off", "no", "false", "0"):
        told.append(
            f"  picture_output is off there: Motion writes no pictures to post; set `picture_output best` in "
            f"{output.printable(camera.file)}"
        )
    given = {
        "pattern": values.get("picture_filename", ""),
        "snapshot_pattern": values.get("snapshot_filename", ""),
        "movie_pattern": values.get("movie_filename", values.get("ffmpeg_filename", "")),
    }
    patterns = {option: text for option, text in given.items() if text and _readable(option, text, told)}
    gap = values.get("event_gap", _GAP)
    return motion_source(
        name,
        os.fspath(folder or "/var/lib/motion"),
        comment=f"from {output.printable(camera.file)}",
        event_gap=f"{gap}s" if gap.isdigit() and gap != _GAP else "",
        patterns=patterns,
    )


def _readable(option: str, text: str, told: list[str]) -> bool:
    """Whether the watcher understands this pattern; otherwise the owner is told and its built-in names serve."""
    from mediaagent import registry
    from mediaagent.options import build

    _, problems = build(registry.find("watcher", "motion"), {"path": "/", option: text}, where="motion", base=Path("/"))
    told.extend(f"  {option} {output.printable(text)!r} is left out: {problem.what}" for problem in problems)
    return not problems


def _write(path: Path, text: str) -> None:
    """Readable by its owner only: a key may come to stand in it."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
