"""What a machine hears in a message, from Asterisk's last rename to the post: a transcript, or that nobody speaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system.agent import AgentProcess, items, settled, wait_for
from tests.system.asterisk import Asterisk, recorded
from tests.unit.sounds import sox, spoken

HEADING = "What a machine heard (it may be wrong):"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SAID = ("five", "one", "seven", "three", "nine")


@contextmanager
def listening(folder: Path, hang_ups: str) -> Iterator[AgentProcess]:
    """An agent that watches; pocketsphinx knows digits only."""
    agent = AgentProcess(folder)
    agent.configure(f"""
        [agent]
        state = "state"
        page = "page"
        [watch.phone]
        type = "voicemail"
        path = "spool"
        timezone = "UTC"
        enrich = [
          "transcode",
          {{type = "speech", hang_ups = "{hang_ups}"}},
          {{type = "transcribe", engine = "pocketsphinx", words = {json.dumps(DIGITS)}}},
        ]
    """)
    agent.start()
    try:
        agent.wait_until_running()
        yield agent
    finally:
        agent.stop()


def two_messages(folder: Path) -> None:
    """Digits in the voice that PocketSphinx understands best, and one in which nobody speaks."""
    asterisk = Asterisk(folder / "spool")
    digits = spoken(folder / "digits.wav", ", ".join(SAID), "pad", 1, 1, voice="en-us+f2", rate=16_000, gap=60)
    asterisk.takes(recorded(digits), seconds_of(digits), "Ada Digits")
    silent = folder / "silent.wav"
    sox("-n", "-r", 8000, "-b", 16, silent, "synth", 4.2, "pinknoise", "vol", 0.002)
    asterisk.takes(recorded(silent), 4, "Nobody")


def seconds_of(wav: Path) -> int:
    return (wav.stat().st_size - 44) // 32_000


def by_caller(folder: Path) -> dict[str, dict[str, Any]]:
    return {post["title"].split(" from ")[1].split(",")[0]: post for post in items(folder / "page")}


def in_order(words: list[str]) -> bool:
    rest = iter(words)
    return all(word in rest for word in SAID)


def test_digits_appear_in_the_transcript_and_a_silent_message_has_none(tmp_path: Path) -> None:
    with listening(tmp_path, "post") as agent:
        two_messages(tmp_path)
        wait_for(settled(tmp_path / "page", 2), 60, lambda: agent.log)
    posts = by_caller(tmp_path)
    said, _, heard = posts["Ada Digits"]["content_text"].partition(HEADING)
    assert "Mailbox 1234" in said
    assert in_order(heard.split()), heard
    assert "Mailbox 1234" in posts["Nobody"]["content_text"]
    assert HEADING not in posts["Nobody"]["content_text"]
    assert "No transcript" not in posts["Nobody"]["content_text"]
    assert len(posts["Nobody"]["attachments"]) == 1


def test_a_silent_message_is_discarded_where_its_owner_says_so(tmp_path: Path) -> None:
    with listening(tmp_path, "discard") as agent:
        two_messages(tmp_path)
        wait_for(settled(tmp_path / "page", 1), 60, lambda: agent.log)
        wait_for(lambda: agent.log.count("dismissed") == 1, 30, lambda: agent.log)
        wait_for(settled(tmp_path / "page", 1), 10, lambda: agent.log)
    assert list(by_caller(tmp_path)) == ["Ada Digits"]
    assert "nobody speaks in it" in agent.call("why", str(tmp_path / "spool/default/1234/INBOX/msg0001.txt")).stdout
