"""What a stack is when addresses, arguments and builds are taken away: names, in an order that can be compared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import takewhile

from msgspec import Struct

__all__ = ["SIGNAL_FRAME", "Frame", "Group", "canonical", "collapsed", "own_frames", "readable", "stack_hash"]

SIGNAL_FRAME = "<signal handler called>"  # as gdb puts it
_LONGEST_NAME = 200
_LONGEST_READ = 2000  # characters of a name as it comes
_COMPARED = 8  # names
_LONGEST_CYCLE = 8  # functions that call each other in turn


class Frame(Struct, frozen=True):
    """One function that was running."""

    function: str  # "" when nobody knows
    module: str = ""  # the file's name, without its folder
    offset: int | None = None  # bytes from where that begins in memory
    source: str = ""  # file and line: "src/segv.c:4"

    @property
    def name(self) -> str:
        """The function, else its place: libffi.so.8.1.2+0x7197."""
        if self.function or self.offset is None:
            return self.function or "??"
        return f"{self.module}+{self.offset:#x}"


class Group(Struct, frozen=True):
    """Frames that follow each other so many times."""

    frames: tuple[Frame, ...]
    times: int = 1


# --- names ------------------------------------------------------------------------------------------------------------

_VERSION = re.compile(r"@.*$")
_BUILD = re.compile(r"( \[clone [^\]]*\]|\.(isra|constprop|part|cold|lto_priv|llvm|localalias|clone)(\.\d+)*)+$")
_RUST_HASH = re.compile(r"::h[0-9a-f]{16}$")
_OPERATOR = re.compile(r"operator\s*(\(\)|->\*?|<=>|<<=?|>>=?|[<>]=?)")
_QUALIFIER = re.compile(r"\s+(const|volatile|noexcept)\b|\s*&{1,2}$")
_PROCESSOR = re.compile(r"^(__.+?)_(sse\d?|sse4_[12]|sse42|ssse3|avx|avx2|avx512(vl)?|evex(512)?)(_[a-z0-9]+)*$")
_LIBRARY = re.compile(r"^(__GI_)?_*(libc_)?(?=.)")


@lru_cache(maxsize=4096)
def readable(function: str) -> str:
    """A function's name without what differs from build to build: arguments, template arguments, versions, clones.

    >>> readable("std::vector<int, std::allocator<int> >::at(unsigned long) const")
    'std::vector::at'
    >>> readable("clock_nanosleep@GLIBC_2.2.5"), readable("__assert_fail_base.cold"), readable("pick.isra.0")
    ('clock_nanosleep', '__assert_fail_base', 'pick')
    >>> readable("void press<int>(int)"), readable("Pear::operator()(int)"), readable("main.(*Tree).Walk")
    ('press', 'Pear::operator()', 'main.(*Tree).Walk')
    """
    if function == SIGNAL_FRAME or not function:
        return function
    name = _VERSION.sub("", " ".join(function[:_LONGEST_READ].split()))
    name = _RUST_HASH.sub("", _BUILD.sub("", name))
    name = _without_lists(name)
    name = _without_result(_QUALIFIER.sub("", name).strip())
    return (re.sub(r"(::){2,}", "::", name).removeprefix("::") or function)[:_LONGEST_NAME]


def _without_lists(name: str) -> str:
    """Without what stands in (…) and <…>, but for operators, and receivers of Go."""
    kept, depth, at = [], 0, 0
    while at < len(name):
        if not depth and (operator := _OPERATOR.match(name, at)):
            kept.append(operator[0])
            at = operator.end()
            continue
        char = name[at]
        if not depth and char == "(" and name[at - 1 : at] == ".":
            end = name.find(")", at) + 1 or len(name)
            kept.append(name[at:end])
            at = end
            continue
        depth += char in "(<"
        if not depth:
            kept.append(char)
        depth -= char in ")>" and depth > 0
        at += 1
    return "".join(kept)


def _without_result(name: str) -> str:
    """Demangled templates begin with the type of what they return."""
    head, operator, rest = name.partition("operator")
    return (head.split(" ")[-1] if " " in head else head) + operator + rest


def canonical(name: str) -> str:
    """The same for what is one function under many names: those of the C library's own, and of its processors.

    >>> canonical("__strlen_evex"), canonical("__GI_raise"), canonical("__memmove_avx_unaligned_erms")
    ('strlen', 'raise', 'memmove')
    """
    return _LIBRARY.sub("", _PROCESSOR.sub(r"\1", name))


# --- stacks -----------------------------------------------------------------------------------------------------------

#: What runs between a process that ends itself and the function that wanted it (glibc, libstdc++, GLib, Qt, Rust, Go).
_ENDING = """
pthread_kill_implementation pthread_kill_internal pthread_kill raise gsignal kill tgkill tkill syscall abort
assert_fail assert_fail_base assert_perror_fail assert message message_impl malloc_printerr fatal
fortify_fail fortify_fail_abort chk_fail stack_chk_fail stack_chk_fail_local
gnu_cxx::__verbose_terminate_handler cxxabiv1::__terminate std::terminate terminate
cxa_throw cxa_rethrow cxa_pure_virtual std::__glibcxx_assert_fail
g_abort g_logv g_log g_log_structured_array g_assertion_message g_assertion_message_expr
QMessageLogger::fatal qt_message_fatal
rust_panic rust_begin_unwind core::panicking::panic core::panicking::panic_fmt std::process::abort panic_abort::abort
runtime.raise runtime.raise.abi0 runtime.dieFromSignal runtime.crash runtime.fatalpanic runtime.gopanic runtime.throw
"""
#: Where a signal handler goes back to.
_RETURNING = "restore_rt restore kernel_rt_sigreturn kernel_sigreturn"
#: Below `main` and a thread's function.
_STARTING = "start start_main start_call_main start_main_impl start_thread clone clone3 thread_start"

_HANDLERS = frozenset(_ENDING.split())
_RETURNS = frozenset([*_RETURNING.split(), SIGNAL_FRAME])
_STARTERS = frozenset(_STARTING.split())


def own_frames(frames: Sequence[Frame]) -> Sequence[Frame]:
    """The frames from the first one that is the program's own affair.

    A handler that raises the signal again (faulthandler, crash reporters) hides what it handled: that is below it. A
    crash in the handler itself stays one.
    """
    names = [canonical(frame.function) for frame in frames]
    raised = _handlers(names)
    handled = next((at for at, name in enumerate(names) if name in _RETURNS), None)
    if raised and handled is not None:
        below = handled + 1
        return own_frames(frames[below:]) or frames
    return frames[raised:] or frames


def _handlers(names: Sequence[str]) -> int:
    return len(list(takewhile(_HANDLERS.__contains__, names)))


def collapsed(frames: Sequence[Frame]) -> list[Group]:
    """Recursion told once: f f f g is f (3 times), g. The first frame, where it crashed, may be another line of it."""
    groups: list[Group] = []
    names = [frame.name for frame in frames]
    at = 0
    while at < len(frames):
        size, times = _cycle(names, at)
        groups.append(Group(tuple(frames[at : at + size]), times))
        at += size * times
    return groups


def _cycle(names: Sequence[str], at: int) -> tuple[int, int]:
    """How many functions from here on come again, and how often in a row."""
    for size in range(1, _LONGEST_CYCLE + 1):
        first, times = names[at : at + size], 1
        while names[at + times * size : at + (times + 1) * size] == first:
            times += 1
        if times >= (2 if size == 1 else 3):
            return size, times
    return 1, 1


def stack_hash(signal: str, frames: Iterable[Frame]) -> str:
    """The same for the same crash: of the signal and the first own functions, each once, however deep they recursed."""
    names = (canonical(frame.function) if frame.function else frame.name for frame in frames)
    distinct = [name for name in dict.fromkeys(names) if name not in _STARTERS][:_COMPARED]
    return hashlib.sha256("\n".join([signal, *distinct]).encode("utf-8", "backslashreplace")).hexdigest()
