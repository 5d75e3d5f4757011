"""Where the process begins and ends: `mediaagent`, and `python -m mediaagent`.

Hooks call this for every event, so its beginning and its end count: nothing is collected while modules are loaded (a
twentieth of the time of `post --queue`), and what such a call has built is not taken down (a tenth).
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

__all__ = ["run"]

#: Options before the command, whose value is a word of its own.
_WITH_VALUE = ("--config", "--log-level", "--log-format")


def run() -> None:
    """Runs one command, and ends the process with its code."""
    gc.disable()
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from mediaagent.cli import streams

        streams.mend()
    if _is_run(sys.argv[1:]):
        from mediaagent import signals

        signals.hold(signals.ORDERS)  # the agent hears them as soon as it can; its modules take their time
    from mediaagent.cli.post import quick

    code = quick.run(sys.argv[1:])
    if code is not None:
        _end(code)
    from mediaagent.cli.commands import main

    gc.enable()
    main()


def _is_run(words: Sequence[str]) -> bool:
    """Whether the command is `run`, as click will find."""
    rest = iter(words)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return word == "run"
    return False


def _end(code: int) -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # the interpreter has words for that
    os._exit(code)


if __name__ == "__main__":
    run()
