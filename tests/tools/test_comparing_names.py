"""Names are compared as people do, and stored as given."""

import unicodedata
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.text.names import composed, folded
from tests.conftest import Agent
from tests.thoroughness import often

CAFE, CAFE_APART = unicodedata.normalize("NFC", "Café"), unicodedata.normalize("NFD", "Café")
LETTERS = st.characters(categories=("Lu", "Ll", "Lo", "Mn", "Nd"), exclude_characters="\u212a")
NAMES = st.text(LETTERS, min_size=1, max_size=12).map(lambda name: "n" + name)
FORMS: list[Literal["NFC", "NFD"]] = ["NFC", "NFD"]
SPELLINGS = st.sampled_from(
    [str, str.upper, str.lower, str.casefold, *(partial(unicodedata.normalize, f) for f in FORMS)]
)


@given(NAMES, st.sampled_from(FORMS))
def test_every_composition_of_a_name_is_the_same_name(name: str, form: Literal["NFC", "NFD"]) -> None:
    other = unicodedata.normalize(form, name)
    assert composed(other) == composed(name)
    assert folded(other) == folded(name)


@given(NAMES)
def test_folding_takes_case_away_and_nothing_else(name: str) -> None:
    assert folded(folded(name)) == folded(name)
    assert folded(unicodedata.normalize("NFD", name).casefold()) == folded(name)
    assert folded(name + "x") != folded(name)


@pytest.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    phases = [{"name": "Schema", "steps": [{"task": "a"}]}, {"name": CAFE, "steps": [{"task": "b"}]}]
    made = await agent("memory_plan", "create", workspace_id=workspace_id, title="Straße", phases=phases)
    return made["plan_id"]


async def phase_names(agent: Agent, plan_id: str) -> list[str]:
    return [phase["name"] for phase in (await agent("memory_plan", "get", plan_id=plan_id))["phases"]]


Call = tuple[str, dict[str, Any]]
JOINING: dict[str, Call] = {
    "add": ("add", {"steps": [{"task": "c", "phase": "schema"}, {"task": "d", "phase": CAFE_APART.upper()}]}),
    "insert": ("insert", {"at_index": 0, "step": {"task": "c", "phase": "SCHEMA"}}),
    "update": ("update", {"step_index": 1, "phase": "schema"}),
    "batch_update": ("batch_update", {"updates": [{"step_index": 0, "phase": CAFE_APART}]}),
    "replace": ("replace", {"replacement_steps": [{"task": "a", "phase": "schema"}, {"task": "b", "phase": "café"}]}),
}


@pytest.mark.parametrize("write", JOINING)
async def test_a_step_joins_the_phase_of_that_name_in_any_spelling(agent: Agent, plan_id: str, write: str) -> None:
    action, arguments = JOINING[write]
    answer = await agent("memory_steps", action, plan_id=plan_id, **arguments)
    assert "created_phase" not in answer
    assert await phase_names(agent, plan_id) == ["Schema", CAFE]


MAKING: dict[str, Call] = {
    "add": ("add", {"steps": [{"task": "c", "phase": "Schemas"}]}),
    "insert": ("insert", {"at_index": 0, "step": {"task": "c", "phase": "Schemas"}}),
    "update": ("update", {"step_index": 1, "phase": "Schemas"}),
    "batch_update": ("batch_update", {"updates": [{"step_index": 0, "phase": "Schemas"}]}),
    "replace": ("replace", {"replacement_steps": [{"task": "a", "phase": "Schemas"}, {"task": "b"}]}),
}


@pytest.mark.parametrize("write", MAKING)
async def test_a_call_that_made_a_phase_says_so(agent: Agent, plan_id: str, write: str) -> None:
    action, arguments = MAKING[write]
    answer = await agent("memory_steps", action, plan_id=plan_id, **arguments)
    assert answer["created_phase"] == "Schemas"
    assert await phase_names(agent, plan_id) == ["Schema", CAFE, "Schemas"]


async def test_several_new_phases_are_all_named(agent: Agent, plan_id: str) -> None:
    steps = [{"task": "c", "phase": "X"}, {"task": "d", "phase": "x"}, {"task": "e", "phase": "Y"}]
    assert (await agent("memory_steps", "add", plan_id=plan_id, steps=steps))["created_phase"] == ["X", "Y"]


async def test_a_phase_is_found_by_any_spelling(agent: Agent, plan_id: str, workspace_id: str) -> None:
    for spelling in ("schema", "SCHEMA"):
        assert (await agent("memory_steps", "list", plan_id=plan_id, phase=spelling))["total"] == 1
    assert (await agent("memory_steps", "list", plan_id=plan_id, phase=CAFE_APART))["total"] == 1
    await agent("memory_plan", "update_phase", plan_id=plan_id, phase=CAFE_APART.lower(), description="d")
    error = await agent.fails(
        "memory_plan", "confirm", plan_id=plan_id, confirmation_scope="phase", confirm_phase="schema"
    )
    assert error["confirm"]["confirm_phase"] == "Schema"
    await agent("memory_plan", "reorder_phases", plan_id=plan_id, phase_order=["CAFÉ", "schema"])
    assert await phase_names(agent, plan_id) == [CAFE, "Schema"]
    await agent("memory_steps", "sort", plan_id=plan_id, phase_order=["SCHEMA", CAFE_APART])
    assert await phase_names(agent, plan_id) == ["Schema", CAFE]
    found = await agent("memory_plan", "search", query="a", search_phase="sChema", workspace_id=workspace_id)
    assert found["hits"]


async def test_a_second_phase_of_a_name_is_refused_in_any_spelling(agent: Agent, plan_id: str) -> None:
    for name in ("schema", CAFE_APART):
        assert (await agent.fails("memory_plan", "add_phase", plan_id=plan_id, name=name))["code"] == "conflict"
    error = await agent.fails("memory_plan", "update_phase", plan_id=plan_id, phase="Schema", name="CAFÉ")
    assert error["code"] == "conflict"
    renamed = await agent("memory_plan", "update_phase", plan_id=plan_id, phase="schema", name="SCHEMA")
    assert renamed["name"] == "SCHEMA"


async def test_a_draft_with_one_phase_in_two_spellings_is_refused(agent: Agent, workspace_id: str) -> None:
    phases = [{"name": "Build"}, {"name": "build"}]
    error = await agent.fails("memory_plan", "create", workspace_id=workspace_id, title="P", phases=phases)
    assert "two phases are called" in error["message"]
    nested = [{"name": "Build", "steps": [{"task": "a", "phase": "BUILD"}]}]
    await agent("memory_plan", "create", workspace_id=workspace_id, title="P", phases=nested)


async def test_titles_and_templates_are_found_in_any_case(agent: Agent, plan_id: str, workspace_id: str) -> None:
    for query in ("STRASSE", "straße", "ße"):
        assert (await agent("memory_plan", "list", workspace_id=workspace_id, query=query))["total"] == 1
    await agent("memory_plan", "create_from_template", workspace_id=workspace_id, title="P", template="BugFix")


async def test_an_agent_is_one_in_every_composition(agent: Agent, plan_id: str, workspace_id: str) -> None:
    whole, apart = unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")
    await agent("memory_steps", "claim", plan_id=plan_id, step_index=0, agent=whole)
    held = await agent("memory_steps", "next", plan_id=plan_id, agent=apart)
    assert held["next"]["index"] == 0
    await agent("memory_steps", "update", plan_id=plan_id, step_index=1, assignee=apart, agent=whole)
    assert (await agent("memory_steps", "list", plan_id=plan_id, assignee=whole))["total"] == 1
    assert (await agent("memory_steps", "list", plan_id=plan_id, assignee=apart))["total"] == 1
    await agent("memory_session", "send_message", to_agent=apart, content="x", agent="b", workspace_id=workspace_id)
    for name in (whole, apart, whole.upper()):
        assert (await agent("memory_session", "inbox", agent=name, workspace_id=workspace_id))["total"] == 1
    await agent("memory_plan", "add_note", plan_id=plan_id, note="n", note_type="instruction", deliver_to=apart)
    assert (await agent("memory_plan", "list_notes", plan_id=plan_id, deliver_to=whole.upper()))["total"] == 1


async def test_a_fact_has_one_key_in_every_composition(agent: Agent, workspace_id: str) -> None:
    here: dict[str, Any] = {"workspace_id": workspace_id, "agent": "a"}
    await agent("memory_context", "remember", key=CAFE_APART, value="1", namespace=CAFE, **here)
    again = await agent("memory_context", "remember", key=CAFE, value="2", namespace=CAFE_APART, **here)
    assert again["version"] == 2
    assert again["key"] == CAFE_APART
    assert (await agent("memory_context", "recall", key=CAFE, namespace=CAFE, **here))["value"] == "2"
    listed = await agent("memory_context", "recall", prefix=CAFE, namespace=CAFE_APART, **here)
    assert [row["key"] for row in listed["memories"]] == [CAFE_APART]
    await agent("memory_context", "forget", key=CAFE, namespace=CAFE, confirm=True, **here)
    assert (await agent("memory_context", "recall", **here))["total"] == 0


async def test_tags_are_found_in_every_composition(agent: Agent, plan_id: str) -> None:
    await agent("memory_context", "store", plan_id=plan_id, type="t", data={"a": 1}, tags=[CAFE_APART], agent="a")
    assert (await agent("memory_context", "list", plan_id=plan_id, tags=[CAFE]))["total"] == 1


@settings(
    max_examples=often(25, usual=8), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(name=NAMES, first=SPELLINGS, second=SPELLINGS)
async def test_two_spellings_of_a_name_never_make_two_phases(
    agent: Agent, workspace_id: str, name: str, first: Any, second: Any
) -> None:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="P")
    given_first = first(name)
    steps = [{"task": "a", "phase": given_first}, {"task": "b", "phase": second(name)}]
    await agent("memory_steps", "add", plan_id=plan["plan_id"], steps=steps)
    alike = folded(given_first) == folded(second(name))
    names = await phase_names(agent, plan["plan_id"])
    assert names[0] == given_first
    assert len(names) == (1 if alike else 2)
    assert (await agent("memory_steps", "list", plan_id=plan["plan_id"], phase=second(name)))["total"] >= 1
