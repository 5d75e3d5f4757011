"""`mediaagent demo`: a camera's visit, watched by a real agent."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mediaagent.cli import output
from mediaagent.cli.home import Home

if TYPE_CHECKING:
    from mediaagent.cli.stage import Stage

_SETTINGS = """\
# The settings of the demo; `mediaagent --config THIS-FILE run` goes on with them.

[agent]
state = "state"

[watch.feeder]
type = "motion"
path = "camera"
event_gap = "2s"         # Motion's own default is 60 s; the demo is in a hurry

[upload.page]
type = "page"
path = "page"
title = "The bird feeder"
"""
_LONGEST = 28.0  # seconds for all of it


@click.command("demo", help="Watch a drawn camera's visit become one post on a page; takes about 15 s.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="A new folder for it. [default: mediaagent-demo-… here]"
)
@click.pass_obj
def command(home: Home, folder: Path | None) -> int:
    from mediaagent.cli.stage import Stage

    home.log()
    place = _place(folder)
    (place / "agent.toml").write_text(_SETTINGS, encoding="utf-8")
    output.say(f"The demo plays in {output.printable(place)}: a camera's folder, an agent's memory, and a page.")
    with Stage(place, _LONGEST) as stage:
        stage.say("a real agent starts, as `mediaagent run` would")
        if not stage.wait_for("running"):
            return _failed(stage, "the agent did not start")
        stage.say("the agent watches camera/; now a robin comes to the feeder, and Motion records it")
        stage.tell_while(lambda: _play(place / "camera"))
        stage.say("the robin is gone, and the camera is quiet")
        stage.say_ignored()
        if not stage.wait_for("delivered"):
            return _failed(stage, "the visit was not posted in time")
        stage.say_notes()
    return _judged(stage, place)


def _place(folder: Path | None) -> Path:
    """The new folder, with the camera's inside."""
    place = (folder or Path(f"mediaagent-demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}")).absolute()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise click.UsageError(f"{output.printable(place)} is there already: name a new folder with --folder")
    (place / "camera").mkdir(parents=True)
    return place


def _play(camera: Path) -> None:
    from mediaagent.demo import draw_visit

    draw_visit(camera, started=datetime.now(UTC), pace=1.0)


def _judged(stage: Stage, place: Path) -> int:
    """0 only when exactly the expected post is on the page."""
    posts = stage.posts()
    if len(posts) != 1 or len(posts[0].get("attachments", [])) != 1:
        return _failed(stage, f"one post with one picture was expected, and the page has {len(posts)}")
    output.say(f'\nOne visit, one post: "{output.printable(posts[0].get("title", ""))}". Open the page in a browser:')
    output.say(os.fspath(place / "page" / "index.html"))
    return 0


def _failed(stage: Stage, why: str) -> int:
    output.tell(f"The demo failed: {why}. What the agent said:")
    for line in stage.log[-20:]:
        output.tell(output.printable(line))
    return 1
