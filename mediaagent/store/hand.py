"""All files of a claim, opened in one hand: what belongs together, whatever is renamed meanwhile.

What is open can't be renamed, replaced or deleted under our hands any more, only written to.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from mediaagent.errors import Changed, Gone, Incomplete, Refused, Renumbered, Unsecured
from mediaagent.model import Claim, SeenFile, printable
from mediaagent.store.safely import open_below, open_folder_below, open_in

__all__ = ["Hand", "Held", "hold"]

#: Tries to get hold of one of a series while the producer renumbers it; in the last few another format will do, too.
_TRIES, _LAST = 40, 3
#: Every so many tries a pause of so many seconds: a producer that had to make way for other programs in the middle of
#: it goes on in a moment.
_HASTE, _MOMENT = 4, 0.001


class Held(Struct, frozen=True):
    """An open file, and the name under which it was opened."""

    descriptor: int
    path: Path

    @property
    def status(self) -> os.stat_result:
        return os.fstat(self.descriptor)


Hand = Mapping[str, Held]  # by role


@contextlib.contextmanager
def hold(root: Path, file: SeenFile, claim: Claim) -> Iterator[Hand]:
    """The file and one companion a role: of alternatives the first that is there.

    Raises Changed where it is not what was seen, Renumbered where that can't be told, Incomplete where a companion is
    not there yet, and all that opening raises (Gone, Refused, Unreadable).
    """
    with contextlib.ExitStack() as stack:
        if claim.series:
            folder = stack.enter_context(open_folder_below(root, file.path.parent))
            yield _Series(folder, file, claim).held(stack)
        else:
            yield _by_name(root, file, claim, stack)


def _by_name(root: Path, file: SeenFile, claim: Claim, stack: contextlib.ExitStack) -> Hand:
    """Names that still stand for what was opened when all is open belong together."""
    hand = {claim.role: Held(stack.enter_context(open_below(root, file.path, file)), file.path)}
    for role, paths in claim.hand.items():
        hand[role] = _first(root, paths, stack)
    for held in hand.values():
        _still_the_same(held)
    return hand


def _first(root: Path, paths: tuple[Path, ...], stack: contextlib.ExitStack) -> Held:
    refused: Refused | None = None
    for path in paths:
        try:
            return Held(stack.enter_context(open_below(root, path)), path)
        except Gone:
            continue
        except Refused as refusal:
            refused = refused or refusal
    raise refused or Incomplete(f"{_either(paths)} is not there yet")


def _either(paths: tuple[Path, ...]) -> str:
    return " or ".join(printable(path.name) for path in paths)


def _still_the_same(held: Held) -> None:
    """A renaming while we opened gave the name to another file: what we hold is a mixture."""
    try:
        found = held.path.lstat()
    except OSError as error:
        raise Gone(f"{printable(held.path)} is gone") from error
    if not os.path.samestat(found, held.status):
        raise Changed(f"{printable(held.path)} is another file now")


class _Series:
    """One of several that a producer renumbers, each after its companions.

    Between the rename of a companion and that of its file, names pair what does not belong together. For just so long
    the file whose companion went ahead stands without it, wherever in the folder. So one listing in which nothing
    stands alone tells of all files what belongs together, by their inodes, and that stays true whatever names they get
    afterwards. (The system lists up to about a thousand names in one go, in which nothing is renamed.)
    """

    def __init__(self, folder: int, file: SeenFile, claim: Claim) -> None:
        self._folder, self._file, self._claim = folder, file, claim
        self._pattern = re.compile(claim.series)
        self._suffix = file.path.suffix
        stem = file.path.stem
        self._endings = {role: [path.name.removeprefix(stem) for path in paths] for role, paths in claim.hand.items()}

    def held(self, stack: contextlib.ExitStack) -> Hand:
        """Raises Renumbered when it stayed in motion all the time, Incomplete when it stood alone, Changed or Gone when
        it is not there any more."""
        why: Unsecured = Renumbered(f"{printable(self._file.path.parent)} is being renumbered")
        for attempt in range(_TRIES):
            if attempt % _HASTE == _HASTE - 1:
                time.sleep(_MOMENT)
            names = self._names()
            name = self._now(names)
            with contextlib.ExitStack() as opened:
                try:
                    hand = self._try(name, names, opened, last=attempt >= _TRIES - _LAST)
                except _Moved:
                    continue
                except Incomplete as alone:
                    why = alone
                    continue
                if hand:
                    stack.push(opened.pop_all())
                    return hand
        raise why

    def _try(self, name: str, names: Mapping[str, int], stack: contextlib.ExitStack, *, last: bool) -> Hand | None:
        hand = {self._claim.role: self._main(name, names, stack)}
        stem = name.removesuffix(self._suffix)
        endings = self._chosen(stem, names)
        if not self._in_order(names, endings) or not (last or self._best(names, endings)):
            return None
        for role, ending in endings.items():
            hand[role] = self._open(stem + ending, stack)
        return hand if self._belong_together(hand, names, endings) else None

    def _names(self) -> dict[str, int]:
        with os.scandir(self._folder) as entries:
            return {entry.name: entry.inode() for entry in entries}

    def _now(self, names: Mapping[str, int]) -> str:
        """Its name now."""
        seen = self._file.path.name
        if names.get(seen) == self._file.inode:
            return seen
        renamed = next((name for name in self._mains(names) if names[name] == self._file.inode), seen)
        if renamed not in names:
            raise Gone(f"{printable(self._file.path)} is gone")
        return renamed

    def _mains(self, names: Iterable[str]) -> Iterator[str]:
        return (name for name in names if name.endswith(self._suffix) and self._pattern.fullmatch(name))

    def _main(self, name: str, names: Mapping[str, int], stack: contextlib.ExitStack) -> Held:
        try:
            return self._open(name, stack, self._file)
        except Changed:
            if self._inode(name) == names[name] != self._file.inode:
                raise
            raise _Moved from None

    def _inode(self, name: str) -> int:
        try:
            return os.stat(name, dir_fd=self._folder, follow_symlinks=False).st_ino
        except FileNotFoundError:
            return 0

    def _open(self, name: str, stack: contextlib.ExitStack, seen: SeenFile | None = None) -> Held:
        path = self._file.path.with_name(name)
        try:
            return Held(stack.enter_context(open_in(self._folder, path, seen)), path)
        except Gone:
            raise _Moved from None

    def _chosen(self, stem: str, names: Container[str]) -> dict[str, str]:
        """The endings of its companions by role."""
        chosen = {}
        for role, endings in self._endings.items():
            there = [ending for ending in endings if stem + ending in names]
            if not there:
                paths = tuple(self._file.path.with_name(stem + ending) for ending in endings)
                raise Incomplete(f"{_either(paths)} is not there yet")
            chosen[role] = there[0]
        return chosen

    def _best(self, names: Iterable[str], chosen: Mapping[str, str]) -> bool:
        """Whether nothing in the folder has a better format: the one that this lacks has probably gone ahead."""
        better = [
            ending for role, endings in self._endings.items() for ending in endings[: endings.index(chosen[role])]
        ]
        stems = [(name, ending) for name in names for ending in better if name.endswith(ending)]
        return not any(self._pattern.fullmatch(name.removesuffix(ending) + self._suffix) for name, ending in stems)

    def _in_order(self, names: Mapping[str, int], chosen: Mapping[str, str]) -> bool:
        stems = [name.removesuffix(self._suffix) for name in self._mains(names)]
        return all(stem + ending in names for stem in stems for ending in chosen.values())

    def _belong_together(self, hand: Hand, names: Mapping[str, int], chosen: Mapping[str, str]) -> bool:
        """By the inodes that were listed; or, where a file system lists others (overlayfs), by names that still stand
        for what is open after the order was seen."""
        if all(names.get(held.path.name) == held.status.st_ino for held in hand.values()):
            return hand[self._claim.role].status.st_nlink > 0  # else a companion's inode may be another's already
        if not self._in_order(self._names(), chosen):
            return False
        try:
            for held in hand.values():
                _still_the_same(held)
        except (Changed, Gone):
            return False
        return True


class _Moved(Exception):
    """A name did not stand any more for what was listed."""
