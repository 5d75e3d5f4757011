"""The command line as a whole: where settings are found, what each error comes to, what is imported."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import mediaagent
from mediaagent.cli import commands
from mediaagent.cli.commands import main
from mediaagent.errors import StateError

from .cli_help import SETTINGS, a_place

ROOT = Path(mediaagent.__file__).parent.parent


def call(*words: str, **environment: str) -> tuple[int, str, str]:
    result = CliRunner(env=environment).invoke(main, list(words))
    return result.exit_code, result.stdout, result.stderr


def fresh(
    *words: str, cwd: Path, environment: dict[str, str] | None = None, data: bool = False
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mediaagent", *words],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
    )


def test_the_version_is_told() -> None:
    assert call("--version") == (0, f"mediaagent, version {mediaagent.__version__}\n", "")


def test_every_command_has_a_help() -> None:
    for name in commands.COMMANDS:
        code, out, _ = call(name, "--help")
        assert code == 0
        assert out.startswith("Usage:")


@pytest.mark.parametrize(
    "words",
    [
        ("status", "--nagios", "--late", "x"),
        ("status", "--late", "x", "--nagios"),
        ("status", "--nagios", "--lat", "1h"),
        ("status", "--nagios", "--late"),
        ("status", "--nagios", "more"),
        ("--log-level", "loud", "status", "--nagios"),
        ("--config", "/nowhere", "status", "--nagios"),
        ("--config", "/a|b", "status", "--nagios"),
    ],
    ids=" ".join,
)
def test_a_mistaken_check_is_unknown_to_nagios_and_not_critical(words: tuple[str, ...]) -> None:
    code, out, _ = call(*words)
    assert code == 3
    assert re.fullmatch(r"MEDIAAGENT UNKNOWN - [^|\n]+\n", out)


def test_what_is_no_check_keeps_its_own_codes() -> None:
    for words in (("status", "--late", "x"), ("queue", "--nagios"), ("post", "status", "--nagios")):
        code, out, err = call(*words)
        assert (code, out) == (2, "")
        assert err.startswith("Usage:")


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    code, _, err = call("quue")
    assert code == 2
    assert 'did you mean "queue"' in err


def test_settings_are_found_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / "mediaagent"
    home.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MEDIAAGENT_CONFIG", raising=False)
    code, _, err = call("config")
    assert code == 2
    assert "mediaagent init" in err

    def found() -> str:
        code, out, err = call("config", "--json")
        assert code == 0, err
        return str(json.loads(out)["path"])

    (home / "agent.toml").write_text(SETTINGS)
    assert found() == str(home / "agent.toml")
    (tmp_path / "agent.toml").write_text(SETTINGS)
    assert found() == str(tmp_path / "agent.toml")
    (tmp_path / "other.toml").write_text(SETTINGS)
    monkeypatch.setenv("MEDIAAGENT_CONFIG", str(tmp_path / "other.toml"))
    assert found() == str(tmp_path / "other.toml")


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    @click.command("plugins")
    def command() -> None:
        raise error

    monkeypatch.setattr("mediaagent.cli.plugins.command", command)
    return call("plugins")


def test_a_state_that_cannot_be_used_is_one_line_and_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    import mediaagent.cli.plugins

    assert mediaagent.cli.plugins
    assert raising(StateError("another mediaagent is running"), monkeypatch) == (
        2,
        "",
        "another mediaagent is running\n",
    )


def test_a_mistake_of_ours_is_a_report_ready_to_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    import mediaagent.cli.plugins

    assert mediaagent.cli.plugins
    code, _, err = raising(KeyError("oops"), monkeypatch)
    assert code == 2
    for part in ("Please report it", mediaagent.__version__, "Python 3.", "command:", "KeyError: 'oops'"):
        assert part in err


def test_ctrl_c_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    import mediaagent.cli.plugins

    assert mediaagent.cli.plugins
    code, out, err = raising(KeyboardInterrupt(), monkeypatch)
    assert code == 130
    assert (out + err).strip() == ""


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    a_place(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "mediaagent", "--config", str(tmp_path / "agent.toml"), "config"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(30) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [["config"], ["queue", "--json"], ["--help"]])
def test_an_output_that_takes_nothing_is_one_line_and_code_2(tmp_path: Path, words: list[str]) -> None:
    a_place(tmp_path)
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "mediaagent", "--config", str(tmp_path / "agent.toml"), *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "could not be written" in result.stderr


def of_sqlite(folder: Path, what: str) -> sqlite3.Error:
    """An error as SQLite itself makes it."""
    connection = sqlite3.connect(folder / "some.db", isolation_level=None, timeout=0)
    other = sqlite3.connect(folder / "some.db", isolation_level=None, timeout=0)
    connection.execute("CREATE TABLE some (text)")
    connection.execute({"full": "PRAGMA max_page_count = 3", "readonly": "PRAGMA query_only = 1"}.get(what, ""))
    if what == "locked":
        other.execute("BEGIN EXCLUSIVE")
    try:
        for _ in range(20):
            connection.execute("INSERT INTO some VALUES (?)", ("x" * 4000,))
    except sqlite3.Error as error:
        return error
    finally:
        connection.close()
        other.close()
    raise AssertionError("SQLite took it all")


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [("full", 1, "make room"), ("readonly", 2, "the right to write"), ("locked", 2, "by another program")],
)
def test_what_the_machine_refuses_the_agent_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, code: int, said: str
) -> None:
    error = of_sqlite(tmp_path, what)

    def refuse(*_: object) -> None:
        raise error

    place = a_place(tmp_path)
    monkeypatch.setattr("mediaagent.once.run_once", refuse)
    answer = place.call("run", "--once")
    assert (answer.code, answer.err.count("\n")) == (code, 1)
    assert str(tmp_path / "state" / "outbox.db") in answer.err
    assert said in answer.err


def test_once_tells_what_was_refused_and_each_path_one_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_once(agent: object, patience: float, told: Callable[[str], None]) -> Counter[str]:
        told("feeder: /srv/a b.jpg: /srv/a b.jpg: Permission denied")
        return Counter(delivered=1, refused=2, dismissed=1)

    place = a_place(tmp_path)
    monkeypatch.setattr("mediaagent.once.run_once", run_once)
    answer = place.call("run", "--once")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "not taken: feeder: /srv/a b.jpg: Permission denied",
        "1 delivered, 2 refused (see `mediaagent queue`), 1 not to be posted (see `mediaagent queue --all`)",
    ]


def test_an_error_of_sqlites_that_is_our_mistake_stays_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object) -> None:
        sqlite3.connect(":memory:").execute("SELECT no_such")

    place = a_place(tmp_path)
    monkeypatch.setattr("mediaagent.once.run_once", mistaken)
    answer = place.call("run", "--once")
    assert answer.code == 2
    assert "no such column" in answer.err
    assert "command: run\n" in answer.err


@pytest.mark.parametrize("words", [["queue"], ["config"], ["why", "1"], ["plugins", "motion"]])
def test_commands_that_only_look_import_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    a_place(tmp_path)
    script = (
        "import sys\nfrom mediaagent.cli.commands import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'cv2', 'numpy', 'requests', 'watchdog', 'pyinotify'} & sys.modules.keys()), file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, "--config", str(tmp_path / "agent.toml"), *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert result.stderr.splitlines()[-1] == "[]"


def test_a_terminal_that_knows_only_ascii_gets_names_escaped(tmp_path: Path) -> None:
    place = a_place(tmp_path)
    names = ["größe.jpg", "two\nlines.jpg", os.fsdecode(b"caf\xe9.jpg"), "-dash.jpg", "n" * 255]
    for name in names:
        (place.pictures / name).write_text("x")
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    config = ["--config", str(tmp_path / "agent.toml")]
    plain = fresh(*config, "scan", "feeder", cwd=tmp_path, environment=ascii_only)
    assert (plain.returncode, plain.stderr) == (0, "")
    for shown in (r"gr\xf6\xdfe.jpg", r"two\nlines.jpg", r"caf\udce9.jpg", "-dash.jpg", "n" * 255):
        assert shown in plain.stdout
    document = json.loads(fresh(*config, "scan", "feeder", "--json", cwd=tmp_path, environment=ascii_only).stdout)
    assert {file["name"] for file in document["files"]} >= {"größe.jpg", r"two\nlines.jpg", r"caf\udce9.jpg"}
    for name in names:
        assert fresh(*config, "why", "--", str(place.pictures / name), cwd=tmp_path).returncode == 0
