"""Measures how loud a sound is, and where in it somebody begins and ends to be heard."""

from __future__ import annotations

from array import array

from msgspec import Struct

from mediaagent.builtin.enrichers.sound import Sound

__all__ = ["Levels", "measure"]

_STEP = 0.1  # seconds between two levels; each is that of the 0.4 s before (EBU Tech 3341, "momentary")
_SILENT = -70.0  # LUFS: the absolute gate of ITU-R BS.1770
_FLOOR, _ABOVE_FLOOR = -60.0, 6.0  # LUFS, LU
_UNDER_SPEECH = 20.0  # LU: nothing louder than so much below the whole is ever taken for silence
_MARGIN = 0.3  # seconds that stay before and after


class Levels(Struct, frozen=True):
    """What was measured."""

    loudness: float  # LUFS, integrated (EBU R 128)
    start: float  # seconds: from here …
    end: float  # … to here there is something to hear
    seconds: float

    @property
    def silent(self) -> bool:
        return self.loudness <= _SILENT


def measure(sound: Sound) -> Levels:
    """Goes through the sound once. Raises Undecodable."""
    levels, loudness = array("f"), _SILENT
    for frame in sound.through(("ebur128", "metadata=1:framelog=quiet")):
        told = frame.metadata
        if "lavfi.r128.M" in told:  # the last piece is shorter than a step and has none
            levels.append(float(told["lavfi.r128.M"]))
            loudness = float(told["lavfi.r128.I"])
    start, end = 0.0, sound.seconds
    if loudness > _SILENT:
        start, end = _heard(levels, loudness, sound.seconds)
    return Levels(loudness, start, end, sound.seconds)


def _heard(levels: array[float], loudness: float, seconds: float) -> tuple[float, float]:
    """Silence is what comes near the quietest twentieth of the message: lines and rooms have noise of their own."""
    floor = sorted(levels)[len(levels) // 20]
    silence = min(max(floor + _ABOVE_FLOOR, _FLOOR), loudness - _UNDER_SPEECH)
    loud = [number for number, level in enumerate(levels) if level > silence]
    if not loud:
        return 0.0, seconds
    first, last = loud[0], loud[-1]
    start = 0.0 if first <= 3 else first * _STEP  # it came with this step's own 0.1 s; the first three have no level
    end = seconds if last >= len(levels) - 1 else (last + 1) * _STEP - 0.3  # its 0.4 s begin with the last of it
    return max(0.0, round(start - _MARGIN, 1)), min(seconds, round(end + _MARGIN, 1))
