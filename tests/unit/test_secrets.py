"""What counts as a secret is found wherever it stands, and nothing else is touched."""

from __future__ import annotations

import base64
import json
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaagent.rules import secrets
from mediaagent.rules.secrets import assignments, blocks, names, places, shapes
from mediaagent.rules.secrets.glance import surely_none
from mediaagent.rules.secrets.known import KIND, Known
from mediaagent.rules.secrets.reports import Report
from mediaagent.rules.secrets.stream import Redactor
from tests.unit.secret_samples import ASSIGNED, KEYS, SHAPED, some

VALUE = "hunter2-" + some(12)
SURROUNDING = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "token",
            "password=",
            "key: ",
            '"',
            "'",
            "\\",
            "-----",
            "://",
            "<a b='",
            "&quot;",
            "eyJ",
            "ghp_",
            "\n",
            " ",
            "\0",
        ]
    ),
    st.binary(max_size=40).map(lambda data: data.decode("latin-1")),
)
AROUND = st.lists(SURROUNDING, max_size=4).map("".join)


def redacted(data: bytes, *sizes: int) -> bytes:
    """Fed in pieces of these sizes, the last one again and again."""
    redactor, out, at, turn = Redactor(), bytearray(), 0, 0
    while at < len(data):
        size = sizes[min(turn, len(sizes) - 1)] if sizes else len(data)
        out += redactor.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    return bytes(out + redactor.end())


def body_lines(key: str) -> list[str]:
    """The lines of a key that are secret."""
    lines = key.split("\n")
    if key.startswith("PuTTY"):
        return [lines[-2]]
    return [line for line in lines if len(line) > 20 and "-" not in line and ":" not in line]


# --- found ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SHAPED)
@pytest.mark.parametrize(
    "placement",
    [
        "{}",
        "see {}.",
        '"{}"',
        "'{}',",
        "x={}&y",
        "<b>{}</b>",
        "\\n{}\\n",
        "%3D{}",
        "\x1b[31m{}\x1b[0m",
        "prefix_{}",
        "a{}",
    ],
)
def test_a_token_is_known_by_its_shape_wherever_it_stands(kind: str, placement: str) -> None:
    text, found = secrets.redact(placement.format(SHAPED[kind]))
    assert SHAPED[kind][6:-6] not in text
    assert sum(found.values()) == 1
    assert set(found) <= secrets.kinds()


@pytest.mark.parametrize("form", ASSIGNED)
@pytest.mark.parametrize("before", ["", "12:00:01 INFO ", "first line\n", "    "])
def test_a_value_of_a_secret_name_is_found_in_every_form(form: str, before: str) -> None:
    text, found = secrets.redact(before + ASSIGNED[form].format(VALUE) + "and more\n")
    assert VALUE not in text
    assert "hunter2" not in text
    assert text.endswith("and more\n")
    assert set(found) <= secrets.kinds()


@pytest.mark.parametrize("what", KEYS)
@pytest.mark.parametrize(
    "shape",
    [
        lambda key: key,
        lambda key: key.replace("\n", "\r\n"),
        lambda key: key.replace("\n", "\\n"),
        lambda key: key.replace("\n", "&#10;"),
        lambda key: "".join(f"2026-11-23 12:00:00,123 DEBUG tls: {line}\n" for line in key.split("\n")),
        lambda key: "".join(f"E       {line}\n" for line in key.split("\n")),
        lambda key: "".join(f'  "{line}\\n"\n' for line in key.split("\n")),
    ],
    ids=["plain", "crlf", "one line", "xml", "logged", "pytest", "source"],
)
def test_a_private_key_is_found_in_every_form(what: str, shape: Callable[[str], str]) -> None:
    text, found = secrets.redact("before\n" + shape(KEYS[what]) + "\nafter\n")
    assert [line for line in body_lines(KEYS[what]) if line[:30] in text] == []
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert found["private key"] >= 1


@pytest.mark.parametrize("what", [name for name in KEYS if name != "PuTTY"])
@pytest.mark.parametrize("cut", [0, 3, 40, 100])
def test_a_private_key_that_is_cut_at_either_end_is_found(what: str, cut: int) -> None:
    lines = KEYS[what].split("\n")
    headless = "\n".join(lines[1:])[cut:]
    tailless = "\n".join(lines[:-1])[: -cut or None]
    for text in (headless, tailless):
        out = secrets.redact(f"before\n{text}\nafter")[0]
        assert [line for line in body_lines(text) if line[:30] in out] == [], (what, out)
        assert out.startswith("before\n")


#: What each way of finding secrets begins with. A key without its marks counts from 21 characters on.
BEGINNINGS = [
    *assignments._FORMS,
    *places._FORMS,
    *(shape for _, shape in shapes._SHAPES),
    blocks._MARK,
    blocks._TWICE,
    rb"(?:" + blocks._HEADS + rb")[A-Za-z0-9+/]{13}",
]


@pytest.mark.parametrize("beginning", BEGINNINGS)
@given(st.data(), AROUND, AROUND)
@settings(max_examples=40, deadline=None)
def test_whatever_a_secret_begins_with_is_seen_at_a_glance(
    beginning: bytes, data: st.DataObject, before: str, after: str
) -> None:
    begun: bytes = data.draw(st.from_regex(beginning))
    assert not surely_none(begun)
    assert not surely_none(before.encode() + begun + after.encode())


@settings(max_examples=300, deadline=None)
@given(st.text() | st.lists(SURROUNDING | st.sampled_from(sorted(SHAPED.values()))).map("".join))
def test_where_a_glance_sees_nothing_there_is_nothing(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert not surely_none(data) or not list(secrets.find(data))


def test_a_glance_is_enough_for_captions_and_names() -> None:
    for text in ("Garden - robin, 2026-11-25 08:14", "Vögel im Garten 🐦", "IMG_20261125_0814", "p.jpg"):
        assert surely_none(text.encode())
    assert surely_none(f"{time.time_ns():020d}-{bytes(range(8)).hex()}".encode())  # a bundle of the drop folder


def test_a_secret_access_key_beside_its_id_is_found() -> None:
    key = some(40)
    assert key not in secrets.redact(f"{SHAPED['AWS key']},{key}\n")[0]


@settings(max_examples=300, deadline=None)
@given(AROUND, st.sampled_from(sorted(SHAPED.values())), AROUND)
def test_no_surrounding_hides_a_token(before: str, token: str, after: str) -> None:
    assert token not in secrets.redact(before + token + after)[0]


@settings(max_examples=300, deadline=None)
@given(AROUND, st.sampled_from(sorted(ASSIGNED)), AROUND)
def test_no_lines_around_hide_a_value(before: str, form: str, after: str) -> None:
    assert VALUE not in secrets.redact(f"{before}\n{ASSIGNED[form].format(VALUE)}\n{after}")[0]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*SHAPED.values(), *(form.format(VALUE) for form in ASSIGNED.values()), *KEYS.values()]),
    st.integers(-9000, 9000),
    st.sampled_from([4096, 65_536, 100_003, 262_144]),
    st.booleans(),
)
def test_a_secret_across_the_border_of_pieces_is_found_as_in_one(
    secret: str, offset: int, size: int, lines: bool
) -> None:
    filler = (b"an ordinary line of a log, number 12345678\n" if lines else b"words without any end ") * 20_000
    at = 262_144 + offset
    data = filler[:at] + b"\n" + secret.encode() + b"\n" + filler[:300_000]
    out = redacted(data, size)
    assert out == redacted(data)
    assert out.startswith(filler[:at])
    assert out.endswith(filler[:300_000])
    assert secrets.redact(secret)[0].encode().strip(b"\n") in out


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(['"', "'", "", "&quot;", '\\"']), st.integers(1, 5), st.integers(1, 90_000))
def test_a_value_longer_than_any_window_is_taken_out_whole(quote: str, times: int, size: int) -> None:
    value = ("x9" * 150_000 + "-\\\\é;") * times
    data = f"a password={quote}{value}{quote} and more\n".encode()
    out = redacted(data, size)
    assert out.startswith(b"a password=" + quote.encode() + b"[redacted: password]")
    assert b"x9x9" not in out
    assert out.endswith(b" and more\n")


#: Written by programs that know how, so that whatever is in a value, its end is sure.
WRITTEN: dict[str, Callable[[str], str]] = {
    "environment": lambda value: f"A=1\nDB_PASSWORD={value}\nB=2",
    "json": lambda value: json.dumps({"a": 1, "password": value, "b": 2}),
    "json in json": lambda value: json.dumps({"a": json.dumps({"password": value}), "b": 2}),
    "python": lambda value: f"kwargs = { ({'user': 'bob', 'password': value, 'b': 2}) }",
    "xml attribute": lambda value: f"<a><property name='DB_PASSWORD' value={quoteattr(value)}/></a>",
    "xml element": lambda value: f"<a><password>{escape(value)}</password></a>",
    "address": lambda value: f"GET /x?{urlencode({'a': 1, 'password': value, 'b': 2})} HTTP/1.1",
    "user of an address": lambda value: f"postgres://bob:{quote(value, safe='')}@db.example/x",
    "header": lambda value: f"Host: x\nAuthorization: Token {value}\nAccept: */*",
    "shell": lambda value: f"DB_PASSWORD={shlex.quote(value)}",
    "ini": lambda value: f"[db]\npassword = {value}\nuser = bob",
}


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(sorted(WRITTEN)),
    st.text([chr(code) for code in range(33, 127)] + ["é"], min_size=6, max_size=30),
)
def test_whatever_stands_in_a_password_all_of_it_is_taken_out(form: str, password: str) -> None:
    """Marked in its middle and at its end, where a sign in it could have been taken for its end."""
    half = len(password) // 2
    value = f"x1{password[:half]}MIDDLE{password[half:]}LAST9"
    text = secrets.redact(WRITTEN[form](value))[0]
    assert "MIDDLE" not in text
    assert "LAST9" not in text


def test_what_was_taken_out_is_not_found_again() -> None:
    for form in ASSIGNED.values():
        once = secrets.redact(form.format(VALUE))[0]
        assert secrets.redact(once) == (once, {})


# --- left alone -------------------------------------------------------------------------------------------------------

PLAIN = """
commit c0ffee254729296a45a3885639ac7dbdeadbeef1
Build ID: 5b4f0d54b2ee2b3a6f5cf0a1fe7f7bd1c5cd5a1e
build-id sha1 = 5b4f0d54b2ee2b3a6f5cf0a1fe7f7bd1c5cd5a1e
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  core.zst
sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==
integrity: "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
request_id=550e8400-e29b-41d4-a716-446655440000 trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
tests/test_auth.py::test_password_reset[token-12] PASSED
test_login_with_wrong_password: FAILED
ok 12 - password: rejects empty
# pass 12
PASS: 12, FAIL: 3
the key is missing; the token has expired; no password was given
error: invalid password: must contain a digit
SyntaxError: Unexpected token: '}'
KeyError: 'password'
def login(user: str, password: str, token: str | None = None) -> None:
>       client.login(user=user, password=password, token=self.token)
        password = os.environ["DB_PASSWORD"]
        token = request.headers.get("X-Token")
        api_key=settings.API_KEY
password: None, token: null, secret: false, api_key: ***
password=${DB_PASSWORD} token=$TOKEN secret=<hidden> api_key={{ key }} password=%s
PWD=/home/bob/project
OLDPWD=/
PUBLIC_KEY=abcdef
primary_key: id
cache_key=linux-node-20
max_tokens=4096 token_type=bearer tokens: 12
Author: Bob <bob@example.org>
http://localhost:8080/users/@bob https://example.org/a:b@c git@github.com:bob/x.git
http://[::1]:8080/a@b ssh://git@github.com/x
-----BEGIN CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
assert text.startswith("-----BEGIN PRIVATE KEY-----") and text.endswith("-----END PRIVATE KEY-----")
-------------------------------- Captured stdout call --------------------------------
Cache restored from key: Linux-node-abc
Basic authentication is needed; Bearer authentication, too
mkdir -p build; ls -a /; chmod -u x
monkey=1 keyboard: us turkey: 2 keyword=x
"""


@pytest.mark.parametrize("line", PLAIN.strip("\n").split("\n"))
def test_what_is_no_secret_stays(line: str) -> None:
    assert secrets.redact(line) == (line, {})
    assert secrets.redact(f"12:00 INFO {line}\n") == (f"12:00 INFO {line}\n", {})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(PLAIN.strip().split("\n")),
            st.binary(max_size=80).map(lambda data: data.hex()),
            st.lists(st.sampled_from(["the", "test", "failed", "token", "in", "a", "key", "42", "at", "…"])).map(
                " ".join
            ),
        )
    ),
    st.integers(1, 5000),
)
def test_a_text_without_secrets_comes_out_byte_for_byte(lines: list[str], size: int) -> None:
    data = "\n".join(lines).encode()
    assert redacted(data, size) == data


DATA = sorted(
    path
    for folder in ("artifacts", "asterisk", "known", "motion")
    for path in (Path(__file__).parents[1] / "data" / folder).rglob("*")
    if path.suffix in (".txt", ".log", ".xml", ".md") and path.stat().st_size < 1_000_000
)


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.name)
def test_recorded_texts_come_out_as_they_are(path: Path) -> None:
    data = path.read_bytes()
    assert redacted(data) == data


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("DB_PASSWORD", "password"), ("PGPASSWORD", "password"), ("password1", "password"),
        ("userPassword", "password"),
        ("DB_PASS", "password"), ("MYSQL_PWD", "password"), ("GITHUB_TOKEN", "token"), ("authToken", "token"),
        ("token_prod", "token"), ("DJANGO_SECRET_KEY", "secret"), ("clientSecret", "secret"), ("apikey", "key"),
        ("AccountKey", "key"), ("SOME_KEY", "key"), ("some_key", ""), ("public_key", ""), ("password_field", ""),
        ("passwordless", ""), ("test_password", ""), ("tokenizer", ""), ("key", ""), ("first_pass", ""),
        ("secretary", ""),
        ("password.py", ""), ("TOKEN_TYPE", ""), ("Authorization", "authorisation header"), ("Set-Cookie", "cookie"),
        ("X-Hub-Signature-256", "signature"), ("signature", ""),
    ],
)  # fmt: skip
def test_a_name_is_read_word_by_word(name: str, kind: str) -> None:
    assert names.kind_of(name.encode()) == kind


# --- values that are known --------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=8, max_size=30), AROUND, AROUND)
def test_a_known_value_is_found_in_any_text(value: str, before: str, after: str) -> None:
    known = Known([value])
    out, count = known.redact(before + value + after)
    assert count >= 1
    assert value not in out or value in f"[redacted: {KIND}]"


@settings(max_examples=200, deadline=None)
@given(st.text("abcdefXYZ0189+/=-_.!", min_size=12, max_size=40), st.binary(max_size=5), st.binary(max_size=5))
def test_a_known_value_is_found_in_base64_wherever_it_stands(value: str, before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert Known([value]).holds(encode(before + value.encode() + after))


def test_short_values_are_not_looked_for() -> None:
    assert not Known(["secret", ""])


# --- reports ----------------------------------------------------------------------------------------------------------

SUREFIRE = b"""<?xml version="1.0"?>
<testsuite name="a"><!-- <properties> -->
  <properties><property name="user.home" value="/home/bob>"/><![CDATA[</properties>]]></properties>
  <testcase name="t"><properties><property name="p" value="1"/></properties>
    <system-out><![CDATA[<properties>kept</properties>]]></system-out></testcase>
  <properties/></testsuite>"""


@pytest.mark.parametrize("size", [1, 3, 50, 10_000])
def test_a_reports_system_properties_are_left_out_and_nothing_else(size: int) -> None:
    report = Report()
    out = b"".join(report.feed(SUREFIRE[at : at + size]) for at in range(0, len(SUREFIRE), size)) + report.end()
    assert b"bob" not in out
    assert report.left_out == 2
    kept = (
        SUREFIRE[: SUREFIRE.index(b'<properties><property name="user')] + SUREFIRE[SUREFIRE.index(b"\n  <testcase") :]
    )
    assert out == kept.replace(b"<properties/>", b"")


@pytest.mark.parametrize("cut", range(0, len(SUREFIRE), 7))
def test_a_report_that_is_cut_never_lets_a_property_through(cut: int) -> None:
    report = Report()
    assert b"/home/bob" not in report.feed(SUREFIRE[:cut]) + report.end()


# --- time -------------------------------------------------------------------------------------------------------------

ADVERSE = {
    "names": "token_", "quotes": 'password="', "tags": "<a token>", "addresses": "://a:", "assignments": "password=&",
    "marks": "-----BEGIN PRIVATE KEY----- ", "ends": "-----END PRIVATE KEY----- ",
    "runs": "PRIVATE KEY-----" + "A" * 39 + " ",
    "escapes": "\\", "letters": "A", "web tokens": "eyJhbGciOi.", "flags": "--token ", "beside": 'token", "name": ',
    "commands": " -u curl", "report": "<properties a='", "brackets": "password=[", "ands": "password=&x",
}  # fmt: skip


@pytest.mark.parametrize("what", ADVERSE)
def test_time_grows_as_the_text_does_whatever_is_in_it(what: str) -> None:
    """Four times as long may take ten times as long (a machine is busy at times), not sixteen."""

    def seconds(length: int) -> float:
        data = (ADVERSE[what] * (length // len(ADVERSE[what]) + 1)).encode()
        best = 1e9
        for _ in range(3):
            begun, report = time.process_time(), Report()
            redacted(report.feed(data) + report.end(), 65_536)
            best = min(best, time.process_time() - begun)
        return best

    seconds(20_000)
    assert seconds(200_000) < 10 * max(seconds(50_000), 0.004)
