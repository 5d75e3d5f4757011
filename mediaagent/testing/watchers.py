"""What every watcher promises: inherit `WatcherContract`, say which watcher and which names, and run the tests.

::

    class TestDoorbell(WatcherContract):
        watched = ("ring-1.jpg", "ring-2.jpg")  # names below the root that it takes
        ignored = ("notes.txt",)

        def watcher(self, root: Path) -> Watcher:
            return Doorbell(path=root)
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from msgspec.structs import replace

from mediaagent.api import Claim, Defaults, Ignored, Part, Sighting, Watcher
from mediaagent.rules.caption import mistakes
from mediaagent.testing.files import MOMENT, part_of, seen_file

__all__ = ["WatcherContract"]

_ODD_NAMES = (
    "-rf.jpg",
    "a\nb.jpg",
    os.fsdecode(b"\xff\xfe.jpg"),
    "x" * 251 + ".jpg",
    "ä/ö/ü.jpg",
    "no-extension",
    " .jpg",
    "..jpg",
    ".hidden/a.jpg",
    "trailing.jpg\n",
    "%s{{ x }}.jpg",
    "٣٣-20261123030801-03.jpg",  # digits, but not ours
    "00-00000000000000-00.jpg",
    "99-99999999999999-99.jpg",
)


class WatcherContract:
    """Tests that any watcher passes."""

    watched: ClassVar[tuple[str, ...]]  # names below the root that the watcher takes; two or more
    ignored: ClassVar[tuple[str, ...]]  # and some that it does not take

    def watcher(self, root: Path) -> Watcher:
        raise NotImplementedError

    def parts(self, watcher: Watcher, *, event_key: str = "") -> list[Part]:
        """The watched names as parts, seen one second apart."""
        root, made = watcher.roots[0], []
        for number, name in enumerate(self.watched):
            part = part_of(
                watcher,
                root / name,
                seen_at=MOMENT + timedelta(seconds=number),
                modified_at=MOMENT,
                event_key=event_key,
            )
            assert part is not None, f"{name} should be taken"
            made.append(part)
        return made

    def whole(self, watcher: Watcher, parts: Sequence[Part]) -> list[Sighting]:
        return list(watcher.group(parts, MOMENT + timedelta(days=1)))

    # --- what it is ---------------------------------------------------------------------------------------------------

    def test_its_roots_are_paths(self, tmp_path: Path) -> None:
        roots = self.watcher(tmp_path).roots
        assert roots
        assert all(isinstance(root, Path) for root in roots)

    def test_its_default_title_uses_only_names_that_there_are(self, tmp_path: Path) -> None:
        defaults = self.watcher(tmp_path).defaults
        assert isinstance(defaults, Defaults)
        for template in (defaults.title, defaults.body, *defaults.tags):
            assert mistakes(template, defaults.facts) == []

    # --- claim --------------------------------------------------------------------------------------------------------

    def test_it_takes_what_it_should(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        for name in self.watched:
            claim = watcher.claim(seen_file(tmp_path / name))
            assert isinstance(claim, Claim), f"{name}: {claim}"
            assert claim.role
            assert claim.quiet >= timedelta(0)
            json.dumps(dict(claim.facts), allow_nan=False).encode()

    def test_it_says_why_it_ignores_a_file(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        for name in self.ignored:
            answer = watcher.claim(seen_file(tmp_path / name))
            assert isinstance(answer, Ignored), f"{name} should be ignored"
            assert answer.reason

    def test_it_has_an_answer_for_any_name(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        for name in _ODD_NAMES:
            answer = watcher.claim(seen_file(tmp_path / name))
            if isinstance(answer, Claim):
                json.dumps([dict(answer.facts), answer.identity]).encode()
            else:
                assert isinstance(answer, Ignored)
                assert answer.reason

    def test_it_can_group_whatever_it_takes(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        parts = [part for name in _ODD_NAMES if (part := part_of(watcher, tmp_path / name))]
        assert _ids(self.whole(watcher, parts)) == sorted(part.id for part in parts)

    def test_it_answers_the_same_each_time(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        for name in (*self.watched, *self.ignored):
            assert watcher.claim(seen_file(tmp_path / name)) == watcher.claim(seen_file(tmp_path / name))

    def test_it_wants_nothing_from_outside_its_roots(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path / "inside")
        for folder in ("elsewhere", "inside-not"):
            assert isinstance(watcher.claim(seen_file(tmp_path / folder / self.watched[0])), Ignored)

    # --- group --------------------------------------------------------------------------------------------------------

    def test_no_parts_are_no_sighting(self, tmp_path: Path) -> None:
        assert list(self.watcher(tmp_path).group([], MOMENT)) == []

    def test_every_open_part_is_in_exactly_one_sighting(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        parts = self.parts(watcher)
        for later in (timedelta(seconds=10), timedelta(days=1)):
            assert _ids(list(watcher.group(parts, MOMENT + later))) == sorted(part.id for part in parts)

    def test_the_order_of_parts_does_not_matter(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        parts = self.parts(watcher)
        forward, backward = self.whole(watcher, parts), self.whole(watcher, parts[::-1])
        assert _by_key(forward) == _by_key(backward)

    def test_keys_are_unique_and_no_paths(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        keys = [sighting.key for sighting in self.whole(watcher, self.parts(watcher))]
        assert len(set(keys)) == len(keys)
        assert all(key and str(tmp_path) not in key for key in keys)

    def test_keys_do_not_change_when_the_root_is_elsewhere(self, tmp_path: Path) -> None:
        one, other = self.watcher(tmp_path / "one"), self.watcher(tmp_path / "other")
        assert _by_key(self.whole(one, self.parts(one))) == _by_key(self.whole(other, self.parts(other)))

    def test_in_the_end_every_sighting_is_whole(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        assert all(sighting.growing_until is None for sighting in self.whole(watcher, self.parts(watcher)))

    def test_one_that_grows_says_when_to_ask_again(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        now = MOMENT + timedelta(seconds=len(self.watched))
        for sighting in watcher.group(self.parts(watcher), now):
            assert sighting.growing_until is None or now < sighting.growing_until < now + timedelta(days=1)

    def test_facts_are_declared_and_fit_for_json(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        for sighting in self.whole(watcher, self.parts(watcher)):
            assert set(sighting.facts) == set(watcher.defaults.facts)
            json.dumps(dict(sighting.facts), allow_nan=False)
            assert sighting.kind
            assert sighting.happened_at.tzinfo is not None

    def test_a_late_part_keeps_the_key_of_its_closed_event(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        parts = self.parts(watcher)
        for sighting in self.whole(watcher, parts):
            ids = {part.id for part in (*sighting.parts, *sighting.spare)}
            *early, late = [part for part in parts if part.id in ids]
            if early:
                closed = [replace(part, event_key="the-closed-one") for part in early]
                (again,) = self.whole(watcher, [late, *closed])
                assert again.key == "the-closed-one"
                assert {part.id for part in (*again.parts, *again.spare)} == ids

    def test_a_closed_event_to_which_nothing_came_is_not_made_anew(self, tmp_path: Path) -> None:
        watcher = self.watcher(tmp_path)
        closed = self.parts(watcher, event_key="the-closed-one")
        assert all(sighting.key == "the-closed-one" for sighting in self.whole(watcher, closed))


def _ids(sightings: Sequence[Sighting]) -> list[str]:
    return sorted(part.id for sighting in sightings for part in (*sighting.parts, *sighting.spare))


def _by_key(sightings: Sequence[Sighting]) -> dict[str, list[str]]:
    return {sighting.key: sorted(part.name for part in (*sighting.parts, *sighting.spare)) for sighting in sightings}
