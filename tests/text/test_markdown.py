"""The Markdown reader: which lines of a checklist become steps of which phase."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.settings import ASSETS
from server.text.markdown import ParsedStep, parse


def steps(text: str) -> list[ParsedStep]:
    return parse(text).steps


def tasks(text: str) -> list[str]:
    return [step.task for step in steps(text)]


@pytest.mark.parametrize("mark", ["- [ ]", "* [ ]", "+ [ ]", "1. [ ]", "12. [ ]", "3) [ ]", "-   [ ]", "-\t[ ]"])
def test_every_kind_of_checkbox_is_an_open_step(mark: str) -> None:
    assert steps(f"{mark} do it") == [ParsedStep(None, None, "do it")]


@pytest.mark.parametrize("mark", ["- [x]", "* [X]", "1. [x]", "1) [X]"])
def test_a_ticked_checkbox_is_a_done_step(mark: str) -> None:
    assert steps(f"{mark} did it") == [ParsedStep(None, None, "did it", "x" if "x" in mark else "X")]


@pytest.mark.parametrize(
    "line",
    ["- plain", "- []", "- [] no space in it", "- [x]glued", "-[ ] glued", "[ ] bare", "text - [ ] inside", "- [ ]",
     "- [ab] two", "- [a](b) link", "- [-]glued",
     "> - [ ] quoted", "`- [ ] code`", "| [ ] | cell |", "* * *", "1.[ ] glued"],
)  # fmt: skip
def test_what_only_looks_like_a_checkbox_is_no_step(line: str) -> None:
    assert steps(line) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [("- [] no blank", "[] no blank"), ("1. [x]glued", "[x]glued"), ("* [ ]glued", "[ ]glued"), ("- - [-]in", "[-]in"),
     ("- [a](b) link", None), ("- [1]: note", None), ("- [x][ref]", None), ("- plain [x]", None), ("- [ ] step", None)],
)  # fmt: skip
def test_a_list_item_that_is_almost_a_step_is_told(line: str, told: str | None) -> None:
    assert parse(line).almost == ([told] if told else [])


def test_the_phase_is_the_nearest_second_level_heading_else_the_first_level_one() -> None:
    text = "# Plan\n- [ ] a\n## Build\n- [ ] b\n### Parts\n- [ ] c\n## Ship\n- [ ] d\n# Other\n- [ ] e\n"
    assert [(s.phase, s.section) for s in steps(text)] == [
        ("Plan", None),
        ("Build", None),
        ("Build", "Parts"),
        ("Ship", None),
        ("Other", None),
    ]


def test_deeper_headings_make_the_section_and_end_with_the_next_of_their_level() -> None:
    text = "## P\n### A\n#### B\n- [ ] one\n### C\n- [ ] two\n## Q\n- [ ] three\n"
    assert [s.section for s in steps(text)] == ["A / B", "C", None]


def test_the_title_is_the_first_heading_of_the_first_level() -> None:
    assert parse("## Early\n# Title ##\n# Second\n").title == "Title"
    assert parse("## Only\n- [ ] a").title is None


def test_headings_without_steps_are_nothing() -> None:
    assert {s.phase for s in steps("## Overview\ntext\n## Work\n- [ ] a\n## References\n")} == {"Work"}


@pytest.mark.parametrize(
    "heading", ["## Phase ##", "##   Phase  ", "## Phase\t#", " ## Phase", "Phase\n---", "Phase\n-"]
)
def test_a_heading_in_any_notation_is_the_same_phase(heading: str) -> None:
    assert steps(f"{heading}\n\n- [ ] a")[0].phase == "Phase"


def test_underlined_headings_count_and_rules_below_lists_do_not() -> None:
    text = "Title\n=====\n\nWork\n----\n- [ ] a\n---\n- [ ] b\n\n***\n- [ ] c\n"
    assert parse(text).title == "Title"
    assert [(s.phase, s.task) for s in steps(text)] == [("Work", "a"), ("Work", "b"), ("Work", "c")]


def test_hashes_that_belong_to_the_text_stay() -> None:
    assert steps("## C#\n- [ ] use F#")[0].phase == "C#"
    assert steps("#hashtag\n- [ ] a")[0].phase is None


def test_nested_steps_get_the_text_of_their_parent_as_prefix() -> None:
    text = "- [ ] Parent:\n  - [x] child\n    - [ ] grandchild\n- Group\n  1. [ ] member\n- [ ] alone\n"
    assert tasks(text) == ["Parent:", "Parent: child", "Parent: child: grandchild", "Group: member", "alone"]


def test_emphasis_stays_as_text() -> None:
    assert tasks("- **Backend:**\n  - [ ] *fast* `api`") == ["**Backend**: *fast* `api`"]


def test_two_columns_nest_below_a_number_and_tabs_count_as_four() -> None:
    assert tasks("1. [ ] a\n  - [ ] b\n") == ["a", "a: b"]
    assert tasks("- [ ] a\n\t- [ ] b\n\t\t- [ ] c\n") == ["a", "a: b", "a: b: c"]
    assert tasks("- [ ] a\n - [ ] b\n") == ["a", "b"]


def test_a_long_parent_is_cut_in_the_prefix_alone() -> None:
    long = "x" * 5000
    first, second = tasks(f"- [ ] {long}\n  - [ ] child")
    assert first == long
    assert second.endswith("…: child")
    assert len(second) < 300


@pytest.mark.parametrize("fence", ["```", "~~~", "````", "```python", "~~~ text ```"])
@pytest.mark.parametrize("indent", ["", "  ", "\t"])
def test_code_fences_hold_no_steps_and_no_headings(fence: str, indent: str) -> None:
    closing = re.match(r"[`~]+", fence)
    assert closing
    text = f"## P\n{indent}{fence}\n{indent}- [ ] code\n{indent}## Code\n{indent}{closing[0]}\n- [ ] real"
    assert [(s.phase, s.task) for s in steps(text)] == [("P", "real")]


def test_a_fence_ends_with_one_of_its_kind_that_is_as_long() -> None:
    assert tasks("````\n```\n- [ ] a\n~~~~\n- [ ] b\n````\n- [ ] c") == ["c"]


def test_inline_code_of_three_ticks_opens_no_fence() -> None:
    assert tasks("```js x```\n- [ ] a") == ["a"]


def test_a_fence_inside_a_list_item_ends_with_the_item() -> None:
    assert tasks("- [ ] a\n  ```\n  - [ ] code\n- [ ] b") == ["a", "b"]
    assert tasks("1. [ ] a\n  ```\n  - [ ] code\n  ```\n2. [ ] b") == ["a", "b"]
    assert tasks("- ```\n  - [ ] code\n  ```\n- [ ] b") == ["b"]


def test_comments_front_matter_and_quotes_hold_no_steps() -> None:
    text = "---\ntitle: x\n- [ ] no\n---\n<!-- - [ ] no -->\n<!--\n- [ ] no\n-->\n> - [ ] no\n> ```\n- [ ] yes"
    assert tasks(text) == ["yes"]


def test_windows_and_old_line_ends_a_byte_order_mark_and_odd_spaces_are_taken() -> None:
    assert steps("\ufeff## P\r\n- [ ] a  \r\n\r\n- [x]\tb\r- [ ] c") == [
        ParsedStep("P", None, "a"),
        ParsedStep("P", None, "b", "x"),
        ParsedStep("P", None, "c"),
    ]


def test_what_is_indented_below_a_step_becomes_its_notes() -> None:
    text = (
        "- [ ] a\n  more of it\n\n  and a paragraph\n  - plain detail\n    deeper\n  ```sh\n    run\n  ```\n"
        "  - [ ] b\n    of b\n- [ ] c\nright below\n\nnot of c\n"
    )
    a, b, c = steps(text)
    assert a.notes == "more of it\n\nand a paragraph\n- plain detail\n  deeper\n```sh\n  run\n```"
    assert b.notes == "of b"
    assert c.notes == "right below"


def test_the_demo_plan_has_its_steps_and_not_the_one_in_the_fence() -> None:
    text = (ASSETS / "catalog" / "demo-plan.md").read_text(encoding="utf-8")
    parsed = parse(text)
    assert parsed.title == "Add a dry run to the log rotation script"
    assert [s.status for s in parsed.steps].count("done") == 1
    assert len(parsed.steps) == 11
    assert {s.section for s in parsed.steps} == {None, "Errors"}
    assert not [s for s in parsed.steps if "app.log.31.gz" in s.task]


def test_hostile_texts_take_no_time_and_no_stack() -> None:
    for text in ("- " * 300_000 + "[ ] x", "#" * 500_000, " " * 500_000 + "- [ ] a", "- [ ] a: " + ": " * 200_000):
        assert len(steps(text)) <= 1


LINES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=30)
WORDS = st.text(st.sampled_from("abc XYZ.,:()[]*_`'\"éß日"), min_size=1, max_size=30).map(lambda t: f"t{t.strip()}")


@given(st.lists(st.one_of(LINES, st.sampled_from(["```", "~~~", "- [ ] x", "## h", "---", "  - [x] y", "<!--", ""]))))
def test_any_text_is_read_without_failing_and_no_step_is_blank(lines: list[str]) -> None:
    assert all(step.task.strip() and step.phase != "" for step in steps("\n".join(lines)))


@given(st.lists(st.tuples(WORDS, st.lists(st.tuples(WORDS, st.booleans()), min_size=1, max_size=4)), max_size=5))
def test_a_written_checklist_reads_back_in_order(plan: list[tuple[str, list[tuple[str, bool]]]]) -> None:
    text = "\n".join(
        f"## {phase}\n" + "\n".join(f"- [{'x' if done else ' '}] {task}" for task, done in items)
        for phase, items in plan
    )
    found = [(s.phase, s.task, s.status == "done") for s in steps(text)]
    assert found == [(" ".join(phase.split()), task, done) for phase, items in plan for task, done in items]


@pytest.mark.parametrize(
    ("mark", "status", "strange"),
    [(" ", "pending", False), ("x", "done", False), ("X", "done", False), ("-", "cancelled", False),
     ("~", "cancelled", False), ("/", "pending", False), (">", "pending", False), ("?", "pending", True),
     ("1", "pending", True), ("é", "pending", True), ("✔️", "pending", True), ("👩‍💻", "pending", True)],
)  # fmt: skip
def test_the_mark_of_a_checkbox_says_how_far_the_step_is(mark: str, status: str, strange: bool) -> None:
    [step] = steps(f"- [{mark}] do it")
    assert (step.task, step.mark, step.status, step.is_marked_strangely) == ("do it", mark, status, strange)


MARKS = st.characters(categories=("L", "N", "P", "S", "Mn"), exclude_characters="[]")


@given(st.lists(st.tuples(MARKS, WORDS), min_size=1, max_size=6))
def test_no_checkbox_is_dropped_whatever_its_mark(items: list[tuple[str, str]]) -> None:
    found = steps("\n".join(f"- [{mark}] {task}" for mark, task in items))
    assert [(step.mark, step.task) for step in found] == items
    assert all(step.status in ("pending", "done", "cancelled") for step in found)


def test_the_numbers_of_an_export_are_taken_off_again_and_no_others() -> None:
    assert tasks("- [ ] **1.** a\n- [x] **2.** b") == ["a", "b"]
    assert tasks("- [ ] **2.** a\n- [x] **1.** b") == ["**2.** a", "**1.** b"]
    assert tasks("- [ ] **1.** a\n- [x] b") == ["**1.** a", "b"]
