"""Debian's Nagios with one host and one service, whose states the test sets; seconds are its minutes."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Nagios"]

_MAIN = """
cfg_file={folder}/objects.cfg
log_file={folder}/nagios.log
object_cache_file={folder}/objects.cache
status_file={folder}/status.dat
state_retention_file={folder}/retention.dat
check_result_path={folder}/results
command_file={folder}/nagios.cmd
query_socket={folder}/nagios.qh
lock_file={folder}/nagios.lock
temp_file={folder}/nagios.tmp
temp_path={folder}
nagios_user={user}
nagios_group={group}
use_syslog=0
check_for_updates=0
interval_length=1
check_result_reaper_frequency=1
enable_flap_detection=1
illegal_object_name_chars=`~!$%^&*|'"<>?,()=
illegal_macro_output_chars=`~$&|'"<>
{more}
"""
_OBJECTS = """
define timeperiod {{
    timeperiod_name    24x7
    alias              always
    {days}
}}
define command {{
    command_name    check-state
    command_line    /bin/sh "{folder}/$ARG1$.state"
}}
define host {{
    use                     posted-host
    host_name               web 01
    alias                   the "Web" server; $(id) & Co
    address                 127.0.0.1
    check_command           check-state!host
    check_period            24x7
    max_check_attempts      1
    check_interval          1
    retry_interval          1
    notification_interval   0
    notification_period     24x7
    contacts                mediaagent
}}
define service {{
    use                     posted-service
    host_name               web 01
    service_description     HTTP + TLS
    check_command           check-state!service
    check_period            24x7
    max_check_attempts      1
    check_interval          1
    retry_interval          1
    notification_interval   0
    notification_period     24x7
    contacts                mediaagent
    low_flap_threshold      5
    high_flap_threshold     20
}}
"""
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


class Nagios:
    """It runs while the context lasts."""

    def __init__(self, folder: Path, words: str, environment: Mapping[str, str], more: str) -> None:
        self.folder, self._environment = folder, dict(environment)
        (folder / "results").mkdir(parents=True)
        user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        (folder / "nagios.cfg").write_text(_MAIN.format(folder=folder, user=user, group=group, more=more))
        days = "\n    ".join(f"{day} 00:00-24:00" for day in _DAYS)
        # In an object's definition `;` begins a comment, unless a \\ stands before it.
        objects = _OBJECTS.format(folder=folder, days=days).replace("server; ", "server\\; ")
        (folder / "objects.cfg").write_text(objects + words)
        self.says("host", 0, "up")
        self.says("service", 0, "fine")

    def says(self, what: str, code: int, output: str) -> None:
        """From now on the check of "host" or "service" ends with this code, and says this."""
        text = self.folder / f"{what}.{code}.output"
        text.write_text(output)
        new = self.folder / f"{what}.new"
        new.write_text(f"cat '{text}'\nexit {code}\n")
        new.replace(self.folder / f"{what}.state")

    @property
    def log(self) -> str:
        path = self.folder / "nagios.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def notified(self, kind: str) -> int:
        """How many notifications of a kind ("CRITICAL", "DOWN", "OK", "FLAPPINGSTART …") it has sent."""
        return sum(1 for line in self.log.splitlines() if " NOTIFICATION: " in line and f";{kind}" in line)

    def __enter__(self) -> Nagios:
        with (self.folder / "said").open("wb") as said:
            self._process = subprocess.Popen(
                ["nagios4", str(self.folder / "nagios.cfg")],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=self._environment,
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        finally:
            self._process.kill()
