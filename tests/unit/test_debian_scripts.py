"""The package's maintainer scripts, in the orders in which dpkg calls them (Debian Policy, chapter 6).

What ran before an upgrade, a removal or a deconfiguration runs after it, done or given up; what did not run does not.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEBIAN = Path(__file__).parents[2] / "packaging" / "debian"

#: systemctl as far as the scripts use it: the running units are lines of a file.
SYSTEMCTL = """\
#!{python} -IS
import fnmatch, json, os, sys
from pathlib import Path

units = Path(os.environ["UNITS"])
running = json.loads(units.read_text())
command, *words = [word for word in sys.argv[1:] if not word.startswith("--")]
if command == "list-units":
    for unit in sorted(running):
        if any(fnmatch.fnmatchcase(unit, word) for word in words):
            print(f"{{unit}} loaded active running what it is")
elif command == "stop":
    running = [unit for unit in running if unit not in words]
elif command == "start":
    if words[0] in os.environ["BROKEN"].split():
        sys.exit(1)
    running += words
    if "once.service" in words[0] and "--no-block" not in sys.argv:
        sys.exit("this would wait for hours")
elif command != "daemon-reload":
    sys.exit(f"there is no {{command}} here")
units.write_text(json.dumps(sorted(set(running))))
"""
#: What dpkg says of the other commands does not matter here.
QUIET = ("systemd-sysusers", "systemd-tmpfiles", "install", "py3compile", "py3clean")
RAN = ["mediaagent-once.timer", "mediaagent.service", r"mediaagent@a\x20b.service", "mediaagent@garden.service"]


class Machine:
    """A machine with the package, and these units running."""

    def __init__(self, folder: Path, running: list[str]) -> None:
        self.root, self.programs = folder / "root", folder / "programs"
        for place in ("run/systemd/system", "var/lib/mediaagent", "var/spool/mediaagent/drop", "etc/mediaagent/keys"):
            (self.root / place).mkdir(parents=True)
        self.programs.mkdir()
        for name in ("cat", "rm"):
            (self.programs / name).symlink_to(str(shutil.which(name)))
        for name in QUIET:
            self.program(name, "#!/bin/sh\n")
        self.program("systemctl", SYSTEMCTL.format(python=sys.executable))
        self.units = folder / "units.json"
        self.units.write_text(json.dumps(running))
        self.broken = ""

    def program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    @property
    def running(self) -> list[str]:
        return sorted(json.loads(self.units.read_text()))

    def call(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A maintainer script as dpkg calls it, with this machine's folders in place of the real ones."""
        text = re.sub(r"(?<![\w.])/(?=(?:run|var|etc|usr)/)", f"{self.root}/", (DEBIAN / script).read_text())
        return subprocess.run(
            ["/bin/sh", "-c", text, script, *words],
            env={"PATH": str(self.programs), "UNITS": str(self.units), "BROKEN": self.broken},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def dpkg(self, *calls: str) -> None:
        """Calls, of which each succeeds."""
        for call in calls:
            done = self.call(*call.split())
            assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), call


@pytest.fixture(params=[RAN, [], ["mediaagent@garden.service"], ["mediaagent-once.service"]], ids=len)
def ran(request: pytest.FixtureRequest) -> list[str]:
    return sorted(request.param)


@pytest.fixture
def machine(tmp_path: Path, ran: list[str]) -> Machine:
    return Machine(tmp_path, ran)


#: What dpkg calls after prerm, by how it goes on, as the policy has it in 6.5 to 6.8. What has the same name in an old
#: and a new package is the same script here.
AFTERWARDS = {
    "an upgrade": ("prerm upgrade 2", "postrm upgrade 2", "postinst configure 1"),
    "an upgrade whose unpacking fails": ("prerm upgrade 2", "postinst abort-upgrade 2"),
    "an upgrade that is given up later": (
        "prerm upgrade 2",
        "postrm upgrade 2",
        "postrm abort-upgrade 1 2",
        "postinst abort-upgrade 2",
    ),
    "an upgrade whose old postrm fails": (
        "prerm upgrade 2",
        "postrm failed-upgrade 1 2",
        "postinst configure 1",
    ),
    "an upgrade whose old prerm failed": (
        "prerm upgrade 2",
        "prerm failed-upgrade 1 2",
        "postrm upgrade 2",
        "postinst configure 1",
    ),
    "an upgrade whose new prerm failed, too": (
        "prerm upgrade 2",
        "prerm failed-upgrade 1 2",
        "postinst abort-upgrade 2",
    ),
    "a removal that is given up": ("prerm remove", "postinst abort-remove"),
    "a removal for another package that is given up": (
        "prerm remove in-favour other 3",
        "postinst abort-remove in-favour other 3",
    ),
    "a deconfiguration that is given up": (
        "prerm deconfigure in-favour other 3 removing another 4",
        "postinst abort-deconfigure in-favour other 3 removing another 4",
    ),
    "a deconfiguration that is done": ("prerm deconfigure in-favour other 3", "postinst configure 1"),
}


@pytest.mark.parametrize("calls", AFTERWARDS.values(), ids=AFTERWARDS)
def test_what_ran_before_runs_after(machine: Machine, ran: list[str], calls: tuple[str, ...]) -> None:
    machine.dpkg(*calls)
    assert machine.running == ran
    assert list((machine.root / "run").iterdir()) == [machine.root / "run" / "systemd"]


@pytest.mark.parametrize("call", sorted({calls[0] for calls in AFTERWARDS.values()}))
def test_nothing_runs_while_its_files_change(machine: Machine, call: str) -> None:
    machine.dpkg(call)
    assert machine.running == []


def test_what_was_stopped_before_prerm_failed_is_not_forgotten(machine: Machine, ran: list[str]) -> None:
    machine.program("py3clean", "#!/bin/sh\nexit 1\n")
    assert machine.call("prerm", "upgrade", "2").returncode != 0
    assert machine.call("prerm", "failed-upgrade", "1", "2").returncode != 0
    assert machine.running == []
    machine.dpkg("postinst abort-upgrade 2")
    assert machine.running == ran


def test_what_was_removed_is_not_started_by_a_new_installation(machine: Machine) -> None:
    machine.dpkg("prerm remove", "postrm remove", "postinst configure 1")
    assert machine.running == []


def test_a_first_installation_starts_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [])
    machine.dpkg("postinst configure")
    assert machine.running == []


def test_a_removal_keeps_settings_and_memory_and_a_purge_does_not(machine: Machine) -> None:
    kept = ("var/lib/mediaagent", "var/spool/mediaagent", "etc/mediaagent")
    machine.dpkg("prerm remove", "postrm remove")
    assert all((machine.root / place).exists() for place in kept)
    machine.dpkg("postrm purge")
    assert not any((machine.root / place).exists() for place in kept)
    machine.dpkg("postinst configure")
    assert machine.running == []


def test_a_unit_that_does_not_start_again_is_told_and_keeps_no_other_from_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path, RAN)
    machine.broken = r"mediaagent@a\x20b.service"
    machine.dpkg("prerm upgrade 2", "postrm upgrade 2")
    done = machine.call("postinst", "configure", "1")
    assert done.returncode == 0
    assert r"mediaagent@a\x20b.service ran before, and does not start: systemctl status" in done.stderr
    assert machine.running == sorted(set(RAN) - {machine.broken})


def test_where_no_systemd_runs_none_is_asked(tmp_path: Path) -> None:
    machine = Machine(tmp_path, [])
    (machine.root / "run" / "systemd" / "system").rmdir()
    machine.program("systemctl", "#!/bin/sh\nexit 1\n")
    machine.dpkg("prerm upgrade 2", "postrm upgrade 2", "postinst configure 1", "prerm remove", "postrm remove")


@pytest.mark.parametrize("script", ["prerm", "postinst", "postrm"])
def test_a_call_that_nobody_knows_is_refused(tmp_path: Path, script: str) -> None:
    machine = Machine(tmp_path, RAN)
    done = machine.call(script, "nonsense")
    assert done.returncode == 1
    assert f'{script} does not know what to do for "nonsense"' in done.stderr
    assert machine.running == sorted(RAN)
