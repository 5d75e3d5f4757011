"""A minimal Debian 12 in a folder: to install a package in, and to start its systemd."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.system.agent import ROOT

#: No question is asked; of a conffile that both sides changed, the owner's is kept.
_QUIET = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
KEEP_OLD = "--force-confold"


class DebianRoot:
    """The root folder of a Debian 12 with Python."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, path: Path) -> DebianRoot:
        """From Debian's own packages."""
        words = ["debootstrap", "--variant=minbase", "--include=python3", "bookworm", str(path)]
        made = subprocess.run(words, capture_output=True, text=True, timeout=400)
        assert made.returncode == 0, made.stdout[-3000:] + made.stderr
        return cls(path)

    def copy(self, path: Path) -> DebianRoot:
        subprocess.run(["cp", "-a", "--reflink=auto", self.path, path], check=True, timeout=120)
        return DebianRoot(path)

    def run(self, script: str, *, network: bool = False, check: bool = True) -> subprocess.CompletedProcess[str]:
        """In there, with processes of its own, and with no network unless that is asked for."""
        apart = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={self.path / 'proc'}", "--kill-child"]
        inside = ["chroot", str(self.path), *_QUIET, "sh", "-ec", script]
        words = [*apart, *([] if network else ["--net"]), *inside]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done

    def put(self, file: Path) -> str:
        """A file into its /opt. Returns its path in there."""
        shutil.copy(file, self.path / "opt")
        return f"/opt/{file.name}"

    def read(self, path: str) -> str:
        return (self.path / path.lstrip("/")).read_text(encoding="utf-8")

    def listing(self) -> set[str]:
        """Every file and folder, without what every program may leave behind."""
        left = ("proc", "dev", "tmp", "run", "var/lib/dpkg", "var/log", "var/cache", "var/backups", "home", "opt")
        found = set()
        for folder, folders, files in os.walk(self.path):
            here = os.path.relpath(folder, self.path)
            folders[:] = [name for name in folders if os.path.normpath(f"{here}/{name}") not in left]
            found |= {os.path.normpath(f"{here}/{name}") for name in (*folders, *files)}
        return found

    @contextlib.contextmanager
    def booted(self) -> Iterator[Booted]:
        """Its systemd as the first process of a container that shares this machine's network."""
        words = ["systemd-nspawn", "--quiet", "--directory", str(self.path), "--boot", "--register=no", "--keep-unit"]
        name = f"--machine=mediaagent-{os.getpid()}"
        with (self.path.parent / "boot.log").open("wb") as log:
            nspawn = subprocess.Popen(
                [*words, name, "--console=pipe"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        booted = Booted(nspawn, self.path.parent / "boot.log")
        try:
            booted.wait_until_up()
            yield booted
        finally:
            booted.end()


class Booted:
    """A running container."""

    def __init__(self, nspawn: subprocess.Popen[bytes], log: Path) -> None:
        self._nspawn, self._log = nspawn, log

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        (first,) = psutil.Process(self._nspawn.pid).children()
        entered = ["nsenter", "--target", str(first.pid), "--all", *_QUIET, *words]
        return subprocess.run(entered, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def run(self, *words: str) -> str:
        """What it says. It has to succeed."""
        done = self.call(*words)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}\n{self.journal()}"
        return done.stdout.strip()

    def show(self, unit: str, what: str) -> str:
        return self.run("systemctl", "show", "--value", f"--property={what}", unit)

    def journal(self) -> str:
        return self.call("journalctl", "--no-pager", "--output=cat", "--lines=60").stdout

    def status(self, word: str) -> dict[str, str]:
        """What /proc/PID/status says of the first process with this word on its command line."""
        for process in psutil.Process(self._nspawn.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if word in process.cmdline():
                    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        raise AssertionError(f"no process has {word!r}\n{self.journal()}")

    def wait_until_up(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self._nspawn.poll() is None, self._log.read_text(errors="replace")
            with contextlib.suppress(ValueError, psutil.NoSuchProcess):
                if self.call("systemctl", "is-system-running").stdout.strip() in ("running", "degraded"):
                    return
            time.sleep(0.3)
        raise AssertionError(self._log.read_text(errors="replace"))

    def end(self) -> None:
        with contextlib.suppress(ValueError, psutil.NoSuchProcess, subprocess.TimeoutExpired):
            self.call("systemctl", "poweroff")
            self._nspawn.wait(20)
        if self._nspawn.poll() is None:
            self._nspawn.kill()  # and with it all that is in the container
            self._nspawn.wait(20)


def build(folder: Path, *more: str) -> Path:
    """The package, packed loosely."""
    words = [ROOT / "packaging" / "debian" / "build", "--quick", "--output", folder, *more]
    done = subprocess.run(words, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


def newer(package: Path, folder: Path) -> Path:
    """The same as a later version, whose settings file says something else."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder / "content"], check=True, timeout=120)
    control = folder / "content" / "DEBIAN" / "control"
    before = control.read_text()
    control.write_text(before.replace("Version: ", "Version: 1:"))  # an epoch is later than anything
    with (folder / "content" / "etc" / "mediaagent" / "agent.toml").open("a") as settings:
        settings.write("\n# The newer version has something to add.\n")
    target = folder / f"newer-{package.name}"
    words = ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z1", "--build", folder / "content", target]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    return target


def conflict(folder: Path) -> Path:
    """A package that breaks this one, so that it has to be deconfigured first; and that can't be unpacked then."""
    content = folder / "conflict"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN" / "control").write_text(
        "Package: conflict\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\n"
        "Breaks: mediaagent\nDescription: breaks mediaagent\n"
    )
    (content / "DEBIAN" / "preinst").write_text("#!/bin/sh\nexit 1\n")
    (content / "DEBIAN" / "preinst").chmod(0o755)
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", content, folder], check=True, capture_output=True)
    return folder / "conflict_1_all.deb"
