"""The board of all workspaces and of one: who is at work on what, what anybody may begin, and how one is found."""

import re
from pathlib import Path

import httpx2

from server.web.pages.board import PLACES
from tests.served import call


async def workspace(owner: httpx2.AsyncClient, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return (await call(owner, "memory_workspace", "register", workspace_path=str(folder)))["workspace_id"]


async def boat(owner: httpx2.AsyncClient, home: str) -> str:
    """Make a plan that an agent is at work on: one step is held, one waits for it, one anybody may begin."""
    steps = [{"task": "Lay the keel"}, {"task": "Plank it", "depends_on": [0]}, {"task": "Sew a sail"}]
    plan = await call(owner, "memory_plan", "create", title="A boat", workspace_id=home, steps=steps)
    me = await call(owner, "memory_agent", "init", plan_id=plan["plan_id"], agent="Builder")
    await call(owner, "memory_steps", "next", plan_id=plan["plan_id"], session_id=me["session_id"])
    return plan["plan_id"]


def names(text: str) -> list[str]:
    return re.findall(r'class="open" href="/w/[^"]*">([^<]*)', text)


async def test_the_board_says_who_is_at_work_on_what(owner: httpx2.AsyncClient, project: Path) -> None:
    await boat(owner, await workspace(owner, project))

    board = (await owner.get("/board")).text

    assert re.search(r"<b>Builder</b> <a [^>]*>Lay the keel</a>", board)


async def test_a_workspace_shows_how_far_each_phase_of_a_plan_is(owner: httpx2.AsyncClient, project: Path) -> None:
    home = await workspace(owner, project)
    await boat(owner, home)
    hull = {"name": "Hull <b>", "steps": [{"task": "a", "status": "done"}, {"task": "b"}]}
    await call(owner, "memory_plan", "create", title="Parted", workspace_id=home, phases=[hull, {"name": "Rig"}])

    page = (await owner.get(f"/w/{home}")).text
    bars = re.findall(r'<progress value="(\d+)" max="(\d+)" aria-label="([^"]*)"', page)

    assert bars == [("1", "2", "Hull &lt;b&gt;: 1 of 2"), ("0", "1", "Rig: 0 of 0"), ("0", "3", "steps done")]


async def test_the_board_shows_a_page_of_many_workspaces_and_finds_one_by_its_name(
    owner: httpx2.AsyncClient, tmp_path: Path
) -> None:
    for number in range(PLACES + 2):
        await workspace(owner, tmp_path / f"shop {number:02}")

    first = (await owner.get("/board")).text
    [link] = re.findall(r'href="(\?[^"]*cursor=[^"]*)"', first)
    rest = (await owner.get(f"/board{link.replace('&amp;', '&')}")).text
    found = (await owner.get("/board?query=SHOP+1")).text
    none = (await owner.get("/board?query=mill")).text

    assert (len(names(first)), names(rest)) == (PLACES, [f"shop {PLACES}", f"shop {PLACES + 1}"])
    assert names(found) == [f"shop {number}" for number in range(10, 20)]
    assert "No workspace is called that" in none


async def test_a_workspace_says_what_plans_wait_for_in_which_nothing_can_begin(
    owner: httpx2.AsyncClient, project: Path
) -> None:
    home = await workspace(owner, project)
    boat_of_one = {"title": "A boat", "workspace_id": home, "steps": [{"task": "Build"}]}
    first = (await call(owner, "memory_plan", "create", **boat_of_one))["plan_id"]
    made = {"title": "Sail <b>", "workspace_id": home, "steps": [{"task": "Go"}], "depends_on_plans": [first]}
    then = (await call(owner, "memory_plan", "create", **made))["plan_id"]

    before = (await owner.get(f"/w/{home}")).text
    await call(owner, "memory_steps", "update", plan_id=first, step_index=0, status="done")
    await call(owner, "memory_plan", "update", plan_id=first, status="completed")
    after = (await owner.get(f"/w/{home}")).text

    found = re.search(r"<h2>Waiting</h2>.*?</section>", before)
    assert found
    assert f'href="/p/{then}#step_' in found[0]
    assert "Sail &lt;b&gt;" in found[0]
    assert "step 0: its plan waits for plan &#39;A boat&#39;</span>" in found[0]
    assert "<h2>Waiting</h2>" not in after


async def test_a_workspace_says_what_anybody_may_begin_and_a_plan_what_a_step_waits_for(
    owner: httpx2.AsyncClient, project: Path
) -> None:
    home = await workspace(owner, project)
    plan_id = await boat(owner, home)

    shown = (await owner.get(f"/w/{home}")).text
    plan = (await owner.get(f"/p/{plan_id}")).text
    agents = (await owner.get(f"/w/{home}/agents")).text

    free = shown.partition("Free to begin")[2].partition("</details>")[0]
    assert "Sew a sail" in free
    assert "Plank it" not in free
    assert plan.count("waits for 0<") == 1
    assert re.search(r'href="/e/step_[^"]*"[^>]*>Lay the keel', agents)


async def test_statistics_keep_what_is_of_the_server_apart(owner: httpx2.AsyncClient, project: Path) -> None:
    await boat(owner, await workspace(owner, project))

    work, _, inner = (await owner.get("/statistics")).text.partition("Of the server itself")

    assert re.search(r"steps</th><td[^>]*>3<", work)
    assert "tool action params" not in work
    assert re.search(r"tool action params</th><td[^>]*>\d,\d{3}<", inner)
