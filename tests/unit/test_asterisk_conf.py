"""`init` finds Asterisk's spool, and FreePBX's, by what their own configuration says."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mediaagent import app
from mediaagent.cli import asterisk_conf, init, surroundings
from mediaagent.cli.asterisk_conf import Mailbox
from mediaagent.settings import load

from .cli_help import Place

ASTERISK = """\
; what Asterisk itself brings along has (!) here
[directories]
astetcdir => /etc/asterisk
astspooldir => /srv/pbx/spool  ; on the large disk
;-- [directories]
astspooldir => /nowhere
--;
[options]
verbose = 3
"""
VOICEMAIL = """\
[general]
format = wav49|gsm|wav
[zonemessages]
eastern=America/New_York|'vm-received' Q 'digits/at' IMp
[default]
1234 => 4242,Ada Lovelace,ada@example.org,,attach=no|saycid=no
5678 => -,Bob \\; Sons
[sales](+)
100=1,,sales@example.org,,attach=yes|delete=yes
"""
#: As FreePBX writes it: what is general lies in files of its own.
FREEPBX = {
    "etc/asterisk/asterisk.conf": "[directories]\nastetcdir => /etc/asterisk\nastspooldir => /var/spool/asterisk\n",
    "etc/asterisk/voicemail.conf": "[general]\n#include vm_general.inc\n#include vm_email.inc\n\n[default]\n\n"
    "200 => 9999,Front desk,desk@example.org,,attach=no|saycid=no|envelope=no|delete=no|vmctx=default\n",
    "etc/asterisk/vm_general.inc": "format=wav49|wav\nexternnotify=\n",
    "etc/asterisk/vm_email.inc": "emailsubject=[PBX]: ${VM_MSGNUM}\n",
}


def written(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """The usual one; an agent in this process leaves a stricter one behind."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def pbx(tmp_path: Path) -> Path:
    (tmp_path / "srv/pbx/spool/voicemail").mkdir(parents=True)
    return written(tmp_path, {"etc/asterisk/asterisk.conf": ASTERISK, "etc/asterisk/voicemail.conf": VOICEMAIL})


def proposed(root: Path) -> tuple[str, str]:
    """The settings, and what is told."""
    told: list[str] = []
    return init.document(told, root=root), "\n".join(told)


def test_the_spool_and_the_mailboxes_are_found(pbx: Path) -> None:
    told: list[str] = []
    phone = asterisk_conf.phone(told, root=pbx)
    assert phone
    assert told == []
    assert phone.spool == pbx / "srv/pbx/spool/voicemail"
    assert phone.general == {"format": "wav49|gsm|wav"}
    assert phone.mailboxes == (
        Mailbox(number="1234", context="default", name="Ada Lovelace", deletes=False),
        Mailbox(number="5678", context="default", name="Bob ; Sons", deletes=False),
        Mailbox(number="100", context="sales", name="", deletes=True),
    )


def test_a_template_sets_nothing(pbx: Path) -> None:
    path = pbx / "etc/asterisk/asterisk.conf"
    path.write_text(ASTERISK.replace("[directories]", "[directories](!)", 1))
    phone = asterisk_conf.phone([], root=pbx)
    assert phone
    assert phone.spool == pbx / "var/spool/asterisk/voicemail"


def test_freepbx_is_read_through_its_includes(tmp_path: Path) -> None:
    phone = asterisk_conf.phone([], root=written(tmp_path, FREEPBX))
    assert phone
    assert phone.spool == tmp_path / "var/spool/asterisk/voicemail"
    assert phone.general["format"] == "wav49|wav"
    assert [(each.number, each.name) for each in phone.mailboxes] == [("200", "Front desk")]


def test_files_that_include_each_other_are_read_all_the_same(tmp_path: Path) -> None:
    files = {
        "etc/asterisk/asterisk.conf": "",
        "etc/asterisk/voicemail.conf": "[default]\n#include voicemail.conf\n7 => 1,A",
    }
    phone = asterisk_conf.phone([], root=written(tmp_path, files))
    assert phone
    assert {each.number for each in phone.mailboxes} == {"7"}


def test_a_spool_without_a_configuration_is_enough(tmp_path: Path) -> None:
    assert asterisk_conf.phone([], root=tmp_path) is None
    (tmp_path / "var/spool/asterisk/voicemail").mkdir(parents=True)
    phone = asterisk_conf.phone([], root=tmp_path)
    assert phone
    assert (phone.file, phone.spool) == (None, tmp_path / "var/spool/asterisk/voicemail")


def test_init_proposes_a_source_that_works_as_it_stands_and_with_its_comments_taken_away(pbx: Path) -> None:
    text, told = proposed(pbx)
    settings = tomllib.loads(text)
    assert settings["watch"] == {"phone": {"type": "voicemail", "path": str(pbx / "srv/pbx/spool/voicemail")}}
    assert f"voicemail lies in {pbx}/srv/pbx/spool/voicemail, 3 mailboxes" in told
    path = pbx / "agent.toml"
    for each in (text, re.sub(r"^# (\w+ = |\[(?:watch|upload.page))", r"\1", text, flags=re.MULTILINE)):
        path.write_text(re.sub(r"^(site|user|key) = .*\n|^type = \"known\".*\n", "", each, flags=re.MULTILINE))
        assert app.plan(load(path))[1] == []
    assert set(tomllib.loads(path.read_text())["watch"]["phone"]["mailboxes"]) == {
        "1234@default",
        "5678@default",
        "100@sales",
    }


def test_what_hinders_is_told(pbx: Path) -> None:
    assert "delete=yes is set for 100@sales" in proposed(pbx)[1]
    text = VOICEMAIL.replace("wav49|gsm|wav", "ulaw\nodbcstorage=asterisk")
    (pbx / "etc/asterisk/voicemail.conf").write_text(text)
    told = proposed(pbx)[1]
    assert "format = ulaw" in told
    assert "odbcstorage is set" in told
    (pbx / "srv/pbx/spool/voicemail").rmdir()
    assert "not there yet" in proposed(pbx)[1]


def test_no_password_and_no_address_is_told_or_written(pbx: Path) -> None:
    for said in proposed(pbx):
        assert "4242" not in said
        assert "@example.org" not in said


def test_names_of_mailboxes_can_break_neither_the_file_nor_the_terminal(pbx: Path) -> None:
    boxes = 'x"]y\x1b[2J => 1,N\n1 => 2,A\x1b[31m"] \u2028 #\n'
    (pbx / "etc/asterisk/voicemail.conf").write_text(f'[de"]fault\x1b]\n{boxes}', encoding="utf-8")
    text, told = proposed(pbx)
    assert list(tomllib.loads(text)["watch"]["phone"]) == ["type", "path"]
    assert "\x1b" not in text + told


def test_beside_motion_both_are_proposed(pbx: Path) -> None:
    written(pbx, {"etc/motion/motion.conf": "camera_name phone\ntarget_dir /srv/motion\n"})
    assert {name: each["type"] for name, each in tomllib.loads(proposed(pbx)[0])["watch"].items()} == {
        "phone": "motion",
        "voicemail": "voicemail",
    }


def test_with_neither_the_example_watches_a_folder(tmp_path: Path) -> None:
    text, told = proposed(tmp_path)
    assert tomllib.loads(text)["watch"] == {"pictures": {"type": "folder", "path": "pictures"}}
    assert "--asterisk FILE" in told


def test_nothing_is_changed_by_looking(pbx: Path) -> None:
    before = sorted((path, path.lstat().st_mtime_ns) for path in pbx.rglob("*"))
    proposed(pbx)
    assert sorted((path, path.lstat().st_mtime_ns) for path in pbx.rglob("*")) == before


def test_the_configuration_may_be_named(pbx: Path) -> None:
    """Outside of a test nothing lies below another root, so what it names is taken as it stands."""
    conf = written(pbx, {"pbx/asterisk.conf": f"[directories]\nastspooldir={pbx}/srv\n"}) / "pbx/asterisk.conf"
    answer = Place(pbx).call("init", "--asterisk", str(conf))
    assert answer.code == 0, answer.err
    assert tomllib.loads((pbx / "agent.toml").read_text())["watch"]["phone"]["path"] == f"{pbx}/srv/voicemail"
    assert "voicemail.conf: No such file" in answer.out


# --- rights -----------------------------------------------------------------------------------------------------------


NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """As another user, in every respect."""
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


class TestWhoMayReadIt:
    # Read by pytest: only root can make a folder of somebody else's.
    __test__ = os.geteuid() == 0

    @pytest.fixture
    def spool(self, pbx: Path) -> Path:
        """As Debian has it: its group may read, others may not."""
        for folder in (*pbx.parents[:2], pbx):
            folder.chmod(0o755)
        spool = pbx / "srv/pbx/spool"
        os.chown(spool, 1, 1)  # daemon
        spool.chmod(0o750)
        return spool

    def test_another_user_is_told_which_group_and_which_acl_help(self, pbx: Path, spool: Path) -> None:
        with as_nobody():
            told = proposed(pbx)[1]
        assert "usermod -aG daemon nobody" in told
        acl = f"setfacl -m u:nobody:x {spool} && setfacl -R -m u:nobody:rX,d:u:nobody:rX {spool}/voicemail"
        assert acl in told
        spool.chmod(0o700)
        with as_nobody():
            told = proposed(pbx)[1]
        assert "usermod" not in told
        assert acl in told

    def test_root_is_told_what_the_agents_user_will_need(self, pbx: Path, spool: Path) -> None:
        assert "usermod -aG daemon USER" in proposed(pbx)[1]
        spool.chmod(0o755)
        assert "USER" not in proposed(pbx)[1]

    def test_of_a_closed_configuration_the_usual_place_is_taken(self, pbx: Path, spool: Path) -> None:
        (pbx / "etc/asterisk").chmod(0o700)
        with as_nobody():
            text, told = proposed(pbx)
        assert "asterisk.conf: Permission denied" in told
        assert tomllib.loads(text)["watch"]["phone"]["path"] == str(pbx / "var/spool/asterisk/voicemail")

    def test_check_tells_a_folder_behind_a_closed_one_from_one_that_is_not_there(self, pbx: Path, spool: Path) -> None:
        settings = f'[agent]\nstate = "state"\n[watch.phone]\ntype = "voicemail"\npath = "{spool}/voicemail"\n'
        (pbx / "agent.toml").write_text(settings)
        made, _ = app.plan(load(pbx / "agent.toml"))
        assert list(surroundings.folders(made)) == []
        with as_nobody():
            (problem,) = surroundings.folders(made)
        assert problem.what.endswith(f"{spool} is closed")
        assert "usermod -aG daemon nobody" in problem.todo
