"""`mediaagent why`: the whole story of a file or of an event."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mediaagent.cli import completing, file_stories, output, stories
from mediaagent.cli.home import Home
from mediaagent.options import without_dots

if TYPE_CHECKING:
    from mediaagent.store.queue import Queue


_MOST_DIGITS = 18


@click.command("why", help="The story of a file (also of one that is gone) or of an event, by its ID or a post's key.")
@click.argument("what", metavar="PATH|EVENT|KEY", shell_complete=completing.files)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def command(home: Home, what: str, as_json: bool) -> int:
    from mediaagent import app

    made = home.plan()
    queue = app.open_queue(made.settings)
    try:
        if not os.path.lexists(what):
            if what.isascii() and what.isdigit():
                return _of_event(queue, what, as_json)
            if (delivered := queue.event_of_delivery(what)) is not None:
                return _of_event(queue, delivered, as_json)
        story = file_stories.of_file(made, queue, without_dots(Path(what).absolute()))
    finally:
        queue.close()
    if as_json:
        output.say_json(story)
    else:
        for line in file_stories.lines_of_file(story):
            output.say(line)
    return 0


def _of_event(queue: Queue, event: int | str, as_json: bool) -> int:
    number = int(event) if len(str(event)) <= _MOST_DIGITS else 0  # no event has a number that long, nor this one
    story = stories.of_event(queue, number)
    if story is None:
        raise click.UsageError(f"there is no event {event}, and no file of this name; try `mediaagent queue --all`")
    if as_json:
        output.say_json(story)
    else:
        for line in stories.lines_of_event(story):
            output.say(line)
    return 0
