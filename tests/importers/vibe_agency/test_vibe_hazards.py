"""What is odd in real projects of vibe-agency costs a line of the report each, and nothing else."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server.models.imports import Finding
from tests import vibe_store
from tests.importers.conftest import Taker
from tests.importers.vibe_agency.conftest import Brought
from tests.vibe_store import CLEANUP, CLIENT, FLAT, HANDOFF, MEMORY, MISSION, ROADMAP, Json, Store, dump

MANIFEST = "project_manifest.json"


async def taken(take: Taker, tmp_path: Path, files: dict[str, bytes]) -> tuple[Brought, list[Finding]]:
    """Import a project of these files, and return it with the errors that the report tells."""
    found = Store(files=files)
    one = Brought(take, vibe_store.put(tmp_path / "p", found), found)
    report = await one.come()
    assert sum(report.files.values()) == len(files)
    return one, [line for line in report.findings if line.severity == "error"]


def states(one: Brought) -> dict[str, str]:
    return dict(one.rows("SELECT path, status FROM import_files ORDER BY path"))


BAD = {
    "cut off": dump(vibe_store.manifest())[:700],
    "lines of JSON": b'{"a": 1}\n{"b": 2}\n',
    "empty": b"",
    "no JSON": b"# Markdown\n",
    "marks of a merge": b"<<<<<<< ours\n{}\n=======\n[]\n>>>>>>> theirs\n",
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_file_is_one_error_its_bytes_come_back_and_the_rest_comes_in(
    take: Taker, tmp_path: Path, name: str
) -> None:
    files = {CLIENT: BAD[name], MANIFEST: dump(vibe_store.manifest())}

    one, errors = await taken(take, tmp_path, files)

    assert [line.path for line in errors] == [CLIENT]
    assert states(one) == {MANIFEST: "imported", CLIENT: "failed"}
    assert await one.given_back() == files


async def test_control_characters_and_double_keys_are_borne_and_told(take: Taker, tmp_path: Path) -> None:
    text = dump({"project_id": "odd", "project_name": "A\tB", "current_state": "PLANNING"}).decode()
    files = {FLAT: text.replace("\\t", "\t").replace("{", '{"project_name": "first",', 1).encode()}

    one, errors = await taken(take, tmp_path, files)

    assert errors == []
    assert one.rows("SELECT title FROM plans") == [("A\tB",)]
    assert await one.given_back() == files


@pytest.mark.parametrize("phase", ["AWAITING_CODE_GENERATION", "PRODUCTION", "MAINTENANCE", "SOMETHING_NEW"])
async def test_a_phase_that_their_tables_refuse_is_kept(take: Taker, tmp_path: Path, phase: str) -> None:
    value = vibe_store.manifest(phase=phase)
    value["status"]["planningSubState"] = "ARCHITECTURE_DESIGN"

    one, errors = await taken(take, tmp_path, {MANIFEST: dump(value)})

    assert errors == []
    status = "completed" if phase == "PRODUCTION" else "active"
    assert one.rows("SELECT current_phase, sub_state, status FROM plans") == [(phase, "ARCHITECTURE_DESIGN", status)]


async def test_types_of_artifacts_are_free_and_a_second_run_adds_none(take: Taker, tmp_path: Path) -> None:
    value = vibe_store.manifest()
    value["artifacts"] |= {"coding": {"a": {"path": "a"}}, "testing": {"a": {"path": "b"}}}
    one, errors = await taken(take, tmp_path, {MANIFEST: dump(value)})
    before = one.rows("SELECT artifact_type, name FROM artifacts ORDER BY 1, 2")
    (one.root / MANIFEST).write_bytes(dump(value, newline=True))
    await one.come()

    assert errors == []
    assert {kind for kind, _ in before} == {"planning", "code", "deployment", "coding", "testing"}
    assert one.rows("SELECT artifact_type, name FROM artifacts ORDER BY 1, 2") == before


async def test_nothing_that_their_adapter_dropped_is_lost(take: Taker, tmp_path: Path) -> None:
    odd: Json = {"research_metadata": {"n": 10.0}, "zero": 0, "blank": "", "nothing": None}
    value = vibe_store.manifest() | odd
    one, _ = await taken(take, tmp_path, {MANIFEST: dump(value), MEMORY: dump(vibe_store.memory())})

    [(title, extra)] = one.rows("SELECT title, extra FROM plans")
    left = json.loads(extra)["vibe-agency"]
    assert title == "agency"
    assert {name: left[name] for name in ("zero", "blank", "nothing", "kind")} == {
        "zero": 0, "blank": "", "nothing": None, "kind": "Project",
    }  # fmt: skip
    assert one.rows("SELECT note FROM plan_notes") == [(value["status"]["message"],)]
    kept = dict(one.rows("SELECT type, data FROM context_items"))
    assert json.loads(kept["research_metadata"]) == {"n": 10.0}
    told = json.loads(kept["project_memory"])
    assert (told["domain"]["type"], told["_schema_version"]) == ("cli", "1.0")
    intents = one.rows("SELECT term, confidence, session_num FROM plan_terms WHERE kind = 'intent' ORDER BY position")
    assert intents == [("plan", 0.9, 1), ("plan", 1.0, 2)]


async def test_a_memory_without_a_project_has_a_plan_of_its_own(take: Taker, tmp_path: Path) -> None:
    one, errors = await taken(take, tmp_path, {MEMORY: dump(vibe_store.memory(None))})

    assert errors == []
    assert one.rows("SELECT current_phase, current_focus, blockers, completed_phases FROM plans") == [
        ("CODING", "the parser", '["no EPUB"]', '["PLANNING"]')
    ]
    assert one.rows("SELECT count(*) FROM sessions") == [(2,)]


async def test_one_id_in_two_places_is_one_plan_if_they_say_the_same(take: Taker, tmp_path: Path) -> None:
    content = dump(vibe_store.manifest())
    twin = "workspaces/vibe_internal/project_manifest.json"
    files = {MANIFEST: content, twin: content}

    one, errors = await taken(take, tmp_path, files)

    assert errors == []
    assert states(one) == {MANIFEST: "imported", twin: "duplicate"}
    assert one.rows("SELECT plan_id FROM plans") == [(vibe_store.ROOT_ID,)]
    assert await one.given_back() == files


async def test_one_id_in_two_places_is_two_plans_if_they_differ(take: Taker, tmp_path: Path) -> None:
    other = vibe_store.manifest(name="another")
    one, errors = await taken(take, tmp_path, {MANIFEST: dump(vibe_store.manifest()), CLIENT: dump(other)})

    assert errors == []
    assert sorted(one.rows("SELECT title, external_id FROM plans")) == [
        ("agency", vibe_store.ROOT_ID), ("another", vibe_store.ROOT_ID),
    ]  # fmt: skip


async def test_a_backup_stands_for_a_manifest_that_cannot_be_read(take: Taker, tmp_path: Path) -> None:
    files = {CLIENT: BAD["cut off"], f"{CLIENT}.bak": dump(vibe_store.flat_manifest("temple_reader_001"))}

    one, errors = await taken(take, tmp_path, files)

    assert [line.path for line in errors] == [CLIENT]
    assert one.rows("SELECT external_id FROM plans") == [("temple_reader_001",)]


async def test_every_dress_of_a_time_is_understood_and_kept(take: Taker, tmp_path: Path) -> None:
    value = vibe_store.manifest()
    value["metadata"] |= {"createdAt": "2025-11-12 14:00:00", "lastUpdatedAt": 1763000000.5}
    value["status"]["completedAt"] = "not yet"

    one, errors = await taken(take, tmp_path, {MANIFEST: dump(value)})

    assert errors == []
    [(created, updated, completed, extra)] = one.rows("SELECT created_at, updated_at, completed_at, extra FROM plans")
    assert (created, updated, completed) == ("2025-11-12T14:00:00.000Z", "2025-11-13T02:13:20.500Z", None)
    left = json.loads(extra)["vibe-agency"]
    assert left["metadata"]["createdAt"] == "2025-11-12 14:00:00"
    assert left["status"]["completedAt"] == "not yet"


async def test_fields_of_any_type_come_in(take: Taker, tmp_path: Path) -> None:
    road = vibe_store.phase_3_roadmap()
    road["phases"][0]["tasks"] += [
        {"id": "7", "name": "seven", "status": "FAILED", "priority": "1.1"},
        {"id": 8, "name": None, "status": None, "priority": 10},
        {"id": 8, "name": "again", "status": "odd", "priority": "high"},
        None,
    ]
    one, errors = await taken(take, tmp_path, {".vibe/config/phase_3_roadmap.json": dump(road)})

    assert errors == []
    steps = one.rows("SELECT external_id, status, priority FROM steps WHERE external_id IN ('7', '8') ORDER BY 1, 2, 3")
    assert steps == [("7", "failed", "critical"), ("8", "pending", "critical"), ("8", "pending", "high")]
    assert one.rows("SELECT count(*) FROM steps") == [(8,)]


async def test_circles_and_what_is_missing_hold_nobody_back(take: Taker, tmp_path: Path) -> None:
    road = vibe_store.cleanup_roadmap()
    road["progress_tracking"]["completed_tasks"] = []
    road["phases"][0]["tasks"][0]["dependencies"] = ["B002", "Q001", "gone"]

    one, errors = await taken(take, tmp_path, {CLEANUP: dump(road)})

    assert errors == []
    free = await one.ask("memory_steps", "next", plan_id=one.plan_of(CLEANUP), agent="worker")
    assert free["next"]["task"].startswith("Clean")


async def test_work_that_ran_belongs_to_nobody(take: Taker, tmp_path: Path) -> None:
    one, _ = await taken(take, tmp_path, {MISSION: dump(vibe_store.manager_mission())})

    assert one.rows("SELECT status, claimed_by, actual_minutes, estimated_minutes FROM steps") == [
        ("active", None, 0.0, 120.0)
    ]
    assert one.rows("SELECT title, external_id, current_phase FROM plans") == [("Task in hand", None, "CODING")]


async def test_a_hand_off_that_no_program_wrote_like_that_is_kept(take: Taker, tmp_path: Path) -> None:
    body: Any = {"date": ["odd"], "from_agent": {"name": "x"}, "state": {"a": 1}, "blockers": [{"id": 3}, "text"]}
    one, errors = await taken(take, tmp_path, {HANDOFF: dump(body)})

    assert errors == []
    [(data, sender, blocker)] = one.rows("SELECT data, from_agent, blocker FROM lineage")
    assert (json.loads(data), sender, blocker) == (body, "x", "3; text")


async def test_hand_offs_follow_one_another(take: Taker, tmp_path: Path) -> None:
    one, _ = await taken(take, tmp_path, {HANDOFF: dump(vibe_store.HANDOFFS["flat"])})
    (one.root / HANDOFF).write_bytes(dump(vibe_store.HANDOFFS["3.0"]))
    await one.come()

    told = one.rows("SELECT from_agent, schema_version FROM lineage ORDER BY created_at")
    assert told == [("Claude Code", None), ("STEWARD", "3.0_AUDIT_COMPLETE")]
    assert (await one.given_back())[HANDOFF] == dump(vibe_store.HANDOFFS["3.0"])


async def test_links_are_not_followed_and_nothing_beside_the_store_is_read(take: Taker, tmp_path: Path) -> None:
    secret = tmp_path / "outside.json"
    secret.write_bytes(dump(vibe_store.manifest("outside")))
    root = vibe_store.put(tmp_path / "p", Store(files={MANIFEST: dump(vibe_store.manifest())}))
    (root / HANDOFF).symlink_to(secret)
    (root / "workspaces").mkdir()
    (root / "workspaces/away").symlink_to(tmp_path)
    (root / ".vibe").mkdir()
    (root / ".vibe/state").symlink_to(tmp_path)

    one = Brought(take, root, Store())
    report = await one.come()

    assert report.files == {"imported": 1, "skipped": 2}
    assert one.rows("SELECT plan_id FROM plans") == [(vibe_store.ROOT_ID,)]


async def test_yaml_that_is_none_or_has_aliases_is_one_error(take: Taker, tmp_path: Path) -> None:
    files = {ROADMAP: b"a: &x [1]\nb: *x\n", "workspaces/.workspace_index.yaml": b"a: [\n"}

    one, errors = await taken(take, tmp_path, files)

    assert {line.path for line in errors} == set(files)
    assert set(states(one).values()) == {"failed"}


async def test_a_secret_is_blanked_out_and_its_file_not_given_back(take: Taker, tmp_path: Path) -> None:
    token = "ghp_" + "a" * 36
    files = {".vibe/runtime/context.json": dump({"git": {"token": token}}), MANIFEST: dump(vibe_store.manifest())}

    one, errors = await taken(take, tmp_path, files)

    assert errors == []
    assert list(await one.given_back()) == [MANIFEST]
    assert token.encode() not in Path(take.db.path).read_bytes()


async def test_a_database_that_is_damaged_or_another_programs_is_told(take: Taker, tmp_path: Path) -> None:
    found = Store(files={".vibe/state/missions.db": b"SQLite format 3\0" + b"x" * 4000})
    root = vibe_store.put(tmp_path / "p", found)
    with closing(sqlite3.connect(root / ".vibe/other.db")) as db, db:
        db.execute("CREATE TABLE things (id INTEGER)")

    one = Brought(take, root, found)
    report = await one.come()

    assert states(one) == {".vibe/other.db": "skipped", ".vibe/state/missions.db": "failed"}
    assert [line.path for line in report.findings if line.severity == "error"] == [".vibe/state/missions.db"]


async def test_their_database_is_read_while_it_is_open_and_nothing_is_left_beside_it(
    take: Taker, with_databases: Path, found: Store
) -> None:
    path = with_databases / vibe_store.DATABASE
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = wal")
        db.execute("INSERT INTO domain_concepts VALUES (9, 2, 'in the log', ?)", (vibe_store.AT,))
        db.commit()
        before = {one.name: one.read_bytes() for one in path.parent.iterdir()}
        one = Brought(take, with_databases, found)
        await one.come()
        assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == before

    assert one.rows("SELECT 1 FROM plan_terms WHERE term = 'in the log'") == [(1,)]


async def test_facts_of_a_mission_expire_when_they_said(take: Taker, with_databases: Path, found: Store) -> None:
    one = Brought(take, with_databases, found)
    await one.come()

    facts = dict(one.rows("SELECT key, expires_at FROM memory_entries"))
    assert facts == {
        "kept": None, "short": "2025-11-20T11:00:00.000Z", "session_handoff": "2025-11-20T10:01:00.000Z",
    }  # fmt: skip


async def test_a_mission_in_the_file_and_in_the_database_is_one_plan(
    take: Taker, with_databases: Path, found: Store
) -> None:
    one = Brought(take, with_databases, found)
    await one.come()

    assert one.rows("SELECT count(*) FROM plans WHERE external_id = ?", vibe_store.MISSION_ID) == [(1,)]
    plan_id = one.plan_of(MISSION)
    assert one.rows("SELECT tool FROM tool_calls WHERE plan_id = ?", plan_id) == [("read_file",)]
    [(title, status, phase, focus)] = one.rows(
        "SELECT title, status, current_phase, current_focus FROM plans WHERE external_id = 'm-of-the-db'"
    )
    assert (title, status, phase, focus) == ("Kept", "completed", "TESTING", "the report")


async def test_tasks_of_the_database_keep_their_tree_and_their_results(
    take: Taker, with_databases: Path, found: Store
) -> None:
    one = Brought(take, with_databases, found)
    await one.come()

    steps = one.rows(
        """
        SELECT s.external_id, p.external_id, s.status, s.result FROM steps s
        LEFT JOIN steps p ON p.step_id = s.parent_step_id WHERE s.external_id LIKE 't_' ORDER BY 1
        """
    )
    assert steps == [
        ("t1", None, "active", None), ("t2", "t1", "done", '{"ok":true}'), ("t3", "t1", "failed", '"no JSON"'),
    ]  # fmt: skip
    runs = one.rows("SELECT external_id, status FROM runs WHERE kind = 'task' ORDER BY 1")
    assert runs == [("h1", "completed"), ("h2", "failed"), ("h3", "lost")]


async def test_a_feature_is_called_by_the_first_name_that_says_anything(take: Taker, tmp_path: Path) -> None:
    features = [{"name": 0, "title": "other"}, {"name": "", "title": "titled"}, {"feature": False}]
    manifest = vibe_store.manifest() | {"roadmap": {"v1": {"status": "planned", "features": features}}}

    one, errors = await taken(take, tmp_path, {MANIFEST: dump(manifest)})

    assert errors == []
    found = one.rows("SELECT task, extra FROM steps ORDER BY order_index")
    assert [task for task, _ in found] == ["0", "titled", "false"]
    assert "other" in found[0][1]


async def test_an_artifact_whose_id_is_no_text_comes_in(take: Taker, tmp_path: Path) -> None:
    value = vibe_store.manifest()
    value["artifacts"] |= {"code": {"a": {"path": "a", "id": {"id": 1}}, "b": {"path": "b", "id": [1]}}}
    one, errors = await taken(take, tmp_path, {MANIFEST: dump(value)})
    assert errors == []
    assert {("a",), ("b",)} <= set(one.rows("SELECT name FROM artifacts WHERE artifact_type = 'code'"))


async def test_a_number_too_large_to_count_with_is_text(take: Taker, tmp_path: Path) -> None:
    value = vibe_store.manifest()
    value["budget"] = {"max_cost_usd": 10**400, "current_cost_usd": -(10**400)}
    one, errors = await taken(take, tmp_path, {MANIFEST: dump(value)})
    assert errors == []
    assert one.rows("SELECT count(*) FROM plans") == [(1,)]
