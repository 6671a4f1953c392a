"""The mirror's folder says what the database says, after every action, and gives nothing up unasked."""

import errno
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.db.storage.connection import Database
from server.errors import Conflict
from server.exporters import mirror
from server.exporters.mirror import Folder
from server.importers.run import Options, import_path
from server.jobs import mirroring
from server.settings import Settings
from server.store import open_store
from tests import legacy_store
from tests.conftest import Agent

Follow = Callable[[], Awaitable[list[str]]]


@pytest_asyncio.fixture
async def db(settings: Settings, agent: Agent) -> AsyncGenerator[Database]:
    """The database that the agent's server writes, as another process sees it."""
    await agent("memory_workspace", "list")
    database = await open_store(settings)
    yield database
    await database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "mirror")


@pytest.fixture
def follow(db: Database, folder: Folder) -> Follow:
    """Bring the mirror up to date; return what still differs."""

    async def work() -> list[str]:
        await mirroring.follow(db, folder, None, lambda: False)
        return [line async for line in mirroring.compare(db, folder)]

    return work


def texts(folder: Folder) -> dict[str, bytes]:
    own = folder.path / ".mirror"
    files = (path for path in folder.path.rglob("*") if path.is_file() and own not in path.parents)
    return {path.relative_to(folder.path).as_posix(): path.read_bytes() for path in files}


async def story(agent: Agent, root: Path) -> AsyncGenerator[str]:
    """Do a bit of everything that writes, and tell after each call what it was."""

    async def did(tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        told.append(f"{tool} {action}")
        return await agent(f"memory_{tool}", action, **arguments)

    told: list[str] = []
    for name in ("one", "two"):
        (root / name).mkdir()
    ws = (await did("workspace", "register", workspace_path=str(root / "one")))["workspace_id"]
    yield told[-1]
    other = (await did("workspace", "register", workspace_path=str(root / "two")))["workspace_id"]
    phases = [{"name": "A", "steps": [{"task": "a"}, {"task": "b", "depends_on": [0]}]}, {"name": "B"}]
    plan = (await did("plan", "create", workspace_id=ws, title="First", phases=phases))["plan_id"]
    yield told[-1]
    late = (await did("plan", "create", workspace_id=ws, title="Later", phases=phases))["plan_id"]
    me = (await did("agent", "init", agent="Executor", plan_id=plan))["session_id"]
    yield told[-1]
    held = (await did("steps", "next", plan_id=plan, session_id=me))["next"]
    yield told[-1]
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("plan", "set_plan_dependencies", {"plan_id": late, "depends_on_plans": [plan]}),
        ("steps", "add", {"plan_id": late, "steps": [{"task": "d", "phase": "A", "depends_on": [held["step_id"]]}]}),
        ("steps", "heartbeat", {"step_id": held["step_id"], "session_id": me}),
        ("context", "store", {"session_id": me, "parent_type": "session", "type": "t", "data": {"a": 1}}),
        ("context", "store", {"plan_id": plan, "type": "t", "data": {"a": 1}, "session_id": me}),
        ("context", "append_research", {"plan_id": plan, "filename": "a.md", "content": "x", "agent": "A"}),
        ("context", "remember", {"workspace_id": ws, "key": "k", "value": "v", "agent": "A"}),
        ("context", "remember", {"plan_id": plan, "scope": "plan", "key": "k", "value": "v", "agent": "A"}),
        ("context", "remember", {"workspace_id": ws, "scope": "global", "key": "k", "value": "v", "agent": "A"}),
        ("context", "forget", {"workspace_id": ws, "key": "k", "agent": "A"}),
        ("context", "knowledge_store", {"workspace_id": ws, "slug": "s", "title": "T", "content": "C"}),
        ("session", "send_message", {"workspace_id": ws, "to_agent": "B", "content": "C", "session_id": me}),
        ("session", "reserve_files", {"paths": ["src/"], "session_id": me}),
        ("session", "checkpoint", {"name": "n", "session_id": me}),
        ("plan", "add_note", {"plan_id": late, "note": "n", "session_id": me}),
        ("steps", "record_edit", {"step_id": held["step_id"], "file_path": "a", "change_type": "edit", "agent": "A"}),
        ("steps", "next", {"plan_id": plan, "session_id": me, "step_id": held["step_id"]}),
        ("steps", "add", {"plan_id": late, "steps": [{"task": "c", "phase": "B"}], "agent": "A"}),
        ("plan", "update_phase", {"plan_id": late, "phase": "B", "name": "C"}),
        ("steps", "delete", {"plan_id": plan, "step_index": 0, "confirm": True, "agent": "A"}),
        ("plan", "pause_plan", {"plan_id": late, "pause_reason": "deferred"}),
        ("plan", "resume_plan", {"plan_id": late}),
        ("workspace", "set_display_name", {"workspace_id": ws, "display_name": "Name"}),
        ("workspace", "link", {"workspace_id": ws, "child_workspace_id": other}),
        ("agent", "handoff", {"session_id": me, "to_agent": "B", "reason": "r", "data": {"x": 1}}),
        ("agent", "complete", {"session_id": me, "summary": "s"}),
        ("plan", "archive", {"plan_id": plan, "force": True}),
        ("plan", "unarchive", {"plan_id": plan}),
        ("plan", "clone_plan", {"plan_id": plan, "new_title": "Copy"}),
        ("plan", "delete", {"plan_id": plan, "confirm": True}),
    ]
    for tool, action, arguments in calls:
        await did(tool, action, **arguments)
        yield told[-1]
    for trashed in (await agent("memory_workspace", "trash", workspace_id=ws))["trash"]:
        await did("workspace", "restore", trash_id=trashed["trash_id"], workspace_id=ws)
        yield told[-1]


async def test_after_every_action_the_mirror_is_like_the_database(
    agent: Agent, follow: Follow, folder: Folder, tmp_path: Path
) -> None:
    differences = {what: await follow() async for what in story(agent, tmp_path)}

    assert len(differences) > 25
    assert {what: lines for what, lines in differences.items() if lines} == {}
    assert sorted(path for path in texts(folder) if "/" not in path) == ["global.json", "project-memory.json"]


async def test_the_mirror_holds_what_an_export_holds(
    agent: Agent, follow: Follow, folder: Folder, db: Database, tmp_path: Path
) -> None:
    async for _ in story(agent, tmp_path):
        pass
    await follow()
    kept = texts(folder)
    async with mirroring.exports.snapshot(db) as reader:
        files = [file async for file in mirroring.documents.store(reader)]

    assert kept == {file.path: file.content for file in files if "logs/" not in file.path}


async def test_what_is_equal_is_not_written_again(agent: Agent, follow: Follow, folder: Folder, project: Path) -> None:
    plan_id = await planned(agent, project)
    await follow()
    before = {path: (folder.path / path).stat().st_ino for path in texts(folder)}
    await agent("memory_plan", "add_note", plan_id=plan_id, note="n")
    await follow()

    changed = {path for path in before if (folder.path / path).stat().st_ino != before[path]}
    assert [Path(path).stem for path in changed] == [plan_id]


async def planned(agent: Agent, project: Path) -> str:
    await agent("memory_workspace", "register", workspace_path=str(project))
    created = await agent("memory_plan", "create", title="T", workspace_path=str(project), steps=[{"task": "a"}])
    return created["plan_id"]


async def test_the_document_of_a_deleted_plan_is_kept_aside(
    agent: Agent, follow: Follow, folder: Folder, project: Path
) -> None:
    plan_id = await planned(agent, project)
    await follow()
    [document] = folder.path.glob(f"*/plans/{plan_id}.json")
    content = document.read_bytes()
    await agent("memory_plan", "delete", plan_id=plan_id, confirm=True)
    await follow()

    assert not document.exists()
    [aside] = folder.aside.rglob("*.json")
    assert aside.read_bytes() == content


async def test_an_empty_database_does_not_wipe_a_full_mirror(
    agent: Agent, follow: Follow, folder: Folder, project: Path, tmp_path: Path
) -> None:
    await planned(agent, project)
    await follow()
    kept = texts(folder)
    empty = await open_store(Settings(data_root=tmp_path / "other", synchronous="off"))
    try:
        with pytest.raises(Conflict, match="another database"):
            await mirroring.follow(empty, folder, None, lambda: False)
        with pytest.raises(Conflict, match="has no plan"):
            await mirroring.write(empty, folder)
        (folder.own / "cursor.json").unlink()
        with pytest.raises(Conflict, match="has no plan"):
            await mirroring.follow(empty, folder, None, lambda: False)
    finally:
        await empty.close()

    assert texts(folder) == kept


async def test_a_folder_with_something_else_in_it_is_left_alone(follow: Follow, folder: Folder) -> None:
    folder.path.mkdir()
    (folder.path / "notes.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(Conflict, match=r"notes\.txt"):
        await follow()
    assert texts(folder) == {"notes.txt": b"mine"}


async def test_a_folder_of_version_control_becomes_a_mirror(follow: Follow, folder: Folder) -> None:
    (folder.path / ".git").mkdir(parents=True)

    assert await follow() == []


async def test_what_an_import_brings_is_mirrored(
    agent: Agent, follow: Follow, db: Database, project: Path, tmp_path: Path
) -> None:
    await planned(agent, project)
    store = legacy_store.write(tmp_path / "store", plans=3, steps=3)
    for count in (3, 5):
        legacy_store.write(store, plans=count, steps=3)
        report = await import_path(db, store, Options())
        assert report.files.get("imported")
        assert await follow() == []


async def test_without_locks_a_late_write_of_another_process_is_made_up_for(
    agent: Agent, db: Database, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def none(handle: int, *, exclusive: bool) -> bool:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(mirror, "locked", none)
    folder = Folder(tmp_path / "mirror")
    plan_id = await planned(agent, project)
    reached = await mirroring.follow(db, folder, None, lambda: False)
    [document] = folder.path.glob(f"*/plans/{plan_id}.json")
    old = document.read_bytes()
    await agent("memory_plan", "add_note", plan_id=plan_id, note="n")
    with folder.lock() as one, folder.lock() as other:
        assert one
        assert other
    await mirroring.follow(db, folder, reached, lambda: False)
    new = document.read_bytes()
    document.write_bytes(old)
    await mirroring.follow(db, folder, reached, lambda: False)

    assert document.read_bytes() == new != old


async def test_who_finds_the_folder_taken_says_so(db: Database, folder: Folder) -> None:
    with folder.lock() as is_mine:
        assert is_mine
        with pytest.raises(mirroring.FolderTaken):
            await mirroring.follow(db, folder, None, lambda: False)


async def test_a_pass_that_is_cut_short_is_made_up_for(
    agent: Agent, follow: Follow, folder: Folder, db: Database, project: Path
) -> None:
    await planned(agent, project)
    assert await mirroring.follow(db, folder, None, lambda: True) is None
    (folder.own / "0123456789abcdef.tmp").write_bytes(b"half a docu")

    assert await follow() == []
    assert list(folder.own.glob("*.tmp")) == []


async def test_every_difference_is_told(
    agent: Agent, follow: Follow, folder: Folder, db: Database, project: Path
) -> None:
    plan_id = await planned(agent, project)
    other = await planned(agent, project)
    third = await planned(agent, project)
    await follow()
    [document] = folder.path.glob(f"*/plans/{plan_id}.json")
    said = json.loads(document.read_text(encoding="utf-8"))
    step_id = said["tables"]["steps"][0]["step_id"]
    said["tables"]["steps"][0]["task"] = "z"
    said["tables"]["plan_notes"] = [{"note_id": "note_x"}]
    document.write_text(json.dumps(said), encoding="utf-8")
    document.with_name(f"{other}.json").write_bytes(b'{"cut o')
    document.with_name(f"{third}.json").rename(document.with_name("plan_gone.json"))
    lines = [line async for line in mirroring.compare(db, folder)]

    place = document.parent.relative_to(folder.path).as_posix()
    assert sorted(lines) == sorted(
        [
            f"{place}/{plan_id}.json: plan_notes note_x: only in the mirror",
            f'{place}/{plan_id}.json: steps {step_id}: task is "z" in the mirror, "a" in the database',
            f"{place}/{other}.json: no document in the mirror; it was damaged",
            f"{place}/{third}.json: not in the mirror",
            f"{place}/plan_gone.json: only in the mirror",
        ]
    )
