"""memory_session: advisory leases on files."""

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio
from mcp import Client

from server.db.storage.connection import Database
from server.protocol.app import build
from server.settings import Settings
from server.tools.session import file_reservations
from tests.conftest import Agent

TOOL = "memory_session"


@pytest_asyncio.fixture
async def plan_id(agent: Agent, workspace_id: str) -> str:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="Search", category="quick_task")
    return plan["plan_id"]


async def reserve(server: Agent, workspace_id: str, who: str, /, *paths: str, **more: Any) -> dict[str, Any]:
    return await server(TOOL, "reserve_files", workspace_id=workspace_id, agent=who, paths=list(paths), **more)


async def refused(server: Agent, workspace_id: str, who: str, /, *paths: str, **more: Any) -> dict[str, Any]:
    return await server.fails(TOOL, "reserve_files", workspace_id=workspace_id, agent=who, paths=list(paths), **more)


async def listed(server: Agent, workspace_id: str, /, **arguments: Any) -> list[tuple[str, str]]:
    page = await server(TOOL, "list_reservations", workspace_id=workspace_id, **arguments)
    assert page["total"] == len(page["reservations"])
    return [(row["path"], row["held_by"]) for row in page["reservations"]]


async def run_out(db: Database, holder: str) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    async with db.transaction() as tx:
        await tx.run(
            "UPDATE file_reservations SET lease_expires_at = :past WHERE holder = :holder",
            {"past": past, "holder": holder},
        )


async def test_a_reservation_is_seen_by_everybody(agent: Agent, workspace_id: str, plan_id: str) -> None:
    got = await reserve(agent, workspace_id, "ada", "src/", "./a.py", "a.py", reason="parser", plan_id=plan_id)
    assert (got["held_by"], got["paths"], got["exclusive"]) == ("ada", ["src/**", "a.py"], True)
    assert "clashes" not in got

    page = await agent(TOOL, "list_reservations", workspace_id=workspace_id)
    first = {"path": "a.py", "held_by": "ada", "exclusive": True, "reason": "parser", "plan_id": plan_id}
    first["lease_expires_at"] = got["lease_expires_at"]
    assert page["reservations"] == [first, {**first, "path": "src/**"}]
    assert await listed(agent, workspace_id, plan_id=plan_id) == [("a.py", "ada"), ("src/**", "ada")]


async def test_a_clash_names_holder_pattern_and_end_and_reserves_nothing(agent: Agent, workspace_id: str) -> None:
    session = await agent(TOOL, "session_start", workspace_id=workspace_id, agent="Ada")
    holder = session["session_id"]
    got = await agent(TOOL, "reserve_files", session_id=holder, paths=["src/**"], reason="parser")
    error = await refused(agent, workspace_id, "bob", "docs/", "src/a.py", "src/b/")
    assert error["code"] == "conflict"
    clash = {"pattern": "src/**", "held_by": holder, "agent": "Ada", "until": got["lease_expires_at"]}
    clash |= {"exclusive": True, "reason": "parser"}
    assert error["clashes"] == [{"path": "src/a.py", **clash}, {"path": "src/b/**", **clash}]
    for told in ("'src/a.py'", "'src/**'", "Ada", holder, got["lease_expires_at"], "partial=true"):
        assert told in error["message"]
    assert await listed(agent, workspace_id) == [("src/**", holder)]


async def test_the_rest_is_granted_on_demand(agent: Agent, workspace_id: str) -> None:
    await reserve(agent, workspace_id, "ada", "src/**")
    got = await reserve(agent, workspace_id, "bob", "docs/", "src/a.py", "b.py", partial=True)
    assert got["paths"] == ["docs/**", "b.py"]
    assert [clash["path"] for clash in got["clashes"]] == ["src/a.py"]
    assert await listed(agent, workspace_id) == [("b.py", "bob"), ("docs/**", "bob"), ("src/**", "ada")]
    error = await refused(agent, workspace_id, "bob", "src/a.py", partial=True)
    assert (error["code"], "partial" in error["message"]) == ("conflict", False)


async def test_readers_share_and_a_writer_does_not(agent: Agent, workspace_id: str) -> None:
    await reserve(agent, workspace_id, "ada", "src/", exclusive=False)
    await reserve(agent, workspace_id, "bob", "src/a.py", exclusive=False)
    assert (await refused(agent, workspace_id, "eve", "src/a.py"))["code"] == "conflict"
    assert (await refused(agent, workspace_id, "bob", "src/a.py"))["code"] == "conflict"
    await agent(TOOL, "release_files", agent="ada", workspace_id=workspace_id)
    got = await reserve(agent, workspace_id, "bob", "src/a.py")
    assert got["exclusive"]
    assert (await refused(agent, workspace_id, "eve", "src/a.py", exclusive=False))["code"] == "conflict"


async def test_the_same_call_renews(agent: Agent, workspace_id: str, db: Database) -> None:
    first = await reserve(agent, workspace_id, "ada", "src/", lease_seconds=10)
    again = await reserve(agent, workspace_id, "ada", "src/", lease_seconds=1000)
    assert again["lease_expires_at"] > first["lease_expires_at"]
    assert await db.value("SELECT count(*) FROM file_reservations") == 1
    inner = await reserve(agent, workspace_id, "ada", "src/a.py")
    assert inner["paths"] == ["src/a.py"]


async def test_a_lease_that_ran_out_stands_in_nobodys_way(agent: Agent, workspace_id: str, db: Database) -> None:
    await reserve(agent, workspace_id, "ada", "src/", "x")
    await run_out(db, "ada")
    assert await listed(agent, workspace_id) == []
    await reserve(agent, workspace_id, "bob", "src/a.py")
    assert await db.value("SELECT group_concat(holder) FROM file_reservations") == "bob"
    assert (await refused(agent, workspace_id, "ada", "src/"))["code"] == "conflict"


async def test_releasing_gives_up_all_or_what_is_named(agent: Agent, workspace_id: str) -> None:
    await reserve(agent, workspace_id, "ada", "a", "b/", "c")
    await reserve(agent, workspace_id, "bob", "d")
    got = await agent(TOOL, "release_files", agent="ada", workspace_id=workspace_id, paths=["b/", "d", "zzz"])
    assert (got["released"], got["not_held"]) == (["b/**"], ["d", "zzz"])
    for expected in (["a", "c"], None):
        got = await agent(TOOL, "release_files", agent="ada", workspace_id=workspace_id)
        assert got.get("released") == expected
    assert await listed(agent, workspace_id) == [("d", "bob")]


async def test_reservations_end_with_the_session(agent: Agent, workspace_id: str) -> None:
    ended, handed, alive = [
        (await agent(TOOL, "session_start", workspace_id=workspace_id, agent="Ada"))["session_id"] for _ in range(3)
    ]
    for number, session_id in enumerate((ended, handed, alive)):
        await agent(TOOL, "reserve_files", session_id=session_id, paths=[f"{number}/", f"{number}.py"])
    done = await agent("memory_agent", "complete", session_id=ended, summary="done")
    assert done["released_files"] == ["0.py", "0/**"]
    done = await agent("memory_agent", "handoff", session_id=handed, to_agent="Bob", reason="go on")
    assert done["released_files"] == ["1.py", "1/**"]
    assert await listed(agent, workspace_id) == [("2.py", alive), ("2/**", alive)]

    error = await agent.fails(TOOL, "reserve_files", session_id=ended, paths=["x"])
    assert error["code"] == "conflict"
    assert (await agent(TOOL, "release_files", session_id=ended))["held_by"] == ended


async def test_reservations_end_with_the_plan(agent: Agent, workspace_id: str, plan_id: str) -> None:
    session = await agent(TOOL, "session_start", plan_id=plan_id, agent="Ada")
    await agent(TOOL, "reserve_files", session_id=session["session_id"], paths=["a"])
    await reserve(agent, workspace_id, "bob", "b", plan_id=plan_id)
    await reserve(agent, workspace_id, "bob", "c")
    await agent("memory_plan", "archive", plan_id=plan_id)
    assert await listed(agent, workspace_id) == [("c", "bob")]
    assert (await refused(agent, workspace_id, "bob", "b", plan_id=plan_id))["code"] == "conflict"
    error = await refused(agent, workspace_id, "bob", "b", plan_id="plan_000000000000")
    assert error["code"] == "not_found"


async def test_only_what_clashes_with_paths_is_listed(agent: Agent, workspace_id: str) -> None:
    await reserve(agent, workspace_id, "ada", "src/parser/", "docs/*.md", "tests/test_parser.py")
    await reserve(agent, workspace_id, "bob", "src/*.py", exclusive=False)
    assert await listed(agent, workspace_id, paths=["src/"]) == [("src/*.py", "bob"), ("src/parser/**", "ada")]
    assert await listed(agent, workspace_id, paths=["**/*.md"]) == [("docs/*.md", "ada"), ("src/parser/**", "ada")]
    assert await listed(agent, workspace_id, paths=["lib/", "setup.py"]) == []


async def test_reservations_are_listed_in_steady_pages(agent: Agent, workspace_id: str) -> None:
    await reserve(agent, workspace_id, "ada", *(f"f{n}" for n in range(7)))
    page = await agent(TOOL, "list_reservations", workspace_id=workspace_id, limit=3)
    seen = [row["path"] for row in page["reservations"]]
    await reserve(agent, workspace_id, "bob", "a")
    while cursor := page.get("next_cursor"):
        page = await agent(TOOL, "list_reservations", workspace_id=workspace_id, limit=3, cursor=cursor)
        seen += [row["path"] for row in page["reservations"]]
    assert seen == [f"f{n}" for n in range(7)]
    assert page["total"] == 8


async def test_a_path_may_be_absolute_if_it_is_inside(agent: Agent, workspace_id: str, project: Path) -> None:
    (project / "app [1]").mkdir()
    (project.parent / "alias").symlink_to(project, target_is_directory=True)
    told = [f"{project}/src/*.py", f"{project}/app/", f"{project.parent}/alias/lib/**", str(project)]
    got = await reserve(agent, workspace_id, "ada", *told)
    assert got["paths"] == ["src/*.py", "app/**", "lib/**", "**"]

    for path in (str(project.parent), f"{project.parent}/other/a.py", f"{project}x/a.py", "/*/x", "~/x"):
        assert (await refused(agent, workspace_id, "ada", path))["code"] == "not_allowed", path
    for path in ("../x", "a/../../x", f"{project}/../x", "{a,../b}"):
        assert (await refused(agent, workspace_id, "ada", path))["code"] == "not_allowed", path
    for path in ("", " ", "x" * 201, "*a" * 11, "[z-a]", "a\nb", "a\0b"):
        assert (await refused(agent, workspace_id, "ada", path))["code"] == "invalid_arguments", path
    assert (await refused(agent, workspace_id, "ada"))["code"] == "invalid_arguments"


async def test_a_path_in_a_git_worktree_is_that_of_the_repository(agent: Agent, project: Path, tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=project, check=True)

    git("init", "-q")
    (project / "a.py").write_text("", encoding="utf-8")
    git("add", ".")
    git("commit", "-qm", "first")
    git("worktree", "add", "-q", str(tmp_path / "tree"))
    workspace = await agent("memory_workspace", "register", workspace_path=str(project))
    got = await reserve(agent, workspace["workspace_id"], "ada", f"{tmp_path}/tree/src/*.py", f"{tmp_path}/tree/a.py")
    assert got["paths"] == ["src/*.py", "a.py"]


def test_letters_decide_where_the_file_system_tells_them_apart() -> None:
    assert not file_reservations.clash("SRC/a.py", "src/*.PY", letters_alike=False)
    assert file_reservations.clash("SRC/a.py", "src/*.PY", letters_alike=True)


async def test_one_spelling_of_an_accent_counts(agent: Agent, workspace_id: str) -> None:
    await reserve(agent, workspace_id, "ada", "gro\u0308\u00dfe.py")
    assert (await refused(agent, workspace_id, "bob", "gr\u00f6\u00dfe.py"))["code"] == "conflict"


async def test_nobody_holds_without_end(agent: Agent, workspace_id: str) -> None:
    for block in range(4):
        await reserve(agent, workspace_id, "ada", *(f"f{block}_{n}" for n in range(50)))
    assert (await refused(agent, workspace_id, "ada", "more"))["code"] == "conflict"
    await reserve(agent, workspace_id, "ada", "f0_0")
    await reserve(agent, workspace_id, "bob", "more")
    error = await refused(agent, workspace_id, "bob", *(f"g{n}" for n in range(51)))
    assert error["code"] == "invalid_arguments"


async def test_who_reserves_must_say_who_it_is(agent: Agent, workspace_id: str) -> None:
    for action in ("reserve_files", "release_files"):
        error = await agent.fails(TOOL, action, workspace_id=workspace_id, paths=["a"])
        assert (error["code"], error["missing"]) == ("invalid_arguments", ["session_id or agent"])


async def test_workspaces_do_not_clash_and_may_not_disagree(
    agent: Agent, workspace_id: str, plan_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = (await agent("memory_workspace", "register", workspace_path=str(folder)))["workspace_id"]
    await reserve(agent, workspace_id, "ada", "src/")
    await reserve(agent, other, "bob", "src/")
    assert await listed(agent, other) == [("src/**", "bob")]
    assert (await refused(agent, other, "bob", "x", plan_id=plan_id))["code"] == "conflict"
    error = await agent.fails(TOOL, "list_reservations", workspace_id=other, plan_id=plan_id)
    assert error["code"] == "conflict"


async def test_every_change_is_logged(agent: Agent, workspace_id: str) -> None:
    await reserve(agent, workspace_id, "ada", "a", "b")
    await agent(TOOL, "release_files", agent="ada", workspace_id=workspace_id)
    await agent(TOOL, "release_files", agent="ada", workspace_id=workspace_id)
    logged = (await agent("memory_workspace", "events", workspace_id=workspace_id, since_id=0))["events"]
    told = [(event["type"], event["data"]["paths"]) for event in logged if event["type"].startswith("files_")]
    assert told == [("files_reserved", ["a", "b"]), ("files_released", ["a", "b"])]


async def test_of_two_servers_that_race_for_one_file_one_gets_it(
    agent: Agent, workspace_id: str, settings: Settings
) -> None:
    async with Client(build(settings), raise_exceptions=True) as client:
        servers = {"ada": agent, "bob": Agent(client)}

        async def attempt(who: str, path: str) -> bool:
            result = await servers[who].client.call_tool(
                TOOL,
                {"action": "reserve_files", "workspace_id": workspace_id, "agent": who, "paths": [path]},
            )
            return not result.is_error

        for number in range(25):
            won = await asyncio.gather(attempt("ada", f"d{number}/*.py"), attempt("bob", f"d{number}/a*"))
            assert sorted(won) == [False, True], number
    held = await agent(TOOL, "list_reservations", workspace_id=workspace_id, limit=200, max_bytes=45_000)
    assert held["total"] == 25


async def test_a_read_only_server_shows_reservations_and_gives_none(
    agent: Agent, workspace_id: str, settings: Settings
) -> None:
    await reserve(agent, workspace_id, "ada", "a")
    async with Client(build(Settings(data_root=settings.data_root, read_only=True)), raise_exceptions=True) as client:
        reader = Agent(client)
        assert await listed(reader, workspace_id) == [("a", "ada")]
        assert (await refused(reader, workspace_id, "bob", "b"))["code"] == "not_allowed"
