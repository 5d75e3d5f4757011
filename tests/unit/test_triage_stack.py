"""Names and stacks: what differs from build to build goes, what tells one crash from another stays."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaagent.builtin.enrichers.triage_stack import (
    SIGNAL_FRAME,
    Frame,
    canonical,
    collapsed,
    own_frames,
    readable,
    stack_hash,
)


def frames(*names: str) -> list[Frame]:
    return [Frame(name) for name in names]


def names(found: object) -> list[str]:
    return [frame.name for frame in found]  # type: ignore[attr-defined]


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("pick", "pick"),
        ("pick.isra.0", "pick"),
        ("pick.constprop.0.cold", "pick"),
        ("pick.part.3.lto_priv.0", "pick"),
        ("pick(int) [clone .isra.0]", "pick"),
        ("pick.llvm.1234567890", "pick"),
        ("clock_nanosleep@GLIBC_2.2.5", "clock_nanosleep"),
        ("__libc_start_main@@GLIBC_2.34", "__libc_start_main"),
        ("puts@plt", "puts"),
        ("orchard::Press<long>::squeeze(std::vector<long, std::allocator<long> > const&)", "orchard::Press::squeeze"),
        ("orchard::Press<long>::operator<(orchard::Press<long> const&) const", "orchard::Press::operator<"),
        ("orchard::Press<long>::operator()(int)", "orchard::Press::operator()"),
        ("std::ostream& operator<< <char>(std::ostream&, char)", "operator<<"),
        ("operator new(unsigned long)", "operator new"),
        ("Pear::operator bool() const", "Pear::operator bool"),
        ("std::map<int, int>::operator[](int const&)", "std::map::operator[]"),
        ("Press::squeeze(int)::{lambda(int)#1}::operator()(int) const", "Press::squeeze::{lambda#1}::operator()"),
        ("(anonymous namespace)::weigh(int)", "weigh"),
        ("orchard::(anonymous namespace)::weigh(int)", "orchard::weigh"),
        ("void press<int>(int)", "press"),
        ("unsigned long orchard::press<int>(int)", "orchard::press"),
        ("Pear::ripe() &&", "Pear::ripe"),
        ("orchard::pick::h0123456789abcdef", "orchard::pick"),
        ("main.(*Tree).Walk", "main.(*Tree).Walk"),
        ("main.main.func1", "main.main.func1"),
        (SIGNAL_FRAME, SIGNAL_FRAME),
        ("", ""),
        ("<<<", "<<<"),
        (")))", ")))"),
    ],
)
def test_a_function_s_name_is_left_without_lists_and_versions(function: str, name: str) -> None:
    assert readable(function) == name


LETTERS = st.text("abcxyz_", min_size=1, max_size=6)
LISTS = st.recursive(LETTERS, lambda inner: st.builds("{}<{}, {}>".format, LETTERS, inner, inner), max_leaves=5)


@given(st.lists(LETTERS, min_size=1, max_size=4), LISTS, LISTS, st.sampled_from(["", " const", ".cold", ".isra.0"]))
def test_the_same_function_has_the_same_name_for_all_arguments(
    path: list[str], template: str, argument: str, clone: str
) -> None:
    assert readable(f"{'::'.join(path)}<{template}>({argument}, {template} const&){clone}") == "::".join(path)


@given(st.text(max_size=300))
def test_any_text_has_a_name_of_bounded_length_and_it_stays(function: str) -> None:
    name = readable(function)
    assert len(name) <= 200
    assert bool(name) == bool(function)
    canonical(name)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("__strlen_evex", "strlen"),
        ("__strlen_avx2", "strlen"),
        ("__strlen_sse2", "strlen"),
        ("__memmove_avx_unaligned_erms", "memmove"),
        ("__memset_evex512_unaligned", "memset"),
        ("__GI_raise", "raise"),
        ("__libc_pause", "pause"),
        ("pick_avx2", "pick_avx2"),
        ("main", "main"),
        ("_", "_"),
    ],
)
def test_the_c_library_s_many_names_of_a_function_are_one(name: str, same: str) -> None:
    assert canonical(name) == same


# --- handlers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stack", "own"),
    [
        (["weigh", "main"], ["weigh", "main"]),
        (
            ["__pthread_kill_implementation", "raise", "abort", "__assert_fail", "check"],
            ["check"],
        ),
        (["__pthread_kill_internal", "__GI_raise", SIGNAL_FRAME, "__strlen_evex", "pick"], ["__strlen_evex", "pick"]),
        (["raise", "report_crash", "on_signal", "__restore_rt", "weigh"], ["weigh"]),
        (["raise", "on_abort", "__restore_rt", "raise", "abort", "check", "main"], ["check", "main"]),
        (["on_signal", "__restore_rt", "main"], ["on_signal", "__restore_rt", "main"]),
        (["raise", "abort"], ["raise", "abort"]),
        (["raise", "__restore_rt"], ["raise", "__restore_rt"]),
        (["abort", "__gnu_cxx::__verbose_terminate_handler", "__cxxabiv1::__terminate", "f"], ["f"]),
        ([], []),
    ],
)
def test_handlers_on_top_are_left_out_and_a_crash_in_one_is_not(stack: list[str], own: list[str]) -> None:
    assert names(own_frames(frames(*stack))) == own


NAMES = st.sampled_from(["raise", "abort", "__restore_rt", SIGNAL_FRAME, "weigh", "pick", "main", ""])


@given(st.lists(NAMES, max_size=20))
def test_what_is_left_is_the_end_of_the_stack_and_never_nothing(stack: list[str]) -> None:
    whole = frames(*stack)
    own = list(own_frames(whole))
    assert whole[len(whole) - len(own) :] == own
    assert bool(own) == bool(whole)


# --- recursion --------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_collapsing_loses_no_frame(stack: list[str]) -> None:
    unrolled = [name for group in collapsed(frames(*stack)) for name in names(group.frames) * group.times]
    assert unrolled == stack


def test_functions_that_call_each_other_are_told_once() -> None:
    groups = collapsed(frames("leaf", *["even", "odd"] * 100, "main"))
    assert [(names(group.frames), group.times) for group in groups] == [
        (["leaf"], 1),
        (["even", "odd"], 100),
        (["main"], 1),
    ]


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 3))
def test_the_hash_does_not_depend_on_the_depth_of_recursion(first: int, second: int, length: int) -> None:
    cycle = ["pick", "weigh", "press"][:length]
    one, other = (stack_hash("SIGSEGV", frames("leaf", *cycle * times, "main", "_start")) for times in (first, second))
    assert one == other


def test_the_hash_tells_signals_and_functions_apart_and_not_what_comes_far_below() -> None:
    stack = [f"f{number}" for number in range(12)]
    alike = stack_hash("SIGSEGV", frames(*stack))
    assert stack_hash("SIGSEGV", frames(*stack[:8], "other")) == alike
    assert stack_hash("SIGABRT", frames(*stack)) != alike
    assert stack_hash("SIGSEGV", frames("other", *stack)) != alike


def test_frames_without_a_name_count_by_their_place() -> None:
    one, other = (stack_hash("SIGSEGV", [Frame("", "libpear.so", offset)]) for offset in (0x10, 0x20))
    assert one != other
    assert Frame("", "libpear.so", 0x10).name == "libpear.so+0x10"
    assert Frame("").name == "??"


@pytest.mark.parametrize(
    "function", ["(" * 9000, "<" * 9000, " " * 9000 + "x", "a (" * 3000, "x) at " * 2000, ".isra.1" * 1200]
)
def test_a_name_made_to_be_hard_takes_no_longer(function: str) -> None:
    begun = time.process_time()
    for number in range(50):
        readable(f"{function}{number}")
    assert time.process_time() - begun < 1
