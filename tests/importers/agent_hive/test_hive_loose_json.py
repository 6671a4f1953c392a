"""JSON is found in a file whatever its name says: one value, lines, or values one after the other."""

import json

from server.importers.agent_hive.loose_json import values_in
from server.importers.reading import Note


def told(text: str) -> tuple[list[object], list[int]]:
    found, faults = values_in(text, [])
    return [item.value for item in found], [fault.line for fault in faults]


def test_one_value_lines_and_values_one_after_the_other() -> None:
    one, two = {"a": 1}, {"b": [2]}
    assert told(json.dumps(one, indent=2)) == ([one], [])
    assert told(f"{json.dumps(one)}\n{json.dumps(two)}\n") == ([one, two], [])
    assert told(f"{json.dumps(one, indent=2)}\n{json.dumps(two, indent=2)}") == ([one, two], [])
    assert told(f"{json.dumps(one)}{json.dumps(two)}") == ([one, two], [])


def test_a_value_knows_its_line_and_its_extent() -> None:
    text = '{\n"a": 1\n}\n\n{"b": 2}\n'
    found, _ = values_in(text, [])
    assert [item.line for item in found] == [1, 5]
    assert [json.loads(text[item.start : item.end]) for item in found] == [{"a": 1}, {"b": 2}]


def test_a_broken_line_costs_itself_alone() -> None:
    assert told('{"a": 1}\n{"b": \n{"c": 3}\nnot json\n{"d": 4}') == ([{"a": 1}, {"c": 3}, {"d": 4}], [2, 4])


def test_what_is_cut_off_is_told_and_what_came_before_it_stays() -> None:
    assert told('{"a": 1}\n{"b": {"c": 1}, "d"') == ([{"a": 1}], [2])


def test_an_empty_file_has_no_value() -> None:
    assert told("") == ([], [])
    assert told(" \n") == ([], [])


def test_a_key_that_stands_twice_and_a_control_character_are_told() -> None:
    notes: list[Note] = []
    found, faults = values_in('{"a": 1, "a": 2}\n{"b": "x\ty"}', notes)

    assert ([item.value for item in found], faults) == ([{"a": 2}, {"b": "x\ty"}], [])
    assert len(notes) == 2


def test_a_file_that_is_no_json_from_end_to_end_is_given_up_in_time() -> None:
    found, faults = values_in("[\n" * 200_000, [])
    assert found == []
    assert len(faults) <= 1000
