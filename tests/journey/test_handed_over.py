"""Posts that other programs hand over: each once, whatever happens in between."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaagent.handover import Handed, hand_over, parse
from tests.journey.house import Crash, Fuse, House, Site


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def hand(house: House, token: str, *files: Path, **said: Any) -> None:
    post = Handed(
        token=token,
        kind=said.pop("kind", "file" if files else "status"),
        files=[file.name for file in files],
        handed_at=house.clock.now().timestamp(),
        **said,
    )
    hand_over(house.drop, post, files)


def work(house: House, seconds: int = 3) -> None:
    for _ in range(seconds):
        house.clock.advance(1)
        house.work()


def bodies(house: House) -> list[str]:
    return sorted(post.text for post in house.site.said.values())


def test_a_text_that_was_handed_over_is_posted_as_it_is(house: House) -> None:
    hand(house, "t1", title="{{ title }} <b>", body="Zoë:\n  {% if %}\n" + "long " * 50_000, tags=["state ok"])
    work(house)
    (post,) = house.site.said.values()
    assert (post.kind, post.title, post.tags) == ("status", "{{ title }} <b>", ("state_ok",))
    assert post.text == ("Zoë:\n  {% if %}\n" + "long " * 50_000).strip()
    assert list(house.drop.iterdir()) == []


def test_a_bundle_that_does_not_tell_its_time_is_of_the_time_at_which_it_came(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    find = Site.find
    monkeypatch.setattr(Site, "find", lambda site, key: (asked.append(key), find(site, key))[1])
    hand_over(house.drop, Handed(token="t1", kind="status", body="of another program"), [])
    work(house)
    (post,) = house.site.said.values()
    assert abs(post.happened_at - datetime.now(UTC)) < timedelta(days=1)
    assert asked == []  # what is new is in no doubt, whatever its date


def test_its_files_go_with_it_under_their_own_names(house: House, tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("one")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a b.txt").write_text("two")
    hand(house, "t1", tmp_path / "a b.txt", tmp_path / "x" / "a b.txt", body="see")
    work(house)
    ((_, media),) = house.site.posts
    assert media == {"a b.txt": "one", "a b-2.txt": "two"}


def test_many_are_taken_in_several_rounds(house: House) -> None:
    for number in range(120):
        hand(house, f"t{number}", body=f"post {number}")
    work(house, 40)
    assert bodies(house) == sorted(f"post {number}" for number in range(120))
    assert list(house.drop.iterdir()) == []


def test_what_can_not_be_read_keeps_nobody_else_waiting(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from mediaagent.errors import Unreadable
    from mediaagent.store.drop import DropFolder

    copy = DropFolder.copy

    def refuse(drop: DropFolder, name: str) -> Any:
        if json.loads((drop.folder / name / "post.json").read_text())["token"].startswith("closed"):
            raise Unreadable("permission denied")
        return copy(drop, name)

    monkeypatch.setattr(DropFolder, "copy", refuse)
    for number in range(60):
        hand(house, f"closed{number}", body="closed")
    hand(house, "open", body="open")
    work(house)
    assert bodies(house) == ["open"]
    assert "permission denied" in house.state.troubles()["drop"]


def test_a_kill_while_a_bundle_is_removed_leaves_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    hand(house, "t1", body="once")

    def cut(folder: Path) -> None:
        (folder / "post.json").unlink()
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr("mediaagent.store.drop.remove", cut)
        with pytest.raises(Crash):
            work(house)
    house.restart()
    work(house)
    assert bodies(house) == ["once"]
    assert list(house.drop.iterdir()) == []


def test_the_same_token_again_posts_nothing(house: House) -> None:
    for _ in range(3):
        hand(house, "nightly-42", body="done")
        work(house)
    assert bodies(house) == ["done"]
    assert list(house.drop.iterdir()) == []


def test_a_later_word_on_a_state_changes_the_post(house: House) -> None:
    hand(house, "t1", body="PROBLEM: web is down", state_key="web/http")
    work(house)
    for number, word in enumerate(["OK", "PROBLEM", "OK"]):
        hand(house, f"u{number}", body=f"{word}: web", state_key="web/http")
        work(house)
    hand(house, "v1", body="PROBLEM: mail", state_key="mail/smtp")
    work(house)
    assert bodies(house) == ["OK: web", "PROBLEM: mail"]
    assert len(house.site.posts) == 2


def test_a_state_that_was_quiet_for_long_is_told_anew(house: House) -> None:
    hand(house, "t1", body="PROBLEM", state_key="web/http")
    work(house)
    house.clock.advance(90_000)
    hand(house, "t2", body="PROBLEM again", state_key="web/http")
    work(house)
    assert bodies(house) == ["PROBLEM", "PROBLEM again"]


def over_and_done(house: House) -> None: ...


def restarted(house: House) -> None:
    house.restart()


def without_memory(house: House) -> None:
    house.close()
    for file in (house.folder / "state").glob("outbox.db*"):
        file.unlink()
    house.open()


def of_version_2(house: House) -> None:
    """As an agent left it that did not know the tokens of later words."""
    house.close()
    with contextlib.closing(sqlite3.connect(house.folder / "state" / "outbox.db")) as connection:
        connection.executescript("DROP TABLE joined; PRAGMA user_version = 2;")
    house.open()


@pytest.mark.parametrize("what_happens", [over_and_done, restarted, without_memory, of_version_2])
def test_a_token_of_a_state_is_known_for_ever(house: House, what_happens: Callable[[House], None]) -> None:
    story = [("t1", "DOWN"), ("t2", "UP"), ("t3", "DOWN")]
    for token, state in story:
        tell(house, token, state)
    what_happens(house)
    for token, state in reversed(story):
        tell(house, token, state)
        house.clock.advance(4000)
        tell(house, token, state)
    assert bodies(house) == ["DOWN t3"]
    assert len(house.site.posts) == 1
    assert list(house.drop.iterdir()) == []


def test_a_token_that_comes_again_leaves_the_state_as_it_is(house: House) -> None:
    tell(house, "t1", "DOWN")
    tell(house, "t2", "UP")
    tell(house, "t1", "DOWN")
    house.clock.advance(4000)
    tell(house, "t3", "DOWN")  # it was up for long: another story
    assert bodies(house) == ["DOWN t3", "UP t2"]


def test_who_asks_for_a_later_word_finds_what_it_changed(house: House) -> None:
    from mediaagent.store.queue import Queue

    tell(house, "t1", "DOWN")
    tell(house, "t2", "UP")
    queue = Queue(house.folder / "state" / "outbox.db")
    assert {token: queue.event_by_key("post:", token) for token in ("t1", "t2", "t3")} == {"t1": 1, "t2": 1, "t3": None}
    queue.close()


def tell(house: House, token: str, state: str, body: str = "", **said: Any) -> None:
    said = {"state_key": "web/http", "state_within": 3600.0, **said}
    hand(house, token, state=state, body=body or f"{state} {token}", **said)
    work(house)


@pytest.mark.parametrize("days", [1, 3, 400])
def test_a_recovery_changes_its_problem_however_old_that_is(house: House, days: int) -> None:
    tell(house, "t1", "CRITICAL")
    house.clock.advance(86_400 * days)
    house.housekeeping.tidy()
    tell(house, "t2", "WARNING")
    house.clock.advance(86_400 * days)
    house.housekeeping.tidy()
    tell(house, "t3", "OK")
    assert bodies(house) == ["OK t3"]
    assert len(house.site.posts) == 1


def test_a_problem_long_after_the_recovery_is_another_story(house: House) -> None:
    tell(house, "t1", "DOWN")
    tell(house, "t2", "UP")
    house.clock.advance(3700)
    tell(house, "t3", "DOWN")
    tell(house, "t4", "up ")
    assert bodies(house) == ["UP t2", "up  t4"]


def test_flapping_adds_no_post(house: House) -> None:
    for number in range(6):
        tell(house, f"t{number}", "OK" if number % 2 else "CRITICAL")
        house.clock.advance(3000)
    assert bodies(house) == ["OK t5"]
    assert len(house.site.posts) == 1


def test_states_of_other_things_are_other_posts(house: House) -> None:
    tell(house, "t1", "CRITICAL")
    tell(house, "t2", "CRITICAL", state_key="mail/smtp")
    house.clock.advance(90_000)
    tell(house, "t3", "OK")
    assert bodies(house) == ["CRITICAL t2", "OK t3"]


def test_a_picture_of_a_state_is_changed_when_its_copies_are_gone(house: House, tmp_path: Path) -> None:
    file = tmp_path / "rack.txt"
    file.write_text("smoke")
    hand(house, "t1", file, body="fire", state_key="rack", state="CRITICAL", state_within=3600.0)
    work(house)
    house.clock.advance(86_400 * 60)
    house.housekeeping.tidy()
    hand(house, "t2", kind="file", body="put out", state_key="rack", state="OK", state_within=3600.0)
    work(house)
    assert len(house.site.posts) == 1
    assert "put out" in bodies(house)[0]


def test_a_bundle_of_an_older_version_is_taken(house: House) -> None:
    """It knew no `state`; words on a state changed the post for a day."""
    folder = house.drop / "0-old"
    for number, word in enumerate(["PROBLEM", "OK"]):
        folder.mkdir()
        said = {
            "version": 1,
            "token": f"t{number}",
            "kind": "status",
            "title": "",
            "body": word,
            "tags": [],
            "access": "",
        }
        said |= {"created": "", "to": [], "syndicate": [], "reply_to": [], "state_key": "web", "state_within": 86400.0}
        (folder / "post.json").write_text(json.dumps({**said, "files": [], "handed_at": 1.7e9}))
        work(house)
    assert bodies(house) == ["OK"]


def test_agents_of_an_older_version_take_what_does_not_use_what_they_do_not_know(house: House) -> None:
    hand(house, "t1", body="x")
    (bundle,) = house.drop.iterdir()
    assert "state" not in json.loads((bundle / "post.json").read_text())


def test_states_that_come_while_the_site_is_down_end_as_the_last_one(house: House) -> None:
    house.site.mood = "down"
    for number, word in enumerate(["PROBLEM", "OK"]):
        hand(house, f"u{number}", body=word, state_key="web/http")
        work(house)
    house.settle()
    assert bodies(house) == ["OK"]


def test_a_target_that_is_not_there_is_told_and_not_waited_for(house: House) -> None:
    hand(house, "t1", body="x", to=["nowhere"])
    work(house)
    with house.state.database.reading() as connection:
        (row,) = connection.execute("SELECT state, reason FROM events").fetchall()
    assert tuple(row) == ("dismissed", "there is no [upload.nowhere] in the settings")


@pytest.mark.parametrize(
    "words",
    ["", "[]", "{}", '{"version": 1}', '{"version": 2, "token": "t", "kind": "status"}', '{"version": 1, "token": 7}'],
)
def test_what_is_no_bundle_is_set_aside_and_told(house: House, words: str) -> None:
    (house.drop / "0-a").mkdir()
    (house.drop / "0-a" / "post.json").write_text(words)
    hand(house, "t1", body="fine")
    work(house)
    assert bodies(house) == ["fine"]
    assert [path.name for path in house.drop.iterdir()] == [".refused-0-a"]
    assert any("can't be used" in line for line in house.log.lines)


# --- what no bundle may do to the others ------------------------------------------------------------------------------


def lay(house: House, name: str | bytes, words: str | bytes, files: int = 0) -> Path:
    """A bundle of another program."""
    bundle = house.drop / os.fsdecode(name)
    bundle.mkdir()
    (bundle / "post.json").write_bytes(words if isinstance(words, bytes) else words.encode())
    for number in range(files):
        (bundle / f"{number + 1:04d}").write_text("x")
    return bundle


def words(**said: Any) -> str:
    return json.dumps({"version": 1, "token": "bad", "kind": "status", "body": "bad", **said})


def refused(house: House) -> list[str]:
    return sorted(path.name for path in house.drop.iterdir() if path.name.startswith(".refused-"))


@pytest.mark.parametrize(
    "said",
    [
        {"token": "d\ud800"},
        {"token": "x" * 301},
        {"body": "\udfff"},
        {"tags": ["\ud800"]},
        {"files": ["\ud800"]},
        {"files": ["x" * 256]},
        {"to": ["site"] * 1001},
        {"handed_at": 1e300},
        {"handed_at": -1},
        {"handed_at": float("nan")},
        {"handed_at": float("inf")},
        {"handed_at": 10**400},
        {"state_within": 1e300},
        {"state_within": -1},
        {"state_within": float("nan")},
        {"created": "9999-12-31T23:59:59-23:59"},
        {"created": "0001-01-01T00:00:00+14:00"},
        {"created": "0001-01-01"},
        {"created": "tomorrow"},
        {"access": "nobody"},
        {"kind": "essay"},
    ],
    ids=lambda said: ascii(said)[:40],
)
def test_what_nobody_could_use_is_set_aside_with_the_reason(house: House, said: dict[str, Any]) -> None:
    lay(house, "0-bad", words(state_key="web", **{"files": [], **said}))
    hand(house, "t1", body="fine")
    work(house)
    assert bodies(house) == ["fine"]
    assert refused(house) == [".refused-0-bad"]
    (told,) = [what for where, what in house.state.troubles().items() if where == "handed over and refused"]
    assert told.startswith(f"{house.drop}/.refused-0-bad: post.json can't be used: ")


def test_json_that_is_too_deep_is_set_aside(house: House) -> None:
    lay(house, "0-bad", '{"version": 1, "token": ' + "[" * 100_000)
    hand(house, "t1", body="fine")
    work(house)
    assert bodies(house) == ["fine"]
    assert refused(house) == [".refused-0-bad"]


@pytest.mark.parametrize("name", [b"0-\xff", b"0-\n", b"0" * 255, b"0" * 247, "0-\u202e".encode()])
def test_a_bundles_name_stops_nobody(house: House, name: bytes) -> None:
    for content in (words(), "{}"):
        lay(house, name, content)
        hand(house, f"t{len(content)}", body=f"fine {len(content)}")
        work(house)
    assert sum("fine" in body for body in bodies(house)) == 2
    assert not [path for path in house.drop.iterdir() if not path.name.startswith(".refused-")]


def test_what_was_set_aside_before_under_that_name_stays(house: House) -> None:
    (house.drop / ".refused-0-bad").mkdir()
    (house.drop / ".refused-0-bad" / "here").touch()
    lay(house, "0-bad", "{}")
    work(house)
    assert refused(house) == [".refused-0-bad", ".refused-0-bad-2"]


def test_what_was_set_aside_is_told_until_it_is_removed(house: House) -> None:
    lay(house, "0-bad", "{}")
    lay(house, "1-bad", "[]")
    work(house)
    house.restart()
    house.state.clear_troubles()
    work(house)
    told = house.state.troubles()["handed over and refused"]
    assert told.startswith(f"{house.drop}/.refused-1-bad: post.json can't be used: it is no JSON object (and 1 more")
    for path in house.drop.iterdir():
        (path / "post.json").unlink()
        path.rmdir()
    work(house)
    assert "handed over and refused" not in house.state.troubles()


def test_who_waits_for_what_was_refused_is_told_why(house: House) -> None:
    from mediaagent.cli.post.looking import Look

    bundle = lay(house, "0-bad", words(kind="essay"))
    work(house)
    look = Look(house.folder / "state", "bad")
    seen = look.now(bundle)
    look.close()
    assert (seen.refused, seen.over) == (True, True)
    assert seen.why == (
        "the agent refused it: post.json can't be used: its kind is 'essay', and none of "
        "status, entry, photo, audio, video, file"
    )


def test_the_same_target_twice_is_one_target(house: House) -> None:
    hand(house, "t1", body="x", to=["site", "site"])
    hand(house, "t2", body="y")
    work(house)
    assert bodies(house) == ["x", "y"]


def test_one_that_can_not_be_written_down_is_found_among_many(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from mediaagent.store.spool import DiskSpool

    settle = DiskSpool.settle

    def fail(spool: DiskSpool, parts: Any) -> Any:
        if any(part.facts.get("token") == "bad" for part in parts):
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return settle(spool, parts)

    monkeypatch.setattr(DiskSpool, "settle", fail)
    for number in range(5):
        hand(house, f"t{number}", body=f"before {number}")
    hand(house, "bad", body="bad")
    for number in range(5):
        hand(house, f"u{number}", body=f"after {number}")
    work(house, 20)
    assert len(bodies(house)) == 10
    assert len(refused(house)) == 1
    assert not list((house.folder / "state" / "spool" / "tmp").iterdir())


def test_one_that_can_not_be_removed_keeps_nobody_waiting(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def denied(path: Path, target: Path) -> Path:
        if "stuck" in path.name:
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    for number in range(60):
        lay(house, f"0-stuck{number}", words(token=f"s{number}", body="stuck"))
        lay(house, f"0-stuck-bad{number}", "{}")
    monkeypatch.setattr(Path, "rename", denied)
    hand(house, "t1", body="fine")
    work(house, 10)
    assert bodies(house) == ["fine"] + ["stuck"] * 60
    assert "Permission denied" in house.state.troubles()["drop"]
    with house.state.database.reading() as connection:
        (count,) = connection.execute("SELECT count(*) FROM history WHERE what = 'refused'").fetchone()
    assert count == 60  # not once a round


@pytest.mark.parametrize(
    "facts",
    [
        {"handed_at": 1e300},
        {"handed_at": None},
        {"state_within": 1e300},
        {"state_within": None},
        {"created": "9999-12-31T23:59:59-23:59"},
    ],
    ids=str,
)
def test_what_an_older_agent_took_stops_nobody(house: House, facts: dict[str, Any]) -> None:
    hand(house, "t1", body="old", state_key="web")
    intake = house.watching.intake
    assert intake is not None
    assert intake.take() == 1
    with house.state.database.transaction() as connection:
        (old,) = connection.execute("SELECT facts FROM parts").fetchone()
        connection.execute("UPDATE parts SET facts = ?", (json.dumps({**json.loads(old), **facts}),))
    hand(house, "t2", body="fine")
    work(house)
    assert bodies(house) == ["fine", "old"]


def test_what_an_older_agent_took_and_nobody_can_use_is_listed(house: House) -> None:
    hand(house, "t1", body="old")
    intake = house.watching.intake
    assert intake is not None
    assert intake.take() == 1
    with house.state.database.transaction() as connection:
        connection.execute("UPDATE parts SET facts = json_remove(facts, '$.tags')")
    hand(house, "t2", body="fine")
    work(house)
    assert bodies(house) == ["fine"]
    with house.state.database.reading() as connection:
        (row,) = connection.execute("SELECT state, reason FROM events WHERE kind = 'unusable'").fetchall()
    assert tuple(row) == ("dismissed", "what was handed over can't be used: KeyError: 'tags'")


@pytest.mark.parametrize("seconds", [1e300, -1e300, 253_402_383_599.0, -62_135_647_200.0, float("inf")])
def test_an_event_of_a_time_that_there_is_not_stops_nobody(house: House, seconds: float) -> None:
    from mediaagent.store.queue import Queue

    house.site.mood = "down"
    hand(house, "t1", body="old")
    hand(house, "t2", body="fine")
    house.watching.round()
    with house.state.database.transaction() as connection:
        connection.execute("UPDATE events SET happened_at = ? WHERE key = 't1'", (seconds,))
    queue = Queue(house.folder / "state" / "outbox.db")
    assert [line.happened_at.year in (1000, 9998) for line in queue.lines()].count(True) == 1
    assert queue.event(1) is not None
    queue.close()
    house.settle()
    assert bodies(house) == ["fine", "old"]


def test_an_event_that_can_not_be_read_is_put_aside(house: House) -> None:
    hand(house, "t1", body="broken")
    hand(house, "t2", body="fine")
    house.watching.round()
    with house.state.database.transaction() as connection:
        connection.execute("UPDATE events SET route = '{\"to\": 7}' WHERE key = 't1'")
    house.preparing.step()
    work(house)
    assert bodies(house) == ["fine"]
    with house.state.database.reading() as connection:
        (row,) = connection.execute("SELECT state, reason FROM events WHERE key = 't1'").fetchall()
    assert row["state"] == "failed"
    assert row["reason"].startswith("it can't be read: ValidationError")


def test_an_event_that_can_not_be_written_down_stops_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from mediaagent.store.outbox import SqliteOutbox

    add = SqliteOutbox._add

    def fail(outbox: SqliteOutbox, source: str, sighting: Any, targets: Any) -> str:
        if sighting.key == "bad":
            raise ValueError("nobody expected this")
        return add(outbox, source, sighting, targets)

    for token in ("a", "bad", "c"):
        hand(house, token, body=token)
    with monkeypatch.context() as patched:
        patched.setattr(SqliteOutbox, "_add", fail)
        work(house)
    assert bodies(house) == ["a", "c"]
    assert house.state.troubles()["watch.post:"].endswith("ValueError: nobody expected this")
    work(house, 70)
    assert bodies(house) == ["a", "bad", "c"]
    assert not house.state.troubles()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
TIMES = st.datetimes(timezones=st.timezones() | st.none()).map(datetime.isoformat)
NUMBERS = st.floats() | st.integers() | st.just(10**400)
NAMED = {
    "token": st.text(st.characters()),
    "kind": st.sampled_from(["status", "entry", "photo", "essay"]),
    "body": st.text(st.characters()),
    "created": TIMES | st.text(),
    "handed_at": NUMBERS,
    "state_within": NUMBERS,
    "state_key": st.text(st.characters()),
    "state": st.text(),
    "tags": st.lists(st.text(st.characters()), max_size=2),
    "to": st.lists(st.sampled_from(["site", "nowhere"]), max_size=3),
    "access": st.sampled_from(["", "public", "nobody"]),
}
WORST = st.fixed_dictionaries({}, optional={name: each | JSON for name, each in NAMED.items()})
#: Mostly what is right but for one or two fields: else all of them would be refused for the first one.
BUNDLES = WORST.flatmap(
    lambda said: st.fixed_dictionaries({}, optional={name: st.just(each) for name, each in said.items()})
).map(lambda said: json.dumps({"version": 1, "token": "t", "kind": "status", **said}))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(BUNDLES | st.text(), st.binary(max_size=8)), min_size=1, max_size=6))
def test_a_good_bundle_is_posted_whatever_came_before_it(
    tmp_path_factory: pytest.TempPathFactory, bad: list[tuple[str, bytes]]
) -> None:
    house = House(tmp_path_factory.mktemp("house"))
    for number, (content, name) in enumerate(bad):
        lay(house, b"0-%d-" % number + name.replace(b"/", b"").replace(b"\0", b""), content.encode(errors="replace"))
    hand(house, "the good one", body="the good one")
    work(house, 12)
    assert "the good one" in bodies(house)
    assert not [path for path in house.drop.iterdir() if not path.name.startswith(".refused-")]
    house.close()


def test_links_in_a_bundle_are_not_followed(house: House, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "x.txt").write_text("x")
    hand(house, "t1", tmp_path / "x.txt", body="see")
    (bundle,) = house.drop.iterdir()
    (bundle / "0001").unlink()
    (bundle / "0001").symlink_to(tmp_path / "secret.txt")
    elsewhere = house.drop / "1-link"
    elsewhere.symlink_to(tmp_path)
    work(house)
    assert not house.site.posts
    assert (bundle.with_name(f".refused-{bundle.name}")).exists()


def test_a_bundle_in_the_making_is_left_alone_and_an_old_one_removed(house: House) -> None:
    for name, age in (("young", 0), ("old", 90_000)):
        making = house.drop / f".making-{name}"
        making.mkdir()
        os.utime(making, (os.stat(making).st_mtime - age,) * 2)
    work(house)
    assert [path.name for path in house.drop.iterdir()] == [".making-young"]


def test_what_was_handed_over_survives_a_lost_database(house: House, tmp_path: Path) -> None:
    house.site.mood = "down"
    (tmp_path / "x.txt").write_text("x")
    hand(house, "t1", tmp_path / "x.txt", body="see")
    work(house)
    house.close()
    for file in (house.folder / "state").glob("outbox.db*"):
        file.unlink()
    house.open()
    house.settle()
    assert [media for _, media in house.site.posts] == [{"x.txt": "x"}]
    assert bodies(house) == ["see"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["up", "loses the reply", "down"]), st.integers(0, 40), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_each_is_posted_once_over_kills_and_lost_replies(
    tmp_path_factory: pytest.TempPathFactory, lives: list[tuple[str, int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("house")
    house = House(folder)
    (folder / "file.txt").write_text("content")
    for number, (mood, steps, with_file) in enumerate(lives):
        files = [folder / "file.txt"] if with_file else []
        hand(house, f"t{number}", *files, body=f"post {number}")
        house.site.mood = mood
        fuse = Fuse()
        fuse.steps = steps
        try:
            with fuse.laid():
                work(house)
        except Crash:
            house.restart()
    house.settle()
    assert bodies(house) == sorted(f"post {number}" for number in range(len(lives)))
    assert len(house.site.posts) == len(lives)
    house.close()


@given(st.binary(max_size=200))
def test_whatever_lies_there_is_parsed_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert parse(data).token


TEXTS = st.lists(st.text(), max_size=3).map(tuple)


@given(
    st.fixed_dictionaries(
        {"token": st.text(min_size=1, max_size=20), "kind": st.sampled_from(["status", "entry"])},
        optional={"title": st.text(), "body": st.text(), "tags": TEXTS, "files": TEXTS, "state": st.text()},
    ).map(lambda said: Handed(**said))
)
def test_what_is_written_is_read_again(post: Handed) -> None:
    assert parse(json.dumps({"version": 1, **post._asdict()}).encode()) == post
