"""memory_workspace: a project folder that was renamed, moved or copied, and whose memory that is."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from server.db.storage.connection import Database
from server.settings import Settings
from server.tools import paths
from tests.conftest import Agent
from tests.tools.workspace.test_memory_workspace import WS, git, identity_of, make_plan, register, remember, worktree

PREVIOUS = ".projectmemory/identity.previous.json"


async def registered(agent: Agent, folder: Path, **more: Any) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return (await register(agent, folder, **more))["workspace_id"]


async def seen_from(agent: Agent, path: Path) -> str:
    return (await agent(WS, "info", workspace_path=str(path)))["workspace_id"]


async def test_a_renamed_folder_is_the_same_workspace_with_its_memory(
    agent: Agent, project: Path, tmp_path: Path
) -> None:
    workspace_id = await registered(agent, project)
    plan_id, _ = await make_plan(agent, workspace_id)
    await agent("memory_session", "reserve_files", paths=["src/a.py"], agent="ada", workspace_id=workspace_id)
    edit = {"plan_id": plan_id, "file_path": "src/a.py", "change_type": "edit", "agent": "ada"}
    await agent("memory_steps", "record_edit", **edit)
    shop = project.rename(tmp_path / "shop")

    moved = await register(agent, shop)

    told = (moved["workspace_id"], moved["moved_from"], moved["path"], moved["name"], moved["first_time"])
    assert told == (workspace_id, str(project), str(shop), "shop", False)
    assert moved["plan_counts"] == {"active": 1}
    assert "warnings" not in moved
    assert identity_of(shop)["workspace_id"] == workspace_id
    assert identity_of(shop)["workspace_path"] == str(shop)
    assert not (shop / PREVIOUS).exists()
    info = await agent(WS, "info", workspace_id=workspace_id)
    assert (info["path"], info["former_paths"], info.get("aliases")) == (str(shop), [str(project)], None)
    assert await seen_from(agent, project / "src") == workspace_id, "the old path goes on to mean it"
    assert "moved_from" not in await register(agent, shop)
    listed = await agent("memory_session", "list_reservations", workspace_path=str(shop))
    assert [one["path"] for one in listed["reservations"]] == ["src/a.py"]
    edits = await agent("memory_steps", "list_edits", file_path=str(shop / "src/a.py"), workspace_id=workspace_id)
    assert edits["total"] == 1
    events = await agent(WS, "events", workspace_id=workspace_id, types=["workspace_moved"])
    assert [event["data"] for event in events["events"]] == [{"from": str(project), "to": str(shop)}]


async def test_servers_that_find_the_same_moved_folder_at_once_agree(
    agent: Agent, project: Path, tmp_path: Path
) -> None:
    workspace_id = await registered(agent, project)
    shop = project.rename(tmp_path / "shop")
    answers = await asyncio.gather(*(register(agent, shop) for _ in range(4)))
    assert {(answer["workspace_id"], answer["path"]) for answer in answers} == {(workspace_id, str(shop))}
    assert sum("moved_from" in answer for answer in answers) == 1


async def test_a_name_that_was_given_outlasts_a_move(agent: Agent, project: Path, tmp_path: Path) -> None:
    await registered(agent, project, name="Shop")
    assert (await register(agent, project.rename(tmp_path / "other")))["name"] == "Shop"


async def test_the_old_path_is_free_for_a_new_project_and_for_the_way_back(
    agent: Agent, project: Path, tmp_path: Path
) -> None:
    first = await registered(agent, project)
    shop = project.rename(tmp_path / "shop")
    await register(agent, shop)
    second = await registered(agent, project)
    assert second != first
    assert await seen_from(agent, project) == second
    assert "former_paths" not in await agent(WS, "info", workspace_id=first)

    third = project.rename(tmp_path / "third")
    assert (await register(agent, third))["workspace_id"] == second
    assert (await register(agent, shop.rename(project)))["workspace_id"] == first
    assert await seen_from(agent, project) == first
    assert "former_paths" not in await agent(WS, "info", workspace_id=second)
    assert await seen_from(agent, shop) == first


async def test_a_folder_whose_surroundings_are_gone_may_be_on_a_disk_that_is_not_mounted(
    agent: Agent, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    workspace_id = await registered(agent, disk / "project")
    new = tmp_path / "project"
    shutil.copytree(disk / "project", new)
    away = disk.rename(tmp_path / "unmounted")

    error = await agent.fails(WS, "register", workspace_path=str(new))
    assert (error["code"], error["workspace_id"]) == ("conflict", workspace_id)
    for told in ("action='migrate'", "not mounted", workspace_id, str(disk / "project")):
        assert told in error["message"]
    assert identity_of(new)["workspace_path"] == str(disk / "project")

    moved = await agent(WS, "migrate", workspace_path=str(new))
    assert (moved["workspace_id"], moved["moved_from"]) == (workspace_id, str(disk / "project"))
    assert identity_of(new)["workspace_path"] == str(new)
    assert await agent(WS, "migrate", workspace_path=str(new)) == {
        name: value for name, value in moved.items() if name != "moved_from"
    }
    away.rename(disk)
    copy = await register(agent, disk / "project")
    assert (copy["copy_of"], copy["first_time"]) == (workspace_id, True)


@pytest.mark.parametrize("changes", [{"data_root": "/elsewhere"}, {"workspace_path": "/some/other/path"}])
async def test_a_file_that_does_not_fit_is_settled_by_hand(
    agent: Agent, project: Path, tmp_path: Path, changes: dict[str, str]
) -> None:
    workspace_id = await registered(agent, project)
    text = json.dumps({**identity_of(project), **changes})
    shop = project.rename(tmp_path / "shop")
    remember(shop, text)

    error = await agent.fails(WS, "register", workspace_path=str(shop))
    assert (error["code"], "does not fit" in error["message"]) == ("conflict", True)
    assert (shop / ".projectmemory/identity.json").read_text(encoding="utf-8") == text

    forced = await register(agent, shop, force=True)
    assert forced["workspace_id"] != workspace_id
    assert (shop / PREVIOUS).read_text(encoding="utf-8") == text


async def test_a_copy_is_a_workspace_of_its_own_and_says_so(agent: Agent, project: Path, tmp_path: Path) -> None:
    workspace_id = await registered(agent, project)
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    before = (copy / ".projectmemory/identity.json").read_text(encoding="utf-8")
    told = await register(agent, copy)
    assert (told["first_time"], told["copy_of"]) == (True, workspace_id)
    assert "is a copy of" in told["warnings"][0]
    assert told["workspace_id"] != workspace_id
    assert identity_of(copy)["workspace_id"] == told["workspace_id"]
    assert (copy / PREVIOUS).read_text(encoding="utf-8") == before
    assert identity_of(project)["workspace_id"] == workspace_id
    again = await register(agent, copy)
    assert not {"copy_of", "warnings"} & again.keys()


async def test_a_folder_that_left_a_link_behind_was_moved(agent: Agent, project: Path, tmp_path: Path) -> None:
    workspace_id = await registered(agent, project)
    shop = project.rename(tmp_path / "shop")
    project.symlink_to(shop)
    moved = await register(agent, project)
    assert (moved["workspace_id"], moved["path"], moved["moved_from"]) == (workspace_id, str(shop), str(project))
    assert await seen_from(agent, project) == workspace_id


def test_the_same_folder_by_another_spelling_is_no_copy(project: Path, tmp_path: Path) -> None:
    (tmp_path / "PROJECT").symlink_to(project)
    assert paths.whereabouts(str(tmp_path / "PROJECT"), str(project)) == "same"
    assert paths.whereabouts(str(tmp_path), str(project)) == "there"
    assert paths.whereabouts(str(tmp_path / "x"), str(project)) == "gone"
    assert paths.whereabouts(str(tmp_path / "x" / "y"), str(project)) == "unreachable"


async def test_workspaces_inside_come_along(agent: Agent, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer_id = await registered(agent, outer)
    inner_id = await registered(agent, outer / "libs" / "inner", force=True)
    left_id = await registered(agent, outer / "left", force=True)
    await agent(WS, "link", workspace_id=outer_id, child_workspace_id=inner_id)
    (outer / "left").rename(tmp_path / "left")
    new = outer.rename(tmp_path / "new")

    moved = await register(agent, new)

    assert (moved["workspace_id"], moved["path"]) == (outer_id, str(new))
    assert moved["moved_with"] == [{"workspace_id": inner_id, "name": "inner", "path": str(new / "libs" / "inner")}]
    assert identity_of(new / "libs" / "inner")["workspace_path"] == str(new / "libs" / "inner")
    assert await seen_from(agent, new / "libs" / "inner" / "src") == inner_id
    assert await seen_from(agent, outer / "libs" / "inner") == inner_id
    error = await agent.fails(WS, "register", workspace_path=str(tmp_path / "left"))
    assert error["workspace_id"] == left_id
    assert (await agent(WS, "migrate", workspace_path=str(tmp_path / "left")))["workspace_id"] == left_id


async def test_a_main_repository_that_moved_takes_its_worktrees_along(agent: Agent, tmp_path: Path) -> None:
    main = git(tmp_path / "main")
    workspace_id = await registered(agent, main)
    tree = worktree(main, tmp_path / "tree")
    assert await seen_from(agent, tree) == workspace_id
    new = main.rename(tmp_path / "new")
    assert (await register(agent, new))["workspace_id"] == workspace_id
    (tree / ".git").write_text(f"gitdir: {new / '.git' / 'worktrees' / 'tree'}\n", encoding="utf-8")  # git repairs it
    assert await seen_from(agent, tree) == workspace_id
    assert (await register(agent, tree))["worktree_of"] == str(new)


@pytest.mark.parametrize("project", ["", "packages/one"])
async def test_a_worktree_is_no_new_workspace_while_that_of_its_moved_repository_waits(
    agent: Agent, tmp_path: Path, project: str
) -> None:
    main = git(tmp_path / "repo")
    workspace_id = await registered(agent, main / project)
    tree = worktree(main, tmp_path / "tree")
    (tree / project).mkdir(parents=True, exist_ok=True)
    new = main.rename(tmp_path / "renamed")
    (tree / ".git").write_text(f"gitdir: {new / '.git' / 'worktrees' / 'tree'}\n", encoding="utf-8")  # git repairs it

    error = await agent.fails(WS, "register", workspace_path=str(tree / project))

    assert error["code"] == "conflict"
    assert (error["workspace_id"], error["workspace_path"]) == (workspace_id, str(new / project))
    moved = await agent(WS, "migrate", workspace_path=error["workspace_path"])
    assert moved["moved_from"] == str(main / project)
    assert (await register(agent, tree / project))["workspace_id"] == workspace_id


async def test_a_worktree_that_is_a_workspace_can_be_moved(agent: Agent, tmp_path: Path) -> None:
    bare = tmp_path / "repo.git"
    bare.mkdir()
    tree = worktree(bare, tmp_path / "tree")
    workspace_id = await registered(agent, tree)
    moved = await register(agent, tree.rename(tmp_path / "moved"))
    assert (moved["workspace_id"], moved["path"]) == (workspace_id, str(tmp_path / "moved"))


async def test_a_moved_folder_may_not_come_to_lie_inside_another_unnoticed(
    agent: Agent, project: Path, tmp_path: Path
) -> None:
    workspace_id = await registered(agent, project)
    outer = tmp_path / "outer"
    outer_id = await registered(agent, outer)
    inner = project.rename(outer / "inner")
    for action in ("register", "migrate"):
        error = await agent.fails(WS, action, workspace_path=str(inner))
        assert (error["code"], error["overlaps"][0]["workspace_id"]) == ("conflict", outer_id)
    assert (await register(agent, inner, force=True))["workspace_id"] == workspace_id


async def test_a_folder_that_holds_the_file_of_another_one_is_both_and_says_so(
    agent: Agent, project: Path, tmp_path: Path
) -> None:
    """The folder of one workspace was deleted, and another one was moved into its place."""
    there = await registered(agent, project)
    other = tmp_path / "other"
    moved = await registered(agent, other)
    shutil.rmtree(project)
    other.rename(project)
    error = await agent.fails(WS, "register", workspace_path=str(project))
    assert (error["workspace_id"], error["named"]) == (there, moved)
    error = await agent.fails(WS, "migrate", workspace_path=str(project))
    assert (error["code"], error["workspace_id"]) == ("conflict", there)
    assert identity_of(project)["workspace_id"] == moved
    assert (await register(agent, project, force=True))["workspace_id"] == there
    assert json.loads((project / PREVIOUS).read_text(encoding="utf-8"))["workspace_id"] == moved


@pytest.mark.parametrize(
    "fields",
    [
        {"workspace_id": "project-0123456789ab", "workspace_path": "/somewhere/else"},
        {"workspace_id": "project-0123456789ab"},
        {"workspace_id": "project-0123456789ab", "workspace_path": "."},
        {"workspace_id": "project-0123456789ab", "workspace_path": "a\0b"},
    ],
)
async def test_a_file_of_an_unknown_workspace_is_replaced_only_by_force(
    agent: Agent, project: Path, fields: dict[str, str]
) -> None:
    text = json.dumps(fields)
    remember(project, text)
    for first_time in (True, False):
        told = await register(agent, project)
        assert told["first_time"] is first_time
        assert "left as it is" in told["warnings"][0]
        assert (project / ".projectmemory/identity.json").read_text(encoding="utf-8") == text
    await register(agent, project, force=True)
    assert identity_of(project)["workspace_id"] == told["workspace_id"]
    assert (project / PREVIOUS).read_text(encoding="utf-8") == text
    assert "warnings" not in await register(agent, project)


async def test_a_file_of_another_database_that_is_there_is_replaced_only_by_force(
    agent: Agent, project: Path, tmp_path: Path, settings: Settings
) -> None:
    other = Settings(data_root=tmp_path / "other-root", synchronous="off")
    other.data_root.mkdir()
    other.database.touch()
    fields = {"workspace_id": "ws_1rqewqexykb7", "workspace_path": str(project), "data_root": str(other.data_root)}
    remember(project, json.dumps(fields))
    told = await register(agent, project)
    assert (told["workspace_id"], "left as it is" in told["warnings"][0]) == ("ws_1rqewqexykb7", True)
    assert identity_of(project)["data_root"] == str(other.data_root)
    other.database.unlink()
    assert "warnings" not in await register(agent, project)
    assert identity_of(project)["data_root"] == str(settings.data_root)


async def test_migrate_takes_a_folder_without_a_file_when_it_is_told_whose(
    agent: Agent, project: Path, tmp_path: Path
) -> None:
    workspace_id = await registered(agent, project)
    bare = tmp_path / "bare"
    bare.mkdir()
    assert (await agent.fails(WS, "migrate", workspace_path=str(bare)))["missing"] == ["workspace_id"]
    error = await agent.fails(WS, "migrate", workspace_path=str(bare), workspace_id="ws_unknown")
    assert error["code"] == "not_found"
    error = await agent.fails(WS, "migrate", workspace_path=str(bare), workspace_id=workspace_id)
    assert (error["code"], error["path"]) == ("conflict", str(project))
    shutil.rmtree(project)
    moved = await agent(WS, "migrate", workspace_path=str(bare), workspace_id=workspace_id)
    assert (moved["workspace_id"], moved["path"], moved["moved_from"]) == (workspace_id, str(bare), str(project))
    assert identity_of(bare)["workspace_id"] == workspace_id


async def test_a_moved_folder_that_cannot_be_written_can_be_moved_again(
    agent: Agent, project: Path, tmp_path: Path
) -> None:
    workspace_id = await registered(agent, project)
    second = project.rename(tmp_path / "second")
    before = (second / ".projectmemory/identity.json").read_text(encoding="utf-8")
    await register(agent, second)
    remember(second, before)  # as if it could not be written
    third = await register(agent, second.rename(tmp_path / "third"))
    assert (third["workspace_id"], third["moved_from"]) == (workspace_id, str(second))


async def test_the_identity_file_of_an_imported_store_moves_too(
    agent: Agent, project: Path, tmp_path: Path, db: Database
) -> None:
    """Its file names the id of old and the folder of the older store."""
    workspace_id = await registered(agent, project)
    async with db.transaction() as tx:
        await tx.run(
            "INSERT INTO workspace_aliases (alias, workspace_id, created_at) VALUES ('project-0123456789ab', :id, 'n')",
            {"id": workspace_id},
        )
    store = tmp_path / "store"
    (store / "project-0123456789ab").mkdir(parents=True)
    (store / "project-0123456789ab" / "workspace.meta.json").write_text("{}", encoding="utf-8")
    shop = project.rename(tmp_path / "shop")
    remember(
        shop,
        json.dumps({"workspace_id": "project-0123456789ab", "workspace_path": str(project), "data_root": str(store)}),
    )
    moved = await register(agent, shop)
    assert (moved["workspace_id"], moved["moved_from"]) == (workspace_id, str(project))
    assert (identity_of(shop)["workspace_id"], identity_of(shop)["data_root"]) == (workspace_id, str(store))


async def test_the_home_folder_is_no_project(agent: Agent, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(project))
    monkeypatch.setenv("USERPROFILE", str(project))
    for spelling in ("~", str(project), f"{project}/."):
        error = await agent.fails(WS, "register", workspace_path=spelling)
        assert (error["code"], "home folder" in error["message"]) == ("invalid_arguments", True)
    (project / "app").mkdir()
    assert (await register(agent, "~/app"))["first_time"] is True
