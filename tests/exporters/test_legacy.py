"""A file store that was imported is given back: to the byte where nothing changed, else with the changes in it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from mcp import Client

from server.db.interchange import exports
from server.db.storage.connection import Database
from server.exporters import folder, legacy
from server.exporters.folder import ExportOutcome
from server.importers.run import Options, import_path
from server.protocol.app import build
from server.settings import Settings
from server.store import open_store
from tests import legacy_store
from tests.conftest import Agent
from tests.legacy_defects import DEFECTS
from tests.legacy_shapes import SHAPES
from tests.legacy_store import WORKSPACE, Files, Json, Maker
from tests.thoroughness import often

# What an import does not even read is not kept.
ODDITIES = {**SHAPES, **{name: add for name, add in DEFECTS.items() if name != "leftovers"}}


async def exported(db: Database, target: Path) -> ExportOutcome:
    async with exports.snapshot(db) as reader:
        return await folder.write(target, legacy.store(reader), format="legacy")


async def round_trip(root: Path, files: Files) -> Files:
    """Import a store into a new database, and return what its export gives."""
    shutil.rmtree(root, ignore_errors=True)
    source = legacy_store.put(root / "source", files)
    db = await open_store(Settings(data_root=root / "data", synchronous="off"))
    try:
        await import_path(db, source, Options())
        await exported(db, root / "out")
    finally:
        await db.close()
    return legacy_store.read(root / "out")


def real(files: Files) -> Files:
    return {path: content for path, content in files.items() if not path.endswith("/")}


@pytest.mark.parametrize("names", [list(ODDITIES)[n::6] for n in range(6)], ids=lambda names: f"{names[0]}, ...")
async def test_every_shape_and_defect_comes_back_to_the_byte(names: list[str], tmp_path: Path) -> None:
    files = legacy_store.store(7, plans=2, shapes=[ODDITIES[name] for name in names])

    assert await round_trip(tmp_path, files) == real(files)


@limits(max_examples=often(12, usual=4))
@given(st.integers(0, 10_000), st.integers(0, 4), st.lists(st.sampled_from(sorted(ODDITIES)), max_size=4, unique=True))
async def test_any_store_comes_back_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory, seed: int, plans: int, names: list[str]
) -> None:
    files = legacy_store.store(seed, plans=plans, shapes=[ODDITIES[name] for name in names])

    assert await round_trip(tmp_path_factory.getbasetemp() / "any", files) == real(files)


class Store:
    """An imported store of one plan beside others, and a client of the server."""

    def __init__(self, agent: Agent, root: Path, settings: Settings, files: Files, state: Json) -> None:
        self.agent = agent
        self.root = root
        self.settings = settings
        self.files = files
        self.state = state
        self.plan_id: str = state["id"]
        self.path = f"{WORKSPACE}/plans/{self.plan_id}/state.json"

    async def step_ids(self) -> list[str]:
        found = await self.agent("memory_steps", "list", plan_id=self.plan_id)
        return [step["step_id"] for step in found["steps"]]

    async def exported(self) -> Files:
        shutil.rmtree(self.root / "out", ignore_errors=True)
        db = await open_store(self.settings)
        await exported(db, self.root / "out")
        await db.close()
        return legacy_store.read(self.root / "out")

    async def exported_state(self) -> Json:
        """The plan's state as it is exported now; every other file must be as it came."""
        files = await self.exported()
        assert {path: files[path] for path in self.files if path != self.path} == {
            path: content for path, content in self.files.items() if path != self.path
        }
        return json.loads(files[self.path])


def plain_plan(m: Maker) -> Json:
    """Four pending steps in two phases, the second waiting for the first, with fields that nobody knows."""
    state = legacy_store.plan(m, steps=4, phases=2, status="active", pending_notes=[], lineage=[], agent_sessions=[])
    for n, step in enumerate(state["steps"]):
        step |= {"status": "pending", "task": f"Task {n}", "x_note": [n, 1.0]}
        for name in ("completed_at", "depends_on", "assignee", "requires_validation"):
            step.pop(name, None)
        for name in ("requires_confirmation", "requires_user_confirmation"):
            step.pop(name, None)
    state["steps"][1]["depends_on"] = [0]
    state["confirmation_state"] = {"phases": {}, "steps": {"3": legacy_store.confirmed(m)}}
    return state | {"x_custom": {"b": 1, "a": 2}}


@pytest.fixture
async def store(agent: Agent, settings: Settings, tmp_path: Path) -> Store:
    made: list[Json] = []

    def add(m: Maker) -> None:
        made.append(plain_plan(m))
        legacy_store.add_plan(m, made[0])

    files = legacy_store.store(3, plans=2, shapes=[add])
    legacy_store.put(tmp_path / "source", files)
    db = await open_store(settings)
    await import_path(db, tmp_path / "source", Options())
    await db.close()
    return Store(agent, tmp_path, settings, files, made[0])


def without(state: Json, *names: str) -> Json:
    return {name: value for name, value in state.items() if name not in (*names, "updated_at", "current_phase")}


async def test_a_step_that_was_done_is_done_in_its_file_and_nothing_else_changes(store: Store) -> None:
    first = (await store.step_ids())[0]
    await store.agent("memory_steps", "update", step_id=first, status="done", notes="It works: größer → besser")

    found = await store.exported_state()
    done = found["steps"][0]
    assert (done["status"], done["notes"], "completed_at" in done) == ("done", "It works: größer → besser", True)
    assert list(found) == list(store.state)
    assert [list(step)[: len(old)] for step, old in zip(found["steps"], store.state["steps"], strict=True)][1:] == [
        list(old) for old in store.state["steps"]
    ][1:]
    assert without(found, "steps") == without(store.state, "steps")
    assert found["steps"][1:] == store.state["steps"][1:]


async def test_a_changed_file_keeps_its_byte_form(store: Store) -> None:
    before = store.files[store.path]
    await store.agent("memory_plan", "update", plan_id=store.plan_id, title="Neue Überschrift")
    after = (await store.exported())[store.path]

    lines = set(after.decode().split("\n")) - set(before.decode().split("\n"))
    assert {line.split(":")[0].strip() for line in lines} == {'"title"', '"updated_at"'}
    assert after.endswith(b"\n") == before.endswith(b"\n")
    assert json.loads(after)["title"] == "Neue Überschrift"


async def test_added_steps_follow_with_the_next_indices(store: Store) -> None:
    added = [{"task": "One more", "phase": "Extra", "depends_on": [3]}]
    await store.agent("memory_steps", "add", plan_id=store.plan_id, steps=added)

    found = await store.exported_state()
    assert found["steps"][:4] == store.state["steps"]
    new = found["steps"][4]
    assert (new["index"], new["phase"], new["task"], new["status"]) == (4, "Extra", "One more", "pending")
    assert new["depends_on"] == [3]


async def test_moved_steps_are_numbered_anew_and_what_names_them_follows(store: Store) -> None:
    await store.agent("memory_steps", "set_order", plan_id=store.plan_id, new_order=[3, 1, 0, 2])

    found = await store.exported_state()
    assert [(step["index"], step["task"]) for step in found["steps"]] == [
        (0, "Task 3"),
        (1, "Task 1"),
        (2, "Task 0"),
        (3, "Task 2"),
    ]
    assert [step.get("depends_on") for step in found["steps"]] == [None, [2], None, None]
    assert [step["x_note"][0] for step in found["steps"]] == [3, 1, 0, 2]
    assert found["confirmation_state"]["steps"] == {"0": store.state["confirmation_state"]["steps"]["3"]}


async def test_a_deleted_step_leaves_the_file(store: Store) -> None:
    await store.agent("memory_steps", "delete", plan_id=store.plan_id, step_index=2, confirm=True)

    assert [step["task"] for step in (await store.exported_state())["steps"]] == ["Task 0", "Task 1", "Task 3"]


async def test_a_step_that_left_its_file_and_stayed_here_is_in_it_again(store: Store) -> None:
    last = (await store.step_ids())[-1]
    await store.agent("memory_steps", "update", step_id=last, notes="mine")
    kept, added = store.state["steps"][:-1], {"index": 4, "phase": "Theirs", "task": "New", "status": "pending"}
    state = store.state | {"steps": [*kept, added]}
    source = legacy_store.put(store.root / "again", store.files | {store.path: legacy_store.dump(state)})
    db = await open_store(store.settings)
    report = await import_path(db, source, Options())
    await db.close()
    assert any("edited since; it stays" in finding.what for finding in report.findings)

    found = {step["task"]: step for step in json.loads((await store.exported())[store.path])["steps"]}
    assert [found[step["task"]] for step in kept] == kept
    assert (found["Task 3"]["notes"], found["New"]) == ("mine", added)
    assert len({step["index"] for step in found.values()}) == len(found) == 5


async def test_notes_and_hand_offs_are_appended(store: Store) -> None:
    await store.agent("memory_plan", "add_note", plan_id=store.plan_id, note="Mind the gap", note_type="warning")
    started = await store.agent("memory_agent", "init", plan_id=store.plan_id, agent_type="Executor")
    await store.agent(
        "memory_agent", "handoff", session_id=started["session_id"], to_agent="Reviewer", reason="Please look"
    )

    found = await store.exported_state()
    assert [(note["note"], note["type"]) for note in found["pending_notes"]] == [("Mind the gap", "warning")]
    assert [(entry["to_agent"], entry["reason"]) for entry in found["lineage"]] == [("Reviewer", "Please look")]
    assert [session["agent_type"] for session in found["agent_sessions"]] == ["Executor"]


async def test_context_that_was_stored_since_gets_a_file_and_changed_context_keeps_its_own(store: Store) -> None:
    await store.agent("memory_context", "store", plan_id=store.plan_id, type="findings", data={"a": [1, "ü"]})
    before = store.files
    store.files = {path: content for path, content in before.items() if path != store.path}
    files = await store.exported()
    found = json.loads(files[f"{WORKSPACE}/plans/{store.plan_id}/findings.json"])
    assert (found["type"], found["plan_id"], found["data"]) == ("findings", store.plan_id, {"a": [1, "ü"]})


async def test_an_archived_plan_says_so_and_one_that_came_back_leaves_the_archive(store: Store) -> None:
    await store.agent("memory_plan", "archive", plan_id=store.plan_id)
    files = await store.exported()
    assert json.loads(files[store.path])["status"] == "archived"
    meta = json.loads(files[f"{WORKSPACE}/workspace.meta.json"])
    assert store.plan_id in meta["archived_plans"]
    assert store.plan_id not in meta["active_plans"]

    await store.agent("memory_plan", "unarchive", plan_id=store.plan_id)
    assert json.loads((await store.exported())[store.path])["status"] == "active"


async def test_a_plan_that_was_never_imported_is_written_as_version_2(store: Store) -> None:
    made = await store.agent(
        "memory_plan",
        "create",
        workspace_id=WORKSPACE,
        title="Brand new",
        phases=[
            {"name": "One", "steps": [{"task": "A"}]},
            {"name": "Two", "steps": [{"task": "B", "depends_on": [0]}]},
        ],
    )
    files = await store.exported()
    found = json.loads(files[f"{WORKSPACE}/plans/{made['plan_id']}/state.json"])

    assert (found["schema_version"], found["title"], found["status"]) == ("2.0", "Brand new", "active")
    assert [(phase["name"], phase["sequence"]) for phase in found["phases"]] == [("One", 1), ("Two", 2)]
    assert [(s["index"], s["phase"], s["task"], s.get("depends_on")) for s in found["steps"]] == [
        (0, "One", "A", None),
        (1, "Two", "B", [0]),
    ]


async def test_changed_context_keeps_its_envelope(store: Store) -> None:
    path = next(path for path in store.files if path.endswith("original_request.json"))
    plan_id, old = path.split("/")[-2], json.loads(store.files[path])
    listed = await store.agent("memory_context", "get", plan_id=plan_id, type="original_request")
    changed = {**listed["data"], "user_request": "something else"}
    await store.agent("memory_context", "store", plan_id=plan_id, type="original_request", data=changed)

    found = json.loads((await store.exported())[path])
    assert list(found) == list(old)
    assert (found["user_request"], found["context"]) == ("something else", old["context"])


async def test_a_phase_that_no_step_tells_of_is_listed(store: Store) -> None:
    await store.agent("memory_plan", "add_phase", plan_id=store.plan_id, name="Last")

    found = await store.exported_state()
    assert [phase["sequence"] for phase in found["phases"]] == list(range(1, len(found["phases"]) + 1))
    assert found["phases"][-1]["name"] == "Last"


async def test_phases_keep_their_order_where_the_list_of_them_has_gaps(
    agent: Agent, settings: Settings, tmp_path: Path
) -> None:
    files = legacy_store.store(246, plans=0, shapes=[SHAPES["phases_that_are_not_listed"]])
    db = await open_store(settings)
    await import_path(db, legacy_store.put(tmp_path / "source", files), Options())
    [plan_id] = await exports.plans(db, WORKSPACE)
    await agent("memory_plan", "unarchive", plan_id=plan_id)
    await agent("memory_plan", "add_phase", plan_id=plan_id, name="Last")
    await exported(db, tmp_path / "out")
    expected = await seen(agent, plan_id)
    await db.close()

    again = Settings(data_root=tmp_path / "again", synchronous="off")
    db = await open_store(again)
    await import_path(db, tmp_path / "out", Options())
    await db.close()
    async with Client(build(again), raise_exceptions=True) as client:
        assert await seen(Agent(client), plan_id) == expected


async def test_a_deleted_plan_is_not_exported(store: Store) -> None:
    await store.agent("memory_plan", "delete", plan_id=store.plan_id, confirm=True)

    assert [path for path in await store.exported() if store.plan_id in path] == []


SHOWN = ("title", "status", "priority", "category", "goals", "success_criteria")


async def seen(agent: Agent, plan_id: str) -> dict[str, Any]:
    """What an agent sees of a plan, without ids that an import derives."""
    plan = await agent("memory_plan", "get", plan_id=plan_id)
    steps = (await agent("memory_steps", "list", plan_id=plan_id, detail="full"))["steps"]
    order = {step["step_id"]: n for n, step in enumerate(steps)}
    notes = (await agent("memory_plan", "get", plan_id=plan_id, include=["notes"])).get("notes", [])
    return {
        "plan": {name: plan.get(name) for name in SHOWN},
        "phases": [phase["name"] for phase in plan["phases"]],
        "steps": [
            [step.get(name) for name in ("index", "task", "status", "type", "phase", "notes", "assignee")]
            + [sorted(order.get(target, -1) for target in step.get("depends_on", []))]
            for step in steps
        ],
        "notes": [(note["note"], note["note_type"]) for note in notes],
    }


async def test_a_changed_plan_that_is_exported_and_imported_again_is_the_same_plan(
    store: Store, tmp_path: Path
) -> None:
    ids = await store.step_ids()
    agent, plan_id = store.agent, store.plan_id
    await agent("memory_steps", "update", step_id=ids[0], status="done")
    await agent("memory_steps", "add", plan_id=plan_id, steps=[{"task": "New", "phase": "Late", "depends_on": [2]}])
    await agent("memory_steps", "set_order", plan_id=plan_id, new_order=[0, 2, 1, 3, 4])
    await agent("memory_plan", "add_note", plan_id=plan_id, note="Remember")
    await agent("memory_plan", "update", plan_id=plan_id, goals=["one", "two"], priority="critical")
    before = await seen(agent, plan_id)
    await store.exported()

    again = Settings(data_root=tmp_path / "again", synchronous="off")
    db = await open_store(again)
    await import_path(db, tmp_path / "out", Options())
    await db.close()
    async with Client(build(again), raise_exceptions=True) as client:
        assert await seen(Agent(client), plan_id) == before
