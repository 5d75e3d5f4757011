"""The manual pages say what the commands say, and real shells complete real words."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.regenerate_manual import PACKAGING, made

MANUAL = ("man/mediaagent.1", "man/agent.toml.5")
SETUP = {
    "bash": "source {completions}/mediaagent.bash\n",
    # As Debian's zsh finds what lies in vendor-completions: by fpath, loaded when it is first used.
    "zsh": "fpath=({completions} $fpath); autoload -Uz compinit; compinit -u -d {folder}/zcompdump\n",
}
START = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}


@pytest.mark.parametrize("name", MANUAL)
def test_the_manual_is_what_the_commands_and_options_say(name: str) -> None:
    assert (PACKAGING / name).read_text(encoding="utf-8") == made()[name], "run: python -m tests.unit.regenerate_manual"


@pytest.mark.slow
@pytest.mark.parametrize("name", MANUAL)
def test_the_manual_is_well_formed(name: str) -> None:
    found = subprocess.run(["mandoc", "-Tlint", "-Wwarning", PACKAGING / name], capture_output=True, text=True)
    wrong = [line for line in found.stdout.splitlines() if "missing date" not in line]  # a date would make it new daily
    assert wrong == []


class Shell:
    """An interactive shell at the other end of a terminal."""

    def __init__(self, name: str, folder: Path) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # with the script that pip installed
        environment = {"PATH": path, "TERM": "dumb", "HOME": str(folder), "PS1": "> "}
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvpe(START[name][0], START[name], environment)
        self.type(SETUP[name].format(completions=PACKAGING / "completions", folder=folder) + "echo re''ady\n", "ready")

    def type(self, keys: str, until: str) -> str:
        """What the terminal shows after these keys, as soon as `until` stands there."""
        os.write(self._terminal, keys.encode())
        shown, end = "", time.monotonic() + 20
        while not re.search(until, shown):
            assert time.monotonic() < end, f"{until!r} is not in {shown!r}"
            if select.select([self._terminal], [], [], 0.2)[0]:
                shown += os.read(self._terminal, 4096).decode(errors="replace")
        return shown

    def close(self) -> None:
        os.close(self._terminal)  # a hang-up, which ends it
        os.waitpid(self._pid, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_tab_completes_commands_and_options(name: str, tmp_path: Path) -> None:
    assert shutil.which(name), f"there is no {name}: apt-get install {name}"
    shell = Shell(name, tmp_path)
    try:
        shell.type("mediaagent que\t", r"mediaagent que(.*)ue ?$")
        shell.type("--js\t", r"on ?$")
        shell.type("\x15mediaagent queue re\t\t", r"release[\s\S]*retry|retry[\s\S]*release")
    finally:
        shell.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_tab_completes_files_folders_and_names_of_the_settings(name: str, tmp_path: Path) -> None:
    assert shutil.which(name), f"there is no {name}: apt-get install {name}"
    (tmp_path / "robin-in-may.jpg").touch()
    (tmp_path / "nightly-run").mkdir()
    (tmp_path / "nightly-run.txt").touch()
    (tmp_path / "agent.toml").write_text("[watch.feeder]\n[upload.family]\n")
    shell = Shell(name, tmp_path)
    try:
        shell.type(f"cd {tmp_path}; echo th''ere\n", "there")
        for line, rest in (
            ("mediaagent post photo rob", r"in-in-may\.jpg ?$"),
            ("mediaagent why rob", r"in-in-may\.jpg ?$"),
            ("mediaagent post run nightly-r", r"un/$"),
            ("mediaagent scan fee", r"der ?$"),
            ("mediaagent post status --to fam", r"ily ?$"),
        ):
            shell.type(f"\x15{line}\t", f"{re.escape(line)}{rest}")
    finally:
        shell.close()
