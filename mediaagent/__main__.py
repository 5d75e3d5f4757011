"""Where the process begins and ends: `mediaagent`, and `python -m mediaagent`.

Hooks call this for every event, so its beginning and its end count: nothing is collected while modules are loaded (a
twentieth of the time of `post --queue`), and what such a call has built is not taken down (a tenth).
"""

from __future__ import annotations

import gc
import os
import sys

__all__ = ["run"]


def run() -> None:
    """Runs one command, and ends the process with its code."""
    gc.disable()
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from mediaagent.cli import streams

        streams.mend()
    from mediaagent.cli.post import quick

    code = quick.run(sys.argv[1:])
    if code is not None:
        _end(code)
    from mediaagent.cli.commands import main

    gc.enable()
    main()


def _end(code: int) -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # the interpreter has words for that
    os._exit(code)


if __name__ == "__main__":
    run()
