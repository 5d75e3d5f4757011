"""The truth about a recorded spool: which sound belongs to which text; and a judge of what was posted."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mediaagent.builtin.watchers.voicemail_text import caller_of, fields_of
from tests.system.agent import DATA, items

SCENARIO = DATA / "asterisk" / "voicemail"


@dataclass(frozen=True)
class Message:
    """What a post has to say of one message."""

    caller: str
    duration: int
    origtime: int
    sounds: frozenset[str]  # SHA-256 of its sound, in each format


def expected(which: str) -> list[tuple[str, int]]:
    """`posts_live` or `posts_after`, as (msg_id, duration)."""
    listed = json.loads((SCENARIO / "expected.json").read_text())[which]
    return [(each["msg_id"], each["duration"]) if isinstance(each, dict) else (each[0], each[1]) for each in listed]


def truth() -> dict[tuple[str, int], Message]:
    """Every message of the recording. A text and its sounds are known by the name under which they were made."""
    script = json.loads((SCENARIO / "replay.json").read_text())
    sources = {name: SCENARIO / each["src"] for name, each in script["objects"].items() if each.get("src")}
    born: dict[tuple[str, int], dict[str, Path]] = {}  # (folder and stem, how many texts were born there) -> files
    count: Counter[str] = Counter()
    for step in script["steps"]:
        if step["op"] == "create" and step["obj"] in sources:
            path = Path(step["path"])
            stem = str(path.with_suffix(""))
            born.setdefault((stem, count[stem]), {})[path.suffix.lstrip(".") or "txt"] = sources[step["obj"]]
            if path.suffix == ".txt":  # copies in place: the text comes last
                count[stem] += 1
    messages: dict[tuple[str, int], Message] = {}
    for files in born.values():
        if "txt" in files and "wav" in files:
            _add(messages, files)
    return messages


def _add(messages: dict[tuple[str, int], Message], files: dict[str, Path]) -> None:
    fields = fields_of(files["txt"].read_bytes())
    key = (fields["msg_id"], int(fields["duration"]))
    caller = caller_of(fields["callerid"])
    sounds = {sha256(path) for ending, path in files.items() if ending != "txt"}
    known = messages[key].sounds if key in messages else frozenset()
    shown = caller.name or caller.number or "an unknown caller"
    messages[key] = Message(shown, key[1], int(fields["origtime"]), known | sounds)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def judge(page: Path, wanted: list[tuple[str, int]], *, may_miss: set[tuple[str, int]] = frozenset()) -> None:  # type: ignore[assignment]
    """Exactly one post a message, with its own sound and its own words."""
    known, posted = truth(), Counter(map(key_of, items(page)))
    assert max(posted.values(), default=0) <= 1, f"posted twice: {posted.most_common(3)}"
    assert set(posted) <= set(wanted), f"posted, and should not be: {set(posted) - set(wanted)}"
    assert set(wanted) - set(posted) <= may_miss, f"never posted: {set(wanted) - set(posted) - may_miss}"
    for item in items(page):
        message = known[key_of(item)]
        (attachment,) = item["attachments"]
        assert sha256(page / attachment["url"]) in message.sounds, f"{item['title']} has another message's sound"
        assert item["title"].endswith(f"oicemail from {message.caller}, 0:{message.duration:02}")
        assert datetime.fromisoformat(item["date_published"]).timestamp() == message.origtime


def key_of(item: dict[str, Any]) -> tuple[str, int]:
    message, _, duration = item["_mediaagent"]["key"].rpartition("-")
    return message, int(duration)
