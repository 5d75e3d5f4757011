"""Whatever happens between the agent and its site, the site ends with exactly one post, with all of its media.

The agent runs within this process here, from a state in which its post is prepared: real store, lanes and uploader, and
real connections through a proxy that breaks them. The waits of the back-off are left out, the time that a site needs to
settle is not.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doubles.known import KnownDouble
from tests.proof.judge import Posted
from tests.proof.lives import Life, a_site
from tests.proof.proxy import Answered, CutReply, CutRequest, Dripped, Fault, Late, Proxy, Silent, Stalled
from tests.proof.record import Record, Tried
from tests.proof.scenes import Scene
from tests.proof.within import Within, taken_up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

LOGIN = ("Location: https://sso.example.org/login",)
PORTAL = b"<html><title>Welcome</title><form action='/accept'>Please accept our terms</form></html>"
FAULTS: dict[str, Fault] = {
    **{f"request cut at {share:.0%}": CutRequest(share) for share in (0.0, 0.02, 0.5, 0.99)},
    "whole request, then closed": CutRequest(1.0, reset=False),
    **{f"reply cut at {share:.0%}": CutReply(share) for share in (0.0, 0.1, 0.5, 0.99)},
    "reply closed in the middle": CutReply(0.5, reset=False),
    "stalled": Stalled(),
    "half-open": Silent(),
    "dripping": Dripped(),
    "301 to a login page": Answered("301 Moved Permanently", LOGIN),
    "200 with HTML": Answered("200 OK"),
    "200 with HTML, though made": Answered("200 OK", done=True),
    "200 without a location": Answered("200 OK", body=b"{}", done=True),
    "413": Answered("413 Request Entity Too Large"),
    "429": Answered("429 Too Many Requests", ("Retry-After: 3600",)),
    "502 after the post was made": Answered("502 Bad Gateway", done=True),
    "503": Answered("503 Service Unavailable", ("Retry-After: 120",)),
    "a commit long after the client left": Late(0.4),
    "captive portal": Answered("200 OK", body=PORTAL),
}
#: How long the site may still be at work on what it got. More than it is, here, however busy this machine.
SETTINGS = 'timeout = "400ms"\nsettles_after = "1500ms"'
#: The short form lays every so manieth fault.
STRIDE = 7


@pytest.fixture
def template(scene: Scene, laid: dict[str, Path], tmp_path: Path) -> Path:
    """A life whose post is on its page, and whose site was never reached."""
    with a_site() as double:
        life = Life(tmp_path / "template", scene, laid[scene.name], double, site="http://127.0.0.1:9")
        life.call("run", "--once", "--patience", "5s")
        assert life.found()["page"], (life.folder / "agent.log").read_text()
    return life.folder


@pytest.fixture
def truth(undisturbed: Life) -> Counter[Posted]:
    return undisturbed.found()["known"]


def through(faults: Sequence[Fault | None], scene: Scene, watched: Path, template: Path, folder: Path) -> Tried:
    """One delivery through these faults, one an exchange; then a fresh file without any."""
    with a_site() as double, Proxy(_address(double), patience=1.0) as proxy:
        life = Life(folder, scene, watched, double, site=proxy.address, known=SETTINGS)
        taken_up(life, template)
        proxy.lay(faults)
        agent = Within(life)
        try:
            done = agent.deliver(20 + 4 * len(faults))
            struck = proxy.struck
            proxy.lay(())
            life.freshen()
            agent.round()
            agent.deliver(20)
            wrong = [] if done else [f"it does not get through: {agent.troubles()} {agent.log.lines[-3:]}"]
            listed = sum("413" in (reason or "") for _, state, reason in agent.troubles() if state == "rejected")
        finally:
            agent.close()
        return Tried(wrong or _judged(life, faults, listed), fired=struck > 0, times=max(struck, 1))


_TRUTH: dict[str, Counter[Posted]] = {}


def _judged(life: Life, faults: Sequence[Fault | None], listed: int) -> list[str]:
    """`listed`: dead letters that say that the site takes no files of their size."""
    truth = _TRUTH[life.scene.name]
    wrong = life.judged({"known": truth})
    too_large = any(isinstance(fault, Answered) and fault.status.startswith("413") for fault in faults)
    return _but_smaller(life, truth, listed) if wrong and too_large else wrong


def _but_smaller(life: Life, truth: Counter[Posted], listed: int) -> list[str]:
    """Who says 413 gets smaller files, or less of them, which the post then says; or none, where nothing can shrink."""
    wanted = {posted.title: {name for name, _ in posted.files} for posted in truth}
    bodies = {post.title: post.body for post in life.double.posts}
    found = life.found()["known"]
    if max(found.values()) > 1 or len(wanted) - len(found) != listed or not set(bodies) <= set(wanted):
        return [f"not one post each, and {listed} listed: {[posted.title for posted in found.elements()]}"]
    return [
        f"{posted.title!r} lacks {name}, and does not say so"
        for posted in found
        for name in wanted[posted.title] - {name for name, _ in posted.files}
        if name not in bodies[posted.title]
    ]


def test_each_fault_at_each_exchange(
    scene: Scene, laid: dict[str, Path], template: Path, truth: Counter[Posted], record: Record, tmp_path: Path
) -> None:
    _TRUTH[scene.name] = truth
    with a_site() as double, Proxy(_address(double)) as proxy:
        life = Life(tmp_path / "counted", scene, laid[scene.name], double, site=proxy.address)
        taken_up(life, template)
        agent = Within(life)
        assert agent.deliver(20), agent.log.lines
        agent.close()
        exchanges = len(proxy.seen)
    assert exchanges > 1

    def life_of(case: tuple[str, int]) -> Tried:
        folder = tmp_path / f"{list(FAULTS).index(case[0])}-{case[1]}"
        tried = through([None] * case[1] + [FAULTS[case[0]]], scene, laid[scene.name], template, folder)
        if not tried.found:
            shutil.rmtree(folder)
        return tried

    cases = [(name, at) for at in range(exchanges) for name in FAULTS]
    record.each(scene.name, cases if record.long else cases[::STRIDE], life_of)


def test_a_certificate_that_has_expired_delays_and_loses_nothing(
    scene: Scene,
    laid: dict[str, Path],
    template: Path,
    truth: Counter[Posted],
    record: Record,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expired, renewed = _certificate(tmp_path / "expired", "-30d"), _certificate(tmp_path / "renewed", "-1h")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(expired.read_bytes() + renewed.read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    def life(case: str) -> Tried:
        with a_site() as double, Proxy(_address(double), tls=_context(expired)) as proxy:
            life = Life(tmp_path / "life", scene, laid[scene.name], double, site=proxy.address, known=SETTINGS)
            taken_up(life, template)
            agent = Within(life)
            try:
                early = agent.deliver(2)
                told = [] if any("has expired" in line for line in agent.log.lines) else ["it does not say so"]
                if early or double.requests:
                    told.append("it trusts a certificate that has expired")
                proxy.tls = _context(renewed)
                life.freshen()
                agent.round()
                done = agent.deliver(20)
            finally:
                agent.close()
            return Tried([*told, *([] if done else ["it does not get through"]), *life.judged({"known": truth})])

    record.each(f"{scene.name}, expired TLS", ["expired"], life)


def _certificate(folder: Path, since: str) -> Path:
    """Of localhost, for a day, made at another time: certificate and key in one file."""
    folder.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "certificate.pem"]
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    environment = {**os.environ, "LD_PRELOAD": str(library), "FAKETIME": since}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=60)
    both = folder / "both.pem"
    both.write_bytes((folder / "certificate.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return both


def _context(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _address(double: KnownDouble) -> tuple[str, int]:
    return "127.0.0.1", int(double.address.rpartition(":")[2])


def test_faults_in_any_sequence(
    scene: Scene, laid: dict[str, Path], template: Path, truth: Counter[Posted], record: Record, tmp_path: Path
) -> None:
    """hypothesis draws the sequences, so that one that fails is made as short as it can be."""
    _TRUTH[scene.name] = truth
    numbers = iter(range(10_000))
    tried: list[Tried] = []

    @settings(
        max_examples=100 if record.long else 6,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(st.none() | st.sampled_from(sorted(FAULTS)), min_size=2, max_size=10))
    def any_sequence(names: list[str | None]) -> None:
        folder = tmp_path / f"sequence-{next(numbers)}"
        faults = [FAULTS[name] if name else None for name in names]
        tried.append(through(faults, scene, laid[scene.name], template, folder))
        assert not tried[-1].found, (names, tried[-1].found)
        shutil.rmtree(folder)

    def all_sequences(case: str) -> Tried:
        any_sequence()
        return Tried(times=sum(each.times for each in tried))

    record.each(f"{scene.name}, sequences", ["sequences"], all_sequences)
