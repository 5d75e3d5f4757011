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
from contextlib import suppress

from mediaagent.workbench import landlock, needs, seccomp
from mediaagent.workbench.wire import Limits

__all__ = ["Limits", "apply"]

_SET_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38  # linux/prctl.h
_NEW_USERS, _NEW_NETWORK = 0x1000_0000, 0x4000_0000  # linux/sched.h
_CAPABILITY_VERSION_3 = 0x2008_0522  # linux/capability.h
#: Where all processes of the user count, so many more may come from elsewhere without a debugger failing to start.
_COMING_AND_GOING = 512


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
        return held | dict.fromkeys(("processes", "privileges", "network", "files", "parent"), missing)
    libc = ctypes.CDLL(None, use_errno=True)
    network, separate = _without_network(libc)
    held["processes"] = _without_many_processes(limits.processes, separate)
    held["privileges"] = _call(libc.prctl, _SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or _without_capabilities(libc)
    held["parent"] = _call(libc.prctl, _SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    held["first to go"] = _write("/proc/self/oom_score_adj", "500")  # when memory is short: us, not the agent
    held["files"] = _without_files(limits)
    filtered = seccomp.without_sockets()
    held["local sockets"] = f"no filter of calls: {filtered}" if filtered else ""
    held["network"] = f"{network}; no filter of calls: {filtered}" if network and filtered else ""
    return held


def _without_many_processes(most: int, separate: bool) -> str:
    """`separate`: those in our user namespace count alone, since Linux 5.14."""
    if not separate and os.getuid() == 0:
        return "the system does not count those of root: give the agent a user of its own"
    return _limit(resource.RLIMIT_NPROC, most if separate else _running_now() + _COMING_AND_GOING)


def _running_now() -> int:
    """Processes of this user, each with its threads."""
    count = 0
    for process in os.scandir("/proc"):
        with suppress(OSError, ValueError):
            if process.name.isdigit() and process.stat().st_uid == os.getuid():
                with open(f"{process.path}/stat", "rb") as told:
                    count += int(told.read().rpartition(b")")[2].split()[17])  # num_threads, proc(5)
    return count


def _without_files(limits: Limits) -> str:
    if limits.reads is None:
        return "nobody said which it needs"
    run, read, write = needs.everywhere()
    return landlock.restrict(run=run, read=(*read, *limits.reads), write=(*write, *limits.writes))


def _limit(which: int, value: int) -> str:
    try:
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _without_network(libc: ctypes.CDLL) -> tuple[str, bool]:
    """A network namespace of its own, in which nothing is connected to anything: "" or why not; and whether its
    processes are counted by themselves.

    Without privilege that takes a user namespace, which some systems forbid; the rights it brings are dropped later."""
    refusal = _call(libc.unshare, _NEW_NETWORK)
    if not refusal:
        return "", False
    user, group = os.getuid(), os.getgid()
    if _call(libc.unshare, _NEW_USERS | _NEW_NETWORK):
        return f"no network namespace: {refusal}", False
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")
    return "", True


def _without_capabilities(libc: ctypes.CDLL) -> str:
    header, had = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    refusal = _call(libc.capget, header, had)
    if refusal or not any(had):  # a filter around the agent may refuse the call that drops what is not there
        return refusal
    return _call(libc.capset, header, (ctypes.c_uint32 * 6)())


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
