"""Whether an agent runs on a state folder, seen from beside it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from mediaagent.store.reading import running

_ASKED = """
import sys
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
from pathlib import Path
from mediaagent.store.reading import running
print(running(Path(sys.argv[1])), "/proc/locks" in opened)
"""


def asked(state: Path) -> str:
    """What another process sees, and whether it had to go through the locks of the whole machine."""
    done = subprocess.run([sys.executable, "-c", _ASKED, state], capture_output=True, text=True, timeout=60)
    return done.stdout.strip() or done.stderr


def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_a_lock_that_a_process_holds_is_seen_without_taking_it(tmp_path: Path) -> None:
    lock = tmp_path / "agent.lock"
    lock.write_text(f"{os.getpid()}\n")
    assert running(tmp_path) is None  # it lives, but holds nothing
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert asked(tmp_path) == f"{os.getpid()} True"
    assert asked(tmp_path) == "None True"


def test_where_the_last_agent_is_gone_no_lock_is_looked_for(tmp_path: Path) -> None:
    assert asked(tmp_path) == "None False"
    for left in (f"{gone()}\n", "", "no number\n"):
        (tmp_path / "agent.lock").write_text(left)
        assert asked(tmp_path) == "None False"


def test_numbers_that_no_process_has_are_nobody(tmp_path: Path) -> None:
    (tmp_path / "agent.lock").write_text(f"{10**30}\n")
    assert running(tmp_path) is None
