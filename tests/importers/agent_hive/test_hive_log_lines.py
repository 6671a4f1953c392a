"""A log's lines are read in the grammars in which the agents of a hive wrote them, however they are mixed."""

import json

from server.importers.agent_hive import log_lines
from server.importers.agent_hive.log_lines import Fault, LogEntry

GRAMMARS = {
    "json": '{"timestamp": "2025-07-16T16:43:12.440758Z", "level": "ERROR", "logger": "a", "message": "m"}',
    "columns": "2025-07-19 09:22:46 INFO     leanvibe.startup           [corr=c1,task=,agent=pm]  m",
    "dashed": "2025-07-19 09:22:46,123 - WARNING - m",
    "named": "2025-07-19 09:22:46,123 - hive.core - ERROR - m",
    "bracketed": "2025-07-19 09:22:46 [INFO] hive.core: m",
    "bare": "2025-07-19 09:22:46,123 - m",
}


def read(text: str, faults: list[Fault] | None = None) -> list[LogEntry]:
    lines = enumerate(text.encode().split(b"\n"), 1)
    return list(log_lines.entries(lines, faults if faults is not None else []))


def test_each_grammar_is_told_by_its_own_line() -> None:
    for grammar, line in GRAMMARS.items():
        (entry,) = read(line)
        assert (entry.grammar, entry.message) == (grammar, "m"), grammar
        assert entry.time
        assert entry.time.startswith("2025-07-1")


def test_all_grammars_mix_in_one_file() -> None:
    entries = read("\n".join(GRAMMARS.values()))

    assert [entry.grammar for entry in entries] == list(GRAMMARS)
    assert [entry.severity for entry in entries] == ["error", "info", "warning", "error", "info", None]
    assert [entry.line for entry in entries] == [1, 2, 3, 4, 5, 6]


def test_what_names_a_correlation_a_task_and_an_agent_is_taken_and_an_empty_one_says_nothing() -> None:
    (entry,) = read(GRAMMARS["columns"])
    assert (entry.logger, entry.fields) == ("leanvibe.startup", {"correlation_id": "c1", "agent_id": "pm"})


def test_a_traceback_belongs_to_the_entry_above_it_down_to_its_last_line() -> None:
    told = (
        "2025-07-19 09:22:46,123 - hive.core - ERROR - it failed\n"
        "Traceback (most recent call last):\n"
        '  File "a.py", line 1, in <module>\n'
        "    raise ValueError\n"
        "ValueError: no\n"
        "\n"
        "During handling of the above exception, another exception occurred:\n"
        "\n"
        "Traceback (most recent call last):\n"
        '  File "b.py", line 2\n'
        "KeyError: 1\n"
        "2025-07-19 09:22:47,001 - hive.core - INFO - on we go"
    )
    first, second = read(told)

    assert first.message == "it failed\n" + "\n".join(told.split("\n")[1:-1])
    assert second.message == "on we go"


def test_lines_that_were_printed_are_one_entry_until_a_blank_line() -> None:
    banner = "🤖 AGENT STATUS\n=====\nall well"
    entries = read(f"{banner}\n\nanother print\n2025-07-19 09:22:46 [INFO] a: m\nprinted after it")

    assert [(entry.grammar, entry.message) for entry in entries] == [
        ("print", banner),
        ("print", "another print"),
        ("bracketed", "m"),
        ("print", "printed after it"),
    ]


def test_a_broken_line_of_json_costs_one_line_and_stays_as_text() -> None:
    faults: list[Fault] = []
    good = GRAMMARS["json"]
    entries = read(f'{good}\n{{"timestamp": "2025-07-16T16:4\n{good}', faults)

    assert [entry.grammar for entry in entries] == ["json", "print", "json"]
    assert [line for line, _ in faults] == [2]


def test_an_empty_log_has_no_entry() -> None:
    assert read("") == []
    assert read("\n\n \n") == []


def test_a_megabyte_of_lines_is_read_with_no_line_lost() -> None:
    line = json.dumps({"timestamp": "2025-07-16T16:43:12Z", "level": "INFO", "message": "x" * 300})
    entries = read("\n".join([line] * 3000))
    assert len(entries) == 3000


def test_what_is_printed_without_an_end_is_cut_into_entries_with_every_line_in_one() -> None:
    lines = [f"line {number} {'x' * 100}" for number in range(5000)]
    entries = read("\n".join(lines))

    assert "\n".join(entry.message for entry in entries).split("\n") == lines
    assert max(len(entry.message) for entry in entries) <= log_lines.LONGEST


def test_bytes_that_are_no_text_and_line_ends_of_windows_cost_nothing() -> None:
    entries = list(log_lines.entries([(1, b"\xef\xbb\xbf2025-07-19 09:22:46 [INFO] a: \xff\x00 m\r")], []))
    assert [(entry.grammar, entry.message) for entry in entries] == [("bracketed", "\\xff\ufffd m")]
