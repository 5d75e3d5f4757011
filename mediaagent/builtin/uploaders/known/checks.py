"""Tells whether posting to a site would work, without posting."""

from __future__ import annotations

import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from mediaagent.api import Deferred, Problem, Secret
from mediaagent.builtin.uploaders.known.answers import Answer
from mediaagent.builtin.uploaders.known.client import Client

__all__ = ["file_problems", "key_problems", "key_todo", "site_problems"]


def key_problems(key: Secret) -> Iterator[Problem]:
    """What is wrong with how the key is kept. The key itself is never told."""
    if key.literal:
        todo = 'put it into a file that only the agent may read, and write key = "file:PATH"'
        yield Problem(where="key", what="the key itself stands in the settings", todo=todo, severity="warning")
    if key.reference.startswith("file:"):
        path = _file(key)
        try:
            mode = path.stat().st_mode
        except OSError:
            return  # told when it is read
        if mode & stat.S_IROTH and not stat.S_ISDIR(mode):
            yield Problem(where="key", what=f"everybody can read {path}", todo=f"chmod 600 {path}", severity="warning")


def key_todo(key: Secret) -> str:
    """What to do about a key that can't be read."""
    scheme, _, name = key.reference.partition(":")
    if scheme == "env":
        return f"set {name} for the agent to {_SHOWN}"
    if scheme == "credential":
        return f"give the agent's service the credential {name} (LoadCredential={name}:FILE), with {_SHOWN}"
    if scheme == "file" and _file(key).is_dir():
        return f'that is a folder: name the file in it, key = "file:{name.rstrip("/")}/NAME", with {_SHOWN}'
    return f"write into that place {_SHOWN}"


_SHOWN = "the API key; it stands in the site's settings, signed in as this user, on the page that shows the API key"


def _file(key: Secret) -> Path:
    assert key.file is not None
    return key.file


def site_problems(connect: Callable[[], Client], site: str, user: str) -> Iterator[Problem]:
    """Asks the site with signed requests that change nothing."""
    try:
        client = connect()
        photo = client.get("/photo/edit?_t=json")
        yield from _judge(photo, site, user, "Photo", "error")
        if photo.status in (200, 404):
            yield from _judge(client.get("/status/edit?_t=json"), site, user, "Status", "warning")
            yield from _judge(client.get("/entry/edit?_t=json"), site, user, "Text", "warning")
        if photo.status == 200 and client.get("/currentUser/?_t=json").status != 200:
            what = "the site does not tell who we are, so private posts must wait"
            yield Problem(where="site", what=what, todo="update the site: /currentUser/ fails", severity="warning")
    except Deferred as trouble:
        yield Problem(where="site", what=str(trouble), todo=f"see whether {site} opens in a browser on this machine")


def file_problems(
    connect: Callable[[], Client], site: str, fallback: str, sent: Mapping[str, Collection[str]]
) -> Iterator[Problem]:
    """What becomes of sound, films and linked files, and who can fetch them. Trouble with the site was told before."""
    sound = {access for kind in ("audio", "video") for access in sent.get(kind, ())}
    hidden = {*sound, *sent.get("entry", ())} - {"public"}
    try:
        media = connect().get("/media/edit?_t=json")
    except Deferred:
        return
    off = media.status == 404 and media.json is not None
    if sound and off:
        becomes = "wait" if fallback == "defer" else "are linked from long posts"
        what = f"the Media plug-in of {site} is off, so sound and films {becomes}"
        on = "on the site, signed in as administrator: Site configuration, Plugins, switch Media on"
        yield Problem(where="audio_fallback", what=what, todo=on, severity="warning")
    if hidden and (off or media.get("formFields")):
        which = "a recording" if sound - {"public"} else "a file that a post links"
        what = f"the site lets anybody who has its address fetch {which}, also that of a private post"
        todo = 'for what is private set encrypt_to = "age1…" (docs/known.md)'
        yield Problem(where="encrypt_to", what=what, todo=todo, severity="warning")


def _judge(answer: Answer, site: str, user: str, plugin: str, severity: str) -> Iterator[Problem]:
    if answer.status == 200 and isinstance(answer.get("formFields"), dict):
        return
    where, what, todo = "site", f"{site} answered {answer.status}, not as Known would", "see whether `site` is right"
    if 300 <= answer.status < 400:
        what = f"{site} redirects to {answer.headers.get('location', 'nowhere')}"
        todo = "write the address that your browser shows on the site's home page, with https and www as there"
    elif answer.status == 403:
        where, what = "user, key", f'{site} does not accept the user "{user}" with this key'
        todo = "copy both again: in the site's settings, signed in as that user, on the page that shows the API key"
    elif answer.status == 404:
        what = f"{site} does not know {plugin.lower()} posts: its {plugin} plug-in is off, or it is no Known"
        todo = f"on the site, signed in as administrator: Site configuration, Plugins, switch {plugin} on"
    elif answer.status == 200:
        what = f"{site} shows a web page where Known would answer: a login page or another server is in between"
    yield Problem(where=where, what=what, todo=todo, severity="warning" if severity == "warning" else "error")
