"""What Python says when it fails, found in logs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaagent.builtin.enrichers.triage_logs import Trouble, troubles_in
from tests.unit.core_dumps import DATA

CONSOLE = DATA / "run" / "tree" / "pytest" / "console.log"


def found(text: str | bytes, folder: Path) -> list[Trouble]:
    log = folder / "out.log"
    log.write_bytes(text if isinstance(text, bytes) else text.encode())
    return troubles_in(log)


def said(program: str) -> str:
    """What this Python prints when a program fails."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60).stderr


def test_every_failure_of_a_recorded_run_of_pytest_is_found() -> None:
    troubles = troubles_in(CONSOLE)
    assert [(each.test, each.exception.split(":")[0]) for each in troubles] == [
        ("", "Fatal Python error"),
        ("ERROR at setup of test_climb", "FileNotFoundError"),
        ("ERROR at teardown of test_carry", "RuntimeError"),
        ("test_weight", "AssertionError"),
        ("test_kind[Z\\xfcr\\u0131ch \\u2603]", "AssertionError"),
        ("test_kind[a/b:c*?]", "AssertionError"),
        ("TestPress.test_squeeze", "ValueError"),
        ("TestPress.test_deep", "ZeroDivisionError"),
        ("test_kind[\\x1b[31mred\\x00]", "AssertionError"),
        ("test_attach", "AssertionError"),
    ]
    assert troubles[3].excerpt.splitlines()[-1] == "test_orchard.py:7: AssertionError"
    assert not any("\x07" in each.excerpt for each in troubles)


def test_of_a_crashed_python_the_thread_that_crashed_is_shown_from_its_end() -> None:
    lines = troubles_in(CONSOLE)[0].excerpt.splitlines()
    assert lines[0] == "Fatal Python error: Segmentation fault"
    assert lines[1].startswith("Current thread 0x")
    assert lines[2] == '  File "/srv/producers/art/tmp/test_dies.py", line 2 in test_dies'
    assert len(lines) == 30
    assert "execnet/gateway_base.py" not in lines[3]


def test_a_traceback_of_this_python_is_found_with_what_led_to_it(tmp_path: Path) -> None:
    program = (
        "def f(n):\n try: 1 // n\n except ZeroDivisionError as error: raise ValueError('no pears') from error\nf(0)"
    )
    (trouble,) = found(f"starting\n{said(program)}\nbye\n", tmp_path)
    assert trouble.exception == "ValueError: no pears"
    assert "ZeroDivisionError" in trouble.excerpt
    assert trouble.excerpt.splitlines()[-1] == "ValueError: no pears"
    assert "bye" not in trouble.excerpt


def test_a_traceback_that_is_further_in_is_found_as_well(tmp_path: Path) -> None:
    inside = "\n".join(f"    {line}" for line in said("raise KeyError('pear')").splitlines())
    assert [each.exception for each in found(f"log:\n{inside}\nbye\n", tmp_path)] == ["KeyError: 'pear'"]


def test_an_exception_without_a_message_is_found(tmp_path: Path) -> None:
    assert [each.exception for each in found(said("raise KeyboardInterrupt"), tmp_path)] == ["KeyboardInterrupt"]


def test_a_crash_that_faulthandler_saw_is_found(tmp_path: Path) -> None:
    (trouble,) = found(said("import faulthandler; faulthandler.enable(); faulthandler._sigabrt()"), tmp_path)
    assert trouble.exception == "Fatal Python error: Aborted"
    assert '  File "<string>", line 1 in <module>' in trouble.excerpt


def test_the_same_failure_is_found_once(tmp_path: Path) -> None:
    assert len(found(said("raise KeyError('pear')") * 40, tmp_path)) == 1


def test_colours_are_taken_away(tmp_path: Path) -> None:
    text = "\x1b[31m____ test_a ____\x1b[0m\n\x1b[1m\x1b[31mE   ValueError: red\x1b[0m\n"
    assert found(text, tmp_path) == [Trouble("ValueError: red", "E   ValueError: red", "test_a")]


def test_of_a_long_log_both_ends_are_read_and_not_the_middle(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    with log.open("wb") as stream:
        stream.write(said("raise KeyError('first')").encode())
        stream.truncate(3 << 30)
        stream.seek((3 << 30) - 1000)
        stream.write(b"\n" + said("raise KeyError('last')").encode())
    begun = time.process_time()
    assert [each.exception for each in troubles_in(log)] == ["KeyError: 'first'", "KeyError: 'last'"]
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):\n",
        "Traceback (most recent call last):\n  x\n",
        "____ a ____\n",
        "Fatal Python error: x\n",
        "Fatal Python error: x",
        "   Traceback (most recent call last):\n",
        "E   " * 100 + "\n",
    ],
)
def test_a_log_made_to_be_hard_takes_no_longer(line: str, tmp_path: Path) -> None:
    begun = time.process_time()
    assert len(found(line * (2_000_000 // len(line)), tmp_path)) <= 50
    assert time.process_time() - begun < 5


WORDS = [
    "Traceback (most recent call last):",
    '  File "a", line 1, in f',
    "ValueError: x",
    "____ t ____",
    "E   x",
    "=== y ===",
]


@given(st.lists(st.one_of(st.sampled_from(WORDS).map(str.encode), st.binary(max_size=20)), max_size=30))
def test_any_log_can_be_read(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    for trouble in found(b"\n".join(lines), tmp_path_factory.getbasetemp()):
        assert trouble.exception
        assert len(trouble.excerpt.splitlines()) <= 30
