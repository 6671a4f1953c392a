"""The mirror of real servers: whoever writes the database, and whoever dies."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from server.settings import DATABASE_NAME
from tests.e2e import commands
from tests.e2e.conftest import PATIENCE, environment
from tests.e2e.processes import ServerProcess

LOOK_SECONDS = 0.02
PLANS = 40


async def until(is_so: Callable[[], object]) -> None:
    with anyio.fail_after(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(LOOK_SECONDS)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


def command(*words: str | Path, data_root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*commands.program(), *map(str, words), "--data-root", str(data_root)],
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


async def plans(server: ServerProcess, project: Path, count: int) -> list[str]:
    await server("memory_workspace", "register", workspace_path=str(project))
    made = [
        await server("memory_plan", "create", workspace_path=str(project), title=f"Plan {n}", steps=[{"task": "a"}])
        for n in range(count)
    ]
    return [plan["plan_id"] for plan in made]


def document(mirror: Path, plan_id: str) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in mirror.glob(f"*/plans/{plan_id}.json"))


async def test_a_server_mirrors_what_any_process_writes(data_root: Path, project: Path, mirror: Path) -> None:
    keeper = await ServerProcess.start(data_root, "--mirror", str(mirror))
    other = await ServerProcess.start(data_root)
    [plan_id] = await plans(other, project, 1)
    await until(lambda: document(mirror, plan_id))
    await other("memory_plan", "add_note", plan_id=plan_id, note="from elsewhere")
    await until(lambda: "from elsewhere" in document(mirror, plan_id))
    await keeper("memory_plan", "add_note", plan_id=plan_id, note="at the very end")

    assert (await other.close(), await keeper.close()) == (0, 0)
    assert "at the very end" in document(mirror, plan_id)
    checked = command("mirror", "--check", "--mirror", mirror, data_root=data_root)
    assert (checked.returncode, checked.stdout.splitlines()) == (0, [f"{mirror} is like the database."])


async def test_who_is_killed_while_it_writes_is_taken_over_from(data_root: Path, project: Path, mirror: Path) -> None:
    other = await ServerProcess.start(data_root)
    made = await plans(other, project, PLANS)
    victim = await ServerProcess.start(data_root, "--mirror", str(mirror))
    await until(lambda: any(mirror.glob("*/plans/*.json")))
    await victim.kill()
    heir = await ServerProcess.start(data_root, "--mirror", str(mirror))
    await until((mirror / ".mirror" / "cursor.json").exists)

    assert len(list(mirror.glob("*/plans/*.json"))) == len(made)
    assert (await other.close(), await heir.close()) == (0, 0)
    assert command("mirror", "--check", "--mirror", mirror, data_root=data_root).returncode == 0
    assert list(mirror.glob(".mirror/*.tmp")) == []


async def test_what_was_written_while_no_server_kept_the_mirror_is_made_up_for(
    data_root: Path, project: Path, mirror: Path
) -> None:
    first = await ServerProcess.start(data_root, "--mirror", str(mirror))
    [plan_id] = await plans(first, project, 1)
    await until(lambda: document(mirror, plan_id))
    await first.kill()
    alone = await ServerProcess.start(data_root)
    await alone("memory_plan", "update", plan_id=plan_id, title="Another title")
    assert await alone.close() == 0
    assert "Another title" not in document(mirror, plan_id)
    checked = command("mirror", "--check", "--mirror", mirror, data_root=data_root)
    assert checked.returncode == 1
    assert 'title is "Plan 0" in the mirror, "Another title" in the database' in checked.stdout

    second = await ServerProcess.start(data_root, "--mirror", str(mirror))
    await until(lambda: "Another title" in document(mirror, plan_id))
    assert await second.close() == 0


async def test_the_command_writes_the_mirror_and_import_reads_it(
    data_root: Path, project: Path, mirror: Path, tmp_path: Path
) -> None:
    server = await ServerProcess.start(data_root)
    [kept, gone] = await plans(server, project, 2)
    assert command("mirror", "--mirror", mirror, data_root=data_root).returncode == 0
    await server("memory_plan", "delete", plan_id=gone, confirm=True)
    told = command("mirror", "--mirror", mirror, data_root=data_root)
    before = await server("memory_plan", "get", plan_id=kept)
    assert await server.close() == 0

    assert f"{gone}.json" in told.stdout
    back = tmp_path / "back"
    imported = command("import", mirror, data_root=back)
    assert imported.returncode == 0, imported.stdout
    again = await ServerProcess.start(back)
    assert await again("memory_plan", "get", plan_id=kept) == before
    assert await again.close() == 0
    rows = sqlite3.connect(back / DATABASE_NAME).execute("SELECT plan_id FROM plans").fetchall()
    assert rows == [(kept,)]


def test_a_mirror_needs_a_folder_and_a_database(data_root: Path, mirror: Path) -> None:
    nameless = command("mirror", data_root=data_root)
    assert (nameless.returncode, "PM_MIRROR" in nameless.stderr) == (2, True)
    bare = command("mirror", "--check", "--mirror", mirror, data_root=data_root)
    assert (bare.returncode, str(data_root) in bare.stderr) == (2, True)
    assert not mirror.exists()


def test_a_server_without_a_mirror_or_an_older_store_imports_nothing_of_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "server", "--data-root", str(tmp_path / "data")],
        env=environment(),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert "server.jobs.background" in imported
    assert [
        name for name in imported if name.startswith(("server.jobs.mirroring", "server.jobs.auto_import", "server.imp"))
    ] == []
