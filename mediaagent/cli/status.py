"""`mediaagent status`: whether all is well, for people and for Nagios."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from mediaagent.cli import output
from mediaagent.cli.home import Home

if TYPE_CHECKING:
    from mediaagent.app import Plan
    from mediaagent.store.figures import Figures, SourceFigures, TargetFigures

#: What the plug-in says and returns (https://www.monitoring-plugins.org/doc/guidelines.html).
_NAGIOS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}
#: What has waited for so long is more than a site that was down over night.
_CRITICAL = timedelta(days=1)


@click.command("status", help="Is it running, what came and was posted last, what waits and why.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--nagios", is_flag=True, help="One line with figures; exit 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.")
@click.option(
    "--late",
    metavar="DURATION",
    callback=output.duration,
    default="1h",
    show_default=True,
    help="What has waited for longer is a warning.",
)
@click.pass_obj
def command(home: Home, as_json: bool, nagios: bool, late: timedelta) -> int:
    if nagios:
        try:
            return _nagios(*_look(home), late)
        except Exception as error:  # whatever it is, a check plug-in says UNKNOWN
            return unknown(str(error))
    made, agent, figures = _look(home)
    if as_json:
        output.say_json(_document(made, agent, figures))
    else:
        for line in _lines(made, agent, figures):
            output.say(line)
    return int(_waits(figures))


def unknown(why: str) -> int:
    """What a check plug-in says that could not check."""
    output.offer(f"MEDIAAGENT {_NAGIOS[3]} - {output.printable(' '.join(why.split())).replace('|', '/')}")
    return 3


def _look(home: Home) -> tuple[Plan, int | None, Figures]:
    from mediaagent import app

    made = home.plan()
    return made, app.agent_process(made.settings), app.figures(made.settings)


def _waits(figures: Figures) -> bool:
    waiting = any(each.states["waiting"] + each.states["sending"] for each in figures.targets.values())
    return bool(waiting or figures.failed or figures.troubles)


# --- for people -------------------------------------------------------------------------------------------------------


def _lines(made: Plan, agent: int | None, figures: Figures) -> Iterator[str]:
    yield f"the agent is running (process {agent})" if agent else "no agent is running: `mediaagent run` starts one"
    for name, silent in _silences(made, figures).items():
        yield f"{name}: {_source_words(figures.sources.get(name), silent)}"
    for name in figures.sources.keys() - made.sources.keys():
        label = "handed over by `mediaagent post`" if ":" in name else f"{name} (not in the settings any more)"
        yield f"{label}: {_source_words(figures.sources[name], '')}"
    for name in made.uploaders:
        yield f"to {name}: {_target_words(figures.targets.get(name))}"
    if figures.failed:
        yield f"{figures.failed} could not be prepared: see `mediaagent queue`"
    for where, what in figures.troubles.items():
        yield f"{output.printable(where)}: {output.printable(what)}"


def _source_words(found: SourceFigures | None, silent: str) -> str:
    if found is None or found.last_seen is None:
        return f"nothing came yet{silent}"
    posted = f"last posted {_ago(found.last_posted)}" if found.last_posted else "nothing posted yet"
    return f"last file {_ago(found.last_seen)}, {posted}{silent}"


def _target_words(found: TargetFigures | None) -> str:
    if found is None:
        return "nothing posted yet"
    said = [f"last posted {_ago(found.last_posted)}" if found.last_posted else "nothing posted yet"]
    waiting = found.states["waiting"] + found.states["sending"]
    if waiting:
        since = f", the oldest for {output.ago(_now() - found.waiting_since)}" if found.waiting_since else ""
        said.append(f"{waiting} wait{'s' if waiting == 1 else ''}{since}")
    for state in ("rejected", "held"):
        if found.states[state]:
            said.append(f"{found.states[state]} {state}")
    if found.last_error:
        said.append(f"because: {output.printable(found.last_error)}")
    return ", ".join(said)


def _silences(made: Plan, figures: Figures) -> dict[str, str]:
    """Every source, with words where nothing came for longer than its owner expects."""
    from mediaagent import app

    silent = app.silent(made, figures, _now())
    return {
        name: f"; SILENT: something is expected every {output.ago(silent[name])}" if name in silent else ""
        for name in made.sources
    }


def _ago(when: datetime | None) -> str:
    return f"{output.ago(_now() - when)} ago" if when else "never"


def _now() -> datetime:
    return datetime.now(UTC)


# --- for programs -----------------------------------------------------------------------------------------------------


def _document(made: Plan, agent: int | None, figures: Figures) -> dict[str, Any]:
    from mediaagent import app

    silent = app.silent(made, figures, _now())
    return {
        "agent": agent,
        "sources": {
            name: {
                "files": found.files,
                "bytes": found.size,
                "events": found.events,
                "last_seen": output.when(found.last_seen),
                "last_posted": output.when(found.last_posted),
                "silent": name in silent,
            }
            for name, found in figures.sources.items()
        },
        "targets": {
            name: {
                "states": dict(found.states),
                "attempts": found.attempts,
                "waiting_since": output.when(found.waiting_since),
                "last_posted": output.when(found.last_posted),
                "last_error": found.last_error,
                "deferred": dict(found.deferred or {}),
            }
            for name, found in figures.targets.items()
        },
        "unprepared": figures.unprepared,
        "failed": figures.failed,
        "silent": sorted(silent),
        "troubles": figures.troubles,
        "spool_bytes": figures.spool,
    }


def _nagios(made: Plan, agent: int | None, figures: Figures, late: timedelta) -> int:
    from mediaagent import app

    waiting = sum(each.states["waiting"] + each.states["sending"] for each in figures.targets.values())
    rejected = sum(each.states["rejected"] for each in figures.targets.values())
    since = min((each.waiting_since for each in figures.targets.values() if each.waiting_since), default=None)
    age = _now() - since if since else timedelta(0)
    critical, warning = [], []
    if agent is None:
        critical.append("no agent is running")
    if age > _CRITICAL:
        critical.append(f"{waiting} wait, the oldest for {output.ago(age)}")
    elif age > late:
        warning.append(f"{waiting} wait, the oldest for {output.ago(age)}")
    if rejected:
        warning.append(f"{rejected} rejected")
    if figures.failed:
        warning.append(f"{figures.failed} could not be prepared")
    warning += [f"{name} is silent" for name in app.silent(made, figures, _now())]
    warning += [f"{where}: {what}" for where, what in figures.troubles.items()]
    code = 2 if critical else 1 if warning else 0
    words = "; ".join([*critical, *warning]) or f"running (process {agent}), nothing waits for long"
    words = " ".join(output.printable(words).replace("|", "/").split())
    performance = f"waiting={waiting};;;0 oldest={age.total_seconds():.0f}s;{late.total_seconds():.0f};86400;0"
    output.offer(f"MEDIAAGENT {_NAGIOS[code]} - {words} | {performance} rejected={rejected};;;0")
    return code
