"""Brushes: soft shapes with light and grain on a canvas of floats. Colours are red, green, blue from 0 to 255."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Area", "Layer", "Picture", "Points", "area_of", "blurred_along", "curve", "lay", "layer", "over", "stroke"]

Picture = NDArray[np.float32]  # height × width × 3
Layer = NDArray[np.float32]  # height × width × 4, colours already multiplied by the alpha (0 to 1)
Points = Sequence[tuple[float, float]]
Colour = tuple[float, float, float]

_SHIFT = 4  # OpenCV's fixed point: sixteenths of a pixel


class Area(NamedTuple):
    """A rectangle of pixels; a brush touches no others, which is what makes it quick."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def empty(self) -> bool:
        return self.left >= self.right or self.top >= self.bottom


def layer(height: int, width: int) -> Layer:
    """Nothing, to be painted on."""
    return np.zeros((height, width, 4), np.float32)


def area_of(painted: Layer, least: float = 0.01) -> Area:
    """The part of a layer where there is something."""
    rows = np.flatnonzero(painted[..., 3].max(axis=1) > least)
    columns = np.flatnonzero(painted[..., 3].max(axis=0) > least)
    if not len(rows):
        return Area(0, 0, 0, 0)
    return Area(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def curve(points: Points, steps: int = 12) -> list[tuple[float, float]]:
    """A smooth closed line through the points (Catmull-Rom)."""
    around = np.asarray(points, np.float64)
    before, after, beyond = (np.roll(around, shift, axis=0) for shift in (1, -1, -2))
    smooth = [
        around
        + 0.5 * (after - before) * t
        + (before - 2.5 * around + 2 * after - 0.5 * beyond) * t**2
        + 0.5 * (3 * around - before - 3 * after + beyond) * t**3
        for t in np.linspace(0, 1, steps, endpoint=False)
    ]
    return [(float(x), float(y)) for x, y in np.stack(smooth, axis=1).reshape(-1, 2)]


def lay(
    target: Layer,
    shape: Points,
    colour: Colour,
    *,
    soft: float = 0.0,
    light: float = 0.0,
    grain: tuple[float, float, float] = (0.0, 1.0, 1.0),
    within: Points | None = None,
) -> None:
    """Paints a filled shape.

    `soft` blurs its edge (pixels), `light` brightens its top and darkens its bottom, `grain` gives it texture (how
    strong, how wide, how high), `within` keeps it inside another shape.
    """
    area = _around(target, shape, 3 * soft + 2)
    if area.empty:
        return
    cover = _mask(area, shape, soft)
    if within is not None:
        cover = cover * _mask(area, within, 1.0)
    shade = np.linspace(1 + light, 1 - light, area.bottom - area.top, dtype=np.float32)[:, None] * np.ones_like(cover)
    strength, wide, high = grain
    if strength:
        noise = np.random.default_rng(len(shape)).normal(0, 1, cover.shape).astype(np.float32)
        texture = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigmaX=wide, sigmaY=high))
        shade *= 1 + strength * texture / (float(texture.std()) or 1.0)
    _put(target, area, np.clip(np.asarray(colour, np.float32) * shade[..., None], 0, 255), cover)


def stroke(target: Layer, line: Points, colour: Colour, width: float, soft: float = 0.0) -> None:
    """Paints along a line."""
    area = _around(target, line, width + 3 * soft + 2)
    if area.empty:
        return
    mask = np.zeros((area.bottom - area.top, area.right - area.left), np.uint8)
    cv2.polylines(mask, [_fixed(line, area)], False, 255, max(1, round(width)), cv2.LINE_AA, _SHIFT)
    _put(target, area, np.asarray(colour, np.float32), _softened(mask, soft))


def blurred_along(source: Layer, dx: float, dy: float) -> Layer:
    """What an open shutter sees of something that moves by (dx, dy) pixels."""
    length = max(abs(dx), abs(dy))
    size = math.ceil(length) | 1
    area = area_of(source)
    if size < 3 or area.empty:
        return source
    height, width = source.shape[:2]
    grown = Area(
        max(0, area.left - size),
        max(0, area.top - size),
        min(width, area.right + size),
        min(height, area.bottom + size),
    )
    kernel = np.zeros((size, size), np.float32)
    middle, reach = size // 2, (size // 2) / length
    ends = [(middle + round(side * dx * reach), middle + round(side * dy * reach)) for side in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    blurred = source.copy()
    blurred[grown.slices] = cv2.filter2D(
        source[grown.slices], -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE
    )
    return blurred


def over(picture: Picture, painted: Layer) -> Picture:
    """The layer laid over the picture."""
    result = picture.copy()
    area = area_of(painted, 0.002).slices
    result[area] = painted[area][..., :3] + picture[area] * (1 - painted[area][..., 3:])
    return result


def _put(target: Layer, area: Area, paint: NDArray[np.float32], cover: NDArray[np.float32]) -> None:
    part, cover = target[area.slices], cover[..., None]
    part[..., :3] = paint * cover + part[..., :3] * (1 - cover)
    part[..., 3:] = cover + part[..., 3:] * (1 - cover)


def _around(target: Layer, shape: Points, margin: float) -> Area:
    height, width = target.shape[:2]
    (left, top), (right, bottom) = np.min(shape, axis=0), np.max(shape, axis=0)
    return Area(
        max(0, math.floor(left - margin)),
        max(0, math.floor(top - margin)),
        min(width, math.ceil(right + margin)),
        min(height, math.ceil(bottom + margin)),
    )


def _mask(area: Area, shape: Points, soft: float) -> NDArray[np.float32]:
    mask = np.zeros((area.bottom - area.top, area.right - area.left), np.uint8)
    cv2.fillPoly(mask, [_fixed(shape, area)], 255, cv2.LINE_AA, _SHIFT)
    return _softened(mask, soft)


def _fixed(points: Points, area: Area) -> NDArray[np.int32]:
    return np.round((np.asarray(points) - (area.left, area.top)) * (1 << _SHIFT)).astype(np.int32)


def _softened(mask: NDArray[np.uint8], soft: float) -> NDArray[np.float32]:
    cover = np.asarray(mask / 255, np.float32)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), soft), np.float32) if soft else cover
