"""The demo's stage: an agent in a process of its own, and its log in plain words."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from mediaagent.cli import output

__all__ = ["Stage"]


class Stage:
    """Runs the agent of `place`/agent.toml while it is entered; everything ends within `seconds`."""

    def __init__(self, place: Path, seconds: float) -> None:
        self.log: list[str] = []
        self._place = place
        self._started = time.monotonic()
        self._deadline = self._started + seconds
        self._heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._seen: Counter[str] = Counter()
        self._names: dict[str, set[str]] = {}  # role -> files of the camera

    def __enter__(self) -> Stage:
        config = str(self._place / "agent.toml")
        self._agent = subprocess.Popen(  # noqa: S603  (ourselves)
            [sys.executable, "-m", "mediaagent", "--config", config, "--log-format", "json", "run"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._agent.terminate()
        try:
            self._agent.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._agent.kill()
            self._agent.wait()

    def _listen(self) -> None:
        assert self._agent.stderr is not None
        for line in self._agent.stderr:
            self._heard.put(line.rstrip("\n"))
        self._heard.put(None)

    # --- what happens -------------------------------------------------------------------------------------------------

    def wait_for(self, event: str, times: int = 1) -> bool:
        """Tells what the agent does until it has logged `event` so often; False when it ends first, or time is over."""
        while self._seen[event] < times:
            try:
                line = self._heard.get(timeout=max(self._deadline - time.monotonic(), 0.0))
            except queue.Empty:
                return False
            if line is None:
                return False
            self._tell(line)
        return True

    def tell_while(self, play: Callable[[], None]) -> None:
        """Tells what the agent does while something is played to it."""
        with ThreadPoolExecutor(1) as players:
            playing = players.submit(play)
            while not playing.done():
                try:
                    line = self._heard.get(timeout=0.1)
                except queue.Empty:
                    continue
                if line is None:  # the agent ended; whoever waits for it next is told
                    self._heard.put(None)
                    break
                self._tell(line)
            playing.result()

    def _tell(self, line: str) -> None:
        self.log.append(line)
        try:
            said = json.loads(line)
        except ValueError:
            return
        event = str(said.get("event", ""))
        self._seen[event] += 1
        if event == "secured":
            self._tell_secured(said)
        elif event in _WORDS:
            self.say(_WORDS[event].format(**said))
        elif said.get("level") in ("warning", "error"):
            self.say(f"{event}: {said.get('reason') or said.get('detail', '')}")
        if event == "prepared":
            self._tell_notes(int(said["id"]))
        if event == "event new" and said.get("source") == "feeder":
            self._tell_visit()

    def _tell_secured(self, said: dict[str, Any]) -> None:
        role, name = str(said["role"]), str(said["name"])
        if said["source"] != "feeder":
            self.say(_SECURED[role].format(name=name))
            return
        names = self._names.setdefault(role, set())
        if not names:
            how = "is whole: the agent takes a copy" if role == "picture" else "is noted"
            self.say(f"the first {role}, {name}, {how}")
        names.add(name)

    def _tell_visit(self) -> None:
        counts = sorted((role, len(names)) for role, names in self._names.items())
        parts = " and ".join(f"{count} {role}{'s' if count != 1 else ''}" for role, count in counts)
        self.say(f"nothing more came: {parts} are one visit")

    def _tell_notes(self, event: int) -> None:
        """What was done to the files, and why."""
        from mediaagent import app, settings

        memory = app.open_queue(settings.load(self._place / "agent.toml"))
        try:
            for note in memory.notes(event):
                self.say(f"  {note}")
        finally:
            memory.close()

    def say(self, text: str) -> None:
        output.say(f"{time.monotonic() - self._started:5.1f} s  {output.printable(text)}")

    def say_report(self, source: str) -> None:
        """What the page tells of a source's newest post: its words, and what is attached."""
        post = next((post for post in self.posts() if post["_mediaagent"]["source"] == source), None)
        if post is None:
            return
        lines = [line for line in post["content_text"].splitlines() if line.strip()]
        attached = ", ".join(file["title"] for file in post["attachments"])
        for line in (*lines, f"Attached: {attached}"):
            output.say(f"         | {output.printable(line)}")

    # --- what can be asked --------------------------------------------------------------------------------------------

    def say_ignored(self, source: str, folder: Path) -> None:
        """What lies in a source's folder and is not for posting, and why."""
        from mediaagent import app, settings
        from mediaagent.cli.looking import made_up
        from mediaagent.model import Ignored

        made, _ = app.plan(settings.load(self._place / "agent.toml"))
        for path in sorted(folder.iterdir()):
            claim = made.sources[source].watcher.claim(made_up(path))
            if path.is_symlink():
                self.say(f"ignored: {path.name}: a link, and links are never followed")
            elif isinstance(claim, Ignored):
                self.say(f"ignored: {path.name}: {claim.reason}")

    def posts(self) -> list[dict[str, Any]]:
        """What is on the page, by its feed."""
        try:
            feed = json.loads((self._place / "page" / "feed.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return list(feed["items"])


#: A file of the telephone's or of the run's, by its role.
_SECURED = {
    "audio": "the message, {name}, is whole, with text and sound: the agent takes a copy of both",
    "about": "{name} says what the run is: name, branch, build",
    "core": "a program crashed: its core dump, {name}, is whole, and the agent takes a copy",
    "screenshot": "a screenshot came: {name}",
    "report": "the report, {name}, is whole: the agent takes a copy",
    "log": "the log, {name}, has become quiet: the agent takes a copy",
    "done": "{name} is there: the run is over",
}
_WORDS = {
    "prepared": 'the post is ready: "{title}"',
    "delivered": "posted to {target}: {url}",
    "deferred": "{target} could not be reached: {reason}",
    "rejected": "{target} will not have it: {reason}",
    "dismissed": "this is not posted: {reason}",
}
