"""Whether a producer's file is whole, looked at without being led astray."""

from __future__ import annotations

import os
from pathlib import Path

from mediaagent.model import SeenFile, Verdict
from mediaagent.rules.completeness import examine
from mediaagent.store.safely import open_below, translated

__all__ = ["prove", "prove_open"]


def prove(root: Path, file: SeenFile) -> Verdict:
    """Opened safely below `root`; raises Unsecured, Changed among them when it is not (any more) what was seen."""
    with open_below(root, file.path, file) as descriptor:
        return prove_open(descriptor, file.path)


def prove_open(descriptor: int, path: Path) -> Verdict:
    """The same of a file that is open; raises Unsecured when it can't be read."""
    try:
        size = os.fstat(descriptor).st_size
        return examine(size, lambda offset, length: os.pread(descriptor, length, offset), path.name)
    except OSError as error:
        raise translated(path, error) from error
