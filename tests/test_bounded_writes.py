"""What is done while the write lock is held is bounded: other agents wait for it."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest_asyncio

from server.settings import Settings
from tests.metering import Metered, metered


@pytest_asyncio.fixture
async def store(settings: Settings) -> AsyncGenerator[Metered]:
    async with metered(settings) as found:
        yield found


async def asked(store: Metered, tool: str, action: str, **arguments: Any) -> dict[str, Any]:
    return json.loads(await store(tool, action, **arguments))


async def test_globs_are_compared_before_the_lock_is_taken(store: Metered, project: Path) -> None:
    await store("memory_workspace", "register", workspace_path=str(project))
    theirs, mine = ([f"src/*{letter}?/*b?{number}" for number in range(50)] for letter in "ab")
    where = {"workspace_path": str(project)}
    await store("memory_session", "reserve_files", agent="ada", paths=theirs, **where)

    cost = await store.cost("memory_session", "reserve_files", agent="bob", paths=mine, exclusive=True, **where)

    assert cost.calls < 2 * len(theirs) * len(mine)


async def test_steps_are_put_in_order_without_going_through_the_list_for_each(store: Metered, project: Path) -> None:
    await store("memory_workspace", "register", workspace_path=str(project))
    costs = list[int]()
    for total in (250, 1000):
        new = [{"task": f"Step {number}"} for number in range(total)]
        plan = await asked(store, "memory_plan", "create", workspace_path=str(project), title="Long", steps=new)
        turned = list(range(total))[::-1]
        cost = await store.cost("memory_steps", "set_order", plan_id=plan["plan_id"], new_order=turned)
        costs.append(cost.steps)

    assert costs[1] <= 5 * costs[0]
