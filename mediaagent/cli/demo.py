"""`mediaagent demo`: a camera's visit, a telephone call and a failed test run, watched by a real agent."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaagent.cli import completing, output
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

[watch.phone]
type = "voicemail"
path = "voicemail"

[watch.tests]
type = "artifacts"
path = "runs"
done = "exit-code"       # the last file of a run; without it a run is over when it has been quiet
enrich = [{ type = "triage", binaries = ["build"] }, "compress"]

[upload.page]
type = "page"
path = "page"
title = "At home"
"""
_LONGEST = 28.0  # seconds for all of it
#: The kinds of files that each post has: the run's report, its log and its screenshot; the call; the visit.
_EXPECTED = [["application", "image", "text"], ["audio"], ["image"]]


@click.command(
    "demo",
    help="Watch a bird's visit, a telephone call and a failed test run become posts on a page; takes about 20 s.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    shell_complete=completing.folders,
    help="A new folder for it. [default: mediaagent-demo-… here]",
)
@click.pass_obj
def command(home: Home, folder: Path | None) -> int:
    from mediaagent.cli.stage import Stage

    home.log()
    place = _place(folder)
    (place / "agent.toml").write_text(_SETTINGS, encoding="utf-8")
    what = "a camera's folder, a telephone's spool, test runs, an agent's memory, a page"
    output.say(f"The demo plays in {output.printable(place)}: {what}.")
    with Stage(place, _LONGEST) as stage:
        stage.say("a real agent starts, as `mediaagent run` would")
        if not stage.wait_for("running"):
            return _failed(stage, "the agent did not start")
        _perform(stage, place)
        if not stage.wait_for("delivered", times=3):
            return _failed(stage, "the visit, the call and the run were not posted in time")
        stage.say_report("tests")
    return _judged(stage, place)


def _perform(stage: Stage, place: Path) -> None:
    from mediaagent.demo import build_program, draw_visit, leave_message, run_tests

    def visit() -> None:
        draw_visit(place / "camera", started=datetime.now(UTC))
        stage.say("the robin is gone, and the camera is quiet")

    def call() -> None:
        leave_message(place / "voicemail", started=datetime.now(UTC))
        stage.say("the caller has hung up: Asterisk has moved the message to INBOX/, its text last")

    def tests() -> None:
        run_tests(place / "runs", number=17, started=datetime.now(UTC))
        stage.say("the tests are over: the report came last, and exit-code says that nothing more will come")

    stage.say("the agent watches camera/, voicemail/ and runs/; now a robin comes to the feeder, and Motion records it")
    stage.tell_while(visit)
    stage.say_ignored("feeder", place / "camera")
    stage.say("the telephone rings, and nobody is in: Asterisk records a message in tmp/, which the agent leaves alone")
    stage.tell_while(call)
    stage.wait_for("delivered", times=2)  # one story after the other
    build_program(place / "build")
    stage.say("a test run begins in runs/17/: its log grows, and a program that it tests will crash")
    stage.tell_while(tests)


def _place(folder: Path | None) -> Path:
    """The new folder, with those of the camera, the telephone system and the test runs inside."""
    place = (folder or Path(f"mediaagent-demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}")).absolute()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise click.UsageError(f"{output.printable(place)} is there already: name a new folder with --folder")
    for name in ("camera", "voicemail", "runs"):
        (place / name).mkdir(parents=True)
    return place


def _judged(stage: Stage, place: Path) -> int:
    """0 only when exactly the expected posts are on the page."""
    posts = stage.posts()
    found = sorted(_kinds(post) for post in posts)
    if found != _EXPECTED:
        expected, there = (", ".join(map(" + ".join, kinds)) or "nothing" for kinds in (_EXPECTED, found))
        return _failed(stage, f"posts with these files were expected: {expected}; and the page has {there}")
    output.say("\nOne visit, one call and one failed run, a post for each:")
    for post in posts:
        output.say(f"  {output.printable(post.get('title', ''))}")
    output.say("Open the page in a browser:")
    output.say(os.fspath(place / "page" / "index.html"))
    return 0


def _kinds(post: dict[str, Any]) -> list[str]:
    """What kinds of files it has."""
    return sorted(file["mime_type"].partition("/")[0] for file in post.get("attachments", []))


def _failed(stage: Stage, why: str) -> int:
    output.tell(f"The demo failed: {why}. What the agent said:")
    for line in stage.log[-20:]:
        output.tell(output.printable(line))
    return 1
