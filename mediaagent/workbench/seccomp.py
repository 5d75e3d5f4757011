"""No new sockets for this process: the network's other end, where a namespace of its own is not granted.

Takes no privilege, and holds for all threads and programs that are started afterwards (seccomp(2), filter mode). What
is open stays open. The numbers of a machine and of its calls are those of linux/audit.h and of its unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

__all__ = ["without_sockets"]

_SET_SECCOMP, _MODE_FILTER = 22, 2  # linux/prctl.h, linux/seccomp.h
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | errno.EPERM
_LOAD, _IF_EQUAL, _IF_NOT_LESS, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data

#: Kernel's machine and bits of a pointer -> AUDIT_ARCH_…, __NR_socket.
_MACHINES = {
    ("x86_64", 64): (0xC000_003E, 41),
    ("aarch64", 64): (0xC000_00B7, 198),
    ("aarch64", 32): (0x4000_0028, 281),  # Raspberry Pi OS: a 32-bit Python under a 64-bit kernel
    ("armv7l", 32): (0x4000_0028, 281),
    ("armv6l", 32): (0x4000_0028, 281),
    ("riscv64", 64): (0xC000_00F3, 198),
}
_IO_URING_SETUP = 425  # everywhere; its rings make sockets, too
_FOREIGN = 0x4000_0000  # x86-64: calls of the x32 ABI


class _Program(ctypes.Structure):  # struct sock_fprog
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.c_void_p))


def without_sockets() -> str:
    """Refuses socket(2) from now on. Returns "", or why that does not hold. Needs PR_SET_NO_NEW_PRIVS."""
    machine = _MACHINES.get((platform.machine(), struct.calcsize("P") * 8))
    if not sys.platform.startswith("linux") or machine is None:
        return f"the calls of this machine ({platform.machine()}) are not known"
    architecture, socket = machine
    steps = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 0, 5, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_NOT_LESS, 3, 0, _FOREIGN),
        (_IF_EQUAL, 2, 0, socket),
        (_IF_EQUAL, 1, 0, _IO_URING_SETUP),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))  # struct sock_filter
    program = _Program(len(steps), ctypes.addressof(code))
    ctypes.set_errno(0)
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0)
    return os.strerror(ctypes.get_errno()) if failed else ""
