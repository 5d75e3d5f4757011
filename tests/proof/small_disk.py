"""A disk for an agent's state and page that is small, or read-only, and then is not.

It is a real one (tmpfs) in a mount namespace of its own. Where nothing may be mounted, as in many containers, a tracer
answers for it: it counts what the folders hold, and refuses what has no room there or what would change them.
"""

from __future__ import annotations

import functools
import subprocess
from typing import Any

from tests.proof.lives import Life
from tests.system.agent import ROOT

__all__ = ["mounts", "on_a_disk", "pretended"]

#: How to come by a mount namespace: with one's own rights (for users), or with those of root.
_WAYS = (["unshare", "--user", "--map-root-user", "--mount"], ["unshare", "--mount"])
_ONCE = ("run", "--once", "--patience", "5s")


@functools.cache
def mounts() -> tuple[str, ...]:
    """The command in front of one that may mount; none where that is not to be had."""
    for way in _WAYS:
        tried = subprocess.run([*way, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
        if tried.returncode == 0:
            return tuple(way)
    return ()


def on_a_disk(life: Life, *steps: str) -> tuple[list[str], str]:
    """What is wrong with how it went, and what the agent said at RUN.

    Steps: SMALL n (KiB), LARGE, READ-ONLY, WRITABLE; RUN FOR A MOMENT (then it is killed), RUN, FINISH."""
    life.freshen()
    return _mounted(life, steps) if mounts() else pretended(life, steps)


def _mounted(life: Life, steps: tuple[str, ...]) -> tuple[list[str], str]:
    """As one script, since the namespace ends with it. Afterwards state and page are copied back."""
    (life.folder / "disk").mkdir()
    settings = (life.folder / "agent.toml").read_text()
    settings = settings.replace('state = "state"', 'state = "disk/state"')
    (life.folder / "agent.toml").write_text(settings.replace('path = "page"', 'path = "disk/page"'))
    once, retry = " ".join(life.command(*_ONCE)), " ".join(life.command("queue", "retry", "--all"))
    words = {
        "LARGE": "mount -o remount,size=64m disk",
        "READ-ONLY": "until mount -o remount,ro disk; do sleep 0.1; done",  # a killed agent's decoder lives on a moment
        "WRITABLE": "mount -o remount,rw disk",
        "RUN FOR A MOMENT": f"timeout -s KILL 1.2 {once} || true",
        "RUN": f"{once} >>told 2>&1 || true",
        "FINISH": f"{once} || {{ {retry}; sleep 1; {once}; }} || {{ {retry}; sleep 1; {once}; }}",
    }
    script = [f"set -e; cd {life.folder}; export PYTHONPATH={ROOT}; mount -t tmpfs tmpfs disk"]
    for step in steps:
        small = f"mount -o remount,size={step.removeprefix('SMALL ')}k disk"
        script.append(small if step.startswith("SMALL ") else words[step])
    script.append("cp -r disk/page disk/state .")
    done = subprocess.run(
        [*mounts(), "bash", "-c", "\n".join(script)], capture_output=True, text=True, timeout=120, check=False
    )
    ended = [] if done.returncode == 0 else [f"it does not come to an end: {done.stdout}{done.stderr}"[-2000:]]
    return ended, (life.folder / "told").read_text()


def pretended(life: Life, steps: tuple[str, ...]) -> tuple[list[str], str]:
    """The same, by a tracer."""
    disk: dict[str, Any] = {}
    told = ""
    for step in steps:
        match step.split():
            case ["SMALL", size]:
                disk = {"room": int(size) * 1024}
            case ["READ-ONLY"]:
                disk = {"read_only": True}
            case ["LARGE"] | ["WRITABLE"]:
                disk = {}
            case ["RUN", "FOR", "A", "MOMENT"]:
                life.struck({"kill": ["fdatasync", 8]})
            case ["RUN"]:
                log = life.folder / "agent.log"
                before = log.stat().st_size if log.exists() else 0
                life.struck(disk)
                told = log.read_bytes()[before:].decode(errors="replace")
            case ["FINISH"] if wrong := life.finish():
                return [wrong], told
    return [], told
