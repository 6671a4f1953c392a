"""burndown-chart out: its folder with what changed, what came from databases and packages, packages."""

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from server.exporters import burndown_chart, burndown_package
from tests import burndown_stores as stores
from tests.importers.conftest import Taker

Json = dict[str, Any]


async def written(take: Taker) -> dict[str, bytes]:
    return {file.path: file.content async for file in burndown_chart.store(take.db)}


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_token(profile: Json) -> Json:
    config = {name: value for name, value in profile["jira_config"].items() if name != "token"}
    return {**profile, "jira_config": config}


async def test_files_come_back_byte_for_byte_and_credentials_do_not(take: Taker, tmp_path: Path) -> None:
    made = stores.store(11)
    source = files_of(stores.put(tmp_path / "app", made))
    await take(tmp_path / "app")
    found = await written(take)

    assert found.keys() == source.keys()
    changed = {path for path in source if found[path] != source[path]}
    assert changed == {path for path in source if path.endswith("/profile.json")}
    for name, profile in made.profiles.items():
        told = json.loads(found[f"profiles/{name}/profile.json"])
        config = {**told["jira_config"], "token": None}
        assert {**told, "jira_config": config} == {
            **profile,
            "jira_config": {**profile["jira_config"], "token": None},
        }
    assert stores.TOKEN.encode() not in b"".join(found.values())


async def test_with_secrets_profiles_come_back_byte_for_byte_too(take: Taker, tmp_path: Path) -> None:
    source = files_of(stores.put(tmp_path / "app", stores.store(11)))
    await take(tmp_path / "app", with_secrets=True)
    assert await written(take) == source


async def test_what_changed_here_changes_its_fields_alone(take: Taker, tmp_path: Path) -> None:
    made = stores.store(12, profiles=1)
    stores.put(tmp_path / "app", made)
    await take(tmp_path / "app")
    step = await take.db.one(
        "SELECT s.step_id, s.plan_id FROM steps s JOIN plans p ON p.plan_id = s.plan_id "
        "WHERE s.external_id = 'DEV-2' AND p.external_id = 'default/q0'"
    )
    assert step
    ours = {"step_id": step["step_id"], "agent": "me"}
    await take.ask("memory_steps", {"action": "update", **ours, "status": "cancelled", "task": "Anders"})
    await take.ask("memory_steps", {"action": "add", "plan_id": step["plan_id"], "steps": [{"task": "Neu hier"}]})
    found = json.loads((await written(take))["profiles/default/queries/q0/jira_cache.json"])

    before = stores.cache(made.queries[0])
    issues = found.pop("issues")
    assert found == {**{k: v for k, v in before.items() if k != "issues"}, "total_issues": len(before["issues"]) + 1}
    assert issues[1]["fields"]["summary"] == "Anders"
    assert issues[1]["fields"]["status"]["statusCategory"]["key"] == "done"
    assert issues[-1]["fields"]["summary"] == "Neu hier"
    assert [one for n, one in enumerate(issues[:-1]) if n != 1] == [
        one for n, one in enumerate(before["issues"]) if n != 1
    ]


@pytest.mark.parametrize("tables", [8, 11])
async def test_a_database_goes_back_to_the_folder_it_once_was(take: Taker, tmp_path: Path, tables: int) -> None:
    made = stores.store(13)
    await take(stores.put_database(tmp_path / "burndown.db", made, tables=tables))
    found = {path: json.loads(data) for path, data in (await written(take)).items()}

    assert found["profiles/profiles.json"]["profiles"].keys() == made.profiles.keys()
    for one in made.queries:
        folder = f"profiles/{one.profile}/queries/{one.query}"
        head = found[f"{folder}/query.json"]
        assert {name: head[name] for name in ("name", "jql", "description")} == {
            name: one.head[name] for name in ("name", "jql", "description")
        }
        told = {issue["key"]: issue["fields"] for issue in found[f"{folder}/jira_cache.json"]["issues"]}
        assert {key: fields["summary"] for key, fields in told.items()} == {
            issue["key"]: issue["fields"]["summary"] for issue in one.issues
        }
        changes = found.get(f"{folder}/jira_changelog_cache.json", {})
        assert {
            key: sum(len(history["items"]) for history in entry["changelog"]["histories"])
            for key, entry in changes.items()
        } == {key: sum(len(history["items"]) for history in listed) for key, listed in one.changes.items()}
        if tables == 8:
            assert found[f"{folder}/project_data.json"]["statistics"][0]["date"] == "2025-10-01"
            assert [
                issue
                for issue in one.issues
                if told[issue["key"]]["customfield_10016"] != issue["fields"]["customfield_10016"]
            ] == []


async def test_what_went_out_comes_in_again(take: Taker, tmp_path: Path) -> None:
    made = stores.store(14)
    await take(stores.put_database(tmp_path / "burndown.db", made, tables=11))
    before = await take.db.all("SELECT external_id, task, status FROM steps ORDER BY step_id")
    for path, data in (await written(take)).items():
        (tmp_path / "out" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / path).write_bytes(data)
    report = await take(tmp_path / "out")

    assert report.differences == []
    assert [
        tuple(row) for row in await take.db.all("SELECT external_id, task, status FROM steps ORDER BY step_id")
    ] == [tuple(row) for row in before]


async def test_packages_hold_everything_but_credentials_and_come_in_again(take: Taker, tmp_path: Path) -> None:
    made = stores.store(15)
    await take(stores.put(tmp_path / "app", made))
    packages = {file.path: file.content async for file in burndown_package.store(take.db)}

    assert sorted(packages) == sorted(f"{name}.{end}" for name in made.profiles for end in ("json", "zip"))
    assert stores.TOKEN.encode() not in b"".join(packages.values())
    whole = json.loads(packages["default.json"])
    assert whole["manifest"]["includes_token"] is False
    with zipfile.ZipFile(BytesIO(packages["default.zip"])) as archive:
        members = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    assert members["profile.json"] == whole["profile_data"]
    own = [one for one in made.queries if one.profile == "default"]
    for one in own:
        assert members[f"queries/{one.query}.json"] == whole["query_data"][one.query]
        issues = whole["query_data"][one.query]["jira_cache"]["issues"]
        assert [issue["key"] for issue in issues] == [issue["key"] for issue in one.issues]
        assert whole["query_data"][one.query]["project_scope"] == one.scope
    before = await take.db.value("SELECT count(*) FROM steps")
    (tmp_path / "default.json").write_bytes(packages["default.json"])
    report = await take(tmp_path / "default.json")
    assert report.differences == []
    assert await take.db.value("SELECT count(*) FROM steps") == before


async def test_a_package_of_ours_that_comes_back_changes_nothing(take: Taker, tmp_path: Path) -> None:
    await take(stores.put(tmp_path / "app", stores.store(15)))
    packages = {file.path: file.content async for file in burndown_package.store(take.db)}
    for name in ("default.json", "default.zip"):
        (tmp_path / name).write_bytes(packages[name])
        report = await take(tmp_path / name)
        assert {table: row for table, row in report.rows.items() if row.keys() & {"updated", "kept", "deleted"}} == {}
    assert report.rows["context_items"].get("new", 0) == 0


async def test_what_a_package_changed_is_in_the_files_with_what_is_changed_later(take: Taker, tmp_path: Path) -> None:
    source = stores.put(tmp_path / "app", stores.store(15))
    await take(source)
    packages = {file.path: file.content async for file in burndown_package.store(take.db)}
    whole = json.loads(packages["default.json"])
    query, told = next((name, one) for name, one in whole["query_data"].items() if one.get("jira_cache"))
    first, second = told["jira_cache"]["issues"][:2]
    first["fields"]["summary"], told["query_metadata"]["name"] = "Of the package", "Its name"
    (tmp_path / "default.json").write_text(json.dumps(whole))
    await take(tmp_path / "default.json")

    folder = f"profiles/default/queries/{query}"
    before = json.loads((source / folder / "jira_cache.json").read_bytes())
    for expected in ("Of the package", "Of ours"):
        files = {file.path: file.content async for file in burndown_chart.store(take.db)}
        issues = json.loads(files[f"{folder}/jira_cache.json"])["issues"]
        assert [issue["fields"]["summary"] for issue in issues[:2]] == [expected, second["fields"]["summary"]]
        assert (len(issues), issues[1:]) == (len(before["issues"]), before["issues"][1:])
        assert json.loads(files[f"{folder}/query.json"])["name"] == "Its name"
        step_id = await take.db.value("SELECT step_id FROM steps WHERE task = 'Of the package'")
        if step_id:
            await take.ask("memory_steps", {"action": "update", "step_id": step_id, "task": "Of ours", "agent": "me"})


async def test_no_package_holds_a_credential_and_none_takes_one_away(take: Taker, tmp_path: Path) -> None:
    source = stores.put(tmp_path / "app", stores.store(15))
    await take(source, with_secrets=True)
    token = "SELECT count(*) FROM workspaces WHERE meta LIKE :token"
    told = {"token": f"%{stores.TOKEN}%"}
    number = await take.db.value(token, told)
    assert number > 0
    packages = {file.path: file.content async for file in burndown_package.store(take.db)}
    plain = b"".join(packages.values())
    with zipfile.ZipFile(BytesIO(packages["default.zip"])) as archive:
        plain += b"".join(map(archive.read, archive.namelist()))
    assert stores.TOKEN.encode() not in plain

    (tmp_path / "default.json").write_bytes(packages["default.json"])
    for how in ("merge", "overwrite"):
        await take(tmp_path / "default.json", on_conflict=how)
        assert await take.db.value(token, told) == number
    profile = next(source.glob("profiles/*/profile.json"))
    profile.write_text(json.dumps(json.loads(profile.read_bytes()) | {"description": "New"}))
    await take(source)
    assert await take.db.value(token, told) == number
    assert await take.db.value("SELECT count(*) FROM workspaces WHERE meta LIKE '%\"New\"%'") == 1


async def test_a_file_that_was_damaged_since_takes_nothing_away(take: Taker, tmp_path: Path) -> None:
    source = stores.put(tmp_path / "app", stores.store(15))
    await take(source)
    before = [tuple(row) for row in await take.db.all("SELECT * FROM plans ORDER BY plan_id")]
    files = sorted(source.glob("profiles/*/queries/*/query.json"))
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[:-5])
    report = await take(source)
    assert report.exit_code == 3
    assert [tuple(row) for row in await take.db.all("SELECT * FROM plans ORDER BY plan_id")] == before
    assert (await take.verify(source)).standing == "GREEN"

    files[0].write_bytes(json.dumps(json.loads(whole) | {"name": "Mended"}).encode())
    await take(source)
    assert await take.db.value("SELECT count(*) FROM plans WHERE title = 'Mended'") == 1
