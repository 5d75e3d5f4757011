"""Whether a producer's file is whole, looked at without being led astray."""

from __future__ import annotations

import os
from pathlib import Path

from mediaagent.errors import Changed
from mediaagent.model import SeenFile, Verdict, printable
from mediaagent.rules.completeness import examine
from mediaagent.store.safely import open_below, same_file, translated

__all__ = ["prove"]


def prove(root: Path, file: SeenFile) -> Verdict:
    """Opened safely below `root`; raises Unsecured, Changed among them when it is not (any more) what was seen."""
    with open_below(root, file.path) as descriptor:
        if not same_file(os.fstat(descriptor), file):
            raise Changed(f"{printable(file.path)} has changed")
        try:
            return examine(file.size, lambda offset, length: os.pread(descriptor, length, offset), file.path.name)
        except OSError as error:
            raise translated(file.path, error) from error
