"""Captions: Jinja2 templates over the facts of an event."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from mediaagent.model import Event
from mediaagent.options import did_you_mean

if TYPE_CHECKING:
    import jinja2

__all__ = ["NAMES", "Caption", "label_of", "mistakes", "names_for", "plain", "render"]

#: What every template may use, besides the facts of its source.
NAMES = {
    "source": 'the name in [watch.NAME], as written: "garden"',
    "label": 'the same, made nice: "Garden"',
    "time": 'when it happened, in the source\'s time zone: "08:14"',
    "date": 'the day of that: "2026-11-23"',
    "happened_at": "the same as a datetime, for filters such as happened_at.strftime('%A')",
    "kind": "what it is: motion, snapshot, picture, file, …",
}

#: A caption longer than this is a mistake of its template.
_LONGEST = 100_000


class Caption(tuple[str, str, tuple[str, ...]]):
    """Title, body, tags."""

    __slots__ = ()


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2.sandbox  # words that are no template need none

    # Plain text comes out, so nothing is escaped here: escaping is the uploader's, who knows where it goes.
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=False
    )
    environment.globals.pop("range", None)  # a template needs no million-fold loop
    return environment


def label_of(source: str) -> str:
    """A source's name for people.

    >>> label_of("garden"), label_of("bird_feeder-2")
    ('Garden', 'Bird feeder 2')
    """
    words = re.sub(r"[_-]+", " ", source).strip()
    return words[:1].upper() + words[1:]


def names_for(event: Event, zone: tzinfo | None) -> dict[str, Any]:
    """The values of a template for one event."""
    local: datetime = event.happened_at.astimezone(zone)
    return {
        **event.facts,
        "source": event.source,
        "label": label_of(event.source),
        "time": local.strftime("%H:%M"),
        "date": local.strftime("%Y-%m-%d"),
        "happened_at": local,
        "kind": event.kind,
    }


def render(template: str, names: Mapping[str, Any]) -> str:
    """The text, without control characters. Raises jinja2.TemplateError."""
    return plain(_compiled(template).render(names)[:_LONGEST])


@functools.lru_cache(maxsize=256)
def _compiled(template: str) -> jinja2.Template:
    """Templates are the settings' own, a handful; to compile one takes longer than to render it a hundred times."""
    return _environment().from_string(template)


def plain(text: str) -> str:
    r"""Text that every far side takes: UTF-8, no control characters, no blanks at the ends of lines.

    >>> plain("a \x1b[1mb \n")
    'a [1mb'
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[^\S\n]+\n", "\n", "".join(c for c in text if c in "\n\t" or c.isprintable())).strip()


def tag_of(text: str) -> str:
    """A tag: letters, digits and underscores.

    >>> tag_of("#bird feeder")
    'bird_feeder'
    """
    return re.sub(r"\W+", "_", text.strip().lstrip("#")).strip("_")


def mistakes(template: str, known: Iterable[str]) -> list[str]:
    """What is wrong with a template: its grammar, or names that no event of the source will have."""
    import jinja2.meta

    try:
        tree = _environment().parse(template)
    except jinja2.TemplateSyntaxError as error:
        return [f"line {error.lineno}: {error.message}"]
    names = {*known, *NAMES}
    unknown = sorted(jinja2.meta.find_undeclared_variables(tree) - names)
    return [f'"{name}" is no name of this source; {did_you_mean(name, names)}' for name in unknown]
