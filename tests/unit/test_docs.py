"""The docs are true: what they take from the code, the commands they name, the links, the listings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mediaagent import registry, settings
from mediaagent.cli.commands import main
from mediaagent.options import build, options_of
from tests.unit.regenerate_docs import DOCS, ROOT, renewed

BY_NAME = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in DOCS}
LINKED = {**BY_NAME, "CHANGELOG.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_OURS = re.compile(r"`((?:mediaagent|tests|docs|\.ci)/[\w./]*)`")


def blocks(text: str, language: str) -> list[str]:
    return [body for kind, body in _FENCE.findall(text) if kind == language]


def prose(text: str) -> str:
    return _FENCE.sub("", text)


# --- what is made of the code -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_NAME)
def test_tables_listings_and_messages_are_those_of_the_code(name: str) -> None:
    assert BY_NAME[name] == renewed(BY_NAME[name]), "run: python -m tests.unit.regenerate_docs"


def test_every_option_of_every_builtin_plugin_stands_in_a_table() -> None:
    text = "\n".join(BY_NAME.values())
    plugins = [record.plugin for kind in registry.GROUPS for record in registry.records(kind)]
    for plugin in (settings.AgentSettings, settings.SourceSettings, *plugins):
        assert plugin is not None
        for option in options_of(plugin):
            assert f"| `{option.name}` |" in text, f"{plugin.__name__}.{option.name}"


def test_no_example_of_an_ignored_file_would_be_taken() -> None:
    assert "IT IS TAKEN" not in "".join(BY_NAME.values())


def test_the_floors_are_those_that_are_enforced() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (floors,) = [each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    assert "\n".join(floors["layers"]) + "\n" in blocks(BY_NAME["docs/architecture.md"], "")


@pytest.mark.parametrize("name", LINKED)
def test_every_file_of_ours_that_is_named_is_there(name: str) -> None:
    missing = [path for path in _OURS.findall(LINKED[name]) if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("name", ["motion.conf", "voicemail.conf"])
def test_the_lines_of_a_hook_are_those_of_its_file(name: str) -> None:
    lines = (ROOT / "packaging" / "hooks" / name).read_text(encoding="utf-8").splitlines()
    settings = "".join(f"{line}\n" for line in lines if line and line[0] not in "#;")
    assert settings in blocks(BY_NAME["docs/producers.md"], "text")


def test_every_module_that_is_run_is_there() -> None:
    for name in re.findall(r"python -m ([\w.]+)", "\n".join(BY_NAME.values())):
        module = ROOT / name.replace(".", "/")
        assert name == "venv" or module.with_suffix(".py").exists() or (module / "__main__.py").exists(), name


# --- commands ---------------------------------------------------------------------------------------------------------


def named_commands(text: str) -> Iterator[list[str]]:
    """The words after each `mediaagent` that stands as a command, in code."""
    code = "\n".join(body for kind, body in _FENCE.findall(text) if kind in ("sh", "ini"))
    for line in re.sub(r"#.*|-u mediaagent --|User=mediaagent", "", code).splitlines():
        yield from (said.split() for said in re.findall(r"(?:^|[\s=/])mediaagent((?:\s+[^\s&]+)+)", line))
    yield from (said.split() for said in re.findall(r"`mediaagent ([^`\n]+)`", prose(text)))


def unknown(words: list[str]) -> str:
    """What of a command line there is not; "" when all of it is known."""
    command: click.Command = main
    context = click.Context(main)
    values = 0
    for word in words:
        options = {name: each for each in command.params for name in (*each.opts, *each.secondary_opts)}
        if values:
            values -= 1
        elif word.startswith("-"):
            if word not in options and word not in ("--help", "--version"):
                return f"{command.name} {word}"
            values = 0 if getattr(options.get(word), "is_flag", True) else 1
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            if found is None:
                return word
            command = found
    return ""


@pytest.mark.parametrize("name", BY_NAME)
def test_every_command_and_option_that_is_named_exists(name: str) -> None:
    assert [" ".join(words) for words in named_commands(BY_NAME[name]) if unknown(words)] == []


def test_a_command_that_there_is_not_would_be_found() -> None:
    assert [unknown(words) for words in named_commands("`mediaagent frobnicate` and `mediaagent run --twice`")] == [
        "frobnicate",
        "run --twice",
    ]


def test_every_option_in_code_that_stands_alone_is_one_of_some_command() -> None:
    known = {"--help"} | set(_options_of(main))
    for name in ("README.md", "docs/operations.md", "docs/producers.md"):
        alone = re.findall(r"`(--[a-z-]+)(?: [^`]*)?`", prose(BY_NAME[name]))
        assert set(alone) <= known, name


def _options_of(command: click.Command) -> Iterator[str]:
    yield from (name for each in command.params for name in (*each.opts, *each.secondary_opts))
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below
            yield from _options_of(below)


@pytest.mark.parametrize("command", main.list_commands(click.Context(main)))
def test_every_command_is_in_the_operations_guide(command: str) -> None:
    assert f"| `mediaagent {command}" in BY_NAME["docs/operations.md"]


# --- examples of settings ---------------------------------------------------------------------------------------------


def examples() -> Iterator[tuple[str, str, str, dict[str, object]]]:
    for name, text in BY_NAME.items():
        wrong = re.findall(r"<!-- settings -->\n```toml\n(.*?)```", text, re.DOTALL)
        for block in blocks(text, "toml"):
            document = tomllib.loads(block)
            for kind in ("watch", "upload"):
                for table, own in document.get(kind, {}).items() if block not in wrong else ():
                    if own["type"] != "doorbell":  # tests/system/test_third_party_plugin.py has that one installed
                        yield name, kind, table, own


@pytest.mark.parametrize(("name", "kind", "table", "own"), [*examples()])
def test_every_example_of_a_table_is_right(name: str, kind: str, table: str, own: dict[str, object]) -> None:
    plugin = registry.find({"watch": "watcher", "upload": "uploader"}[kind], str(own["type"]))
    common = settings.SourceSettings if kind == "watch" else settings.TargetSettings
    shared = {option.name for option in options_of(common)}
    here = {option.name for option in options_of(plugin)}
    problems = build(common, {k: v for k, v in own.items() if k in shared}, where=table, base=Path())[1]
    problems += build(plugin, {k: v for k, v in own.items() if k in here or k not in shared}, where=table, base=ROOT)[1]
    assert [str(problem) for problem in problems] == []


# --- links ------------------------------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", LINKED)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    for link in _LINK.findall(prose(LINKED[name])):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


# --- the README -------------------------------------------------------------------------------------------------------


def test_the_readme_is_short_and_has_the_two_commands_and_the_picture() -> None:
    readme = BY_NAME["README.md"]
    assert len(readme.splitlines()) <= 100
    assert "\npython3 -m venv .venv && .venv/bin/pip install . && .venv/bin/mediaagent demo\n" in readme
    assert "\npython3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest\n" in readme
    assert "](docs/page.png)" in readme


@pytest.mark.parametrize(("name", "most"), [("page.png", 300_000), ("run.png", 120_000), ("voicemail.png", 100_000)])
def test_pictures_are_small(name: str, most: int) -> None:
    picture = (ROOT / "docs" / name).read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) < most
