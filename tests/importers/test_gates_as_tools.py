"""An import lets a step become what the tools let it become: a gate that holds here holds against both."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp.types import TextContent

from server.db.storage.connection import Database
from server.errors import Gated
from server.models.documents import digest
from tests.conftest import Agent
from tests.exporters.test_round_trip import written
from tests.importers.conftest import Taker

Json = dict[str, Any]
Change = Callable[[dict[str, list[Json]]], object]
TARGET = "ship"  # the step that a source says something else of
REFUSALS = ("gated", "conflict")
ENTERED = ("active", "done", "cancelled")


def step(task: str = TARGET, **more: Any) -> Json:
    return {"task": task, **more}


def behind(**first: Any) -> Json:
    """Return the plan of a step in a phase behind another one."""
    return {
        "phases": [{"name": "One", "steps": [step("look", status="done")], **first}, {"name": "Two", "steps": [step()]}]
    }


# How a step can be held, and not: as a plan is created.
PLANS: dict[str, Json] = {
    "nothing": {"steps": [step()]},
    "confirmation": {"steps": [step(type="confirmation")]},
    "user validation": {"steps": [step(type="user_validation")]},
    "critical": {"steps": [step(type="critical")]},
    "a cancelled gate": {"steps": [step(type="confirmation", status="cancelled")]},
    "a flag": {"steps": [step(requires_confirmation=True)]},
    "another flag": {"steps": [step(requires_user_confirmation=True)]},
    "a step's required gates": {"steps": [step(required_gates=["tests"])]},
    "a phase's required gates": {"phases": [{"name": "One", "required_gates": ["tests"], "steps": [step()]}]},
    "an open phase": behind(),
    "a phase to approve": behind(approval_required=True),
    "a confirmed phase": behind(approval_required=True),
    "gates of all phases": behind() | {"phase_gates": True},
    "a gated step before": {"steps": [step("look", type="confirmation"), step(depends_on=[0])]},
}


class Source:
    """Documents of a store that somebody edits and imports into another one, again and again."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def edit(self, plan_id: str, change: Change) -> None:
        [path] = self.out.rglob(f"{plan_id}.json")
        self._edit(path, change)

    def edit_all(self, change: Change) -> None:
        for path in self.out.rglob("*.json"):
            self._edit(path, change)

    def _edit(self, path: Path, change: Change) -> None:
        document = json.loads(path.read_text(encoding="utf-8"))
        if "tables" in document:
            change(document["tables"])
            document["sha256"] = digest(document)
            path.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "out")


async def created(agent: Agent, workspace_id: str, **plan: Any) -> str:
    phase_gates = plan.pop("phase_gates", None)
    made = await agent("memory_plan", "create", workspace_id=workspace_id, agent="ada", **plan)
    if phase_gates:
        await agent("memory_plan", "update", plan_id=made["plan_id"], phase_gates=True)
    if plan["title"] == "a confirmed phase":
        await agent.person_confirms_phase(made["plan_id"], "One")
    return made["plan_id"]


async def statuses(taker: Database, task: str = TARGET) -> dict[str, str]:
    query = "SELECT l.title, s.status FROM steps s JOIN plans l USING (plan_id) WHERE s.task = :task"
    return {row["title"]: row["status"] for row in await taker.all(query, {"task": task})}


async def is_refused(agent: Agent, step_id: str, status: str) -> bool:
    call = {"action": "update", "step_id": step_id, "status": status, "agent": "bob"}
    result = await agent.client.call_tool("memory_steps", call)
    [block] = result.content
    assert isinstance(block, TextContent)
    assert not result.is_error or json.loads(block.text)["error"]["code"] in REFUSALS
    return bool(result.is_error)


def says(status: str) -> Change:
    """Return the edit by which the target of a plan has a status."""

    def change(tables: dict[str, list[Json]]) -> None:
        [row] = [row for row in tables["steps"] if row["task"] == TARGET]
        done = status == "done"
        row |= {"status": status, "completed_by": "mallory" if done else None, "version": row["version"] + 1}
        row["completed_at"] = row["updated_at"] if done else None

    return change


@pytest.mark.parametrize("on_conflict", ["merge", "overwrite"])
@pytest.mark.parametrize("status", ENTERED)
async def test_what_the_tools_refuse_to_a_step_a_source_does_not_do(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, source: Source, *, status: str, on_conflict: str
) -> None:
    plans = {title: await created(agent, workspace_id, title=title, **plan) for title, plan in PLANS.items()}
    await elsewhere(await written(db, source.out))
    before = await statuses(elsewhere.db)
    for plan_id in plans.values():
        source.edit(plan_id, says(status))
    report = await elsewhere(source.out, on_conflict=on_conflict)
    after = await statuses(elsewhere.db)

    steps = {
        row["title"]: row["step_id"]
        for row in await db.all(
            "SELECT l.title, s.step_id FROM steps s JOIN plans l USING (plan_id) WHERE task = :t", {"t": TARGET}
        )
    }
    refused = {title for title, step_id in steps.items() if await is_refused(agent, step_id, status)}
    assert after == {title: before[title] if title in refused else status for title in PLANS}
    told = [finding for finding in report.findings if finding.what.startswith("status stays")]
    assert len(told) == len([title for title in refused if before[title] != status])


async def test_a_gate_that_passed_in_the_source_lets_its_step_be_done(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, source: Source
) -> None:
    plan = await agent(
        "memory_plan", "create", workspace_id=workspace_id, title="P", steps=[step(required_gates=["tests"])]
    )
    await elsewhere(await written(db, source.out))
    gate = {"plan_id": plan["plan_id"], "gate_name": "tests", "status": "passed"}
    await agent("memory_ledger", "record_gate", **gate, agent="ada")
    await agent("memory_steps", "update", step_id=plan["step_ids"][0], status="done", agent="ada")
    await elsewhere(await written(db, source.out))
    assert await statuses(elsewhere.db) == {"P": "done"}


async def test_a_plan_with_a_gate_that_nobody_opened_is_not_completed_by_a_source(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, source: Source
) -> None:
    held = await created(agent, workspace_id, title="held", steps=[step(type="confirmation")])
    free = await created(agent, workspace_id, title="free", steps=[step()])
    untested = await created(agent, workspace_id, title="untested", steps=[step(required_gates=["tests"])])
    await elsewhere(await written(db, source.out))

    def completes(tables: dict[str, list[Json]]) -> None:
        [row] = tables["plans"]
        row |= {"status": "completed", "completed_at": row["updated_at"]}

    for plan_id in (held, free, untested):
        source.edit(plan_id, completes)
    await elsewhere(source.out)
    rows = await elsewhere.db.all("SELECT title, status, completed_at IS NULL AS is_open FROM plans")
    assert {tuple(row) for row in rows} == {("held", "active", 1), ("untested", "active", 1), ("free", "completed", 0)}


async def test_a_gate_that_was_set_here_holds_what_is_behind_it(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, source: Source
) -> None:
    plan_id = await created(agent, workspace_id, title="P", **behind())
    await elsewhere(await written(db, source.out))
    gate = {"plan_id": plan_id, "phase": "One", "approval_required": True}
    await elsewhere.ask("memory_plan", {"action": "update_phase", **gate, "agent": "bob"})
    source.edit(plan_id, says("done"))
    await elsewhere(source.out)
    assert await statuses(elsewhere.db) == {"P": "pending"}
    assert set((await elsewhere(source.out)).files) == {"unchanged"}


async def test_what_was_done_before_it_was_imported_is_done(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, source: Source
) -> None:
    plans = {title: await created(agent, workspace_id, title=title, **plan) for title, plan in PLANS.items()}
    await written(db, source.out)
    for plan_id in plans.values():
        source.edit(plan_id, says("done"))
    await elsewhere(source.out)
    assert set((await statuses(elsewhere.db)).values()) == {"done"}


GATED = behind(approval_required=True)
BEFORE: Json = {"steps": [step("look", type="confirmation"), step(depends_on=[0])]}


def drops(table: str, **where: Any) -> Change:
    """Return the edit by which rows leave a document."""

    def change(tables: dict[str, list[Json]]) -> None:
        tables[table] = [row for row in tables[table] if any(row[name] != value for name, value in where.items())]

    return change


def drops_phase(tables: dict[str, list[Json]]) -> None:
    """Drop the first phase, and put all steps into the other one."""
    [two] = [row["phase_id"] for row in tables["phases"] if row["name"] == "Two"]
    tables["phases"] = [row for row in tables["phases"] if row["name"] == "Two"]
    for row in tables["steps"]:
        row["phase_id"] = two


def moves_before(tables: dict[str, list[Json]]) -> None:
    [one] = [row["phase_id"] for row in tables["phases"] if row["name"] == "One"]
    for row in tables["steps"]:
        row["phase_id"] = one


def turns_round(tables: dict[str, list[Json]]) -> None:
    for row in tables["phases"]:
        row["order_index"] = 1 - row["order_index"]


# How a source may take a gate away without a word of it, and what of a plan has to hold.
AWAY: dict[str, tuple[Json, Change]] = {
    "a gate left its file": (BEFORE, drops("steps", task="look")),
    "what waited for it waits no more": (BEFORE, drops("dependencies")),
    "the phase left its file": (GATED, drops_phase),
    "the step is in the phase before": (GATED, moves_before),
    "the phase comes later": (GATED, turns_round),
}


@pytest.mark.parametrize("on_conflict", ["merge", "overwrite"])
@pytest.mark.parametrize("name", AWAY)
async def test_no_gate_is_gone_round(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, source: Source, *, name: str, on_conflict: str
) -> None:
    plan, change = AWAY[name]
    plan_id = await created(agent, workspace_id, title="P", **plan)
    await elsewhere(await written(db, source.out))
    source.edit(plan_id, change)
    report = await elsewhere(source.out, on_conflict=on_conflict)
    assert report.exit_code == 3
    if change is not AWAY["a gate left its file"][1]:
        source.edit(plan_id, says("done"))
        await elsewhere(source.out, on_conflict=on_conflict)
    assert await statuses(elsewhere.db) == {"P": "pending"}
    step_id = await elsewhere.db.value("SELECT step_id FROM steps WHERE task = :task", {"task": TARGET})
    with pytest.raises(Gated):
        await elsewhere.ask("memory_steps", {"action": "update", "step_id": step_id, "status": "done", "agent": "bob"})


async def test_what_was_changed_here_stays_though_its_phase_left_the_file(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, source: Source
) -> None:
    plan_id = await created(agent, workspace_id, title="P", **behind())
    await elsewhere(await written(db, source.out))
    step_id = await elsewhere.db.value("SELECT step_id FROM steps WHERE task = :task", {"task": TARGET})
    await elsewhere.ask("memory_steps", {"action": "update", "step_id": step_id, "notes": "ours", "agent": "bob"})

    def drop(tables: dict[str, list[Json]]) -> None:
        tables["phases"] = [row for row in tables["phases"] if row["name"] == "One"]
        tables["steps"] = [row for row in tables["steps"] if row["task"] != TARGET]

    source.edit(plan_id, drop)
    report = await elsewhere(source.out)
    assert await statuses(elsewhere.db) == {"P": "pending"}
    told = [finding.what for finding in report.findings if finding.severity == "error"]
    assert told == [
        "no longer in the file, but edited since; it stays",
        "no longer in the file, but what stays is in it; it stays",
    ]
