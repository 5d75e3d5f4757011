"""Makes docs/performance.md of what the benches measured, which lies beside it in performance/results.json."""

from __future__ import annotations

import json
import os
import platform
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import plots
from tests.bench.rows import Bench, Row, Target

__all__ = ["Report", "figure_of", "held", "remarks"]

BUSY = 3.0  # the load before a bench, above which its figures tell little
BAR = "\\|"  # in a cell of a table
HEAD = """# Speed, measured

This page is made by `python -m tests.bench`, which runs every bench; two quiet cores take about ten minutes:

```
python -m tests.bench [--photo-sh PATH] [--apprise PYTHON] [--only NAME…] [--quick]
python -m tests.bench --report      # the page alone, from the figures of the last run
```

Figures depend on the machine; **ratios** are what counts. What is measured beside us is measured in the same run, in
turn with us, and posts to the same far side: a sink that answers as Known does and does nothing else
(`tests/doubles/known_sink.py`). The agent is the real process with its default durability: file, event and delivery are
on disk before anything is sent, media are decoded once more in a process without rights, metadata and secrets are taken
out, and the post is read back. Nobody else here does that.

Beside us are

- **photo.sh** of [BashKnown](https://github.com/mapkyca/BashKnown), called for one picture after the other;
- **inotifywait | curl**, what people write in one line (`tests/bench/incumbents/inotify_curl.sh`);
- **Apprise**, as a program that stays and as its command, with the picture attached to a form for a local target;
- **motionEye's way**: list the folder, read each file whole into memory, post it (`incumbents/motioneye.py`);
- **the floor**: the shortest straight line that is durable: raw inotify, SHA-256, SQLite with synchronous=FULL, a POST
  on a connection that is kept (`incumbents/floor.py`). It checks nothing, copies nothing and forgives nothing. *The
  floor that decodes* also decodes each picture with OpenCV before it is sent, as we do.

A ratio is the median of those of the single rounds; in brackets the least and the most. *Hold* is a floor that the next
run is compared with, where a target was reached easily.
"""


def remarks() -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name("remarks.toml").read_text())


@dataclass
class Report:
    """The figures of all benches, as of the last run of each, in a folder."""

    folder: Path
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)  # bench -> when, where, rows

    @classmethod
    def in_folder(cls, folder: Path) -> Report:
        path = folder / "performance" / "results.json"
        return cls(folder, json.loads(path.read_text()) if path.exists() else {})

    def take(self, bench: Bench, rows: Sequence[Row], left_out: Sequence[str]) -> None:
        """The bench was run; its rows replace those of the run before."""
        self.runs[bench.name] = {
            "title": bench.title,
            "text": _prose(bench.text),
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
            "machine": _machine(),
            "load": round(os.getloadavg()[0], 1),
            "left_out": list(left_out),
            "rows": [asdict(row) for row in rows],
        }

    def write(self, order: Sequence[str]) -> None:
        """results.json, the plots and the page."""
        there = self.folder / "performance"
        there.mkdir(parents=True, exist_ok=True)
        self.runs = {name: self.runs[name] for name in order if name in self.runs}
        (there / "results.json").write_text(json.dumps(self.runs, indent=1) + "\n")
        for old in there.glob("*.svg"):
            old.unlink()
        for name, (_, plot) in self.plots().items():
            (there / f"{name}.svg").write_text(plot)
        (self.folder / "performance.md").write_text(self.page(remarks()))

    def rows(self, name: str) -> list[Row]:
        return [_row(told) for told in self.runs[name]["rows"]]

    def plots(self) -> dict[str, tuple[str, str]]:
        """By name what is shown, and the SVG: one of all targets, and one for each thing that several contenders do."""
        every = [row for name in self.runs for row in self.rows(name)]
        reached = [(f"{row.what} ({row.beside or row.bench})", _times(row)) for row in every if _times(row) > 0]
        title = "How many times better than its target each figure is"
        made = {"goals": (title, plots.goals(title, reached))} if reached else {}
        for name in self.runs:
            for what, rows in _grouped(self.rows(name)).items():
                if len(rows) > 1 and all(row.beside for row in rows):
                    figures = [("mediaagent", rows[0].ours), *((row.beside, row.theirs) for row in rows)]
                    made[f"{name}-{_slug(what)}"] = (what, plots.bars(what, figures, rows[0].measure))
        return made

    def page(self, told: dict[str, dict[str, Any]]) -> str:
        shown = {name: f"![{title}](performance/{name}.svg)\n" for name, (title, _) in self.plots().items()}
        parts = [HEAD, "## The targets\n", self._targets(told), *filter(None, [shown.pop("goals", "")])]
        parts += [self._section(name, told, shown) for name in self.runs]
        return "\n".join(parts)

    def _targets(self, told: dict[str, dict[str, Any]]) -> str:
        lines = ["| what | ours | beside | ratio | target | reached | hold |", "|---|---|---|---|---|---|---|"]
        for name in self.runs:
            for row in self.rows(name):
                if row.target is not None:
                    cells = (row.what, _cells(row), row.target, _reached(row), held(row, told) or "")
                    lines.append(f"| {' | '.join(map(str, cells))} |")
        return "\n".join([*lines, ""])

    def _section(self, name: str, told: dict[str, dict[str, Any]], shown: dict[str, str]) -> str:
        run, rows = self.runs[name], self.rows(name)
        lines = [f"## {run['title']}", "", run["text"], ""]
        lines += ["| what | ours | beside | ratio | rounds |", "|---|---|---|---|---|"]
        lines += [f"| {row.what} | {_cells(row)} | {row.runs} |" for row in rows]
        lines += [""]
        lines += [plot for plot_name, plot in shown.items() if plot_name.startswith(f"{name}-")]
        lines += [f"- {row.what}: {row.note}" for row in _once(rows)]
        for row in rows:
            why = told.get(_key(row), {}).get("why", "")
            if why or row.kept is False:
                lines.append(
                    f"- **{row.what}** ({row.beside or 'alone'}): {_distance(row)}{why or 'not looked into yet.'}"
                )
        lines += [f"- Left out: {what}." for what in run["left_out"]]
        if run["load"] > BUSY:
            lines += ["", f"**The machine was busy (load {run['load']}): this is to be measured again.**"]
        return "\n".join([*lines, "", f"*{run['date']} UTC, {run['machine']}, load {run['load']} before.*", ""])


def held(row: Row, told: dict[str, dict[str, Any]]) -> Target | None:
    """The floor that a row's target was raised to when it was reached easily."""
    hold = told.get(_key(row), {}).get("hold")
    return Target(hold, row.target.least, row.target.unit) if row.target and hold is not None else None


def figure_of(row: Row) -> str:
    """Of a row, what the target bounds, with how far it strayed."""
    least, most = (_short(each) for each in row.spread)
    return f"{_short(row.figure)} ({least} to {most})" if row.runs > 1 else _short(row.figure)


def _cells(row: Row) -> str:
    ours = f"{_short(row.ours)} {row.measure}"
    if not row.beside:
        return f"{ours if row.runs == 1 else f'{figure_of(row)} {row.measure}'} | | "
    return f"{ours} | {row.beside.replace('|', BAR)}: {_short(row.theirs)} | × {figure_of(row)}"


def _reached(row: Row) -> str:
    return "yes" if row.kept else "**no**"


def _distance(row: Row) -> str:
    times = _times(row)
    return f"the target is missed by a factor of {1 / times:.1f}. " if row.kept is False and times > 0 else ""


def _times(row: Row) -> float:
    """How many times better than its target a row is; 0 where that can't be said."""
    if row.target is None or not row.target.bound or not row.figure:
        return 0.0
    return row.figure / row.target.bound if row.target.least else row.target.bound / row.figure


def _key(row: Row) -> str:
    return f"{row.bench}: {row.what}" + (f" / {row.beside}" if row.beside else "")


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.what, []).append(row)
    return grouped


def _once(rows: Iterable[Row]) -> Iterable[Row]:
    seen: set[str] = set()
    for row in rows:
        if row.note and row.note not in seen:
            seen.add(row.note)
            yield row


def _row(told: dict[str, Any]) -> Row:
    target = Target(**told["target"]) if told["target"] else None
    return Row(**{**told, "target": target, "spread": tuple(told["spread"])})


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _slug(text: str) -> str:
    return "-".join("".join(each if each.isalnum() else " " for each in text.lower()).split())


def _prose(text: str) -> str:
    """A bench's docstring without how it is called."""
    kept = [part for part in text.strip().split("\n\n") if not part.strip().startswith("python -m")]
    return "\n\n".join(kept)


def _machine() -> str:
    system, release = platform.system(), platform.release().split("-")[0]
    return f"{os.cpu_count()} cores, {system} {release}, Python {platform.python_version()}"
