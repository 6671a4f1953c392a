"""What plans and programs of a store become: order, dependencies, and what archived or torn ones do to others."""

from pathlib import Path
from typing import Any

import pytest

from server.db.storage.connection import Database
from tests import legacy_store
from tests.importers.conftest import Taker
from tests.legacy_store import Json, Maker


def step(phase: str | None = "P", status: str = "pending", **more: Any) -> Json:
    return {"phase": phase, "task": "t", "status": status, **more}


def a_plan(m: Maker, plan_id: str, steps: list[Json] | None = None, **more: Any) -> None:
    state: Json = {"id": plan_id, "title": plan_id, "status": "active", "steps": steps or [step()]}
    legacy_store.add_plan(m, state | {"created_at": m.time(), "updated_at": m.time()} | more)


async def test_indices_and_sequences_of_any_kind_of_number(take: Taker, root: Path) -> None:
    m = Maker(7)
    steps = [
        step("Z", index="2", depends_on=["0", 1.0]),
        step("Y", "To Do", index=0),
        step("X", "in-progress", index=1.0, depends_on=[0]),
    ]
    phases = [{"name": "Z", "sequence": "3"}, {"name": "Y", "sequence": "1"}, {"name": "X", "sequence": 2}]
    a_plan(m, "plan_numbers", steps, phases=phases, schema_version="2.0")
    report = await take(legacy_store.put(root, m.files))

    plan = await take.ask("memory_plan", {"action": "get", "plan_id": "plan_numbers", "detail": "full"})
    assert report.differences == []
    assert [phase["name"] for phase in plan["phases"]] == ["Y", "X", "Z"]
    assert [one["status"] for one in plan["steps"]] == ["pending", "active", "pending"]
    assert [len(one.get("depends_on", [])) for one in plan["steps"]] == [0, 1, 2]


@pytest.mark.parametrize("status", ["pending", "done"])
async def test_an_archived_plan_holds_nothing_up(take: Taker, db: Database, root: Path, status: str) -> None:
    m = Maker(7)
    a_plan(m, "plan_old", [step(status=status)], status="archived")
    a_plan(m, "plan_new", depends_on_plans=["plan_old"])
    report = await take(legacy_store.put(root, m.files))

    state = await db.value("SELECT dep_status FROM dependencies WHERE source_id = 'plan_new'")
    told = [f.value for f in report.findings if "before it was finished" in f.what and "plan_old" in f.path]
    free = await take.ask("memory_steps", {"action": "next", "plan_id": "plan_new", "agent": "me"})
    assert (report.differences, state) == ([], "satisfied")
    assert told == (["active"] if status == "pending" else [])
    assert free["next"]["claimed_by"] == "me"


async def test_a_manifest_names_the_plans_of_its_folder_whatever_id_it_says(
    take: Taker, db: Database, root: Path
) -> None:
    m = Maker(7)
    a_plan(m, "plan_one")
    m.put(m.here("programs/prog_1/program.json"), {"id": "prog_1", "title": "One"})
    m.put(m.here("programs/prog_1/manifest.json"), {"program_id": "prog_other", "plan_ids": ["plan_one"], "x": 1})
    report = await take(legacy_store.put(root, m.files))

    assert await db.value("SELECT program_id FROM plans WHERE plan_id = 'plan_one'") == "prog_1"
    assert [f.value for f in report.findings if "prog_1/manifest" in f.path] == ["prog_other", {"x": 1}]


@pytest.mark.parametrize("program", [None, b"", b"[]", b'{"id": "prog_1"'])
async def test_a_program_without_its_first_file_costs_itself_alone(
    take: Taker, db: Database, root: Path, program: bytes | None
) -> None:
    m = Maker(7)
    a_plan(m, "plan_one")
    a_plan(m, "plan_two", program_id="prog_1")
    folder = m.here("programs/prog_1")
    m.put(f"{folder}/manifest.json", {"program_id": "prog_1", "plan_ids": ["plan_one", "plan_two"]})
    m.put(f"{folder}/dependencies.json", [{"source_plan_id": "plan_one", "target_plan_id": "plan_two"}])
    m.put(m.here("programs/loose.json"), {})
    if program is not None:
        m.files[f"{folder}/program.json"] = program
    report = await take(legacy_store.put(root, m.files))

    assert (report.exit_code, report.differences) == (3, [])
    assert [f.path for f in report.findings if f.severity == "error"] == ["programs/prog_1/program.json"]
    assert await db.value("SELECT count(*) FROM plans WHERE program_id IS NULL AND plan_id LIKE 'plan____'") == 2


async def test_a_plan_that_two_programs_list_is_in_the_first_of_them_alone(
    take: Taker, root: Path, db: Database
) -> None:
    m = Maker(8)
    a_plan(m, "plan_shared")
    first, second = legacy_store.program(m, ["plan_shared"]), legacy_store.program(m, ["plan_shared"])
    report = await take(legacy_store.put(root, m.files))

    [(program_id,)] = await db.all("SELECT program_id FROM program_plans WHERE plan_id = 'plan_shared'")
    found = await take.ask("memory_plan", {"action": "get", "plan_id": "plan_shared"})
    assert (program_id in (first, second), found["program_id"]) == (True, program_id)
    assert any("in one at most" in finding.what for finding in report.findings)
