import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server.text.ignore_rules import IgnoreRules, parse, pattern, verdict
from tests.thoroughness import often

PATHS = ("a", "b", "ab", "aab", "a.b", "a/b", "a/ab", "b/a/b", "a/b/ab", "b/b/a/b", "a b", "#a", "!a", "[a")
# A slash in brackets is read in another way than git reads it: nobody writes that.
LINES = st.text(alphabet="ab*?[]!-/\\# .", min_size=1, max_size=9).filter(lambda text: not re.search(r"\[.*/", text))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


def left_out_by_git(folder: Path, text: str) -> set[str]:
    (folder / ".gitignore").write_text(text, encoding="utf-8")
    told = subprocess.run(
        ["git", "-C", str(folder), "check-ignore", "--no-index", "--stdin", "-z"],
        input="\0".join(PATHS) + "\0",
        capture_output=True,
        text=True,
        check=False,
    )
    return set(filter(None, told.stdout.split("\0")))


def left_out(text: str) -> set[str]:
    rules = IgnoreRules().joined("", text)

    def is_left_out(path: str) -> bool:
        parts = path.split("/")
        above = ["/".join(parts[:end]) for end in range(1, len(parts))]
        return any(rules.ignores(folder, is_folder=True) for folder in above) or rules.ignores(path, is_folder=False)

    return set(filter(is_left_out, PATHS))


@settings(max_examples=often(60, usual=20))
@given(st.lists(LINES, min_size=1, max_size=3))
@example(["*", "!a/", "!a/b"])
@example(["a/**/b", "!**/ab"])
@example(["/a/*", "!/a/b"])
@example(["[!a]", "[]a]b", "[a-"])
@example(["\\#a", "\\!a", "a\\ "])
def test_it_leaves_out_what_git_leaves_out(repository: Path, lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"

    assert left_out(text) == left_out_by_git(repository, text)


def test_the_file_of_a_folder_comes_before_those_above_it() -> None:
    rules = IgnoreRules().joined("", "*.log\n").joined("src", "!keep.log\n/own\n")

    assert rules.ignores("src/a.log", is_folder=False)
    assert not rules.ignores("src/keep.log", is_folder=False)
    assert rules.ignores("keep.log", is_folder=False)
    assert rules.ignores("src/own", is_folder=False)
    assert not rules.ignores("own", is_folder=False)


def test_case_can_be_left_aside() -> None:
    assert verdict(parse(".env\n*.PEM", ignore_case=True), "Deep/.ENV", is_folder=False)
    assert not verdict(parse(".env"), ".ENV", is_folder=False)


def test_no_pattern_takes_long() -> None:
    slow = pattern("*a" * 400 + "b")
    deep = pattern("/".join(["**", "a*a"] * 100) + "/b")
    assert slow
    assert deep

    assert not slow.matches("a" * 250)
    assert not deep.matches("/".join(["aa"] * 500))
