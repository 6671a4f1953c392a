"""What the tests of memory_program share."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.conftest import Agent

MakePlan = Callable[..., Awaitable[str]]
PROGRAM = "memory_program"


@pytest.fixture
async def program_id(agent: Agent, workspace_id: str) -> str:
    """A program without plans."""
    return (await agent(PROGRAM, "create", workspace_id=workspace_id, title="Release 3"))["program_id"]


@pytest.fixture
def plan_of(agent: Agent, workspace_id: str) -> MakePlan:
    """Makes a plan with steps of these statuses and returns its id."""

    async def make(title: str, *statuses: str, **more: object) -> str:
        steps = [{"task": f"{title} {n}", "status": status} for n, status in enumerate(statuses)]
        given = {"workspace_id": workspace_id, "title": title, "steps": steps, **more}
        return (await agent("memory_plan", "create", **given))["plan_id"]

    return make


@pytest.fixture
async def elsewhere(agent: Agent, tmp_path: Path) -> str:
    """Another workspace."""
    (tmp_path / "other").mkdir()
    return (await agent("memory_workspace", "register", workspace_path=str(tmp_path / "other")))["workspace_id"]
