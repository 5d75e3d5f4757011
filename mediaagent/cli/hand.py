"""Takes a file and its companions in one hand where they lie, and lets their watcher read them; nothing is copied."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mediaagent.errors import Incomplete
from mediaagent.model import Claim, Facts, SeenFile, Verdict, printable

if TYPE_CHECKING:
    from mediaagent.journey.plan import Source
    from mediaagent.ports import Lookout

__all__ = ["Hand", "Hands"]


class Hand(Struct, frozen=True, kw_only=True):
    """What one claim would take."""

    files: Mapping[str, Path]  # role -> where it lies
    shown: SeenFile  # the one that people will see
    media_type: str  # of that
    facts: Facts  # what the watcher read in them


class Hands:
    """Looks at claims as the agent would. The workbench, which opens what strangers wrote, starts when it is needed."""

    def __init__(self, lookout: Lookout) -> None:
        self._lookout = lookout
        self._bench: Any = None

    def __enter__(self) -> Hands:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bench is not None:
            self._bench.close()

    def take(self, source: Source, root: Path, file: SeenFile, claim: Claim, quiet: timedelta | None = None) -> Hand:
        """The hand, where all of it is whole; `quiet`: as if nothing had changed for so long.

        Raises Incomplete with what is missing, another Unsecured, or Deferred."""
        seen = {claim.role: file, **{role: self._companion(paths) for role, paths in claim.hand.items()}}
        if claim.done and self._lookout.look(claim.done) is None:
            raise Incomplete(f"waits for {printable(claim.done.name)}")
        quiet = _quiet(seen.values()) if quiet is None else quiet
        verdicts = {role: _proven(root, each, claim, quiet) for role, each in seen.items()}
        shown = claim.shown or claim.role
        facts = {"not_whole": lacks} if (lacks := verdicts[claim.role].reason) else {}
        return Hand(
            files={role: each.path for role, each in seen.items()},
            shown=seen[shown],
            media_type=verdicts[shown].media_type,
            facts={**facts, **self._read(source, seen, quiet)},
        )

    def _companion(self, paths: tuple[Path, ...]) -> SeenFile:
        found = next(filter(None, map(self._lookout.look, paths)), None)
        if found is None:
            raise Incomplete(f"waits for {' or '.join(printable(path.name) for path in paths)}")
        return found

    def _read(self, source: Source, seen: Mapping[str, SeenFile], quiet: timedelta) -> Facts:
        from mediaagent import app

        if source.reader is None:
            return {}
        if self._bench is None:
            self._bench = app.make_workbench(reads=[Path("/")])  # files that its owner named, wherever they lie
        facts: Facts = self._bench.read(*source.reader, {role: each.path for role, each in seen.items()}, quiet)
        return facts


def _quiet(seen: Collection[SeenFile]) -> timedelta:
    changed = max(each.ctime_ns for each in seen) / 1e9
    return timedelta(seconds=max(datetime.now(UTC).timestamp() - changed, 0.0))


def _proven(root: Path, file: SeenFile, claim: Claim, quiet: timedelta) -> Verdict:
    """What its content tells. Raises Incomplete where it isn't whole, and is not to be taken all the same."""
    from mediaagent import app

    verdict = app.prove(root, file)
    if not verdict.whole and (claim.anyhow is None or quiet < claim.anyhow):
        others = {path.name for paths in claim.hand.values() for path in paths}
        raise Incomplete((f"{printable(file.path.name)}: " if file.path.name in others else "") + verdict.reason)
    return verdict
