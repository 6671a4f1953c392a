"""What commands print, on a terminal of any width and in a pipe."""

import io
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from server.cli.screen import Cell, Column, Screen, Styled, duration, plain, relative
from server.models.base import timestamp

HOSTILE = "[red]x[/red] \x1b]0;y\x07\x1b[2J\u202e\u2066 :smile: \r\n\tz"
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
COLUMNS = (Column("ID"), Column("TITLE", is_wide=True), Column("NUMBER", is_number=True), Column("EMPTY"))
ROWS: Sequence[Sequence[Cell]] = (
    ("plan_1rqewqexykb7", "t" * 400, "7", ""),
    ("plan_1rqewqexykb8", "日本語の長い題名" * 20, "1,234", ""),
    ("plan_1rqewqexykb9", HOSTILE, "0", ""),
)


def on_a_terminal(width: int, show: Callable[[Screen], None]) -> list[str]:
    stream = io.StringIO()
    show(Screen(stream, width=width))
    return stream.getvalue().splitlines()


def in_a_pipe(show: Callable[[Screen], None]) -> str:
    stream = io.StringIO()
    show(Screen(stream))
    return stream.getvalue()


def everything(screen: Screen) -> None:
    screen.heading("A heading", Styled(f"  {HOSTILE}"))
    screen.line("A line with ", Styled("a stressed text"), " and ", HOSTILE, indent=2)
    screen.block(f"One\n  {HOSTILE} {'words ' * 60}\nlast")
    screen.facts([("name", "t" * 300), ("empty", ""), ("a long name", Styled(HOSTILE))])
    screen.table(COLUMNS, ROWS, indent=2)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = [ESCAPE.sub("", line) for line in on_a_terminal(width, everything)]

    assert [line for line in lines if cell_len(line) > width] == []
    assert all(line.isprintable() for line in lines)
    assert all(plain(row[0]) in "\n".join(lines) for row in ROWS)


def test_what_others_wrote_moves_no_cursor_and_is_no_markup() -> None:
    shown = "\n".join(on_a_terminal(200, everything))

    assert "[red]x[/red] \\u{1b}]0;y\\u{7}\\u{1b}[2J\\u{202e}\\u{2066} :smile: \\u{d}⏎  z" in ESCAPE.sub("", shown)


def test_in_a_pipe_a_row_is_a_line_with_whole_cells_between_tabs() -> None:
    lines = in_a_pipe(lambda screen: screen.table(COLUMNS, ROWS)).splitlines()

    cells = [line.split("\t") for line in lines]
    assert [len(row) for row in cells] == [4, 4, 4]
    assert [row[0] for row in cells] == [row[0] for row in ROWS]
    assert cells[0][1] == "t" * 400
    assert "\x1b" not in "".join(lines)
    assert in_a_pipe(lambda screen: screen.facts([("name", "a b")])) == "name\ta b\n"


def test_in_a_pipe_there_are_no_bars_and_times_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    screen = Screen(io.StringIO())

    assert screen.is_plain
    assert screen.bar(3, 4) == ""
    assert screen.when("2030-01-31T12:00:00.000Z") == "2030-01-31T12:00:00.000Z"
    assert screen.cut("t" * 90, 10) == "t" * 90
    assert in_a_pipe(lambda one: one.line("long " * 30)) == "long " * 30 + "\n"


def test_without_colours_no_escape_sequence_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in "\n".join(on_a_terminal(80, everything))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in "\n".join(on_a_terminal(80, everything))


def test_where_columns_do_not_fit_beside_each_other_the_wide_text_goes_below() -> None:
    wide = on_a_terminal(80, lambda screen: screen.table(COLUMNS, ROWS[:1]))
    narrow = on_a_terminal(30, lambda screen: screen.table(COLUMNS, ROWS[:1]))

    assert len(wide) == 2
    assert ESCAPE.sub("", wide[0]).split() == ["ID", "TITLE", "NUMBER"]
    assert re.fullmatch(r"plan_1rqewqexykb7  t+…  +7", ESCAPE.sub("", wide[1]).rstrip())
    assert [ESCAPE.sub("", line).strip()[:17] for line in narrow] == ["plan_1rqewqexykb7", "t" * 17]


GROUPED = (Column("ID"), Column("TASK", is_wide=True), Column("PLAN", is_above=True), Column("WHO"))
STEPS = (
    ("step_1", "Sow", "Garden", "ada"),
    ("step_2", "Call the roofer", "House", ""),
    ("step_3", "Reap", "Garden", ""),
)


def test_what_stands_above_is_said_once_and_its_rows_keep_their_columns() -> None:
    lines = [ESCAPE.sub("", line).rstrip() for line in on_a_terminal(80, lambda screen: screen.table(GROUPED, STEPS))]

    assert lines == [
        "  ID      TASK             WHO",
        "Garden",
        "  step_1  Sow              ada",
        "  step_3  Reap",
        "House",
        "  step_2  Call the roofer",
    ]
    narrow = on_a_terminal(20, lambda screen: screen.table(GROUPED, STEPS))
    assert "Garden" in narrow
    assert max(map(cell_len, narrow)) <= 20
    piped = in_a_pipe(lambda screen: screen.table(GROUPED, STEPS)).splitlines()
    assert piped == ["\t".join(row) for row in STEPS]


def test_a_bar_is_full_only_when_all_is_done() -> None:
    screen = Screen(io.StringIO(), width=80)

    assert screen.bar(0, 0) == "░" * 10
    assert screen.bar(999, 1000) == "█" * 9 + "░"
    assert screen.bar(5, 5) == "█" * 10


def test_a_list_that_was_cut_says_how_to_get_the_rest() -> None:
    told = in_a_pipe(lambda screen: screen.more(1950, "plans", "project-memory status --limit 2000"))
    assert told == "  1,950 more plans: project-memory status --limit 2000\n"
    assert "1 more plan: x" in in_a_pipe(lambda screen: screen.more(1, "plans", "x"))
    assert on_a_terminal(40, lambda screen: screen.more(0, "plans", "never")) == []


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h"), (200_000, "2 d")],
)
def test_a_duration_is_told_in_its_largest_unit(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_a_time_is_told_from_now_on() -> None:
    assert relative(timestamp(NOW - timedelta(minutes=3)), NOW) == "3 min ago"
    assert relative(timestamp(NOW + timedelta(hours=2)), NOW) == "in 2 h"
    assert relative(timestamp(NOW), NOW) == "now"
    assert relative("last Tuesday", NOW) == "last Tuesday"
    assert relative("2030-01-31", NOW) == "2030-01-31"  # of no zone
