"""Linux's signals by name and in words; numbers and codes as in asm-generic/signal.h and asm-generic/siginfo.h."""

from __future__ import annotations

__all__ = ["name_of", "tells_address", "words_of"]

#: From 1 on, of the dump's system; Python's `signal` has those of ours.
_NUMBERED = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG "
    "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_NAMES = _NUMBERED.split()

_WORDS = {
    "SIGQUIT": "ended from outside, with a core asked for",
    "SIGILL": "illegal instruction",
    "SIGTRAP": "a breakpoint, or an assertion that traps",
    "SIGABRT": "it aborted itself",
    "SIGBUS": "memory that can't be accessed so",
    "SIGFPE": "arithmetic error",
    "SIGSEGV": "invalid memory reference",
    "SIGXCPU": "its limit of CPU time was reached",
    "SIGXFSZ": "its limit of file size was reached",
    "SIGSYS": "forbidden system call",
}

#: Where the kernel says more (`si_code`).
_PRECISELY = {
    ("SIGBUS", 1): "misaligned memory access",
    ("SIGBUS", 2): "memory that isn't there, as after the end of a mapped file",
    ("SIGFPE", 1): "integer division by zero",
    ("SIGFPE", 2): "integer overflow",
    ("SIGFPE", 3): "floating-point division by zero",
    ("SIGSEGV", 2): "memory access without permission",
    ("SIGSEGV", 8): "stack overflow, or a pointer with a wrong tag",
}

_WITH_ADDRESS = ("SIGILL", "SIGTRAP", "SIGBUS", "SIGFPE", "SIGSEGV")
_BY_KERNEL = 0x80  # SI_KERNEL: a general protection fault, which has no address


def name_of(number: int) -> str:
    """The signal's name.

    >>> name_of(11), name_of(40), name_of(0)
    ('SIGSEGV', 'signal 40', '')
    """
    if 1 <= number <= len(_NAMES):
        return f"SIG{_NAMES[number - 1]}"
    return f"signal {number}" if number else ""


def words_of(number: int, code: int) -> str:
    """What it means.

    >>> words_of(11, 1), words_of(8, 1), words_of(10, 0)
    ('invalid memory reference', 'integer division by zero', '')
    """
    name = name_of(number)
    return _PRECISELY.get((name, code)) or _WORDS.get(name, "")


def tells_address(number: int, code: int) -> bool:
    """Whether `si_addr` means anything: not where a process sent the signal, as raise() does (codes of 0 and less).

    >>> tells_address(11, 1), tells_address(6, -6), tells_address(11, 0x80)
    (True, False, False)
    """
    return name_of(number) in _WITH_ADDRESS and 0 < code != _BY_KERNEL
