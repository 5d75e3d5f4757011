"""Nudges: a word to the running agent that it should look now, through a socket in its state folder.

Only the agent's own user can reach the socket. A nudge says nothing but that it came; whatever bytes it has, the agent
walks, and asks its targets. So a socket that somebody opens to others gives nothing away.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["Listener", "answers", "nudge"]

_NAME = "agent.sock"
#: Nudges that come sooner after one are heard as one.
_PAUSE = 0.5


def nudge(state: Path) -> bool:
    """Nudges the agent of this state folder. Returns whether there was one to hear it.

    Raises PermissionError for a user who may not.
    """
    with _channel() as channel:
        try:
            channel.connect(os.fspath(state / _NAME))
            channel.send(b"nudge", socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True  # it has nudges enough waiting already
        except PermissionError:
            raise
        except OSError:  # no socket, nobody behind it, or a path that is too long for one
            return False
    return True


def answers(state: Path) -> bool:
    """Whether an agent of this state folder hears nudges, and of this user; says nothing to it."""
    with _channel() as channel:
        try:
            channel.connect(os.fspath(state / _NAME))
        except OSError:
            return False
    return True


class Listener:
    """Hears nudges and calls `heard` from a thread of its own, until it is closed.

    A path too long for a socket (some 100 bytes, unix(7)) costs only the nudges.
    """

    def __init__(self, state: Path, heard: Callable[[], None]) -> None:
        self._path = state / _NAME
        self._heard = heard
        self._path.unlink(missing_ok=True)
        self._socket = _channel()
        try:
            self._socket.bind(os.fspath(self._path))
        except OSError:
            self._socket.close()
            return
        self._path.chmod(0o600)
        threading.Thread(target=self._listen, name="nudges", daemon=True).start()

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _listen(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self._socket.recv(64)
                with suppress(BlockingIOError):
                    while True:
                        self._socket.recv(64, socket.MSG_DONTWAIT)
                self._heard()
                time.sleep(_PAUSE)


def _channel() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
