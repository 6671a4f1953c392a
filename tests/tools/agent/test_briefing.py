"""The briefing: whatever it is made of, it fits, and it does not hide what it leaves out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.tools.agent.briefing import Section, fit
from server.tools.render import MAX_BYTES, MIN_BYTES, Budget, render

NAMES = ("plan", "instructions", "held", "handoff", "plans", "next", "phases", "messages", "context")
START = {"session_id": "sess_1rqewqexykb8", "workspace_id": "ws_1rqewqexykb7", "agent": "Executor"}

texts = st.one_of(st.text(max_size=40), st.text('é😀\n"', max_size=400), st.just("x" * 2900))
names: st.SearchStrategy[str] = st.sampled_from(("a", "b", "clipped"))
items: st.SearchStrategy[dict[str, Any]] = st.dictionaries(names, texts, min_size=1)


@st.composite
def parts(draw: st.DrawFn) -> list[Section]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES)))
    return [draw(part(name)) for name in names]


@st.composite
def part(draw: st.DrawFn, name: str) -> Section:
    if name in ("plan", "handoff"):
        return Section(name, [draw(items)], "memory_plan get", single=True, smaller=[{"plan_id": "plan_1"}])
    found = draw(st.lists(items, min_size=1, max_size=30))
    return Section(name, found, "memory_plan list_notes", total=draw(st.integers(0, 500)))


@given(parts(), st.integers(MIN_BYTES, MAX_BYTES))
def test_it_fits_and_accounts_for_every_item(found: list[Section], most: int) -> None:
    told: dict[str, Any] = fit(START, found, most)

    text = render(told, Budget(most))
    assert len(text.encode("utf-8", "surrogatepass")) <= most
    assert json.loads(text) == told
    assert told.items() >= START.items()
    for one in found:
        accounted(one, told)


def accounted(one: Section, told: dict[str, Any]) -> None:
    """Check that a part is there whole, or that `omitted` says what is missing."""
    shown, note = told.get(one.name), told.get("omitted", {}).get(one.name)
    if one.single:
        assert shown in (one.items[0], None, *one.smaller)
        assert note or (shown == one.items[0] and "clipped" not in one.items[0])
        return
    rows: list[Any] = shown or []
    assert rows == list(one.items[: len(rows)])
    left = max(one.total, len(one.items)) - len(rows)
    assert note in (f"{left} more: {one.call}", len(one.items)) if left else note in (None, one.call)


@pytest.mark.parametrize("without", [("plans",), ("plan", "instructions", "phases")])
@pytest.mark.parametrize("most", [8_000, 45_000])
def test_no_part_starves_the_others(most: int, without: tuple[str, ...]) -> None:
    rows = [{"a": "x" * 290} for _ in range(300)]
    found = [Section(name, rows, "help") for name in NAMES if name not in without]
    told = fit(START, found, most)
    assert all(len(told[part.name]) < 300 for part in found)
    assert len(render(told, Budget(most))) > most - 400


def test_what_is_whole_is_not_omitted() -> None:
    told = fit(START, [Section("next", [{"task": "a"}], "memory_steps ready")], 8_000)
    assert told == {**START, "next": [{"task": "a"}]}
