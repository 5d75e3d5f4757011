"""What the child may not do: taken from itself before it opens the first file.

Each limit that the system does not grant is told in words, and the child goes on with the others: a container or a
systemd unit around the agent often forbids the one that needs a privilege and grants it by other means.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass

from mediaagent.workbench import seccomp

__all__ = ["Limits", "apply"]

_MB = 1 << 20
_SET_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38  # linux/prctl.h
_NEW_USERS, _NEW_NETWORK = 0x1000_0000, 0x4000_0000  # linux/sched.h
_CAPABILITY_VERSION_3 = 0x2008_0522  # linux/capability.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the child may use."""

    memory: int = 2048 * _MB  # of address space
    cpu_seconds: int = 3600  # in one life
    file: int = 1024 * _MB  # of one file that it writes
    descriptors: int = 256


def apply(limits: Limits) -> dict[str, str]:
    """Takes everything away. Limit -> "" when it holds, else why not."""
    held = {
        "memory": _limit(resource.RLIMIT_AS, limits.memory),
        "cpu": _limit(resource.RLIMIT_CPU, limits.cpu_seconds),
        "file size": _limit(resource.RLIMIT_FSIZE, limits.file),
        "descriptors": _limit(resource.RLIMIT_NOFILE, limits.descriptors),
        "core": _limit(resource.RLIMIT_CORE, 0),
    }
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file too large is an error, not the end
    if not sys.platform.startswith("linux"):
        missing = "this system has no such thing"
        return held | {"privileges": missing, "network": missing, "parent": missing}
    libc = ctypes.CDLL(None, use_errno=True)
    held["network"] = _without_network(libc)
    held["privileges"] = _call(libc.prctl, _SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if held["network"]:
        refusal = seccomp.without_sockets()
        held["network"] = f"{held['network']}; no filter of calls: {refusal}" if refusal else ""
    held["parent"] = _call(libc.prctl, _SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    held["first to go"] = _write("/proc/self/oom_score_adj", "500")  # when memory is short: us, not the agent
    return held


def _limit(which: int, value: int) -> str:
    try:
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _without_network(libc: ctypes.CDLL) -> str:
    """A network namespace of its own, in which nothing is connected to anything.

    Without privilege that takes a user namespace, which some systems forbid; the rights it brings are dropped."""
    refusal = _call(libc.unshare, _NEW_NETWORK)
    if not refusal:
        return ""
    user, group = os.getuid(), os.getgid()
    if _call(libc.unshare, _NEW_USERS | _NEW_NETWORK):
        return f"no network namespace: {refusal}"
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")
    header, nothing = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    return _call(libc.capset, header, nothing)


def _call(function: object, *arguments: object) -> str:
    ctypes.set_errno(0)
    failed = function(*arguments)  # type: ignore[operator]
    return os.strerror(ctypes.get_errno()) if failed else ""


def _write(path: str, text: str) -> str:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        return str(error.strerror)
    return ""
