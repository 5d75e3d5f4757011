"""Starts the child's process.

Imports little, so that a command which will need a child can have one started before it loads the rest of itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import mediaagent
from mediaagent.workbench.rooms import Room

__all__ = ["Launched", "ahead", "dismiss", "launch"]

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")
_waiting: list[Launched] = []  # started ahead


class Launched:
    """A child on its way: its socket, what it prints, its room for temporary files, and the thread that keeps it."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.words = _scratch()
        self.room = Room()
        self.process: subprocess.Popen[bytes] | None = None
        started = threading.Event()
        # The kernel ends a child whose parent *thread* ends (PR_SET_PDEATHSIG), so it gets a thread that outlives it.
        self.keeper = threading.Thread(target=self._keep, args=(theirs, started), daemon=True)
        self.keeper.start()
        started.wait()

    def _keep(self, theirs: socket.socket, started: threading.Event) -> None:
        try:
            self.process = subprocess.Popen(
                # without -m, for which Python loads a dozen modules first
                [sys.executable, "-P", "-c", "from mediaagent.workbench.child import main; main()"],
                stdin=theirs.fileno(),
                stdout=self.words,
                stderr=self.words,
                cwd="/",
                env=_environment() | {"TMPDIR": os.fspath(self.room.path)},
                start_new_session=True,
            )
        except OSError as error:
            self.words.write(str(error).encode())
        finally:
            theirs.close()
            started.set()
        if self.process:
            self.process.wait()

    def kill(self) -> None:
        """Kills it, by its pid. May be called from any thread."""
        if self.process and self.keeper.is_alive():
            self.process.kill()

    def end(self) -> None:
        """Kills it, waits until it is gone, and clears up after it. May be called more than once."""
        self.kill()
        self.keeper.join(10)
        self.socket.close()
        self.words.close()
        self.room.clear()


def ahead() -> None:
    """Starts a child for whoever asks first; nobody needs to. It ends with this process, or by `dismiss`."""
    _waiting.append(Launched())


def launch() -> Launched:
    """A child: one that was started ahead where there is one. It waits to be told its limits."""
    return _waiting.pop() if _waiting else Launched()


def dismiss() -> None:
    """Ends those that were started ahead and that nobody asked for."""
    while _waiting:
        _waiting.pop().end()


def _scratch() -> IO[bytes]:
    """A file without a name."""
    try:
        return open(os.memfd_create("words"), "w+b")  # whoever ends the child closes it
    except (AttributeError, OSError):  # no Linux
        import tempfile

        return tempfile.TemporaryFile()


def _environment() -> dict[str, str]:
    """Nothing secret goes in: only what finding and starting Python needs, and what holds libraries back."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    places = [os.environ.get("PYTHONPATH", ""), str(Path(mediaagent.__file__).parents[1])]
    return kept | {
        "PYTHONPATH": os.pathsep.join(
            str(Path(p).absolute()) for place in places for p in place.split(os.pathsep) if p
        ),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENCV_IO_MAX_IMAGE_PIXELS": "100000000",
        "OPENCV_LOG_LEVEL": "ERROR",
    }
