"""The watcher `artifacts`: which files are one run, what became of it, and what is said of it."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mediaagent.api import Event, Part, Sighting
from mediaagent.builtin.watchers.artifacts import Artifacts
from mediaagent.rules import caption
from mediaagent.testing.files import MOMENT
from tests.unit.artifacts import artifacts, core, grouped, part, report

QUIET = timedelta(seconds=30)


def one(watcher: Artifacts, *parts: Part, **rest: Any) -> Sighting:
    (sighting,) = grouped(watcher, *parts, **rest)
    return sighting


def names(parts: tuple[Part, ...]) -> list[str]:
    return [each.name for each in parts]


def again(parts: list[Part], event_key: str) -> list[Part]:
    """The same parts, when their event is closed."""
    return [replace(each, event_key=event_key) for each in parts]


# --- which files are one run ------------------------------------------------------------------------------------------


def test_each_folder_is_a_run() -> None:
    watcher = artifacts()
    first, second = grouped(
        watcher,
        report(watcher, "a/junit.xml", bad=("x",)),
        core(watcher, "a/deep/down/core"),
        report(watcher, "b/junit.xml", bad=("y",)),
    )
    assert names(first.parts) == ["a/deep/down/core", "a/junit.xml"]
    assert (first.together, second.together) == ("a", "b")
    assert (first.facts["run"], second.facts["run"]) == ("a", "b")


def test_without_folders_all_of_it_is_one_run() -> None:
    watcher = artifacts(run="quiet")
    run = one(watcher, report(watcher, "junit.xml", bad=("x",)), core(watcher, "a/core"), part(watcher, "b/c/d.log"))
    assert len(run.parts) == 3
    assert run.together == "run"
    assert run.facts["name"] == "runs"  # the watched folder's


def test_a_run_is_whole_when_nothing_changed_for_the_quiet_time() -> None:
    watcher = artifacts()
    parts = [report(watcher, "a/junit.xml", bad=("x",)), part(watcher, "a/out.log", second=10)]
    assert one(watcher, *parts, at=MOMENT + timedelta(seconds=39)).growing_until == MOMENT + timedelta(seconds=40)
    assert one(watcher, *parts, at=MOMENT + timedelta(seconds=40)).growing_until is None


def test_with_its_done_file_a_run_is_whole_at_once() -> None:
    watcher = artifacts(done="exit-code")
    parts = [report(watcher, "a/junit.xml", bad=("x",)), part(watcher, "a/exit-code")]
    run = one(watcher, *parts, at=MOMENT)
    assert run.growing_until is None
    assert names(run.unshown) == ["a/exit-code"]


def test_a_log_may_be_the_done_file() -> None:
    watcher = artifacts(done="logs/end.log")
    parts = [report(watcher, "a/junit.xml", bad=("x",)), part(watcher, "a/logs/end.log")]
    assert one(watcher, *parts, at=MOMENT).growing_until is None
    assert one(watcher, *parts[:1], at=MOMENT).growing_until is not None


def test_a_clock_that_was_set_back_holds_up_no_run() -> None:
    watcher = artifacts()
    assert one(watcher, report(watcher, "a/junit.xml", bad=("x",), second=7200)).growing_until is None


# --- late evidence, and the next run in the same folder ---------------------------------------------------------------


def test_late_evidence_joins_its_run() -> None:
    watcher = artifacts()
    closed = again([report(watcher, "a/junit.xml", bad=("x",))], "first")
    run = one(watcher, *closed, core(watcher, "a/core", second=60))
    assert run.key == "first"
    assert run.facts["headline"] == "1 of 1 test failed, 1 crash"
    assert run.facts["keep_cores"] == "14 days"


@pytest.mark.parametrize("name", ["junit.xml", "out.log", "core"])
def test_a_file_that_each_run_writes_anew_begins_another(name: str) -> None:
    watcher = artifacts()
    before = [report(watcher, "a/junit.xml", bad=("x",)), part(watcher, "a/out.log", "1"), core(watcher, "a/core")]
    fresh = [part(watcher, f"a/{name}", "2", second=100), core(watcher, "a/other/core", second=100)]
    run = one(watcher, *again(before, "first"), *fresh)
    assert run.key != "first"
    assert sorted(names(run.parts)) == sorted([f"a/{name}", "a/other/core"])


def test_late_evidence_joins_the_last_of_several_runs_in_a_folder() -> None:
    watcher = artifacts()
    first = again([report(watcher, "a/junit.xml", bad=("x",))], "first")
    second = again([report(watcher, "a/junit.xml", bad=("y",), second=100)], "second")
    for closed in ([*first, *second], [*second, *first]):
        assert one(watcher, *closed, core(watcher, "a/core", second=200)).key == "second"


def test_without_folders_what_comes_after_a_pause_is_another_run() -> None:
    watcher = artifacts(run="quiet")
    closed = again([report(watcher, "junit.xml", bad=("x",))], "first")
    assert one(watcher, *closed, core(watcher, "core", second=60)).key != "first"


def test_a_run_to_which_nothing_came_is_not_told_again() -> None:
    watcher = artifacts()
    assert grouped(watcher, *again([report(watcher, "a/junit.xml", bad=("x",))], "first")) == []


# --- files that were written again within a run -----------------------------------------------------------------------


def test_of_a_report_that_was_written_again_the_last_counts() -> None:
    watcher = artifacts()
    early = report(watcher, "a/junit.xml", bad=("x", "y"))
    last = report(watcher, "a/junit.xml", passed=2, bad=("x",), second=9)
    run = one(watcher, last, early)
    assert (run.parts, run.spare) == ((last,), (early,))
    assert (run.facts["tests"], run.facts["failed"]) == (3, 1)


def test_each_core_under_one_name_is_a_crash() -> None:
    watcher = artifacts(cores="attach")
    first, second = (core(watcher, "a/core", f"/bin/{name}", content=name, second=n) for n, name in enumerate("pq"))
    run = one(watcher, first, second)
    assert run.parts == (first, second)
    assert run.facts["crashed"] == ["p (SIGSEGV)", "q (SIGSEGV)"]
    assert run.unshown == (first,)  # a name is shown once


def test_a_core_that_was_taken_too_early_is_no_crash_of_its_own() -> None:
    watcher = artifacts()
    early = core(watcher, "a/core", content="half", not_whole="cut")
    run = one(watcher, early, core(watcher, "a/core", content="whole", second=60))
    assert (run.facts["crashes"], run.spare) == (1, (early,))


# --- what a run is known by -------------------------------------------------------------------------------------------


def test_the_same_run_three_times_is_three_runs() -> None:
    watcher = artifacts()
    content = {"bad": ("x",), "content": "the same"}
    runs = grouped(
        watcher, *(report(watcher, f"run-{copy}/junit.xml", copy=copy, second=copy, **content) for copy in (1, 2, 3))
    )
    assert len({run.key for run in runs}) == 3


def test_a_run_is_known_wherever_its_folder_lies() -> None:
    watcher = artifacts()
    first, moved = (one(watcher, report(watcher, f"{name}/t/junit.xml", bad=("x",))) for name in ("run-1", "old"))
    assert first.key == moved.key


def test_the_names_below_its_folder_are_part_of_a_run() -> None:
    watcher = artifacts()
    keys = {one(watcher, report(watcher, f"a/{name}", bad=("x",))).key for name in ("junit.xml", "t/junit.xml")}
    assert len(keys) == 2


def test_runs_with_nothing_but_a_done_file_are_known_apart() -> None:
    watcher = artifacts(done="exit")
    first, second = grouped(watcher, part(watcher, "a/exit"), part(watcher, "b/exit", second=1))
    assert first.key != second.key


WATCHER = artifacts(done="exit-code")
PILE = [
    report(WATCHER, "a/junit.xml", bad=("x", "y")),
    report(WATCHER, "a/junit.xml", bad=("x",), second=20),
    report(WATCHER, "a/empty.xml", broken="it is empty", second=3),
    core(WATCHER, "a/core", content="1", second=4),
    core(WATCHER, "a/core", content="2", second=5),
    core(WATCHER, "a/core", content="1", second=6, copy=2),
    part(WATCHER, "a/out.log", second=7),
    part(WATCHER, "a/mediaagent.json", about={"name": "nightly"}, second=1),
    part(WATCHER, "a/run.json", about={"name": "other", "branch": "main"}, second=2),
    part(WATCHER, "a/exit-code", second=30),
    report(WATCHER, "b/junit.xml", passed=3, event_key="closed"),
    core(WATCHER, "b/core", second=50),
    part(WATCHER, "c/out.log"),
]


@given(st.permutations(PILE))
def test_the_order_in_which_files_came_to_us_changes_nothing(pile: list[Part]) -> None:
    assert grouped(WATCHER, *pile) == grouped(WATCHER, *PILE)


@given(st.lists(st.sampled_from(PILE), unique_by=lambda each: each.id), st.integers(0, 100))
def test_every_open_part_is_in_one_run(parts: list[Part], seconds: int) -> None:
    runs = grouped(WATCHER, *parts, at=MOMENT + timedelta(seconds=seconds))
    found = [each.id for run in runs for each in (*run.parts, *run.spare) if not each.event_key]
    assert sorted(found) == sorted(each.id for each in parts if not each.event_key)
    assert all(run.parts for run in runs)
    assert all(each in run.parts for run in runs for each in run.unshown)


# --- what became of it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "headline"),
    [
        (lambda w: [report(w, "a/j.xml", passed=10, bad=("x", "y", "z"))], "3 of 13 tests failed"),
        (lambda w: [report(w, "a/j.xml", passed=10), core(w, "a/core")], "1 crash"),
        (lambda w: [core(w, "a/core.1"), core(w, "a/core.2")], "2 crashes"),
        (lambda w: [report(w, "a/j.xml", broken="it is empty")], "1 report not whole"),
        (
            lambda w: [report(w, "a/j.xml", bad=("x",)), report(w, "a/k.xml", broken="cut"), core(w, "a/core")],
            "1 of 1 test failed, 1 crash, 1 report not whole",
        ),
    ],
)
def test_a_run_has_failed(make: Any, headline: str) -> None:
    watcher = artifacts()
    run = one(watcher, *make(watcher))
    assert (run.facts["outcome"], run.nothing) == ("failed", "")
    assert run.facts["headline"] == headline


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda w: [report(w, "a/j.xml", passed=12)], "it passed: 12 tests"),
        (lambda w: [report(w, "a/j.xml", passed=1), core(w, "a/core", signal=0)], "it passed: 1 test"),
        (lambda w: [core(w, "a/core", signal=0)], "no report and no crash"),
        (lambda w: [part(w, "a/out.log")], "no report and no crash"),
        (lambda w: [part(w, "a/coverage.xml", junit=None)], "no report and no crash"),
    ],
)
def test_a_run_that_went_well_is_not_posted(make: Any, why: str) -> None:
    watcher = artifacts()
    assert one(watcher, *make(watcher)).nothing == why


def test_a_run_that_went_well_is_posted_on_wish_but_no_heap_of_logs() -> None:
    watcher = artifacts(post_when="always")
    run = one(watcher, report(watcher, "a/j.xml", passed=12))
    assert (run.nothing, run.facts["headline"]) == ("", "12 tests passed")
    assert one(watcher, part(watcher, "a/out.log")).nothing == "no report and no crash"


def test_a_crash_that_comes_to_a_run_that_had_passed_makes_it_a_failure() -> None:
    watcher = artifacts()
    closed = again([report(watcher, "a/j.xml", passed=12)], "first")
    run = one(watcher, *closed, core(watcher, "a/core", second=60))
    assert (run.key, run.nothing) == ("first", "")


def test_for_news_a_run_has_a_topic_and_an_outcome() -> None:
    watcher = artifacts(post_when="changed")
    about = part(watcher, "a/mediaagent.json", about={"name": "nightly", "branch": "main"})
    for bad, outcome in (((), "passed"), (("x",), "failed")):
        run = one(watcher, about, report(watcher, "a/j.xml", bad=bad))
        assert (run.topic, run.outcome, run.nothing) == ("nightly/main", outcome, "")
    assert one(watcher, report(watcher, "a/j.xml")).topic == "run"
    assert one(watcher, part(watcher, "a/out.log")).topic == ""  # says nothing of success
    assert one(artifacts(), report(artifacts(), "a/j.xml", bad=("x",))).topic == ""


def test_a_run_happened_when_its_last_file_was_written() -> None:
    watcher = artifacts()
    run = one(watcher, report(watcher, "a/j.xml", bad=("x",)), part(watcher, "a/out.log", second=20))
    assert run.happened_at == MOMENT + timedelta(seconds=20)


# --- what is shown ----------------------------------------------------------------------------------------------------


def shown(watcher: Artifacts) -> set[str]:
    parts = [
        report(watcher, "a/junit.xml", bad=("x",)),
        report(watcher, "a/empty.xml", broken="it is empty", size=0),
        part(watcher, "a/coverage.xml", junit=None),
        core(watcher, "a/core"),
        part(watcher, "a/out.log"),
        part(watcher, "a/run.json", about={}),
    ]
    for name in ("a/b.png", "a/trace.zip"):
        if f"{'screenshots' if name.endswith('png') else 'traces'}" in watcher.attach:
            parts.append(part(watcher, name))
    run = one(watcher, *parts)
    return {each.name.removeprefix("a/") for each in run.parts if each not in run.unshown}


def test_pictures_logs_and_reports_are_shown_and_a_core_is_not() -> None:
    assert shown(artifacts()) == {"junit.xml", "coverage.xml", "out.log", "b.png"}


def test_each_kind_can_be_left_out_or_asked_for() -> None:
    assert shown(artifacts(attach=[])) == set()
    assert shown(artifacts(attach=["logs"])) == {"out.log", "coverage.xml"}
    assert shown(artifacts(attach=["reports", "traces"], cores="attach")) == {"junit.xml", "trace.zip", "core"}
    assert shown(artifacts(attach=[], cores="keep")) == set()


def test_cores_and_large_logs_stay_in_the_spool() -> None:
    watcher = artifacts(keep_cores=timedelta(days=3))
    failed = report(watcher, "a/j.xml", bad=("x",))
    assert one(watcher, failed).keep == timedelta(0)
    assert one(watcher, failed, core(watcher, "a/core")).keep == timedelta(days=3)
    assert one(watcher, failed, part(watcher, "a/out.log", size=10_000_001)).keep == timedelta(days=3)


# --- what is said -----------------------------------------------------------------------------------------------------


def said(run: Sighting) -> tuple[str, str]:
    """Title and body by the watcher's own captions."""
    event = Event(
        id=1,
        source="ci",
        key=run.key,
        kind=run.kind,
        happened_at=run.happened_at,
        facts=run.facts,
        revision=1,
        parts=run.parts,
    )
    known = caption.names_for(event, UTC)
    defaults = Artifacts.defaults
    return caption.render(defaults.title, known), caption.render(defaults.body, known)


def test_the_caption_names_run_build_and_each_failure() -> None:
    watcher = artifacts()
    about = {"name": "nightly", "branch": "main", "commit": "0123456789abcdef", "author": "Ada", "url": "https://ci/1"}
    run = one(
        watcher,
        part(watcher, "a/mediaagent.json", about=about),
        report(watcher, "a/junit.xml", passed=2, bad=("weight", "squeeze")),
        report(watcher, "a/node.xml", broken="it is empty"),
        core(watcher, "a/core", "/srv/bin/press"),
    )
    assert said(run) == (
        "nightly: 2 of 4 tests failed, 1 crash, 1 report not whole",
        "main, 0123456789ab, Ada\nhttps://ci/1\n\nt.weight: weight!\nt.squeeze: squeeze!\n\n"
        "Crashed: press (SIGSEGV)\n\nNot whole: node.xml: it is empty",
    )


def test_a_run_that_says_nothing_of_itself_is_called_as_its_folder() -> None:
    watcher = artifacts()
    assert said(one(watcher, core(watcher, "build-17/core"))) == (
        "build-17: 1 crash",
        "Crashed: press (SIGSEGV)",
    )


def test_names_with_markup_and_templates_come_through_as_plain_text() -> None:
    watcher = artifacts()
    about = {"name": "<script>{{ commit }}</script>", "branch": "{% raw %}"}
    run = one(
        watcher, part(watcher, "a/run.json", about=about), report(watcher, "a/j.xml", bad=("<img src=x>{{ 7*7 }}",))
    )
    title, body = said(run)
    assert title == "<script>{{ commit }}</script>: 1 of 1 test failed"
    assert body == "{% raw %}\n\nt.<img src=x>{{ 7*7 }}: <img src=x>{{ 7*7 }}!"


def test_of_very_many_failures_50_are_named() -> None:
    watcher = artifacts()
    run = one(watcher, report(watcher, "a/j.xml", bad=tuple(f"test{n}" for n in range(70))))
    title, body = said(run)
    assert "70 of 70 tests failed" in title
    assert body.count("\n") == 50
    assert body.endswith("\nand 20 more")


def test_a_test_that_failed_in_two_reports_is_named_once() -> None:
    watcher = artifacts()
    run = one(watcher, report(watcher, "a/j.xml", bad=("x",)), report(watcher, "a/k.xml", bad=("x",)))
    assert (run.facts["failing"], run.facts["failed"], run.facts["more_failing"]) == (["t.x"], 2, 0)


def test_what_the_run_says_of_itself_is_told_in_the_right_order() -> None:
    watcher = artifacts()
    run = one(
        watcher,
        part(watcher, "a/run.json", about={"name": "other", "branch": "main"}),
        part(watcher, "a/mediaagent.json", about={"name": "nightly"}),
        part(watcher, "a/z/core", core={"crashed": True}),
    )
    assert (run.facts["name"], run.facts["branch"]) == ("nightly", "main")


def test_a_word_of_its_own_that_can_not_be_read_is_told() -> None:
    watcher = artifacts()
    broken = part(watcher, "a/run.json", about={}, about_problem="it is no JSON: line 3")
    assert one(watcher, broken, core(watcher, "a/core")).facts["unfinished"] == ["run.json: it is no JSON: line 3"]


def test_facts_are_declared() -> None:
    watcher = artifacts()
    assert set(one(watcher, core(watcher, "a/core")).facts) == set(watcher.defaults.facts)
