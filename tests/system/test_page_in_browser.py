"""The page in a real browser, at phone and desk width.

Wants Debian's chromium. Where there is none there are no tests here, unless MEDIAAGENT_TESTS=all asks for everything.
MEDIAAGENT_SCREENSHOTS names a folder that keeps the pictures.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import struct
import subprocess
import wave
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from mediaagent.builtin.uploaders.page import Page
from mediaagent.demo import basket, scene
from mediaagent.model import Link, Post, PostPart, Pre, Seen, Text
from mediaagent.rules.again import told

CHROMIUM = shutil.which("chromium")
PHONE, DESK = (390, 844), (1280, 900)
MORNING = datetime(2026, 5, 3, 6, 14, tzinfo=UTC)


class Notes:
    def get(self, name: str) -> str | None:
        return None

    def save(self, name: str, value: str, *, flushed: bool = True) -> None: ...


def browse(profile: Path, size: tuple[int, int], *what: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM, "there is no chromium; install it: apt-get install chromium"
    quiet = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
        "--disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage"
    )
    command = [CHROMIUM, *quiet.split(), f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", *what]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with one post of each kind, and an older page."""
    files = tmp_path_factory.mktemp("spool")
    page = Page(path=tmp_path_factory.mktemp("site") / "page", title="Our garden")
    for number in range(52):
        post = Post(kind="status", title=f"Nightly run {number}", happened_at=MORNING - timedelta(hours=60 - number))
        page.upload(post, f"old{number}", Notes())
    for number, post in enumerate(_posts(files)):
        page.upload(post, f"new{number}", Notes())
    for number in range(44):
        post = Post(kind="status", title=f"Nightly run {number}", happened_at=MORNING - timedelta(days=9, hours=number))
        page.upload(post, f"older{number}", Notes())
    return page.path


def _posts(files: Path) -> list[Post]:
    frames = list(scene.frames())
    pictures = []
    for number in (9, 8, 3, 12):
        path = files / f"robin {number}.jpg"
        cv2.imwrite(str(path), frames[number].picture)
        pictures.append(_part(path, "image/jpeg", text="a robin at the feeder"))
    sound, log = files / "msg0000.wav", files / 'core "of" pytest & co.txt'
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(n / 9))) for n in range(24_000)))
    log.write_text("Segmentation fault\n" * 400)
    trace = (
        "#0  0x00007f3a in abort () from libc.so.6\n#1  0x000055d1 in main (argc=1)  at " + "a_long_name_" * 8 + ".c:41"
    )
    garden = Post(
        kind="photo",
        title="Garden, 08:14: motion for 34 s, 41 frames",
        happened_at=MORNING,
        source="feeder",
        parts=tuple(pictures[:1]),
        tags=("bird", "motion", "feeder"),
    )
    visit = replace(
        garden,
        title="Three of a visit",
        body=(Text("The best frame of each minute.\nIt stayed long today."),),
        happened_at=MORNING - timedelta(minutes=40),
        parts=tuple(pictures[1:]),
        access="members",
    )
    voicemail = Post(
        kind="audio",
        title="Voicemail from Ada Lovelace, 3 s",
        body=(Text("“Hello, it's me. Please call back.”"),),
        happened_at=MORNING - timedelta(hours=20),
        source="voicemail",
        access="private",
        parts=(_part(sound, "audio/wav"),),
    )
    crash = Post(
        kind="entry",
        title="pytest crashed: <Segmentation fault> & more",
        source="artifacts",
        body=(Text("One core dump, triaged."), Pre(trace), Link("the build", "https://ci.example.org/build/17")),
        happened_at=MORNING - timedelta(hours=21, minutes=30),
        parts=(_part(log, "text/plain"), *_screenshots(files)),
        tags=("tests", "failed"),
    )
    seen = Seen(times=3, first=crash.happened_at, last=MORNING, link="https://ci.example.org/build/19")
    return [garden, visit, voicemail, told(replace(crash, seen=seen))]


def _screenshots(files: Path) -> Iterator[PostPart]:
    for slug in ("test-shop-py-test-basket-counts-chromium", "test-shop-py-test-missing-chromium-pear-xe9t-xe9"):
        path = files / f"test-results-{slug}-test-failed-1.png"
        cv2.imwrite(str(path), basket.screenshot())
        yield _part(path, "image/png")


def _part(path: Path, media_type: str, text: str = "") -> PostPart:
    return PostPart(file=path, role="x", media_type=media_type, name=path.name, text=text)


@pytest.fixture(scope="module")
def probe(folder: Path) -> Path:
    """A page beside ours that shows ours as wide as a phone's screen, and writes down what the browser made of it."""
    path = folder.parent / "probe.html"
    path.write_text(
        """<!doctype html><iframe id=f width=390 height=844 src="page/index.html"></iframe><pre id=out></pre><script>
        const report = d => {
          const post = d.querySelector("article.long"), top = e => e.getBoundingClientRect().top;
          const inside = [...post.querySelectorAll("*")].every(e => e.closest("pre") || e.scrollWidth <= 390);
          const order = ["h3", ".again", "pre", ".evidence", ".files", ".tags"].map(e => top(post.querySelector(e)));
          const shown = [...post.querySelectorAll(".evidence img")].every(i => i.clientWidth > 100);
          return [inside, order.every((y, n) => !n || y > order[n - 1]), shown].join();
        };
        onload = () => {
          const d = f.contentDocument, w = d.documentElement;
          d.querySelectorAll("img").forEach(i => i.loading = "eager");
          setTimeout(() => {
            const broken = [...d.images].filter(i => !i.naturalWidth).length;
            const sounds = [...d.querySelectorAll("audio")].map(a => a.duration.toFixed(1)).join();
            out.textContent = `mode=${d.compatMode} wide=${w.scrollWidth} pictures=${d.images.length} ` +
              `broken=${broken} sounds=${sounds} posts=${d.querySelectorAll("article").length} ` +
              `report=${report(d)}`;
          }, 1500);
        };
        </script>"""
    )
    return path


class TestInChromium:
    # Read by pytest: whether there is anything to collect here.
    __test__ = CHROMIUM is not None or os.environ.get("MEDIAAGENT_TESTS") == "all"

    def test_a_phone_shows_everything_without_scrolling_sideways(self, probe: Path, tmp_path: Path) -> None:
        told = browse(
            tmp_path / "profile",
            DESK,
            "--allow-file-access-from-files",
            "--virtual-time-budget=8000",
            "--dump-dom",
            probe.as_uri(),
        )
        found = re.search(r'id="out">(.*?)</pre>', told.stdout)
        assert found
        facts = dict(fact.split("=") for fact in found[1].split())
        assert facts == {
            "mode": "CSS1Compat",
            "wide": "390",
            "pictures": "6",
            "broken": "0",
            "sounds": "3.0",
            "posts": "50",
            "report": "true,true,true",  # nothing sticks out, all in its order, its pictures to be seen
        }

    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    @pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
    def test_the_newest_picture_is_seen_first(
        self, folder: Path, tmp_path: Path, size: tuple[int, int], dark: bool
    ) -> None:
        shot = _shot(folder / "index.html", tmp_path, size, dark, f"{'phone' if size == PHONE else 'desk'}-{dark}")
        assert shot.shape[:2] == size[::-1]
        orange = np.all(abs(shot.astype(int) - (38, 108, 222)) < 45, axis=2)  # the robin's breast
        assert orange.sum() > 300
        assert shot[4, size[0] // 2].mean() < 60 if dark else shot[4, size[0] // 2].mean() > 200


def _shot(page: Path, tmp_path: Path, size: tuple[int, int], dark: bool, name: str) -> NDArray[np.uint8]:
    path = Path(os.environ.get("MEDIAAGENT_SCREENSHOTS", tmp_path)) / f"{name}.png"
    mode = ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
    browse(tmp_path / "profile", size, *mode, "--virtual-time-budget=3000", f"--screenshot={path}", page.as_uri())
    shot = cv2.imread(str(path))
    assert shot is not None
    return np.asarray(shot, np.uint8)
