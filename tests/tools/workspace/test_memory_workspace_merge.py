"""memory_workspace merge: two workspaces made one, as a client sees it."""

import json
from pathlib import Path

import pytest

from server.confined.changes import PreparedChange
from server.db.audit import file_changes
from server.db.storage.connection import Database
from server.db.storage.table_shapes import columns_of_tables
from server.db.workspaces.giving_way import KEYS, LINKS
from server.db.workspaces.merging import APART, EXPIRING, OF_FOLDER
from server.errors import Conflict
from tests.conftest import Agent, tick
from tests.db.plans.test_plan_archive import Store, store
from tests.exporters.test_documents import fill_the_rest
from tests.importers.conftest import everything
from tests.tools.terminal.test_memory_terminal import answered

__all__ = ["store"]

WS, PLAN, CONTEXT, STEPS = "memory_workspace", "memory_plan", "memory_context", "memory_steps"


@pytest.fixture
async def pair(agent: Agent, tmp_path: Path) -> tuple[str, str]:
    """Two workspaces, the first of which has a bit of everything."""
    ids = list[str]()
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        ids.append((await agent(WS, "register", workspace_path=str(tmp_path / name)))["workspace_id"])
    here = {"workspace_id": ids[0]}
    steps = [{"task": "hoist"}, {"task": "go", "type": "confirmation"}]
    plan = await agent(PLAN, "create", **here, title="Sail", steps=steps)
    put_away = await agent(PLAN, "create", **here, title="Anchored", steps=[{"task": "drop it", "status": "done"}])
    await agent(PLAN, "archive", plan_id=put_away["plan_id"])
    thrown = await agent(PLAN, "create", **here, title="Overboard", steps=[{"task": "swim"}])
    await agent(PLAN, "delete", plan_id=thrown["plan_id"], confirm=True)
    await agent(CONTEXT, "knowledge_store", **here, slug="wind", title="Wind", content="It blows from the west")
    await agent(CONTEXT, "remember", **here, key="harbour", value="Kiel")
    await agent(CONTEXT, "store", **here, parent_type="workspace", type="notes", data={"a": "b"})
    await agent(STEPS, "next", plan_id=plan["plan_id"], agent="ada")
    return ids[0], ids[1]


def named(pair: tuple[str, str]) -> dict[str, str]:
    return {"source_workspace_id": pair[0], "target_workspace_id": pair[1]}


async def test_a_preview_tells_what_would_move_and_moves_nothing(
    agent: Agent, pair: tuple[str, str], settings: object, db: Database
) -> None:
    before = everything(db.path)

    told = await agent(WS, "merge", **named(pair))

    assert told["preview"]["would_move"]["plans"] == 1
    assert told["preview"]["would_move"]["plans_archive"] == 1
    assert told["preview"]["clashes"] == []
    assert "dry_run=false" in told["preview"]["hint"]
    assert everything(db.path) == before


async def test_everything_is_in_the_target_and_the_old_names_mean_it(
    agent: Agent, pair: tuple[str, str], tmp_path: Path
) -> None:
    source, target = pair

    done = await agent(WS, "merge", **named(pair), dry_run=False)
    again = await agent(WS, "merge", **named(pair), dry_run=False)

    assert done["moved"]["plans"] == 1
    assert again["already_merged"] is True
    for where in ({"workspace_id": source}, {"workspace_path": str(tmp_path / "old")}, {"workspace_id": target}):
        told = await agent(WS, "info", **where)
        assert (told["workspace_id"], told["path"]) == (target, str(tmp_path / "new"))
    assert (told["plan_counts"], told["aliases"]) == ({"active": 1, "archived": 1}, [source])
    assert [held["agent"] if "agent" in held else held["claimed_by"] for held in told["open_claims"]] == ["ada"]
    assert (await agent(CONTEXT, "knowledge_get", workspace_id=target, slug="wind"))["title"] == "Wind"
    assert (await agent(CONTEXT, "recall", workspace_id=target, key="harbour"))["value"] == "Kiel"
    assert (await agent(CONTEXT, "get", workspace_id=target, parent_type="workspace", type="notes"))["data"] == {
        "a": "b"
    }
    found = await agent(CONTEXT, "search", workspace_id=target, query="hoist")
    assert found["total"]
    [thrown] = (await agent(WS, "trash", workspace_id=target))["trash"]
    back = await agent(WS, "restore", trash_id=thrown["trash_id"])
    assert back["workspace_id"] == target
    assert (await agent(PLAN, "get", plan_id=back["plan_id"]))["workspace_id"] == target
    assert [one["workspace_id"] for one in (await agent(WS, "list"))["workspaces"]] == [target]
    last = (await agent(WS, "events", workspace_id=target, types=["workspace_merged"]))["events"]
    assert [event["data"]["source"] for event in last] == [source]


async def test_a_gate_is_as_closed_as_before(agent: Agent, pair: tuple[str, str]) -> None:
    await agent(WS, "merge", **named(pair), dry_run=False)
    [plan] = (await agent(PLAN, "list", workspace_id=pair[1]))["plans"]

    await agent(STEPS, "next", plan_id=plan["plan_id"], step_index=0, agent="ada")
    refused = await agent.fails(STEPS, "update", plan_id=plan["plan_id"], step_index=1, status="done", agent="ada")

    assert refused["code"] == "gated"


async def test_all_that_both_have_is_named_and_nothing_is_moved(
    agent: Agent, pair: tuple[str, str], db: Database
) -> None:
    there = {"workspace_id": pair[1]}
    await agent(CONTEXT, "knowledge_store", **there, slug="wind", title="Wind", content="from the east")
    await agent(CONTEXT, "remember", **there, key="harbour", value="Bergen")
    await agent(CONTEXT, "store", **there, parent_type="workspace", type="notes", data={"c": "d"})
    for here in pair:
        await agent(
            CONTEXT, "append_research", workspace_id=here, parent_type="workspace", filename="log.md", content="x"
        )
        await agent(PLAN, "add_build_script", workspace_id=here, script_name="test", script_command="make")
    before = everything(db.path)

    preview = await agent(WS, "merge", **named(pair))
    refused = await agent.fails(WS, "merge", **named(pair), dry_run=False)

    assert refused["code"] == "conflict"
    assert {one["kind"] for one in refused["clashes"]} == {"knowledge", "memory", "context", "research", "build_script"}
    assert preview["preview"]["clashes"] == refused["clashes"]
    assert everything(db.path) == before


@pytest.mark.parametrize("dry_run", [True, False])
async def test_two_workspaces_have_to_be_named(agent: Agent, pair: tuple[str, str], dry_run: bool) -> None:
    same = await agent.fails(WS, "merge", source_workspace_id=pair[0], target_workspace_id=pair[0], dry_run=dry_run)
    unknown = await agent.fails(
        WS, "merge", source_workspace_id="ws_none", target_workspace_id=pair[0], dry_run=dry_run
    )

    assert (same["code"], unknown["code"]) == ("invalid_arguments", "not_found")


async def test_a_change_of_a_file_that_is_decided_is_carried_out_first(
    agent: Agent, pair: tuple[str, str], tmp_path: Path, db: Database
) -> None:
    await agent("memory_filesystem", "write", workspace_id=pair[0], path="a.txt", content="before")
    with PreparedChange(str(tmp_path / "old"), ("a.txt",)) as change:
        change.put([b"after"], None)
        assert change.decided
        async with db.transaction() as tx:  # a server that died behind its commit
            await file_changes.insert(tx, pair[0], change.decided.as_json)

    done = await agent(WS, "merge", **named(pair), dry_run=False)

    assert done["moved"]["plans"] == 1
    assert (tmp_path / "old/a.txt").read_text(encoding="utf-8") == "after"
    assert not (tmp_path / "new/a.txt").exists()


async def test_what_was_asked_about_programs_in_the_folder_ends_with_it(agent: Agent, pair: tuple[str, str]) -> None:
    assert agent.settings
    here, there = ({"workspace_id": one} for one in pair)
    terminal = "memory_terminal"
    rules = await agent.fails(terminal, "update_allowlist", **here, patterns=["ls *"])
    asked = await agent.fails(terminal, "run", **here, command="ls -l")
    said = await agent.fails(terminal, "run", **here, command="ls -a")
    await answered(agent.settings, said["approval_id"])

    await agent(WS, "merge", **named(pair), dry_run=False)

    assert not [
        one for one in (await agent(WS, "approvals", **there))["approvals"] if one["kind"] in ("run", "allowlist")
    ]
    for approval in (rules, asked, said):
        told = await agent(WS, "approvals", approval_id=approval["approval_id"])
        assert told["status"] == "outdated"
    with pytest.raises(Conflict):
        await answered(agent.settings, rules["approval_id"])
    assert (await agent(terminal, "get_allowlist", **there))["patterns"] == []
    assert (await agent.fails(terminal, "run", **there, command="ls -a"))["code"] == "gated"
    logged = await agent(WS, "events", **there, types=["approval_outdated"])
    assert len(logged["events"]) == 3


@pytest.fixture
async def thrown(agent: Agent, pair: tuple[str, str]) -> str:
    """A file of the first workspace in the trash, and the two made one."""
    file = {"workspace_id": pair[0], "path": "src/a.txt"}
    await agent("memory_filesystem", "write", **file, content='{"workspace_id":"kept"}')
    trash_id = (await agent("memory_filesystem", "delete", **file, confirm=True))["trash_id"]
    await agent(WS, "merge", **named(pair), dry_run=False)
    return trash_id


async def test_a_file_in_the_trash_comes_back_to_the_folder_it_was_in(
    agent: Agent, pair: tuple[str, str], thrown: str, tmp_path: Path
) -> None:
    old = tmp_path / "old/src/a.txt"
    done = await agent(WS, "restore", trash_id=thrown)

    assert old.read_text(encoding="utf-8") == '{"workspace_id":"kept"}'
    assert not (tmp_path / "new/src").exists()
    assert done["workspace_id"] == pair[1]
    assert str(tmp_path / "old") in done["warnings"][0]


async def test_what_a_file_from_the_trash_replaces_in_a_merged_folder_comes_back_there_too(
    agent: Agent, thrown: str, tmp_path: Path
) -> None:
    old = tmp_path / "old/src/a.txt"
    old.write_text("newer", encoding="utf-8")
    assert (await agent.fails(WS, "restore", trash_id=thrown))["code"] == "conflict"
    done = await agent(WS, "restore", trash_id=thrown, force=True)
    [newer] = [word for word in done["warnings"][0].split("'") if word.startswith("trash_")]
    await agent(WS, "restore", trash_id=newer)

    assert old.read_text(encoding="utf-8") == "newer"
    assert not (tmp_path / "new/src").exists()


async def test_a_file_in_the_trash_stays_there_while_its_folder_is_gone_or_another_workspace(
    agent: Agent, pair: tuple[str, str], thrown: str, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.rename(tmp_path / "away")
    gone = await agent.fails(WS, "restore", trash_id=thrown)
    (tmp_path / "away").rename(old)
    await agent(WS, "register", workspace_path=str(old), force=True)
    taken = await agent.fails(WS, "restore", trash_id=thrown)

    assert [one["code"] for one in (gone, taken)] == ["not_allowed", "not_allowed"]
    assert all(str(old) in one["message"] for one in (gone, taken))
    kept = (await agent(WS, "trash", workspace_id=pair[1]))["trash"]
    assert thrown in [one["trash_id"] for one in kept]
    assert not (tmp_path / "new/src").exists()


@pytest.mark.parametrize("owner", [0, 1])
async def test_a_program_that_the_other_workspace_saw_is_linked_to_none_then(
    agent: Agent, pair: tuple[str, str], owner: int
) -> None:
    program = await agent("memory_program", "create", workspace_id=pair[owner], title="Fleet")
    names = {"program_id": program["program_id"]}
    await agent("memory_program", "link_workspace", **names, workspace_id=pair[1 - owner])
    await agent(WS, "merge", **named(pair), dry_run=False)

    told = await agent("memory_program", "get", **names)
    assert (told["workspace_id"], told.get("linked_workspaces")) == (pair[1], None)


async def test_of_what_has_a_newest_entry_the_newest_counts_and_nothing_is_lost(
    agent: Agent, pair: tuple[str, str]
) -> None:
    ledger = "memory_ledger"
    for number, home in enumerate(reversed(pair)):  # the source is told of last
        tick()
        here = {"workspace_id": home}
        await agent(ledger, "set_progress", **here, task_name="reindex", percent=number)
        await agent(ledger, "cache_set", **here, key="k", payload={"n": number})
        await agent(ledger, "record_metric", **here, name="coverage", value=number, bucket="2030-W05")
        for path in (f"old-{number}", f"new-{number}"):
            await agent(ledger, "add_artifact", **here, artifact_type="code", name="parser", path=path)

    await agent(WS, "merge", **named(pair), dry_run=False)

    here = {"workspace_id": pair[1]}
    [job] = (await agent(ledger, "list_progress", **here))["progress"]
    [point] = (await agent(ledger, "list_metrics", **here))["points"]
    assert (job["percent"], point["value"]) == (1, 1)
    assert (await agent(ledger, "list_metrics", **here, history=True))["total"] == 2
    assert (await agent(ledger, "cache_get", **here, key="k"))["payload"] == {"n": 1}
    [parser] = (await agent(ledger, "list_artifacts", **here))["artifacts"]
    whole = await agent(ledger, "list_artifacts", artifact_id=parser["artifact_id"])
    assert whole["path"] == "new-1"
    assert sorted(one["old_value"] for one in whole["history"]) == ["new-0", "old-0", "old-1"]


async def test_what_gives_way_is_named_and_can_come_back(agent: Agent, pair: tuple[str, str], db: Database) -> None:
    ledger = "memory_ledger"
    for number, home in enumerate(pair):  # the target is told of last
        here = {"workspace_id": home}
        await agent(ledger, "set_progress", **here, task_name="job", percent=number, state={"k": number})
        await agent(ledger, "cache_set", **here, key="k", payload={"n": number})
        await agent(ledger, "add_artifact", **here, artifact_type="code", name="parser", path=f"p-{number}")
        await agent(ledger, "set_agent", **here, agent="ada", branch=f"b-{number}")

    preview = (await agent(WS, "merge", **named(pair)))["preview"]
    told = await agent(WS, "merge", **named(pair), dry_run=False)

    kinds = [(one["kind"], one["name"].rpartition(" / ")[2]) for one in told["gave_way"]]
    assert kinds == [("agent", "ada"), ("artifact", "parser"), ("progress", "job"), ("entry", "k")]
    assert told["gave_way_total"] == preview["would_give_way_total"] == 4
    assert preview["would_give_way"] == [without(one, "trash_id") for one in told["gave_way"]]
    assert preview["would_move"] == told["moved"]
    assert not {"agents", "artifacts", "task_progress", "cache_entries"} & told["moved"].keys()
    here = {"workspace_id": pair[1]}
    logged = json.loads(await db.value("SELECT data FROM event_log WHERE type = 'workspace_merged'"))
    assert (logged["gave_way"], logged["moved"]) == (told["gave_way"], told["moved"])
    await agent(ledger, "cache_clear", **here, key="k")
    [cached] = [one for one in told["gave_way"] if one["kind"] == "entry"]
    assert (await agent(WS, "restore", trash_id=cached["trash_id"]))["workspace_id"] == pair[1]
    assert (await agent(ledger, "cache_get", **here, key="k"))["payload"] == {"n": 0}
    [job] = [one for one in told["gave_way"] if one["kind"] == "progress"]
    assert (await agent.fails(WS, "restore", trash_id=job["trash_id"]))["code"] == "conflict"


def without(told: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in told.items() if key != name}


async def test_what_is_told_to_have_moved_is_what_has_moved(
    agent: Agent, db: Database, tmp_path: Path, store: Store
) -> None:
    async with db.transaction() as tx:
        await fill_the_rest(tx, store)
    (tmp_path / "other").mkdir()
    target = (await agent(WS, "register", workspace_path=str(tmp_path / "other")))["workspace_id"]
    source = await db.value("SELECT workspace_id FROM plans WHERE plan_id = :id", {"id": store.plan_id})
    columns = await columns_of_tables(db)
    tables = [name for name, known in columns.items() if "workspace_id" in known and name not in APART]
    before = {table: await rowids(db, table, source) for table in tables}

    told = await agent(WS, "merge", source_workspace_id=source, target_workspace_id=target, dry_run=False)

    after = {table: before[table] & await rowids(db, table, target) for table in tables}
    assert told["moved"] == {table: len(ids) for table, ids in after.items() if ids}
    gone = {table: len(before[table]) - len(after[table]) for table in tables}
    assert {table for table, number in gone.items() if number} <= {*OF_FOLDER, *LINKS, *KEYS, *EXPIRING}


async def rowids(db: Database, table: str, workspace_id: str) -> set[int]:
    query = f"SELECT rowid FROM {table} WHERE workspace_id = :id"
    return {row[0] for row in await db.all(query, {"id": workspace_id})}


async def test_what_a_link_says_is_not_lost(agent: Agent, pair: tuple[str, str], db: Database) -> None:
    names = [row["name"] for row in await db.all("SELECT name FROM skill_definitions LIMIT 2")]
    async with db.transaction() as tx:
        for number, home in enumerate(pair):
            for name in names:
                notes = f"of {number}" if name == names[0] else None
                await tx.run(
                    "INSERT INTO workspace_skills (workspace_id, name, notes, created_at) VALUES (:w, :n, :s, :now)",
                    {"w": home, "n": name, "s": notes, "now": tx.now()},
                )
    told = await agent(WS, "merge", **named(pair), dry_run=False)
    assert [(one["kind"], one["name"]) for one in told["gave_way"]] == [("link", names[0])]
    assert "of 0" in await db.value(
        "SELECT data FROM trash WHERE trash_id = :id", {"id": told["gave_way"][0]["trash_id"]}
    )
