"""One agent's life beside a site of its own: started, struck, started again, judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.proof import forks, judge
from tests.proof.judge import FRESH, Posted
from tests.proof.scenes import Scene
from tests.system.agent import ROOT

__all__ = ["Life", "Struck", "a_site"]

#: What a life costs at the most before it counts as hung, on a machine with twenty programs at work as well.
PATIENCE = 180.0
_PLUGINS = {"status", "photo", "entry", "indiepub", "media"}
_FRESH_SOURCE = """
[watch.fresh]
type = "folder"
path = "fresh"
existing = "post"
quiet = "50ms"
title = "{title}"
"""


@dataclass(frozen=True)
class Struck:
    """How a struck agent ended."""

    calls: Counter[str]  # how often each system call was made that counts
    struck: bool
    last: str
    code: int


@dataclass
class Life:
    """A folder with an agent.toml, a state, a page and a Known double."""

    folder: Path
    scene: Scene
    watched: Path
    double: KnownDouble
    site: str = ""  # where the agent finds the site; by default the double itself
    settings: str = ""  # more in [agent]
    known: str = 'timeout = "5s"\nsettles_after = "200ms"'  # more in [upload.known]
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "fresh").mkdir(parents=True)
        key = self.folder / "known.key"
        key.write_text(BIRDCAM_KEY)
        key.chmod(0o600)
        self.configure()

    def configure(self) -> None:
        (self.folder / "agent.toml").write_text(f"""
[agent]
state = "state"
{self.settings}
{self.scene.source(self.watched)}
{_FRESH_SOURCE.format(title=FRESH)}
[upload.page]
type = "page"
path = "page"
[upload.known]
type = "known"
site = "{self.site or self.double.address}"
user = "birdcam"
key = "file:known.key"
{self.known}
""")

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def page(self) -> Path:
        return self.folder / "page"

    def freshen(self) -> None:
        """A file that comes after the faults."""
        (self.folder / "fresh" / "fresh.txt").write_text("fresh\n")

    # --- running ------------------------------------------------------------------------------------------------------

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "mediaagent", *self._config, *words]

    @property
    def _config(self) -> list[str]:
        return ["--config", str(self.folder / "agent.toml")]

    def struck(self, spec: dict[str, Any], *words: str) -> Struck:
        """The agent (`run --once`, unless told otherwise) under a tracer that strikes it."""
        done = self._call(words or ("run", "--once", "--patience", "5s"), spec)
        told = json.loads(done.stdout.splitlines()[-1])
        return Struck(Counter(told["calls"]), told["struck"], told["last"], told["code"])

    @contextmanager
    def running(self, spec: dict[str, Any] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """`mediaagent run`, under a tracer if there is a spec, while the context lasts."""
        command = self._traced(spec, self.command("run"))
        with (self.folder / "agent.log").open("ab") as log:
            environment = {**os.environ, **self.environment}
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE)

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._call(words)

    def _call(self, words: Sequence[str], spec: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        if self.environment:  # which only a new program reads
            command = self._traced(spec, self.command(*words))
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **self.environment}
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, env=environment, check=False
            )
        else:
            done = forks.call([*self._config, *words], self._spec(spec), seconds=PATIENCE)
        with (self.folder / "agent.log").open("a") as log:
            log.write(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}[{done.returncode}]\n")
        return done

    def _traced(self, spec: dict[str, Any] | None, command: list[str]) -> list[str]:
        if spec is None:
            return command
        return [sys.executable, "-m", "tests.proof.tracer", json.dumps(self._spec(spec)), "--", *command]

    def _spec(self, spec: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if spec is None else {"folders": [str(self.state), str(self.page)], **spec}

    def finish(self, tries: int = 8) -> str:
        """Without faults, until nothing waits. Returns what is wrong with that, or ""."""
        for attempt in range(tries):
            done = self.call("run", "--once", "--patience", "5s")
            if done.returncode == 0:
                return ""
            time.sleep(0.1 * attempt)
            self.call("queue", "retry", "--all")
        return f"it does not come to an end\n{done.stdout}{done.stderr}"

    # --- judging ------------------------------------------------------------------------------------------------------

    def found(self) -> dict[str, Counter[Posted]]:
        """What stands at each target."""
        return {"known": judge.on_known(self.double), "page": judge.on_page(self.page)}

    def judged(self, truth: dict[str, Counter[Posted]], listed: Sequence[str] = ()) -> list[str]:
        """What is wrong, in words: at each target against what an undisturbed agent posted there."""
        found = self.found()
        return [
            f"{target}: {what}" for target in truth for what in judge.differences(truth[target], found[target], listed)
        ]


@contextmanager
def a_site() -> Iterator[KnownDouble]:
    with KnownDouble(plugins=set(_PLUGINS)) as double:
        yield double
