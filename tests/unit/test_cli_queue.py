"""`mediaagent queue`: what waits and what went wrong, and the owner's word on it."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from .cli_help import Memory, Place, a_place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return a_place(tmp_path)


@pytest.fixture
def filled(place: Place) -> dict[str, int]:
    """An event in every state; their numbers by state."""
    memory = Memory(place.folder / "state")
    numbers = {}
    for outcome in ("delivered", "rejected", "deferred", "sending"):
        numbers[outcome] = memory.event(place.pictures / f"{outcome}.jpg")
        memory.deliver("family", outcome)
    numbers["new"] = memory.event(place.pictures / "new.jpg", prepared=False)
    numbers["failed"] = memory.event(place.pictures / "failed.jpg", prepared=False)
    memory.fail(numbers["failed"])
    numbers["dismissed"] = memory.event(place.pictures / "dismissed.jpg", prepared=False)
    memory.dismiss(numbers["dismissed"])
    numbers["empty"] = memory.event(place.pictures / "movie.mkv", nothing="no picture")
    memory.close()
    # Opening it anew would end the attempt that is under way, so the agent is simply not there.
    return numbers


def states(place: Place, *words: str) -> dict[int, str]:
    return {line["id"]: line["state"] for line in place.call("queue", "--json", *words).json}


def test_the_queue_shows_what_wants_attention_first(place: Place, filled: dict[str, int]) -> None:
    lines = place.call("queue", "--json").json
    found = [line["state"] for line in lines]
    assert found == ["rejected", "held", "sending", "waiting", "waiting", "delivered"]


def test_each_line_of_the_queue_says_all_that_a_script_needs(place: Place, filled: dict[str, int]) -> None:
    lines = {line["id"]: line for line in place.call("queue", "list", "--json").json}
    waits = lines[filled["deferred"]]
    assert waits["source"] == "feeder"
    assert waits["target"] == "family"
    assert waits["attempts"] == 1
    assert waits["last_error"] == "no route to host"
    assert waits["title"] == f"Robin {filled['deferred']}"
    assert waits["body"].startswith("It sat there.")
    assert len(waits["body"]) == 80
    assert waits["due"] > waits["happened_at"]


def test_what_was_never_to_be_posted_is_found_when_asked_for(place: Place, filled: dict[str, int]) -> None:
    assert filled["dismissed"] not in states(place)
    assert states(place, "--state", "dismissed") == {filled["dismissed"]: "dismissed", filled["empty"]: "dismissed"}
    assert {filled["dismissed"], filled["empty"]} <= states(place, "--all").keys()
    assert "no picture" in place.call("queue", "--all").out


def test_the_plain_queue_is_a_table_with_reasons(place: Place, filled: dict[str, int]) -> None:
    out = place.call("queue").out
    assert "the site takes no robins" in out
    assert "in 30 min" in out or "in 29 min" in out
    assert "no agent is running" in out
    assert out.splitlines()[-1].startswith("1 rejected, 1 held")


def test_filters_and_a_limit_narrow_the_list(place: Place, filled: dict[str, int]) -> None:
    assert set(states(place, "--state", "waiting").values()) == {"waiting"}
    assert states(place, "--source", "attic") == {}
    assert states(place, "--target", "archive") == {}
    assert len(place.call("queue", "--json", "--limit", "2").json) == 2
    assert "--limit shows more" in place.call("queue", "--limit", "2").out


def test_troubles_stand_on_top(place: Place) -> None:
    memory = Memory(place.folder / "state")
    memory.state.trouble("spool", "securing is paused: the spool is full")
    memory.close()
    assert place.call("queue").out.startswith("! spool: securing is paused")


def test_a_queue_without_a_memory_is_empty_and_makes_none(place: Place) -> None:
    before = place.listing()
    answer = place.call("queue")
    assert (answer.code, place.call("queue", "--json").json) == (0, [])
    assert "has not run yet" in answer.out
    assert place.listing() == before


def test_reading_the_queue_leaves_the_state_folder_as_it_was(place: Place, filled: dict[str, int]) -> None:
    before = place.listing()
    place.call("queue")
    place.call("queue", "show", str(filled["rejected"]))
    place.call("why", str(filled["rejected"]))
    assert place.listing() == before


def test_show_tells_the_post_its_files_and_its_way(place: Place, filled: dict[str, int]) -> None:
    out = place.call("queue", "show", str(filled["delivered"])).out
    for part in ("Robin", "best_frame kept 1 of 1", "https://example.org/1", "delivered.jpg", "event new"):
        assert part in out
    assert place.call("queue", "show", "999").code == 2


def test_a_rejected_delivery_is_due_again_after_retry(place: Place, filled: dict[str, int]) -> None:
    number = filled["rejected"]
    answer = place.call("queue", "retry", str(number))
    assert (answer.code, states(place)[number]) == (0, "waiting")
    assert "owner" in place.call("why", str(number)).out


def test_what_could_not_be_prepared_is_prepared_again_after_retry(place: Place, filled: dict[str, int]) -> None:
    number = filled["failed"]
    assert "is prepared again" in place.call("queue", "retry", str(number)).out
    memory = Memory(place.folder / "state")
    waiting = {event.id for event in memory.state.outbox.unprepared(9)}
    memory.close()
    assert states(place)[number] == "waiting"
    assert waiting <= {number, filled["new"]}


def test_what_an_enricher_dismissed_can_be_prepared_again(place: Place, filled: dict[str, int]) -> None:
    assert place.call("queue", "retry", str(filled["dismissed"])).code == 0
    assert states(place)[filled["dismissed"]] == "waiting"
    nothing = place.call("queue", "retry", str(filled["empty"]))
    assert nothing.code == 2
    assert "no picture" in nothing.err


def test_retry_all_leaves_alone_what_its_owner_holds(place: Place, filled: dict[str, int]) -> None:
    place.call("queue", "hold", str(filled["deferred"]))
    assert place.call("queue", "retry", "--all").code == 0
    found = states(place, "--all")
    assert found[filled["deferred"]] == "held"
    assert found[filled["dismissed"]] == "dismissed"
    assert [found[filled[name]] for name in ("rejected", "failed", "new")] == ["waiting"] * 3


def test_what_is_being_sent_or_delivered_is_left_alone(place: Place, filled: dict[str, int]) -> None:
    for order in ("retry", "drop", "hold"):
        for name in ("sending", "delivered"):
            assert place.call("queue", order, str(filled[name])).code == 2
            assert states(place)[filled[name]] == name


def test_hold_and_release(place: Place, filled: dict[str, int]) -> None:
    number = str(filled["deferred"])
    assert place.call("queue", "hold", number).code == 0
    assert states(place)[filled["deferred"]] == "held"
    assert place.call("queue", "hold", number).code == 2
    assert place.call("queue", "release", number).code == 0
    assert states(place)[filled["deferred"]] == "waiting"
    assert place.call("queue", "release", number).code == 2


def test_dropping_what_failed_lets_its_copies_go(place: Place, filled: dict[str, int]) -> None:
    assert place.call("queue", "drop", str(filled["failed"])).code == 0
    assert states(place, "--all")[filled["failed"]] == "dismissed"


def test_an_order_for_one_target_leaves_the_other(place: Place) -> None:
    memory = Memory(place.folder / "state")
    number = memory.event(place.pictures / "a.jpg", targets=("family", "archive"))
    memory.close()
    assert place.call("queue", "drop", str(number), "--target", "archive").code == 0
    found = {line["target"]: line["state"] for line in place.call("queue", "--json", "--all").json}
    assert found == {"family": "waiting", "archive": "dropped"}
    assert place.call("queue", "drop", str(number), "--target", "nobody").code == 2


def test_a_target_whose_name_is_no_utf_8_is_one_that_nothing_goes_to(place: Place, filled: dict[str, int]) -> None:
    before = states(place, "--all")
    strange = os.fsdecode(b"a\xffb")
    assert states(place, "--target", strange) == {}
    one = place.call("queue", "retry", str(filled["rejected"]), "--target", strange)
    assert (one.code, one.err) == (2, f"{filled['rejected']} to a\\udcffb: it does not go to a\\udcffb\n")
    every = place.call("queue", "retry", "--all", "--target", strange)
    assert (every.code, every.out) == (0, "nothing to do\n")
    assert states(place, "--all") == before


def test_retry_all_for_one_target_leaves_the_others(place: Place) -> None:
    memory = Memory(place.folder / "state")
    memory.event(place.pictures / "a.jpg", targets=("family",))
    both = memory.event(place.pictures / "b.jpg", targets=("family", "archive"))
    memory.close()
    answer = place.call("queue", "retry", "--all", "--target", "archive", "--json")
    assert [(done["id"], done["target"]) for done in answer.json] == [(both, "archive")]


def test_a_running_agent_is_nudged_after_an_order(place: Place, filled: dict[str, int]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(place.folder / "state" / "agent.sock"))
        channel.settimeout(5)
        place.call("queue", "retry", str(filled["rejected"]))
        assert channel.recv(64) == b"nudge"


def test_orders_beside_an_agent_that_has_the_memory_open_are_seen_by_it(place: Place) -> None:
    memory = Memory(place.folder / "state")
    number = memory.event(place.pictures / "a.jpg")
    assert place.call("queue", "hold", str(number)).code == 0
    assert memory.state.deliveries.counts() == {"held": 1}
    assert str(place.call("why", str(number)).code) == "0"
    memory.close()


def test_a_memory_of_a_newer_version_is_left_alone(place: Place, filled: dict[str, int]) -> None:
    import sqlite3

    connection = sqlite3.connect(place.folder / "state" / "outbox.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for words in (["queue"], ["queue", "retry", "--all"], ["check"]):
        answer = place.call(*words)
        assert answer.code == 2
        assert "newer mediaagent" in answer.err


def test_a_damaged_memory_says_what_to_do(place: Place) -> None:
    (place.folder / "state").mkdir()
    (place.folder / "state" / "outbox.db").write_bytes(b"this is no database" * 100)
    answer = place.call("queue")
    assert answer.code == 2
    assert "start the agent" in answer.err


def test_an_event_and_all_exclude_each_other(place: Place, filled: dict[str, int]) -> None:
    assert place.call("queue", "retry").code == 2
    assert place.call("queue", "retry", "1", "--all").code == 2


def test_preparing_that_was_put_off_is_due_at_once_after_retry(place: Place) -> None:
    memory = Memory(place.folder / "state")
    number = memory.event(place.pictures / "a.jpg", prepared=False)
    event = memory.state.outbox.event(number)
    assert event is not None
    memory.state.outbox.postpone(event, "OSError: no memory", memory.now + timedelta(hours=1))
    memory.now += timedelta(seconds=30)
    assert not memory.state.outbox.unprepared(1)
    assert place.call("queue", "retry", str(number)).code == 0
    assert memory.state.outbox.unprepared(1)
    memory.close()


def test_options_before_the_order_are_not_silently_lost(place: Place) -> None:
    answer = place.call("queue", "--json", "show", "1")
    assert answer.code == 2
    assert "behind" in answer.err


# --- what no memory has room for --------------------------------------------------------------------------------------

HUGE = "9" * 23
NO_TEXT = "nowhere\udcff"


@pytest.mark.parametrize("order", ["show", "drop", "retry", "hold", "release"])
def test_an_event_of_a_number_beyond_all_bounds_is_one_that_there_is_not(
    place: Place, filled: dict[str, int], order: str
) -> None:
    said = place.call("queue", order, HUGE)
    assert (said.code, "there is no" in said.err) == (2, True), said.err


def test_a_limit_beyond_all_bounds_is_no_limit(place: Place, filled: dict[str, int]) -> None:
    assert states(place, "--limit", HUGE) == states(place)


def test_a_target_that_is_no_text_is_one_that_there_is_not(place: Place, filled: dict[str, int]) -> None:
    assert states(place, "--target", NO_TEXT) == states(place, "--source", NO_TEXT) == {}
    assert "does not go to" in place.call("queue", "drop", str(filled["rejected"]), "--target", NO_TEXT).err
    assert "nothing to do" in place.call("queue", "retry", "--all", "--target", NO_TEXT).out
