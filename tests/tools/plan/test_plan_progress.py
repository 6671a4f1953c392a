"""A plan follows its steps: it is open again with one of them, and after the last one says how to complete it."""

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from server.calls import run
from server.errors import ProjectMemoryError
from server.settings import Settings
from server.store import Store
from server.tools import TOOLS
from tests.conftest import Agent
from tests.populated_store import started_once
from tests.tools.plan.test_memory_plan import make

OPEN = ("pending", "active", "blocked", "failed")
WAYS = ("update", "batch_update", "next", "release")


async def completed_plan(agent: Agent, workspace_id: str) -> str:
    """A completed plan of three steps in two phases."""
    phases = [{"name": "One", "steps": [{"task": "a"}, {"task": "b"}]}, {"name": "Two", "steps": [{"task": "c"}]}]
    plan_id = (await make(agent, workspace_id, "Life", category="quick_task", phases=phases))["plan_id"]
    await close(agent, plan_id, 0, 1, 2)
    await agent("memory_plan", "update", plan_id=plan_id, status="completed")
    return plan_id


async def close(agent: Agent, plan_id: str, *indices: int) -> dict[str, Any]:
    updates = [{"step_index": index, "status": "done"} for index in indices]
    return await agent("memory_steps", "batch_update", plan_id=plan_id, updates=updates)


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("way", ["update", "batch_update", "next", "release"])
async def test_opening_a_step_again_opens_its_plan_and_holds_what_waits_for_it(
    agent: Agent, workspace_id: str, way: str, status: str
) -> None:
    plan_id = await completed_plan(agent, workspace_id)
    waiter = await make(agent, workspace_id, "Waiter", steps=[{"task": "w"}], depends_on_plans=[plan_id])
    assert (await agent("memory_steps", "ready", plan_id=waiter["plan_id"]))["total"] == 1
    arguments: dict[str, Any] = {"plan_id": plan_id, "agent": "ada", "step_index": 1, "status": status}
    if way == "batch_update":
        arguments = {"plan_id": plan_id, "agent": "ada", "updates": [{"step_index": 1, "status": status}]}
    if way == "release":
        arguments["force"] = True
    if way in ("next", "release") and status == "active":
        await agent.fails("memory_steps", way, **arguments)
        return

    answer = await agent("memory_steps", way, **arguments)

    assert answer["reopened_plan"] == plan_id
    plan = await agent("memory_plan", "get", plan_id=plan_id, detail="full")
    assert (plan["status"], plan.get("completed_at"), plan["version"]) == ("active", None, 3)
    assert (await agent("memory_steps", "ready", plan_id=waiter["plan_id"]))["total"] == 0
    assert (await agent("memory_plan", "get", plan_id=waiter["plan_id"]))["waiting_for"] == [plan_id]
    events = await agent("memory_workspace", "events", plan_id=plan_id, types=["plan_reopened"])
    assert [event["data"]["status"] for event in events["events"]] == ["active"]


@pytest.mark.parametrize("what", ["delete", "delete_phase"])
async def test_an_open_step_that_comes_back_opens_its_plan(agent: Agent, workspace_id: str, what: str) -> None:
    phases = [{"name": "One", "steps": [{"task": "a"}]}, {"name": "Two", "steps": [{"task": "b"}]}]
    plan_id = (await make(agent, workspace_id, "Life", category="quick_task", phases=phases))["plan_id"]
    await close(agent, plan_id, 0)
    if what == "delete":
        gone = await agent("memory_steps", "delete", plan_id=plan_id, step_index=1, confirm=True)
    else:
        gone = await agent("memory_plan", "delete_phase", plan_id=plan_id, phase="Two", confirm=True)
    assert gone["completable"]["plan_id"] == plan_id
    await agent.suggested(gone["completable"])

    back = await agent("memory_workspace", "restore", trash_id=gone["trash_id"])

    assert back["reopened_plan"] == plan_id
    assert (await agent("memory_plan", "get", plan_id=plan_id))["status"] == "active"


async def test_steps_that_went_together_come_back_together(agent: Agent, workspace_id: str) -> None:
    plan_id = await completed_plan(agent, workspace_id)
    new = [{"task": "a"}]
    gone = await agent("memory_steps", "replace", plan_id=plan_id, replacement_steps=new, confirm=True)
    back = await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    assert (back["restored"]["steps"], "reopened_plan" in back) == (2, False)
    tasks = [step["task"] for step in (await agent("memory_steps", "list", plan_id=plan_id))["steps"]]
    assert tasks == ["a", "b", "c"]


async def test_a_plan_completed_by_force_comes_back_from_the_trash_completed(agent: Agent, workspace_id: str) -> None:
    plan = await make(agent, workspace_id, "Dropped", steps=[{"task": "a"}])
    await agent("memory_plan", "update", plan_id=plan["plan_id"], status="completed", force=True)
    edited = await agent("memory_steps", "update", plan_id=plan["plan_id"], step_index=0, notes="left open")
    gone = await agent("memory_plan", "delete", plan_id=plan["plan_id"], confirm=True)
    back = await agent("memory_workspace", "restore", trash_id=gone["trash_id"])
    assert "reopened_plan" not in {**edited, **back}
    assert (await agent("memory_plan", "get", plan_id=plan["plan_id"]))["status"] == "completed"


@pytest.mark.parametrize("way", ["update", "batch_update", "next", "release", "delete", "replace"])
async def test_whatever_closes_the_last_open_step_says_how_to_complete_the_plan(
    agent: Agent, workspace_id: str, way: str
) -> None:
    first = await make(agent, workspace_id, "First", steps=[{"task": "x"}])
    plan = await make(agent, workspace_id, "Life", steps=[{"task": "a"}, {"task": "b"}])
    plan_id = plan["plan_id"]
    at_one: dict[str, Any] = {"plan_id": plan_id, "step_index": 1}
    calls: dict[str, dict[str, Any]] = {
        "update": {**at_one, "status": "cancelled"},
        "batch_update": {"plan_id": plan_id, "updates": [{"step_index": 1, "status": "done"}]},
        "next": {**at_one, "agent": "ada"},
        "release": {**at_one, "status": "done", "force": True},
        "delete": {**at_one, "confirm": True},
        "replace": {"plan_id": plan_id, "replacement_steps": [{"task": "a"}], "confirm": True},
    }
    not_last = await close(agent, plan_id, 0)
    assert "completable" not in not_last
    await agent("memory_plan", "set_plan_dependencies", plan_id=plan_id, depends_on_plans=[first["plan_id"]])

    answer = await agent("memory_steps", way, **calls[way])

    call = {"tool": "memory_plan", "action": "update", "plan_id": plan_id, "status": "completed"}
    assert (answer["completable"], answer["plan_waits_for"]) == (call, [first["plan_id"]])
    if way == "next":
        again = await agent("memory_steps", way, **calls[way])
        assert again["completable"] == call, "a lost answer costs nothing"
    assert (await agent.suggested(call))["status"] == "completed"
    assert "completable" not in await agent("memory_steps", "next", plan_id=plan_id, agent="ada")


class Plans(RuleBasedStateMachine):
    """Random ways to close, open, remove and bring back the steps of a plan for which another one waits."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "data").mkdir(mode=0o700)
        shutil.copy(started_once(), self.folder / "data")
        self.loop = asyncio.new_event_loop()
        self.store = Store(Settings(data_root=self.folder / "data", synchronous="off"))
        self.trash: list[str] = []

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def call(self, tool: str, action: str, **arguments: Any) -> dict[str, Any]:
        """Run a call; a failed one gives `{"error": {...}}`."""
        try:
            return json.loads(
                self.loop.run_until_complete(run(self.store, TOOLS, tool, {"action": action, **arguments}))
            )
        except ProjectMemoryError as error:
            return error.payload()

    def make(self, title: str, **more: Any) -> str:
        return self.call("memory_plan", "create", workspace_id=self.workspace_id, title=title, **more)["plan_id"]

    def steps(self, action: str, **arguments: Any) -> dict[str, Any]:
        return self.call("memory_steps", action, plan_id=self.plan_id, agent="ada", force=True, **arguments)

    @initialize()
    def make_plans(self) -> None:
        project = self.folder / "project"
        project.mkdir()
        self.workspace_id = self.call("memory_workspace", "register", workspace_path=str(project))["workspace_id"]
        phases = [{"name": f"P{number}", "steps": [{"task": f"{number}{i}"} for i in range(2)]} for number in (0, 1)]
        self.plan_id = self.make("Life", phases=phases)
        listed = self.call("memory_steps", "list", plan_id=self.plan_id)["steps"]
        waiting = [{"task": "w", "depends_on": [step["step_id"]]} for step in listed]
        self.waiter = self.make("Waiter", steps=waiting, depends_on_plans=[self.plan_id])

    @rule(index=st.integers(0, 4), status=st.sampled_from((*OPEN, "done", "cancelled")), way=st.sampled_from(WAYS))
    def set_status(self, index: int, status: str, way: str) -> None:
        if way == "batch_update":
            self.steps(way, updates=[{"step_index": index, "status": status}])
        else:
            self.steps(way, step_index=index, status=status)

    @rule(index=st.integers(0, 4))
    def delete(self, index: int) -> None:
        self.keep(self.steps("delete", step_index=index, confirm=True))

    @rule(name=st.sampled_from(["P0", "P1"]))
    def delete_phase(self, name: str) -> None:
        self.keep(self.call("memory_plan", "delete_phase", plan_id=self.plan_id, phase=name, force=True, confirm=True))

    @rule(tasks=st.lists(st.sampled_from(["00", "01", "10", "new"]), min_size=1, unique=True))
    def replace(self, tasks: list[str]) -> None:
        self.keep(self.steps("replace", replacement_steps=[{"task": task} for task in tasks], confirm=True))

    @rule(status=st.sampled_from(["pending", "done"]))
    def add(self, status: str) -> None:
        self.steps("add", steps=[{"task": "added", "status": status}])

    @rule()
    def restore(self) -> None:
        if self.trash:
            self.call("memory_workspace", "restore", trash_id=self.trash.pop())

    @rule()
    def finish(self) -> None:
        """Close all steps, and complete the plan as the answer says."""
        total = self.call("memory_steps", "list", plan_id=self.plan_id)["total"]
        updates = [{"step_index": index, "status": "done"} for index in range(total)]
        told = self.steps("batch_update", updates=updates) if updates else {}
        if call := told.get("completable"):
            assert self.call(**call)["status"] == "completed"

    @rule()
    def put_away_and_back(self) -> None:
        self.call("memory_plan", "archive", plan_id=self.plan_id, force=True)
        self.call("memory_plan", "unarchive", plan_id=self.plan_id)

    def keep(self, answer: dict[str, Any]) -> None:
        self.trash += [answer["trash_id"]] if "trash_id" in answer else []

    @invariant()
    def a_completed_plan_has_no_open_step_and_dependencies_know_how_their_targets_are(self) -> None:
        plan = self.call("memory_plan", "get", plan_id=self.plan_id, detail="full")
        steps = {step["step_id"]: step for step in plan.get("steps", ())}
        is_open = any(step["status"] in OPEN for step in steps.values())
        assert not (plan["status"] == "completed" and is_open)
        waiter = self.call("memory_plan", "get", plan_id=self.waiter, detail="full")
        assert waiter.get("waiting_for", []) == ([] if plan["status"] == "completed" else [self.plan_id])
        for row in self.loop.run_until_complete(self.edges()):
            if row["source_type"] == "step":
                closed = steps[row["target_id"]]["status"] not in OPEN
                assert row["dep_status"] == ("satisfied" if closed else "pending")

    async def edges(self) -> list[Any]:
        return await (await self.store.open()).all("SELECT * FROM dependencies")


PlansTest = Plans.TestCase
PlansTest.settings = settings(max_examples=10, stateful_step_count=20)
