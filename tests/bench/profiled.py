"""The agent under cProfile, each of its threads by itself: `python -m tests.bench.profiled FOLDER --config … run`.

Leaves FOLDER/THREAD.prof for `python -m pstats`, and FOLDER/threads.txt: the CPU seconds of each thread.
"""

from __future__ import annotations

import cProfile
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "threads.txt").unlink(missing_ok=True)
    run = threading.Thread.run

    def profiled(thread: threading.Thread) -> None:
        _profile(folder, thread.name, lambda: run(thread))

    threading.Thread.run = profiled  # type: ignore[method-assign]
    sys.argv[1:2] = []
    from mediaagent.__main__ import run as agent

    _profile(folder, "watch", agent)


def _profile(folder: Path, name: str, body: Any) -> None:
    profile, begun = cProfile.Profile(), time.thread_time()
    try:
        profile.runcall(body)
    finally:
        file = re.sub(r"\W+", "-", name)
        profile.dump_stats(folder / f"{file}.prof")
        with (folder / "threads.txt").open("a") as told:
            told.write(f"{time.thread_time() - begun:8.3f} s CPU  {name}{os.linesep}")


if __name__ == "__main__":
    main()
