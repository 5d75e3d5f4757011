"""What transcode writes, played by a real browser.

Wants Debian's chromium. Where there is none there are no tests here, unless MEDIAAGENT_TESTS=all asks for everything.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mediaagent.builtin.enrichers.transcode import Transcode
from tests.replay import replay
from tests.system.agent import AgentProcess, items
from tests.system.voicemails import SCENARIO, expected
from tests.unit.sounds import DATA, edges, event, part_of, post_of, seconds, spoken

CHROMIUM = shutil.which("chromium")
_SETTINGS = """
[agent]
state = "state"
page = "page"
[watch.phone]
type = "voicemail"
path = "spool"
timezone = "UTC"
existing = "post"
"""
_PAGE = """<!doctype html><script>
async function one(name) {
  const sound = new Audio(name);
  sound.muted = true;
  sound.playbackRate = 4;
  const error = await new Promise(done => {
    sound.onended = () => done("");
    sound.onerror = () => done(sound.error.message || "error " + sound.error.code);
    sound.play().catch(() => {});
  });
  return [name, {error, seconds: sound.duration}];
}
Promise.all(NAMES.map(one)).then(told =>
  fetch("told", {method: "POST", body: JSON.stringify(Object.fromEntries(told))}));
</script>"""


class Site(ThreadingHTTPServer):
    """A folder for a browser, and what the browser tells in return."""

    def __init__(self, folder: Path) -> None:
        self.told: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        super().__init__(("127.0.0.1", 0), partial(Answers, directory=str(folder)))


class Answers(SimpleHTTPRequestHandler):
    server: Site

    def do_POST(self) -> None:
        self.server.told.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


def played(folder: Path, names: list[str], profile: Path) -> dict[str, dict[str, object]]:
    """name -> what the browser made of it, playing it from its beginning to its end."""
    assert CHROMIUM, "there is no chromium; install it: apt-get install chromium"
    (folder / "play.html").write_text(_PAGE.replace("NAMES", json.dumps(names)))
    quiet = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --disable-dev-shm-usage --autoplay-policy=no-user-gesture-required"
    )
    with Site(folder) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{site.server_port}/play.html"
        browser = subprocess.Popen(
            [CHROMIUM, *quiet.split(), f"--user-data-dir={profile}", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return json.loads(site.told.get(timeout=60))  # type: ignore[no-any-return]
        finally:
            os.killpg(browser.pid, signal.SIGTERM)
            browser.wait(20)
            site.shutdown()


class TestInChromium:
    # Read by pytest: whether there is anything to collect here.
    __test__ = CHROMIUM is not None or os.environ.get("MEDIAAGENT_TESTS") == "all"

    def test_every_file_plays_and_its_duration_is_known(self, tmp_path: Path) -> None:
        site = tmp_path / "site"
        site.mkdir()
        wanted: dict[str, float] = {}
        for ending in (".wav", ".WAV", ".gsm"):
            padded = spoken(tmp_path / f"padded{ending}", "Please call me back.", "pad", 2, 3)
            for number, file in enumerate((DATA / f"msg0001{ending}", padded)):
                for form in ("mp3", "m4a"):
                    (part,) = Transcode(format=form).enrich(post_of(part_of(file)), event(), tmp_path).parts
                    name = f"{ending[1:]}-{'iw'[ending.isupper()]}-{number}.{form}"
                    shutil.copy(part.file, site / name)
                    wanted[name] = part.facts["seconds"]
                    assert wanted[name] == pytest.approx(seconds(file) - max(0, sum(edges(file)) - 1), abs=0.6)
        found = played(site, list(wanted), tmp_path / "profile")
        assert {name: told["error"] for name, told in found.items()} == dict.fromkeys(wanted, "")
        for name, told in found.items():
            assert told["seconds"] == pytest.approx(wanted[name], abs=0.15), name

    def test_every_posted_message_plays_whatever_asterisk_kept_of_it(self, tmp_path: Path) -> None:
        """Through the whole agent: of some messages there is no wav, of some gsm alone."""
        replay(SCENARIO, tmp_path / "spool")
        for number, text in enumerate(sorted(tmp_path.glob("spool/*/*/INBOX/msg????.txt"))):
            for ending in (".wav", ".WAV")[: number % 3]:
                text.with_suffix(ending).unlink()
        agent = AgentProcess(tmp_path)
        agent.configure(_SETTINGS)
        done = agent.call("run", "--once", "--patience", "15s")
        assert done.returncode == 0, done.stdout + done.stderr
        posts = {post["attachments"][0]["url"]: post for post in items(tmp_path / "page")}
        assert len(posts) == len(expected("posts_after"))
        kept = {str(name) for (name,) in agent.ask("SELECT media_type FROM parts WHERE event IS NOT NULL")}
        assert {"audio/wav", "audio/vnd.wave; codec=31", "audio/x-gsm"} <= kept, kept
        found = played(tmp_path / "page", list(posts), tmp_path / "profile")
        assert {name: told["error"] for name, told in found.items()} == dict.fromkeys(posts, "")
        for name, told in found.items():
            minutes, seconds = posts[name]["title"].rpartition(", ")[2].split(":")
            assert 0.3 < told["seconds"] < int(minutes) * 60 + int(seconds) + 1.3, name

    def test_what_asterisk_writes_as_gsm_does_not_play_without_it(self, tmp_path: Path) -> None:
        for ending in (".WAV", ".gsm"):
            shutil.copy(DATA / f"msg0001{ending}", tmp_path)
        found = played(tmp_path, ["msg0001.WAV", "msg0001.gsm"], tmp_path / "profile")
        assert all(told["error"] for told in found.values())
