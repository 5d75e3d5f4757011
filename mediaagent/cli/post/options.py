"""The options of `post` as data: click makes its own of them, and `quick` reads plain calls by them."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["FILES", "OPTIONS", "WORDS", "WORDS_OF_A_MAIL", "Option"]


class Option(NamedTuple):
    """One option, and the name under which its value is passed on."""

    name: str
    names: tuple[str, ...]  # as on the command line; of a pair the second one says no
    help: str
    metavar: str | None = None
    kind: Literal["text", "many", "flag", "pair"] = "text"
    default: str | None = None  # of a text
    envvar: str | None = None
    value: Literal["", "file", "folder", "target"] = ""  # what a shell offers for it


#: Kinds of posts and how many files each has: none, one, or several.
FILES: dict[str, Literal["", "FILE", "FILE..."]] = {
    "status": "",
    "entry": "",
    "photo": "FILE...",
    "audio": "FILE",
    "video": "FILE",
    "file": "FILE...",
}

WORDS = (
    Option("message", ("-m", "--message"), "The text, whatever it begins with.", "TEXT"),
    Option("text_file", ("--file",), "A file with the text; - reads standard input.", "PATH", value="file"),
    Option("title", ("--title",), "The title."),
    Option("access", ("--access",), "Who may see it: public, members or private. [default: public]", "WHO"),
    Option("created", ("--created",), "When it happened, ISO 8601. [default: now]", "TIME"),
    Option("once", ("--once",), "The same token again posts nothing.", "TOKEN"),
)
#: What a mail says itself, unless the command line does.
WORDS_OF_A_MAIL = (
    Option("title", ("--title",), "The title. [default: the mail's subject]"),
    Option("access", ("--access",), "Who may see it: public, members or private. [default: private]", "WHO"),
    Option("created", ("--created",), "When it happened, ISO 8601. [default: the mail's date]", "TIME"),
    Option("once", ("--once",), "The same token again posts nothing. [default: its Message-ID]", "TOKEN"),
)
OPTIONS = (
    Option("tags", ("--tag",), "A tag, without #. May be given several times.", "TAG", kind="many"),
    Option(
        "syndicate",
        ("--syndicate",),
        "An account elsewhere that the site passes it on to; see `mediaagent known syndication`.",
        "SERVICE::NAME",
        kind="many",
    ),
    Option("reply_to", ("--reply-to",), "What it answers.", "URL", kind="many"),
    Option("to", ("--to",), "Only to this target. [default: all of them]", "TARGET", kind="many", value="target"),
    Option(
        "state_key",
        ("--state-key",),
        "What it tells the state of: a later word on that changes the post.",
        "KEY",
        default="",
    ),
    Option(
        "state",
        ("--state",),
        "With --state-key: the state. While it is none of ok, up, recovered, resolved, passed, the next word changes "
        "the post, whenever it comes.",
        "STATE",
        default="",
    ),
    Option(
        "state_within",
        ("--state-within",),
        "With --state-key: what comes later than this after the last word, or after a state that was over, begins a "
        "new post. [default: 1h with --state, else 1d]",
        "DURATION",
    ),
    Option(
        "wait",
        ("--wait", "--queue"),
        "Deliver now, or only take charge of it. [default: --wait on a terminal]",
        kind="pair",
    ),
    Option("patience", ("--patience",), "With --wait: how long to wait. [default: 60s]", "DURATION"),
    Option("site", ("--site",), "A Known site, where it stands in no settings.", "URL"),
    Option("user", ("--user",), "With --site: the user to post as.", "NAME"),
    Option(
        "key",
        ("--key",),
        "With --site: where the key is, file:PATH or env:NAME. "
        "[default: MEDIAAGENT_KEY, else what `mediaagent login` stored]",
        "REFERENCE",
    ),
    Option("insecure", ("--insecure",), "With --site: allow http:// to another machine.", kind="flag"),
    Option(
        "drop",
        ("--drop",),
        "The drop folder. [default: the agent's]",
        "FOLDER",
        envvar="MEDIAAGENT_DROP",
        value="folder",
    ),
    Option("as_json", ("--json",), "What became of it, as JSON.", kind="flag"),
    Option("dry_run", ("--dry-run",), "Show what would be posted and where, and do nothing.", kind="flag"),
)
