"""`init`, `config`, `plugins` and agent.toml.example: settings written, shown and documented from one declaration."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path

import pytest

from mediaagent import app, registry
from mediaagent.cli import example, motion_conf, tables
from mediaagent.options import options_of
from mediaagent.registry import PluginRecord
from mediaagent.settings import load

from .cli_help import Place, a_place

ROOT = Path(__file__).parent.parent.parent
KNOWN = '[upload.site]\ntype = "known"\nsite = "https://example.org"\nuser = "ada"\n'


# --- agent.toml.example -----------------------------------------------------------------------------------------------


def test_the_example_in_the_repository_is_the_generated_one() -> None:
    assert (ROOT / "agent.toml.example").read_text() == example.example(), (
        "python -m mediaagent.cli.example > agent.toml.example"
    )


def test_the_example_is_good_as_it_stands_and_with_every_option_switched_on(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(example.example())
    assert app.plan(load(path))[1] == []
    switched_on = re.sub(r"^# (\w+ = |\[)", r"\1", example.example(), flags=re.MULTILINE)
    switched_on = re.sub(r"^(pattern|snapshot_pattern|movie_pattern) = .*\n", "", switched_on, flags=re.MULTILINE)
    lines = [line for line in switched_on.splitlines() if not line.startswith("enrich = [{type")]
    path.write_text("\n".join(lines))
    assert app.plan(load(path))[1] == []


def test_every_option_of_every_built_in_is_in_the_example() -> None:
    text = example.example()
    for kind in registry.GROUPS:
        for record in registry.records(kind):
            if record.distribution == "mediaagent" and record.plugin:
                for option in options_of(record.plugin):
                    assert re.search(rf"\b{option.name} = ", text), (record.name, option.name)


# --- init -------------------------------------------------------------------------------------------------------------


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    """Two cameras that inherit from a main file, one of them with names of its own."""
    write(
        tmp_path / "m" / "cam2.conf", 'camera_name "Front door"\ntarget_dir /srv/door\npicture_filename %Y/%H%M%S-%q\n'
    )
    write(tmp_path / "m" / "d" / "cam3.conf", "camera_id 3\npicture_output off\npicture_filename %f\n")
    return write(
        tmp_path / "m" / "motion.conf",
        "# a comment\n; another\ntarget_dir = /srv/motion\nevent_gap 30\n"
        "  camera cam2.conf\ncamera_dir d\ncamera no.conf\n",
    )


def test_init_writes_what_motion_says(tmp_path: Path, motion: Path) -> None:
    place = a_place(tmp_path)
    answer = place.call("init", "--motion", str(motion), "--output", str(tmp_path / "new.toml"))
    assert answer.code == 0, answer.err
    settings = tomllib.loads((tmp_path / "new.toml").read_text())
    assert settings["watch"] == {
        "front-door": {
            "type": "motion",
            "path": "/srv/door",
            "pattern": "%Y/%H%M%S-%q",
            "event_gap": "30s",
        },
        "camera3": {"type": "motion", "path": "/srv/motion", "event_gap": "30s"},
    }
    assert "writes to /srv/door" in answer.out
    assert "picture_output is off" in answer.out
    assert "no.conf" in answer.out
    assert "'%f' is left out" in answer.out
    assert stat.S_IMODE((tmp_path / "new.toml").stat().st_mode) == 0o600
    assert app.plan(load(tmp_path / "new.toml"))[1] == []


def test_init_never_overwrites_unless_forced(tmp_path: Path, motion: Path) -> None:
    place = a_place(tmp_path)
    before = (tmp_path / "agent.toml").read_text()
    answer = place.call("init", "--motion", str(motion))
    assert (answer.code, (tmp_path / "agent.toml").read_text()) == (2, before)
    assert "--force" in answer.err
    assert place.call("init", "--motion", str(motion), "--force").code == 0
    assert "front-door" in (tmp_path / "agent.toml").read_text()


def test_motions_and_motioneyes_files_are_found_in_their_places(tmp_path: Path) -> None:
    main = write(tmp_path / "etc/motion/motion.conf", "target_dir /a\n")
    eye = write(tmp_path / "etc/motioneye/camera-1.conf", "target_dir /b\n")
    assert motion_conf.find(tmp_path) == [main, eye]
    eye_main = write(tmp_path / "etc/motioneye/motion.conf", "camera camera-1.conf\n")
    assert motion_conf.find(tmp_path) == [main, eye_main]


# --- config -----------------------------------------------------------------------------------------------------------


def test_config_shows_defaults_as_comments_and_masks_secrets(tmp_path: Path) -> None:
    source = '[watch.feeder]\ntype = "folder"\npath = "pictures"\nquiet = "5s"\n'
    place = a_place(tmp_path, source + KNOWN + 'key = "hunter2"\n')
    answer = place.call("config")
    assert answer.code == 0, answer.err
    assert 'quiet = "5s"' in answer.out.splitlines()
    assert '# existing = "ignore"' in answer.out.splitlines()
    assert "hunter2" not in answer.out + answer.err
    assert "********" in answer.out
    assert "hunter2" not in place.call("config", "--json").out
    assert place.call("config", "--json").json["watch"]["feeder"]["quiet"] == "5s"


def test_what_config_prints_is_a_settings_file_that_means_the_same(tmp_path: Path) -> None:
    place = a_place(tmp_path)
    (tmp_path / "again.toml").write_text(place.call("config").out)
    one, two = place.call("config", "--json").json, place.call("config", "--json", config="again.toml").json
    assert {**one, "path": ""} == {**two, "path": ""}


def test_a_secret_never_shows_in_an_error(tmp_path: Path) -> None:
    place = a_place(tmp_path, KNOWN + 'key = "hunter2"\nusr = "x"\n')
    answer = place.call("check")
    assert answer.code == 2
    assert "hunter2" not in answer.out + answer.err


# --- plugins ----------------------------------------------------------------------------------------------------------


def test_plugins_lists_what_is_installed(tmp_path: Path) -> None:
    out = Place(tmp_path).call("plugins").out
    for name in ("motion", "folder", "best_frame", "page", "known"):
        assert re.search(rf"^{name} ", out, re.MULTILINE)


def test_a_plugin_tells_its_manual_options_and_facts(tmp_path: Path) -> None:
    out = Place(tmp_path).call("plugins", "motion").out
    for part in ("one event per visit", "event_gap", "duration", '"1m"', "required", "frames", "existing"):
        assert part in out
    assert Place(tmp_path).call("plugins", "motoin").code == 2


def test_a_broken_plugin_is_listed_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = PluginRecord("watcher", "doorbell", "ding", None, "ImportError: no bell")
    monkeypatch.setattr(registry, "records", lambda kind: [broken] if kind == "watcher" else [])
    assert "broken: ImportError: no bell" in Place(tmp_path).call("plugins").out
    answer = Place(tmp_path).call("plugins", "doorbell")
    assert answer.code == 2
    assert "no bell" in answer.out


def test_an_option_table_for_the_docs_has_a_row_for_each_option() -> None:
    motion = registry.find("watcher", "motion")
    assert len(tables.markdown(motion).splitlines()) == 2 + len(options_of(motion))
