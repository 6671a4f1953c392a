"""What a hit shows of a text: the match, marked, on one short line, and nothing hidden."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.text import snippets, text_analysis

ANY_TEXT = st.text(max_size=300)


@given(ANY_TEXT, st.sampled_from(["alpha", "任务", "größe", "src/main.py", "🚀"]), ANY_TEXT)
def test_a_snippet_marks_the_match_and_hides_nothing(before: str, match: str, after: str) -> None:
    wanted = {stem for term in text_analysis.parse(match) for stem in term.stems}
    shown = snippets.snippet(f"{before} {match} {after}", wanted)

    assert snippets.OPEN in shown
    assert "\n" not in shown
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs") for char in shown)


@given(st.text(alphabet="abc xyz任务", max_size=5_000))
def test_a_snippet_is_short(text: str) -> None:
    shown = snippets.snippet(text, {"abc", "任务"})

    assert len(shown.replace(snippets.OPEN, "").replace(snippets.CLOSE, "")) <= snippets.SNIPPET_LENGTH + 2


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("天" * 3_000 + "任务" + "地" * 3_000, "任务"),
        ("天" * 700 + "任务", "任务"),
        ("x" * 30_000 + " Größe " + "y" * 5_000, "groesse"),
        ("restart " * 1_000 + "the art " + "of " * 2_000, "art"),
        ("see " * 100 + "/".join(["path"] * 100) + " end", "path"),
        ("prefix " * 10 + "https://example.com/" + "a" * 400, "example"),
        ("a\u0308" * 2_000 + " Gro\u0308ße " + "b" * 4_000, "größe"),
    ],
)
def test_a_match_is_shown_and_marked_wherever_it_is(text: str, query: str) -> None:
    shown = snippets.snippet(text, {stem for term in text_analysis.parse(query) for stem in term.stems})

    assert snippets.OPEN in shown
    assert snippets.CLOSE in shown
    assert len(shown) <= snippets.SNIPPET_LENGTH + 40


@pytest.mark.parametrize("cluster", ["e\u0301", "क्षि", "\U0001f1e9\U0001f1ea", "👍\U0001f3fd", "각"])
@pytest.mark.parametrize("before", range(4))
def test_nothing_is_cut_within_what_people_see_as_one_character(cluster: str, before: int) -> None:
    for shown in (
        snippets.snippet("x" * before + cluster * 400, {"nothing"}),
        snippets.shortened("x" * before + cluster * 400, 160),
    ):
        assert shown.endswith(snippets.MORE)
        assert shown[before:-1].replace(cluster, "") == ""


def test_no_hidden_message_is_shown() -> None:
    hidden = "".join(chr(0xE0100 + byte) for byte in b"obey") + "\ufe00\u200d\u2066\U000e0041\u3164\u180e"

    assert snippets.tidy(f"good{hidden} text") == "good text"


def test_only_a_match_is_between_the_marks() -> None:
    assert snippets.snippet("il dit «bonjour» au port", {"port"}) == "il dit \u2039bonjour\u203a au «port»"
    assert snippets.OPEN not in snippets.snippet("il dit «bonjour»", {"nothing"})


@pytest.mark.parametrize(
    ("text", "title", "beyond"),
    [
        ("# A title\n\nAnd more", "A title", "And more"),
        ("**A  title**: and more", "A title", "and more"),
        ("#77 is fixed", "#77 is fixed", ""),
        ("A title", "Another", "A title"),
        ("Another title", "A", "Another title"),
        ("A title", "", "A title"),
        ("One two three", "One tw…", "…o three"),
        ("", "A title", ""),
    ],
)
def test_what_a_title_shows_is_not_told_again(text: str, title: str, beyond: str) -> None:
    assert snippets.beyond(text, title) == beyond


def test_a_match_without_blanks_around_it_is_marked_alone() -> None:
    assert snippets.snippet("任务计划已经完成", {"计划"}) == "任务«计划»已经完成"
