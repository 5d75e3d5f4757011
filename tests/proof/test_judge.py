"""The judge, judged: it sees what is lost, doubled, changed and strange, and nothing in what is right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.proof.judge import Posted, differences
from tests.proof.record import Record, Tried

pytestmark = pytest.mark.slow

VISIT = Posted("a visit", (("one.jpg", "1111"), ("two.jpg", "2222")))
PAPER = Posted("a paper", (("paper.txt", "3333"),))
WANTED = Counter([VISIT, PAPER])


def test_what_is_right_is_right() -> None:
    assert differences(WANTED, Counter([PAPER, VISIT])) == []


def test_what_is_missing_is_lost_unless_it_is_listed() -> None:
    (wrong,) = differences(WANTED, Counter([VISIT]))
    assert "'a paper' is lost" in wrong
    assert differences(WANTED, Counter([VISIT]), listed=["a paper"]) == []
    assert differences(WANTED, Counter([VISIT]), listed=["a visit"]), "another one's reason is none"


def test_what_stands_there_twice_is_told() -> None:
    (wrong,) = differences(WANTED, Counter([VISIT, PAPER, VISIT]))
    assert "'a visit' stands there twice" in wrong


@pytest.mark.parametrize("files", [VISIT.files[:1], (("one.jpg", "1111"), ("two.jpg", "9999")), ()])
def test_other_files_are_a_stranger_and_a_loss(files: tuple[tuple[str, str], ...]) -> None:
    assert len(differences(WANTED, Counter([PAPER, Posted("a visit", files)]))) == 2


def test_a_proof_that_breaks_has_proven_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.proof.record.FOLDER", tmp_path)
    record = Record("judge", long=False, ends_at=float("inf"))

    def breaks(case: str) -> Tried:
        raise OSError("no such thing")

    with pytest.raises(AssertionError, match="OSError: no such thing"):
        record.each("itself", ["one"], breaks)


def test_the_long_form_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.proof.record.FOLDER", tmp_path)
    done: list[int] = []

    def tried(case: int) -> Tried:
        done.append(case)
        record.ends_at = float("-inf") if case == 2 else record.ends_at
        return Tried()

    record = Record("judge", long=True, ends_at=float("inf"))
    with pytest.raises(pytest.skip.Exception, match="after 3 tries"):
        record.each("itself", range(5), tried)
    record.ends_at = float("inf")
    record.each("itself", range(5), tried)
    assert done == [0, 1, 2, 3, 4]


def test_the_long_form_tries_anew_where_something_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.proof.record.FOLDER", tmp_path)
    mended = False
    done: list[int] = []

    def tried(case: int) -> Tried:
        done.append(case)
        return Tried() if mended or case != 1 else Tried(["lost"])

    record = Record("judge", long=True, ends_at=float("inf"))
    with pytest.raises(AssertionError, match="1: lost"):
        record.each("itself", range(3), tried)
    mended = True
    record.each("itself", range(3), tried)
    assert done == [0, 1, 2, 1]
