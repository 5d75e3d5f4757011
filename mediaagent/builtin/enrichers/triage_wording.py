"""Puts what was found into words for a post."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from mediaagent.api import Part, Pre, Text, printable
from mediaagent.builtin.enrichers.triage_cores import Finding, place_of
from mediaagent.builtin.enrichers.triage_logs import Trouble
from mediaagent.builtin.enrichers.triage_stack import Frame, Group, collapsed
from mediaagent.builtin.evidence.cores import Core

__all__ = ["about_crash", "about_kept", "about_log", "kept_at"]

_CUT_COMMAND = 78  # bytes; the kernel has room for 79 (ELF_PRARGSZ), and an end is a space
_MOST_FILES = 5  # of one crash whose names are told
#: A fault so near the stack pointer is one of the stack (AddressSanitizer, `SignalContext::IsStackAccess`).
_BELOW_STACK, _ABOVE_STACK = 512, 0xFFFF


def about_crash(same: Sequence[Finding], frames: int, kept: bool, long: str | None) -> Iterator[Text | Pre]:
    """One crash, however often it happened: in words, its stack, and where the dumps are kept, and how long."""
    first = same[0]
    if first.core is None:
        yield Text(f"{first.part.name} is not explained: {first.problem}.")
    else:
        yield Text("; ".join(_said(first, first.core, _programs(same), len(same))))
        if len(same) > 1:
            yield Text(f"Its core dumps: {_few([each.part.name for each in same])}")
        if first.frames:
            yield Pre("\n".join(_stack(first.core, first.frames, frames)))
    if kept:
        yield from kept_at([each.part for each in same], long)


def about_kept(part: Part, long: str | None) -> Iterator[Text]:
    """A core dump that is not to be explained."""
    told = part.facts.get("core") or {}
    program = PurePath(str(told.get("program") or "a program")).name
    signal = f" ({told['signal_name']})" if told.get("signal_name") else ""
    yield Text(f"A core dump of {printable(program)}{signal} was left: {part.name}")
    yield from kept_at([part], long)


def kept_at(parts: Sequence[Part], long: str | None) -> Iterator[Text]:
    """Where they are. `long`: how long; None: that is not known, "": not at all."""
    paths = [printable(part.files[part.role]) for part in parts if part.role in part.files]
    if paths and long != "":
        how_long = f" for {long}" if long else ""
        yield Text(f"Kept in the agent's spool{how_long}: {_few(paths)}")


def about_log(part: Part, trouble: Trouble) -> Iterator[Text | Pre]:
    """What a log tells of one failure."""
    about = f" ({trouble.test})" if trouble.test else ""
    yield Text(f"{part.name}{about}: {trouble.exception}")
    if trouble.excerpt != trouble.exception:
        yield Pre(trouble.excerpt)


def _programs(same: Sequence[Finding]) -> str:
    """Those that crashed alike: a program and its stripped form, say."""
    names = dict.fromkeys(PurePath(each.core.program).name or "a program" for each in same if each.core)
    return " and ".join(filter(None, [", ".join([*names][:-1]), [*names][-1]]))


def _said(finding: Finding, core: Core, program: str, times: int) -> Iterator[str]:
    if core.crashed:
        often = f" {times} times" if times > 1 else ""
        yield f"{program} crashed{often}: {_cause(core)}"
        if core.crash_offset is not None:
            yield f"in {place_of(core).name}"
    else:
        yield f"{program} was alive when its core was dumped (no signal, no crash)"
    yield f"command: {_command(core) or core.program}"
    if len(core.threads) > 1:
        yield f"thread {core.threads[0].tid}, one of {len(core.threads)}"
    if core.build_id:
        yield f"build-id {core.build_id}"
    if times == 1:
        yield f"core dump {finding.part.name}"
    if finding.problem:
        yield finding.problem


def _command(core: Core) -> str:
    """What the kernel cut comes without its last word: that may be half a secret, which no gate knows as one."""
    if len(core.command.encode("utf-8", "backslashreplace")) < _CUT_COMMAND:
        return core.command
    return f"{core.command.rpartition(' ')[0]} …".lstrip()


def _cause(core: Core) -> str:
    """SIGSEGV, invalid memory reference at 0x0."""
    words = ", ".join(filter(None, [core.signal_name, core.signal_words]))
    if core.address is None:
        return words
    stack = core.threads[0].sp
    near = stack is not None and stack - _BELOW_STACK < core.address < stack + _ABOVE_STACK
    return f"{words} at {core.address:#x}" + (": the stack overflowed, as it seems" if near else "")


def _stack(core: Core, frames: Sequence[Frame], most: int) -> Iterator[str]:
    """One line a function, with the number that it has from the first one shown."""
    number = shown = 0
    for group in collapsed(frames):
        for at, frame in enumerate(group.frames):
            if shown == most:
                yield f"… {len(frames) - number - at} more"
                return
            yield _line(number + at, frame, group, core)
            shown += 1
        number += len(group.frames) * group.times
        if len(group.frames) > 1 and group.times > 1:
            yield f"    … these {len(group.frames)} (x {group.times})"


def _line(number: int, frame: Frame, group: Group, core: Core) -> str:
    often = f" (x {group.times})" if group.times > 1 and len(group.frames) == 1 else ""
    where = f" at {frame.source}" if frame.source else ""
    if frame.function and not frame.source and frame.module not in ("", PurePath(core.program).name):
        where = f" in {frame.module}"
    return printable(f"#{number:<3} {frame.name}{often}{where}")


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_FILES} more" if len(names) > _MOST_FILES else ""
    return ", ".join(names[:_MOST_FILES]) + more
