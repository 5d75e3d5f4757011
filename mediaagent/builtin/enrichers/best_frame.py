"""Chooses the pictures of a visit that a person would choose; docs/best_frame.md says how."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mediaagent.api import Event, Post, PostPart, option, plugin, side_by_side
from mediaagent.builtin.enrichers.subjects import Frame, Subject, light_of, load, near, sharpness_of, subjects

__all__ = ["BestFrame"]


@plugin
class BestFrame:
    """Keeps the best pictures of an event: sharp, well lit, with the whole of what moves large and near the middle."""

    keep: int = option(
        "how many pictures stay (fewer when the others are near duplicates)",
        default=1,
        check=lambda value: None if value >= 1 else "keep at least 1",
    )
    look_at: int = option(
        "of a longer event, so many pictures are judged, evenly spread",
        default=300,
        check=lambda value: None if value >= 1 else "look at 1 at least",
    )
    alternative_text: bool = option("gives pictures without alternative text the post's title", default=True)

    def enrich(self, post: Post, event: Event, folder: Path) -> Post:
        """The post with its best pictures, in their old order, and with all that is no picture."""
        pictures = [part for part in post.parts if part.media_type.startswith("image/")]
        if len(pictures) <= 1:
            return self._with(post, {part.name: "" for part in pictures})
        return self._with(post, _choose(_spread(pictures, self.look_at), self.keep))

    def _with(self, post: Post, chosen: dict[str, str]) -> Post:
        """Only the chosen pictures; `chosen`: name -> why."""
        parts = []
        for part in post.parts:
            if not part.media_type.startswith("image/"):
                parts.append(part)
            elif part.name in chosen:
                why = {"best_frame": chosen[part.name]} if chosen[part.name] else {}
                text = part.text or (post.title if self.alternative_text else "")
                parts.append(replace(part, text=text, facts={**part.facts, **why}))
        return replace(post, parts=tuple(parts))


class _Judged(Struct, frozen=True):
    """What counts, each from 0 (bad) to 1 but for sharpness, which has no upper end."""

    frame: Frame
    size: float  # of the subject: share of the picture
    whole: float  # 1; less when the subject touches the picture's edge
    middle: float
    sharpness: float
    light: float


def _spread(pictures: Sequence[PostPart], most: int) -> Sequence[PostPart]:
    if len(pictures) <= most:
        return pictures
    return [pictures[i * len(pictures) // most] for i in range(most)]


def _choose(pictures: Sequence[PostPart], keep: int) -> dict[str, str]:
    """Names of the best, with the reason of each."""
    frames = [frame for frame in side_by_side(load, pictures) if frame is not None]
    if not frames:
        return {part.name: "" for part in pictures[:keep]}
    judged = [_judge(frame, subject) for frame, subject in zip(frames, subjects(frames), strict=True)]
    sharpest = max(one.sharpness for one in judged) or 1.0
    largest = max(one.size for one in judged)
    judged.sort(key=lambda one: -_score(one, largest, sharpest))  # stable: of equals the earlier one
    chosen: list[_Judged] = []
    for one in judged:
        if len(chosen) < keep and not any(near(one.frame, other.frame) for other in chosen):
            chosen.append(one)
    return {one.frame.name: _in_words(one, largest, sharpest) for one in chosen}


def _score(one: _Judged, largest: float, sharpest: float) -> float:
    """Size and sharpness count by their root: the blur of a wing beat makes a bird larger, not its picture better.

    A picture in which nothing moves loses against any other."""
    size = one.size / largest if largest else 1.0
    return math.sqrt((size or 1e-6) * one.sharpness / sharpest) * one.whole * one.middle * one.light


def _in_words(one: _Judged, largest: float, sharpest: float) -> str:
    words = f"sharpness {one.sharpness / sharpest:.0%} of the best, light {one.light:.0%}"
    if not one.size:
        return f"nothing seen to move; {words}"
    place = "whole" if one.whole == 1 else "cut by the edge"
    return f"subject {one.size / largest:.0%} of the largest, {place}, middle {one.middle:.0%}; {words}"


def _judge(frame: Frame, subject: Subject | None) -> _Judged:
    height, width = frame.grey.shape
    if subject is None:
        return _Judged(frame, 0.0, 1.0, 1.0, sharpness_of(frame.grey, None), light_of(frame.grey))
    high, wide = subject.mask.shape
    left, top = subject.left, subject.top
    cut = left <= 1 or top <= 1 or left + wide >= width - 1 or top + high >= height - 1
    region = frame.grey[top : top + high, left : left + wide]
    off = max(abs((left + wide / 2) / width - 0.5), abs((top + high / 2) / height - 0.5)) * 2
    return _Judged(
        frame,
        size=subject.area / (width * height),
        whole=0.25 if cut else 1.0,
        middle=1 - 0.3 * off,
        sharpness=sharpness_of(region, subject.mask),
        light=(light_of(region) + light_of(frame.grey)) / 2,
    )
