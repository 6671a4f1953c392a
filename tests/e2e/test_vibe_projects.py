"""A project of vibe-agency in the life of its user: noticed at the start, imported, verified, exported, rolled back."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import vibe_store
from tests.e2e import commands
from tests.e2e.conftest import ROOT, Start, environment
from tests.e2e.test_older_stores import plans_of, until
from tests.vibe_store import CLEANUP, MISSION

pytestmark = pytest.mark.any_start

WS = "memory_workspace"


@pytest.fixture
def vibe(project: Path) -> Path:
    """A project with the files of vibe-agency."""
    return vibe_store.put(project, vibe_store.store())


def run(*arguments: object, script: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line, or a script of the repository."""
    head = [sys.executable, str(ROOT / "scripts" / script)] if script else commands.program()
    return subprocess.run(
        [*head, *map(str, arguments)], env=environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )


def sorted_values(path: Path) -> Any:
    """Return what `jq -S` compares."""
    return json.loads(path.read_bytes())


def differing(left: Path, right: Path, names: Sequence[str]) -> list[str]:
    return [
        name for name in names if name.endswith(".json") and sorted_values(left / name) != sorted_values(right / name)
    ]


async def test_a_mission_is_noticed_and_the_command_that_is_named_imports_it(start: Start, vibe: Path) -> None:
    server = await start()
    told = (await server.call(WS, "register", workspace_path=str(vibe)))["legacy_store"]
    assert told["status"] == "found"

    done = await asyncio.to_thread(
        subprocess.run, told["command"], shell=True, env=environment(), capture_output=True, check=False
    )

    assert done.returncode in (0, 3), done.stderr
    found = await server.call(WS, "info", workspace_path=str(vibe))
    assert "legacy_store" not in found
    assert vibe_store.ROOT_ID in await plans_of(server, found["workspace_id"])


async def test_with_auto_import_a_mission_comes_in_at_the_first_start(start: Start, vibe: Path) -> None:
    before = {path: (vibe / path).read_bytes() for path in vibe_store.store().files}
    server = await start("--auto-import", cwd=vibe)

    async def is_there() -> bool:
        listed = (await server.call(WS, "list")).get("workspaces", [])
        return bool(listed) and vibe_store.MISSION_ID in await plans_of(server, listed[0]["workspace_id"])

    await until(is_there)
    assert {path: (vibe / path).read_bytes() for path in before} == before


def test_what_was_imported_is_exported_as_it_was(tmp_path: Path) -> None:
    found = vibe_store.store()
    project = vibe_store.put(tmp_path / "p", found)
    data = ("--data-root", tmp_path / "data")

    assert run(*data, "import", project, "--dry-run").returncode == 0
    assert run(*data, "import", project).returncode == 0
    assert run(*data, "verify", project).returncode == 0
    done = run(*data, "export", tmp_path / "out", "--format", "vibe-agency", "--workspace", project)

    assert done.returncode == 0, done.stderr
    assert differing(project, tmp_path / "out", list(found.files)) == []
    assert all((tmp_path / "out" / path).read_bytes() == content for path, content in found.files.items())


def test_their_plan_is_followed_to_the_letter(tmp_path: Path) -> None:
    """The scripts as the plan of vibe-agency calls them: there, verified, and back."""
    state = vibe_store.put(tmp_path / "p", vibe_store.store()) / ".vibe/state"
    backup = shutil.copy(state / "active_mission.json", tmp_path / "backup.json")
    db, back = state / "missions.db", tmp_path / "exported.json"

    there = run("--input", state, "--db", db, "--dry-run", script="migrate_json_to_sqlite.py")
    assert (there.returncode, db.exists()) == (0, False), there.stderr
    for _ in range(2):
        there = run("--input", state, "--db", db, script="migrate_json_to_sqlite.py")
        assert there.returncode == 0, there.stdout + there.stderr
    assert run("--db", db, script="validate_schema.py").returncode == 0

    for chosen in ((), ("--mission-uuid", vibe_store.MISSION_ID)):
        done = run("--db", db, *chosen, "--output", back, script="export_sqlite_to_json.py")
        assert done.returncode == 0, done.stderr
        assert sorted_values(back) == sorted_values(Path(backup))
        back.unlink()
    unknown = run("--db", db, "--mission-uuid", "nobody", "--output", back, script="export_sqlite_to_json.py")
    assert (unknown.returncode, back.exists()) == (2, False)
    assert vibe_store.MISSION_ID in unknown.stderr


def test_a_changed_file_is_yellow_and_what_never_came_is_red(tmp_path: Path) -> None:
    project = vibe_store.put(tmp_path / "p", vibe_store.store())
    data = ("--data-root", tmp_path / "data")
    run(*data, "import", project)
    value = sorted_values(project / MISSION) | {"mission_name": "Other"}
    (project / MISSION).write_bytes(vibe_store.dump(value))

    changed = run(*data, "verify", project, "--json")
    assert (changed.returncode, json.loads(changed.stdout)["result"]) == (1, "YELLOW")

    other = vibe_store.put(tmp_path / "other", vibe_store.store())
    lost = run(*data, "verify", other, "--json")
    assert (lost.returncode, json.loads(lost.stdout)["result"]) == (2, "RED")
    assert CLEANUP in lost.stdout
