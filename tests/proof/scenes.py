"""Small scenes for many lives: a camera's visit of three frames, a voicemail, a test run that crashed."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.system.agent import DATA

__all__ = ["SCENES", "Scene"]

_FRAMES = [f"01-2026112303080{number}.jpg" for number in ("2-00", "3-01", "4-01")]
_TEXT = """;
; Message Information file
;
[message]
origmailbox=1234
context=leave
exten=1234
callerid="Alice Example" <+4312345678>
origtime=1795403441
category=
msg_id=1795403441-0000002a
flag=
duration=2
"""


@dataclass(frozen=True)
class Scene:
    """What one producer left behind, and how it is watched. The files are never changed, so many agents share them."""

    name: str
    lay: Callable[[Path], None]
    table: str  # the source's table, without its path

    def source(self, watched: Path) -> str:
        return f'[watch.scene]\npath = "{watched}"\nexisting = "post"\ntimezone = "UTC"\n{self.table}\n'


def _visit(folder: Path) -> None:
    for frame in _FRAMES:
        shutil.copyfile(DATA / "motion" / "four-cameras" / "tree" / "cam1" / frame, folder / frame)


def _voicemail(folder: Path) -> None:
    inbox = folder / "default" / "1234" / "INBOX"
    inbox.mkdir(parents=True)
    shutil.copyfile(DATA / "sound" / "msg0001.wav", inbox / "msg0000.wav")
    (inbox / "msg0000.txt").write_text(_TEXT)


def _run(folder: Path) -> None:
    tree, run = DATA / "artifacts" / "run" / "tree", folder / "17"
    run.mkdir()
    for name in ("TEST-orchard.PressTest.xml", "orchard.PressTest.txt"):
        shutil.copyfile(tree / "surefire-reports" / name, run / name)
    (run / "core").write_bytes(gzip.decompress((tree / "cores" / "segv" / "core.gz").read_bytes()))


SCENES = {
    scene.name: scene
    for scene in (
        Scene(
            "camera",
            _visit,
            'type = "motion"\nevent_gap = "1s"\nenrich = [{type = "best_frame", keep = 3}]\ntitle = "A visit"',
        ),
        Scene("voicemail", _voicemail, 'type = "voicemail"'),
        Scene("run", _run, 'type = "artifacts"\nquiet = "1s"'),
    )
}
