"""The plug-in of docs/plugins.md, installed as its users would: beside mediaagent, by pip."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mediaagent.testing import picture
from tests.system.agent import DATA, ROOT, AgentProcess, items

SETTINGS = """
[agent]
state = "state"
page = "page"

[watch.gate]
type = "doorbell"
path = "rings"
existing = "post"
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plug-in in it, made by pip without a network."""
    source = tmp_path_factory.mktemp("doorbell") / "plugin"
    shutil.copytree(DATA / "doorbell_plugin", source, ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path_factory.mktemp("installed") / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run([*pip, *offline], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def agent(installed: Path, tmp_path: Path) -> Callable[..., AgentProcess]:
    """Settings that use the plug-in, and an agent that finds it; with `module`, the plug-in's text is this one."""

    def make(module: str = "") -> AgentProcess:
        place = installed
        if module:
            place = shutil.copytree(installed, tmp_path / "other", ignore=shutil.ignore_patterns("__pycache__"))
            (place / "mediaagent_doorbell.py").write_text(module)
        (tmp_path / "rings").mkdir()
        made = AgentProcess(tmp_path, environment={"PYTHONPATH": os.pathsep.join([str(place), str(ROOT)])})
        made.configure(SETTINGS)
        return made

    return make


def test_an_installed_plugin_is_listed_with_its_manual(agent: Callable[..., AgentProcess]) -> None:
    (record,) = json.loads(agent().call("plugins", "doorbell", "--json").stdout)
    assert record["distribution"] == "mediaagent-doorbell"
    assert record["manual"] == "Pictures that a doorbell takes: one picture, one event."
    assert [option["name"] for option in record["options"]] == ["path"]
    assert "door" in record["facts"]


def test_its_files_are_posted_and_the_others_are_not(agent: Callable[..., AgentProcess], tmp_path: Path) -> None:
    doorbell = agent()
    picture(tmp_path / "rings" / "front-0041.jpg")
    picture(tmp_path / "rings" / "back-0007.jpg", grey=40)
    picture(tmp_path / "rings" / "test.jpg", grey=80)
    done = doorbell.call("run", "--once")
    assert done.returncode == 0, done.stderr
    titles = sorted(post["title"].partition(": ")[2] for post in items(tmp_path / "page"))
    assert titles == ["a ring at the back door", "a ring at the front door"]
    why = doorbell.call("why", str(tmp_path / "rings" / "test.jpg"))
    assert "ignored: no picture of a ring: their names are like front-0041.jpg" in why.stdout


def test_a_mistyped_option_of_it_is_told_with_its_line(agent: Callable[..., AgentProcess], tmp_path: Path) -> None:
    doorbell = agent()
    doorbell.configure(SETTINGS.replace("path =", "paht ="))
    done = doorbell.call("check")
    assert done.returncode == 2
    assert (
        f'{tmp_path / "agent.toml"}:8: watch.gate.paht: there is no such option\n    did you mean "path"?'
        in done.stderr
    )


BROKEN = {
    "a library is missing": ("import a_library_that_is_not_there", "No module named 'a_library_that_is_not_there'"),
    "it has a mistake": ("Doorbell = 1 / 0", "ZeroDivisionError: division by zero"),
    "its class is missing": ("Doorbel = object", "has no attribute 'Doorbell'"),
}


@pytest.mark.parametrize(("module", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_a_record_with_a_reason_and_not_a_crash(
    agent: Callable[..., AgentProcess], module: str, reason: str
) -> None:
    doorbell = agent(module=module)
    listed = doorbell.call("plugins")
    assert listed.returncode == 0
    (line,) = [line for line in listed.stdout.splitlines() if line.startswith("doorbell")]
    assert "broken: " in line
    assert reason in line
    done = doorbell.call("run", "--once")
    assert done.returncode == 2
    assert 'watch.gate.type: the watcher "doorbell" of mediaagent-doorbell could not be loaded: ' in done.stderr
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_plugin_is_in_nobody_elses_way(agent: Callable[..., AgentProcess], tmp_path: Path) -> None:
    doorbell = agent(module="Doorbell = 1 / 0")
    doorbell.configure(SETTINGS.replace('"doorbell"', '"folder"'))
    picture(tmp_path / "rings" / "front-0041.jpg")
    assert doorbell.call("run", "--once").returncode == 0
    assert [post["title"] for post in items(tmp_path / "page")] == ["front-0041"]


def test_a_watcher_that_fails_at_work_costs_only_its_own_files(
    agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    text = (DATA / "doorbell_plugin" / "mediaagent_doorbell.py").read_text()
    first = "        name = re."
    doorbell = agent(module=text.replace(first, f'        assert "bad" not in file.path.name\n{first}'))
    picture(tmp_path / "rings" / "front-0041.jpg")
    picture(tmp_path / "rings" / "bad-0001.jpg")
    done = doorbell.call("run", "--once")
    assert done.returncode == 0, done.stderr
    assert len(items(tmp_path / "page")) == 1
    assert "watcher failed" in done.stderr
