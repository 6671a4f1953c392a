"""What is done while the write lock is held is bounded: other agents wait for it."""

import json
import random
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from server.errors import Gated
from server.settings import Settings
from server.tools import TOOLS
from tests.growing_cases import CASES, Case
from tests.growing_store import GrowingStore, build
from tests.metering import Cost, Metered, metered
from tests.thoroughness import often

SIZES = (250, 1000)
STRIDE = often(1, usual=3)  # others each time
# What a few dozen rows more may cost of what goes with a plan: its phases, the agents at work, their messages.
STEPS, CALLS = 800, 200
STEPS_ON_LOOP = 50_000  # some milliseconds
PER_GATE = 120  # calls of Python: a query of its own would take as many again


@pytest_asyncio.fixture
async def store(settings: Settings) -> AsyncGenerator[Metered]:
    async with metered(settings) as found:
        yield found


def test_every_write_action_is_measured() -> None:
    """A new one needs a line in `bounded_cases`: what it changes, and how its cost may grow."""
    writes = {
        f"{tool.name} {name}"
        for tool in TOOLS.values()
        for name, action in tool.actions.items()
        if not action.read_only
    }

    assert CASES.keys() == writes


async def test_the_cost_of_a_write_grows_no_faster_than_what_it_changes(seeded: Path, tmp_path: Path) -> None:
    worlds = [await made(seeded, tmp_path / str(size), size) for size in SIZES]
    problems = list[str]()
    for name, cases in list(CASES.items())[random.randrange(STRIDE) :: STRIDE]:
        for number, case in enumerate(cases):
            small, large = [await measured(world, name, case) for world in worlds]
            for what, before, after, more in (
                ("steps of SQLite", small.steps, large.steps, STEPS),
                ("calls of Python", small.calls, large.calls, CALLS),
            ):
                if after > case.most * before + more:
                    problems.append(f"{name} [{number}]: {before} -> {after} {what}, at most {case.most} times")
            if large.steps_on_loop > STEPS_ON_LOOP:
                problems.append(f"{name} [{number}]: {large.steps_on_loop} steps of SQLite where all calls wait")

    assert not problems, "\n".join(problems)


async def made(seeded: Path, folder: Path, size: int) -> GrowingStore:
    """Build a world in a folder of its own."""
    for name in ("data", "code"):
        (folder / name).mkdir(parents=True, mode=0o700)
    settings = Settings(data_root=folder / "data", synchronous="off")
    shutil.copy(seeded, settings.database)
    return await build(settings, folder / "code", size)


async def measured(world: GrowingStore, name: str, case: Case) -> Cost:
    """Return what the call of a case costs in a copy of the world."""
    folder = world.folder.parent / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    settings = Settings(data_root=folder, synchronous="off")
    shutil.copy(world.folder.parent / "data" / settings.database.name, settings.database)
    async with metered(settings) as store:
        await store("memory_workspace", "set_display_name", workspace_id=world.there, display_name="warm")
        for tool, action, arguments in case.before:
            await store(tool, action, **arguments(world))
        return await store.cost(*name.split(), **case.arguments(world))


async def test_globs_are_compared_before_the_lock_is_taken(store: Metered, project: Path) -> None:
    await store("memory_workspace", "register", workspace_path=str(project))
    theirs, mine = ([f"src/*{letter}?/*b?{number}" for number in range(50)] for letter in "ab")
    where = {"workspace_path": str(project)}
    await store("memory_session", "reserve_files", agent="ada", paths=theirs, **where)

    cost = await store.cost("memory_session", "reserve_files", agent="bob", paths=mine, exclusive=True, **where)

    assert cost.calls < 2 * len(theirs) * len(mine)


async def test_who_worked_behind_gates_is_asked_once_however_many_a_call_would_open(
    store: Metered, project: Path
) -> None:
    where = {"workspace_path": str(project)}
    await store("memory_workspace", "register", **where)
    costs = list[int]()
    for number in (20, 120):
        gates = [{"task": f"Gate {at}", "type": "confirmation"} for at in range(number)]
        told = await store("memory_plan", "create", title=f"{number} gates", steps=gates, **where)
        plan_id = json.loads(told)["plan_id"]
        store.meter.take()
        with pytest.raises(Gated):
            await store("memory_plan", "update", plan_id=plan_id, status="completed", force=True)
        costs.append(store.meter.take().calls)

    assert costs[1] - costs[0] < 100 * PER_GATE


async def test_what_is_finished_does_nothing_for_others_where_there_are_none(store: Metered, project: Path) -> None:
    where = {"workspace_path": str(project)}
    await store("memory_workspace", "register", **where)
    steps = [
        {"task": "Alone"},
        {"task": "Waited for", "phase": "B"},
        {"task": "Waits", "phase": "B", "depends_on": [1]},
    ]
    told = await store("memory_plan", "create", title="A plan", steps=steps, **where)
    on_plan = {"plan_id": json.loads(told)["plan_id"], "agent": "ada"}
    await store("memory_steps", "next", **on_plan)
    alone = await store.statements("memory_steps", "next", step_index=0, **on_plan)
    waited_for = await store.statements("memory_steps", "next", step_index=1, notes="Done so", **on_plan)

    assert [said for said in alone if said.startswith(("UPDATE dependencies", "DELETE FROM search_pending"))] == []
    assert any(said.startswith("UPDATE dependencies") for said in waited_for)
    assert any(said.startswith("DELETE FROM search_pending") for said in waited_for)
