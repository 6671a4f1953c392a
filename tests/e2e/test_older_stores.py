"""Stores of the file-based Project Memory: noticed by real servers, and imported when the settings want it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import TextContent

from server.importers import recognise
from server.tools import older_stores
from tests import legacy_store
from tests.e2e.conftest import PATIENCE, ROOT, Connect, RawServer, Start, environment
from tests.importers.conftest import change
from tests.importers.layouts import generators
from tests.legacy_store import LEGACY_WORKSPACE, WORKSPACE

pytestmark = pytest.mark.any_start

LOOK_SECONDS = 0.05
WS = "memory_workspace"
GENERATORS = generators()


@pytest.fixture
def store(project: Path) -> Path:
    """A data folder of the old kind in the project."""
    return legacy_store.write(project / "data", plans=3, steps=3)


def led_away(project: Path, root: Path) -> Path:
    """Make the project's identity file name a data root elsewhere."""
    legacy_store.write(root, plans=2, steps=3)
    (project / ".projectmemory").mkdir()
    known = {"schema_version": "1.0.0", "workspace_id": WORKSPACE, "workspace_path": str(project)}
    known |= {"data_root": str(root), "created_at": "2026-01-05T09:00:00.000Z", "project_mcps": ["x"]}
    (project / ".projectmemory" / "identity.json").write_text(json.dumps(known), encoding="utf-8")
    return root


async def until(is_so: Callable[[], Awaitable[object]]) -> None:
    with anyio.fail_after(PATIENCE):
        while not await is_so():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(LOOK_SECONDS)


async def plans_of(server: RawServer, workspace_id: str) -> set[str]:
    listed = await server.call("memory_plan", "list", workspace_id=workspace_id, include_archived=True, limit=50)
    return {plan["plan_id"] for plan in listed["plans"]}


def plan_ids(store: Path) -> set[str]:
    return {path.parent.name for path in store.glob("*/plans/**/state.json")}


async def test_register_names_the_command_once_and_the_command_imports(
    start: Start, project: Path, store: Path, tmp_path: Path
) -> None:
    server = await start()
    told = (await server.call(WS, "register", workspace_path=str(project)))["legacy_store"]

    assert told == {"path": str(project), "status": "found", "command": told["command"]}
    assert "legacy_store" not in await server.call(WS, "register", workspace_path=str(project))
    assert (await server.call(WS, "info", workspace_path=str(project)))["legacy_store"] == told
    again = await start()
    assert "legacy_store" not in await again.call("memory_agent", "init", agent="A", workspace_path=str(project))
    done = await asyncio.to_thread(
        subprocess.run,
        told["command"],
        shell=True,
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    assert "legacy_store" not in await server.call(WS, "info", workspace_path=str(project))
    assert await plans_of(server, WORKSPACE) == plan_ids(store)


async def test_a_briefing_tells_of_it_when_no_register_did(start: Start, project: Path, tmp_path: Path) -> None:
    server = await start()
    await server.call(WS, "register", workspace_path=str(project))
    legacy_store.write(project / "data", plans=2, steps=2)
    late = await start()

    told = await late.call("memory_agent", "init", agent="A", workspace_path=str(project))
    assert told["legacy_store"]["status"] == "found"
    assert "legacy_store" not in await late.call("memory_agent", "init", agent="B", workspace_path=str(project))


async def test_the_first_start_in_such_a_folder_logs_the_command(start: Start, project: Path, store: Path) -> None:
    first = await start(cwd=project)

    async def has_told() -> bool:
        return "-m server import" in first.logged

    await until(has_told)
    assert await first.end() == (0, [])
    second = await start(cwd=project)
    await second.call(WS, "list")
    assert await second.end() == (0, [])
    assert "-m server import" not in second.logged


async def test_a_server_that_must_not_write_tells_too(start: Start, project: Path, store: Path) -> None:
    first = await start()
    await first.call(WS, "list")
    assert await first.end() == (0, [])
    server = await start("--read-only", "--auto-import", cwd=project)

    async def has_told() -> bool:
        return "-m server import" in server.logged

    await until(has_told)
    assert await server.end() == (0, [])


async def test_where_an_identity_file_leads_is_noticed_and_stays(start: Start, project: Path, tmp_path: Path) -> None:
    root = led_away(project, tmp_path / "old")
    before = legacy_store.read(root)
    server = await start()
    told = await server.call(WS, "register", workspace_path=str(project))

    assert (told["workspace_id"], told["legacy_store"]["status"]) == (WORKSPACE, "found")
    known = json.loads((project / ".projectmemory" / "identity.json").read_text(encoding="utf-8"))
    assert (known["data_root"], known["project_mcps"]) == (str(root), ["x"])
    assert legacy_store.read(root) == before


@pytest.mark.parametrize("way", ["beside", "elsewhere"])
async def test_with_auto_import_register_imports_it_there_and_then(
    start: Start, project: Path, tmp_path: Path, way: str
) -> None:
    root = led_away(project, tmp_path / "old") if way == "elsewhere" else legacy_store.write(project / "data", plans=3)
    before = legacy_store.read(root)
    server = await start("--auto-import")
    answer = await server.call(WS, "register", workspace_path=str(project))
    told = answer["legacy_store"]

    assert (told["status"], told["path"]) == ("imported", str(project)), told
    assert await plans_of(server, WORKSPACE) == plan_ids(root)
    assert legacy_store.read(root) == before
    copy = Path(told["copied_to"])
    assert copy.parent == tmp_path / "data" / "older-stores"
    here = {name: content for name, content in legacy_store.read(copy).items() if name.startswith(WORKSPACE)}
    kept = {name: content for name, content in before.items() if name.startswith(WORKSPACE)}
    assert {name: here[name] for name in kept} == kept
    assert json.loads(Path(told["report"]).read_text(encoding="utf-8"))["verified_plans"] == told["plans"]
    assert "legacy_store" not in await server.call(WS, "register", workspace_path=str(project))
    assert "legacy_store" not in await server.call(WS, "info", workspace_path=str(project))


async def test_with_auto_import_the_first_start_imports_it(start: Start, project: Path, store: Path) -> None:
    server = await start("--auto-import", cwd=project)

    async def is_there() -> bool:
        return WORKSPACE in {one["workspace_id"] for one in (await server.call(WS, "list")).get("workspaces", [])}

    await until(is_there)
    assert await plans_of(server, WORKSPACE) == plan_ids(store)
    assert (await server.call(WS, "info", workspace_id=LEGACY_WORKSPACE))["workspace_id"] == WORKSPACE


async def test_two_servers_that_import_the_same_store_at_once_make_one_of_it(
    start: Start, project: Path, store: Path, data_root: Path
) -> None:
    servers = [await start("--auto-import") for _ in range(2)]
    told = await asyncio.gather(*(one.call(WS, "register", workspace_path=str(project)) for one in servers))

    assert [one["workspace_id"] for one in told] == [told[0]["workspace_id"]] * 2
    assert [one["legacy_store"]["status"] for one in told if "legacy_store" in one] in (["imported"], ["imported"] * 2)
    assert await plans_of(servers[0], WORKSPACE) == plan_ids(store)
    [copy] = (path for path in (data_root / "older-stores").iterdir() if path.is_dir())
    assert copy.name.startswith("project-")


async def test_a_data_root_that_both_programs_share_is_imported_without_what_is_ours(
    start: Start, data_root: Path
) -> None:
    store = legacy_store.write(data_root, plans=2, steps=2)
    server = await start("--auto-import")

    async def is_there() -> bool:
        return WORKSPACE in {one["workspace_id"] for one in (await server.call(WS, "list")).get("workspaces", [])}

    await until(is_there)
    await server.call(WS, "register", workspace_path=str(data_root.parent))
    assert await server.end() == (0, [])
    again = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "server", "import", str(store), "--json", "--data-root", str(data_root)],
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert set(json.loads(again.stdout)["files"]) == {"unchanged"}


async def test_who_asks_for_progress_hears_of_the_import(connect: Connect, project: Path, store: Path) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    for mode in ("legacy", "auto"):
        heard.clear()
        client = await connect(mode, "--auto-import")
        result = await client.call_tool(
            WS, {"action": "register", "workspace_path": str(project)}, progress_callback=hear
        )
        [block] = result.content
        assert isinstance(block, TextContent)
        told: dict[str, Any] = json.loads(block.text)
        if mode == "legacy":
            assert told["legacy_store"]["status"] == "imported"
            assert heard
            assert [done for done, _, _ in heard] == sorted(done for done, _, _ in heard)


@pytest.mark.parametrize("way", ["beside", "elsewhere", "itself"])
def test_what_is_noticed_is_what_import_recognises(project: Path, tmp_path: Path, way: str) -> None:
    if way == "elsewhere":
        led_away(project, tmp_path / "old")
    else:
        legacy_store.write(project / "data" if way == "beside" else project, plans=1)

    found, known = older_stores.find(str(project)), recognise(project)
    assert found
    assert known
    assert {one.workspace_id for one in known[1].workspaces} == set(found.workspaces)


async def test_stores_of_other_programs_are_told_of_once_each_until_they_are_imported(
    start: Start, project: Path, tmp_path: Path
) -> None:
    GENERATORS["beads"](project, 1)
    GENERATORS["task-master"](project, 1)
    server = await start()
    told = (await server.call(WS, "register", workspace_path=str(project)))["legacy_store"]
    assert (told["status"], told["programs"]) == ("found", ["beads", "task-master"])
    later = await start()
    assert "legacy_store" not in await later.call(WS, "register", workspace_path=str(project))

    done = await asyncio.to_thread(
        subprocess.run, told["command"], shell=True, env=environment(), cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode in (0, 3), done.stderr
    assert "legacy_store" not in await server.call(WS, "info", workspace_path=str(project))
    GENERATORS["backlog-md"](project, 1)
    third = await start()
    told = (await third.call("memory_agent", "init", agent="A", workspace_path=str(project)))["legacy_store"]
    assert (told["status"], told["programs"]) == ("found", ["backlog-md"])


async def test_with_auto_import_stores_of_other_programs_come_in_beside_the_older_one(
    start: Start, project: Path, store: Path
) -> None:
    GENERATORS["beads"](project, 1)
    (project / "memory.jsonl").write_text('{"type": "entity", "name": "Mine", "entityType": "t", "observations": []}')
    server = await start("--auto-import")
    told = (await server.call(WS, "register", workspace_path=str(project)))["legacy_store"]

    assert (told["status"], told["programs"]) == ("imported", ["beads"])
    assert {path.name for path in Path(told["copied_to"]).rglob("issues.jsonl")} == {"issues.jsonl"}
    found = await server.call(WS, "info", workspace_path=str(project))
    assert "legacy_store" not in found
    listed = await plans_of(server, found["workspace_id"])
    assert listed > plan_ids(store)
    assert len((await server.call(WS, "list"))["workspaces"]) == 1


def test_a_project_without_one_has_none(project: Path) -> None:
    (project / "data").mkdir()
    (project / "data" / "table.csv").write_text("a,b\n", encoding="utf-8")

    assert older_stores.find(str(project)) is None
    assert older_stores.find(str(ROOT)) is None


@pytest.mark.parametrize("way", ["beside", "elsewhere"])
async def test_what_was_made_at_another_path_is_shown_to_the_agent_in_the_folder(
    start: Start, project: Path, tmp_path: Path, way: str
) -> None:
    root = led_away(project, tmp_path / "old") if way == "elsewhere" else legacy_store.write(project / "data", plans=3)
    server = await start("--auto-import")
    mine = await server.call(WS, "register", workspace_path=str(project))

    assert mine["legacy_store"]["status"] == "imported"
    assert "elsewhere" not in mine["legacy_store"]
    assert await plans_of(server, mine["workspace_id"]) == plan_ids(root)
    listed = await server.call("memory_plan", "list", workspace_path=str(project), include_archived=True)
    assert listed["total"] == len(plan_ids(root))


async def test_what_belongs_to_another_folder_that_is_there_is_told_where_it_went(
    start: Start, project: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    root = legacy_store.write(project / "data", plans=2)
    change(root / WORKSPACE / "workspace.meta.json", path=str(theirs), workspace_path=str(theirs))
    server = await start("--auto-import")
    mine = await server.call(WS, "register", workspace_path=str(project))

    [other] = mine["legacy_store"]["elsewhere"]
    assert other["path"] == str(theirs)
    assert await plans_of(server, mine["workspace_id"]) == set()
    assert await plans_of(server, other["workspace_id"]) == plan_ids(root)
