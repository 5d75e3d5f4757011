"""The units for systemd are well formed, give little away, and say why where they give more."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.system.agent import ROOT

UNITS = ROOT / "packaging" / "systemd"
ALL = sorted([*UNITS.glob("mediaagent*"), *(ROOT / "packaging" / "hooks" / "systemd").iterdir()])
SERVICES = ("mediaagent.service", "mediaagent@.service", "mediaagent-once.service")
#: What systemd could deny and the units don't, by the name that the judge gives it: each has a comment above it.
LOOSENED = {
    "PrivateNetwork=": "PrivateNetwork=no",
    "PrivateUsers=": "PrivateUsers=no",
    "ProcSubset=": "ProcSubset=all",
    "RestrictAddressFamilies=~AF_(INET|INET6)": "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictAddressFamilies=~AF_UNIX": "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "IPAddressDeny=": "#IPAddressDeny=any",
}
#: What no unit of a package can have: an image of its own; and what ProtectClock= itself brings along.
UNAVOIDABLE = {"RootDirectory=/RootImage=", "DeviceAllow="}

pytestmark = pytest.mark.slow


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", [path.name for path in ALL])
def test_a_unit_is_well_formed(name: str, tmp_path: Path) -> None:
    for path in ALL:  # with the program in its place, as in the package
        (tmp_path / path.name).write_text(path.read_text().replace("/usr/bin/mediaagent", "/bin/true"))
    asked = analyze("verify", "--man=no", str(tmp_path / name.replace("@.", "@garden.")))
    assert (asked.returncode, asked.stdout + asked.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gives_little_away(name: str) -> None:
    told = analyze("security", "--offline=yes", "--no-pager", str(UNITS / name)).stdout
    (exposure,) = re.findall(r"Overall exposure level for .*: ([\d.]+)", told)
    assert float(exposure) <= 1.5, told
    loose = set(re.findall(r"^✗ (\S+)", told, re.MULTILINE))
    assert loose <= LOOSENED.keys() | UNAVOIDABLE, told


@pytest.mark.parametrize("line", sorted(set(LOOSENED.values())))
def test_every_loosened_line_says_why(line: str) -> None:
    lines = (UNITS / "mediaagent.service").read_text().splitlines()
    above = lines[lines.index(line) - 1]
    # Two of one reason stand together: the network, for whose sake there are addresses.
    assert above.startswith("# ") or above == "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", above


def lines_of(name: str) -> dict[str, list[str]]:
    """What a configuration of tmpfiles.d or sysusers.d has, by what it is of."""
    lines = (UNITS / name).read_text().splitlines()
    return {line.split()[1]: line.split() for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_can_t_start_without_is_made_where_no_package_makes_it(name: str) -> None:
    settings = dict(re.findall(r"^(User|LoadCredential)=(?:\w+:)?(.+)$", (UNITS / name).read_text(), re.MULTILINE))
    assert settings["User"] in lines_of("sysusers.conf")
    assert lines_of("tmpfiles.conf")[settings["LoadCredential"]][2:5] == ["0700", "root", "root"]


def sandbox(name: str) -> list[str]:
    lines = (UNITS / name).read_text().partition("# --- what it may")[2].partition("[Install]")[0].splitlines()
    return [line for line in lines if re.match(r"[A-Z]", line)]


@pytest.mark.parametrize("name", SERVICES[1:])
def test_what_one_service_may_the_others_may(name: str) -> None:
    assert sandbox(name) == sandbox("mediaagent.service")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_than_its_own_rights(name: str) -> None:
    text = (UNITS / name).read_text()
    assert {"User=mediaagent", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "UMask=0077"} <= set(text.splitlines())
