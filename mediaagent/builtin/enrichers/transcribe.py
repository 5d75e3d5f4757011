"""Adds to a message's text what a machine heard in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from mediaagent.api import Event, Post, PostPart, Problem, Text, option, plugin
from mediaagent.builtin.enrichers.dictation import Heard, Task, dictate
from mediaagent.builtin.enrichers.engines import EngineName, problems
from mediaagent.builtin.enrichers.sound import is_sound

__all__ = ["Transcribe"]

_WORD = re.compile(r"[a-z']+")


@plugin
class Transcribe:
    """Writes down what is said, by whisper.cpp with a model file of yours; the text says that a machine wrote it."""

    engine: EngineName = option(
        'what listens: "whisper" (mediaagent[transcribe], any language its model knows) or "pocketsphinx" '
        "(mediaagent[transcribe-pocketsphinx], English, much weaker, its model comes along)",
        default="whisper",
    )
    model: Path | None = option("whisper: the model file (ggml-….bin); nothing is ever fetched", default=None)
    language: str = option('whisper: "en", "de", …; default: it finds out', default="")
    words: tuple[str, ...] = option(
        "pocketsphinx: the only words that it knows",
        default=(),
        check=lambda value: next(
            (f"{word!r} is no word in small letters" for word in value if not _is_word(word)), None
        ),
    )
    time_limit: timedelta = option(
        "so long for one message; what was heard until then counts", default=timedelta(minutes=2)
    )
    heading: str = option("stands before the transcript", default="What a machine heard (it may be wrong):")

    def check(self) -> Iterable[Problem]:
        """Whether engine and model are there."""
        return problems(self.engine, self.model)

    def enrich(self, post: Post, event: Event, folder: Path) -> Post:
        """The post with a transcript in its body, or with the word that there is none. Silence has neither."""
        parts: list[PostPart] = []
        body = list(post.body)
        for part in post.parts:
            if is_sound(part):
                heard = self._heard(part)
                body += self._blocks(heard)
                part = replace(part, facts={**part.facts, **_facts(heard)})
            parts.append(part)
        return replace(post, body=tuple(body), parts=tuple(parts))

    def _heard(self, part: PostPart) -> Heard:
        lacking = [f"{problem.what}: {problem.todo}" for problem in self.check()]
        if lacking:
            return Heard((), "; ".join(lacking))
        model = os.fspath(self.model) if self.model else ""
        task = Task(os.fspath(part.file), part.media_type, self.engine, model, self.language, self.words)
        return dictate(task, self.time_limit.total_seconds())

    def _blocks(self, heard: Heard) -> list[Text]:
        """Why there is none is for the owner (`mediaagent why`), not for the post: it names files of this machine."""
        if heard.failure and not heard.words:
            return [Text("No transcript could be made of this message.")]
        if not heard.words:
            return []
        end = " […] (the rest was not transcribed)" if heard.failure else ""
        return [Text(self.heading), Text(" ".join(heard.words) + end)]


def _facts(heard: Heard) -> dict[str, str]:
    text = " ".join(heard.words)
    told = f"{len(text.split())} words heard" if text else "no words heard"
    facts = {"transcribe": f"{told}: {heard.failure}" if heard.failure else told}
    return {**facts, "transcript": text} if text else facts


def _is_word(word: str) -> bool:
    return _WORD.fullmatch(word) is not None
