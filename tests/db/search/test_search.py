"""The index: every write is in it when it commits, a rebuild gives the same rows, and no query reads a whole table."""

import asyncio
import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server.cli.stores import search_index
from server.db.plans import plan_archive, plans
from server.db.search import candidates, index_repair, ranking, search
from server.db.search.index_repair import IndexReport
from server.db.search.scope import Scope
from server.db.steps import steps
from server.db.storage.connection import Database, Transaction
from server.db.storage.migrations import migrate
from server.db.storage.opening import open_database
from server.db.storage.table_shapes import columns_of_tables
from server.db.workspaces import workspaces
from server.models.base import encode
from server.models.steps import NewStep
from server.settings import ASSETS, Settings
from server.store import open_store
from tests.older_schema import search_what_is_there

TIMES = {"created_at": "2030-01-02T03:04:05.678Z", "updated_at": "2030-01-02T03:04:05.678Z"}
ON_PLAN = {"parent_type": "plan", **TIMES}


async def insert(tx: Transaction, table: str, **row: Any) -> None:
    await tx.run(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(':' + name for name in row)})", row)


async def fill(tx: Transaction, *titles: str, kinds: Collection[str] = ()) -> list[str]:
    """One workspace with a plan of each title, with everything in it that is searched."""
    home = (await workspaces.insert(tx, path="/srv/project", name="project")).workspace_id
    made: list[str] = []
    for title in titles:
        plan_id = (await plans.insert(tx, workspace_id=home, title=title)).plan_id
        new = [NewStep(task=f"{title} step {n}", phase=f"Phase {n % 2}", notes="some notes") for n in range(4)]
        of_plan = {"workspace_id": home, "plan_id": plan_id}
        await steps.insert_many(tx, plan_id, new)
        await insert(tx, "plan_notes", note_id=f"note_{title}", plan_id=plan_id, note=f"{title} note", **TIMES)
        item = {"item_id": f"item_{title}", "workspace_id": home, "parent_id": plan_id, "type": "audit"}
        await insert(tx, "context_items", **item, data=encode({title: [1, {"deep": "x"}]}), tags='["t"]', **ON_PLAN)
        document = {"document_id": f"doc_{title}", "workspace_id": home, "parent_id": plan_id, "filename": "a.md"}
        await insert(tx, "research_documents", **document, content=f"{title} " * 2_000, **ON_PLAN)
        await insert(
            tx,
            "lineage",
            lineage_id=f"lineage_{title}",
            from_agent="a",
            to_agent="b",
            reason=f"{title} is next",
            created_at=TIMES["created_at"],
            **of_plan,
        )
        session = {"session_id": f"sess_{title}", "agent": "a", "status": "completed", "summary": f"{title} went well"}
        moments = {"started_at": TIMES["created_at"], "last_seen_at": TIMES["created_at"]}
        await insert(tx, "sessions", **session, **of_plan, **moments, **TIMES)
        if "decision" in kinds:
            why = {"decision": f"{title} is best", "rationale": "r", "made_at": TIMES["created_at"]}
            await insert(tx, "decisions", decision_id=f"dec_{title}", created_at=TIMES["created_at"], **why, **of_plan)
        made.append(plan_id)
    return made


async def documents(db: Database) -> list[dict[str, Any]]:
    rows = await db.all("SELECT * FROM search_documents ORDER BY kind, entity_id")
    return [{name: row[name] for name in row.keys() if name != "doc"} for row in rows]  # noqa: SIM118 - a Row


async def found(db: Database, query: str, **scope: Any) -> set[str]:
    return {match.kind for match in (await search.find(db, query, Scope(**scope), limit=100)).matches}


async def index_rows(db: Database) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await db.all("SELECT id, block FROM search_index_data ORDER BY id")]


MENTIONS = ranking.WEIGHED + candidates.TELLING_AMONG + 101
OF_A_PLAN = {"plan", "step", "note", "context", "research", "handoff", "session"}


async def test_what_commits_is_found_and_nothing_waits(db: Database) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut")

    assert await found(db, "walnut") == OF_A_PLAN
    assert (await index_repair.check(db)).is_sound


async def test_what_is_rolled_back_is_not_found(db: Database) -> None:
    async def fail() -> None:
        async with db.transaction() as tx:
            await fill(tx, "Walnut")
            await tx.run("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(sqlite3.OperationalError):
        await fail()
    assert await found(db, "walnut") == set()
    assert (await index_repair.check(db)).is_sound


async def test_another_process_finds_it_too(db: Database, settings: Settings) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut")
    other = await open_store(settings)

    assert await found(other, "walnut") == OF_A_PLAN
    await other.close()


async def test_an_archived_plan_only_changes_its_flag(db: Database) -> None:
    async with db.transaction() as tx:
        plan_id, _ = await fill(tx, "Walnut", "Maple")
    before, index = await documents(db), await index_rows(db)
    async with db.transaction() as tx:
        await plan_archive.archive(tx, plan_id)

    assert await index_rows(db) == index
    assert await found(db, "walnut") == set()
    assert await found(db, "walnut", archived=True) == OF_A_PLAN
    assert await found(db, "maple") == OF_A_PLAN
    assert (await index_repair.check(db)).is_sound
    async with db.transaction() as tx:
        await plan_archive.unarchive(tx, plan_id)
    assert await documents(db) == before
    assert await index_rows(db) == index


async def test_a_deleted_plan_leaves_nothing(db: Database) -> None:
    async with db.transaction() as tx:
        live, archived, _ = await fill(tx, "Walnut", "Cherry", "Maple")
        await plan_archive.archive(tx, archived)
    async with db.transaction() as tx:
        await plan_archive.remove(tx, live)
        await plan_archive.remove(tx, archived)

    assert await found(db, "walnut", archived=True) == set()
    assert await found(db, "cherry", archived=True) == set()
    assert await found(db, "maple") == OF_A_PLAN
    assert (await index_repair.check(db)).is_sound


async def test_a_deleted_workspace_leaves_nothing(db: Database) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut")
    async with db.transaction() as tx:
        await tx.run("DELETE FROM workspaces")

    assert await found(db, "walnut") == set()
    assert (await index_repair.check(db)).is_sound


async def test_an_edit_is_found_by_its_new_words_alone(db: Database) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut")
    async with db.transaction() as tx:
        await tx.run("UPDATE plan_notes SET note = 'now of ebony'")

    assert await found(db, "ebony") == {"note"}
    assert "note" not in await found(db, "walnut")
    assert (await index_repair.check(db)).is_sound


async def test_a_change_of_status_touches_no_text(db: Database) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut")
    index = await index_rows(db)
    async with db.transaction() as tx:
        await tx.run("UPDATE steps SET status = 'done', updated_at = '2031-01-01T00:00:00.000Z'")

    assert await index_rows(db) == index
    assert (await index_repair.check(db)).is_sound


async def test_what_is_live_is_found_behind_much_that_is_archived(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "FEW", 5)
    monkeypatch.setattr(candidates, "SCANNED", 10)
    for room in (candidates, ranking):
        monkeypatch.setattr(room, "WEIGHED", 10)
    async with db.transaction() as tx:
        live, *others = await fill(tx, "Walnut", "Maple", "Birch", "Cherry", "Elm", "Ash")
    async with db.transaction() as tx:
        for plan_id in others:
            await plan_archive.archive(tx, plan_id)
    found = await search.find(db, "step", Scope(kinds=["step"]), limit=10)

    assert {match.plan_id for match in found.matches} == {live}
    assert found.total == 4


async def test_what_has_the_words_as_its_title_is_found_behind_more_mentions_than_are_weighed(db: Database) -> None:
    async with db.transaction() as tx:
        plan_id, other = await fill(tx, "Where the pangolin sleeps", "Maple")
    async with db.transaction() as tx:
        said = [NewStep(task=f"Step {n}", phase="Talk", notes=f"the pangolin sleeps, {n}") for n in range(MENTIONS)]
        await steps.insert_many(tx, other, said)
    found = await search.find(db, "pangolin sleeps", Scope(kinds=["plan", "step"]), limit=1)

    assert [match.entity_id for match in found.matches] == [plan_id]
    assert (found.total, found.counted_to) == (ranking.WEIGHED + 1, ranking.WEIGHED)


async def test_what_says_little_but_the_words_is_found_behind_more_mentions_than_are_weighed(db: Database) -> None:
    async with db.transaction() as tx:
        _, other = await fill(tx, "Pangolin", "Maple")
    async with db.transaction() as tx:
        passing = "where somebody said in passing, among the many other things of that long day, a word of the pangolin"
        said = [NewStep(task=f"Step {n}", phase="Talk", notes=f"Day {n}, {passing}") for n in range(MENTIONS)]
        await steps.insert_many(tx, other, said)
    found = await search.find(db, "pangolin", Scope(kinds=["note", "step"]), limit=10)

    assert "note_Pangolin" in [match.entity_id for match in found.matches]


async def test_a_rare_word_in_passing_is_found_behind_more_that_have_the_other_words_than_are_weighed(
    db: Database,
) -> None:
    async with db.transaction() as tx:
        plan_id, other = await fill(tx, "Birch", "Maple")
        passing = "of that day on which, among the many other things, somebody spoke of a pangolin and of lunch"
        await insert(tx, "plan_notes", note_id="wanted", plan_id=plan_id, note=f"It is the record {passing}", **TIMES)
    async with db.transaction() as tx:
        said = [NewStep(task=f"Plant walnut tree {n}", phase="Talk", notes="a walnut tree") for n in range(MENTIONS)]
        await steps.insert_many(tx, other, said)
    found = await search.find(db, "pangolin walnut tree", Scope(), limit=10)

    assert "wanted" in [match.entity_id for match in found.matches]


async def test_a_document_that_moves_keeps_its_place(db: Database) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut", "Maple")
    before = await db.all("SELECT doc, entity_id, title FROM search_documents ORDER BY doc")
    async with db.transaction() as tx:
        await tx.run("""UPDATE context_items SET tags = '["other"]'""")

    assert await found(db, "walnut", tags=["other"]) == {"context"}
    assert await db.all("SELECT doc, entity_id, title FROM search_documents ORDER BY doc") == before
    assert (await index_repair.check(db)).is_sound


async def test_what_moves_to_another_workspace_is_found_there(db: Database) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut")
        other = (await workspaces.insert(tx, path="/srv/other", name="other")).workspace_id
    async with db.transaction() as tx:
        for table in ("plans", "context_items", "research_documents", "lineage", "sessions"):
            await tx.run(f"UPDATE {table} SET workspace_id = :other", {"other": other})

    assert await found(db, "walnut", workspace_ids=[other]) == OF_A_PLAN
    assert (await index_repair.check(db)).is_sound


async def test_what_another_program_wrote_is_found_after_our_next_write(db: Database) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut")
    with closing(sqlite3.connect(db.path)) as other, other:
        other.execute("UPDATE plan_notes SET note = 'written with the shell'")
        other.execute("DELETE FROM steps")
    assert await found(db, "step") - {"action", "agent", "instruction", "skill"} == set()
    async with db.transaction() as tx:
        await tx.run("UPDATE workspaces SET name = 'renamed'")

    assert await found(db, "written with the shell") == {"note"}
    assert (await index_repair.check(db)).is_sound


async def test_a_rebuild_gives_the_rows_that_the_writes_gave(db: Database) -> None:
    async with db.transaction() as tx:
        plan_id, *_ = await fill(tx, "Walnut", "Maple", "Birch")
        await tx.run("UPDATE steps SET status = 'done', updated_at = '2031-01-01T00:00:00.000Z'")
    async with db.transaction() as tx:
        await plan_archive.archive(tx, plan_id)
    before, words = await documents(db), await db.all("SELECT word FROM search_words ORDER BY word")
    async with db.transaction() as tx:
        await tx.run("DELETE FROM search_documents")
        await tx.run("DELETE FROM search_words")
    assert not (await index_repair.check(db)).is_sound

    await index_repair.rebuild(db)
    assert await documents(db) == before
    assert [tuple(row) for row in await db.all("SELECT word FROM search_words ORDER BY word")] == [
        tuple(row) for row in words
    ]
    assert await index_repair.check(db) == IndexReport(len(before), 0, 0, 0, 0, index_agrees=True)


async def test_what_others_write_meanwhile_is_no_damage(db: Database, settings: Settings) -> None:
    other = await open_store(settings)

    async def write() -> None:
        for number in range(20):
            async with other.transaction() as tx:
                plan_id = (await plans.insert(tx, workspace_id=home, title=f"Walnut {number}")).plan_id
                await insert(tx, "plan_notes", note_id=f"note_{number}", plan_id=plan_id, note="a note", **TIMES)
            async with other.transaction() as tx:
                await tx.run("UPDATE plans SET title = title || '!'")
                await tx.run("DELETE FROM plan_notes")

    async with db.transaction() as tx:
        home = (await workspaces.insert(tx, path="/srv/project", name="project")).workspace_id
    writing = asyncio.create_task(write())
    while not writing.done():
        assert (await index_repair.check(db)).is_sound
    await writing
    await other.close()


async def test_damage_is_told_and_repaired(
    db: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut")
    before = await documents(db)
    async with db.transaction() as tx:
        await tx.run("DELETE FROM search_documents WHERE kind = 'note'")
        await tx.run("UPDATE search_documents SET title = 'wrong' WHERE kind = 'plan'")
        await tx.run("UPDATE search_documents SET entity_id = 'nobody' WHERE kind = 'handoff'")
        await tx.run("INSERT INTO search_index (search_index) VALUES ('delete-all')")
    report = await index_repair.check(db)
    assert (report.missing, report.different, report.orphaned, report.index_agrees) == (2, 1, 1, False)

    await index_repair.rebuild(db)
    assert await documents(db) == before
    assert (await index_repair.check(db)).is_sound
    assert search_index._told(report)[-1] == "search-index --rebuild repairs it"


async def test_the_migration_fills_the_index_from_what_is_there(
    unused: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for path in (ASSETS / "migrations").glob("000[12]_*.sql"):
        shutil.copy(path, old)
    db = await open_database(unused.database)
    await migrate(db, old)
    there = await columns_of_tables(db)
    await search_what_is_there(monkeypatch, db)
    monkeypatch.setattr(
        plan_archive, "LIVE", {table: where for table, where in plan_archive.LIVE.items() if table in there}
    )
    async with db.transaction() as tx:
        archived, live = await fill(tx, "Walnut", "Maple")
        await plan_archive.archive(tx, archived)
        base = {"path": "x.json", "base": "{}", "updated_at": TIMES["updated_at"]}
        await insert(tx, "import_rows", table_name="plans", row_key=live, **base)
    await db.close()
    monkeypatch.undo()
    db = await open_store(unused)

    assert await found(db, "maple") == OF_A_PLAN
    assert await found(db, "walnut") == set()
    assert await found(db, "walnut", archived=True) == OF_A_PLAN
    [plan] = (await search.find(db, "maple", Scope(kinds=["plan"]), limit=1)).matches
    assert plan.trust == "import"
    assert (await index_repair.check(db)).is_sound
    await db.close()


async def test_an_index_of_an_older_release_is_made_anew(
    unused: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for path in (ASSETS / "migrations").glob("000[1-5]_*.sql"):
        shutil.copy(path, old)
    db = await open_database(unused.database)
    await migrate(db, old)
    await search_what_is_there(monkeypatch, db)
    async with db.transaction() as tx:
        await fill(tx, "Walnut", "Maple")
    async with db.transaction() as tx:
        await tx.run("UPDATE search_documents SET facets = 'old', body = 'old'")
    await db.close()
    monkeypatch.undo()
    db = await open_store(unused)

    assert await found(db, "walnut") == OF_A_PLAN
    assert (await index_repair.check(db)).is_sound
    await db.close()


async def test_what_documents_are_about_is_told_after_an_upgrade_and_all_is_found_meanwhile(
    unused: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    shutil.copytree(ASSETS / "migrations", old)
    for path in [*old.glob("001[1-9]_*.sql"), *old.glob("00[2-9]?_*.sql")]:
        path.unlink()
    db = await open_database(unused.database)
    await migrate(db, old)
    await search_what_is_there(monkeypatch, db)
    async with db.transaction() as tx:
        await fill(tx, "Walnut", "Maple")
    rows = await db.all("SELECT doc, facets FROM search_documents ORDER BY doc")
    places = [{"doc": row["doc"], "facets": " ".join(row["facets"].split()[:4])} for row in rows]
    async with db.transaction() as tx:
        await tx.batch(*(("UPDATE search_documents SET facets = :facets WHERE doc = :doc", place) for place in places))
    assert not (await index_repair.check(db)).is_sound
    monkeypatch.undo()
    await migrate(db, ASSETS / "migrations")
    assert await found(db, "walnut") == OF_A_PLAN
    await db.close()
    db = await open_store(unused)

    assert (await index_repair.check(db)).is_sound
    kept = await db.all("SELECT doc FROM search_documents WHERE kind IN ('plan', 'research', 'step') ORDER BY doc")
    assert {row["doc"] for row in kept} <= {place["doc"] for place in places}
    await db.close()


QUERIES = {
    "anywhere": Scope(),
    "one workspace": Scope(workspace_ids=["ws"]),
    "one plan, one kind": Scope(workspace_ids=["ws"], plan_ids=["plan"], kinds=["step"]),
    "everything at once": Scope(
        ["ws"],
        ["plan"],
        ["prog"],
        ["step"],
        ["audit"],
        "audit",
        ("plan", "plan"),
        ["tag"],
        "2020",
        "2040",
        "pending",
        "Build",
        archived=True,
    ),
}


def watch(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """The statements that are read from now on, and what they are given."""
    seen: list[tuple[str, Any]] = []
    batch = Database.batch

    async def watched(self: Database, *statements: tuple[str, Any]) -> Any:
        seen.extend(statements)
        return await batch(self, *statements)

    monkeypatch.setattr(Database, "batch", watched)
    return seen


async def test_where_few_things_have_any_of_the_words_the_index_is_asked_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut", "Maple")
    seen = watch(monkeypatch)
    found = await search.find(db, "walnut step notes", Scope(), limit=10)
    monkeypatch.undo()

    assert found.matches
    assert len([sql for sql, _ in seen if "MATCH :match" in sql]) == 1


@pytest.mark.parametrize("scope", QUERIES.values(), ids=list(QUERIES))
async def test_no_search_reads_a_whole_table(db: Database, monkeypatch: pytest.MonkeyPatch, scope: Scope) -> None:
    async with db.transaction() as tx:
        await fill(tx, "Walnut", "Maple")
    seen = watch(monkeypatch)
    await search.find(db, "walnut stepp zzz", scope, limit=10)
    monkeypatch.setattr(candidates, "FEW", 0)
    for room in (candidates, ranking):
        monkeypatch.setattr(room, "WEIGHED", 1)
    await search.find(db, "walnut stepp zzz", scope, limit=10)
    await search.find(db, "walnut", Scope(), limit=10)
    monkeypatch.undo()
    plans_of = [await db.all(f"EXPLAIN QUERY PLAN {sql}", params) for sql, params in seen]
    steps_of = [row["detail"] for rows in plans_of for row in rows]

    assert len(seen) > 6
    assert any(told.get("before") for _, told in seen)  # what is behind the window, too
    scans = [step for step in steps_of if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    bounded = {"f", "h", "s", "hits", "CONSTANT"}  # what a limit was put on
    found = [scan for scan in scans if scan.split()[1] not in bounded and not scan.startswith("SCAN (subquery-")]
    assert [scan for scan in found if "INDEX workspaces_importing" not in scan] == []
