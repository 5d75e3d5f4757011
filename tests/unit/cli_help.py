"""What tests of the command line share: a folder with settings, and a memory with events in every state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from mediaagent.cli.commands import main
from mediaagent.model import Fingerprint, Part, Post, PostPart, Receipt, Sighting, Text
from mediaagent.ports import Prepared
from mediaagent.store.spool import new_id
from mediaagent.store.state import StateFolder

JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
SETTINGS = """\
[agent]
state = "state"

[watch.feeder]
type = "folder"
path = "pictures"
existing = "post"

[upload.family]
type = "page"
path = "page"

[upload.archive]
type = "page"
path = "archive"
"""


@dataclass
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Place:
    """A folder with an agent.toml."""

    folder: Path

    def call(self, *words: str, config: str = "agent.toml") -> Answer:
        result = CliRunner().invoke(main, ["--config", str(self.folder / config), *words])
        return Answer(result.exit_code, result.stdout, result.stderr)

    @property
    def pictures(self) -> Path:
        return self.folder / "pictures"

    def listing(self) -> list[tuple[str, int]]:
        """Every file with its mtime: what a command that changes nothing leaves as it was."""
        return sorted((str(path), path.lstat().st_mtime_ns) for path in self.folder.rglob("*"))


def a_place(folder: Path, settings: str = SETTINGS) -> Place:
    (folder / "agent.toml").write_text(settings)
    (folder / "pictures").mkdir()
    return Place(folder)


class Memory:
    """An agent's memory, filled without an agent."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime.now(UTC)
        self.state = StateFolder(folder, 10**9, lambda: self.now)
        self._numbers: Iterator[int] = iter(range(1, 10**6))

    def part(self, path: Path) -> Part:
        number = next(self._numbers)
        part = Part(
            id=new_id(),
            source="feeder",
            role="picture",
            path=path,
            name=path.name,
            files={"picture": self.state.spool.folder_path / "parts" / str(number) / "picture"},
            sha256=f"{number:064x}",
            size=22,
            media_type="image/jpeg",
            fingerprint=Fingerprint(1, number, 22, 1),
            seen_at=self.now,
            modified_at=self.now,
            facts={},
        )
        self.state.ledger.keep([part])
        return part

    def event(
        self, path: Path, targets: tuple[str, ...] = ("family",), prepared: bool = True, nothing: str = ""
    ) -> int:
        part = self.part(path)
        sighting = Sighting(key=part.sha256, kind="picture", happened_at=self.now, parts=(part,), nothing=nothing)
        self.state.outbox.add("feeder", [sighting], targets)
        with self.state.database.reading() as connection:
            (number,) = connection.execute("SELECT max(id) FROM events").fetchone()
        if prepared and not nothing:
            self.prepare(number)
        return int(number)

    def prepare(self, number: int) -> None:
        event = self.state.outbox.event(number)
        assert event is not None
        file = self.state.spool.folder_path / "events" / f"{number}-r1" / "a.jpg"
        post = Post(
            kind="photo",
            title=f"Robin {number}",
            body=(Text("It sat there.\n" + "and sang " * 20),),
            happened_at=event.happened_at,
            parts=(PostPart(file=file, role="picture", media_type="image/jpeg", name="a.jpg", size=22),),
        )
        self.state.outbox.keep([Prepared(event, post, ("best_frame kept 1 of 1",), file.parent)])

    def deliver(self, target: str, outcome: str) -> None:
        begun = self.state.deliveries.begin(target, asking_after=timedelta(0))
        assert begun is not None
        delivery = begun[0]
        if outcome == "delivered":
            self.state.deliveries.complete(delivery, Receipt(url="https://example.org/1", parts=("a.jpg",)))
        elif outcome == "rejected":
            self.state.deliveries.reject(delivery, "the site takes no robins")
        elif outcome == "deferred":
            due = self.now + timedelta(minutes=30)
            self.state.deliveries.defer(delivery, "no route to host", due, in_doubt=False)

    def fail(self, number: int) -> None:
        event = self.state.outbox.event(number)
        assert event is not None
        self.state.outbox.postpone(event, "OSError: no memory", None)

    def dismiss(self, number: int) -> None:
        event = self.state.outbox.event(number)
        assert event is not None
        self.state.outbox.dismiss(event, "no bird in it")

    def close(self) -> None:
        self.state.close()
