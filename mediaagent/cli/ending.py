"""How a command ends: its exit code, and in words what went wrong.

Exit codes, the same everywhere: 0 done, 1 something waits, 2 usage or settings or state can't be used, 3 something was
rejected; 130 after Ctrl-C, as shells have it.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any

from mediaagent.cli import output
from mediaagent.errors import ConfigError, MediaAgentError, NoRoom

__all__ = ["INTERRUPTED", "code_of", "write_anything"]

INTERRUPTED = 130
#: What a full, broken or closed standard output says; files of ours are told by name.
_NO_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF, errno.EFBIG)


def code_of(body: Callable[[], Any], command: Callable[[], str]) -> int:
    """The code of a command that returns it (or None for 0); what goes wrong in it is told, and gives one, too.

    `command`: its name, as far as one was found by then: for reports."""
    try:
        return _told(body)
    except Exception as error:  # a mistake of ours
        return output.show_bug(error, command())


def _told(body: Callable[[], Any]) -> int:
    try:
        return int(body() or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ConfigError as error:
        output.show_problems(error.problems)
        return 2
    except MediaAgentError as error:
        output.tell(str(error))
        return 1 if isinstance(error, NoRoom) else 2
    except OSError as error:
        if error.errno == errno.EPIPE:
            output.hush()  # `mediaagent queue | head`: who listens no more has heard enough
            return 0
        if error.filename is not None:
            output.tell(f"{output.printable(error.filename)}: {error.strerror}")
        elif error.errno in _NO_OUTPUT:
            output.tell(f"this could not be written to its end: {error.strerror}")
            output.hush()
        else:
            raise
        return 2


def write_anything() -> None:
    """A terminal that can't show a character gets it escaped, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
