"""What came from a project of vibe-agency goes back: to the byte where nothing changed, else with the changes in it."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from server.exporters import vibe_agency
from server.importers.report import ImportReport
from tests import vibe_store
from tests.importers.conftest import Taker
from tests.importers.vibe_agency.conftest import Brought
from tests.vibe_store import CLEANUP, CLIENT, DEBTS, FLAT, HANDOFF, MEMORY, MISSION, PHASE_3, ROADMAP, Json, Store

MANIFEST = "project_manifest.json"


def parsed(content: bytes) -> Any:
    return json.loads(content)


def of_yaml(content: bytes) -> Any:
    return YAML(typ="safe", pure=True).load(content.decode())


def changed(brought: Brought, files: vibe_store.Files) -> list[str]:
    """Return the paths of files that are not as they came, new ones among them."""
    source = brought.source()
    return sorted(path for path, content in files.items() if source.get(path) != content)


async def test_what_nobody_changed_comes_back_to_the_byte(brought: Brought) -> None:
    assert await brought.given_back() == brought.source()


async def test_databases_come_back_to_the_byte(take: Taker, with_databases: Path, found: Store) -> None:
    one = Brought(take, with_databases, found)
    await one.come()

    files = await one.given_back()

    for path in (vibe_store.DATABASE, vibe_store.HISTORY):
        assert files[path] == (with_databases / path).read_bytes()


@pytest.mark.parametrize("family", vibe_store.HANDOFFS)
async def test_a_hand_off_of_any_family_comes_back(take: Taker, tmp_path: Path, family: str) -> None:
    found = Store()
    found.put(HANDOFF, vibe_store.dump(vibe_store.HANDOFFS[family], ascii_only=True), lineage=1)
    one = Brought(take, vibe_store.put(tmp_path / "p", found), found)
    report: ImportReport = await one.come()

    assert report.problems == 0
    assert await one.given_back() == found.files
    [(data,)] = one.rows("SELECT data FROM lineage")
    assert json.loads(data) == vibe_store.HANDOFFS[family]


async def test_a_step_done_is_told_where_the_roadmap_lists_what_is_done(brought: Brought) -> None:
    step = brought.step_of(CLEANUP, "B001")
    await brought.ask("memory_steps", "update", step_id=step, status="done")

    files = await brought.given_back()

    expected = parsed(brought.source()[CLEANUP])
    expected["progress_tracking"]["completed_tasks"].append("B001")
    assert parsed(files[CLEANUP]) == expected
    assert changed(brought, files) == [CLEANUP]


async def test_a_step_that_is_opened_again_leaves_that_list(brought: Brought) -> None:
    step = brought.step_of(CLEANUP, "Q002")
    await brought.ask("memory_steps", "update", step_id=step, status="pending", force=True)

    files = await brought.given_back()

    assert parsed(files[CLEANUP])["progress_tracking"]["completed_tasks"] == ["Q001"]


async def test_a_status_is_written_as_the_file_writes_it(brought: Brought) -> None:
    await brought.ask("memory_steps", "update", step_id=brought.step_of(PHASE_3, "3"), status="done")
    await brought.ask("memory_steps", "update", step_id=brought.step_of(DEBTS, "WP-02"), status="done")
    await brought.ask("memory_steps", "update", step_id=brought.step_of(ROADMAP, "T-5"), status="done")

    files = await brought.given_back()

    assert parsed(files[PHASE_3])["phases"][1]["tasks"][0]["status"] in ("complete", "done")
    package = parsed(files[DEBTS])["work_packages"][1]
    assert package["status"] == "COMPLETED"
    task = of_yaml(files[ROADMAP])["tasks"]["T-5"]
    assert (task["status"], task["name"]) == ("DONE", "Of no phase")


async def test_yaml_keeps_its_comments_and_its_form(brought: Brought) -> None:
    await brought.ask("memory_steps", "update", step_id=brought.step_of(ROADMAP, "T-5"), status="done")

    lines = (await brought.given_back())[ROADMAP].decode().splitlines()

    source = brought.source()[ROADMAP].decode().splitlines()
    assert [line for line in source if line not in lines] == ["    status: TODO"]
    assert "# Written by the task manager; comments stay." in lines


async def test_a_new_step_stands_in_its_phase(brought: Brought) -> None:
    for path, phase in ((CLEANUP, "Triage"), (ROADMAP, "Growth"), (DEBTS, "Work packages"), (MANIFEST, "v2.0")):
        step = {"task": f"New in {phase}", "phase": phase, "notes": "added here"}
        await brought.ask("memory_steps", "add", plan_id=brought.plan_of(path), steps=[step])

    files = await brought.given_back()

    added = parsed(files[CLEANUP])["phases"][0]["tasks"][-1]
    assert (added["name"], added["description"]) == ("New in Triage", "added here")
    road = of_yaml(files[ROADMAP])
    key = road["phases"][1]["task_ids"][-1]
    assert (road["tasks"][key]["name"], road["tasks"][key]["id"]) == ("New in Growth", key)
    assert parsed(files[DEBTS])["work_packages"][-1]["title"] == "New in Work packages"
    assert parsed(files[MANIFEST])["roadmap"]["v2.0"]["features"][-1]["name"] == "New in v2.0"
    assert changed(brought, files) == sorted([CLEANUP, ROADMAP, DEBTS, MANIFEST])


async def test_a_new_phase_and_what_its_step_waits_for_are_written(brought: Brought) -> None:
    plan_id = brought.plan_of(CLEANUP)
    steps = [{"task": "Last", "phase": "Harvest", "depends_on": [3]}]
    await brought.ask("memory_steps", "add", plan_id=plan_id, steps=steps)

    phases = parsed((await brought.given_back())[CLEANUP])["phases"]

    assert phases[-1]["phase_name"] == "Harvest"
    assert [(task["name"], task["dependencies"]) for task in phases[-1]["tasks"]] == [("Last", ["B002"])]


async def test_a_removed_step_leaves_its_file(brought: Brought) -> None:
    for path, key in ((CLEANUP, "B002"), (ROADMAP, "T-5")):
        await brought.ask("memory_steps", "delete", step_id=brought.step_of(path, key), confirm=True)

    files = await brought.given_back()

    assert [task["task_id"] for task in parsed(files[CLEANUP])["phases"][1]["tasks"]] == ["B001"]
    assert list(of_yaml(files[ROADMAP])["tasks"]) == ["T-1", "T-2", "T-3", "T-4"]


async def test_notes_of_a_blocked_task_do_not_swallow_why_it_is_blocked(brought: Brought) -> None:
    step = brought.step_of(ROADMAP, "T-4")
    assert brought.rows("SELECT notes FROM steps WHERE step_id = ?", step) == [("waits for T-3",)]
    await brought.ask("memory_steps", "update", step_id=step, notes="Told anew\nwaits for T-3")

    task = of_yaml((await brought.given_back())[ROADMAP])["tasks"]["T-4"]

    assert (task["description"], task["blocking_reason"]) == ("Told anew", "waits for T-3")


async def test_what_has_no_place_in_their_files_is_counted(brought: Brought) -> None:
    await brought.ask("memory_plan", "add_note", plan_id=brought.plan_of(MANIFEST), note="Only here")

    assert await vibe_agency.left_out(brought.take.db, None, None) == {"notes on plans": 1}
    assert await vibe_agency.left_out(brought.take.db, None, brought.plan_of(CLEANUP)) == {}


async def test_a_plan_that_changed_changes_its_manifest_and_nothing_else_of_it(brought: Brought) -> None:
    for path in (MANIFEST, FLAT, MISSION):
        await brought.ask("memory_plan", "update", plan_id=brought.plan_of(path), title="Renamed", description="Anew")

    files = await brought.given_back()

    expected = parsed(brought.source()[MANIFEST])
    expected["metadata"] |= {"name": "Renamed", "description": "Anew"}
    told = parsed(files[MANIFEST])
    assert told["metadata"].pop("lastUpdatedAt") > expected["metadata"].pop("lastUpdatedAt")
    assert told == expected
    assert list(told) == list(expected)
    flat = parsed(files[FLAT])
    assert (flat["project_name"], flat["metadata"]["description"]) == ("Renamed", "Anew")
    mission = parsed(files[MISSION])
    assert (mission["mission_name"], mission["mission_id"]) == ("Renamed", vibe_store.MISSION_ID)


async def test_a_mission_that_is_completed_says_so(brought: Brought) -> None:
    plan_id = brought.plan_of(MISSION)
    await brought.ask("memory_plan", "update", plan_id=plan_id, status="completed")

    told = parsed((await brought.given_back())[MISSION])

    assert told["status"] == "completed"
    assert told["completed_at"]


async def test_the_form_of_a_file_stays(brought: Brought) -> None:
    await brought.ask("memory_plan", "update", plan_id=brought.plan_of(CLIENT), title="größer")

    content = (await brought.given_back())[CLIENT]

    assert content == vibe_store.dump(parsed(content), ascii_only=True, newline=True)
    assert b"gr\\u00f6\\u00dfer" in content


async def test_a_new_plan_is_a_roadmap_of_the_newest_shape(brought: Brought) -> None:
    [(workspace_id,)] = brought.rows("SELECT workspace_id FROM workspaces")
    made = await brought.ask(
        "memory_plan", "create", workspace_id=workspace_id, title="Begun here", description="d", category="quick_task",
        steps=[{"task": "one", "phase": "A"}, {"task": "two", "phase": "A", "depends_on": [0]}],
    )  # fmt: skip

    files = await brought.given_back()

    [path] = changed(brought, files)
    told = parsed(files[path])
    assert path == f"docs/roadmap/{made['plan_id']}.json"
    assert (told["roadmap_name"], [phase["phase_name"] for phase in told["phases"]]) == ("Begun here", ["A"])
    first, second = told["phases"][0]["tasks"]
    assert second["dependencies"] == [first["task_id"]]


async def test_what_the_memory_of_a_project_tells_follows_its_plan(brought: Brought) -> None:
    [(workspace_id,)] = brought.rows("SELECT workspace_id FROM workspaces")
    plan_id = brought.plan_of(MANIFEST)
    begun = await brought.ask("memory_agent", "init", workspace_id=workspace_id, plan_id=plan_id, agent="coder")
    await brought.ask("memory_agent", "complete", session_id=begun["session_id"], summary="Parsed the first book")

    files = await brought.given_back()

    story = parsed(files[MEMORY])["narrative"]
    assert [entry["session"] for entry in story] == [1, 2, 3]
    assert story[-1]["summary"] == "Parsed the first book"


async def test_the_newest_hand_off_takes_the_place_of_the_old_one(brought: Brought) -> None:
    [(workspace_id,)] = brought.rows("SELECT workspace_id FROM workspaces")
    plan_id = brought.plan_of(MANIFEST)
    begun = await brought.ask("memory_agent", "init", workspace_id=workspace_id, plan_id=plan_id, agent="coder")
    given: Json = {"session_id": begun["session_id"], "to_agent": "tester", "reason": "Ready to be tested"}
    await brought.ask("memory_agent", "handoff", **given, data={"todos": ["run it"]})

    told = parsed((await brought.given_back())[HANDOFF])

    assert told["layer0_bedrock"]["from"] == "coder"
    assert told["layer1_runtime"] == {
        "completed_summary": "Ready to be tested", "todos": ["run it"], "critical_files": [],
    }  # fmt: skip


async def test_the_task_in_hand_is_told_to_the_task_manager(take: Taker, tmp_path: Path) -> None:
    found = Store()
    found.put(MISSION, vibe_store.dump(vibe_store.manager_mission()), **vibe_store.MANAGER_ROWS)
    one = Brought(take, vibe_store.put(tmp_path / "p", found), found)
    await one.come()
    await one.ask("memory_steps", "update", step_id=one.step_of(MISSION, "T-9"), status="done")

    told = parsed((await one.given_back())[MISSION])

    assert told["current_task"]["status"] == "DONE"
    assert told["current_task"]["completed_at"].count(" ") == 1
    expected = vibe_store.manager_mission()
    expected["current_task"] |= {"status": "DONE", "completed_at": told["current_task"]["completed_at"]}
    assert told == expected


async def test_no_word_that_nobody_knows_is_written_of_another_step(take: Taker, tmp_path: Path) -> None:
    found = Store()
    tasks = [{"id": "1", "name": "One", "status": "odd"}, {"id": "2", "name": "Two", "status": "TODO"}]
    roadmap = {"name": "R", "phases": [{"id": "P", "name": "First", "status": "pending", "tasks": tasks}]}
    found.put(CLEANUP, vibe_store.dump(roadmap), plans=1)
    one = Brought(take, vibe_store.put(tmp_path / "p", found), found)
    await one.come()
    await one.ask("memory_steps", "add", plan_id=one.rows("SELECT plan_id FROM plans")[0][0], steps=[{"task": "Three"}])

    [phase] = parsed((await one.given_back())[CLEANUP])["phases"]
    assert [task["status"] for task in phase["tasks"]] == ["odd", "TODO", "TODO"]
