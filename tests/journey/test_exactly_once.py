"""Whatever happens, every finished file is in exactly one post."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.journey.house import Crash, Fuse, House

MOODS = ("up", "down", "commits late", "loses a part", "loses the reply", "breaks")


class Life(RuleBasedStateMachine):
    """A camera, an agent that is killed at any step, a site in any mood, and a clock that is set."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="mediaagent-life-"))
        self.fuse = Fuse()
        self.stack = contextlib.ExitStack()
        self.stack.enter_context(self.fuse.laid())
        self.house = House(self.folder)
        self.produced: dict[str, str] = {}  # name -> content
        self.late: set[str] = set()
        self.numbers = iter(range(10_000))

    visits = Bundle("visits")

    @initialize(target=visits)
    def a_first_visit(self) -> str:
        return "v0"

    @rule(target=visits)
    def another_visit(self) -> str:
        return f"v{next(self.numbers) + 1}"

    @rule(visit=visits, same=st.booleans())
    def a_frame_is_written(self, visit: str, same: bool) -> None:
        name = f"{visit}-{next(self.numbers)}.txt"
        content = "the same bytes" if same else name
        temporary = self.house.root / f".{name}"
        temporary.write_text(content)
        temporary.rename(self.house.root / name)
        self.produced[name] = content

    @rule(data=st.data())
    @precondition(lambda self: self.produced)
    def a_frame_moves_to_another_folder(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.produced)))
        found = next(iter(self.house.root.rglob(name)), None)
        if found is not None:
            folder = self.house.root / f"moved{next(self.numbers)}"
            folder.mkdir()
            os.rename(found, folder / name)

    @rule(data=st.data())
    @precondition(lambda self: self.produced)
    def a_secured_frame_is_deleted(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.produced)))
        if name in self._secured():
            for found in self.house.root.rglob(name):
                found.unlink()

    def _secured(self) -> set[str]:
        with self.house.state.database.reading() as connection:
            rows = connection.execute("SELECT path FROM parts").fetchall()
        return {Path(os.fsdecode(row["path"])).name for row in rows}

    @rule(mood=st.sampled_from(MOODS))
    def the_site_changes_its_mood(self, mood: str) -> None:
        self.house.site.mood = mood

    @rule()
    def the_site_settles(self) -> None:
        self.house.clock.advance(121)
        self.house.site.settle()

    @rule(seconds=st.sampled_from([0.5, 1.1, 3.0, 6.0, 30.0, 700.0]))
    def time_passes_and_the_agent_works(self, seconds: float) -> None:
        self.house.clock.advance(seconds)
        self.house.work()

    @rule(days=st.sampled_from([-20_000, -365, -1, 1, 365]))
    def the_clock_is_set(self, days: int) -> None:
        self.house.state.outbox.shift(timedelta(days=days), self.house.clock.follow)

    @rule(days=st.sampled_from([-365, 365]))
    def the_clock_is_set_while_the_agent_is_down(self, days: int) -> None:
        self.house.close()
        self.house.clock.wall += timedelta(days=days)
        self.house.open()

    @rule(steps=st.integers(0, 60), seconds=st.sampled_from([0.0, 1.1, 6.0, 200.0]))
    def the_agent_is_killed_at_work_and_started_again(self, steps: int, seconds: float) -> None:
        self.house.clock.advance(seconds)
        with self._killed_after(steps):
            self.house.work()
        self.house.restart()

    @rule(steps=st.integers(0, 20))
    def the_agent_is_killed_while_it_starts(self, steps: int) -> None:
        self.house.close()
        with self._killed_after(steps):
            self.house.open()
        with contextlib.suppress(Exception):
            self.house.close()
        self.house.open()

    @contextlib.contextmanager
    def _killed_after(self, steps: int) -> Iterator[None]:
        self.fuse.steps = steps
        try:
            yield
        except Crash:
            pass
        finally:
            self.fuse.steps = None

    @rule()
    def old_copies_are_let_go(self) -> None:
        self.house.housekeeping.tidy()

    def teardown(self) -> None:
        try:
            self.house.settle()
            self.judge()
        finally:
            self.house.close()
            self.stack.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    @invariant()
    def what_was_listed_as_late_is_remembered(self) -> None:
        """Frames that `why` explains, for 90 days: their visit's copies had been let go when they came."""
        with self.house.state.database.reading() as connection:
            rows = connection.execute("SELECT path FROM history WHERE what = 'late'").fetchall()
        self.late |= {Path(os.fsdecode(row["path"])).name for row in rows}

    def judge(self) -> None:
        trace = "\n".join(self.house.log.lines)
        posted: list[tuple[str, str]] = []
        for _, media in self.house.site.posts:
            posted.extend(media.items())
        keys = [key for key, _ in self.house.site.posts]
        assert len(keys) == len(set(keys)), f"an event was posted twice\n{trace}"
        self.what_was_listed_as_late_is_remembered()
        listed = [(name, self.produced[name]) for name in self.late]
        assert sorted(posted + listed) == sorted(self.produced.items()), trace
        for _, media in self.house.site.posts:
            assert len({name.partition("-")[0] for name in media}) == 1, f"two visits in one post\n{trace}"
        visits = {name.partition("-")[0] for name in self.produced}
        assert len(keys) == len(visits), f"{len(keys)} posts of {len(visits)} visits\n{trace}"


Life.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLife = Life.TestCase
