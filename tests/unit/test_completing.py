"""What a shell is offered at a TAB: files where an argument is one, and names that stand in the settings."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete

from mediaagent.cli.commands import main

SETTINGS = """\
[watch.feeder]
type = "folder"
path = "pictures"

[watch.nightly]
type = "artifacts"
path = "runs"

[upload.family]
type = "page"
path = "page"

[upload.friends]
type = "page"
path = "friends"
"""


def offered(line: str) -> list[tuple[str, str]]:
    """Kind and value of each word that is offered at the end of this line."""
    *words, last = line.split(" ")
    found = BashComplete(main, {}, "mediaagent", "_MEDIAAGENT_COMPLETE").get_completions(words, last)
    return [(item.type, item.value) for item in found]


def names(line: str) -> list[str]:
    assert all(kind == "plain" for kind, _ in offered(line))
    return [value for _, value in offered(line)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDIAAGENT_CONFIG", raising=False)
    (tmp_path / "agent.toml").write_text(SETTINGS)
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "why ",
        "preview a.jpg ",
        "post photo ",
        "post photo a.jpg ",
        "post audio ",
        "post file -m x ",
        "post status --file ",
        "known post /x --data ",
        "init --output ",
        "--config ",
    ],
)
def test_where_a_file_stands_the_shell_offers_files(line: str) -> None:
    assert offered(line) == [("file", "")]
    assert offered(f"{line}pic") == [("file", "pic")]


@pytest.mark.parametrize("line", ["post run ", "post status --drop ", "preview a.jpg --out ", "demo --folder "])
def test_where_a_folder_stands_the_shell_offers_folders(line: str) -> None:
    assert offered(line) == [("dir", "")]


@pytest.mark.parametrize("line", ["scan ", "queue --source ", "queue list --source ", "preview a.jpg --source "])
def test_sources_are_offered_by_name(line: str) -> None:
    assert names(line) == ["feeder", "nightly"]
    assert names(f"{line}n") == ["nightly"]


def test_of_the_sources_a_run_is_offered_those_for_runs() -> None:
    assert names("post run DIR --source ") == ["nightly"]


@pytest.mark.parametrize(
    "line",
    [
        "post status --to ",
        "post photo a.jpg --to family --to ",
        "post run DIR --to ",
        "post mail --to ",
        "queue --target ",
        "queue retry --all --target ",
        "queue drop 1 --target ",
        "known whoami --to ",
    ],
)
def test_targets_are_offered_by_name(line: str) -> None:
    assert names(line) == ["family", "friends"]
    assert names(f"{line}fr") == ["friends"]


def test_names_come_from_the_settings_that_the_line_or_the_environment_names(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "other.toml").write_text("[watch.attic]\n[watch.cellar]\n")
    assert names("--config other.toml scan ") == ["attic", "cellar"]
    monkeypatch.setenv("MEDIAAGENT_CONFIG", "other.toml")
    assert names("scan c") == ["cellar"]


@pytest.mark.parametrize("text", ["nonsense", "watch = 1", "[watch]\nfeeder = 1", "\udcff", None], ids=ascii)
def test_settings_that_can_t_be_read_offer_nothing_and_say_nothing(
    here: Path, text: str | None, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here))
    (here / "agent.toml").unlink()
    if text is not None:
        (here / "agent.toml").write_bytes(text.encode(errors="surrogateescape"))
    assert offered(f"--config {here}/agent.toml scan ") == []
    assert offered("post status --to ") == []
    assert capfd.readouterr() == ("", "")


def test_every_option_and_argument_that_names_a_file_or_a_target_is_completed() -> None:
    """By what it is called in the help: whoever adds one is reminded."""
    told = {"FILE", "FILE...", "DIR", "FOLDER", "TARGET", "PATH|EVENT|KEY"}
    for command, parameter in _parameters(main, click.Context(main)):
        if parameter.metavar in told and (command.name, parameter.name) != ("login", "name"):
            assert parameter.shell_complete(click.Context(command), ""), f"{command.name} {parameter.name}"


def _parameters(command: click.Command, context: click.Context) -> list[tuple[click.Command, click.Parameter]]:
    found = [(command, parameter) for parameter in command.params]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (child := command.get_command(context, name)) is not None:
                found += _parameters(child, context)
    return found
