"""Options: what may stand in agent.toml, and what is said of what may not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaagent.options import (
    ByteSize,
    Secret,
    build,
    convert,
    did_you_mean,
    option,
    options_of,
    plugin,
    show_duration,
    show_value,
    to_table,
)

BASE = Path("/etc/mediaagent")


@plugin
class Doorbell:
    """Pictures of a doorbell."""

    path: Path = option("the folder")
    gap: timedelta = option("a pause", default=timedelta(seconds=60))
    mode: Literal["all", "best"] = option("which", default="all")
    key: Secret | None = option("a key", default=None)
    even: int = option("an even number", default=2, check=lambda value: "is odd" if value % 2 else None)

    def __post_init__(self) -> None:
        if self.mode == "best" and not self.gap:
            raise ValueError("best needs a gap")


def made(table: dict[str, Any], beside: tuple[str, ...] = ()) -> tuple[Any, list[str]]:
    instance, problems = build(Doorbell, table, where="watch.door", base=BASE, beside=beside)
    return instance, [f"{problem.where}: {problem.what} {problem.todo}" for problem in problems]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("60s", timedelta, timedelta(seconds=60)),
        ("1.5 h", timedelta, timedelta(minutes=90)),
        ("5min", timedelta, timedelta(minutes=5)),
        ("250ms", timedelta, timedelta(milliseconds=250)),
        (30, timedelta, timedelta(seconds=30)),
        ("2 GB", ByteSize, 2_000_000_000),
        ("1KiB", ByteSize, 1024),
        (17, ByteSize, 17),
        ("pictures", Path, BASE / "pictures"),
        ("/srv", Path, Path("/srv")),
        ("Europe/Vienna", ZoneInfo, ZoneInfo("Europe/Vienna")),
        (["a"], tuple[str, ...], ("a",)),
        ({"a": 1}, dict[str, int], {"a": 1}),
        (3, float, 3.0),
        ("x", str | None, "x"),
    ],
)
def test_what_is_written_well_is_understood(value: Any, kind: Any, expected: Any) -> None:
    assert convert(value, kind, BASE) == expected


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        ("soon", timedelta, '"60s", "5m"'),
        (-1, timedelta, "not a duration"),
        (float("inf"), timedelta, "hundred years"),
        (float("nan"), timedelta, "not a duration"),
        ("9" * 40 + "d", timedelta, "hundred years"),
        (True, timedelta, "not a duration"),
        ("much", ByteSize, '"2 GB"'),
        ("9" * 400, ByteSize, "larger than any disk"),
        (1, bool, "true or false"),
        (True, int, "whole number"),
        (1, str, "text in quotes"),
        ("jpg", tuple[str, ...], 'write ["jpg"]'),
        ("", Path, "empty path"),
        ("a\0b", Path, "empty path"),
        ("~nobody-of-this-name/x", Path, "no such user"),
        ("Europe/Vienn", ZoneInfo, 'did you mean "Europe/Vienna"'),
        ("../../etc/passwd", ZoneInfo, "no time zone"),
        ("bset", Literal["all", "best"], 'did you mean "best"'),
        ("x", dict[str, int], "not a table"),
        (True, Literal["all", "best"], "true is none of all, best"),
        ("fil:k", Secret, 'did you mean "file:"'),
        ("vault:k", Secret, "file:, env:, credential: and keyring:"),
    ],
)
def test_what_is_written_badly_is_told_with_what_is_wanted(value: Any, kind: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        convert(value, kind, BASE)
    assert said in str(caught.value)


def test_every_mistake_of_a_table_is_told_at_once() -> None:
    instance, problems = made({"gap": "soon", "mode": "most", "even": 3, "keey": "x"})
    assert instance is None
    told = "\n".join(problems)
    assert len(problems) == 5
    for part in ("watch.door.gap", "watch.door.mode", "is odd", 'did you mean "key"', '"path" is missing'):
        assert part in told


def test_an_option_under_a_mistyped_name_is_not_missing_as_well() -> None:
    assert made({"paht": "x"})[1] == ['watch.door.paht: there is no such option did you mean "path"?']


def test_a_mistyped_common_key_is_known_though_it_is_not_the_plugins_own() -> None:
    assert 'did you mean "timezone"' in made({"path": "x", "timezon": "x"}, beside=("timezone",))[1][0]


def test_options_that_do_not_go_together_are_told_by_the_plugin() -> None:
    assert made({"path": "x", "mode": "best", "gap": 0})[1] == ["watch.door: best needs a gap "]


def test_a_table_made_of_a_plugin_makes_the_same_plugin() -> None:
    instance, _ = made({"path": "x", "gap": "90s", "key": "file:k"})
    again, problems = build(Doorbell, to_table(instance), where="", base=BASE)
    assert problems == []
    assert again == instance


def test_a_secret_never_prints_itself() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {show_value(secret)}"
    assert str(Secret("env:KEY")) == "env:KEY"


def test_a_secret_that_looks_like_a_mistyped_reference_is_not_shown() -> None:
    with pytest.raises(ValueError, match="no secret is looked up this way") as caught:
        convert("hunter:two", Secret, BASE)
    assert "hunter" not in str(caught.value)
    assert convert("12345:abc", Secret, BASE).reveal() == "12345:abc"


def test_a_path_with_dots_is_the_folder_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/inner")
    (tmp_path / "w").symlink_to("real")
    assert convert("link/../x", Path, tmp_path) == tmp_path / "real" / "x"
    assert convert("real/../w", Path, tmp_path) == tmp_path / "w"  # named behind the dots, so kept as it is
    assert convert("link/x", Path, tmp_path) == tmp_path / "link" / "x"


def test_a_secret_is_read_anew_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(" one\n")
    secret = Secret("file:key", tmp_path)
    assert secret.reveal() == "one"
    (tmp_path / "key").write_text("two")
    assert secret.reveal() == "two"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("THE_KEY", "three")
    assert (Secret("credential:key").reveal(), Secret("env:THE_KEY").reveal()) == ("two", "three")


def test_where_nothing_comes_near_all_there_is_is_told() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == "there are: a, b"


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)))
def test_a_shown_duration_is_read_back(value: timedelta) -> None:
    value = timedelta(milliseconds=round(value.total_seconds() * 1000))
    assert convert(show_duration(value), timedelta, BASE) == value


@given(st.text())
def test_a_shown_text_is_the_same_text_in_toml(value: str) -> None:
    import tomllib

    assert tomllib.loads(f"a = {show_value(value)}")["a"] == value


@plugin
class Intercom(Doorbell):
    """A doorbell that speaks."""

    volume: int = option("how loud", default=5)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.volume > 10:
            raise ValueError("too loud")


def test_a_plug_in_may_go_on_from_another_one() -> None:
    assert [declared.name for declared in options_of(Intercom)] == ["path", "gap", "mode", "key", "even", "volume"]
    made, problems = build(Intercom, {"path": "p", "volume": 3}, where="watch.door", base=BASE)
    assert (made.volume, made.even, problems) == (3, 2, [])
    for table, wrong in (({"volume": 11}, "too loud"), ({"mode": "best", "gap": "0s"}, "best needs a gap")):
        _, problems = build(Intercom, {"path": "p", **table}, where="watch.door", base=BASE)
        assert [problem.what for problem in problems] == [wrong]


def test_a_plug_in_is_frozen_and_equal_to_one_with_the_same_options() -> None:
    door = Doorbell(path=Path("p"))
    assert door == Doorbell(path=Path("p")) != Doorbell(path=Path("q"))
    with pytest.raises(AttributeError):
        door.even = 4  # type: ignore[misc]


def test_a_plug_in_may_say_that_it_follows_a_protocol() -> None:
    class Rings(Protocol):
        def ring(self) -> str: ...

    @plugin
    class Bell(Rings):
        """It rings."""

        word: str = option("what it says", default="ding")

        def ring(self) -> str:
            return self.word

    made, problems = build(Bell, {"word": "dong"}, where="watch.door", base=BASE)
    assert (made.ring(), problems) == ("dong", [])


def test_an_option_without_a_type_is_told_of() -> None:
    with pytest.raises(TypeError, match=r"Bell\.word is an option and has no type"):

        @plugin
        class Bell:
            """It rings."""

            word = option("what it says")
