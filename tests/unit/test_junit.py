"""JUnit XML of every runner that is known, and what is no report, or means harm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaagent.builtin.evidence import junit

RUN = Path(__file__).parents[1] / "data" / "artifacts" / "run"
EXPECTED = json.loads((RUN / "expected.json").read_text())["junit"]


def told(folder: Path, text: str | bytes) -> dict[str, Any]:
    path = folder / "report.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    report = junit.read(path)
    assert report is not None
    return report


def only(folder: Path, text: str) -> dict[str, str]:
    """The one case that went wrong."""
    (bad,) = told(folder, text)["bad"]
    return dict(bad)


# --- what the runners write -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPECTED)
def test_cases_are_counted_by_state_and_the_bad_ones_named(name: str) -> None:
    report, expected = junit.read(RUN / "tree" / name), EXPECTED[name]
    assert report is not None
    states = {"pass": "passed", "failure": "failed", "error": "errors", "skipped": "skipped"}
    assert {state: report[key] for state, key in states.items()} == expected["by_state"]
    assert report["tests"] == expected["testcases"]
    assert [[bad["classname"], bad["name"], bad["state"]] for bad in report["bad"]] == expected["bad"]
    assert "broken" not in report
    assert all(bad["message"] and bad["text"] for bad in report["bad"])


def test_every_report_of_the_recording_is_expected() -> None:
    assert {str(path.relative_to(RUN / "tree")) for path in RUN.glob("tree/**/*.xml")} == set(EXPECTED)


def test_gotestsum_and_xmlrunner_are_read_as_they_nest(tmp_path: Path) -> None:
    gotestsum = """<testsuites tests="9"><testsuite tests="1" name="orchard/press"><properties>
        <property name="go.version" value="go1.22"></property></properties>
        <testcase classname="orchard/press" name="TestSqueeze"><failure message="Failed" type="">=== RUN   TestSqueeze
    press_test.go:12: 3 apples, not 4
--- FAIL: TestSqueeze (0.00s)
</failure></testcase></testsuite><testsuite name="orchard/pick"></testsuite></testsuites>"""
    assert only(tmp_path, gotestsum)["message"] == "press_test.go:12: 3 apples, not 4"
    xmlrunner = """<testsuites><testsuite name="outer"><testcase classname="t.Press" name="test_a"/>
        <testsuite name="inner"><testcase classname="t.Press" name="test_b">
        <error type="OSError" message="no ladder"><![CDATA[Traceback]]></error></testcase></testsuite>
        </testsuite></testsuites>"""
    report = told(tmp_path, xmlrunner)
    assert (report["suites"], report["tests"], report["passed"], report["errors"]) == (2, 2, 1, 1)


def test_namespaces_change_nothing(tmp_path: Path) -> None:
    report = told(
        tmp_path, '<j:testsuite xmlns:j="urn:junit"><j:testcase name="a"><j:failure/></j:testcase></j:testsuite>'
    )
    assert (report["tests"], report["failed"]) == (1, 1)


def test_a_case_that_failed_and_broke_counts_once(tmp_path: Path) -> None:
    report = told(tmp_path, "<testsuite><testcase><error/><failure/><skipped/></testcase></testsuite>")
    assert (report["tests"], report["failed"], report["errors"], report["skipped"]) == (1, 1, 0, 0)


def test_surefires_reruns_that_passed_in_the_end_passed(tmp_path: Path) -> None:
    report = told(tmp_path, "<testsuite><testcase name='a'><flakyFailure message='x'/></testcase></testsuite>")
    assert (report["tests"], report["passed"]) == (1, 1)


def test_it_is_counted_whatever_the_attributes_claim(tmp_path: Path) -> None:
    report = told(tmp_path, '<testsuite tests="3" failures="0">' + "<testcase name='a'/>" * 4 + "</testsuite>")
    assert (report["tests"], report["passed"]) == (4, 4)


@pytest.mark.parametrize("junk", ['tests="many"', 'tests="-1"', 'time="NaN,,"', 'errors=""'])
def test_attributes_without_sense_do_no_harm(tmp_path: Path, junk: str) -> None:
    assert told(tmp_path, f"<testsuite {junk}><testcase {junk} name='a'/></testsuite>")["tests"] == 1


# --- why it failed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ('<failure message="no grip">Traceback</failure>', "no grip"),
        ("<error type='java.lang.Error'>\n  java.lang.Error: worn\n\tat a.B</error>", "java.lang.Error: worn"),
        ("<error type='java.lang.Error'/>", "java.lang.Error"),
        ('<error message="collection failure">a.py:1\nE   ImportError: no jam\n</error>', "ImportError: no jam"),
        (
            '<failure message="a.spec.ts:3:1 has jam" type="FAILURE">[chromium] a.spec.ts\n  Error: no jam\n</failure>',
            "Error: no jam",
        ),
        ('<failure message=""/><system-out>picking\nno jam\n</system-out>', "no jam"),
        ("<failure/>", ""),
    ],
)
def test_the_message_is_what_says_most(tmp_path: Path, result: str, message: str) -> None:
    assert only(tmp_path, f"<testsuite><testcase name='a'>{result}</testcase></testsuite>")["message"] == message


def test_a_case_without_words_shows_its_output(tmp_path: Path) -> None:
    bad = only(tmp_path, "<testsuite><testcase><failure/><system-err>boom</system-err></testcase></testsuite>")
    assert bad["text"] == "boom"


def test_long_texts_keep_their_beginning_and_their_end(tmp_path: Path) -> None:
    text = "first\n" + "x" * 1_000_000 + "\nlast"
    bad = only(
        tmp_path, f"<testsuite><testcase><failure message='{'m' * 9000}'>{text}</failure></testcase></testsuite>"
    )
    assert bad["text"].startswith("first\n")
    assert bad["text"].endswith("\nlast")
    assert len(bad["text"]) == 2000
    assert len(bad["message"]) == 500


def test_of_very_many_failures_200_are_told(tmp_path: Path) -> None:
    report = told(tmp_path, "<testsuite>" + "<testcase><failure/></testcase>" * 1000 + "</testsuite>")
    assert (report["failed"], len(report["bad"]), report["bad_more"]) == (1000, 200, 800)


def test_names_are_plain_text_of_one_line(tmp_path: Path) -> None:
    name = "&lt;b&gt;&#9;a&#10;b&#x85;&#x202e;[NON-XML-CHAR-0x1B][31mred[NON-XML-CHAR-0x1B][0m"
    bad = only(tmp_path, f'<testsuite><testcase classname="{name}" name="{name}"><error/></testcase></testsuite>')
    assert bad["name"] == bad["classname"] == "<b> a bred"


# --- what is not whole, or no report ----------------------------------------------------------------------------------


def test_xml_of_another_kind_is_no_report(tmp_path: Path) -> None:
    path = tmp_path / "coverage.xml"
    path.write_text("<?xml version='1.0'?><coverage><testcase><failure/></testcase></coverage>")
    assert junit.read(path) is None


def test_an_empty_report_is_broken(tmp_path: Path) -> None:
    assert told(tmp_path, "")["broken"] == "it is empty"


@pytest.mark.parametrize(
    "text", ["no xml", "<testsuite>", "<testsuite></testsuites>", "<testsuite/><testsuite/>", "\0\0"]
)
def test_what_does_not_parse_is_broken(tmp_path: Path, text: str) -> None:
    assert "it does not parse" in told(tmp_path, text)["broken"]


@pytest.mark.parametrize("encoding", ["shift_jis", "x-nonsense", "utf-32"])
def test_an_encoding_that_nobody_reads_is_told(tmp_path: Path, encoding: str) -> None:
    assert told(tmp_path, f'<?xml version="1.0" encoding="{encoding}"?><testsuite/>')["broken"]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
def test_encodings_that_runners_use_are_read(tmp_path: Path, encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = (
        f'<?xml version="1.0" encoding="{declared}"?><testsuite><testcase name="Zürich"><error/></testcase></testsuite>'
    )
    assert only_bytes(tmp_path, text.encode(encoding))["name"] == "Zürich"


def only_bytes(folder: Path, data: bytes) -> dict[str, str]:
    (bad,) = told(folder, data)["bad"]
    return dict(bad)


@given(st.integers(0, (RUN / "tree/pytest/junit.xml").stat().st_size - 1))
def test_a_cut_report_tells_what_stood_before_the_cut(tmp_path_factory: pytest.TempPathFactory, size: int) -> None:
    data = (RUN / "tree/pytest/junit.xml").read_bytes()
    whole, cut = (told(tmp_path_factory.getbasetemp(), part) for part in (data, data[:size]))
    assert cut["broken"]
    assert cut["tests"] <= whole["tests"]
    assert cut["bad"] == whole["bad"][: len(cut["bad"])]


# --- harm -------------------------------------------------------------------------------------------------------------

LAUGHS = "<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{n + 1} '{f'&a{n};' * 10}'>" for n in range(9))


@pytest.mark.parametrize(
    "declared",
    [
        LAUGHS,
        "<!ENTITY a9 '" + "x" * 100_000 + "'>",
        "<!ENTITY a9 SYSTEM 'file:///etc/passwd'>",
        "<!ENTITY % a9 SYSTEM 'http://127.0.0.1:1/a.dtd'> %a9;",
        "<!NOTATION gif SYSTEM 'viewer'><!ENTITY a9 SYSTEM 'a.gif' NDATA gif>",
    ],
)
def test_a_document_that_declares_entities_is_refused(tmp_path: Path, declared: str) -> None:
    text = (
        f"<!DOCTYPE testsuite [{declared}]><testsuite><testcase name='a'><failure>&a9;</failure></testcase></testsuite>"
    )
    report = told(tmp_path, text)
    assert "declares entities" in report["broken"]
    assert report["tests"] == 0


def test_another_file_is_never_asked_for(tmp_path: Path) -> None:
    (tmp_path / "junit.dtd").write_text("<!ENTITY a9 'read'>")
    text = f"<!DOCTYPE testsuite SYSTEM 'file://{tmp_path}/junit.dtd'><testsuite><testcase name='a'/></testsuite>"
    assert told(tmp_path, text)["tests"] == 1
    assert "read" not in str(told(tmp_path, text.replace("'a'/>", "'a'><failure>&a9;</failure></testcase>")))


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    assert "nested" in told(tmp_path, "<testsuite>" * 100_000)["broken"]


def test_names_without_end_are_refused(tmp_path: Path) -> None:
    assert "names" in told(tmp_path, "<testsuite>" + "".join(f"<a{n}/>" for n in range(5000)))["broken"]


MEASURED = """
import re, sys
from pathlib import Path
from mediaagent.builtin.evidence import junit
report = junit.read(Path(sys.argv[1]))
# Not ru_maxrss, which counts the process that started this one, too.
memory = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(report["tests"], report.get("broken", ""), memory, sep="|")
"""


def large(path: Path, pieces: Iterable[bytes]) -> tuple[int, str, int]:
    """Test cases, what is wrong, and the most memory (kB) of a process that reads 100 MB of it."""
    with path.open("wb") as stream:
        for piece in pieces:
            stream.write(piece)
    assert path.stat().st_size > 100_000_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, path], capture_output=True, text=True, check=True, timeout=100
    )
    tests, broken, memory = done.stdout.split("|")
    return int(tests), broken, int(memory)


@pytest.mark.slow
def test_100_mb_take_no_more_memory_than_one(tmp_path: Path) -> None:
    case = b'<testcase classname="orchard.Press" name="test_squeeze[apple]" time="0.001"><system-out>ok</system-out>'
    case += b"</testcase>"
    cases = large(tmp_path / "a.xml", (b"<testsuite>", *([case * 1000] * 900), b"</testsuite>"))
    assert cases[:2] == (900_000, "")
    text = large(
        tmp_path / "b.xml",
        (b"<testsuite><testcase><failure>", *([b"line\n" * 200_000] * 101), b"</failure></testcase></testsuite>"),
    )
    assert text[:2] == (1, "")
    tag = large(tmp_path / "c.xml", (b"<testsuite><testcase name='", *([b"x" * 1_000_000] * 101), b"'/></testsuite>"))
    assert "8 MB in one tag" in tag[1]
    assert max(memory for _, _, memory in (cases, text, tag)) < 80_000
