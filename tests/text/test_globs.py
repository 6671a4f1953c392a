"""Whether two globs can match one path: known pairs, and every path of a small world tried by an other matcher."""

import itertools
import re
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.errors import InvalidArguments, NotAllowed
from server.text import globs
from tests.thoroughness import often

MEET = [
    ("src/**", "src/a.py"),
    ("src/**", "src/deep/er/a.py"),
    ("src/**", "src"),
    ("src/", "src/a.py"),
    ("src\\sub\\", "src/sub/a.py"),
    ("src/*.py", "src/a*"),
    ("a/**/b", "a/b"),
    ("a/**/b", "a/x/y/b"),
    ("**", "anything/at/all"),
    ("**/*.py", "setup.py"),
    ("**/test_*.py", "tests/tools/test_a.py"),
    ("*/x", "y/*"),
    ("a*c", "ab*"),
    ("a?c", "a[a-c]c"),
    ("[!a]x", "bx"),
    ("[!a]x", "[!b]x"),
    ("[]a]", "]"),
    ("[[]id]/page", "[[]*/page"),
    ("{a,b}/x", "b/x"),
    ("{src,lib}/**/*.{ts,tsx}", "lib/deep/app.tsx"),
    ("{src/,lib/}", "lib/a.py"),
    ("{a,{b,c}d}", "cd"),
    ("{a}", "{a}"),
    ("{a,b", "{a,b"),
    ("[ab", "[ab"),
    ("a**b", "axyb"),
    ("./src//a.py", "src/a.py"),
    ("größe/*", "größe/大"),
    ("...", "..."),
]
PART = [
    ("src/*.py", "src/*.js"),
    ("src/*", "src/a/b"),
    ("src/?", "src/ab"),
    ("a/*/c", "a/b/b/c"),
    ("src/**", "srcs/a.py"),
    ("src/**/a.py", "src/a.pyc"),
    ("[a-c]", "[d-f]"),
    ("[!a]", "a"),
    ("[.-0]", "[!.0]"),  # what they share is the slash
    ("a**b", "a/b"),
    ("{a,b}/x", "c/x"),
    ("{a}", "a"),
    ("SRC/a.py", "src/a.py"),
    ("a/b", "a"),
]


@pytest.mark.parametrize(("one", "other"), MEET)
def test_globs_that_share_a_path_overlap(one: str, other: str) -> None:
    assert globs.overlap(one, other)
    assert globs.overlap(other, one)


@pytest.mark.parametrize(("one", "other"), PART)
def test_globs_that_share_no_path_do_not_overlap(one: str, other: str) -> None:
    assert not globs.overlap(one, other)
    assert not globs.overlap(other, one)


@pytest.mark.parametrize(
    ("told", "stored"),
    [
        ("src/", "src/**"),
        ("./src//a.py", "src/a.py"),
        ("src\\a.py", "src/a.py"),
        ("src\\", "src/**"),
        (".", "**"),
        ("./", "**"),
        ("a/./b", "a/b"),
        ("**/", "**/**"),
        ("a b/ç.py", "a b/ç.py"),
    ],
)
def test_a_glob_has_one_spelling(told: str, stored: str) -> None:
    assert globs.normal(told) == stored
    assert globs.normal(stored) == stored


@pytest.mark.parametrize("pattern", ["..", "../a", "a/../b", "a/..", "a\\..\\b", "{..,a}/b", "a/{b,../..}/c"])
def test_a_glob_that_leads_out_is_not_allowed(pattern: str) -> None:
    with pytest.raises(NotAllowed, match=r"\.\."):
        globs.normal(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "{,}",
        "[z-a]",
        "a/[z-a]b",
        "[!\0-\U0010ffff]",
        "x" * 201,
        "*a" * 11,
        "{a,b}" * 5,
        "{a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q}",
        "{a,b}" * 40,
    ],
)
def test_a_glob_that_matches_nothing_or_is_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidArguments):
        globs.normal(pattern)


def test_the_most_that_is_allowed_is_compared() -> None:
    for pattern in ("x" * 200, "*a" * 10, "{a,b}" * 4, "/".join(["**"] + ["?"] * 90), "[a-z]" * 40):
        assert globs.overlap(pattern, pattern)
        assert globs.overlap(pattern, "**")


BRACES = "{a,b}{a,b}{a,b}{a,b}", "{a,c}{a,c}{a,c}{a,c}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{BRACES[0]}{'?' * 38}x", f"{BRACES[1]}{'*a' * 9}{'?' * 30}y"),
        (f"{BRACES[0]}{'/?' * 20}x", f"{BRACES[1]}{'/**/a' * 9}{'/?' * 6}y"),
        (f"{BRACES[0]}{'[!x]' * 40}x", f"{BRACES[1]}*{'[!a]' * 42}y"),
        ("".join(chr(0x100 + n) for n in range(200)), "*" + "".join(f"[!{chr(0x100 + 3 * n)}]" for n in range(49))),
        ("?/" * 99 + "?", "?/" * 99 + "b"),
        ("[a-z]/" * 33 + "x", "**/" + "*?/" * 9 + "[!a]/" * 30 + "y"),
    ],
)
def test_the_worst_pair_costs_little_more_than_its_length(one: str, other: str) -> None:
    assert (globs.normal(one), globs.normal(other)) == (one, other), "they are legal"
    counted = 0

    def count(*_: object) -> None:
        nonlocal counted
        counted += 1

    sys.setprofile(count)
    try:
        globs.overlap(one, other)
    finally:
        sys.setprofile(None)
    assert 0 < counted < 40 * globs.MOST_CHARACTERS


def test_alternatives_that_are_too_long_together_are_refused_with_the_limit() -> None:
    pattern = BRACES[0] + "?" * 60
    with pytest.raises(InvalidArguments, match=f"more than {globs.MOST_CHARACTERS} characters"):
        globs.normal(pattern)
    assert globs.overlap(pattern, pattern), "one that was stored before is still compared"


def expression(pattern: str) -> re.Pattern[str]:
    """An other reading of a glob without braces: a regular expression over paths with a `/` before each part."""
    told = ""
    for part in pattern.split("/"):
        if part == "**":
            told += "(/[^/]+)*"
        else:
            told += "/" + re.sub(
                r"\*+|\?|\[[^\]]+\]|.",
                lambda found: {"*": "[^/]*", "?": "[^/]"}.get(
                    found[0][0],
                    f"(?!/){found[0].replace('!', '^')}" if found[0][0] == "[" else re.escape(found[0]),
                ),
                part,
            )
    return re.compile(told)


def matches(pattern: str, path: str) -> bool:
    return expression(pattern).fullmatch(f"/{path}") is not None


ALPHABET = "abc"
PATHS = [
    path
    for size in range(1, 8)
    for path in map("".join, itertools.product("abc/", repeat=size))
    if "//" not in path and not path.startswith("/") and not path.endswith("/")
]
TOKEN = st.sampled_from([*"aab", "*", "?", "[ab]", "[!a]", "[b-c]"])
PIECE = st.one_of(st.just("**"), st.lists(TOKEN, min_size=1, max_size=2).map("".join))
SMALL = st.lists(PIECE, min_size=1, max_size=2).map("/".join)
LARGE = st.lists(st.one_of(st.just("**"), st.lists(TOKEN, min_size=1, max_size=5).map("".join)), min_size=1).map(
    lambda parts: "/".join(parts[:5])
)
PATH = st.lists(st.text(ALPHABET, min_size=1, max_size=5), min_size=1, max_size=5).map("/".join)


def allowed(pattern: str) -> bool:
    return len(re.findall(r"\*+", pattern)) <= globs.MOST_STARS


@given(SMALL, SMALL)
@example("**", "a/**/b")
@example("a**", "*b")
@settings(max_examples=often(150, usual=50))
def test_small_globs_overlap_exactly_when_some_path_matches_both(one: str, other: str) -> None:
    first, second = expression(one), expression(other)
    shared = any(first.fullmatch(f"/{path}") and second.fullmatch(f"/{path}") for path in PATHS)

    assert globs.overlap(one, other) == shared == globs.overlap(other, one)


@given(LARGE.filter(allowed), LARGE.filter(allowed), PATH)
@settings(max_examples=often(300, usual=100))
def test_globs_that_match_one_path_overlap(one: str, other: str, path: str) -> None:
    for pattern in (one, other):
        assert globs.overlap(pattern, path) == matches(pattern, path)
    if matches(one, path) and matches(other, path):
        assert globs.overlap(one, other)


@given(PATH, st.data())
@settings(max_examples=often(200, usual=66))
def test_globs_made_from_one_path_overlap(path: str, data: st.DataObject) -> None:
    def blurred() -> str:
        blur = st.sampled_from(["", "*", "?", "[!z]", "{c,?}"])
        parts = ["".join(data.draw(blur) or char for char in part) for part in path.split("/")]
        return "/".join(data.draw(st.sampled_from([part, "**", part])) for part in parts)

    one, other = blurred(), blurred()
    try:
        for pattern in (one, other):
            globs.normal(pattern)
    except InvalidArguments:
        return
    assert globs.overlap(one, other)


@given(SMALL, SMALL, SMALL)
@settings(max_examples=often(150, usual=50))
def test_a_glob_in_braces_overlaps_when_one_of_its_alternatives_does(one: str, two: str, other: str) -> None:
    assert globs.overlap(f"{{{one},{two}}}", other) == (globs.overlap(one, other) or globs.overlap(two, other))
