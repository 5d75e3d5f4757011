"""Pictures that a doorbell takes: front-0041.jpg is the 41st ring at the front door."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from mediaagent.api import Claim, Defaults, Ignored, Part, SeenFile, Sighting, one_by_one, option, plugin


@plugin
class Doorbell:
    """Pictures that a doorbell takes: one picture, one event."""

    path: Path = option("the folder that the doorbell writes to")
    defaults: ClassVar[Defaults] = Defaults(title="{{ time }}: a ring at the {{ door }} door", facts={"door": "which"})

    @property
    def roots(self) -> tuple[Path, ...]:
        return (self.path,)

    def claim(self, file: SeenFile) -> Claim | Ignored:
        name = re.fullmatch(r"([a-z]+)-\d{4}\.jpg", file.path.name)
        if name is None or file.path.parent != self.path:
            return Ignored("no picture of a ring: their names are like front-0041.jpg")
        return Claim(role="picture", facts={"door": name[1]})

    def group(self, parts: Sequence[Part], now: datetime) -> Iterable[Sighting]:
        return one_by_one(parts, kind="ring")
