"""Agents in processes of their own, forked from one that has read the code: most of a short life is Python's start.

`python -m tests.proof.forks` reads lines of JSON: `words` of an agent's command line, a `spec` for the tracer or null,
and the files for its `out` and `err`. It forks the agent, and answers with its exit code, or minus its signal.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.system.agent import ROOT

__all__ = ["call"]


def call(
    words: Sequence[str], spec: dict[str, Any] | None = None, *, seconds: float
) -> subprocess.CompletedProcess[str]:
    """`mediaagent WORDS`, under a tracer if there is a spec. Raises TimeoutExpired."""
    try:
        parent = _idle.get_nowait()
    except queue.Empty:
        parent = _Parent()
    done = parent.call(words, spec, seconds)
    _idle.put(parent)
    return done


class _Parent:
    """The process from which agents are forked, one after the other."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.proof.forks"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        atexit.register(self.end)

    def call(
        self, words: Sequence[str], spec: dict[str, Any] | None, seconds: float
    ) -> subprocess.CompletedProcess[str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            asked = {"words": list(words), "spec": spec, "out": str(out), "err": str(err)}
            patience = threading.Timer(seconds, self.end)
            patience.start()
            try:
                self._process.stdin.write(json.dumps(asked) + "\n")
                self._process.stdin.flush()
                answer = self._process.stdout.readline()
            finally:
                patience.cancel()
            if not answer:
                raise subprocess.TimeoutExpired(list(words), seconds, out.read_bytes(), err.read_bytes())
            told = [path.read_text(errors="replace") for path in (out, err)]
        return subprocess.CompletedProcess(list(words), int(answer), *told)

    def end(self) -> None:
        """With all that was forked from it."""
        with suppress(ProcessLookupError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)


_idle: queue.SimpleQueue[_Parent] = queue.SimpleQueue()


# --- in the process ---------------------------------------------------------------------------------------------------


def main() -> None:
    import mediaagent.app
    import mediaagent.cli
    import mediaagent.once  # noqa: F401

    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _become(asked)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(asked: dict[str, Any]) -> None:
    """An agent, or the tracer of one. It ends as a program ends, so that all is wound up that has to be."""
    from tests.proof.tracer import trace

    for number, path in enumerate((os.devnull, asked["out"], asked["err"])):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)

    def agent() -> None:
        from mediaagent.__main__ import run

        sys.argv = ["mediaagent", *asked["words"]]
        run()
        sys.exit(0)

    if asked["spec"] is not None:
        trace(asked["spec"], agent)
        sys.exit(0)
    agent()


if __name__ == "__main__":
    main()
