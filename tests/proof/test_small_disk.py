"""Where nothing may be mounted a tracer answers for the disk: an agent meets the same there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proof.lives import Life, a_site
from tests.proof.scenes import SCENES
from tests.proof.small_disk import pretended

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        (("SMALL 180", "RUN", "LARGE", "FINISH"), "full"),
        (("READ-ONLY", "RUN", "WRITABLE", "FINISH"), "read-only"),
        (("RUN FOR A MOMENT", "READ-ONLY", "RUN", "WRITABLE", "FINISH"), "read-only"),
    ],
)
def test_it_says_so_and_is_well_again_afterwards(
    laid: dict[str, Path], tmp_path: Path, steps: tuple[str, ...], word: str
) -> None:
    with a_site() as double:
        life = Life(tmp_path / "life", SCENES["camera"], laid["camera"], double)
        ended, told = pretended(life, steps)
        assert ended == []
        assert word in told.lower()
        assert life.found()["known"].total() == 1
