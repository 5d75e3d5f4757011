"""transcribe, with PocketSphinx on synthesised digits, and with engines that fail."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mediaagent import app
from mediaagent.builtin.enrichers import engines
from mediaagent.builtin.enrichers.transcribe import Transcribe
from mediaagent.model import Post, Text
from mediaagent.settings import load
from mediaagent.workbench.bench import ProcessWorkbench
from tests.unit import toy_whisper
from tests.unit.sounds import event, part_of, post_of, sox, spoken

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPHINX: dict[str, Any] = {"engine": "pocketsphinx", "words": DIGITS}
NONE = Text("No transcript could be made of this message.")
HEADING = Text("What a machine heard (it may be wrong):")


def digits(folder: Path, said: str = "five, one, seven, three, nine") -> Path:
    """With pauses, in the voice that PocketSphinx understands best; its model wants more than telephones carry."""
    return spoken(folder / "digits.wav", said, "pad", 1, 1, voice="en-us+f2", rate=16_000, gap=60)


def transcribed(file: Path, **options: Any) -> Post:
    return Transcribe(**options).enrich(post_of(part_of(file)), event(), file.parent)


def in_order(wanted: list[str], words: list[str]) -> bool:
    rest = iter(words)
    return all(word in rest for word in wanted)


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


# --- what is heard ----------------------------------------------------------------------------------------------------


def test_spoken_digits_appear_in_a_transcript_that_is_marked_as_a_machines(tmp_path: Path) -> None:
    post = transcribed(digits(tmp_path), **SPHINX)
    assert post.body[0] == HEADING
    assert in_order(["five", "one", "seven", "three", "nine"], post.body[1].text.split())
    assert post.parts[0].facts["transcript"] == post.body[1].text
    assert post.kind == "audio"


def test_other_digits_give_another_transcript(tmp_path: Path) -> None:
    words = transcribed(digits(tmp_path, "one, two, three, four, five"), **SPHINX).body[1].text.split()
    assert in_order(["one", "two", "three", "four", "five"], words)


def test_what_stood_in_the_body_stays_before_it(tmp_path: Path) -> None:
    before = post_of(part_of(digits(tmp_path)))
    before = type(before)(**{**{name: getattr(before, name) for name in before.__slots__}, "body": (Text("Ada"),)})
    after = Transcribe(**SPHINX, heading="Maschinell:").enrich(before, event(), tmp_path)
    assert [block.text for block in after.body[:2]] == ["Ada", "Maschinell:"]


@pytest.mark.parametrize("sound", [("trim", 0, 4), ("synth", 4, "sine", 425), ("synth", 4, "pinknoise", "vol", 0.05)])
def test_a_message_without_speech_has_no_transcript(tmp_path: Path, sound: tuple[object, ...]) -> None:
    sox("-n", "-r", 8000, "-b", 16, tmp_path / "a.wav", *sound)
    post = transcribed(tmp_path / "a.wav", **SPHINX)
    assert post.body == ()
    assert post.parts[0].facts == {"transcribe": "no words heard"}


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_without_the_extra_the_message_is_posted_and_check_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.bin").write_bytes(b"lmgg")
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    for engine, extra in (("whisper", "transcribe"), ("pocketsphinx", "transcribe-pocketsphinx")):
        options: dict[str, Any] = {"engine": engine, "model": tmp_path / "model.bin"}
        (problem,) = Transcribe(**options).check()
        assert problem.todo == f"install mediaagent[{extra}]"
        post = transcribed(digits(tmp_path), **options)
        assert post.body == (NONE,)
        assert f"install mediaagent[{extra}]" in post.parts[0].facts["transcribe"]


def test_without_a_model_file_nothing_is_fetched_and_check_says_so(tmp_path: Path) -> None:
    (unnamed,) = Transcribe().check()
    assert "nothing is fetched" in unnamed.todo
    (missing,) = Transcribe(model=Path("tiny")).check()
    assert missing.what == "there is no file tiny"
    assert transcribed(digits(tmp_path), model=Path("tiny")).body == (NONE,)


def test_a_file_that_is_no_model_is_told_by_check_and_not_given_to_the_engine(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"no model at all")
    (problem,) = Transcribe(model=tmp_path / "model.bin").check()
    assert problem.what == f"{tmp_path}/model.bin is no model of whisper.cpp"
    post = transcribed(digits(tmp_path), model=tmp_path / "model.bin")
    assert post.body == (NONE,)
    assert "is no model of whisper.cpp" in post.parts[0].facts["transcribe"]


def test_a_damaged_model_costs_the_transcript_only(tmp_path: Path) -> None:
    model = toy_whisper.write(tmp_path / "model.bin")
    with model.open("r+b") as stream:
        stream.truncate(model.stat().st_size // 2)
    post = transcribed(digits(tmp_path), model=model)
    assert post.body == (NONE,)
    assert len(post.parts) == 1
    assert "failed to load model" in post.parts[0].facts["transcribe"]


def test_whisper_runs_in_the_workbench_with_the_models_file_alone(tmp_path: Path) -> None:
    """A toy model, which hears something, but not what was said: engine, limits and closed network go together."""
    model = toy_whisper.write(tmp_path / "toy.bin")
    bench = ProcessWorkbench()
    try:
        steps = [("transcribe", {"model": str(model)})]
        post, notes = bench.prepare(post_of(part_of(digits(tmp_path))), event(), steps, tmp_path)
    finally:
        bench.close()
    assert post.body[0] == HEADING
    assert post.body[1].text.startswith("word")
    assert "words heard" in notes[0]


def test_an_engine_that_crashes_costs_the_transcript_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(tmp_path, "import os; os.abort()", monkeypatch)
    post = transcribed(digits(tmp_path), **SPHINX)
    assert post.body == (NONE,)
    assert "ended by signal 6" in post.parts[0].facts["transcribe"]


def test_an_engine_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(tmp_path, "import time; time.sleep(600)", monkeypatch)
    begun, before = time.monotonic(), children()
    post = transcribed(digits(tmp_path), **SPHINX, time_limit=timedelta(seconds=2))
    assert time.monotonic() - begun < 10
    assert children() == before
    assert post.body == (NONE,)
    assert "not done after 2 s" in post.parts[0].facts["transcribe"]


def test_what_was_heard_before_the_time_was_up_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(tmp_path, SLOW, monkeypatch)
    post = transcribed(digits(tmp_path), **SPHINX, time_limit=timedelta(seconds=4))
    assert [block.text for block in post.body] == [HEADING.text, "first […] (the rest was not transcribed)"]


SLOW = """
import time
class Decoder:
    count = 0
    def __init__(self, **options): pass
    def add_jsgf_string(self, *words): pass
    def activate_search(self, name): pass
    def start_utt(self): pass
    def end_utt(self): pass
    def process_raw(self, samples, full_utt):
        self.count += 1
        time.sleep(600 * (self.count > 1))
    def hyp(self):
        return type("Hypothesis", (), {"hypstr": "first"})
"""


def broken(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another pocketsphinx, which the engine's own process finds before the real one."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / "pocketsphinx.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder / "plugins"))


# --- in the workbench -------------------------------------------------------------------------------------------------


def test_the_whole_chain_in_the_workbench(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    steps = [("transcode", {}), ("speech", {"hang_ups": "discard"}), ("transcribe", {**SPHINX, "words": list(DIGITS)})]
    bench = ProcessWorkbench()
    try:
        post, notes = bench.prepare(post_of(part_of(digits(tmp_path))), event(), steps, made)
    finally:
        bench.close()
    assert post.parts[0].name == "digits.mp3"
    assert post.body[0] == HEADING
    heard = set(post.body[1].text.split())
    assert len(heard & {"five", "one", "seven", "three", "nine"}) >= 4
    assert [note.split(":")[0] for note in notes] == ["transcode", "speech", "transcribe"]


def test_the_workbench_waits_as_long_as_the_time_limit_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(tmp_path, "import time; time.sleep(600)", monkeypatch)
    steps = [("transcribe", {"engine": "pocketsphinx", "time_limit": "3s"})]
    bench = ProcessWorkbench(patience=1.5)
    try:
        post, _ = bench.prepare(post_of(part_of(digits(tmp_path))), event(), steps, tmp_path)
    finally:
        bench.close()
    assert post.body == (NONE,)


def test_check_asks_the_enrichers_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "agent.toml").write_text(
        f'[agent]\nstate = "{tmp_path}/state"\n[watch.office]\ntype = "folder"\npath = "{tmp_path}/in"\n'
        'enrich = ["transcode", "speech", {type = "transcribe"}]\n'
    )
    plan, _ = app.plan(load(tmp_path / "agent.toml"))
    found = [problem.where for problem in app.self_checks(plan) if problem.where.startswith("watch.")]
    assert found == ["watch.office.enrich: transcribe.model"]
