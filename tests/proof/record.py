"""What was tried and what was found, as JSON lines; what the long form has done once it does not do again.

::

    .proof/results.jsonl       a line for each proof of each run: date, form, how often, what was found
    .proof/long/NAME.jsonl     a line for each try of the long form, until it is whole
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from tests.system.agent import ROOT

__all__ = ["FILES", "FOLDER", "Record", "Tried", "so_far"]

FOLDER = Path(os.environ.get("MEDIAAGENT_PROOF", ROOT / ".proof"))
#: In the long form's floods. Fewer may be asked for where the machine is not to be had for so long; the page tells.
FILES = int(os.environ.get("MEDIAAGENT_PROOF_FILES", 100_000))
_Case = TypeVar("_Case")


@dataclass
class Tried:
    """How one try ended."""

    found: list[str] = field(default_factory=list)  # what is wrong; nothing, as a rule
    fired: bool = True  # whether the fault came at all
    times: int = 1  # faults in this one try
    note: str = ""  # a figure for the page
    seconds: float = 0.0  # of one worker


@dataclass
class Record:
    """One run of one proof."""

    proof: str
    long: bool
    ends_at: float  # monotonic time at which the slice of the long form is over
    workers: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def each(self, what: str, cases: Iterable[_Case], body: Callable[[_Case], Tried]) -> None:
        """Tries every case that was not tried yet. Fails with all that was found; the long form may end before."""
        tried = self._done(what)
        left = [case for case in cases if str(case) not in tried]
        with ThreadPoolExecutor(self.workers) as pool:
            for case, outcome in zip(left, pool.map(lambda case: self._try(what, case, body), left), strict=True):
                if outcome is not None:
                    tried[str(case)] = outcome
        if any(str(case) not in tried for case in left):
            pytest.skip(f"the slice is over after {len(tried)} tries; run it again to go on")
        self._conclude(what, tried)

    def _try(self, what: str, case: _Case, body: Callable[[_Case], Tried]) -> Tried | None:
        """None where the slice is over."""
        if time.monotonic() > self.ends_at:
            return None
        began = time.monotonic()
        try:
            outcome = body(case)
        except Exception as error:  # a proof that breaks has proven nothing
            outcome = Tried([f"{type(error).__name__}: {error}"])
        outcome.seconds = round(time.monotonic() - began, 2)
        if self.long:
            self._append(self._state(what), {"case": str(case), **vars(outcome)})
        return outcome

    def _conclude(self, what: str, tried: dict[str, Tried]) -> None:
        found = [f"{case}: {wrong}" for case, outcome in tried.items() for wrong in outcome.found]
        self._append(
            FOLDER / "results.jsonl",
            {
                "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
                "form": "long" if self.long else "short",
                "proof": self.proof,
                "what": what,
                "tried": sum(outcome.times for outcome in tried.values()),
                "fired": sum(outcome.times for outcome in tried.values() if outcome.fired),
                "found": found,
                "notes": sorted({outcome.note for outcome in tried.values() if outcome.note}),
                "seconds": round(sum(outcome.seconds for outcome in tried.values())),
            },
        )
        assert not found, "\n".join(found)

    # --- the files ----------------------------------------------------------------------------------------------------

    def _state(self, what: str) -> Path:
        return _tries(self.proof, what)

    def _done(self, what: str) -> dict[str, Tried]:
        """Where something was found is tried anew: it may be mended by now."""
        tried = so_far(self.proof, what) if self.long else {}
        return {case: outcome for case, outcome in tried.items() if not outcome.found}

    def _append(self, path: Path, line: object) -> None:
        with self._lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as lines:
                lines.write(json.dumps(line) + "\n")


def so_far(proof: str, what: str) -> dict[str, Tried]:
    """The tries of the long form, whole or not, by their cases."""
    path = _tries(proof, what)
    lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return {line.pop("case"): Tried(**line) for line in lines}


def _tries(proof: str, what: str) -> Path:
    return FOLDER / "long" / f"{re.sub(r'[^a-z0-9]+', '-', f'{proof} {what}'.lower())}.jsonl"
