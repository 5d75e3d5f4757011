"""The child's loop: reads a request, does it, answers; ends when its parent does.

`launch` starts it. The socket to the parent is its standard input; the first message are its limits, as JSON, so that a
child can be started before anybody knows them.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import queue
import signal
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec.structs import replace

from mediaagent.errors import ConfigError, Discarded, Incomplete
from mediaagent.workbench import exif, whole, wire
from mediaagent.workbench.containers import BadPicture
from mediaagent.workbench.limits import apply

__all__ = ["main"]

_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # what is no fault of a file
_LARGEST_FILE = 512 << 20  # of a picture; it is read as a whole


def main() -> None:
    """Applies the limits, says which of them hold, then serves until the parent hangs up."""
    parent = socket.socket(fileno=os.dup(0))
    _leave_the_terminal()
    stream = parent.makefile("rb")
    held = apply(msgspec.json.decode(_message(stream), type=wire.Limits))
    parent.sendall(wire.encode(wire.Told({"held": held})))
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(stream, requests), daemon=True).start()
    while True:
        parent.sendall(wire.encode(_answer(requests.get())))


def _leave_the_terminal() -> None:
    """Nothing that a library prints may look like an answer; a signal to the whole service is the parent's affair."""
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    faulthandler.enable()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(5)


def _listen(stream: BinaryIO, requests: queue.SimpleQueue[bytes]) -> None:
    """A thread of its own, so that the parent's end is noticed in the middle of the work, too."""
    while True:
        requests.put(_message(stream))


def _message(stream: BinaryIO) -> bytes:
    """The next one; where the parent has hung up, this is the end."""
    head = stream.read(4)
    if len(head) < 4:
        os._exit(0)
    return stream.read(int.from_bytes(head, "big"))


def _answer(data: bytes) -> wire.Answer:
    request = wire.decode_request(data)
    try:
        return _do(request)
    except Incomplete as error:
        return wire.Unfinished(str(error), error.again.total_seconds() if error.again else None)
    except Discarded as error:
        return wire.Discard(str(error))
    except MemoryError:
        reason = "it takes more memory than it may have"
        return wire.Failed(reason) if isinstance(request, wire.Enrich) else wire.Refused(reason)
    except Exception as error:  # a plug-in's turn, or a file that isn't there: whatever it is, it is the reason
        if isinstance(request, wire.Read):
            return wire.Refused(f"the watcher failed on it: {type(error).__name__}: {error}")
        if isinstance(request, wire.Sift | wire.Pack) and getattr(error, "errno", None) not in _MACHINE:
            return wire.Refused(str(error) or type(error).__name__)
        return (
            wire.Refused(str(error))
            if isinstance(error, BadPicture)
            else wire.Failed(f"{type(error).__name__}: {error}")
        )


def _do(request: wire.Request) -> wire.Answer:
    if isinstance(request, wire.Facts):
        told = exif.told(_read(request.file))  # without OpenCV
        return wire.Told({name: told[name] for name in request.wants if name in told})
    if isinstance(request, wire.Read):
        return _read_by(request)
    if isinstance(request, wire.Enrich):
        return _enrich(request)
    if isinstance(request, wire.Sift | wire.Pack):
        from mediaagent.workbench import sieve

        return sieve.sift(request) if isinstance(request, wire.Sift) else sieve.pack(request)
    if isinstance(request, wire.Prove):
        return wire.Told(_proven(_read(request.file), request.decode))
    if isinstance(request, wire.ProveEach):
        from mediaagent.workbench import pictures

        return wire.ProvenEach(pictures.prove_each({file: _read(file) for file in request.files}))
    data = _read(request.part.file)
    if isinstance(request, wire.Clean):
        made = _cleaned(data, request.decode)
    else:
        from mediaagent.workbench import pictures

        made = whole.Cleaned(pictures.smaller(data, request.limit), "image/jpeg", ".jpg", {})
    file = request.target.with_name(request.target.name + made.ending)
    _write(file, made.data, durably=isinstance(request, wire.Shrink))
    name = request.part.name
    if made.media_type != request.part.media_type:
        name = str(Path(name).with_suffix(made.ending))
    part = replace(request.part, file=file, name=name, media_type=made.media_type, size=len(made.data))
    return wire.Cleaned(part, made.facts)


def _proven(data: bytes, decode: bool) -> dict[str, Any]:
    told = None if decode else whole.prove(data)
    if told is None:
        from mediaagent.workbench import pictures

        told = pictures.prove(data)
    return told


def _cleaned(data: bytes, decode: bool) -> whole.Cleaned:
    made = None if decode else whole.clean(data)
    if made is None:
        from mediaagent.workbench import pictures

        made = pictures.clean(data)
    return made


def _enrich(request: wire.Enrich) -> wire.Answer:
    enricher = _made("enricher", request.step, request.options)
    return wire.Enriched(wire.Draft.of(enricher.enrich(request.draft.post(), request.event, request.folder)))


def _read_by(request: wire.Read) -> wire.Answer:
    watcher = _made("watcher", request.watcher, request.options)
    return wire.Told(dict(watcher.read(request.files, timedelta(seconds=request.quiet))))


def _made(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """A plug-in as the parent has it. Raises PluginError or ConfigError."""
    from mediaagent.options import build
    from mediaagent.registry import find

    made, problems = build(find(kind, name), options, where=f"{kind} {name}", base=Path("/"))
    if made is None:
        raise ConfigError(problems)
    return made


def _read(file: Path) -> bytes:
    with open(file, "rb") as stream:
        data = stream.read(_LARGEST_FILE + 1)
    if len(data) > _LARGEST_FILE:
        raise MemoryError
    return data


def _write(file: Path, data: bytes, *, durably: bool) -> None:
    """What is not written durably the spool seals with all that is made of its event, and of others beside it.

    Durably: as a temporary file first, then on disk before its name is: the post that names it is durable, too."""
    if not durably:
        file.write_bytes(data)
        return
    temporary = file.with_name(file.name + ".tmp")
    with open(temporary, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
