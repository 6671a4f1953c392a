"""Text as search sees it: both sides of a search take the same steps, whatever is in the text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.text import text_analysis

ANY_TEXT = st.text(max_size=300)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}([_./\-][A-Za-z][A-Za-z0-9]{0,8}){0,3}", fullmatch=True)


def found(query: str, text: str) -> bool:
    """Whether every term of a query is in a text, as the index would see it."""
    there = set(text_analysis.prepare(text).split())
    return all(any(there >= set(way) for way in term.ways) for term in text_analysis.parse(query))


@given(ANY_TEXT)
@example("≠≮ 1\u0338")
def test_what_is_indexed_is_words_between_blanks(text: str) -> None:
    prepared = text_analysis.prepare(text)

    assert prepared == text_analysis.indexed(text)[0]
    assert prepared == " ".join(prepared.split(" "))
    for word in prepared.split(" ") if prepared else []:
        assert 0 < len(word) <= text_analysis.WORD_LENGTH
        assert all(not char.isascii() or (char.isalnum() and not char.isupper()) for char in word)


@given(ANY_TEXT)
def test_a_query_is_bounded_and_made_of_words_alone(text: str) -> None:
    terms = text_analysis.parse(text * 10)

    assert len(terms) <= text_analysis.MOST_TERMS
    for term in terms:
        assert term.ways
        assert all(stem and '"' not in stem and " " not in stem for stem in term.stems)


@given(ANY_TEXT)
def test_a_text_is_found_by_itself(text: str) -> None:
    assert found(text, text)


@given(NAMES)
def test_a_name_is_found_however_its_words_are_joined(name: str) -> None:
    for query in (
        name,
        name.lower(),
        name.upper(),
        text_analysis.JOINTS.sub("", name),
        text_analysis.JOINTS.sub(" ", name),
    ):
        assert found(query, f"see {name} there"), query


def test_endings_are_cut_the_same_way() -> None:
    for family in (
        ("test", "tests", "tested", "testing"),
        ("cache", "caches", "cached", "caching"),
        ("dependency", "dependencies"),
        ("add", "adds", "added", "adding"),
        ("stop", "stopped", "stopping"),
        ("order", "orders", "ordered", "ordering"),
        ("migrate", "migrated", "migrating", "migration", "migrations"),
    ):
        assert len({text_analysis.prepare(word) for word in family}) == 1, family
    for word in ("status", "class", "this", "redis", "bus", "string", "need"):
        assert text_analysis.prepare(word) == word


def test_scripts_without_blanks_are_found_by_any_two_neighbours() -> None:
    text = "任务计划已经完成"

    assert all(found(text[i:j], text) for i in range(len(text)) for j in range(i + 2, len(text) + 1))
    assert not found("任计", text)


def test_words_that_say_nothing_count_only_among_themselves() -> None:
    assert [term.raw for term in text_analysis.parse("how do I reorder the steps")] == ["reorder", "steps"]
    assert [term.raw for term in text_analysis.parse("how to do it")] == ["how", "to", "do", "it"]
    assert text_analysis.parse("'\"*()") == []


def test_one_slip_of_the_finger_is_undone() -> None:
    for typed in ("telescpoe", "telecope", "tellescope", "tepescope"):
        assert "telescope" in text_analysis.slips(typed)


def test_what_nobody_sees_or_types_makes_no_difference() -> None:
    for text, queries in {
        "Cache-Größe": ("groesse", "cache-groesse", "Gro\u0308\u00dfe", "cachegroesse"),
        "soft\u00adhyphen \u2764\ufe0f": ("softhyphen", "\u2764", "\u2764\ufe0f"),
        "app-v1.2.3": ("1.2.3", "v1.2.3", "app 1.2", "app-1.2.3"),
        "redis and node": ("redis+", "redis+node"),
        "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd": ("\u05e9\u05dc\u05d5\u05dd",),
        "Łódź": ("lodz",),
    }.items():
        assert [query for query in queries if not found(query, text)] == [], text
    assert not found("C++", "the letter C")
    assert not found("v2", "the number 2")
    assert found("≠", "a ≠ b")


def test_data_without_blanks_is_one_name_of_very_many_words_and_none_is_lost() -> None:
    chain = "-".join(f"v{number}" for number in range(40_000))  # each is found with its v, and without
    indexed, seen = text_analysis.indexed(chain)

    assert set(indexed.split()) >= {form for number in range(40_000) for form in (f"v{number}", str(number))}
    assert {"v39999", "39999"} <= seen


@pytest.mark.parametrize(
    ("title", "body", "about"),
    [
        ("", "the lease of a worker has an expiry, at expiry the lease is free", ["leas", "expir"]),
        ("", "somebody spoke at length of a lease, and of nothing else that matters to anybody here", []),
        ("", "lease " * 3 + "word another third " * 40, ["word", "another", "third"]),
        ("Renew the lease", "", ["renew", "leas"]),
        ("one of very many things that a long title can be heard to speak of is a lease", "", []),
        ("Renew the lease", "a lease ends, a lease begins", ["leas", "renew"]),
        ("", "to be there or to be where these are", []),
        ("", " ".join(f"w{n} w{n}" for n in range(10)), [f"w{n}" for n in range(10)]),
    ],
)
def test_a_text_is_about_what_it_says_often_for_its_length(title: str, body: str, about: list[str]) -> None:
    assert text_analysis.prominent(text_analysis.prepare(title), text_analysis.prepare(body)) == about


def test_a_text_is_about_few_words_however_many_it_repeats() -> None:
    said = text_analysis.prepare(" ".join(f"said{n}" for n in range(text_analysis.MOST_PROMINENT + 5)))

    assert len(text_analysis.prominent("", f"{said} " * 40)) == text_analysis.MOST_PROMINENT


def test_what_says_little_may_be_about_each_of_its_words() -> None:
    assert text_analysis.is_brief("one walnut")
    assert not text_analysis.is_brief("")
    assert not text_analysis.is_brief("word " * 11)


@pytest.mark.parametrize("said", ["Übersetzung", "Umsatzsteuer-Prüfer", "straße_v2", "größe"])
def test_what_is_said_once_counts_once_however_it_is_spelled(said: str) -> None:
    found = text_analysis.prepare(said).split()

    assert len(found) == len(set(found))
