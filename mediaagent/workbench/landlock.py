"""What this process may still open, change and reach: nothing but what is named here (Landlock, Linux 5.13 and later).

Takes no privilege, and holds for all threads and programs that are started afterwards; what is open stays open. The
numbers are those of linux/landlock.h and, the same on every machine, of asm-generic/unistd.h. What a kernel does not
know yet is left out, by its ABI: 2 (5.19) moving files between folders, 3 (6.2) cutting files, 4 (6.7) TCP, 5 (6.10)
ioctl of devices, 6 (6.12) signals to others and abstract sockets.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress

__all__ = ["abi", "restrict"]

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WHICH_VERSION, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MOVE, _CUT, _DEVICES = 1 << 13, 1 << 14, 1 << 15
_ALL_OF_FIRST = (1 << 13) - 1  # up to LANDLOCK_ACCESS_FS_MAKE_SYM
_MAKE = 1 << 8 | 1 << 7 | 1 << 12  # regular files, folders, symbolic links
_REMOVE = 1 << 4 | 1 << 5
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _CUT | _DEVICES  # what a rule on a file may name
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

_READ = _READ_FILE | _READ_DIR
_RUN = _READ | _EXECUTE
_CHANGE = _READ | _WRITE_FILE | _MAKE | _REMOVE | _MOVE | _CUT


def abi() -> int:
    """What the kernel knows of Landlock; 0 where it has none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(_syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _WHICH_VERSION), 0)


def restrict(*, run: Iterable[bytes], read: Iterable[bytes], write: Iterable[bytes]) -> str:
    """From now on: programs are started and read below `run`, files read below `read`, read, made and changed below
    `write` (of devices and single files: written to), and nothing else. What is not there is passed over. Returns "",
    or why it does not hold. Needs PR_SET_NO_NEW_PRIVS."""
    version = abi()
    if not version:
        return _without()
    handled = _handled(version)
    attributes = struct.pack(
        "=QQQ",
        handled,
        _BIND_AND_CONNECT_TCP if version >= 4 else 0,
        _ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0,
    )[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = _syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return os.strerror(ctypes.get_errno())
    try:
        for paths, access in ((run, _RUN), (read, _READ), (write, _CHANGE)):
            for path in paths:
                _allow(rules, path, access & handled)
        failed = _syscall(_RESTRICT_SELF, rules, 0)
        return os.strerror(ctypes.get_errno()) if failed else ""
    finally:
        os.close(rules)


def _handled(version: int) -> int:
    later = ((2, _MOVE), (3, _CUT), (5, _DEVICES))
    return _ALL_OF_FIRST | sum(access for since, access in later if version >= since)


def _allow(rules: int, path: bytes, access: int) -> None:
    with suppress(OSError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(place).st_mode):
                access &= _OF_FILES
            _syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", access, place), 0)
        finally:
            os.close(place)


def _without() -> str:
    if not sys.platform.startswith("linux"):
        return "this system has no such thing"
    if ctypes.get_errno() == errno.EOPNOTSUPP:
        return "Landlock is switched off: the kernel was started without it (lsm=)"
    if ctypes.get_errno() == errno.ENOSYS:
        return "this kernel has no Landlock"
    return f"no Landlock: {os.strerror(ctypes.get_errno())}"


def _syscall(number: int, *arguments: object) -> int:
    ctypes.set_errno(0)
    return int(ctypes.CDLL(None, use_errno=True).syscall(number, *arguments))
