"""What packaging/hooks says to a producer, with the agent of a test in the place of the installed one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.agent import ROOT, AgentProcess
from tests.system.posting import Person

__all__ = ["HOOKS", "running_agent", "words_of"]

HOOKS = ROOT / "packaging" / "hooks"


def words_of(name: str, person: Person) -> str:
    """A file of packaging/hooks that calls the person's `mediaagent`."""
    program = person.home / "mediaagent"
    python = f"PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m mediaagent"
    program.write_text(f'#!/bin/sh\n{python} "$@"\n')
    program.chmod(0o755)
    words = (HOOKS / name).read_text()
    assert "/usr/bin/mediaagent " in words
    return words.replace("/usr/bin/mediaagent ", f"{program} ")


@contextmanager
def running_agent(person: Person, settings: Path) -> Iterator[AgentProcess]:
    """`mediaagent run` with these settings, for so long."""
    agent = AgentProcess(person.home, environment=person.everything)
    agent.configure(settings.read_text())
    agent.start()
    try:
        agent.wait_until_running()
        yield agent
        assert agent.stop() == 0
    finally:
        agent.kill()
