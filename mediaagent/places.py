"""Where things lie when nobody says otherwise. Imports little: what a hook calls has to be quick."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = [
    "KEY_FOLDER",
    "SYSTEM_DROP",
    "config_folder",
    "logins_file",
    "settings_files",
    "state_folder",
    "stored_keys",
]

#: The drop folder of Debian's package: for hooks of users who may not read the settings.
SYSTEM_DROP = Path("/var/spool/mediaagent/drop")


#: Where `mediaagent login` keeps keys, beside what it writes.
KEY_FOLDER = "logins"


def config_folder() -> Path:
    """The user's own folder of settings."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "mediaagent"


def settings_files() -> list[Path]:
    """Where agent.toml is looked for when nobody names it."""
    return [Path("agent.toml"), config_folder() / "agent.toml", Path("/etc/mediaagent/agent.toml")]


def logins_file() -> Path:
    """What `mediaagent login` writes: settings too, where there is no agent.toml."""
    return config_folder() / "logins.toml"


def stored_keys(login: str) -> tuple[str, str]:
    """References to the key of a login, as `mediaagent login` stores one: in a file, or in the keyring."""
    return f"file:{KEY_FOLDER}/{login}.key", f"keyring:{login}"


def state_folder() -> Path:
    """Where the agent keeps its memory when the settings don't say: systemd's folder, else the user's."""
    if "STATE_DIRECTORY" in os.environ:
        return Path(os.environ["STATE_DIRECTORY"].partition(":")[0])
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "mediaagent"
