"""agent.toml: all mistakes at once, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaagent import app
from mediaagent.errors import ConfigError
from mediaagent.settings import load, read

GOOD = '[watch.garden]\ntype = "folder"\npath = "pictures"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.toml"
    path.write_text(text, encoding="utf-8")
    return path


def told(path: Path) -> list[str]:
    """Every problem, of the settings and of what they mean."""
    settings, problems = read(path)
    if settings is not None:
        problems = [*problems, *app.plan(settings)[1]]
    return [str(problem).replace(f"{path}:", "") for problem in problems]


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    settings = load(written(tmp_path, GOOD))
    assert list(settings.sources) == ["garden"]
    assert told(settings.path) == []


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    made, _ = app.plan(load(written(tmp_path, '[agent]\nstate = "memory"\n' + GOOD)))
    assert made.settings.agent.state == tmp_path / "memory"
    assert made.sources["garden"].watcher.roots == (tmp_path / "pictures",)


def test_many_mistakes_are_all_told_each_with_its_line(tmp_path: Path) -> None:
    text = """\
[agent]
rescan = "soon"

[watch.garden]
type = "motion"
existing = "maybe"
event_gapp = "5s"
title = "{{ frmes }}"
body = "{% if %}"
to = ["famly"]
enrich = [{type = "best_fram"}]

[watch.attic]
type = "motoin"

[upload.family]
type = "page"
pth = "x"
"""
    problems = told(written(tmp_path, text))
    expected = [
        ("2: agent.rescan", "not a duration"),
        ("4: watch.garden", '"path" is missing'),
        ("6: watch.garden.existing", "none of ignore, post"),
        ("7: watch.garden.event_gapp", 'did you mean "event_gap"'),
        ("8: watch.garden.title", 'did you mean "frames"'),
        ("9: watch.garden.body", "line 1"),
        ("10: watch.garden.to", 'did you mean "family"'),
        ("11: watch.garden.enrich", 'did you mean "best_frame"'),
        ("14: watch.attic.type", 'did you mean "motion"'),
        ("18: upload.family.pth", 'did you mean "path"'),
    ]
    for place, said in expected:
        assert [each for each in problems if each.startswith(place) and said in each], (place, said, problems)
    assert len(problems) == len(expected)


def test_a_mistyped_table_is_one_mistake_and_its_content_is_looked_at(tmp_path: Path) -> None:
    problems = told(written(tmp_path, '[wacth.garden]\ntype = "folder"\npath = "p"\nquite = "2s"\n'))
    assert len(problems) == 2
    assert 'did you mean "watch"' in problems[0]
    assert problems[1].startswith("4: watch.garden.quite")


def test_a_broken_target_brings_no_complaint_about_who_names_it(tmp_path: Path) -> None:
    problems = told(written(tmp_path, GOOD + 'to = ["family"]\n[upload.family]\ntype = "pgae"\n'))
    assert len(problems) == 1
    assert 'did you mean "page"' in problems[0]


def test_a_mistake_of_toml_is_told_with_its_line(tmp_path: Path) -> None:
    problems = told(written(tmp_path, GOOD + "title = {{ label }}\n"))
    assert len(problems) == 1
    assert problems[0].startswith("4: this is not TOML")


def test_a_key_that_stands_twice_is_told(tmp_path: Path) -> None:
    assert "not TOML" in told(written(tmp_path, GOOD + 'path = "x"\n'))[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing is watched"),
        ("[watch]\n", "nothing is watched"),
        ('watch = "x"\n', "not a table"),
        ('[watch]\ntype = "folder"\n', "it stands under no name"),
        ('[watch."a b"]\ntype = "folder"\npath = "x"\n', "can't be a name"),
        ("[watch.garden]\n", '"type" is missing'),
        (GOOD + "to = [1]\n", "text in quotes"),
        (GOOD + 'to = ["x"]\n', "there is no [upload.x]"),
        (GOOD + "enrich = [{keep = 2}]\n", "the 1. step has no type"),
        (GOOD + 'tags = ["{{ nam }}"]\n', 'did you mean "name"'),
    ],
)
def test_each_mistake_is_told(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in problem for problem in told(written(tmp_path, text)))


def test_an_array_of_tables_has_lines_too(tmp_path: Path) -> None:
    text = GOOD + '[[watch.garden.enrich]]\ntype = "best_frame"\nkep = 2\n'
    (problem,) = told(written(tmp_path, text))
    assert problem.startswith("6: watch.garden.enrich.kep")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GOOD + '[uplod.x]\ntype = "page"\npath = "p"\n', 4),
        ('# first\n[watch."a b"]\ntype = "folder"\npath = "x"\n', 2),
        ('# first\n[watch . "a.b#c"] # more\ntype = "folder"\npath = "x"\n', 2),
        ('\nwatch.garden.type = "folder"\nwatch.garden.paht = "x"\n', 3),
    ],
)
def test_mistaken_and_odd_names_are_told_with_their_line(tmp_path: Path, text: str, line: int) -> None:
    (problem,) = told(written(tmp_path, text))
    assert problem.startswith(f"{line}: ")


def test_a_mark_in_front_of_the_file_is_no_mistake(tmp_path: Path) -> None:
    assert told(written(tmp_path, "\ufeff" + GOOD)) == []


def test_paths_have_no_dots_whatever_way_the_file_was_named_by(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    written(tmp_path, GOOD)
    settings = load(tmp_path / "sub" / ".." / "agent.toml")
    made, _ = app.plan(settings)
    assert settings.path == tmp_path / "agent.toml"
    assert made.sources["garden"].watcher.roots == (tmp_path / "pictures",)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mediaagent init"):
        load(tmp_path / "agent.toml")


def test_a_file_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_bytes(b'a = "\xff"\n')
    with pytest.raises(ConfigError, match="can't be read"):
        load(tmp_path / "agent.toml")
