"""Runs a command and strikes it at one exact system call: `python -m tests.proof.tracer SPEC -- COMMAND…`.

A small strace. strace's own fault injection counts the calls of each thread for itself (so no call of a thread that
begins late is ever the N-th), and this one counts those of the whole agent, one after the other. Only calls that
concern the folders of the spec, or a connection over TCP, count; a seccomp filter lets all others pass untouched.

SPEC is JSON::

    {"folders": ["/life/state"],            # whose files count
     "kill": ["fsync", 3],                  # SIGKILL at the third one, which is not carried out any more
     "errors": [["pwrite64", 5, 9, "ENOSPC"]],  # the fifth to the ninth fail; the end 0: all from there on
     "from": "/life/go",                    # nothing counts before this file is there
     "short": ["write", 2],                 # the second writes only half of what it should
     "room": 61440,                         # the folders hold no more bytes than that; then ENOSPC
     "read_only": true,                     # whatever would change the folders fails with EROFS
     "record": "/life/trace"}               # every change of the folders, for disk_image.py (pickled)

It prints one line of JSON: how often each call was made, whether the strike came, and how the command ended.
ptrace(2), seccomp(2); x86-64 only.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import pickle
import signal
import struct
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from tests.proof.disk_image import Change

__all__ = ["CALLS", "trace"]

#: Name -> numbers on x86-64. Calls that do the same thing by other means count as one.
_NUMBERS = {
    "openat": (2, 257),
    "write": (1, 20),
    "pwrite64": (18, 296),
    "fsync": (74,),
    "fdatasync": (75,),
    "rename": (82, 264, 316),
    "unlink": (87, 263),
    "mkdir": (83, 258),
    "rmdir": (84,),
    "link": (86, 265),
    "ftruncate": (76, 77),
    "copy": (326, 40),
    "clone": (16,),  # ioctl; only FICLONE counts
    "connect": (42,),
    "sendto": (44, 46),
    "recvfrom": (45, 47),
}
CALLS = tuple(_NUMBERS)
_NAMES = {number: name for name, numbers in _NUMBERS.items() for number in numbers}
#: Number -> which arguments are the folder's descriptor (None: there is none) and the path, of one or of two paths.
_BY_PATH = {
    **dict.fromkeys((2, 76, 83, 84, 87), (None, 0)),
    **dict.fromkeys((257, 258, 263), (0, 1)),
}
_BY_TWO_PATHS = {
    **dict.fromkeys((82, 86), (None, 0, None, 1)),
    **dict.fromkeys((264, 265, 316), (0, 1, 2, 3)),
}
_VECTORS = (20, 296)
_UNLINKAT, _COPY_RANGE, _FICLONE = 263, 326, 0x40049409
_GROWING = ("write", "pwrite64", "copy", "clone")
_CHANGING = (*_GROWING, "rename", "unlink", "mkdir", "rmdir", "link", "ftruncate")
_OPEN, _O_ACCMODE = 2, 0o3
_AT_FDCWD, _AT_REMOVEDIR, _O_CREAT, _O_TRUNC, _O_APPEND = -100, 0x200, 0o100, 0o1000, 0o2000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long
_TRACEME, _CONT, _POKEUSER, _SYSCALL, _SETOPTIONS, _GETEVENTMSG = 0, 7, 6, 24, 0x4200, 0x4201
_GET_SYSCALL_INFO = 0x420E
_OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x80 | 0x100000  # SYSGOOD FORK VFORK CLONE EXEC SECCOMP EXITKILL
_EVENT_SECCOMP = 7
_ORIG_RAX, _RAX, _RDX = 120, 80, 96  # offsets in struct user


def _ptrace(request: int, pid: int, address: int = 0, data: Any = 0) -> int:
    result = _libc.ptrace(request, pid, address, data)
    if result == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


@dataclass
class _Thread:
    group: int
    entered: tuple[str, Change | None] | None = None
    memory: int = -1


@dataclass
class Tracer:
    """One traced command."""

    spec: dict[str, Any]
    counts: Counter[str] = field(default_factory=Counter)
    struck: bool = False
    last: str = ""  # the call that was struck, with its path
    root: int = 0
    _threads: dict[int, _Thread] = field(default_factory=dict)
    _wires: set[tuple[int, int]] = field(default_factory=set)  # (process, descriptor) of connections over TCP
    _recorder: BinaryIO | None = None

    def run(self, command: Callable[[], None]) -> int:
        """Until the command and all that it started have ended. Returns its exit code, or minus its signal.

        `command` is called in a process of its own, and does not return."""
        if self.spec.get("record"):
            self._recorder = open(self.spec["record"], "wb")  # noqa: SIM115  closed with the process
        self.root = os.fork()
        if not self.root:
            _become(command)
        os.waitpid(self.root, 0)
        self._threads[self.root] = _Thread(self.root)
        _ptrace(_SETOPTIONS, self.root, 0, _OPTIONS)
        _ptrace(_CONT, self.root)
        code = 0
        while True:
            try:
                pid, status = os.waitpid(-1, 0x40000000)  # __WALL: threads, too
            except ChildProcessError:
                return code
            if os.WIFSTOPPED(status):
                with suppress(ProcessLookupError):  # killed while it stood there
                    self._stopped(pid, status)
            else:
                self._gone(pid)
                if pid == self.root:
                    code = os.waitstatus_to_exitcode(status)

    def _gone(self, pid: int) -> None:
        thread = self._threads.pop(pid, None)
        if thread and thread.memory >= 0:
            os.close(thread.memory)

    def _stopped(self, pid: int, status: int) -> None:
        number, event = os.WSTOPSIG(status), status >> 16
        if event == _EVENT_SECCOMP:
            _ptrace(self._entering(pid), pid)
        elif number == signal.SIGTRAP | 0x80:
            self._leaving(pid)
            _ptrace(_CONT, pid)
        elif event or (number == signal.SIGSTOP and pid not in self._threads):  # news, and a thread's first stop
            self._known(pid)
            _ptrace(_CONT, pid)
        else:
            _ptrace(_CONT, pid, 0, number)

    def _known(self, pid: int) -> _Thread:
        if pid not in self._threads:
            with open(f"/proc/{pid}/status") as status:
                group = next(int(line.split()[1]) for line in status if line.startswith("Tgid:"))
            self._threads[pid] = _Thread(group)
        return self._threads[pid]

    # --- one call -----------------------------------------------------------------------------------------------------

    def _entering(self, pid: int) -> int:
        """What to do with a call that is about to be made. Returns how its thread goes on."""
        info = (ctypes.c_uint64 * 11)()
        _ptrace(_GET_SYSCALL_INFO, pid, ctypes.sizeof(info), ctypes.addressof(info))
        number, arguments = int(info[3]), [int(value) for value in info[4:10]]
        name = _NAMES.get(number, "")
        path = self._concerned(pid, number, name, arguments)
        if path is None or not self._begun():
            return _CONT
        self.counts[name] += 1
        if self._strike(pid, name, path, arguments):
            return _CONT
        if self._recorder:
            self._threads[pid].entered = (name, self._change(pid, number, name, path, arguments))
            return _SYSCALL
        return _CONT

    def _begun(self) -> bool:
        if "from" in self.spec and os.path.exists(self.spec["from"]):
            del self.spec["from"]
        return "from" not in self.spec

    def _leaving(self, pid: int) -> None:
        thread = self._known(pid)
        entered, thread.entered = thread.entered, None
        info = (ctypes.c_uint64 * 11)()
        _ptrace(_GET_SYSCALL_INFO, pid, ctypes.sizeof(info), ctypes.addressof(info))
        result = ctypes.c_int64(info[3]).value
        if entered and entered[1] and result >= 0 and self._recorder:
            change = entered[1]
            if change.what == "write" and not change.source:
                change = Change("write", change.path, offset=change.offset, data=change.data[:result])
            pickle.dump(change, self._recorder)

    def _strike(self, pid: int, name: str, path: str, arguments: list[int]) -> bool:
        count = self.counts[name]
        if self.spec.get("kill") == [name, count]:
            self.struck, self.last = True, f"{name} {path}"
            os.kill(self.root, signal.SIGKILL)
            return True
        if self.spec.get("short") == [name, count] and arguments[2] > 1:
            self.struck, self.last = True, f"{name} {path}"
            _ptrace(_POKEUSER, pid, _RDX, arguments[2] // 2)
            return True
        code = self._refusal(pid, name, path, arguments)
        for wanted, first, last, given in self.spec.get("errors", ()):
            if wanted == name and first <= count and (count <= last or not last):
                code = given
        if code:
            self.struck, self.last = True, f"{name} {path}"
            _ptrace(_POKEUSER, pid, _ORIG_RAX, ctypes.c_uint64(-1).value)
            _ptrace(_POKEUSER, pid, _RAX, ctypes.c_uint64(-getattr(errno, code)).value)
        return bool(code)

    def _refusal(self, pid: int, name: str, path: str, arguments: list[int]) -> str:
        """What a full or a read-only disk says to it."""
        if self.spec.get("read_only"):
            number = self._number(pid)
            flags = arguments[1 if number == _OPEN else 2]
            changes = flags & (_O_ACCMODE | _O_CREAT | _O_TRUNC) if name == "openat" else name in _CHANGING
            return "EROFS" if changes else ""
        if "room" in self.spec and name in _GROWING:
            grows = self._grows(pid, name, path, arguments)
            return "ENOSPC" if grows and _used(self.spec["folders"]) + grows > self.spec["room"] else ""
        return ""

    def _grows(self, pid: int, name: str, path: str, arguments: list[int]) -> int:
        """By how much a file gets longer, in whole pages."""
        change = self._change(pid, self._number(pid), name, path, arguments)
        assert change is not None
        length = os.stat(change.source).st_size if change.source else len(change.data)
        before = os.stat(path).st_size if os.path.exists(path) else 0
        return max(_pages(change.offset + length) - _pages(before), 0)

    def _number(self, pid: int) -> int:
        info = (ctypes.c_uint64 * 11)()
        _ptrace(_GET_SYSCALL_INFO, pid, ctypes.sizeof(info), ctypes.addressof(info))
        return int(info[3])

    def _concerned(self, pid: int, number: int, name: str, arguments: list[int]) -> str | None:
        """The path, or "tcp", of a call that counts."""
        if name in ("connect", "sendto", "recvfrom"):
            return self._wire(pid, name, arguments)
        if name == "clone" and arguments[1] & 0xFFFFFFFF != _FICLONE:
            return None
        if number in _BY_PATH:
            path = self._path(pid, arguments, *_BY_PATH[number])
        elif number in _BY_TWO_PATHS:
            path = self._path(pid, arguments, *_BY_TWO_PATHS[number][2:])
        else:
            path = _link(f"/proc/{pid}/fd/{arguments[2 if number == _COPY_RANGE else 0] & 0xFFFFFFFF}")
        return path if any(path == each or path.startswith(f"{each}/") for each in self.spec["folders"]) else None

    def _wire(self, pid: int, name: str, arguments: list[int]) -> str | None:
        wire = (self._known(pid).group, arguments[0] & 0xFFFFFFFF)
        if name == "connect":
            family = struct.unpack("H", self._read(pid, arguments[1], 2))[0]
            self._wires.discard(wire)
            if family in (2, 10):
                self._wires.add(wire)
        return "tcp" if wire in self._wires else None

    # --- what it means ------------------------------------------------------------------------------------------------

    def _change(self, pid: int, number: int, name: str, path: str, arguments: list[int]) -> Change | None:
        match name:
            case "openat":
                flags = arguments[2 if number == 257 else 1]
                what = "truncate" if flags & _O_TRUNC else "create"
                return Change(what, path) if flags & (_O_CREAT | _O_TRUNC) else None
            case "write" | "pwrite64":
                return self._written(pid, number, path, arguments)
            case "fsync" | "fdatasync":
                return Change("sync", path)
            case "rename" | "link":
                source = self._path(pid, arguments, *_BY_TWO_PATHS[number][:2])
                return Change(name, source, to=path)
            case "unlink":
                removes = number == _UNLINKAT and arguments[2] & _AT_REMOVEDIR
                return Change("rmdir" if removes else "unlink", path)
            case "ftruncate":
                return Change("truncate", path, offset=arguments[1])
            case "copy" | "clone":
                return self._copied(pid, number, path, arguments)
            case "mkdir" | "rmdir":
                return Change(name, path)
        return None

    def _written(self, pid: int, number: int, path: str, arguments: list[int]) -> Change:
        if number in _VECTORS:
            vector = self._read(pid, arguments[1], 16 * arguments[2])
            data = b"".join(self._read(pid, *struct.unpack_from("QQ", vector, at)) for at in range(0, len(vector), 16))
        else:
            data = self._read(pid, arguments[1], arguments[2])
        name = _NAMES[number]
        offset = arguments[3] if name == "pwrite64" else self._position(pid, arguments[0])
        return Change("write", path, offset=offset, data=data)

    def _copied(self, pid: int, number: int, path: str, arguments: list[int]) -> Change:
        """A copy within the kernel: always of a whole file of the producer's, which nobody changes meanwhile."""
        source = {_COPY_RANGE: arguments[0], 40: arguments[1]}.get(number, arguments[2])
        return Change("write", path, source=_link(f"/proc/{pid}/fd/{source & 0xFFFFFFFF}"))

    def _position(self, pid: int, descriptor: int) -> int:
        with open(f"/proc/{pid}/fdinfo/{descriptor & 0xFFFFFFFF}") as lines:
            words = dict(line.split(":", 1) for line in lines if ":" in line)
        if int(words["flags"], 8) & _O_APPEND:
            return os.stat(f"/proc/{pid}/fd/{descriptor & 0xFFFFFFFF}").st_size
        return int(words["pos"])

    def _path(self, pid: int, arguments: list[int], folder: int | None, name: int) -> str:
        text = os.fsdecode(self._read(pid, arguments[name], 4096).split(b"\0")[0])
        if text.startswith("/"):
            return text.rstrip("/")
        at = _AT_FDCWD if folder is None else ctypes.c_int32(arguments[folder] & 0xFFFFFFFF).value
        here = _link(f"/proc/{pid}/cwd" if at == _AT_FDCWD else f"/proc/{pid}/fd/{at}")
        return os.path.normpath(f"{here}/{text}")

    def _read(self, pid: int, address: int, length: int) -> bytes:
        """Up to `length` bytes of its memory."""
        thread = self._known(pid)
        if thread.memory < 0:
            thread.memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        while length:
            try:
                return os.pread(thread.memory, length, address)
            except OSError:  # a page that is not there lies behind
                length = min(length - 1, (-address) % 4096) if length > (-address) % 4096 else 0
        return b""


def _pages(size: int) -> int:
    return (size + 4095) // 4096 * 4096


def _used(folders: list[str]) -> int:
    """What all files of these folders take."""
    total = 0
    for top in folders:
        for folder, _, names in os.walk(top):
            for name in names:
                with suppress(FileNotFoundError):
                    total += _pages(os.lstat(os.path.join(folder, name)).st_size)
    return total


def _link(path: str) -> str:
    try:
        return os.readlink(path).removesuffix(" (deleted)")
    except OSError:
        return ""


def _become(command: Callable[[], None]) -> None:
    """In the child: traced, filtered, and then the command."""
    try:
        _ptrace(_TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        _filter()
    except BaseException:
        os._exit(127)
    command()


def _filter() -> None:
    """Only the calls of our list stop at the tracer (bpf(2): load the number, compare, jump)."""
    numbers = sorted(_NAMES)
    code = [struct.pack("HBBI", 0x20, 0, 0, 4), struct.pack("HBBI", 0x15, 1, 0, 0xC000003E)]
    code += [struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000), struct.pack("HBBI", 0x20, 0, 0, 0)]
    code += [struct.pack("HBBI", 0x15, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    code += [struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000), struct.pack("HBBI", 0x06, 0, 0, 0x7FF00000)]
    program = ctypes.create_string_buffer(b"".join(code))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(program)))
    _libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    if _libc.prctl(22, 2, ctypes.byref(head), 0, 0):  # PR_SET_SECCOMP, filter
        raise OSError(ctypes.get_errno(), "seccomp")


def trace(spec: dict[str, Any], command: Callable[[], None]) -> None:
    """Runs it and tells of it."""
    assert os.uname().machine == "x86_64", "the numbers of system calls here are those of x86-64"
    tracer = Tracer(spec)
    code = tracer.run(command)
    print(json.dumps({"calls": tracer.counts, "struck": tracer.struck, "last": tracer.last, "code": code}), flush=True)


def main() -> None:
    command = sys.argv[3:]
    trace(json.loads(sys.argv[1]), lambda: os.execvp(command[0], command))


if __name__ == "__main__":
    main()
