"""What others wrote is shown on one line, where it does nothing."""

import logging
import sys

import pytest

from server.settings import LogLines
from server.text.display import number_of, shown


@pytest.mark.parametrize(
    "text", ["", "plain", "Prüfung 计划 \U0001f600", "a  b", "\\x1b[31m is text", "東京\u3000大阪"]
)
def test_text_that_does_nothing_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("two\nlines", "two\u23ce lines"),
        ("a\tb", "a b"),
        ("\x1b[2Jcleared", "\\u{1b}[2Jcleared"),
        ("over\rwritten", "over\\u{d}written"),
        ("turned \u202eround", "turned \\u{202e}round"),
        ("next\u2028line\x85", "next\\u{2028}line\\u{85}"),
        ("wide\u2003and\xa0hard", "wide\\u{2003}and\\u{a0}hard"),
        ("hidden \u3164\u2800", "hidden \\u{3164}\\u{2800}"),
        ("half \ud800", "half \\u{d800}"),
    ],
)
def test_what_would_do_something_is_seen_instead(text: str, meant: str) -> None:
    assert shown(text) == meant


def test_a_traceback_is_indented_below_its_record_whatever_its_error_says() -> None:
    try:
        raise OSError("no folder 'a\nforged'")
    except OSError:
        record = logging.LogRecord("server.store", logging.ERROR, __file__, 1, "%s", ("b\nforged",), sys.exc_info())
    first, *rest = LogLines("%(levelname)s %(message)s").format(record).split("\n")
    assert first == "ERROR b\u23ce forged"
    assert rest
    assert all(line.startswith("  ") for line in rest)


def test_things_are_counted_in_words() -> None:
    assert [number_of(number, "step") for number in (0, 1, 2, 12_000)] == [
        "0 steps",
        "1 step",
        "2 steps",
        "12,000 steps",
    ]
