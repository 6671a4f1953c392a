"""The lossless JSON documents: complete, readable, and the same whenever the rows are."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from server.db.interchange import exports
from server.db.interchange.scratch import file_id
from server.db.plans import plan_archive
from server.db.storage.connection import Database
from server.db.storage.table_shapes import columns_of_tables
from server.exporters import documents
from server.exporters.documents import file_name
from server.exporters.folder import File
from server.models import documents as form
from server.models.documents import BYTES_COLUMNS, JSON_COLUMNS, digest, text_of, unpacked, wrap
from tests.db.plans.test_plan_archive import NOW, TIMES, Store, fill_ledger, insert, store

__all__ = ["store"]


async def everything(db: Database) -> list[File]:
    async with exports.snapshot(db) as reader:
        return [file async for file in documents.store(reader)]


def parsed(files: list[File]) -> list[dict[str, Any]]:
    return [json.loads(file.content) for file in files]


async def test_every_table_is_exported_or_derived(db: Database) -> None:
    known = {*exports.tables(), *exports.DERIVED}
    names = {name for name in await columns_of_tables(db) if not name.startswith(exports.DERIVED_PREFIX)}

    assert names == known


async def test_the_columns_of_json_and_of_bytes_are_those_of_the_schema(db: Database) -> None:
    tables = [row["sql"] for row in await db.all("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]

    assert {name for sql in tables for name in re.findall(r"json_valid\((\w+)\)", sql)} - {
        "change",
        "flags",
        "input_schema",
        "problems",
        "schema",
    } == (JSON_COLUMNS)
    assert {name for sql in tables for name in re.findall(r"^\s*(\w+) BLOB", sql, re.MULTILINE)} == BYTES_COLUMNS


@pytest.mark.parametrize("archived", [False, True])
async def test_every_row_is_in_exactly_one_document(db: Database, store: Store, archived: bool) -> None:
    async with db.transaction() as tx:
        await fill_the_rest(tx, store)
        if archived:
            await plan_archive.archive(tx, store.plan_id)
    found = Counter[tuple[str, str]]()
    for document in parsed(await everything(db)):
        for table, rows in document.get("tables", {}).items():
            found.update((table, json.dumps(unpacked(row), default=bytes.hex)) for row in rows)
    for run in [key for key in found if key[0] == "import_runs"]:
        found[run] = 1  # a run is in the ledger of each workspace that it brought something to

    expected = Counter[tuple[str, str]]()
    for table in set(exports.tables()):
        shipped = "WHERE origin = 'user'" if table in SHIPPED else ""
        rows = [dict(row) for row in await db.all(f"SELECT * FROM {table} {shipped}")]
        expected.update((table, json.dumps(row, default=bytes.hex)) for row in rows)
    assert found == expected
    assert {table.removesuffix("_archive") for table, _ in found} == {
        table.removesuffix("_archive") for table in exports.tables()
    }


PAST = "2020-01-02T03:04:05.678Z"  # an import trusts no log that is dated later than now
SHIPPED = ("agent_definitions", "instruction_files", "skill_definitions")


async def fill_the_rest(tx: Any, made: Store) -> None:
    """Put a row into every table that the family's tests leave empty, and some where they belong to no plan."""
    place = {"workspace_id": made.workspace_id}
    await insert(tx, "workspace_aliases", alias="old-id", created_at=NOW, **place)
    await insert(tx, "program_workspace_links", program_id="prog_1", created_at=NOW, **place)
    await insert(tx, "program_risks", risk_id="risk_1", program_id="prog_1", title="late", **TIMES)
    await insert(tx, "messages", message_id="msg_1", to_agent="B", content="hello", **place, **TIMES)
    await insert(tx, "step_counts", plan_id=made.plan_id, day=NOW[:10], added=2, dropped=1, finished=1)
    lease = {"lease_expires_at": NOW, "holder": "A", "path": "x/**"}
    await insert(tx, "file_reservations", reservation_id="res_1", **lease, **place, **TIMES)
    entry = {"title": "T", "content": "C", "slug": "s"}
    await insert(tx, "knowledge", knowledge_id="know_1", **entry, **place, **TIMES)
    for scope, scope_id, workspace in (
        ("workspace", made.workspace_id, True),
        ("agent", "A", True),
        ("global", "", False),
    ):
        where = {"scope": scope, "scope_id": scope_id, "workspace_id": made.workspace_id if workspace else None}
        what = {"namespace": "n", "key": "k", "value": '"plain"'}
        await insert(tx, "memory_entries", entry_id=f"mem_{scope}", **where, **what, **TIMES)
    own = {"description": "d", "body": "b", "origin": "user", "content_hash": "h", **TIMES}
    for table in SHIPPED:
        await insert(tx, table, name="mine", **own)
        await insert(tx, table, name="ours", **own, **place)
    await insert(tx, "workspace_instructions", name="mine", created_at=NOW, **place)
    await insert(tx, "workspace_skills", name="mine", created_at=NOW, **place)
    await insert(tx, "skill_definitions", name="before", **own)
    await insert(tx, "workspace_agents", name="ours", created_at=NOW, **place)
    written = {"client": "claude", "path": "CLAUDE.md", "block": "a", "kind": "instruction", "name": "mine"}
    await insert(tx, "deployed_files", hash="h", source="s", **written, **place, **TIMES)
    await insert(tx, "sessions", session_id="sess_free", agent="A", started_at=NOW, last_seen_at=NOW, **place, **TIMES)
    reason = {"from_agent": "A", "to_agent": "B", "reason": "r"}
    await insert(tx, "lineage", lineage_id="line_free", created_at=NOW, **place, **reason)
    await insert(tx, "checkpoints", checkpoint_id="check_free", name="n", created_at=NOW, **place)
    await insert(tx, "build_scripts", script_id="script_free", name="n", command="c", **place, **TIMES)
    asked = {
        "kind": "allowlist",
        "status": "rejected",
        "entity_id": "make",
        "what": "w",
        "why": "w",
        "arguments": '{"b":[1.0,1]}',
    }
    await fill_ledger(tx, place, None, None, [("workspace", made.workspace_id), ("agent", "A"), ("program", "prog_1")])
    seen = {"registered_at": NOW, "last_activity_at": NOW}
    await insert(tx, "agents", agent_id="agent_1", agent="A", **seen, **place, **TIMES)
    await insert(tx, "approvals", approval_id="appr_free", **asked, **place, **TIMES)
    for kind, parent_id in (
        ("workspace", made.workspace_id),
        ("agent", "A"),
        ("session", "sess_free"),
        ("program", "prog_1"),
    ):
        parent = {"parent_type": kind, "parent_id": parent_id, **place, **TIMES}
        await insert(tx, "context_items", item_id=f"item_{kind}", type="t", data='{"b":[1.0,1]}', **parent)
        await insert(tx, "research_documents", document_id=f"doc_{kind}", filename="f", content="c", **parent)
    edge = {"source_type": "program", "source_id": "prog_1", "target_type": "plan", "target_id": made.before_id}
    await insert(tx, "dependencies", dependency_id="dep_program", **edge, **TIMES)
    trashed = {
        "entity_type": "note",
        "entity_id": "e",
        "title": "t",
        "data": "{}",
        "created_at": NOW,
        "expires_at": NOW,
    }
    for trash_id, workspace_id in (("trash_1", made.workspace_id), ("trash_2", None), ("trash_3", "ws_gone")):
        await insert(tx, "trash", trash_id=trash_id, workspace_id=workspace_id, **trashed)
    for workspace_id in (made.workspace_id, None, "ws_gone"):
        event = {"type": "t", "entity_type": "e", "entity_id": "i", "timestamp": PAST}
        await insert(tx, "event_log", workspace_id=workspace_id, **event)
        await insert(tx, "update_log", workspace_id=workspace_id, timestamp=PAST, summary="s")
    run = {"layout": "l", "source_path": "/p", "status": "clean", "started_at": NOW}
    await insert(tx, "import_runs", run_id="run_1", **run)
    content = {"sha256": "0", "size": 1, "status": "imported", "created_at": NOW, "raw": b"\0\xff"}
    known = {"file_id": file_id(made.workspace_id, "a"), "run_id": "run_1", "path": "a"}
    await insert(tx, "import_files", **known, **content, **place)
    base = {"path": "a", "base": '{"title":"T"}', "updated_at": NOW}
    await insert(tx, "import_rows", table_name="plans", row_key="k", **base, **place)


async def test_the_same_rows_give_the_same_bytes(db: Database, store: Store) -> None:
    assert await everything(db) == await everything(db)


async def test_a_document_tells_when_something_of_it_is_lost(db: Database, store: Store) -> None:
    [plan] = [file for file in await everything(db) if file.path.endswith(f"{store.plan_id}.json")]
    document = json.loads(plan.content)
    assert digest(document) == document["sha256"]

    document["tables"]["steps"][0]["task"] += " "
    assert digest(document) != document["sha256"]


async def test_json_stands_in_a_document_as_what_it_is(db: Database, store: Store) -> None:
    [plan] = [file for file in await everything(db) if file.path.endswith(f"{store.plan_id}.json")]
    [head] = json.loads(plan.content)["tables"]["plans"]

    assert (head["goals"], head["extra"]) == (["fast", "small"], {"old": "id"})


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '{"a":1,"a":2}',
        '"x"',
        "null",
        "1",
        "1.0",
        "[1e22]",
        "[1E400]",
        "[]",
        '["\\u00e4"]',
        "[" * 300 + "]" * 300,
    ],
)
def test_stored_json_comes_back_to_the_letter(text: str) -> None:
    document = wrap("plan", {"t": [{"data": text, "task": text}]}, schema_version=1)
    [row] = json.loads(text_of(document))["tables"]["t"]

    assert unpacked(row) == {"data": text, "task": text}


@pytest.mark.parametrize(
    "entity_id", ["../../etc/passwd", "Plan_A", "größe-計画", "", "a" * 300, ".hidden", "a/b\\c:d", "x."]
)
def test_an_id_that_is_no_name_gets_one(entity_id: str, tmp_path: Path) -> None:
    name = file_name(entity_id)

    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,99}", name)
    assert file_name(entity_id + "x") != name != file_name(entity_id.upper() + "y")


def test_an_id_of_ours_is_its_own_name() -> None:
    assert file_name("plan_01h2x3y4z5w6") == "plan_01h2x3y4z5w6"
    assert form.VERSION == 1
