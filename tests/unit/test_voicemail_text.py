"""Texts of voicemail, as Asterisk and the network really give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaagent.builtin.watchers.voicemail_text import Caller, caller_of, fields_of, shown
from tests.system.voicemails import SCENARIO

FIRST = b""";
; Message Information file
;
[message]
origmailbox=1234
callerchan=Local/1234@leave-00000000;2
callerid="Alice Example" <+15550100>
origtime=1795403441
category=50% off; x=y
msg_id=1795403441-00000000
flag=
duration=6
"""
SECOND = b""";!
;! Automatically generated configuration file
;!

[message]
origmailbox = 1234
callerid = Semi\\;colon
origtime = 1795403502
category =\x20
msg_id = 1795403502-00000007
flag =\x20
duration = 6
"""


def test_the_first_form() -> None:
    fields = fields_of(FIRST)
    assert fields["callerid"] == '"Alice Example" <+15550100>'
    assert fields["callerchan"] == "Local/1234@leave-00000000;2"
    assert fields["category"] == "50% off; x=y"
    assert (fields["msg_id"], fields["flag"], fields["duration"]) == ("1795403441-00000000", "", "6")


def test_the_second_form_of_asterisks_config_writer() -> None:
    fields = fields_of(SECOND)
    assert (fields["msg_id"], fields["category"], fields["duration"]) == ("1795403502-00000007", "", "6")
    assert fields["callerid"] == "Semi;colon"


def test_a_line_that_is_still_being_written_does_not_count() -> None:
    assert "duration" not in fields_of(FIRST[:-1])
    assert fields_of(FIRST)["duration"] == "6"


def test_nothing_outside_of_message_counts() -> None:
    assert fields_of(b"duration=9\n[other]\nduration=8\n[message]\nflag=\n[more]\nduration=7\n") == {"flag": ""}


def test_each_line_has_its_own_encoding() -> None:
    data = "[message]\na=Zoë\n".encode() + b"b=Zo\xeb \x80\nc=\x81\n"
    assert fields_of(data) == {"a": "Zoë", "b": "Zoë €", "c": ""}  # \x81 is a control character in Latin-1


def test_control_characters_and_turned_directions_do_not_come_through() -> None:
    fields = fields_of(b'[message]\ncallerid="A\x1b[31m\xe2\x80\xaeB\x00\x07" <1>\r\n')
    assert fields == {"callerid": '"A[31mB" <1>'}


def test_windows_line_ends_are_no_part_of_a_value() -> None:
    assert fields_of(b"[message]\r\nduration=6\r\n") == {"duration": "6"}


@given(st.binary(max_size=2000))
def test_any_bytes_give_printable_fields(data: bytes) -> None:
    fields = fields_of(b"[message]\n" + data)
    assert all(value.isprintable() and len(value) <= 1000 for value in fields.values())


VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.just(" "), max_size=40).map(str.strip)


@given(VALUES, st.integers(0, 10**6), st.sampled_from([b"%s=%s\n", b"%s = %s\n"]))
def test_what_is_written_in_either_form_is_read(value: str, duration: int, form: bytes) -> None:
    lines = [(b"callerid", value.encode()), (b"duration", str(duration).encode())]
    fields = fields_of(b";\n[message]\n" + b"".join(form % line for line in lines))
    assert fields == {"callerid": value, "duration": str(duration)}


# --- callers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("callerid", "caller"),
    [
        ('"Alice Example" <+15550100>', Caller("Alice Example", "+15550100")),
        ("5551234", Caller("", "5551234")),
        ("Name Only", Caller("Name Only", "")),
        ("Unknown", Caller()),
        ("", Caller()),
        (r'"Smith, \"Bob\" O' "'" r'Neil" <5550111>', Caller('Smith, "Bob" O\'Neil', "5550111")),
        (r'"back\\slash" <1>', Caller("back\\slash", "1")),
        ("Alice <5550100>", Caller("Alice", "5550100")),
        ("<5550100>", Caller("", "5550100")),
        ('"5550100" <5550100>', Caller("", "5550100")),
        ('"+1 (555) 0100" <>', Caller("", "+1 (555) 0100")),
        ('"Unknown" <Unknown>', Caller()),
        ('"A <b> c" <7>', Caller("A <b> c", "7")),
        ('"', Caller('"', "")),
        ('"<script>alert(1)</script>" <5550100>', Caller("<script>alert(1)</script>", "5550100")),
    ],
)
def test_every_form_of_a_caller(callerid: str, caller: Caller) -> None:
    assert caller_of(callerid) == caller


@given(VALUES, st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True))
def test_a_quoted_name_comes_back_as_it_was(name: str, number: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    caller = caller_of(f'"{quoted}" <{number}>')
    assert caller.number == number
    assert caller.name in (name, "")  # "": unknown, or a number again


@given(VALUES, st.from_regex(r"\+?[0-9]{7,15}", fullmatch=True))
def test_a_masked_number_is_nowhere_to_be_seen(name: str, number: str) -> None:
    for how in ("mask", "hide"):
        seen = shown(Caller(f"{name} {number}", number), how)
        assert number not in seen.name + "\n" + seen.number


@pytest.mark.parametrize(("number", "masked"), [("+15550100", "…100"), ("5551", "…1"), ("101", "…"), ("", "")])
def test_a_mask_leaves_what_friends_know(number: str, masked: str) -> None:
    assert shown(Caller("", number), "mask").number == masked


def test_every_text_of_the_recording_is_read() -> None:
    texts = [path for path in SCENARIO.rglob("*.txt") if "msg" in path.name]
    assert len(texts) > 20
    for path in texts:
        fields = fields_of(path.read_bytes())
        assert int(fields["duration"]) > 0, path
        assert fields["msg_id"], path
    names = {caller_of(fields_of(path.read_bytes())["callerid"]).name for path in texts}
    assert {"Zoë Müller", "Zoë Latin", "Name Only", "", 'Smith, "Bob" O\'Neil'} <= names
