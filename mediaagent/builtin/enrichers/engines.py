"""Engines that write down what they hear, behind one port."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

from mediaagent.api import Problem
from mediaagent.builtin.enrichers.voice import RATE

__all__ = ["Engine", "EngineName", "engine", "problems"]

EngineName = Literal["whisper", "pocketsphinx"]

#: engine -> the module it needs, and the extra that brings it
_NEEDS = {"whisper": ("pywhispercpp", "transcribe"), "pocketsphinx": ("pocketsphinx", "transcribe-pocketsphinx")}
#: How a model file of whisper.cpp begins (GGML_FILE_MAGIC of ggml, little-endian).
_MODEL = b"lmgg"

#: PocketSphinx with a short list of words: with its defaults it hears one of them in every breath.
_FEW_WORDS = {"dither": True, "seed": 1, "silprob": 0.5, "wip": 0.1}


class Engine(Protocol):
    """Hears one stretch of speech at a time."""

    @property
    def at_once(self) -> float:
        """Seconds it likes to hear at once: stretches are put together up to that; 0: each by itself."""

    def hear(self, samples: bytes) -> str:
        """The words in 16-bit samples, 16,000 a second; "" for none. Raises whatever its library raises."""


def problems(name: EngineName, model: Path | None) -> Iterable[Problem]:
    """What this engine lacks; nothing is imported, and of a model only its first bytes are read."""
    module, extra = _NEEDS[name]
    if find_spec(module) is None:
        todo = f"install mediaagent[{extra}]"
        yield Problem(where="transcribe", what=f"the engine {name} is not installed", todo=todo)
    if name == "whisper" and model is None:
        todo = 'model = "/path/to/ggml-base.bin": a model of whisper.cpp that you have; nothing is fetched'
        yield Problem(where="transcribe.model", what="the engine whisper needs a model file", todo=todo)
    elif name == "whisper" and model is not None and (wrong := _wrong(model)):
        yield Problem(where="transcribe.model", what=wrong, todo="name a model of whisper.cpp (ggml-….bin)")


def _wrong(model: Path) -> str:
    """Why this can't be a model; "" when it may be one. The library would crash on any other file."""
    if not model.is_file():
        return f"there is no file {model}"
    try:
        with model.open("rb") as stream:
            return "" if stream.read(4) == _MODEL else f"{model} is no model of whisper.cpp"
    except OSError as error:
        return f"{model} can't be read: {error.strerror}"


def engine(name: EngineName, model: Path | None, language: str, words: tuple[str, ...]) -> Engine:
    """The engine of that name. Its model is loaded when there is something to hear."""
    if name == "pocketsphinx":
        return Sphinx(words)
    assert model is not None
    return Whisper(model, language)


class Whisper:
    """whisper.cpp, by pywhispercpp."""

    at_once = 28.0  # it always computes half a minute, however short the sound

    def __init__(self, model: Path, language: str) -> None:
        self._file, self._language = model, language

    @cached_property
    def _model(self) -> Any:
        from pywhispercpp.model import Model

        if not self._file.is_file():  # the library would go and fetch one of that name
            raise FileNotFoundError(f"there is no file {self._file}")
        return Model(str(self._file), language=self._language, print_progress=False, print_realtime=False)

    def hear(self, samples: bytes) -> str:
        import numpy as np

        sound = np.frombuffer(samples, np.int16).astype(np.float32) / 32768
        return " ".join(segment.text.strip() for segment in self._model.transcribe(sound)).strip()


class Sphinx:
    """CMU PocketSphinx with the English model in its wheel. With `words` it knows those only."""

    at_once = 0.0

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words

    @cached_property
    def _decoder(self) -> Any:
        from pocketsphinx import Decoder

        if not self._words:
            return Decoder(samprate=RATE, loglevel="FATAL")
        decoder = Decoder(samprate=RATE, loglevel="FATAL", lm=None, **_FEW_WORDS)
        grammar = f"#JSGF V1.0;\ngrammar words;\npublic <words> = ( {' | '.join(self._words)} )+;\n"
        decoder.add_jsgf_string("words", grammar)
        decoder.activate_search("words")
        return decoder

    def hear(self, samples: bytes) -> str:
        self._decoder.start_utt()
        self._decoder.process_raw(samples, full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return found.hypstr if found else ""
