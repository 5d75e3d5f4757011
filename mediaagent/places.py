"""Where things lie when nobody says otherwise, and whose they are.

Imports little: what a hook calls has to be quick.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = [
    "KEY_FOLDER",
    "SYSTEM_DROP",
    "as_user",
    "config_folder",
    "expanded",
    "homeless",
    "logins_file",
    "make_private",
    "not_ours",
    "other_owner",
    "settings_files",
    "state_folder",
    "stored_keys",
    "user_name",
]

#: The drop folder of Debian's package: for hooks of users who may not read the settings.
SYSTEM_DROP = Path("/var/spool/mediaagent/drop")
#: The home of users who have none, as Debian calls it; nothing is ever there.
_NOWHERE = Path("/nonexistent")


#: Where `mediaagent login` keeps keys, beside what it writes.
KEY_FOLDER = "logins"


def config_folder() -> Path:
    """The user's own folder of settings."""
    return _at_home(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "mediaagent"


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
    return _at_home(os.environ.get("XDG_STATE_HOME") or "~/.local/state") / "mediaagent"


def homeless() -> bool:
    """Nothing says where this user's own settings could lie."""
    return config_folder().is_relative_to(_NOWHERE)


def expanded(path: Path) -> Path:
    """With the home in the place of `~`; as it is written where there is none, which is then nowhere to be found."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _at_home(path: str) -> Path:
    found = expanded(Path(path))
    return _NOWHERE / Path(*found.parts[1:]) if found.parts[0].startswith("~") else found


# --- whose they are ---------------------------------------------------------------------------------------------------


def make_private(folder: Path) -> None:
    """Makes a folder, and those on the way to it that are missing, for their owner alone, whatever the umask says."""
    if folder.exists():
        return
    make_private(folder.parent)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    folder.chmod(0o700)


def other_owner(state: Path) -> int | None:
    """The user whose state folder this is, if that is not the one who runs this; None where it is still to be made.

    Rights tell nothing here: root may write everywhere, and what it writes its owner could not read any more."""
    folder = _owner(state)
    if folder is None:
        return None
    agent, us = _owner(state / "agent.json"), os.geteuid()
    if us != 0 and (agent == us or (agent is None and folder == 0)):
        return None  # somebody made it for us
    owner = agent if folder == 0 and agent is not None else folder
    return None if owner == us else owner


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except OSError:
        return None


def not_ours(state: Path) -> str:
    """Why this user must not be the agent of a state folder, with what to do; "" where nothing speaks against it."""
    owner = other_owner(state)
    if owner is None:
        return ""
    return (
        f"the state folder {state} belongs to {user_name(owner)}, who alone may be its agent, and this is "
        f"{user_name(os.geteuid())}: run it as that user ({as_user(owner)} mediaagent …)"
    )


def user_name(number: int) -> str:
    """A user's name, where it has one."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def as_user(number: int) -> str:
    """How a command line begins that is to be run as this user."""
    name = user_name(number)
    named = name != f"uid {number}"
    if os.geteuid() != 0:
        return f"sudo -u {name}" if named else f"sudo -u '#{number}'"
    return f"runuser -u {name} --" if named else f"setpriv --reuid={number} --clear-groups"
