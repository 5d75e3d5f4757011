"""What is found out before a post is handed over: whether anything can come of it, and with these keys and accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mediaagent.cli import output
from mediaagent.cli.post import words
from mediaagent.cli.post.place import Place
from mediaagent.errors import ConfigError
from mediaagent.handover import Handed

if TYPE_CHECKING:
    from mediaagent.settings import Settings

__all__ = ["check", "refuse_other_keys", "warn_of_accounts"]

#: What becomes of a kind that targets don't have.
_FORMS = {"file": "entry"}


def check(settings: Settings, to: Sequence[str]) -> None:
    """Whether these settings make an agent that can post to one of these targets. Raises ConfigError."""
    from mediaagent import app
    from mediaagent.model import Problem

    made, problems = app.plan(settings)
    if any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
    wanted = [(name, made.uploaders.get(name)) for name in to]
    wrong = [(name, each.why) for name, each in wanted if isinstance(each, app.Unusable)]
    if wrong and len(wrong) == len(wanted):
        raise ConfigError([Problem(where=f"{settings.path}: upload.{name}", what=why) for name, why in wrong])


def refuse_other_keys(place: Place, agent: int) -> None:
    """The running agent goes by the keys that are stored, never by one that this call names. Raises ConfigError."""
    from mediaagent.cli import logins
    from mediaagent.cli.post.sites import same_key
    from mediaagent.model import Problem

    stored = {login.name: login for login in logins.stored()} if place.keys else {}
    for name, given in place.keys.items():
        login = stored.get(name)
        if login is not None and given != f"env:{logins.KEY}" and not same_key(given, login.key):
            what = (
                f"the running agent (process {agent}) posts as {login.user} by the key at {login.key}, not at {given}"
            )
            todo = f"leave --key out, or store this one with `mediaagent login {login.site} --user {login.user}`"
            raise ConfigError([Problem(where="--key", what=what, todo=todo)])


def warn_of_accounts(settings: Settings, handed: Handed, seconds: float) -> None:
    """Sites ignore accounts that they don't know. A post that would be lost for that is worse than one less account."""
    there = _accounts(settings, handed, seconds)
    for account in handed.syndicate:
        if there is not None and account not in there:
            near = words.near(account, there)
            output.tell(f"--syndicate {account}: no target offers this account for such a post; {near}")


def _accounts(settings: Settings, handed: Handed, seconds: float) -> set[str] | None:
    """What the targets offer for such a post; None where one of them does not tell, or not in this time."""
    import threading

    from mediaagent import app

    made, _ = app.plan(settings)
    wanted = [each for name, each in made.uploaders.items() if not handed.to or name in handed.to]
    told: list[Any] = []
    # A site that hangs is left alone with the question: it changes nothing.
    asking = threading.Thread(target=lambda: told.extend(map(app.accounts_of, wanted)), daemon=True)
    asking.start()
    asking.join(seconds)
    if asking.is_alive() or None in told:
        return None
    return {account for offered in told if offered for account in offered[_FORMS.get(handed.kind, handed.kind)]}
