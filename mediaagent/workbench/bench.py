"""The parent's side of the workbench: hands each file to the child, and judges what comes back.

A picture that can't be decoded costs that picture its place. Trouble that is nobody's fault (no memory for a child, a
full disk, an enricher that fails) is Deferred: the core tries again later, and nothing is lost.

What a picture is, the file's first bytes say here, not a label: whatever looks like one goes out cleaned or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from mediaagent.errors import Deferred, Discarded, Incomplete, Rejected
from mediaagent.handover import SOURCE
from mediaagent.model import Event, Facts, Post, PostPart
from mediaagent.rules.secrets.known import Known
from mediaagent.workbench import wire
from mediaagent.workbench.gate import Gate
from mediaagent.workbench.judge import (
    as_seen,
    believed,
    is_picture,
    more_for,
    ours,
    reason_of,
    size_of,
    told_of,
    unfit,
    uniquely_named,
    with_pictures,
    without,
)
from mediaagent.workbench.process import Died, Hung
from mediaagent.workbench.shared import SharedChild
from mediaagent.workbench.wire import Limits

__all__ = ["Limits", "ProcessWorkbench"]

_TOGETHER = 8  # pictures that are proven in one turn


class ProcessWorkbench:
    """A Workbench in a child process, which is started when it is needed and sent away by `rest`. Thread-safe."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        patience: float = 30.0,
        idle: float = 30.0,
        steady: Callable[[], float] = time.monotonic,
        secrets: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`secrets`: this machine's own, asked for with each post; none of them leaves.

        `patience`: seconds for one picture (an enricher gets more, by the number and the size
        of parts, and by its own `time_limit`). `idle`: for `rest`."""
        self._secrets, self._patience = secrets, patience
        self._known = (frozenset[str](), Known(()))  # the secrets as they were, and their forms
        self._child = SharedChild(limits or Limits(), idle, steady)

    # --- the port -----------------------------------------------------------------------------------------------------

    def facts(self, file: Path, wants: Sequence[str]) -> Facts:
        """Of "taken_at" (ISO 8601, the camera's local time), "motion_box", "orientation", "width", "height"."""
        try:
            answer = self._of_picture(wire.Facts(file, tuple(wants)))
        except Deferred:
            return {}
        return answer.facts if isinstance(answer, wire.Told) else {}

    def read(self, watcher: str, options: Mapping[str, Any], files: Mapping[str, Path], quiet: timedelta) -> Facts:
        """What a watcher finds in these files. Raises Incomplete (also where it fails on them), or Deferred."""
        answer = self._of_picture(wire.Read(watcher, options, files, quiet.total_seconds()))
        if isinstance(answer, wire.Told):
            return answer.facts
        if isinstance(answer, wire.Unfinished):
            again = None if answer.again is None else timedelta(seconds=answer.again)
            raise Incomplete(answer.reason, again=again)
        raise Incomplete(f"it can't be read: {reason_of(answer)}")

    def prepare(
        self, post: Post, event: Event, steps: Sequence[tuple[str, Mapping[str, Any]]], folder: Path
    ) -> tuple[Post, tuple[str, ...]]:
        """The post that is sent, and notes for `why`. Raises Discarded, or Deferred when another try may do better."""
        notes: list[str] = []
        decode = event.source != SOURCE  # who hands a file over says that it is finished; what is watched, proves it
        if steps:  # an enricher gets nothing that is no picture; else cleaning tells as much
            post = self._proven(post, notes, decode)
        for step, options in steps:
            post = self._enriched(post, event, step, options, folder, notes)
        gate = Gate(self._of_text, self._own(), folder)
        post = gate.passed(self._cleaned(post, folder, notes, decode, proven=bool(steps)), event)
        return post, (*notes, *gate.notes)

    def shrink(self, post: Post, limit: int, folder: Path) -> Post:
        """Every part at most `limit` bytes (0: half of the largest now); an entry does without those that can't be
        made so, and says it. Raises Rejected, or Deferred."""
        largest = max((size_of(part) for part in post.parts), default=0)
        limit = limit or largest // 2
        parts, left_out = [], []
        for number, part in enumerate(post.parts):
            try:
                parts.append(self._smaller(part, limit, folder / f"small-{limit}-{number:03}"))
            except Rejected:
                if post.kind != "entry":
                    raise
                left_out.append(part)
        return without(post, parts, left_out, limit)

    def expect(self) -> None:
        """A picture comes soon: the child starts, and takes its limits upon itself, while others work."""
        self._child.expect()

    def rest(self) -> None:
        """Sends the child away when it has been idle for long enough. Never waits for work that is going on."""
        self._child.rest()

    def close(self) -> None:
        """Ends the child at once; what is being prepared hears that the agent is Stopping."""
        self._child.close()

    # --- for `check` and the tests ------------------------------------------------------------------------------------

    def held(self) -> Mapping[str, str]:
        """Starts a child. Limit -> "" where the system grants it, else why not. Raises Deferred when none starts."""
        return self._child.held()

    @property
    def pid(self) -> int:
        """Of the child; 0 when there is none."""
        return self._child.pid

    def _own(self) -> Known:
        """This machine's secrets as they are now. Their forms are made once, as long as they stay the same."""
        values = frozenset(self._secrets())
        if values != self._known[0]:
            self._known = (values, Known(values))
        return self._known[1]

    # --- steps --------------------------------------------------------------------------------------------------------

    def _proven(self, post: Post, notes: list[str], decode: bool) -> Post:
        parts, reasons = [], []
        seen = [as_seen(part) for part in post.parts]
        fit = [part.file for part in seen if is_picture(part) and not unfit(part)]
        proven = self._proven_together(fit) if decode and len(fit) > 1 else {}
        for part in seen:
            if not is_picture(part):
                parts.append(replace(part, size=size_of(part)))
                continue
            if why := unfit(part):
                reasons.append(f"{part.name} left out: {why}")
                continue
            answer = proven.get(part.file) or self._of_picture(wire.Prove(part.file, decode))
            if isinstance(answer, wire.Told):
                parts.append(replace(part, size=size_of(part), facts={**part.facts, **answer.facts}))
            else:
                reasons.append(f"{part.name} left out: it does not decode ({reason_of(answer)})")
        notes += reasons
        return with_pictures(post, parts, reasons)

    def _proven_together(self, files: Sequence[Path]) -> Mapping[Path, wire.Answer]:
        """Of several pictures those that are good, side by side; all else is found out one by one."""
        found: dict[Path, wire.Answer] = {}
        for some in range(0, len(files), _TOGETHER):
            request = wire.ProveEach(tuple(files[some : some + _TOGETHER]))
            try:
                answer = self._child.ask(request, self._patience)
            except (Died, Hung):
                break
            if isinstance(answer, wire.ProvenEach):
                told = zip(request.files, answer.facts, strict=False)
                found |= {file: wire.Told(facts) for file, facts in told if facts is not None}
        return found

    def _enriched(
        self, post: Post, event: Event, step: str, options: Mapping[str, Any], folder: Path, notes: list[str]
    ) -> Post:
        request = wire.Enrich(step, options, wire.Draft.of(post), event, folder)
        try:
            answer = self._child.ask(
                request, self._patience * (1 + len(post.parts) / 20) + more_for(post, event, options)
            )
        except (Died, Hung) as error:
            raise Deferred(f"enricher {step} failed: {error}") from None
        if isinstance(answer, wire.Discard):
            raise Discarded(answer.reason)
        if not isinstance(answer, wire.Enriched):
            raise Deferred(f"enricher {step} failed: {reason_of(answer)}")
        better = believed(answer.draft.post(), post, event, folder, step)
        notes += told_of(step, post, better)
        return better

    def _cleaned(self, post: Post, folder: Path, notes: list[str], decode: bool, *, proven: bool) -> Post:
        parts, reasons = [], []
        trouble = "its metadata can't be removed" if proven else "it does not decode"
        for number, part in enumerate(map(as_seen, post.parts), 1):
            if not is_picture(part):
                parts.append(replace(part, size=size_of(part)))
                continue
            if why := unfit(part):
                reasons.append(f"{part.name} left out: {why}")
                continue
            answer = self._of_picture(wire.Clean(part, folder / f"sent-{number:03}", decode))
            if isinstance(answer, wire.Cleaned):
                facts = part.facts if proven else {**part.facts, **answer.facts}
                parts.append(replace(ours(answer.part, part, folder), facts=facts))
            else:
                reasons.append(f"{part.name} left out: {trouble} ({reason_of(answer)})")
        notes += reasons
        return with_pictures(post, list(uniquely_named(parts)), reasons)

    def _smaller(self, part: PostPart, limit: int, target: Path) -> PostPart:
        if size_of(part) <= limit:
            return part
        if not is_picture(part):
            raise Rejected(
                f"{part.name} has {size_of(part)} bytes, more than {limit}, and only pictures can be made smaller"
            )
        answer = self._of_picture(wire.Shrink(part, limit, target))
        if not isinstance(answer, wire.Cleaned):
            raise Rejected(f"{part.name} can't be made as small as {limit} bytes: {reason_of(answer)}")
        return ours(answer.part, part, target.parent)

    # --- the child ----------------------------------------------------------------------------------------------------

    def _of_picture(self, request: wire.Request) -> wire.Answer:
        """One picture's turn. A child that dies gets one successor: the first may have fallen to another's greed for
        memory. Raises Deferred for what is not the picture's fault; so a child that was killed condemns none."""
        reason, killed = "", False
        for _ in range(2):
            try:
                answer = self._child.ask(request, self._patience)
            except Hung:
                return wire.Refused(f"the decoder hung: no answer within {self._patience:g} s")
            except Died as error:
                reason, killed = f"the decoder crashed: {error}", error.killed
                continue
            if isinstance(answer, wire.Failed):
                raise Deferred(f"the workbench could not work: {answer.reason}")
            return answer
        if killed:
            raise Deferred("the workbench's child was killed: by SIGKILL, as a system does that runs out of memory")
        return wire.Refused(reason)

    def _of_text(self, request: wire.Request, more: float) -> wire.Answer:
        """A part's turn at the gate, with so many seconds more than a picture has. A child that dies gets one
        successor; what kills that one, too, is refused. Raises Deferred for what is not the part's fault."""
        reason = ""
        for _ in range(2):
            try:
                answer = self._child.ask(request, self._patience + more)
            except Hung:
                return wire.Refused(f"no answer within {self._patience + more:.0f} s")
            except Died as error:
                reason = str(error)
                continue
            if isinstance(answer, wire.Failed):
                raise Deferred(f"the workbench could not work: {answer.reason}")
            return answer
        return wire.Refused(reason)
