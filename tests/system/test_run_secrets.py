"""A failed run with secrets planted wherever a run can say something: none is in any byte that leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.doubles.known import BIRDCAM_KEY, KnownDouble
from tests.doubles.wire import Wire
from tests.system.agent import AgentProcess, items
from tests.unit.core_dumps import Written
from tests.unit.secret_samples import some

REPORT = """<testsuite>
<properties><property name="DB" value="{0}"/></properties>
<testcase classname="shop" name="t[API_TOKEN={1}]"><failure message="Authorization: Bearer {2}">
E   ConnectionError: postgres://bob:{3}@db.example.org/
connect(password="{4}")</failure></testcase>
<testcase classname="shop" name="u"><error>x</error><system-out>export MY_SECRET={5}</system-out>
<system-err><![CDATA[curl -u bob:{6} https://x.example/]]></system-err></testcase>
</testsuite>"""
LOG = """Traceback (most recent call last):
  File "shop.py", line 3, in buy
    pay(api_key="{0}")
ValueError: refused for PASSWORD={1}
"""
#: How command lines tell a secret; one more is cut by the kernel before the sign that it is known by.
COMMANDS = ["/opt/pear --password={}", "/opt/pear --token {}", "/opt/pear http://bob:{}@x.example/"]


def plant(run: Path) -> list[str]:
    """Writes the run's files. Returns what must not be seen of them."""
    said = ["planted" + some(17) for _ in range(20)]
    run.mkdir(parents=True)
    (run / "junit.xml").write_text(REPORT.format(*said[:7]))
    (run / "console.log").write_text(LOG.format(*said[7:9]))
    (run / f"DB_PASSWORD={said[9]}.log").write_text("an ordinary line\n")
    about = {
        "name": f"nightly TOKEN={said[10]}",
        "branch": f"b?access_token={said[11]}",
        "author": f"PASSWORD={said[12]}",
    }
    (run / "mediaagent.json").write_text(json.dumps(about | {"url": f"https://bob:{said[13]}@ci.example.org/17"}))
    for number, secret in enumerate(said[14:18]):
        address = f"/opt/pear {'x' * 40} postgres://bob:{secret}@db"
        command = COMMANDS[number].format(secret) if number < 3 else address
        core = Written(command=command.encode()[:79], pc=0x401000 + number, name=f"pear{number}".encode())
        (run / f"core.{number}").write_bytes(core.data()[:-200] + f"ENV_TOKEN={said[18]}\0".encode().ljust(200, b"\0"))
    (run / "core.5.pear.xml").write_bytes(Written().data()[:-100] + said[19].encode().ljust(100, b"\0"))
    return said


@pytest.mark.timeout(120)
def test_nothing_planted_in_a_run_is_received_or_shown(tmp_path: Path) -> None:
    planted = plant(tmp_path / "runs" / "17")
    (tmp_path / "known.key").write_text(BIRDCAM_KEY)
    (tmp_path / "known.key").chmod(0o600)
    with KnownDouble() as double, Wire(int(double.address.rpartition(":")[2])) as wire:
        agent = AgentProcess(tmp_path)
        agent.configure(f"""
            [agent]
            state = "state"
            [watch.nightly]
            type = "artifacts"
            path = "runs"
            existing = "post"
            quiet = "1s"
            [upload.page]
            type = "page"
            path = "page"
            [upload.team]
            type = "known"
            site = "http://127.0.0.1:{wire.port}"
            user = "birdcam"
            key = "file:known.key"
        """)
        done = agent.call("run", "--once", "--patience", "30s")
        assert done.returncode == 0, done.stderr
        (post,) = double.posts
        assert "2 of 2 tests failed, 4 crashes" in post.title
        assert post.body.count("command: /opt/pear") == 4
        sent = wire.sent
    page = b"".join(bytes(file) + file.read_bytes() for file in (tmp_path / "page").rglob("*") if file.is_file())
    assert len(items(tmp_path / "page")) == 1
    beginnings = [secret[:12].encode() for secret in planted]  # no part of one either
    assert [secret for secret in beginnings if secret in sent] == []
    assert [secret for secret in beginnings if secret in page] == []
