"""`mediaagent init`: a commented agent.toml, with what Motion's and Asterisk's own configurations say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from mediaagent.cli import asterisk_conf, motion_conf, output, rights
from mediaagent.cli.asterisk_conf import Phone
from mediaagent.cli.example import AGENT, TARGETS, folder_source, motion_source, voicemail_source
from mediaagent.cli.home import Home
from mediaagent.cli.motion_conf import Camera

#: Motion's own default of event_gap, in seconds.
_GAP = "60"
#: Asterisk's names of formats that the watcher reads.
_READ = {"wav", "wav49", "WAV", "gsm"}
#: Of many mailboxes so many are named.
_SHOWN = 5


@click.command("init", help="Write a commented agent.toml, with what Motion and Asterisk say of themselves.")
@click.option("--output", "target", type=click.Path(dir_okay=False, path_type=Path), help="[default: agent.toml]")
@click.option("--motion", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Motion's configuration.")
@click.option(
    "--asterisk", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Asterisk's asterisk.conf."
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.pass_obj
def command(home: Home, target: Path | None, motion: Path | None, asterisk: Path | None, force: bool) -> int:
    path = target or home.config or Path("agent.toml")
    if os.path.lexists(path) and not force:
        raise click.UsageError(f"{output.printable(path)} is there already: --force overwrites it")
    told: list[str] = []
    text = document(told, motion=motion, asterisk=asterisk)
    _write(path, text)
    for line in told:
        output.say(line)
    output.say(f"wrote {output.printable(path)}; now edit it, try `mediaagent check`, and start `mediaagent run`")
    return 0


def document(
    told: list[str], *, motion: Path | None = None, asterisk: Path | None = None, root: Path = Path("/")
) -> str:
    """The whole agent.toml: from `motion` and `asterisk`, else from what is found below `root`; `told` gets what."""
    files = [motion] if motion else motion_conf.find(root)
    cameras = dict(_distinct(camera for file in files for camera in motion_conf.cameras(file, told)))
    sources = [_camera(name, camera, told) for name, camera in cameras.items()]
    found = asterisk_conf.phone(told, asterisk, root)
    if found:
        sources.append(_phone("phone" if "phone" not in cameras else "voicemail", found, told))
    if not sources:
        sources = [folder_source()]
        told.append("neither Motion nor Asterisk was found, so the example watches a folder; their configuration can")
        told.append("be named with --motion FILE and --asterisk FILE")
    return "\n".join([AGENT, *sources, TARGETS])


# --- Motion -----------------------------------------------------------------------------------------------------------


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


def _camera(name: str, camera: Camera, told: list[str]) -> str:
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


# --- Asterisk ---------------------------------------------------------------------------------------------------------


def _phone(name: str, phone: Phone, told: list[str]) -> str:
    shown, count = output.printable(phone.spool), len(phone.mailboxes)
    boxes = f", {count} mailbox{'es' if count != 1 else ''}" if phone.voicemail else ""
    told.append(f"{output.printable(phone.file or 'Asterisk')}: voicemail lies in {shown}{boxes}")
    told.extend(f"  {line}" for line in (*_hindrances(phone), *_rights(phone.spool)))
    named = [(f"{each.number}@{each.context}", output.printable(each.name)) for each in phone.mailboxes]
    comment = f"from {output.printable(phone.file)}" if phone.file else ""
    return voicemail_source(name, os.fspath(phone.spool), named[:_SHOWN] or [("1234@default", "")], comment=comment)


def _hindrances(phone: Phone) -> Iterator[str]:
    """What in voicemail.conf keeps messages from being posted."""
    formats = phone.general.get("format", "wav")
    if not set(re.split(r"[|,\s]+", formats)) & _READ:
        yield f"its messages can't be read: `format = {output.printable(formats)}` there; add wav: `format = wav|…`"
    for storage in {"odbcstorage", "imapserver"} & set(phone.general):
        yield f"{storage} is set there: where messages are kept otherwise than in files, there is nothing to watch"
    gone = [f"{each.number}@{each.context}" for each in phone.mailboxes if each.deletes]
    if gone:
        more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
        shown = output.printable(", ".join(gone[:_SHOWN]))
        yield f"delete=yes is set for {shown}{more}: those messages go as soon as they are mailed, and may be missed"


def _rights(spool: Path) -> Iterator[str]:
    """Whether the agent may read the spool: this user, or, for root, some user who is to be made."""
    root = os.geteuid() == 0
    shut = rights.closed(spool, to_others=root)
    if shut:
        who = "USER" if root else rights.user()
        whose = "the agent's own user (USER)" if root else f"this user ({who})"
        yield f"{whose} has to be let in; as root"
        for number, line in enumerate(rights.remedy(spool, shut, who)):
            yield f"{'or' if number else '':4}{line}"
    if (root or not shut) and not os.path.lexists(spool):
        yield "it is not there yet: Asterisk makes it with the first message"


def _write(path: Path, text: str) -> None:
    """Readable by its owner only: a key may come to stand in it."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
