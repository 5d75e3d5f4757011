"""Renews what the docs take from the code: tables of options, listings, reasons, messages.

    python -m tests.unit.regenerate_docs

Each such place stands between `<!-- what: of what -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mediaagent import registry, settings
from mediaagent.api import Ignored, Watcher
from mediaagent.builtin.watchers.artifacts import Artifacts
from mediaagent.builtin.watchers.folder import Folder
from mediaagent.builtin.watchers.motion import Motion
from mediaagent.builtin.watchers.voicemail import Voicemail
from mediaagent.cli.home import Home
from mediaagent.cli.tables import markdown
from mediaagent.places import state_folder
from mediaagent.rules.caption import NAMES
from mediaagent.testing import seen_file

__all__ = ["DOCS", "ROOT", "renewed"]

ROOT = Path(__file__).parent.parent.parent
DOCS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_PLACE = re.compile(r"(<!-- (\w+)(?:: ([^\n]+?))? -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_SETTINGS = re.compile(r"<!-- settings -->\n```toml\n(.*?)```", re.DOTALL)
_WATCHED: dict[str, Watcher] = {
    "motion": Motion(path=Path("/watched")),
    "voicemail": Voicemail(path=Path("/watched")),
    "artifacts": Artifacts(path=Path("/watched")),
    "folder": Folder(path=Path("/watched"), patterns=["*.jpg"], ignore=["draft-*"]),
}


def renewed(text: str) -> str:
    """The same document with every such place made anew."""

    def made(place: re.Match[str]) -> str:
        opening, what, of, before, end = place.groups()
        return opening + _MAKERS[what](of, before, text) + end if what in _MAKERS else place[0]

    return _PLACE.sub(made, text)


def _options(of: str, before: str, text: str) -> str:
    kind, _, name = of.partition(" ")
    plugin: type[Any] = getattr(settings, name) if kind == "settings" else registry.find(kind, name)
    table = markdown(plugin)
    if plugin is settings.AgentSettings:  # this machine's own folder is nobody else's default
        table = table.replace(f'`"{state_folder()}"`', "")
    return table + "\n"


def _file(of: str, before: str, text: str) -> str:
    language = {".py": "python", ".toml": "toml"}[Path(of).suffix]
    return f"```{language}\n{(ROOT / of).read_text(encoding='utf-8')}```\n"


def _names(of: str, before: str, text: str) -> str:
    rows = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in NAMES.items())
    return f"| name | what it is |\n|---|---|\n{rows}"


def _ignored(of: str, before: str, text: str) -> str:
    """Why a watcher takes none of the files in the first column."""
    rows = []
    for name in re.findall(r"^\| `([^`]+)` \|", before, re.MULTILINE):
        answer = _WATCHED[of].claim(seen_file(Path("/watched") / name))
        rows.append(f"| `{name}` | {answer.reason if isinstance(answer, Ignored) else 'IT IS TAKEN'} |\n")
    return "| file | why |\n|---|---|\n" + "".join(rows)


def _answer(of: str, before: str, text: str) -> str:
    """What is said of the settings that stand in the same document."""
    found = _SETTINGS.search(text)
    assert found, "there is no <!-- settings --> in this document"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent.toml"
        path.write_text(found[1], encoding="utf-8")
        _, _, problems = Home(path, None, "auto").look()
        told = "\n".join(str(problem) for problem in problems).replace(f"{folder}/", "")
    return f"```text\n{told}\n```\n"


_MAKERS: dict[str, Callable[[str, str, str], str]] = {
    "options": _options,
    "file": _file,
    "names": _names,
    "ignored": _ignored,
    "answer": _answer,
}

if __name__ == "__main__":
    for document in DOCS:
        document.write_text(renewed(document.read_text(encoding="utf-8")), encoding="utf-8")
