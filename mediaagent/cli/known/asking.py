"""Which site is asked, and how its answers are shown."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mediaagent.cli import logins, output
from mediaagent.cli.home import Home
from mediaagent.cli.logins import Login
from mediaagent.cli.post import sites
from mediaagent.errors import ConfigError, Deferred, Rejected
from mediaagent.options import build, did_you_mean
from mediaagent.places import logins_file
from mediaagent.registry import find as find_plugin

__all__ = ["at_desk", "find", "post", "show", "site_of", "syndication", "whoami"]

_FIELD = re.compile(r"([\w.\[\]-]+)([=@])(.*)", re.DOTALL)
_TOKEN = re.compile(r"\w{6,84}", re.ASCII)


def at_desk(home: Home, errand: Callable[..., int], *, own: Mapping[str, Any], **where: Any) -> int:
    """Does an errand at the site; what it raises becomes an exit code and words."""
    for place in (own[name] for name in ("path", "url") if name in own):
        if not _is_text(place):
            raise click.UsageError(f"{output.printable(place)}: this is not UTF-8; write such a byte as %FF")
    uploader = _uploader(home, **where)
    try:
        with output.progress("asking the site"), uploader.desk() as desk:
            return errand(desk, **own)
    except Deferred as deferred:
        output.tell(str(deferred))
        return 1
    except Rejected as rejected:
        output.tell(str(rejected))
        return 3


def _is_text(word: str) -> bool:
    """Whether a word of the command line can be sent as it is."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- which site -------------------------------------------------------------------------------------------------------


def _uploader(
    home: Home, *, to: str | None, site: str | None, user: str | None, key: str | None, insecure: bool
) -> Any:
    if site is None:
        beside = [name for name, given in (("--user", user), ("--key", key), ("--insecure", insecure)) if given]
        if beside:
            raise click.UsageError(f"{', '.join(beside)}: this goes with --site")
        return _configured(home, to)
    if to is not None:
        raise click.UsageError("--to and --site both name the site: leave one out")
    stored = logins.stored()
    known = logins.find(site, user, stored)
    if user is None and len({login.owner for login in known}) != 1:
        raise click.UsageError("--site needs --user, too")
    mistakes: list[str] = []
    given = sites.reference(key, mistakes) or (known[0].key if known else None)
    if mistakes or given is None:
        way_out = f"there is no key: store it with `mediaagent login {site}`, or name it with --key file:PATH"
        raise click.UsageError("\n".join(mistakes or [f"{way_out} or {logins.KEY}"]))
    login = known[0] if known else Login("", logins.address_of(site, stored), user or "", given)
    return site_of(login.site, login.user, given, {**login.more, **({"insecure": True} if insecure else {})})


def site_of(site: str, user: str, key: str, more: Mapping[str, Any]) -> Any:
    """The uploader for a site that stands in no settings. Raises ConfigError."""
    table = {"site": site, "user": user, "key": key, **more}
    made, problems = build(find_plugin("uploader", "known"), table, where=site, base=logins_file().parent)
    if made is None:
        raise ConfigError(problems)
    return made


def _configured(home: Home, to: str | None) -> Any:
    settings, made, problems = home.look()
    if settings is None or made is None:
        raise ConfigError(problems)
    known = [name for name, table in settings.targets.items() if table.common.type == "known"]
    if settings.path == logins_file().absolute() and to is None:
        known = [login.name for login in logins.stored() if login.stored]
    if to is not None and to not in known:
        raise click.UsageError(f"--to {to}: there is no such Known site; {did_you_mean(to, known)}")
    if to is None and len(known) != 1:
        there = f"the settings have {', '.join(known)}: name one with --to" if known else "the settings have none"
        raise click.UsageError(f"which site? {there}; or give --site and --user")
    name = to or known[0]
    if name not in made.uploaders or not hasattr(made.uploaders[name], "desk"):
        raise ConfigError(problems)
    return made.uploaders[name]


# --- what is asked ----------------------------------------------------------------------------------------------------


def post(desk: Any, path: str, words: Sequence[str], data: str | None) -> int:
    """Sends what the command line says. Returns the exit code."""
    if data is not None and words:
        raise click.UsageError("--data is the whole body: leave the fields out")
    found = [_FIELD.fullmatch(word) for word in words]
    wrong = [word for word, match in zip(words, found, strict=True) if match is None]
    files = [(match[1], Path(match[3])) for match in found if match and match[2] == "@"]
    mistakes = [f"{output.printable(word)}: this is neither name=value nor name@file" for word in wrong]
    mistakes += [
        f"{output.printable(word)}: this is not UTF-8; a file of any bytes can be sent with name@file"
        for word, match in zip(words, found, strict=True)
        if match and not _is_text(word if match[2] == "=" else match[1])
    ]
    mistakes += [f"{output.printable(path)}: there is no such file" for _, path in files if not path.is_file()]
    if mistakes:
        raise click.UsageError("\n".join(mistakes))
    fields = [(match[1], match[3]) for match in found if match and match[2] == "="]
    return show(desk, desk.post(path, fields, files, _data(data)), read=False)


def _data(file: str | None) -> bytes | None:
    if file is None:
        return None
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        where = "standard input" if file == "-" else output.printable(file)
        raise click.UsageError(f"--data: {where} can't be read: {error.strerror}") from None
    return data.rstrip(b"\r\n")  # the end of the line that somebody echoed


def show(desk: Any, answer: Any, *, read: bool) -> int:
    """The answer as JSON, and the exit code; why it is no success is told by what is raised."""
    said = answer.json
    if said is None:
        said = {"status": answer.status, "body": answer.body.decode("utf-8", "replace")}
        if "location" in answer.headers:
            said["location"] = answer.headers["location"]
    output.say_json(said)
    desk.judge(answer, read=read)
    return 0


def whoami(desk: Any, as_json: bool) -> int:
    """Our name there."""
    user = desk.whoami()
    if as_json:
        output.say_json(user)
    else:
        output.say(f"{output.printable(user['user'])} ({output.printable(user['name'])}), {user['url']}")
    return 0


def syndication(desk: Any, as_json: bool) -> int:
    """The accounts, and for which kinds of posts each is offered."""
    offered = desk.accounts()
    kinds: dict[Any, list[str]] = {}
    for kind, accounts in offered.items():
        for account in accounts or ():
            kinds.setdefault(account, []).append(kind)
    if as_json:
        output.say_json(
            [{"account": account.word, "name": account.name, "kinds": each} for account, each in kinds.items()]
        )
        return 0
    for line in (
        output.table(("ACCOUNT", "NAME", "KINDS"), [(each.word, each.name, ", ".join(kinds[each])) for each in kinds])
        if kinds
        else ()
    ):
        output.say(line)
    if not kinds:
        output.say("the site offers this user no account to pass posts on to")
    for kind in (kind for kind, accounts in offered.items() if accounts is None):
        output.tell(f"{kind}: its plug-in is off on the site")
    return 0


def find(desk: Any, token: str, as_json: bool) -> int:
    """The addresses of the posts that carry it."""
    if not _TOKEN.fullmatch(token):
        raise click.UsageError(f"{token!r}: a token has 6 to 84 letters, digits and _")
    found = desk.find(token)
    if as_json:
        output.say_json(found)
    elif found:
        for each in found:
            output.say(output.printable(each["url"]))
    if not found:
        output.tell(f"no post of this user carries {token}")
    return 0 if found else 3
