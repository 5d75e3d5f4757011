"""What the demo's browser shows: a fruit shop's basket with three fruits in it, and a badge that says two."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from .paint import Layer, curve, lay, layer, over, stroke

__all__ = ["HEIGHT", "WIDTH", "screenshot"]

WIDTH, HEIGHT = 960, 540
_FINE = 2  # drawn this many times larger, then made smaller: smooth edges
_PAPER, _CARD, _LINE = (246, 242, 233), (255, 254, 251), (226, 219, 204)
_GREEN, _DARK, _SOFT = (56, 92, 52), (44, 50, 40), (128, 126, 114)
_RED, _YELLOW, _STALK = (196, 48, 40), (196, 186, 62), (96, 68, 40)
_BADGE = (214, 84, 30)
_BAR = 84  # the height of the bar at the top, in pixels
_CARDS = (64, 352, 640)  # where each begins
_CARD_WIDTH, _CARD_TOP, _CARD_BOTTOM = 256, 188, 486


def screenshot() -> NDArray[np.uint8]:
    """The page, as the browser took it: blue, green, red, as OpenCV has it."""
    page = layer(HEIGHT * _FINE, WIDTH * _FINE)
    _top(page)
    _write(page, "Your basket", 64, 150, 1.25, _DARK, 2)
    for left, (name, grams) in zip(_CARDS, (("Apple", 180), ("Apple", 180), ("Pear", 170)), strict=True):
        _card(page, left, name, grams)
    paper = np.full((HEIGHT * _FINE, WIDTH * _FINE, 3), _PAPER, np.float32)
    small = cv2.resize(over(paper, page), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(small[..., ::-1], 0, 255), np.uint8)


def _top(page: Layer) -> None:
    """The bar: a leaf, the shop's name, and the basket with its badge."""
    lay(page, _scaled([(0, 0), (WIDTH, 0), (WIDTH, _BAR), (0, _BAR)]), _GREEN, light=0.05)
    lay(page, curve(_scaled([(66, 54), (72, 30), (98, 24), (96, 46), (76, 58)])), (190, 220, 140), soft=0.6)
    stroke(page, _scaled([(64, 62), (78, 46), (92, 31)]), _GREEN, 4)
    _write(page, "Orchard", 112, 53, 1.1, (246, 248, 238), 2)
    pale = (236, 240, 226)
    lay(page, _scaled([(836, 38), (884, 38), (876, 64), (844, 64)]), pale, soft=0.6)
    stroke(page, _scaled([(844, 38), (852, 22), (868, 22), (876, 38)]), pale, 6)
    lay(page, _round(886, 30, 15), _BADGE, soft=0.6)
    _write(page, "2", 880, 36, 0.62, (255, 255, 255), 2)


def _card(page: Layer, left: int, name: str, grams: int) -> None:
    right, middle = left + _CARD_WIDTH, left + _CARD_WIDTH / 2
    lay(page, _rounded(left, _CARD_TOP + 3, right, _CARD_BOTTOM + 3), _LINE, soft=4)
    lay(page, _rounded(left, _CARD_TOP, right, _CARD_BOTTOM), _CARD, soft=0.6)
    (_apple if name == "Apple" else _pear)(page, middle, 310)
    _write(page, name, left + 24, 436, 0.85, _DARK, 2)
    _write(page, f"{grams} g", left + 24, 464, 0.62, _SOFT, 1)


def _apple(page: Layer, x: float, y: float) -> None:
    half = [(0, -50), (20, -62), (50, -58), (70, -30), (70, 6), (54, 44), (26, 64), (0, 58)]
    _fruit(page, x, y, half, _RED)
    stroke(page, _scaled([(x, y - 46), (x + 2, y - 66), (x + 9, y - 84)]), _STALK, 10, soft=0.8)
    _leaf(page, x + 6, y - 66)


def _pear(page: Layer, x: float, y: float) -> None:
    half = [(0, -70), (15, -68), (25, -50), (31, -24), (54, 6), (62, 34), (46, 60), (20, 69), (0, 66)]
    _fruit(page, x, y, half, _YELLOW)
    stroke(page, _scaled([(x, y - 66), (x - 2, y - 80), (x - 8, y - 94)]), _STALK, 10, soft=0.8)
    _leaf(page, x - 4, y - 78)


def _fruit(page: Layer, x: float, y: float, half: Sequence[tuple[float, float]], colour: tuple[int, int, int]) -> None:
    """A body that is the same left and right, with its shadow and a light on it."""
    around = [*half, *((-dx, dy) for dx, dy in reversed(half[1:-1]))]
    body = curve(_scaled([(x + dx, y + dy) for dx, dy in around]))
    lay(page, [(a, b * 0.16 + (y + 66) * _FINE * 0.84) for a, b in body], (214, 208, 194), soft=9)
    lay(page, body, colour, soft=0.8, light=0.16, grain=(0.012, 7, 7))
    at = half[2][0] * 0.56  # how wide it is near its top
    dark = (colour[0] * 0.72, colour[1] * 0.72, colour[2] * 0.72)
    lay(
        page,
        curve(_scaled([(x + 40, y - 44), (x + 84, y), (x + 40, y + 70), (x + 56, y + 8)])),
        dark,
        soft=12,
        within=body,
    )
    lay(
        page,
        curve(_scaled([(x - at - 12, y - 24), (x - at + 2, y - 38), (x - at + 6, y - 16), (x - at - 8, y + 2)])),
        (255, 246, 226),
        soft=7,
        within=body,
    )


def _leaf(page: Layer, x: float, y: float) -> None:
    lay(
        page,
        curve(_scaled([(x, y), (x + 14, y - 18), (x + 40, y - 20), (x + 26, y - 2)])),
        (92, 142, 62),
        soft=0.8,
        light=0.2,
    )


def _scaled(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x * _FINE, y * _FINE) for x, y in points]


def _round(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    turns = [math.tau * step / 24 for step in range(24)]
    return curve(_scaled([(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns]), 4)


def _rounded(left: float, top: float, right: float, bottom: float, radius: float = 14) -> list[tuple[float, float]]:
    corners = ((right, bottom, 0), (left, bottom, 1), (left, top, 2), (right, top, 3))
    points = []
    for x, y, quarter in corners:
        inside_x = x - radius if x == right else x + radius
        inside_y = y - radius if y == bottom else y + radius
        for step in range(9):
            turn = (quarter + step / 8) * math.tau / 4
            points.append((inside_x + radius * math.cos(turn), inside_y + radius * math.sin(turn)))
    return _scaled(points)


def _write(page: Layer, text: str, x: int, y: int, size: float, colour: tuple[int, int, int], width: int) -> None:
    """Letters of OpenCV's own; `y` is their base line."""
    font, scale = cv2.FONT_HERSHEY_DUPLEX, size * _FINE
    (wide, high), below = cv2.getTextSize(text, font, scale, width)
    left, top = x * _FINE - 4, y * _FINE - high - 4
    mask = np.zeros((high + below + 8, wide + 8), np.uint8)
    cv2.putText(mask, text, (4, high + 4), font, scale, 255, width, cv2.LINE_AA)
    part = page[top : top + mask.shape[0], left : left + mask.shape[1]]
    cover = np.asarray(mask / 255, np.float32)[: part.shape[0], : part.shape[1], None]
    part[..., :3] = np.asarray(colour, np.float32) * cover + part[..., :3] * (1 - cover)
    part[..., 3:] = cover + part[..., 3:] * (1 - cover)
