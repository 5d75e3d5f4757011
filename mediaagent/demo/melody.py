"""The demo's caller: a little tune, as a music box would play it into a telephone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["RATE", "tune"]

RATE = 8000  # samples a second, as telephones have it

_BEAT = 0.3  # seconds
#: Semitones above the A of 440 Hz, and the beat: a rising question, its answer, and a chord.
_NOTES = (
    *((3, 0), (7, 1), (10, 2), (15, 3), (12, 4.5)),
    *((10, 5), (7, 6), (10, 7), (5, 8), (7, 9)),
    *((3, 10), (-2, 10), (-9, 10)),
)
#: Loudness and length of each overtone: a bell's are bright and short.
_OVERTONES = {1: (1.0, 0.9), 2: (0.35, 0.45), 3: (0.12, 0.25), 5: (0.04, 0.12)}
_LEAD, _SECONDS = 0.6, 5.6  # the caller waits a moment before the first note
_PEAK = 0.25  # a soft voice


def tune() -> NDArray[np.int16]:
    """Samples in one channel, quiet at both ends."""
    sound = np.zeros(round(_SECONDS * RATE))
    for semitones, beat in _NOTES:
        begin = round((_LEAD + beat * _BEAT) * RATE)
        note = _note(440 * 2 ** (semitones / 12), _SECONDS - begin / RATE)
        sound[begin : begin + len(note)] += note
    return np.asarray(sound / np.abs(sound).max() * _PEAK * 32767, np.int16)


def _note(pitch: float, seconds: float) -> NDArray[np.float64]:
    """One struck tooth of the comb."""
    time = np.arange(round(seconds * RATE)) / RATE
    overtones = (
        loud * np.sin(math.tau * pitch * number * time) * np.exp(-time / lasts)
        for number, (loud, lasts) in _OVERTONES.items()
        if pitch * number < 3400  # a telephone carries no more
    )
    ends = np.minimum(1, (seconds - time) / 0.4)  # nothing is cut off in the middle
    return sum(overtones, np.zeros_like(time)) * np.minimum(1, time / 0.004) * ends
