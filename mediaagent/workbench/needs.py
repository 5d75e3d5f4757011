"""Which files of the system the child needs besides those it is given: Python, programs, libraries, and what they read.

A home is none of them, nor is /etc but for single files: keys lie there. Enricher plug-ins are found where Python finds
them now, and tell with `ReadsElsewhere` what more they need.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

__all__ = ["everywhere"]

_PROGRAMS = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/snap",
    "/app",
]
#: How programs find libraries, the time, fonts, names of users; what gdb and OpenSSL read when they start.
_ETC = [
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ld.so.preload",
    "localtime",
    "timezone",
    "fonts",
    "mime.types",
    "magic",
    "locale.alias",
    "passwd",
    "group",
    "nsswitch.conf",
    "os-release",
    "gdb",
    "ssl/openssl.cnf",
    "pki/tls/openssl.cnf",
    "crypto-policies",
]
#: What numerical libraries ask about processors and memory, and the C library about its own stack.
_KERNEL = [
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/filesystems",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
]
_KINDS = ("watchers", "enrichers")


def everywhere() -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Paths below which programs may be started, files read, and files changed."""
    python = [sys.prefix, sys.exec_prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))]  # noqa: PTH120
    run = [*_PROGRAMS, *python, *_listed("PATH"), *_listed("LD_LIBRARY_PATH")]
    read = [*(f"/etc/{name}" for name in _ETC), *_KERNEL, *filter(None, sys.path), *_found_otherwise()]
    return [*map(os.fsencode, run)], [*map(os.fsencode, read)], [b"/dev/null", os.fsencode(_temporary())]


def _temporary() -> str:
    """The child is told; others look for it, which takes a while."""
    if given := os.environ.get("TMPDIR"):
        return given
    import tempfile

    return tempfile.gettempdir()


def _listed(variable: str) -> list[str]:
    return [path for path in os.environ.get(variable, "").split(os.pathsep) if path.startswith("/")]


def _found_otherwise() -> Iterator[str]:
    """Where plug-ins lie that are in no folder of sys.path: those of an editable installation that brings a finder."""
    usual = (BuiltinImporter, FrozenImporter, PathFinder)
    others = [finder for finder in sys.meta_path if finder not in usual]
    if all(type(finder).__module__.startswith(("_distutils_hack", "six")) for finder in others):
        return
    from importlib.metadata import entry_points  # not needed by most, and slow to load
    from importlib.util import find_spec

    points = [point for kind in _KINDS for point in entry_points(group=f"mediaagent.{kind}")]
    for module in {point.module for point in points}:
        spec = find_spec(module.partition(".")[0])
        yield from (spec.submodule_search_locations or [spec.origin or ""]) if spec else ()
