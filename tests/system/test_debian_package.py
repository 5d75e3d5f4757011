"""The Debian package: installed in a fresh Debian 12 without a network, run there, upgraded, removed, purged."""

from __future__ import annotations

import html
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.doubles.known import KnownDouble
from tests.system.agent import DATA, items, wait_for
from tests.system.debian import KEEP_OLD, DebianRoot, build, conflict, newer

KEY = "sk1uq2k9umxfgwfmhdaeuj9zdgr18taj"
PICTURE = next((DATA / "motion" / "four-cameras" / "tree" / "cam1").glob("01-202611230308*.jpg"))
SETTINGS = "/etc/mediaagent/agent.toml"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def later(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return newer(package, tmp_path_factory.mktemp("later"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> DebianRoot:
    return DebianRoot.make(tmp_path_factory.mktemp("debian") / "root")


def test_the_same_sources_make_the_same_package(package: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == package.read_bytes()


def test_for_a_raspberry_pi_it_is_the_same_of_that_machine(package: Path, tmp_path: Path) -> None:
    other = build(tmp_path, "--for", "arm64" if package.name.endswith("_amd64.deb") else "amd64")
    found = []
    for each in (package, other):
        content = tmp_path / each.stem
        subprocess.run(["dpkg-deb", "--extract", each, content], check=True, timeout=120)
        libraries = [path for path in content.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
        # e_machine of the ELF header (System V ABI, "Machine"): 62 is x86-64, 183 AArch64
        machines = {int.from_bytes(path.read_bytes()[18:20], "little") for path in libraries}
        found.append((machines, len(libraries) > 100, sorted(path.name for path in content.rglob("*.dist-info"))))
    (here, many, packages), (there, as_many, same) = sorted(found, key=lambda each: min(each[0]))
    assert (here, there) == ({62}, {183})
    assert many
    assert as_many
    assert packages == same


def test_its_maintainer_is_whoever_builds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Path) -> None:
    def maintainer(file: Path) -> str:
        words = ["dpkg-deb", "--field", file, "Maintainer"]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    assert maintainer(package) == "mediaagent maintainers <maintainers@mediaagent.invalid>"
    monkeypatch.setenv("DEBFULLNAME", "Ada & Sons")
    monkeypatch.setenv("DEBEMAIL", "ada@example.org")
    assert maintainer(build(tmp_path)) == "Ada & Sons <ada@example.org>"


def test_it_is_installed_run_upgraded_removed_and_purged_without_a_network(
    bare: DebianRoot, package: Path, later: Path, tmp_path: Path
) -> None:
    root = bare.copy(tmp_path / "root")
    before = root.listing()
    root.run(f"dpkg -i {root.put(package)}")

    # An unprivileged user tries it.
    root.run("useradd --create-home ada")
    demo = root.run("su ada -c 'cd && mediaagent demo --folder tried'").stdout
    assert demo.splitlines()[-1] == "/home/ada/tried/page/index.html"
    assert len(items(root.path / "home" / "ada" / "tried" / "page")) == 3  # the visit, the call and the run
    missing = "find /usr/lib/mediaagent -name '*.so*' -type f | xargs ldd | grep 'not found' || true"
    assert root.run(missing).stdout == ""

    # The owner sets it up, and it keeps something in mind.
    (root.path / "srv" / "pictures").mkdir()
    shutil.copy(PICTURE, root.path / "srv" / "pictures" / "robin.jpg")
    watched = '[watch.garden]\ntype = "folder"\npath = "/srv/pictures"\nexisting = "post"\n'
    mine = f'[agent]\nstate = "/var/lib/mediaagent"\n{watched}'
    (root.path / SETTINGS.lstrip("/")).write_text(mine)
    once = "runuser -u mediaagent -- mediaagent run --once --patience 5s"
    assert root.run(once).stdout.splitlines()[-1] == "1 delivered"

    root.run(f"dpkg -i {KEEP_OLD} {root.put(later)}")
    assert root.read(SETTINGS) == mine
    assert "something to add" in root.read(f"{SETTINGS}.dpkg-dist")
    assert root.run(once).stdout.splitlines()[-1] == "0 delivered"  # it knows what it has posted
    assert root.run("dpkg --verify mediaagent").stdout == f"??5?????? c {SETTINGS}\n"

    root.run("dpkg --remove mediaagent")
    assert not (root.path / "usr" / "lib" / "mediaagent").exists(), "something was left where the program was"
    assert root.read(SETTINGS) == mine
    assert len(items(root.path / "var" / "lib" / "mediaagent" / "page")) == 1

    root.run("dpkg --purge mediaagent")
    accounts = ("etc/passwd", "etc/shadow", "etc/group", "etc/gshadow", "etc/subuid", "etc/subgid")
    assert [path for path in root.listing() - before if not path.startswith((*accounts, "srv/"))] == []


AGENT = """\
[agent]
drop = "/var/spool/mediaagent/drop"

[watch.garden]
type = "folder"
path = "/srv/pictures"
existing = "post"

[watch.phone]
type = "folder"
path = "/srv/sound"
existing = "post"
to = ["page"]
enrich = ["speech", "transcode"]

[upload.page]
type = "page"
path = "/var/lib/mediaagent/page"

[upload.family]
type = "known"
site = "{site}"
user = "birdcam"
key = "credential:key_family"
"""


#: Of another agent on the same machine.
OTHER = '[watch.garden]\ntype = "folder"\npath = "/srv/pictures"\n'

#: A unit of somebody else's, with the line of packaging/hooks/systemd.
BROKEN = """\
[Unit]
OnFailure=mediaagent-failure@%n.service

[Service]
Type=oneshot
ExecStart=/opt/broken
"""
TROUBLE = 'no room; $(id) left on "/srv"'


def test_under_systemd_it_posts_from_within_its_sandbox_and_survives_an_upgrade(
    bare: DebianRoot, package: Path, later: Path, tmp_path: Path
) -> None:
    root = bare.copy(tmp_path / "root")
    root.run("apt-get install -q -y --no-install-recommends systemd systemd-sysv", network=True)
    root.run(f"dpkg -i {root.put(package)}")
    later_in_there = root.put(later)
    for folder in ("pictures", "sound"):
        (root.path / "srv" / folder).mkdir()
    shutil.copy(PICTURE, root.path / "srv" / "pictures" / "robin.jpg")
    shutil.copy(DATA / "sound" / "msg0001.wav", root.path / "srv" / "sound" / "call.wav")
    root.run("rmdir /etc/mediaagent/keys && systemd-tmpfiles --create mediaagent.conf")
    assert root.run("stat -c '%a %U %G' /etc/mediaagent/keys").stdout == "700 root root\n"
    key = root.path / "etc" / "mediaagent" / "keys" / "family"
    key.write_text(KEY)
    key.chmod(0o600)
    page = root.path / "var" / "lib" / "mediaagent" / "page"
    with KnownDouble() as double, root.booted() as machine:
        assert machine.call("systemctl", "is-enabled", "mediaagent").stdout.strip() == "disabled"
        assert machine.call("systemctl", "is-active", "mediaagent").stdout.strip() == "inactive"

        (root.path / SETTINGS.lstrip("/")).write_text(AGENT.format(site=double.address))
        machine.run("systemctl", "enable", "--now", "mediaagent")
        wait_for(lambda: len(double.posts) == 1, 60, machine.journal)
        wait_for(lambda: page.exists() and len(items(page)) == 2, 60, machine.journal)
        files = [item["attachments"][0]["url"] for item in items(page)]
        assert {Path(file).suffix for file in files} == {".jpg", ".mp3"}
        child = machine.status("from mediaagent.workbench.child import main; main()")
        agent = machine.status("run")
        assert int(child["Seccomp_filters"]) == int(agent["Seccomp_filters"]) + 1, "the child can make sockets"
        assert {child["CapEff"], agent["CapEff"]} == {"0" * 16}

        # Who is in the group may hand over, and sees nothing of the others; strangers may not.
        machine.run("useradd", "--groups", "mediaagent", "motion")
        machine.run("useradd", "stranger")
        drop = "/var/spool/mediaagent/drop"
        machine.run("runuser", "-u", "motion", "--", "mkdir", f"{drop}/.making-bundle")
        assert machine.run("stat", "-c", "%G", f"{drop}/.making-bundle") == "mediaagent"
        assert machine.call("runuser", "-u", "motion", "--", "ls", drop).returncode != 0
        assert machine.call("runuser", "-u", "stranger", "--", "mkdir", f"{drop}/other").returncode != 0

        machine.run("runuser", "-u", "motion", "--", "mediaagent", "post", "status", "--queue", "-m", "from a hook")
        wait_for(lambda: len(double.posts) == 2, 60, machine.journal)
        assert double.posts[1].body == "from a hook"

        # What is watched over by systemd tells that it has failed.
        program = root.path / "opt" / "broken"
        program.write_text(f"#!/bin/sh\necho '{TROUBLE}'\nexit 3\n")
        program.chmod(0o755)
        (root.path / "etc" / "systemd" / "system" / "broken.service").write_text(BROKEN)
        machine.run("systemctl", "daemon-reload")
        assert machine.call("systemctl", "start", "broken").returncode != 0
        wait_for(lambda: len(double.posts) == 3, 60, machine.journal)
        failed = double.posts[2]
        assert failed.title.startswith("broken.service failed on ")
        assert failed.body.startswith("exit-code exited 3")
        assert TROUBLE in html.unescape(failed.body)
        assert failed.access == double.site.uuid(double.birdcam)

        (root.path / "etc" / "mediaagent" / r"a\x20b.toml").write_text(OTHER)
        machine.run("systemctl", "start", r"mediaagent@a\x20b")
        processes = {unit: machine.show(unit, "MainPID") for unit in ("mediaagent", r"mediaagent@a\x20b")}
        machine.run("dpkg", "-i", KEEP_OLD, later_in_there)
        for unit, process in processes.items():
            assert machine.show(unit, "ActiveState") == "active"
            assert machine.show(unit, "MainPID") != process
        # What conflicts with it has it deconfigured; when that is given up, what ran runs on, and no more.
        conflicting = root.put(conflict(tmp_path))
        machine.run("systemctl", "stop", r"mediaagent@a\x20b")
        process = machine.show("mediaagent", "MainPID")
        assert machine.call("dpkg", "--auto-deconfigure", "-i", conflicting).returncode != 0
        assert machine.show("mediaagent", "ActiveState") == "active"
        assert machine.show("mediaagent", "MainPID") != process
        running = "systemctl list-units --no-legend --plain --state=active 'mediaagent*.service'"
        assert machine.run("sh", "-c", running).split()[:1] == ["mediaagent.service"]
        assert len(machine.run("sh", "-c", running).splitlines()) == 1
        assert len(double.posts) == 3

        asked = time.monotonic()
        machine.run("systemctl", "stop", "mediaagent")
        assert time.monotonic() - asked < 5
        assert machine.show("mediaagent", "Result") == "success"

        machine.run("systemctl", "start", "mediaagent-once.service")
        assert machine.show("mediaagent-once", "Result") == "success"
        (root.path / "etc" / "mediaagent" / "second.toml").write_text(OTHER)
        machine.run("systemctl", "start", "mediaagent@second")
        assert (root.path / "var" / "lib" / "mediaagent-second" / "outbox.db").exists()

        machine.run("dpkg", "--remove", "mediaagent")
        assert machine.call("systemctl", "is-active", "mediaagent@second").stdout.strip() == "inactive"
        machine.run("dpkg", "--purge", "mediaagent")
        assert not [*root.path.glob("var/lib/mediaagent*"), *root.path.glob("etc/mediaagent*")]
        assert len(double.posts) == 3
