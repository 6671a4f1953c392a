"""burndown-chart in: the shapes of its files, its databases, its packages."""

import json
import os
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from server.errors import InvalidArguments
from tests import burndown_stores as stores
from tests.importers.conftest import Taker


async def column(take: Taker, sql: str) -> list[object]:
    return [row[0] for row in await take.db.all(sql)]


async def counted(take: Taker) -> dict[str, int]:
    tables = ("workspaces", "plans", "steps", "field_changes", "metric_points")
    return {table: await take.db.value(f"SELECT count(*) FROM {table}") for table in tables}


def wanted(made: stores.Store) -> dict[str, int]:
    return {
        "workspaces": len(made.profiles),
        "plans": len(made.queries),
        "steps": sum(len(one.issues) for one in made.queries),
        "field_changes": sum(one.changed for one in made.queries),
        "metric_points": sum(one.points for one in made.queries),
    }


async def test_an_issue_is_a_step_with_its_key_and_what_jira_says_of_it(take: Taker, tmp_path: Path) -> None:
    made = stores.store(3)
    await take(stores.put(tmp_path / "app", made))
    for one in made.queries:
        for issue in one.issues:
            row = await take.db.one(
                """
                SELECT s.*, p.title FROM steps s JOIN plans p ON p.plan_id = s.plan_id
                JOIN workspaces w ON w.workspace_id = p.workspace_id
                WHERE s.external_id = :key AND p.external_id = :plan
                """,
                {"key": issue["key"], "plan": f"{one.profile}/{one.query}"},
            )
            assert row
            fields = issue["fields"]
            assert (row["task"], row["title"]) == (fields["summary"], one.head["name"])
            assert row["status"] == stores.EXPECTED[fields["status"]["name"]]
            assert row["created_at"] == "2025-01-02T02:04:05.678Z"
            assert (row["completed_at"] is None) == (fields["resolutiondate"] is None)
            assert row["assignee"] == (fields["assignee"] and "Ada")
            kept = json.loads(row["extra"])["burndown-chart"]["fields"]
            assert kept["customfield_10016"] == fields["customfield_10016"]
            assert kept["status"] == fields["status"]


async def test_two_changes_of_one_field_in_one_second_are_two(take: Taker, tmp_path: Path) -> None:
    made = stores.store(3)
    await take(stores.put(tmp_path / "app", made))
    assert (await counted(take))["field_changes"] == sum(one.changed for one in made.queries)


async def test_a_value_that_is_unknown_stays_so_and_weeks_have_one_spelling(take: Taker, tmp_path: Path) -> None:
    await take(stores.put(tmp_path / "app", stores.store(3)))
    rows = await take.db.all("SELECT bucket, name, value FROM metric_points WHERE category = 'metrics'")
    found = {(row["bucket"], row["name"], row["value"]) for row in rows}

    assert found == {
        ("2025-W44", "flow_velocity", 4.5),
        ("2025-W45", "deployment_frequency", None),
        ("2025-W45", "mttr", 0.0),
    }


async def test_secrets_are_left_out_unless_they_are_wanted(take: Taker, tmp_path: Path) -> None:
    await take(stores.put(tmp_path / "app", stores.store(3)))
    assert stores.TOKEN not in str(await column(take, "SELECT meta FROM workspaces"))
    await take(tmp_path / "app", with_secrets=True)
    told = await column(take, "SELECT count(*) FROM import_files WHERE path LIKE '%profile.json'")
    assert told == [2]


@pytest.mark.parametrize("tables", [8, 11])
async def test_a_database_becomes_what_its_files_did(take: Taker, tmp_path: Path, tables: int) -> None:
    made = stores.store(4)
    folder = tmp_path / "app"
    folder.mkdir()
    path = stores.put_database(folder / "burndown.db", made, tables=tables)
    before = path.read_bytes()
    report = await take(folder)
    found = await counted(take)

    assert report.differences == []
    assert {name: found[name] for name in ("workspaces", "plans", "steps", "field_changes")} == {
        name: number for name, number in wanted(made).items() if name != "metric_points"
    }
    assert path.read_bytes() == before
    assert sorted(one.name for one in folder.iterdir()) == ["burndown.db"]
    assert await column(take, "SELECT percent FROM task_progress") == [40.5]
    assert set((await take(folder)).files) == {"unchanged"}
    statuses = await take.db.all("SELECT external_id, status FROM steps")
    raw = {issue["key"]: issue["fields"]["status"]["name"] for one in made.queries for issue in one.issues}
    assert len(statuses) >= len(raw)
    expiries = set(await column(take, "SELECT expires_at FROM cache_entries") if tables == 8 else [])
    assert expiries <= {"2031-01-01T00:00:00.000Z"}


async def test_a_table_that_nobody_knows_is_kept_and_told(take: Taker, tmp_path: Path) -> None:
    stores.put_database(tmp_path / "burndown.db", stores.store(4), tables=11)
    report = await take(tmp_path / "burndown.db")
    kept = await column(take, "SELECT data FROM context_items WHERE type = 'table_surprises'")

    assert [json.loads(str(one))["rows"][0]["what"] for one in kept] == ["nobody knows"]
    assert any("not known" in finding.what and finding.json_path == "surprises" for finding in report.findings)


async def test_a_database_that_took_over_counts_before_the_files(take: Taker, tmp_path: Path) -> None:
    made = stores.store(5)
    stores.put(tmp_path / "app", made)
    stores.put_database(tmp_path / "app" / "profiles" / "burndown.db", made)
    with closing(sqlite3.connect(tmp_path / "app" / "profiles" / "burndown.db")) as db:
        db.execute("UPDATE queries SET name = 'From the database'")
        db.commit()
    report = await take(tmp_path / "app")

    assert set(await column(take, "SELECT title FROM plans")) == {"From the database"}
    assert (await counted(take))["steps"] == wanted(made)["steps"]
    assert [one for one in report.findings if one.severity == "error"] == []


@pytest.mark.parametrize("name", ["backup.json", "backup.zip"])
async def test_a_package_comes_in_without_credentials(take: Taker, tmp_path: Path, name: str) -> None:
    made = stores.store(6)
    path = stores.put_package(tmp_path / name, made, "default")
    report = await take(path)
    own = [one for one in made.queries if one.profile == "default"]

    assert report.differences == []
    assert await column(take, "SELECT external_id FROM workspaces") == ["default"]
    assert (await counted(take))["steps"] == sum(len(one.issues) for one in own)
    assert (await counted(take))["metric_points"] >= sum(len(one.statistics) for one in own)
    assert stores.TOKEN.encode() not in take.db.path.read_bytes()


async def test_an_archive_that_unpacks_to_too_much_is_refused(take: Taker, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", '{"version": "2.0"}')
        archive.writestr("profile.json", '{"id": "default"}')
        archive.writestr("queries/q.json", b'{"jql": "' + b"x" * (80 * 1024 * 1024) + b'"}')
    report = await take(path)

    assert report.exit_code == 2
    assert "unpacks to more" in next(one.what for one in report.findings if one.severity == "error")
    assert (await counted(take))["plans"] == 0


async def test_a_package_of_a_version_to_come_is_refused(take: Taker, tmp_path: Path) -> None:
    whole = stores.package(stores.store(6), "default")
    whole["manifest"]["version"] = "3.1"
    stores.dump(tmp_path / "package.json", whole)
    report = await take(tmp_path / "package.json")

    assert report.exit_code == 2
    assert "'3.1'" in next(one.what for one in report.findings if one.severity == "error")


async def test_what_was_there_before_profiles_is_the_default_one(take: Taker, tmp_path: Path) -> None:
    report = await take(stores.put_older(tmp_path))

    assert report.differences == []
    assert await column(take, "SELECT external_id FROM workspaces") == ["default"]
    assert set(await column(take, "SELECT title FROM plans")) == {"Old", "New"}
    points = await take.db.all(
        "SELECT p.title, m.bucket, m.name, m.value FROM metric_points m JOIN plans p ON p.plan_id = m.plan_id"
    )
    assert {tuple(row) for row in points} == {
        ("New", "2024-01-01", "no_items", 3.0),
        ("New", "2024-01-01", "no_points", 4.5),
        ("New", "2024-01-02", "no_items", 0.0),
    }


async def test_a_query_whose_own_file_is_missing_or_bad_keeps_its_issues(take: Taker, tmp_path: Path) -> None:
    made = stores.store(7, profiles=1)
    folder = stores.put(tmp_path / "app", made) / "profiles" / "default" / "queries" / "q0"
    (folder / "query.json").write_text("{", "utf-8")
    report = await take(tmp_path / "app")

    assert (await counted(take))["steps"] == wanted(made)["steps"]
    assert await column(take, "SELECT title FROM plans WHERE external_id = 'default/q0'") == ["q0"]
    assert [one.path for one in report.findings if one.severity == "error"] == [
        "profiles/default/queries/q0/query.json"
    ]


async def test_a_thousand_issues_come_in_with_their_changes(take: Taker, tmp_path: Path) -> None:
    made = stores.store(8, profiles=1, issues=1000)
    report = await take(stores.put(tmp_path / "app", made))

    assert report.differences == []
    assert (await counted(take))["steps"] == wanted(made)["steps"]
    assert (await counted(take))["field_changes"] == wanted(made)["field_changes"]


async def renamed_here(take: Taker, made: stores.Store) -> str:
    """Change a step and delete another one, and return the issue that was changed."""
    rows = await take.db.all("SELECT step_id, external_id FROM steps ORDER BY plan_id, order_index LIMIT 2")
    await take.ask("memory_steps", {"action": "update", "step_id": rows[0]["step_id"], "task": "Ours", "agent": "me"})
    await take.ask("memory_steps", {"action": "delete", "step_id": rows[1]["step_id"], "agent": "me", "confirm": True})
    assert (await counted(take))["steps"] == wanted(made)["steps"] - 1
    return rows[0]["external_id"]


async def test_what_was_changed_here_stays_unless_the_source_overwrites_it(take: Taker, tmp_path: Path) -> None:
    made = stores.store(9)
    await take(stores.put(tmp_path / "app", made))
    key = await renamed_here(take, made)
    ours = "SELECT count(*) FROM steps WHERE task = 'Ours'"
    await take(tmp_path / "app")
    assert await take.db.value(ours) == 1
    dry = await take(tmp_path / "app", on_conflict="overwrite", dry_run=True)
    assert await take.db.value(ours) == 1
    report = await take(tmp_path / "app", on_conflict="overwrite")

    assert (report.differences, dry.rows) == ([], report.rows)
    assert await take.db.value(ours) == 0
    assert (await counted(take))["steps"] == wanted(made)["steps"]
    tasks = await column(take, f"SELECT task FROM steps WHERE external_id = '{key}'")
    assert all(str(task).startswith("Tu etwas") for task in tasks)


async def test_renamed_it_stands_beside_what_is_there(take: Taker, tmp_path: Path) -> None:
    made = stores.store(9)
    await take(stores.put(tmp_path / "app", made))
    await renamed_here(take, made)
    report = await take(tmp_path / "app", on_conflict="rename")
    found = await counted(take)
    names = sorted(map(str, await column(take, "SELECT name FROM workspaces")))

    assert report.differences == []
    assert (found["workspaces"], found["plans"]) == (2 * len(made.profiles), 2 * len(made.queries))
    assert found["steps"] == 2 * wanted(made)["steps"] - 1
    assert len(set(names)) == len(names)
    assert await take.db.value("SELECT count(*) FROM steps WHERE task = 'Ours'") == 1


async def test_a_project_cannot_stand_beside_itself(take: Taker, root: Path) -> None:
    await take(root)
    with pytest.raises(InvalidArguments, match="no project"):
        await take(root, on_conflict="rename")


async def test_agents_read_how_an_issue_changed(take: Taker, tmp_path: Path) -> None:
    await take(stores.put(tmp_path / "app", stores.store(3)))
    row = await take.db.one(
        "SELECT entity_id, plan_id, workspace_id, field, count(*) OVER (PARTITION BY entity_id) AS n "
        "FROM field_changes ORDER BY n DESC"
    )
    assert row
    ledger = {"action": "list_changes", "workspace_id": row["workspace_id"]}
    listed = await take.ask("memory_ledger", ledger | {"step_id": row["entity_id"]})
    changes = listed["changes"]
    assert len(changes) == row["n"] > 0
    assert {one["entity_id"] for one in changes} == {row["entity_id"]}
    assert [one["changed_at"] for one in changes] == sorted((one["changed_at"] for one in changes), reverse=True)
    of_field = await take.ask("memory_ledger", ledger | {"step_id": row["entity_id"], "field": row["field"]})
    assert {one["field"] for one in of_field["changes"]} == {row["field"]}
    of_plan = await take.ask("memory_ledger", ledger | {"plan_id": row["plan_id"], "limit": 200})
    whole = "SELECT count(*) FROM field_changes WHERE plan_id = :plan"
    assert len(of_plan["changes"]) == await take.db.value(whole, {"plan": row["plan_id"]})
    one = await take.ask("memory_ledger", ledger | {"change_id": changes[0]["change_id"]})
    assert one == {**changes[0], **one}
    before = await take.ask("memory_ledger", ledger | {"plan_id": row["plan_id"], "until": changes[-1]["changed_at"]})
    assert all(one["changed_at"] < changes[-1]["changed_at"] for one in before["changes"])


async def test_what_is_still_in_the_log_of_a_database_comes_when_it_is_written(take: Taker, tmp_path: Path) -> None:
    path = stores.put_database(tmp_path / "burndown.db", stores.store(4), tables=11)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        with db:
            db.execute("UPDATE jira_issues SET summary = 'Before'")
        await take(path)
        with db:
            db.execute("UPDATE jira_issues SET summary = 'In the log alone'")
        await take(path)
    assert set(await column(take, "SELECT task FROM steps")) == {"In the log alone"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
async def test_a_pipe_beside_a_database_is_not_waited_for(take: Taker, tmp_path: Path) -> None:
    path = stores.put_database(tmp_path / "burndown.db", stores.store(4), tables=11)
    os.mkfifo(path.with_name("burndown.db-wal"))
    report = await take(path)
    assert report.files.get("imported", 0) == 0
