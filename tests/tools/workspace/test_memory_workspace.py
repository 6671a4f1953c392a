"""memory_workspace, as a client sees it."""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from server.db.storage.connection import Database
from server.db.storage.migrations import load
from server.db.workspaces import stats
from server.errors import InvalidArguments
from server.protocol.app import build
from server.settings import ASSETS, Settings
from server.store import open_store
from server.tools import paths
from tests.conftest import Agent

NEWEST = len(load(ASSETS / "migrations"))  # schema version
WS = "memory_workspace"
Serve = Callable[..., AbstractAsyncContextManager[Agent]]


@pytest.fixture
def serve(settings: Settings) -> Serve:
    """Start one more server on the same database, with other settings."""

    @asynccontextmanager
    async def started(**changes: Any) -> AsyncGenerator[Agent]:
        async with Client(build(replace(settings, **changes)), raise_exceptions=True) as client:
            yield Agent(client)

    return started


@pytest.fixture
async def store(settings: Settings, agent: Agent) -> AsyncGenerator[Database]:
    """The same database, opened anew."""
    await agent(WS, "list")
    database = await open_store(settings)
    yield database
    await database.close()


def identity_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / ".projectmemory" / "identity.json").read_text(encoding="utf-8"))


def remember(folder: Path, text: str) -> Path:
    """Leave an identity file in a folder."""
    file = folder / ".projectmemory" / "identity.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def git(folder: Path) -> Path:
    (folder / ".git").mkdir(parents=True)
    return folder


def worktree(repository: Path, folder: Path) -> Path:
    """Make `folder` a linked working tree of a repository, bare or not, as `git worktree add` does."""
    common = repository if repository.suffix == ".git" else repository / ".git"
    gitdir = common / "worktrees" / folder.name
    gitdir.mkdir(parents=True)
    (gitdir / "commondir").write_text("../..\n", encoding="utf-8")
    folder.mkdir(parents=True)
    (folder / ".git").write_text(f"gitdir: {gitdir}\n", encoding="utf-8")
    return folder


async def register(agent: Agent, folder: Path | str, **more: Any) -> dict[str, Any]:
    return await agent(WS, "register", workspace_path=str(folder), **more)


# register


async def test_a_folder_becomes_a_workspace_once(agent: Agent, project: Path) -> None:
    first = await register(agent, project)
    assert first == {
        "workspace_id": first["workspace_id"],
        "name": "project",
        "path": str(project),
        "first_time": True,
    }
    assert first["workspace_id"].startswith("ws_")
    assert await register(agent, project) == {**first, "first_time": False}
    assert (await agent(WS, "list"))["total"] == 1


async def test_every_spelling_of_a_folder_is_one_workspace(
    agent: Agent, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace_id = (await register(agent, project))["workspace_id"]
    (tmp_path / "link").symlink_to(project)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for spelling in (
        f"{project}/",
        f"{project}//",
        f"{project}/../project/.",
        str(tmp_path / "link"),
        f"{tmp_path}/link/../project",
        "~/project",
    ):
        again = await register(agent, spelling)
        assert (again["workspace_id"], again["first_time"]) == (workspace_id, False), spelling
        assert (await agent(WS, "info", workspace_path=spelling))["workspace_id"] == workspace_id


async def test_a_path_that_is_no_project_folder_is_refused_with_the_reason(
    agent: Agent, project: Path, tmp_path: Path
) -> None:
    file = project / "README.md"
    file.touch()
    for path, reason in (
        ("project", "not absolute"),
        ("", "not absolute"),
        ("~nobody-of-this-name/project", "not absolute"),
        (str(tmp_path / "missing"), "No such file"),
        (str(file), "is a file"),
        (str(file / "below"), "Not a directory"),
        ("/", "root of the file system"),
        ("/" + "x" * 5000, "too long"),
    ):
        error = await agent.fails(WS, "register", workspace_path=path)
        assert (error["code"], reason in error["message"]) == ("invalid_arguments", True), error
    assert (await agent.fails(WS, "register"))["missing"] == ["workspace_path"]
    assert (await agent(WS, "list"))["total"] == 0


def test_a_path_that_no_database_could_hold_is_refused() -> None:
    with pytest.raises(InvalidArguments, match="surrogate"):
        paths.project_folder("/srv/\ud800")


async def test_registering_writes_the_identity_of_the_folder_and_nothing_else(
    agent: Agent, project: Path, settings: Settings
) -> None:
    registered = await register(agent, project)
    assert {str(path.relative_to(project)) for path in project.rglob("*")} == {
        ".projectmemory",
        ".projectmemory/.gitignore",
        ".projectmemory/identity.json",
    }
    assert (project / ".projectmemory/.gitignore").read_text(encoding="utf-8") == "*\n"
    identity = identity_of(project)
    assert identity == {
        "schema_version": "1.0.0",
        "workspace_id": registered["workspace_id"],
        "workspace_path": str(project),
        "data_root": str(settings.data_root),
        "created_at": identity["created_at"],
        "updated_at": identity["updated_at"],
    }
    assert (await agent(WS, "info", workspace_path=str(project)))["created_at"] == identity["created_at"]


async def test_registering_again_touches_no_file(agent: Agent, project: Path) -> None:
    await register(agent, project)
    files = [project / ".projectmemory" / name for name in (".gitignore", "identity.json")]
    for file in files:
        os.utime(file, ns=(1, 1))
    inodes = [file.stat().st_ino for file in files]
    await register(agent, project)
    await register(agent, project, name="renamed")
    assert [file.stat().st_mtime_ns for file in files] == [1, 1]
    assert [file.stat().st_ino for file in files] == inodes


async def test_a_gitignore_that_somebody_changed_stays(agent: Agent, project: Path) -> None:
    remember(project, "{}").with_name(".gitignore").write_text("mine\n", encoding="utf-8")
    await register(agent, project)
    assert (project / ".projectmemory/.gitignore").read_text(encoding="utf-8") == "mine\n"


async def test_a_folder_remembers_its_workspace_id(agent: Agent, project: Path) -> None:
    remember(
        project,
        json.dumps({"workspace_id": "project-0123456789ab", "workspace_path": f"{project}/", "project_mcps": ["x"]}),
    )
    registered = await register(agent, project)
    assert (registered["workspace_id"], registered["first_time"]) == ("project-0123456789ab", True)
    assert "warnings" not in registered
    identity = identity_of(project)
    assert (identity["workspace_path"], identity["project_mcps"]) == (str(project), ["x"])


@pytest.mark.parametrize(
    "text",
    [
        "{not json",
        "",
        "[]",
        '{"workspace_path": "PROJECT"}',
        '{"workspace_id": "../x", "workspace_path": "PROJECT"}',
        '{"workspace_id": 7, "workspace_path": 7}',
        "[" * 50_000,
    ],
)
async def test_an_identity_file_that_is_damaged_is_replaced_and_kept_and_told(
    agent: Agent, project: Path, text: str
) -> None:
    text = text.replace("PROJECT", str(project))
    remember(project, text)
    registered = await register(agent, project)
    assert registered["workspace_id"].startswith("ws_")
    assert len(registered["warnings"]) == 1
    assert "ignored" in registered["warnings"][0]
    assert identity_of(project)["workspace_id"] == registered["workspace_id"]
    assert (project / ".projectmemory/identity.previous.json").read_text(encoding="utf-8") == text
    assert "warnings" not in await register(agent, project)


async def test_an_identity_file_that_is_no_file_blocks_nobody(agent: Agent, project: Path, tmp_path: Path) -> None:
    (project / ".projectmemory").mkdir()
    os.mkfifo(project / ".projectmemory/identity.json")
    assert "ignored" in (await register(agent, project))["warnings"][0]
    other = tmp_path / "other"
    (other / ".projectmemory").mkdir(parents=True)
    target = tmp_path / "target.json"
    target.write_text("{}", encoding="utf-8")
    (other / ".projectmemory/identity.json").symlink_to(target)
    registered = await register(agent, other)
    assert "ignored" in registered["warnings"][0]
    assert target.read_text(encoding="utf-8") == "{}"
    assert identity_of(other)["workspace_id"] == registered["workspace_id"]


async def test_an_id_that_another_workspace_has_is_not_taken_over(agent: Agent, project: Path, tmp_path: Path) -> None:
    owner = (await register(agent, project))["workspace_id"]
    copy = tmp_path / "copy"
    copy.mkdir()
    remember(copy, json.dumps({"workspace_id": owner, "workspace_path": str(copy)}))
    registered = await register(agent, copy)
    assert registered["workspace_id"] != owner
    assert owner in registered["warnings"][0]
    assert identity_of(copy)["workspace_id"] == registered["workspace_id"]
    assert identity_of(project)["workspace_id"] == owner


async def test_a_folder_that_cannot_be_written_is_registered_all_the_same(agent: Agent, project: Path) -> None:
    (project / ".projectmemory").write_text("in the way", encoding="utf-8")
    registered = await register(agent, project)
    assert "No identity file was written" in " ".join(registered["warnings"])
    assert (await agent(WS, "info", workspace_path=str(project)))["workspace_id"] == registered["workspace_id"]


async def test_no_identity_file_is_written_through_a_link(agent: Agent, project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project / ".projectmemory").symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in (await register(agent, project))["warnings"][0]
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_a_name_can_be_given_and_changed(agent: Agent, project: Path) -> None:
    assert (await register(agent, project, name=" Shop "))["name"] == "Shop"
    assert (await register(agent, project))["name"] == "Shop"
    assert (await register(agent, project, name="Store"))["name"] == "Store"
    assert (await agent(WS, "info", workspace_path=str(project)))["name"] == "Store"
    assert (await agent.fails(WS, "register", workspace_path=str(project), name="  "))["code"] == "invalid_arguments"


async def test_an_explicit_id_that_disagrees_with_the_folder_is_a_conflict(
    agent: Agent, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    here, there = [(await register(agent, folder))["workspace_id"] for folder in (project, tmp_path / "other")]
    assert (await register(agent, project, workspace_id=here))["workspace_id"] == here
    error = await agent.fails(WS, "register", workspace_path=str(project), workspace_id=there, name="X")
    assert error["code"] == "conflict"
    assert (await agent.fails(WS, "register", workspace_path=str(project), workspace_id="ws_no"))["code"] == "not_found"
    assert (await agent(WS, "info", workspace_id=here))["name"] == "project"


# overlap


@pytest.mark.parametrize("relationship", ["parent", "child"])
async def test_overlap_with_a_registered_folder_is_a_conflict_with_two_ways_on(
    agent: Agent, tmp_path: Path, relationship: str
) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "some" / "inner"
    inner.mkdir(parents=True)
    first, second = (outer, inner) if relationship == "parent" else (inner, outer)
    known = await register(agent, first)
    error = await agent.fails(WS, "register", workspace_path=str(second))
    assert error["code"] == "conflict"
    assert error["relationship"] == relationship
    assert error["overlaps"] == [{"workspace_id": known["workspace_id"], "path": str(first)}]
    for way in (known["workspace_id"], "force=true", "action='link'"):
        assert way in error["message"]
    assert not (second / ".projectmemory").exists()
    assert (await agent(WS, "list"))["total"] == 1

    forced = await register(agent, second, force=True)
    assert forced["first_time"] is True
    assert forced["workspace_id"] != known["workspace_id"]
    assert (await register(agent, second))["workspace_id"] == forced["workspace_id"]
    assert (await register(agent, first))["workspace_id"] == known["workspace_id"]
    parent, child = (known, forced) if relationship == "parent" else (forced, known)
    linked = await agent(WS, "link", workspace_id=parent["workspace_id"], child_workspace_id=child["workspace_id"])
    assert [c["path"] for c in linked["children"]] == [str(inner)]


async def test_a_neighbour_with_the_same_beginning_is_no_overlap(agent: Agent, tmp_path: Path) -> None:
    for name in ("app", "app-two", "app.old", "ap"):
        (tmp_path / name).mkdir()
        assert (await register(agent, tmp_path / name))["first_time"] is True


async def test_the_deepest_workspace_holds_a_path(agent: Agent, tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    (inner / "src").mkdir(parents=True)
    outer_id = (await register(agent, tmp_path / "outer"))["workspace_id"]
    inner_id = (await register(agent, inner, force=True))["workspace_id"]
    for path, expected in ((inner / "src" / "new.py", inner_id), (tmp_path / "outer" / "x", outer_id)):
        assert (await agent(WS, "info", workspace_path=str(path)))["workspace_id"] == expected


# git worktrees


async def test_a_worktree_of_a_registered_repository_is_the_same_workspace_and_says_so(
    agent: Agent, tmp_path: Path
) -> None:
    repository = git(tmp_path / "repo")
    tree = worktree(repository, tmp_path / "feature")
    nested = worktree(repository, repository / ".trees" / "fix")
    registered = await register(agent, repository)
    for folder in (tree, nested):
        answer = await register(agent, folder)
        assert answer == {**registered, "first_time": False, "worktree_of": str(repository)}
        assert not (folder / ".projectmemory").exists()
        found = await agent(WS, "info", workspace_path=str(folder / "src" / "deep"))
        assert found["workspace_id"] == registered["workspace_id"]
    assert (await agent(WS, "list"))["total"] == 1


async def test_it_does_not_matter_which_working_tree_is_registered_first(agent: Agent, tmp_path: Path) -> None:
    repository = git(tmp_path / "repo")
    tree = worktree(repository, tmp_path / "feature")
    registered = await register(agent, tree)
    assert (await register(agent, repository))["workspace_id"] == registered["workspace_id"]
    assert (await register(agent, repository))["worktree_of"] == str(tree)


async def test_worktrees_of_a_bare_repository_are_one_workspace(agent: Agent, tmp_path: Path) -> None:
    trees = [worktree(tmp_path / "bare.git", tmp_path / name) for name in ("one", "two")]
    registered = await register(agent, trees[0])
    assert (await register(agent, trees[1]))["workspace_id"] == registered["workspace_id"]


async def test_a_repository_made_after_registration_is_known_to_its_worktrees(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    registered = await register(agent, tmp_path / "repo")
    tree = worktree(git(tmp_path / "repo"), tmp_path / "feature")
    assert (await register(agent, tree))["workspace_id"] == registered["workspace_id"]
    full = await agent(WS, "list", detail="full")
    assert "git_common_dir" not in full["workspaces"][0]
    await register(agent, tmp_path / "repo")
    full = await agent(WS, "list", detail="full")
    assert full["workspaces"][0]["git_common_dir"] == str(tmp_path / "repo" / ".git")


async def test_packages_of_one_repository_stay_apart_in_every_worktree(agent: Agent, tmp_path: Path) -> None:
    repository = git(tmp_path / "repo")
    tree = worktree(repository, tmp_path / "feature")
    for root in (repository, tree):
        for package in ("api", "web", "web/ui", "docs"):
            (root / package).mkdir()
    api, web = [(await register(agent, repository / package))["workspace_id"] for package in ("api", "web")]
    assert api != web
    assert (await register(agent, tree / "api"))["workspace_id"] == api
    assert (await agent(WS, "info", workspace_path=str(tree / "web" / "ui")))["workspace_id"] == web
    error = await agent.fails(WS, "register", workspace_path=str(tree / "web" / "ui"))
    assert error["overlaps"][0]["workspace_id"] == web
    assert (await register(agent, tree / "docs"))["first_time"] is True
    assert (await agent.fails(WS, "info", workspace_path=str(tree)))["code"] == "ambiguous"


async def test_a_repository_inside_another_one_is_its_own(agent: Agent, tmp_path: Path) -> None:
    repository = git(tmp_path / "repo")
    module = repository / "vendor" / "lib"
    module.mkdir(parents=True)
    (repository / ".git" / "modules" / "lib").mkdir(parents=True)
    (module / ".git").write_text("gitdir: ../../.git/modules/lib\n", encoding="utf-8")
    outer = await register(agent, repository)
    assert (await agent(WS, "info", workspace_path=str(module)))["workspace_id"] == outer["workspace_id"]
    assert (await register(agent, module, force=True))["first_time"] is True


@pytest.mark.parametrize("text", ["", "gitdir:", "not a pointer", "gitdir: /nowhere", b"\xff\xfe\x00"])
async def test_a_strange_git_file_makes_no_worktree(agent: Agent, tmp_path: Path, text: str | bytes) -> None:
    await register(agent, git(tmp_path / "repo"))
    folder = tmp_path / "strange"
    folder.mkdir()
    (folder / ".git").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert (await register(agent, folder))["first_time"] is True


# which workspace a call is about


async def test_without_any_workspace_the_error_says_how_to_make_one(agent: Agent) -> None:
    error = await agent.fails(WS, "info")
    assert error["code"] == "ambiguous"
    assert "register" in error["message"]


async def test_without_a_hint_the_error_lists_what_exists_and_nothing_is_guessed(
    agent: Agent, workspace_id: str, project: Path
) -> None:
    error = await agent.fails(WS, "info")
    assert error["code"] == "ambiguous"
    assert error["workspaces"] == [{"workspace_id": workspace_id, "path": str(project)}]


async def test_an_unregistered_path_is_ambiguous_and_a_relative_one_invalid(
    agent: Agent, workspace_id: str, tmp_path: Path
) -> None:
    error = await agent.fails(WS, "info", workspace_path=str(tmp_path))
    assert error["code"] == "ambiguous"
    assert error["workspaces"][0]["workspace_id"] == workspace_id
    assert (await agent.fails(WS, "info", workspace_path="project"))["code"] == "invalid_arguments"
    assert (await agent.fails(WS, "info", workspace_path="~nobody-of-this-name"))["code"] == "invalid_arguments"


async def test_an_unknown_id_names_near_ones(agent: Agent, workspace_id: str, project: Path) -> None:
    error = await agent.fails(WS, "info", workspace_id=workspace_id[:-1] + "_")
    assert error["code"] == "not_found"
    assert error["near"] == [{"workspace_id": workspace_id, "path": str(project)}]


async def test_id_and_path_have_to_agree(agent: Agent, workspace_id: str, project: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = await register(agent, tmp_path / "other")
    both = await agent(WS, "info", workspace_id=workspace_id, workspace_path=str(project / "src"))
    assert both["workspace_id"] == workspace_id
    error = await agent.fails(WS, "info", workspace_id=workspace_id, workspace_path=other["path"])
    assert error["code"] == "conflict"


async def test_an_id_of_another_workspace_than_the_plan_is_a_conflict(
    agent: Agent, workspace_id: str, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = (await register(agent, tmp_path / "other"))["workspace_id"]
    plan_id = (await agent("memory_plan", "create", title="Plan", workspace_id=workspace_id))["plan_id"]
    for action in ("history", "events"):
        assert (await agent.fails(WS, action, plan_id=plan_id, workspace_id=other))["code"] == "conflict"
        assert (await agent(WS, action, plan_id=plan_id))["workspace_id"] == workspace_id


async def test_an_old_id_stands_for_the_workspace_everywhere(
    agent: Agent, workspace_id: str, project: Path, store: Database
) -> None:
    async with store.transaction() as tx:
        await tx.run(
            "INSERT INTO workspace_aliases VALUES ('project-0123456789ab', :workspace_id, 'now', 'id')",
            {"workspace_id": workspace_id},
        )
    found = await agent(WS, "info", workspace_id="project-0123456789ab")
    assert (found["workspace_id"], found["aliases"]) == (workspace_id, ["project-0123456789ab"])
    both = await agent(WS, "info", workspace_id="project-0123456789ab", workspace_path=str(project))
    assert both["workspace_id"] == workspace_id
    renamed = await agent(WS, "set_display_name", display_name="Shop", workspace_id="project-0123456789ab")
    assert renamed["workspace_id"] == workspace_id


async def test_the_folder_of_the_server_is_a_fallback(
    agent: Agent, workspace_id: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    assert (await agent(WS, "info"))["workspace_id"] == workspace_id
    (tmp_path / "other").mkdir()
    other = (await register(agent, tmp_path / "other"))["workspace_id"]
    assert (await agent(WS, "info", workspace_id=other))["workspace_id"] == other


async def test_a_server_whose_folder_was_removed_still_answers(
    agent: Agent, workspace_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert (await agent(WS, "info", workspace_id=workspace_id))["workspace_id"] == workspace_id
    assert (await agent.fails(WS, "info"))["code"] == "ambiguous"


async def test_the_workspace_setting_goes_before_the_folder_of_the_server(
    agent: Agent, project: Path, tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    workspace_id, other = [(await register(agent, folder))["workspace_id"] for folder in (project, tmp_path / "other")]
    monkeypatch.chdir(project)
    for value in (other, str(tmp_path / "other"), f"{tmp_path}/other/src"):
        async with serve(workspace=value) as chosen:
            assert (await chosen(WS, "info"))["workspace_id"] == other
            assert (await chosen(WS, "info", workspace_id=workspace_id))["workspace_id"] == workspace_id
    async with serve(workspace="ws_unknown") as astray:
        assert (await astray.fails(WS, "info"))["code"] == "ambiguous"


async def test_a_read_only_server_reads_and_refuses_to_write(
    agent: Agent, workspace_id: str, project: Path, serve: Serve
) -> None:
    async with serve(read_only=True) as reader:
        for action in ("list", "info", "history", "events", "trash", "stats"):
            await reader(WS, action, workspace_id=workspace_id)
        for action, arguments in (
            ("register", {"workspace_path": str(project)}),
            ("set_display_name", {"display_name": "X", "workspace_id": workspace_id}),
            ("link", {"child_workspace_id": workspace_id, "workspace_id": workspace_id}),
            ("restore", {"trash_id": "trash_x"}),
        ):
            assert (await reader.fails(WS, action, **arguments))["code"] == "not_allowed"


# list, info, set_display_name


async def test_list_pages_through_workspaces_by_name(agent: Agent, tmp_path: Path) -> None:
    for name in ("delta", "alpha", "charlie", "bravo", "echo"):
        (tmp_path / name).mkdir()
        await register(agent, tmp_path / name)
    found: list[str] = []
    page = await agent(WS, "list", limit=2)
    while True:
        assert page["total"] == 5
        found += [workspace["name"] for workspace in page["workspaces"]]
        if "next_cursor" not in page:
            break
        page = await agent(WS, "list", limit=2, cursor=page["next_cursor"])
    assert found == ["alpha", "bravo", "charlie", "delta", "echo"]
    assert (await agent.fails(WS, "list", cursor="nonsense"))["code"] == "invalid_arguments"


async def test_workspaces_count_their_plans_by_status(agent: Agent, workspace_id: str) -> None:
    plans = [
        (await agent("memory_plan", "create", title=f"Plan {i}", workspace_id=workspace_id))["plan_id"]
        for i in range(4)
    ]
    await agent("memory_plan", "archive", plan_id=plans[0])
    await agent("memory_plan", "update", plan_id=plans[1], status="failed")
    counts = {"active": 2, "archived": 1, "failed": 1}
    assert (await agent(WS, "info", workspace_id=workspace_id))["plan_counts"] == counts
    assert (await agent(WS, "list"))["workspaces"][0]["plan_counts"] == counts
    assert (await register(agent, (await agent(WS, "list"))["workspaces"][0]["path"]))["plan_counts"] == counts


async def test_list_finds_workspaces_by_part_of_their_name_or_path(agent: Agent, tmp_path: Path) -> None:
    for name in ("Harbour", "harvest", "mill"):
        (tmp_path / name).mkdir()
        await register(agent, tmp_path / name)
    mill = (await agent(WS, "list", query="MILL"))["workspaces"][0]["workspace_id"]
    await agent(WS, "set_display_name", workspace_id=mill, display_name="The Hardest")

    found = await agent(WS, "list", query="har")
    paged = await agent(WS, "list", query="har", limit=2)
    rest = await agent(WS, "list", query="har", limit=2, cursor=paged["next_cursor"])

    assert [one["name"] for one in found["workspaces"]] == ["Harbour", "The Hardest", "harvest"]
    assert (paged["total"], [one["name"] for one in rest["workspaces"]]) == (3, ["harvest"])
    assert (await agent(WS, "list", query="mill"))["total"] == 1
    assert (await agent(WS, "list", query="%"))["total"] == 0


async def family(agent: Agent, tmp_path: Path, *names: str) -> list[str]:
    """Register folders of these names and link each below the one before."""
    ids: list[str] = []
    for name in names:
        (tmp_path / name).mkdir()
        ids.append((await register(agent, tmp_path / name))["workspace_id"])
    for parent, child in itertools.pairwise(ids):
        await agent(WS, "link", workspace_id=parent, child_workspace_id=child)
    return ids


async def test_list_shows_children_in_their_parents(agent: Agent, tmp_path: Path) -> None:
    top, middle, low = await family(agent, tmp_path, "top", "middle", "low")
    (tmp_path / "alone").mkdir()
    alone = (await register(agent, tmp_path / "alone"))["workspace_id"]
    tree = await agent(WS, "list", hierarchical=True)
    assert tree["total"] == 2
    assert [w["workspace_id"] for w in tree["workspaces"]] == [alone, top]
    assert tree["workspaces"][1]["children"][0]["workspace_id"] == middle
    assert tree["workspaces"][1]["children"][0]["children"][0]["workspace_id"] == low
    assert "children" not in tree["workspaces"][0]
    below = await agent(WS, "list", hierarchical=True, workspace_id=middle)
    assert [w["workspace_id"] for w in below["workspaces"]] == [middle]
    flat = await agent(WS, "list", workspace_id=middle)
    assert [(w["workspace_id"], w["parent_workspace_id"]) for w in flat["workspaces"]] == [(low, middle), (middle, top)]
    full = await agent(WS, "list", detail="full", hierarchical=True)
    assert full["workspaces"][1]["children"][0]["created_at"]
    assert "created_at" not in tree["workspaces"][1]["children"][0]


async def test_info_tells_relatives_claims_and_what_happened_last(agent: Agent, tmp_path: Path) -> None:
    top, middle, low = await family(agent, tmp_path, "top", "middle", "low")
    plan = await agent("memory_plan", "create", title="Plan", workspace_id=middle)
    await agent("memory_steps", "add", plan_id=plan["plan_id"], steps=[{"task": "one"}, {"task": "two"}])
    claimed = (await agent("memory_steps", "next", plan_id=plan["plan_id"], agent="worker"))["next"]
    info = await agent(WS, "info", workspace_id=middle)
    assert info["parent"] == {"workspace_id": top, "name": "top", "path": str(tmp_path / "top")}
    assert [child["workspace_id"] for child in info["children"]] == [low]
    assert info["open_claims"] == [
        {
            "plan_id": plan["plan_id"],
            "step_id": claimed["step_id"],
            "index": 0,
            "task": "one",
            "claimed_by": "worker",
            "lease_expires_at": claimed["lease_expires_at"],
        }
    ]
    ids = [event["event_id"] for event in info["last_events"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) <= 10
    assert "open_claims" not in await agent(WS, "info", workspace_id=top)


async def test_a_display_name_stands_in_lists_and_survives_registration(
    agent: Agent, workspace_id: str, project: Path
) -> None:
    named = await agent(WS, "set_display_name", workspace_id=workspace_id, display_name="  The Shop ", agent="me")
    assert named == {"workspace_id": workspace_id, "name": "The Shop", "previous_name": "project"}
    assert (await agent(WS, "list"))["workspaces"][0]["name"] == "The Shop"
    assert (await register(agent, project))["name"] == "The Shop"
    assert (await agent(WS, "info", workspace_id=workspace_id))["display_name"] == "The Shop"
    [update, _] = (await agent(WS, "history", workspace_id=workspace_id))["history"]
    assert (update["agent"], "The Shop" in update["summary"]) == ("me", True)
    for bad in ("", "  ", "a\nb", "x" * 501):
        error = await agent.fails(WS, "set_display_name", workspace_id=workspace_id, display_name=bad)
        assert error["code"] == "invalid_arguments"


# link


async def test_linking_and_unlinking_can_be_repeated(agent: Agent, tmp_path: Path) -> None:
    top, middle = await family(agent, tmp_path, "top", "middle")
    again = await agent(WS, "link", workspace_id=top, child_workspace_id=middle)
    assert [child["workspace_id"] for child in again["children"]] == [middle]
    assert (await agent(WS, "info", workspace_id=middle))["parent"]["workspace_id"] == top
    for _ in range(2):
        cut = await agent(WS, "link", workspace_id=top, child_workspace_id=middle, mode="unlink")
        assert cut == {"workspace_id": top, "child_workspace_id": middle, "mode": "unlink"}
    assert "parent" not in await agent(WS, "info", workspace_id=middle)
    types = [event["type"] for event in (await agent(WS, "events", workspace_id=top))["events"]]
    assert types == ["workspace_registered", "workspace_linked", "workspace_unlinked"]


async def test_no_workspace_comes_to_be_below_itself(agent: Agent, tmp_path: Path) -> None:
    top, middle, low = await family(agent, tmp_path, "top", "middle", "low")
    for parent, child in ((low, top), (middle, top), (top, top)):
        error = await agent.fails(WS, "link", workspace_id=parent, child_workspace_id=child)
        assert (error["code"], error["cycle"][0], error["cycle"][-1]) == ("conflict", child, child)
    assert "parent" not in await agent(WS, "info", workspace_id=top)


async def test_a_workspace_has_one_parent(agent: Agent, tmp_path: Path) -> None:
    top, middle = await family(agent, tmp_path, "top", "middle")
    (tmp_path / "other").mkdir()
    other = (await register(agent, tmp_path / "other"))["workspace_id"]
    for mode in ("link", "unlink"):
        error = await agent.fails(WS, "link", workspace_id=other, child_workspace_id=middle, mode=mode)
        assert (error["code"], error["parent_workspace_id"]) == ("conflict", top)
    assert (await agent(WS, "info", workspace_id=middle))["parent"]["workspace_id"] == top


async def test_linking_an_unknown_workspace_changes_nothing(agent: Agent, workspace_id: str) -> None:
    before = await agent(WS, "events", workspace_id=workspace_id)
    for arguments in (
        {"workspace_id": workspace_id, "child_workspace_id": "ws_unknown"},
        {"workspace_id": "ws_unknown", "child_workspace_id": workspace_id},
    ):
        assert (await agent.fails(WS, "link", **arguments))["code"] == "not_found"
    assert await agent(WS, "events", workspace_id=workspace_id) == before


# history and events


async def test_history_tells_what_was_done_newest_first_and_can_be_narrowed(agent: Agent, workspace_id: str) -> None:
    plan_id = (await agent("memory_plan", "create", title="Plan", workspace_id=workspace_id, agent="a"))["plan_id"]
    for i in range(5):
        await agent(WS, "set_display_name", workspace_id=workspace_id, display_name=f"N{i}", agent="b" if i else "a")
    whole = await agent(WS, "history", workspace_id=workspace_id)
    assert whole["total"] == len(whole["history"]) == 7
    assert [row["log_id"] for row in whole["history"]] == sorted((r["log_id"] for r in whole["history"]), reverse=True)
    first = await agent(WS, "history", workspace_id=workspace_id, limit=3)
    second = await agent(WS, "history", workspace_id=workspace_id, limit=3, cursor=first["next_cursor"])
    assert first["history"] + second["history"] == whole["history"][:6]
    assert [r["plan_id"] for r in (await agent(WS, "history", plan_id=plan_id))["history"]] == [plan_id]
    assert (await agent(WS, "history", workspace_id=workspace_id, agent="b"))["total"] == 4
    moment = whole["history"][3]["timestamp"]
    since = await agent(WS, "history", workspace_id=workspace_id, since=moment)
    until = await agent(WS, "history", workspace_id=workspace_id, until=moment)
    assert since["total"] + until["total"] == 7
    assert (await agent(WS, "history", workspace_id=workspace_id, since="2999-01-01"))["total"] == 0
    assert (await agent(WS, "history", workspace_id=workspace_id, since="2020-01-01T00:00:00+02:00"))["total"] == 7
    for bad in ("yesterday", "0001-01-01T00:00:00+10:00"):
        assert (await agent.fails(WS, "history", workspace_id=workspace_id, since=bad))["code"] == "invalid_arguments"
    assert (await agent.fails(WS, "history", plan_id="plan_unknown"))["code"] == "ambiguous"
    error = await agent.fails(WS, "history", workspace_id=workspace_id, plan_id="plan_unknown")
    assert (error["code"], error["near"][0]["plan_id"]) == ("not_found", plan_id)


async def test_events_are_followed_without_a_gap(agent: Agent, workspace_id: str) -> None:
    start = (await agent(WS, "events", workspace_id=workspace_id, limit=1))["latest_id"]
    assert (await agent(WS, "events", workspace_id=workspace_id, since_id=start))["events"] == []
    for i in range(5):
        await agent(WS, "set_display_name", workspace_id=workspace_id, display_name=f"N{i}")
    first = await agent(WS, "events", workspace_id=workspace_id, since_id=start, limit=2)
    assert (first["total"], len(first["events"])) == (5, 2)
    rest = await agent(WS, "events", workspace_id=workspace_id, since_id=start, limit=10, cursor=first["next_cursor"])
    assert (rest["total"], len(rest["events"])) == (5, 3)
    ids = [event["event_id"] for event in first["events"] + rest["events"]]
    assert ids == sorted(set(ids))
    again = await agent(WS, "events", workspace_id=workspace_id, since_id=first["events"][-1]["event_id"])
    assert again["events"] == rest["events"]
    assert rest["latest_id"] == ids[-1]


async def test_events_can_be_narrowed_by_type_and_plan(agent: Agent, workspace_id: str) -> None:
    plan_id = (await agent("memory_plan", "create", title="Plan", workspace_id=workspace_id))["plan_id"]
    await agent(WS, "set_display_name", workspace_id=workspace_id, display_name="Shop")
    by_type = await agent(WS, "events", workspace_id=workspace_id, types=["workspace_updated"])
    assert [event["type"] for event in by_type["events"]] == ["workspace_updated"]
    by_plan = await agent(WS, "events", plan_id=plan_id)
    assert {event["plan_id"] for event in by_plan["events"]} == {plan_id}
    assert (await agent(WS, "events", workspace_id=workspace_id, types=["note_added"]))["total"] == 0
    assert (await agent.fails(WS, "events", workspace_id=workspace_id, plan_id="plan_x"))["code"] == "not_found"
    assert (await agent.fails(WS, "events", workspace_id=workspace_id, since_id=-1))["code"] == "invalid_arguments"


async def test_another_workspace_does_not_see_these_events(agent: Agent, workspace_id: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = (await register(agent, tmp_path / "other"))["workspace_id"]
    await agent(WS, "set_display_name", workspace_id=workspace_id, display_name="Shop")
    for action, key in (("events", "events"), ("history", "history")):
        assert len((await agent(WS, action, workspace_id=other))[key]) == 1


# trash and restore


async def make_plan(agent: Agent, workspace_id: str, title: str = "Plan") -> tuple[str, list[str]]:
    plan_id = (await agent("memory_plan", "create", title=title, workspace_id=workspace_id))["plan_id"]
    tasks = [{"task": name, "phase": "Build" if name in "ab" else "Ship"} for name in "abcd"]
    await agent("memory_steps", "add", plan_id=plan_id, steps=tasks)
    listed = await agent("memory_steps", "list", plan_id=plan_id)
    return plan_id, [step["step_id"] for step in listed["steps"]]


async def order(agent: Agent, plan_id: str) -> str:
    listed = await agent("memory_steps", "list", plan_id=plan_id)
    assert [step["index"] for step in listed["steps"]] == list(range(len(listed["steps"])))
    return "".join(step["task"] for step in listed["steps"])


async def delete(caller: Agent, tool: str, **arguments: Any) -> str:
    return (await caller(tool, "delete", confirm=True, **arguments))["trash_id"]


async def test_a_deleted_plan_comes_back_whole(agent: Agent, workspace_id: str) -> None:
    plan_id, steps = await make_plan(agent, workspace_id)
    await agent("memory_steps", "set_dependencies", step_id=steps[1], depends_on=[steps[0]])
    before = await agent("memory_plan", "get", plan_id=plan_id, detail="full")
    trash_id = await delete(agent, "memory_plan", plan_id=plan_id)
    assert (await agent.fails("memory_plan", "get", plan_id=plan_id))["code"] == "not_found"
    [entry] = (await agent(WS, "trash", workspace_id=workspace_id))["trash"]
    assert (entry["trash_id"], entry["entity_id"], entry["title"]) == (trash_id, plan_id, "Plan")
    assert entry["expires_at"] > entry["created_at"]
    restored = await agent(WS, "restore", trash_id=trash_id)
    assert (restored["workspace_id"], restored["plan_id"]) == (workspace_id, plan_id)
    assert (restored["restored"]["steps"], "warnings" in restored) == (4, False)
    assert await agent("memory_plan", "get", plan_id=plan_id, detail="full") == before
    assert (await agent(WS, "trash", workspace_id=workspace_id))["trash"] == []
    error = await agent.fails(WS, "restore", trash_id=trash_id)
    assert error["code"] == "not_found"


async def test_history_of_a_deleted_plan_can_still_be_read(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    await delete(agent, "memory_plan", plan_id=plan_id)
    for action in ("history", "events"):
        assert (await agent(WS, action, plan_id=plan_id, workspace_id=workspace_id))["total"] > 1


async def test_steps_return_to_their_old_index_and_later_ones_move_up(agent: Agent, workspace_id: str) -> None:
    plan_id, steps = await make_plan(agent, workspace_id)
    gone = [await delete(agent, "memory_steps", step_id=steps[i]) for i in (1, 2)]
    assert await order(agent, plan_id) == "ad"
    await agent(WS, "restore", trash_id=gone[1])
    assert await order(agent, plan_id) == "acd"
    await agent(WS, "restore", trash_id=gone[0])
    assert await order(agent, plan_id) == "abcd"


async def test_a_step_whose_index_is_gone_comes_back_at_the_end(agent: Agent, workspace_id: str) -> None:
    plan_id, steps = await make_plan(agent, workspace_id)
    first = await delete(agent, "memory_steps", step_id=steps[3])
    for step_id in steps[:2]:
        await delete(agent, "memory_steps", step_id=step_id)
    await agent(WS, "restore", trash_id=first)
    assert await order(agent, plan_id) == "cd"


async def test_what_waits_for_a_restored_step_waits_again(agent: Agent, workspace_id: str) -> None:
    plan_id, steps = await make_plan(agent, workspace_id)
    await agent("memory_steps", "set_dependencies", step_id=steps[0], depends_on=[steps[1]])
    trash_id = await delete(agent, "memory_steps", step_id=steps[1])
    assert (await agent("memory_steps", "ready", plan_id=plan_id))["total"] == 3
    await agent(WS, "restore", trash_id=trash_id)
    ready = await agent("memory_steps", "ready", plan_id=plan_id)
    assert [step["task"] for step in ready["steps"]] == ["b", "c", "d"]
    step = await agent("memory_steps", "get", step_id=steps[0])
    assert step["depends_on"] == [steps[1]]


async def test_a_dependency_on_what_is_gone_is_left_out_with_a_warning(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    plan_id, steps = await make_plan(agent, workspace_id)
    await agent("memory_steps", "set_dependencies", step_id=steps[0], depends_on=[steps[1]])
    waiting = await delete(agent, "memory_steps", step_id=steps[0])
    target = await delete(agent, "memory_steps", step_id=steps[1])
    async with db.transaction() as tx:
        await tx.run("DELETE FROM trash WHERE trash_id = :id", {"id": target})
    restored = await agent(WS, "restore", trash_id=waiting)
    assert "1 dependencies were left out" in restored["warnings"][0]
    assert (await agent("memory_steps", "ready", plan_id=plan_id))["total"] == 3


async def test_a_step_of_a_deleted_plan_says_which_entry_comes_first(agent: Agent, workspace_id: str) -> None:
    plan_id, steps = await make_plan(agent, workspace_id)
    of_step = await delete(agent, "memory_steps", step_id=steps[0])
    of_plan = await delete(agent, "memory_plan", plan_id=plan_id)
    error = await agent.fails(WS, "restore", trash_id=of_step)
    assert (error["code"], error["trash_id"]) == ("conflict", of_plan)
    assert (await agent(WS, "trash", workspace_id=workspace_id))["total"] == 2
    await agent(WS, "restore", trash_id=of_plan)
    await agent(WS, "restore", trash_id=of_step)
    assert await order(agent, plan_id) == "abcd"


async def test_a_step_of_an_archived_plan_waits_for_unarchive(agent: Agent, workspace_id: str) -> None:
    plan_id, steps = await make_plan(agent, workspace_id)
    trash_id = await delete(agent, "memory_steps", step_id=steps[0])
    await agent("memory_plan", "archive", plan_id=plan_id)
    error = await agent.fails(WS, "restore", trash_id=trash_id)
    assert (error["code"], "unarchive" in error["message"]) == ("conflict", True)
    await agent("memory_plan", "unarchive", plan_id=plan_id)
    await agent(WS, "restore", trash_id=trash_id)
    assert await order(agent, plan_id) == "abcd"


async def test_what_has_been_replaced_is_not_overwritten(agent: Agent, workspace_id: str) -> None:
    plan_id, _ = await make_plan(agent, workspace_id)
    item = {"type": "finding", "plan_id": plan_id}
    old = await agent("memory_context", "store", data={"old": True}, **item)
    trash_id = await delete(agent, "memory_context", item_id=old["item_id"])
    await agent("memory_context", "store", data={"new": True}, **item)
    error = await agent.fails(WS, "restore", trash_id=trash_id)
    assert (error["code"], error["taken"]["type"]) == ("conflict", "finding")
    assert (await agent("memory_context", "get", **item))["data"] == {"new": True}


async def test_trash_belongs_to_its_workspace_and_comes_in_pages(
    agent: Agent, workspace_id: str, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = (await register(agent, tmp_path / "other"))["workspace_id"]
    plan_id, steps = await make_plan(agent, workspace_id)
    ids = [await delete(agent, "memory_steps", step_id=step_id, agent="me") for step_id in steps[:3]]
    assert (await agent(WS, "trash", workspace_id=other))["total"] == 0
    first = await agent(WS, "trash", workspace_id=workspace_id, limit=2)
    second = await agent(WS, "trash", workspace_id=workspace_id, limit=2, cursor=first["next_cursor"])
    assert [entry["trash_id"] for entry in first["trash"] + second["trash"]] == ids[::-1]
    assert {entry["deleted_by"] for entry in first["trash"]} == {"me"}
    assert (await agent.fails(WS, "restore", trash_id=ids[0], workspace_id=other))["code"] == "conflict"
    error = await agent.fails(WS, "restore", trash_id=ids[0][:-1] + "_")
    assert (error["code"], error["near"][0]["trash_id"] in ids) == ("not_found", True)
    await agent(WS, "restore", trash_id=ids[2], agent="me")
    [event] = (await agent(WS, "events", workspace_id=workspace_id, types=["step_restored"]))["events"]
    assert (event["plan_id"], event["agent"], event["data"]) == (plan_id, "me", {"trash_id": ids[2], "opened": 1})


# stats


async def test_stats_tell_rows_sizes_claims_and_what_may_go(agent: Agent, workspace_id: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = (await register(agent, tmp_path / "other"))["workspace_id"]
    _, steps = await make_plan(agent, workspace_id)
    await agent("memory_steps", "claim", step_id=steps[0], agent="worker", lease_seconds=60)
    await agent("memory_steps", "claim", step_id=steps[1], agent="later", lease_seconds=600)
    await delete(agent, "memory_steps", step_id=steps[3])
    whole = await agent(WS, "stats")
    assert (whole["rows"]["workspaces"], whole["rows"]["steps"], whole["schema_version"]) == (2, 3, NEWEST)
    assert whole["database_bytes"] > 0
    assert whole["wal_bytes"] >= 0
    assert (whole["oldest_open_claim"]["step_id"], whole["oldest_open_claim"]["claimed_by"]) == (steps[0], "worker")
    [entry] = (await agent(WS, "trash", workspace_id=workspace_id))["trash"]
    assert whole["trash"]["entries"] == 1
    assert whole["trash"]["may_go_from"] == entry["expires_at"]
    own = await agent(WS, "stats", workspace_id=workspace_id)
    assert (own["workspace_id"], own["rows"]["workspaces"], own["rows"]["steps"]) == (workspace_id, 1, 3)
    assert own["rows"]["phases"] == 2
    assert "tools" not in own["rows"]
    empty = await agent(WS, "stats", workspace_id=other)
    assert "steps" not in empty["rows"]
    assert "oldest_open_claim" not in empty
    assert "trash" not in empty
    assert (await agent.fails(WS, "stats", workspace_id="ws_unknown"))["code"] == "not_found"


async def test_stats_count_so_far_unless_all_is_wanted(
    agent: Agent, workspace_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_plan(agent, workspace_id)
    monkeypatch.setattr(stats, "MOST", 3)

    for more in ({}, {"workspace_id": workspace_id}):
        assert (await agent(WS, "stats", **more))["rows"]["steps"] == "3+"
        assert (await agent(WS, "stats", **more, detail="full"))["rows"]["steps"] == 4
        assert (await agent(WS, "stats", **more))["rows"]["plans"] == 1


async def test_servers_that_register_a_folder_at_once_agree(serve: Serve, project: Path) -> None:
    async with serve() as one, serve() as two:
        answers = await asyncio.gather(*(register(server, project) for server in (one, two) for _ in range(4)))
        assert len({answer["workspace_id"] for answer in answers}) == 1
        assert sorted(answer["first_time"] for answer in answers) == [False] * 7 + [True]
        assert identity_of(project)["workspace_id"] == answers[0]["workspace_id"]
