"""The page of a long plan: the phase that is worked on stands open, the others come when they are asked for."""

import re
from pathlib import Path
from typing import Any

import httpx2

from tests.served import call

PHASES, STEPS = 6, 120


async def long_plan(owner: httpx2.AsyncClient, project: Path) -> dict[str, Any]:
    home = (await call(owner, "memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
    phases = [{"name": f"Part {n}", "steps": [{"task": f"Do {n}/{i}"} for i in range(STEPS)]} for n in range(PHASES)]
    given = {"title": "Long", "goals": ["Reach it"], "workspace_id": home}
    plan = await call(owner, "memory_plan", "create", **given, phases=phases)
    return await call(owner, "memory_plan", "get", plan_id=plan["plan_id"], detail="full")


def tasks(text: str) -> list[str]:
    return re.findall(r'class="task">([^<]*)', text)


async def test_a_long_plan_shows_the_phase_that_is_worked_on_and_the_others_when_asked(
    owner: httpx2.AsyncClient, project: Path
) -> None:
    plan = await long_plan(owner, project)
    path = f"/p/{plan['plan_id']}"
    whole = (await owner.get(path)).text
    parts = [part.replace("&amp;", "&") for part in re.findall(r'class="later" data-part="([^"]+)"', whole)]
    fragment = (await owner.get(parts[1])).text
    by_link = (await owner.get(f"{path}?phase={plan['phases'][2]['phase_id']}")).text
    last = (await call(owner, "memory_steps", "list", plan_id=plan["plan_id"], phase="Part 5"))["steps"][0]["step_id"]
    by_step = (await owner.get(f"{path}?step={last}")).text

    assert tasks(whole) == [f"Do 0/{i}" for i in range(100)]
    assert "Reach it" in whole
    assert len(parts) == PHASES - 1
    assert tasks(fragment) == [f"Do 2/{i}" for i in range(100)]
    assert "<html" not in fragment
    assert tasks(by_link) == [*tasks(whole), *tasks(fragment)]
    assert f'id="{last}"' in by_step


async def test_a_step_names_what_it_waits_for_in_a_phase_that_is_closed(
    owner: httpx2.AsyncClient, project: Path
) -> None:
    plan = await long_plan(owner, project)
    listed = [await call(owner, "memory_steps", "list", plan_id=plan["plan_id"], phase=f"Part {n}") for n in (0, 1)]
    first, other = (found["steps"][0]["step_id"] for found in listed)
    await call(owner, "memory_steps", "set_dependencies", step_id=other, depends_on=[first])
    path = f"/p/{plan['plan_id']}"
    fragment = (await owner.get(f"{path}?part={plan['phases'][1]['phase_id']}")).text
    step = (await owner.get(f"{path}?part={other}")).text

    assert "waits for 0" in fragment
    assert f'Comes after <a href="{path}?step={first}#{first}">Do 0/0</a>' in step


async def test_what_can_be_done_to_a_step_comes_when_it_is_opened(owner: httpx2.AsyncClient, project: Path) -> None:
    plan = await long_plan(owner, project)
    path = f"/p/{plan['plan_id']}"
    first, second = [
        step["step_id"] for step in (await call(owner, "memory_steps", "list", plan_id=plan["plan_id"]))["steps"][:2]
    ]
    await call(owner, "memory_steps", "update", step_id=second, status="blocked", append_notes="No wood")
    pages = [(await owner.get(path)).text, (await owner.get(f"{path}?step={first}")).text]
    part = (await owner.get(f"{path}?part={first}")).text
    other = await call(owner, "memory_plan", "create", title="Other", workspace_id=plan["workspace_id"])
    strange = await owner.get(f"/p/{other['plan_id']}?part={first}")

    assert [re.findall('id="note-(step_[^"]*)"', text) for text in (*pages, part)] == [
        [second],
        [first, second],
        [first],
    ]
    assert "No wood" in pages[0]
    assert f'name="back" value="{path}?step={first}#{first}"' in part
    assert "<html" not in part
    assert strange.status_code == 404


async def test_the_rest_of_a_phase_is_a_page_further(owner: httpx2.AsyncClient, project: Path) -> None:
    plan = await long_plan(owner, project)
    path = f"/p/{plan['plan_id']}"
    fragment = (await owner.get(f"{path}?part={plan['phases'][0]['phase_id']}")).text
    [rest] = re.findall(r'href="([^"]*cursor=[^"]*)"', fragment)
    shown = (await owner.get(rest.replace("&amp;", "&"))).text

    assert tasks(shown) == [f"Do 0/{i}" for i in range(100, STEPS)]


async def test_a_phase_that_is_not_there_is_told(owner: httpx2.AsyncClient, project: Path) -> None:
    plan = await long_plan(owner, project)
    answer = await owner.get(f"/p/{plan['plan_id']}?part=phase_none")

    assert answer.status_code == 404
