"""A robin in any pose."""

from __future__ import annotations

import math
from collections.abc import Callable

from msgspec import Struct

from .paint import Layer, Points, curve, lay, stroke

__all__ = ["Pose", "draw"]

_BACK, _WING, _FEATHER = (116, 98, 72), (104, 86, 62), (72, 58, 42)
_ORANGE, _GREY, _BELLY, _LEG = (222, 108, 38), (150, 156, 158), (236, 230, 216), (94, 66, 48)

_OUTLINE = curve(
    [(34, -46), (6, -38), (-28, -22), (-48, 0), (-34, 20), (-8, 36), (20, 36), (43, 19), (54, -4), (54, -30)]
)

Place = Callable[[Points], list[tuple[float, float]]]


class Pose(Struct, frozen=True, kw_only=True):
    """Where the robin is and what it does; lengths in pixels, angles in degrees (positive: nose down)."""

    x: float
    y: float  # of the feet when it stands, else of the body
    size: float = 2.3
    right: bool = True  # looks to the right
    lean: float = 0.0  # of the body
    nod: float = 0.0  # of the head
    wing: float | None = None  # None: folded; else from -1 (down) to 1 (up)
    speed: tuple[float, float] = (0.0, 0.0)  # pixels while the shutter is open
    seed: bool = False  # in its beak

    @property
    def stands(self) -> bool:
        return self.wing is None


def draw(target: Layer, pose: Pose) -> None:
    """Paints the robin from back to front."""
    body = _placing(pose, 0, (0, 0))
    head = _placing(pose, pose.nod, (26, -26))
    if pose.wing is not None:
        _spread_wing(target, body, pose.wing * 0.92, back=True)
    else:
        _legs(target, pose)
    _tail(target, body)
    _trunk(target, body)
    _head(target, head, seed=pose.seed)
    _breast(target, body)
    if pose.wing is None:
        _folded_wing(target, body)
    else:
        _spread_wing(target, body, pose.wing, back=False)
    _face(target, head)


def _placing(pose: Pose, turn: float, pivot: tuple[float, float]) -> Place:
    """From the robin's own coordinates (100 = its body, y down) to the picture's."""
    feet = 60 if pose.stands else 0

    def place(points: Points) -> list[tuple[float, float]]:
        placed = []
        for x, y in points:
            x, y = _turned(x, y, turn, pivot)
            x, y = _turned(x, y, pose.lean, (8, 30))
            placed.append((pose.x + pose.size * (x if pose.right else -x), pose.y + pose.size * (y - feet)))
        return placed

    return place


def _turned(x: float, y: float, degrees: float, pivot: tuple[float, float]) -> tuple[float, float]:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = x - pivot[0], y - pivot[1]
    return pivot[0] + x * cosine - y * sine, pivot[1] + x * sine + y * cosine


def _legs(target: Layer, pose: Pose) -> None:
    upright = _placing(pose, 0, (0, 0))
    for hip, foot in ((2, 2), (14, 17)):
        knee = ((hip + foot) / 2 - 4, 45)
        top = upright([(hip, 33)])[0]
        bottom = (pose.x + pose.size * (foot if pose.right else -foot), pose.y)
        stroke(target, [top, upright([knee])[0], bottom], _LEG, 2.2 * pose.size)
        toes = 8 * pose.size
        stroke(
            target, [(bottom[0] - toes * 0.6, bottom[1] + 2), (bottom[0] + toes, bottom[1] + 2)], _LEG, 2 * pose.size
        )


def _tail(target: Layer, place: Place) -> None:
    lay(target, place([(-36, -10), (-88, 12), (-94, 22), (-84, 25), (-36, 14)]), _FEATHER, soft=1, light=0.15)
    stroke(target, place([(-40, 2), (-90, 19)]), (96, 80, 58), 2)


def _trunk(target: Layer, place: Place) -> None:
    shape = place(_OUTLINE)
    lay(target, shape, _BACK, soft=2.2, light=0.18, grain=(0.09, 2, 2))
    pale = place(curve([(-44, 8), (-14, 14), (16, 14), (40, 22), (24, 42), (-10, 42), (-38, 24)]))
    lay(target, pale, _BELLY, soft=7, light=0.12, grain=(0.02, 2, 2), within=shape)


def _breast(target: Layer, place: Place) -> None:
    outline = place(_OUTLINE)
    grey = place(curve([(38, -52), (19, -32), (13, -8), (16, 14), (32, 29), (60, 12), (66, -36)]))
    lay(target, grey, _GREY, soft=5, light=0.1, grain=(0.04, 2, 2), within=outline)
    orange = place(curve([(46, -52), (28, -32), (22, -8), (25, 10), (36, 23), (60, 8), (66, -36)]))
    lay(target, orange, _ORANGE, soft=4, light=0.16, grain=(0.05, 2, 2), within=outline)


def _head(target: Layer, place: Place, *, seed: bool) -> None:
    lay(target, place([(55, -47), (79, -37), (56, -33)]), (66, 58, 54), soft=0.8, light=0.3)
    if seed:
        lay(target, place(curve([(72, -42), (80, -41), (82, -35), (74, -33)])), (206, 176, 118), soft=0.7, light=0.3)
    lay(target, place(curve([(36, -66), (16, -56), (10, -36), (20, -16), (40, -14), (56, -26), (59, -44), (52, -60)])),
        _BACK, soft=2, light=0.16, grain=(0.08, 2, 2))  # fmt: skip


def _face(target: Layer, place: Place) -> None:
    outline = place(curve([(36, -66), (16, -56), (10, -36), (20, -14), (42, -10), (57, -26), (59, -44), (52, -60)]))
    grey = place(curve([(47, -62), (36, -46), (22, -34), (20, -14), (44, -6), (62, -28), (60, -50)]))
    lay(target, grey, _GREY, soft=4, grain=(0.04, 2, 2), within=outline)
    orange = place(curve([(53, -59), (44, -46), (31, -34), (28, -14), (46, -4), (62, -26), (61, -48)]))
    lay(target, orange, _ORANGE, soft=3, light=0.1, grain=(0.05, 2, 2), within=outline)
    eye = place([(43, -46)])[0]
    across = abs(place([(47.8, -46)])[0][0] - eye[0]) + abs(place([(47.8, -46)])[0][1] - eye[1])
    lay(target, _disc(eye, across), (22, 17, 15), soft=0.8)
    lay(target, _disc((eye[0] - across * 0.3, eye[1] - across * 0.4), across * 0.22), (250, 250, 250), soft=0.6)


def _folded_wing(target: Layer, place: Place) -> None:
    shape = place(curve([(14, -22), (-14, -24), (-44, -6), (-66, 12), (-36, 14), (-6, 16), (12, 4)]))
    lay(target, shape, _WING, soft=1.8, light=0.2, grain=(0.07, 2, 2))
    for start, end in (((6, -4), (-40, 4)), ((2, 4), (-52, 9)), ((-4, 10), (-60, 12)), ((8, -12), (-30, -4))):
        stroke(target, place([start, end]), _FEATHER, 2.2, soft=0.8)
    stroke(target, place([(4, -14), (-16, -6)]), (158, 138, 102), 2.2, soft=1.2)


def _spread_wing(target: Layer, place: Place, lift: float, *, back: bool) -> None:
    shift = 16 if back else 0
    tips = [(-78, 0.62), (-58, 0.86), (-34, 1.0), (-8, 0.94), (12, 0.66)]
    reach = -112 if lift > 0 else -88
    edge = [(x + shift + 10 * abs(lift), -16 + reach * lift * far) for x, far in tips]
    shape = place(curve([(20 + shift, -18), (-30 + shift, -4), *edge]))
    lay(target, shape, _FEATHER if back else _WING, soft=2.2, light=0.2, grain=(0.07, 2, 2))
    for x, y in edge[:-1]:
        stroke(target, place([(-6 + shift + x * 0.12, -14), (x, y)]), (134, 114, 84) if back else _FEATHER, 2.4, soft=1)


def _disc(middle: tuple[float, float], radius: float) -> list[tuple[float, float]]:
    angles = (math.tau * step / 24 for step in range(24))
    return [(middle[0] + radius * math.cos(angle), middle[1] + radius * math.sin(angle)) for angle in angles]
