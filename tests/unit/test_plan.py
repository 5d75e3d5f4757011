"""What settings mean, beyond what each table says alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaagent import app, once, settings


def problems(folder: Path, text: str) -> list[str]:
    path = folder / "agent.toml"
    path.write_text(text)
    found, wrong = settings.read(path)
    assert found is not None
    assert wrong == []
    return [problem.what for problem in app.plan(found)[1]]


@pytest.mark.parametrize(
    "own",
    [
        '[agent]\nstate = "watched/state"\n',
        '[agent]\nstate = "state"\npage = "watched/page"\n',
        '[agent]\nstate = "state"\n[upload.mine]\ntype = "page"\npath = "watched/deep/page"\n',
        '[agent]\nstate = "linked/state"\n',
    ],
)
def test_an_agent_that_would_watch_its_own_files_is_refused(tmp_path: Path, own: str) -> None:
    (tmp_path / "watched").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "watched")
    told, *_ = problems(tmp_path, own + '[watch.all]\ntype = "folder"\npath = "watched"\n')
    assert "lies inside of the watched folder" in told


def test_a_watched_folder_beside_the_agents_own_is_fine(tmp_path: Path) -> None:
    text = '[agent]\nstate = "here/state"\n[watch.all]\ntype = "folder"\npath = "here/watched"\n'
    assert problems(tmp_path, text) == []


def test_the_agents_settings_and_keys_in_a_watched_folder_are_never_posted(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "known.key").write_text("secret")
    (here / "note.txt").write_text("a file like any other")
    path = here / "agent.toml"
    path.write_text("""
        [agent]
        state = "../state"
        [watch.all]
        type = "folder"
        path = "."
        existing = "post"
        quiet = "0s"
        [upload.page]
        type = "page"
        path = "../page"
        [upload.site]
        type = "known"
        site = "http://127.0.0.1:9"
        user = "me"
        key = "file:known.key"
    """)
    agent = app.make_agent(settings.load(path))
    try:
        once.run_once(agent, 1)
    finally:
        agent.close()
    posted = {path.name for path in (tmp_path / "page" / "media").rglob("*") if path.is_file()}
    assert posted == {"note.txt"}


KINDS = """
[watch.feeder]
type = "motion"
path = "pictures"
to = ["family", "office"]
[watch.phone]
type = "voicemail"
path = "spool"
access = "public"
to = ["office"]
[watch.phone.mailboxes."1234@default"]
to = ["family"]
access = "private"
[upload.office]
type = "page"
path = "office"
[upload.family]
type = "page"
path = "family"
[upload.nobody]
type = "page"
path = "nobody"
"""


def test_what_is_sent_to_a_target_is_told_by_its_sources_and_their_routes(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text(KINDS)
    made, wrong = app.plan(settings.load(tmp_path / "agent.toml"))
    assert wrong == []
    assert app.sent_to(made, "office") == {"photo": {"public"}, "audio": {"public"}}
    assert app.sent_to(made, "family") == {"photo": {"public"}, "audio": {"private"}}
    assert app.sent_to(made, "nobody") == {}
