"""The command line's exit codes, an import that is killed, and agents that work while one runs."""

import asyncio
import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from server.settings import Settings
from server.store import open_store
from tests import legacy_store
from tests.e2e import commands
from tests.importers.conftest import Taker, change, everything

REPOSITORY = Path(__file__).resolve().parents[2]
KINDS = ("plans", "plans_archive", "steps", "steps_archive", "sessions", "context_items", "update_log", "event_log")


def command(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    full = [*commands.program(), "--data-root", str(settings.data_root), *words]
    return subprocess.run(full, capture_output=True, text=True, timeout=120, check=False, cwd=REPOSITORY)


def test_the_exit_code_tells_clean_from_problems_from_nothing(settings: Settings, root: Path, tmp_path: Path) -> None:
    dry = command(settings, "import", str(root), "--dry-run", "--json")
    clean = command(settings, "import", str(root), "--json")
    verified = command(settings, "verify", str(root))
    next((root / legacy_store.WORKSPACE / "plans").glob("plan_*/state.json")).write_text("{")
    problems = command(settings, "import", str(root), "--report", str(tmp_path / "report.json"))
    nothing = command(settings, "import", str(tmp_path / "nowhere"))

    codes = [run.returncode for run in (dry, clean, verified, problems, nothing)]
    assert codes == [0, 0, 0, 3, 2], problems.stderr
    told, done = json.loads(dry.stdout), json.loads(clean.stdout)
    assert (told["files"], told["rows"]) == (done["files"], done["rows"])
    assert done["verified_plans"] == 4
    lines = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["lines"]
    assert [line["severity"] for line in lines if "state.json" in line["path"]].count("error") == 1
    assert "not imported" in problems.stdout


def test_a_relative_path_of_the_project_is_refused(settings: Settings, root: Path) -> None:
    refused = command(settings, "import", str(root), "--workspace-path", "somewhere")

    assert refused.returncode == 2
    assert "not absolute" in refused.stderr


def test_a_workspace_that_an_import_would_not_look_at_is_refused(settings: Settings, root: Path) -> None:
    for name in ("import", "verify"):
        refused = command(settings, name, str(root), "--workspace", "ws_1rqewqexykb7")
        assert refused.returncode == 2
        assert "--workspace has no effect" in refused.stderr


def counts(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as db:
        return {kind: db.execute(f"SELECT count(*) FROM {kind}").fetchone()[0] for kind in KINDS}


async def test_agents_write_while_an_import_runs(take: Taker, tmp_path: Path, project: Path) -> None:
    root = legacy_store.write(tmp_path / "big", seed=2, plans=12, log_entries=600, events=100)
    mine = await take.ask("memory_workspace", {"action": "register", "workspace_path": str(project)})
    plan = await take.ask("memory_plan", {"action": "create", "workspace_id": mine["workspace_id"], "title": "Live"})
    running = asyncio.create_task(take(root))
    written = 0
    while not running.done():
        arguments: dict[str, Any] = {
            "action": "add_note",
            "plan_id": plan["plan_id"],
            "note": str(written),
            "agent": "me",
        }
        await take.ask("memory_plan", arguments)
        written += 1

    report = await running
    notes = await take.ask("memory_plan", {"action": "list_notes", "plan_id": plan["plan_id"]})
    assert notes["total"] == written > 0
    assert report.exit_code == 0
    assert report.differences == []


async def test_two_imports_at_once_end_as_one(settings: Settings, take: Taker, root: Path) -> None:
    other = Taker(settings, await open_store(settings))
    first, second = await asyncio.gather(take(root), other(root))
    rows = counts(settings.database)
    await other.store.close()
    await other.db.close()

    assert {first.exit_code, second.exit_code} == {0}
    before = everything(settings.database)
    assert set((await take(root)).files) == {"unchanged"}
    assert everything(settings.database) == before
    assert rows["plans"] + rows["plans_archive"] == 4


async def test_progress_is_told_from_reading_to_verifying(take: Taker, root: Path) -> None:
    from server.importers.run import Options, import_path

    told: list[tuple[str, int, int]] = []

    async def listen(what: str, done: int, total: int) -> None:
        told.append((what, done, total))

    await import_path(take.db, root, Options(), take.ask, listen)
    assert list(dict.fromkeys(what for what, _, _ in told)) == ["Reading", "Writing", "Verifying"]
    assert all(0 <= done <= total for _, done, total in told)
    change(next((root / legacy_store.WORKSPACE).glob("workspace.meta.json")), display_name="Renamed")
    await import_path(take.db, root, Options(), take.ask, listen)
