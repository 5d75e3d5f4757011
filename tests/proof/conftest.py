"""`pytest tests/proof`: the short form. `pytest tests/proof --long`: the long one, in slices (`--slice 3600`)."""

from __future__ import annotations

import compileall
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proof.lives import Life, a_site
from tests.proof.record import Record
from tests.proof.scenes import SCENES, Scene
from tests.system.agent import ROOT


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="the long form of the proofs, which goes on where it stopped")
    parser.addoption("--slice", type=float, default=3600, help="seconds after which the long form stops for now")


_BEGAN = time.monotonic()


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Where Python may not write bytecode by itself, each of thousands of agents would compile all of it again."""
    for folder in ("mediaagent", "tests"):
        compileall.compile_dir(ROOT / folder, quiet=1)


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Of the test's own module."""
    long = bool(request.config.getoption("--long", default=False))
    ends_at = _BEGAN + request.config.getoption("--slice") if long else float("inf")
    workers = int(os.environ.get("MEDIAAGENT_PROOF_WORKERS", 2 * (os.cpu_count() or 1)))
    proof = request.module.__name__.rpartition("test_")[2].replace("_", " ")
    return Record(proof, long, ends_at, workers)


@pytest.fixture(scope="session")
def laid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The scenes' files, finished a moment ago."""
    folders = {}
    for scene in SCENES.values():
        folders[scene.name] = tmp_path_factory.mktemp(scene.name)
        scene.lay(folders[scene.name])
    time.sleep(2.5)  # so that each is quiet and whole when an agent first sees it
    return folders


@pytest.fixture(params=SCENES)
def scene(request: pytest.FixtureRequest) -> Scene:
    return SCENES[request.param]


@pytest.fixture
def undisturbed(scene: Scene, laid: dict[str, Path], tmp_path: Path) -> Iterator[Life]:
    """A life in which nothing happened: the measure for all others."""
    with a_site() as double:
        life = Life(tmp_path / "undisturbed", scene, laid[scene.name], double)
        life.freshen()
        wrong = life.finish()
        assert not wrong, wrong
        yield life
