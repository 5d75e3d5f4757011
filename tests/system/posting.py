"""Somebody who posts from the command line, with a home of their own, and a site to post to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy

from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.system.agent import ROOT, bound_by_rights

BASHKNOWN = ROOT / "packaging" / "bashknown"


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Person:
    """A user of the machine. Nothing of the real one's settings, logins or memory is seen."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)

    @property
    def everything(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MEDIAAGENT_"))}
        tools = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        return {**kept, "HOME": str(self.home), "PATH": tools, **self.environment}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "mediaagent", *words]

    def call(self, *words: str, text: str | bytes = b"", humble: bool = False, **environment: str) -> Said:
        """`mediaagent WORDS`, with `text` on its standard input; bound by rights, where it is `humble`, as root too."""
        return self._run(self.command(*words), text, environment, bound_by_rights if humble else None)

    def script(self, name: str, *words: str, text: str | bytes = b"", **environment: str) -> Said:
        """A script of packaging/bashknown."""
        return self._run([str(BASHKNOWN / name), *words], text, environment)

    def _run(
        self,
        command: list[str],
        text: str | bytes,
        environment: dict[str, str],
        first: Callable[[], None] | None = None,
    ) -> Said:
        data = text.encode() if isinstance(text, str) else text
        path = f"{ROOT}{os.pathsep}{self.everything.get('PYTHONPATH', '')}".rstrip(os.pathsep)
        environment = {**self.everything, "PYTHONPATH": path, **environment}
        done = subprocess.run(
            command, cwd=self.home, input=data, capture_output=True, timeout=100, env=environment, preexec_fn=first
        )
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace"))

    def log_in(self, site: KnownDouble) -> None:
        said = self.call("login", site.address, "--user", "birdcam", text=BIRDCAM_KEY)
        assert said.code == 0, said.err

    def settings(self, site: KnownDouble, more: str = "", drop: str = "") -> Path:
        """A home with an agent.toml that posts to the site and watches nothing."""
        key = self.home / "known.key"
        key.write_text(BIRDCAM_KEY)
        key.chmod(0o600)
        path = self.home / ".config" / "mediaagent" / "agent.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"""
            [agent]
            state = "{self.home}/state"
            drop = "{drop or self.home / "state" / "drop"}"
            {more}
            [upload.family]
            type = "known"
            site = "{site.address}"
            user = "birdcam"
            key = "file:{key}"
            settles_after = "1500ms"
            timeout = "2s"
        """)
        return path


def picture(path: Path, size: int = 60) -> Path:
    """A small JPEG that is unlike any other."""
    pixels = numpy.random.default_rng(abs(hash(path.name)) % 2**32).integers(0, 255, (size, size, 3), dtype="uint8")
    done, data = cv2.imencode(".jpg", pixels)
    assert done
    path.write_bytes(data.tobytes())
    return path
