"""A run's evidence on a site that takes less: lane, workbench and uploader end with one post that says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from mediaagent.api import Post, PostPart, Receipt, Sighting, Text
from mediaagent.builtin.uploaders.known import Known
from mediaagent.journey.deliver import Lane
from mediaagent.journey.plan import Target
from mediaagent.ports import Prepared
from mediaagent.store.state import StateFolder
from mediaagent.testing import FakeClock, Notes
from mediaagent.workbench.bench import ProcessWorkbench
from tests.contract.known_steps import seen, uploader_for, watched
from tests.doubles.known import STOCK
from tests.doubles.known_site import Limits
from tests.journey.house import Quiet

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MB = 1_000_000


class Outgoing:
    """One prepared entry in a real state folder, and its lane to one site."""

    def __init__(self, folder: Path, known: Known, sizes: dict[str, int]) -> None:
        self.clock, self.log, self.bench = FakeClock(NOON), Quiet(), ProcessWorkbench()
        self.state = StateFolder(folder / "state", 4_000 * MB, self.clock.now)
        self.state.outbox.add("ci", [Sighting(key="k", kind="run", happened_at=NOON, parts=())], ["site"])
        (event,) = self.state.outbox.unprepared(1)
        made = self.state.spool.folder(event.id, event.revision)
        parts = []
        for name, size in sizes.items():
            (made / name).write_bytes(b"")
            os.truncate(made / name, size)  # holes: no test waits for a disk
            parts.append(PostPart(file=made / name, role="file", media_type="text/plain", name=name, size=size))
        post = Post(kind="entry", title="Nightly", happened_at=NOON, body=(Text("It failed."),), parts=tuple(parts))
        self.state.outbox.keep([Prepared(event, replace(post, source="ci", key="k"), [], made)])
        target = Target(name="site", uploader=known)
        self.lane = Lane(target, self.state.deliveries, self.bench, self.state.spool, self.clock, self.log)

    def run(self, most: int = 8) -> int:
        """Steps until nothing waits; how many."""
        for taken in range(most):
            if self.lane.wait() is None:
                return taken
            self.clock.advance(timedelta(hours=1))
            self.lane.step()
        raise AssertionError(f"still waiting after {most} steps: {self.log.lines}")


@pytest.fixture
def closing() -> Iterator[list[ProcessWorkbench]]:
    benches: list[ProcessWorkbench] = []
    yield benches
    for bench in benches:
        bench.close()


@pytest.mark.parametrize(
    ("limits", "core"),
    [(Limits(client_max_body_size=20 * MB), 2_000 * MB), (STOCK, 9 * MB), (STOCK, 3 * MB)],
    ids=["2 GB and 413", "over post_max_size", "over upload_max_filesize"],
)
def test_a_core_that_the_site_does_not_take_is_refused_once_and_the_rest_is_posted(
    limits: Limits, core: int, closing: list[ProcessWorkbench], tmp_path: Path
) -> None:
    with watched(limits=limits) as double:
        sizes = {"core.4711": core, "core.4712": core + 1, "console.log": 500_000, "report.xml": 1_900_000}
        outgoing = Outgoing(tmp_path, uploader_for(double), sizes)
        closing.append(outgoing.bench)
        assert outgoing.run() == 2
        (made,) = double.posts
        assert seen(made).files == 2
        assert "It failed." in made.body
        assert made.body.count("Left out: core.471") == 2
        assert [file.name[:6] for file in double.site.loose] == ["consol", "report"]
        assert len(double.sent("POST", "/micropub")) == 3


def test_a_site_that_takes_no_file_at_all_gets_the_text(closing: list[ProcessWorkbench], tmp_path: Path) -> None:
    with watched(limits=Limits(client_max_body_size=10_000)) as double:
        outgoing = Outgoing(tmp_path, uploader_for(double), {"a.log": 90_000, "b.log": 40_000, "c.log": 30_000})
        closing.append(outgoing.bench)
        assert outgoing.run() == 2
        (made,) = double.posts
        assert seen(made).text.count("Left out: ") == 3


@pytest.mark.parametrize("kind", ["status", "entry"])
def test_a_text_as_long_as_a_site_takes_is_posted_once_and_found_again(kind: str, tmp_path: Path) -> None:
    limits = Limits(post_max_size=40 * MB, client_max_body_size=40 * MB)
    with watched(limits=limits) as double:
        known = uploader_for(double)
        for number in range(2):
            text = f"{number} " * (3 * MB)
            post = Post(kind=kind, title="Log", happened_at=NOON, body=(Text(text),), source="ci", key=f"k{number}")  # type: ignore[arg-type]
            receipt = known.upload(post, f"abcdef{number}", Notes())
            found = known.find(f"abcdef{number}")
            assert isinstance(found, Receipt)
            assert found.url == receipt.url
        assert len(double.posts) == 2
