"""What a bench tells: rows of figures, each a ratio within one run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Asked", "Bench", "Row", "Target", "compared", "plain"]


@dataclass(frozen=True)
class Asked:
    """What the person at the command line wants."""

    photo_sh: str = ""  # where BashKnown's script lies; "": it is left out
    apprise: str = ""  # a Python that has Apprise; "": it is left out
    quick: bool = False  # a small form, to see that all of it runs; its figures tell little
    profile: Path | None = None  # where the agent's profiles go; it is slower then
    rounds: int = 0  # fewer rounds than a bench has by itself; 0: those

    def times(self, rounds: int) -> int:
        """How many rounds there are."""
        return min(self.rounds or rounds, rounds)


@dataclass(frozen=True)
class Target:
    """A bound on a row's ratio, or where there is nothing beside it on its own figure."""

    bound: float
    least: bool = True  # at least the bound; else at most
    unit: str = "x"

    def kept(self, figure: float) -> bool:
        return figure >= self.bound if self.least else figure <= self.bound

    def __str__(self) -> str:
        sign, unit = "≥" if self.least else "≤", self.unit and f" {self.unit}"
        return f"{sign} {self.bound:g} ×" if self.unit == "x" else f"{sign} {self.bound:g}{unit}"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    bench: str
    what: str
    measure: str  # what the figures count: "pictures/s"
    ours: float
    spread: tuple[float, float]  # the least and the most of the ratio, or of our figure where nothing is beside it
    runs: int
    beside: str = ""  # what was measured in turn with it
    theirs: float = 0.0
    ratio: float = 0.0
    target: Target | None = None
    note: str = ""

    @property
    def figure(self) -> float:
        """What the target bounds."""
        return self.ratio if self.beside else self.ours

    @property
    def kept(self) -> bool | None:
        """Whether the target is reached; None without one."""
        return self.target.kept(self.figure) if self.target else None


@dataclass(frozen=True)
class Bench:
    """One bench: its name on the command line, what it does in a sentence or two, and what runs it."""

    name: str
    title: str
    text: str
    run: Callable[[Asked], list[Row]]
    beside: tuple[str, ...] = ()  # programs that are measured with it where they are there


def compared(
    bench: str,
    what: str,
    measure: str,
    ours: Sequence[float],
    beside: str,
    theirs: Sequence[float],
    target: Target | None = None,
    *,
    note: str = "",
) -> Row:
    """Ours over theirs, round by round; the median of these ratios counts."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return Row(
        bench=bench,
        what=what,
        measure=measure,
        ours=statistics.median(ours),
        spread=(min(ratios), max(ratios)),
        runs=len(ratios),
        beside=beside,
        theirs=statistics.median(theirs),
        ratio=statistics.median(ratios),
        target=target,
        note=note,
    )


def plain(
    bench: str, what: str, measure: str, ours: Sequence[float], target: Target | None = None, *, note: str = ""
) -> Row:
    """A figure of ours with nothing beside it."""
    return Row(
        bench=bench,
        what=what,
        measure=measure,
        ours=statistics.median(ours),
        spread=(min(ours), max(ours)),
        runs=len(ours),
        target=target,
        note=note,
    )
