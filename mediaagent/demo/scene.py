"""What the demo's camera sees: a garden in the morning, a feeder, and a robin that comes for a seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from . import robin
from .paint import Layer, Picture, area_of, blurred_along, curve, lay, layer, over, stroke
from .robin import Pose

__all__ = ["FPS", "HEIGHT", "WIDTH", "Frame", "empty", "frames"]

WIDTH, HEIGHT, FPS = 640, 480, 4
_FINE = 2  # drawn this many times larger, then made smaller: smooth edges
_COARSE = 2  # what is out of focus is drawn this many times smaller
_HOOK = (820.0, -60.0)  # where the feeder's cord hangs from
_PERCH = (566.0, 712.0)  # where the robin stands


class Frame(Struct, frozen=True):
    """One picture, and where in it something moved: x, y of the middle, width, height."""

    picture: NDArray[np.uint8]  # blue, green, red, as OpenCV has it
    moved: tuple[int, int, int, int]


def frames() -> Iterator[Frame]:
    """The visit, four pictures a second. At both ends the robin is in flight, blurred, and partly out of sight."""
    for number, (pose, sway) in enumerate(zip(_POSES, _SWAY, strict=True)):
        bird = layer(HEIGHT * _FINE, WIDTH * _FINE)
        robin.draw(bird, _swung(pose, sway))
        bird = blurred_along(bird, *pose.speed)
        yield Frame(_exposed(over(over(_garden(), _swinging_feeder(sway)), bird), number), _box(bird))


def empty() -> NDArray[np.uint8]:
    """The same view with nobody in it."""
    return _exposed(over(_garden(), _swinging_feeder(0)), 99)


_SITS = Pose(x=_PERCH[0], y=_PERCH[1], lean=-14)
_PECKS = replace(_SITS, lean=24, nod=38)
_POSES = (
    Pose(x=-40, y=170, lean=12, wing=0.9, speed=(150, 52)),
    Pose(x=210, y=330, lean=4, wing=-0.7, speed=(96, 44)),
    Pose(x=430, y=520, lean=-24, wing=1.0, speed=(44, 26)),
    Pose(x=556, y=590, lean=-34, wing=0.75, speed=(12, 18)),
    _SITS,
    replace(_SITS, nod=-10, lean=-18),
    replace(_SITS, lean=6, nod=16),
    replace(_PECKS, speed=(2, 14)),
    _PECKS,
    replace(_SITS, seed=True),
    replace(_SITS, seed=True, nod=-6, lean=-16),
    replace(_SITS, nod=8, right=False, x=_PERCH[0] + 30),
    replace(_SITS, nod=0, right=False, x=_PERCH[0] + 30),
    Pose(x=540, y=600, lean=-20, wing=0.9, right=False, speed=(-16, -22)),
    Pose(x=330, y=400, lean=-26, wing=-0.8, right=False, speed=(-96, -66)),
    Pose(x=10, y=170, lean=-18, wing=0.8, right=False, speed=(-150, -88)),
)
#: How far the feeder swings, in degrees: the robin's landing and leaving set it going.
_SWAY = (0.0, 0.0, 0.0, 0.5, -0.7, 0.5, -0.35, 0.2, 0.25, -0.1, 0.0, 0.1, 0.0, 0.6, -0.6, 0.4)


def _swung(pose: Pose, sway: float) -> Pose:
    if not pose.stands:
        return pose
    angle = math.radians(sway)
    x, y = pose.x - _HOOK[0], pose.y - _HOOK[1]
    return replace(
        pose,
        x=_HOOK[0] + x * math.cos(angle) + y * math.sin(angle),
        y=_HOOK[1] - x * math.sin(angle) + y * math.cos(angle),
    )


def _swinging_feeder(sway: float) -> Layer:
    if not sway:
        return _feeder()
    turn = cv2.getRotationMatrix2D(_HOOK, sway, 1)
    return np.asarray(cv2.warpAffine(_feeder(), turn, (WIDTH * _FINE, HEIGHT * _FINE)), np.float32)


def _box(bird: Layer) -> tuple[int, int, int, int]:
    area = area_of(bird, 0.25)
    left, top, right, bottom = (side // _FINE for side in area)
    return (left + right) // 2, (top + bottom) // 2, right - left, bottom - top


def _exposed(picture: Picture, number: int) -> NDArray[np.uint8]:
    """What a small sensor makes of it: a little noise, the corners a little darker."""
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(number).normal(0, 2.2, small.shape)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    corners = 1 - 0.1 * np.clip(x**2 + y**2 - 0.5, 0, None)[..., None]
    exposed: NDArray[np.uint8] = np.clip((small + noise) * corners, 0, 255).astype(np.uint8)[..., ::-1].copy()
    return exposed


@cache
def _garden() -> Picture:
    """Out of focus: a bright sky, trees, a lawn in the sun."""
    height, width = HEIGHT // _COARSE, WIDTH // _COARSE
    far = layer(height, width)
    far[..., :3], far[..., 3] = _ground(height)[:, None, :], 1
    draw = np.random.default_rng(7)
    for _ in range(60):
        x, y, size = draw.uniform(-0.1, 1.1) * width, draw.normal(0.42, 0.1) * height, draw.uniform(0.04, 0.1) * width
        green = draw.uniform(0.75, 1.4)
        lay(far, _blob(x, y, size, draw), (98 * green, 132 * green, 66 * green))
    for _ in range(26):
        x, y, size = draw.uniform(0, 1) * width, draw.uniform(0.6, 1) * height, draw.uniform(0.03, 0.09) * width
        lay(far, _blob(x, y, size, draw), (186, 204, 112))
    lay(far, _blob(0.1 * width, 0.02 * height, 0.2 * width, draw, even=True), (255, 248, 220), soft=0.08 * width)
    soft = cv2.GaussianBlur(far[..., :3], (0, 0), 0.027 * width)
    large = cv2.resize(soft, (WIDTH * _FINE, HEIGHT * _FINE), interpolation=cv2.INTER_CUBIC)
    picture: Picture = np.asarray(large, np.float32)
    for _ in range(30):
        x, y, size = draw.uniform(0, WIDTH * _FINE), draw.normal(330, 130), draw.uniform(12, 38)
        light = layer(HEIGHT * _FINE, WIDTH * _FINE)
        lay(light, _blob(x, y, size, draw, even=True), (255, 248, 212), soft=2.5)
        picture = over(picture, light * float(draw.uniform(0.08, 0.26)))
    return picture


def _ground(height: int) -> NDArray[np.float32]:
    stops = [(0.0, (200, 224, 240)), (0.3, (228, 234, 214)), (0.58, (160, 186, 116)), (1.0, (120, 154, 80))]
    rows = np.linspace(0, 1, height)
    shades = [np.interp(rows, [at for at, _ in stops], [colour[part] for _, colour in stops]) for part in range(3)]
    return np.stack(shades, axis=1).astype(np.float32)


def _blob(
    x: float, y: float, radius: float, draw: np.random.Generator, even: bool = False
) -> list[tuple[float, float]]:
    angles = [math.tau * step / 9 for step in range(9)]
    reach = [radius * (1 if even else draw.uniform(0.7, 1.3)) for _ in angles]
    return curve([(x + r * math.cos(a), y + r * math.sin(a)) for a, r in zip(angles, reach, strict=True)])


@cache
def _feeder() -> Layer:
    """A wooden house on a cord, with seeds in its tray and a perch at its side."""
    painted = layer(HEIGHT * _FINE, WIDTH * _FINE)
    wood, dark, lit = (158, 112, 68), (104, 70, 42), (190, 142, 92)
    stroke(painted, [_HOOK, (820, 262)], (84, 74, 60), 6, soft=0.8)
    lay(
        painted,
        [(640, 420), (1000, 420), (1000, 690), (640, 690)],
        (88, 62, 40),
        soft=1,
        light=0.25,
        grain=(0.05, 14, 1.2),
    )
    for left in (640, 972):
        lay(
            painted,
            [(left, 400), (left + 30, 400), (left + 30, 700), (left, 700)],
            wood,
            soft=0.8,
            light=0.1,
            grain=(0.07, 14, 1.2),
        )
    _seeds(painted)
    lay(painted, [(476, 712), (660, 712), (660, 730), (476, 730)], dark, soft=1, light=0.35, grain=(0.05, 14, 1.2))
    lay(painted, [(604, 690), (1036, 690), (1036, 742), (604, 742)], wood, soft=0.8, light=0.16, grain=(0.09, 14, 1.2))
    lay(painted, [(604, 690), (1036, 690), (1036, 699), (604, 699)], lit, soft=0.8, grain=(0.05, 14, 1.2))
    lay(
        painted,
        [(820, 250), (1092, 416), (1092, 450), (548, 450), (548, 416)],
        dark,
        soft=0.8,
        light=0.1,
        grain=(0.07, 14, 1.2),
    )
    lay(painted, [(820, 240), (540, 410), (548, 436), (820, 272)], lit, soft=0.8, light=0.1, grain=(0.09, 14, 1.2))
    lay(painted, [(820, 240), (1100, 410), (1092, 436), (820, 272)], wood, soft=0.8, light=0.1, grain=(0.09, 14, 1.2))
    for row in range(1, 4):
        y, half = 272 + row * 42, row * 68
        stroke(painted, [(820 - half, y), (820 + half, y)], (76, 50, 30), 2.5, soft=1)
    return painted


def _seeds(painted: Layer) -> None:
    draw = np.random.default_rng(3)
    for _ in range(190):
        x = draw.uniform(676, 968)
        y = 694 - abs(draw.normal(0, 14)) - 26 * math.exp(-(((x - 830) / 90) ** 2))
        tone = draw.uniform(0.7, 1.3)
        colour = (52 * tone, 44 * tone, 38 * tone) if draw.random() < 0.6 else (190 * tone, 158 * tone, 104 * tone)
        tilt = draw.uniform(-0.6, 0.6)
        lay(painted, curve([(x - 8, y - 8 * tilt), (x, y - 4), (x + 8, y + 8 * tilt), (x, y + 4)], 4), colour, soft=0.6)
