"""Writes a model in whisper.cpp's own format that knows nothing: its form is right, all its weights are nought.

Format: whisper.cpp, models/convert-pt-to-ggml.py.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["write"]

_WORDS, _STATE, _LAYERS, _HEADS, _MELS = 51_864, 64, 4, 1, 80
_SOUND, _TEXT = 1500, 448  # positions


def write(target: Path) -> Path:
    """About 8 MB."""
    with open(target, "wb") as file:
        sizes = (_WORDS, _SOUND, _STATE, _HEADS, _LAYERS, _TEXT, _STATE, _HEADS, _LAYERS, _MELS, 1)
        file.write(struct.pack("<I11i", 0x67676D6C, *sizes))
        file.write(struct.pack("<2i", _MELS, 201) + bytes(4 * _MELS * 201))
        words = [b" ", *(f" word{number}".encode() for number in range(50_255))]
        file.write(struct.pack("<i", len(words)))
        file.writelines(struct.pack("<I", len(word)) + word for word in words)
        for name, shape in _tensors():
            half = len(shape) > 1 and "positional" not in name and not name.endswith("bias")
            file.write(struct.pack("<3i", len(shape), len(name), int(half)))
            file.write(struct.pack(f"<{len(shape)}i", *shape) + name.encode())
            file.write(np.zeros(int(np.prod(shape)), np.float16 if half else np.float32).tobytes())
    return target


def _tensors() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "encoder.positional_embedding", (_STATE, _SOUND)
    yield "encoder.conv1.weight", (3, _MELS, _STATE)
    yield "encoder.conv1.bias", (1, _STATE)
    yield "encoder.conv2.weight", (3, _STATE, _STATE)
    yield "encoder.conv2.bias", (1, _STATE)
    yield from _normal("encoder.ln_post")
    yield "decoder.positional_embedding", (_STATE, _TEXT)
    yield "decoder.token_embedding.weight", (_STATE, _WORDS)
    yield from _normal("decoder.ln")
    for layer in range(_LAYERS):
        yield from _block(f"encoder.blocks.{layer}", ("attn",))
        yield from _block(f"decoder.blocks.{layer}", ("attn", "cross_attn"))


def _normal(name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (_STATE,)
    yield f"{name}.bias", (_STATE,)


def _block(name: str, attentions: tuple[str, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _normal(f"{name}.mlp_ln")
    yield f"{name}.mlp.0.weight", (_STATE, 4 * _STATE)
    yield f"{name}.mlp.0.bias", (4 * _STATE,)
    yield f"{name}.mlp.2.weight", (4 * _STATE, _STATE)
    yield f"{name}.mlp.2.bias", (_STATE,)
    for attention in attentions:
        yield from _normal(f"{name}.{attention}_ln")
        for part in ("query", "key", "value", "out"):
            yield f"{name}.{attention}.{part}.weight", (_STATE, _STATE)
            if part != "key":
                yield f"{name}.{attention}.{part}.bias", (_STATE,)
