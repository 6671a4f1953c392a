"""What may stand only once stands once: the second is left out and told, and the rest comes in."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from server.db.interchange import import_places
from server.db.interchange.scratch import TABLES
from server.db.storage.connection import Database
from server.db.storage.table_shapes import shape_of
from tests.conftest import Agent
from tests.exporters.test_round_trip import written
from tests.importers.conftest import Taker
from tests.importers.conport.generator import store
from tests.importers.test_gates_as_tools import Change, Source

Json = dict[str, Any]


def errors(report: Any) -> list[tuple[str, Any]]:
    return [(line.what, line.value) for line in report.findings if line.severity == "error"]


async def a_store(agent: Agent, workspace_id: str, db: Database, folder: Path) -> tuple[Source, str]:
    """Return the documents of a plan of two phases, with a fact, and its id."""
    phases = [{"name": name, "steps": [{"task": f"in {name}"}]} for name in ("A", "B")]
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="P", phases=phases)
    for name in ("one", "two"):
        told = {"slug": name, "title": name, "content": f"of {name}"}
        await agent("memory_context", "knowledge_store", workspace_id=workspace_id, **told)
        await agent("memory_context", "remember", workspace_id=workspace_id, namespace="n", key=name, value=name)
    return Source(await written(db, folder)), plan["plan_id"]


@pytest.mark.parametrize(("table", "name"), [("knowledge", "slug"), ("memory_entries", "key")])
async def test_two_of_a_source_for_one_place(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, tmp_path: Path, *, table: str, name: str
) -> None:
    source, _ = await a_store(agent, workspace_id, db, tmp_path / "out")

    def change(tables: dict[str, list[Json]]) -> None:
        for row in tables.get(table, ()):
            row[name] = "one"

    source.edit_all(change)
    dry = await elsewhere(source.out, dry_run=True)
    report = await elsewhere(source.out)

    key = (await shape_of(db, table)).key[0]
    kept = await elsewhere.db.value(f"SELECT {key} FROM {table}")
    other = await db.value(f"SELECT {key} FROM {table} WHERE {key} <> :kept", {"kept": kept})
    assert errors(report) == errors(dry) == [(f"{table} {kept} is in its place already; left out", other)]
    assert (dry.rows, report.exit_code) == (report.rows, 3)
    assert await elsewhere.db.value("SELECT count(*) FROM steps") == 2


async def test_a_fact_that_somebody_remembered_here_stays_and_the_rest_comes_in(take: Taker, project: Path) -> None:
    made = store(project, 1)
    home = await take.ask("memory_workspace", {"action": "register", "workspace_path": str(project)})
    where = {"workspace_id": home["workspace_id"], "namespace": "Glossary", "key": "WAL"}
    await take.ask("memory_context", {"action": "remember", **where, "value": "Ours"})
    report = await take(made.source)

    assert [what for what, _ in errors(report)] == [
        f"memory_entries {await ours(take)} is in its place already; left out"
    ]
    assert await take.db.value("SELECT count(*) FROM memory_entries") == made.rows["memory_entries"]
    assert await take.db.value("SELECT count(*) FROM steps") == made.rows["steps"]


async def ours(take: Taker) -> str:
    return await take.db.value("""SELECT entry_id FROM memory_entries WHERE value = '"Ours"'""")


async def test_what_the_database_refuses_is_told_as_that(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, tmp_path: Path
) -> None:
    source, plan_id = await a_store(agent, workspace_id, db, tmp_path / "out")
    source.edit(plan_id, lambda tables: tables["steps"][0].update(requires_validation=2))
    [(what, _)] = errors(await elsewhere(source.out))
    assert "a row has a value that it must not have: requires_validation IN (0, 1)" in what
    assert "changed while" not in what
    assert "complete it" not in what


async def test_every_unique_index_of_what_is_imported_is_known(db: Database) -> None:
    rows = await db.all("SELECT tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE 'CREATE UNIQUE%'")
    for row in rows:
        if row["tbl_name"] in TABLES:
            names = re.findall(r"\w+", row["sql"].partition("(")[2].partition(" WHERE")[0].replace("coalesce", ""))
            found = import_places.places(row["tbl_name"], await shape_of(db, row["tbl_name"]))
            assert tuple(names) in found, row["sql"]


async def again(elsewhere: Taker, source: Source, plan_id: str, change: Change) -> Any:
    """Import a source, change it, and import it again."""
    await elsewhere(source.out)
    source.edit(plan_id, change)
    return await elsewhere(source.out)


async def phases(elsewhere: Taker) -> dict[str, str]:
    """Return the phase of each step by their names."""
    rows = await elsewhere.db.all("SELECT s.task, p.name FROM steps s JOIN phases p USING (phase_id)")
    return {row["task"]: row["name"] for row in rows}


async def test_phases_may_swap_their_names(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, tmp_path: Path
) -> None:
    source, plan_id = await a_store(agent, workspace_id, db, tmp_path / "out")

    def swap(tables: dict[str, list[Json]]) -> None:
        for row in tables["phases"]:
            row["name"] = {"A": "B", "B": "A"}[row["name"]]

    report = await again(elsewhere, source, plan_id, swap)
    assert (report.exit_code, report.differences) == (0, [])
    assert await phases(elsewhere) == {"in A": "B", "in B": "A"}


async def test_a_phase_in_the_place_of_one_that_left_its_file_keeps_its_steps(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, tmp_path: Path
) -> None:
    source, plan_id = await a_store(agent, workspace_id, db, tmp_path / "out")
    other = "phase_000000000000"

    def replace(tables: dict[str, list[Json]]) -> None:
        [old] = [row["phase_id"] for row in tables["phases"] if row["name"] == "A"]
        for row in (*tables["phases"], *tables["steps"]):
            row["phase_id"] = other if row["phase_id"] == old else row["phase_id"]

    report = await again(elsewhere, source, plan_id, replace)
    assert errors(report) == []
    assert await phases(elsewhere) == {"in A": f"A ({other})", "in B": "B"}
    source.edit(plan_id, lambda tables: tables["plans"][0].update(title="Q"))
    await elsewhere(source.out)
    assert await phases(elsewhere) == {"in A": "A", "in B": "B"}


async def test_two_phases_of_one_name_both_come_in(
    agent: Agent, workspace_id: str, db: Database, elsewhere: Taker, tmp_path: Path
) -> None:
    source, plan_id = await a_store(agent, workspace_id, db, tmp_path / "out")
    source.edit(plan_id, lambda tables: [row.update(name="A") for row in tables["phases"]])
    report = await elsewhere(source.out)
    assert errors(report) == []
    found = await phases(elsewhere)
    assert sorted(found) == ["in A", "in B"]
    assert {name.partition(" ")[0] for name in found.values()} == {"A"}


async def test_a_memory_that_is_called_a_little_otherwise_takes_its_own_place(take: Taker, tmp_path: Path) -> None:
    for key, value in (("max retries", "3"), ("max-retries", "5")):
        line = json.dumps({"_type": "memory", "key": key, "value": value})
        (tmp_path / ".beads").mkdir(exist_ok=True)
        (tmp_path / ".beads" / "issues.jsonl").write_text(f"{line}\n")
        assert (await take(tmp_path)).exit_code == 0
    rows = await take.db.all("SELECT slug, content FROM knowledge")
    assert [tuple(row) for row in rows] == [("memory-max-retries", "5")]
