"""What holds for every layout: nothing lost, again changes nothing, bad files cost a line, nothing else is touched."""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from server import importers
from server.db.storage.connection import Database
from server.importers.report import ImportReport
from server.importers.run import Options, import_path
from server.settings import Settings
from server.store import open_store
from server.tools import older_stores
from tests import legacy_store
from tests.e2e.commands import script
from tests.importers import layouts
from tests.importers.conftest import Taker, everything
from tests.importers.layouts import Expected
from tests.thoroughness import often

GENERATORS = layouts.generators()
DYING = Path(__file__).with_name("dying_import.py")
REPOSITORY = Path(__file__).resolve().parents[2]
OF_A_RUN = ("import_runs", "import_files", "import_rows", "event_log", "update_log", "imported_logs")


@pytest.fixture(params=sorted(GENERATORS))
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Expected:
    folder = tmp_path / "their project"
    folder.mkdir()
    return GENERATORS[request.param](folder, 1)


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def home_of(made: Expected) -> Path:
    """Return a folder that is the layout's own, or the source."""
    folders = (path for path in sorted(made.source.iterdir()) if path.name.startswith(".") and path.is_dir())
    return next(folders, made.source)


def new_rows(report: ImportReport) -> dict[str, int]:
    return {table: counts.get("new", 0) for table, counts in report.rows.items()}


def content(path: Path) -> dict[str, list[str]]:
    found = everything(path)
    return {name: rows for name, rows in found.items() if name not in OF_A_RUN and not name.startswith("search")}


def test_every_layout_has_a_generator() -> None:
    missing = {name.replace("_", "-") for name in layouts.packages()} - GENERATORS.keys()
    assert missing == set()


def test_every_layout_is_called_as_its_package() -> None:
    assert importers.names()[:2] == ["legacy", "documents"]
    assert {name: importers.layout_of(name).NAME for name in importers.names()} == {
        name: name for name in importers.names()
    }


def test_what_shows_a_store_in_a_project_is_noticed_and_recognised(made: Expected) -> None:
    found = older_stores.find(str(made.source))
    if made.is_placeless:
        assert found is None
        return
    assert found
    assert [*found.programs] == [made.layout]
    known = importers.recognise_all(made.source, made.layout)
    listed = [file.path for layout, source in known for file in layout.files(source)]
    assert found.programs[made.layout] in listed


@pytest.mark.parametrize("name", sorted(importers.marks()))
def test_what_only_looks_like_a_store_is_not_noticed(tmp_path: Path, name: str) -> None:
    for path, _ in importers.marks()[name]:
        files, folders = ("project", "outside") if path.endswith("/") else ("outside", "project")
        (tmp_path / files / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / files / path).write_text("{}")
        (tmp_path / folders / path).mkdir(parents=True)
    (tmp_path / "linked").mkdir()
    for top in {path.partition("/")[0] for path, _ in importers.marks()[name]}:
        (tmp_path / "linked" / top).symlink_to(tmp_path / "outside" / top)

    assert older_stores.find(str(tmp_path / "project")) is None
    assert older_stores.find(str(tmp_path / "linked")) is None


async def test_everything_comes_in_and_the_source_stays(take: Taker, made: Expected) -> None:
    before = state(made.source)
    report = await take(made.source)

    assert report.layout == made.layout
    assert report.differences == []
    assert {table: number for table, number in new_rows(report).items() if table in made.rows} == made.rows
    assert sum(report.files.values()) == made.files
    assert state(made.source) == before
    whole = "\n".join(row for rows in content(take.db.path).values() for row in rows)
    assert [text for text in made.texts if text not in whole] == []
    raw = take.db.path.read_bytes() + take.db.path.with_name(take.db.path.name + "-wal").read_bytes()
    assert [secret for secret in made.secrets if secret in whole or secret.encode() in raw] == []
    assert await take.db.value("PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize("seed", range(2, 2 + often(5, 1)))
@pytest.mark.parametrize("name", sorted(GENERATORS))
async def test_stores_of_any_size_come_in_whole(take: Taker, project: Path, name: str, seed: int) -> None:
    made = GENERATORS[name](project, seed)
    report = await take(made.source)

    assert report.differences == []
    assert {table: number for table, number in new_rows(report).items() if table in made.rows} == made.rows
    assert sum(report.files.values()) == made.files
    assert (await take.verify(made.source)).standing == "GREEN"


async def test_nobody_holds_what_arrives(take: Taker, made: Expected) -> None:
    await take(made.source)
    assert await take.db.value("SELECT count(*) FROM steps WHERE claimed_by IS NOT NULL OR claim_token <> 0") == 0
    assert await take.db.value("SELECT count(*) FROM sessions WHERE status = 'active'") == 0


async def test_a_dry_run_has_the_very_counts_and_writes_nothing(take: Taker, made: Expected) -> None:
    before = everything(take.db.path)
    dry = await take(made.source, dry_run=True)
    assert everything(take.db.path) == before
    real = await take(made.source)

    assert (dry.files, dry.rows) == (real.files, real.rows)
    assert [(one.path, one.what) for one in dry.findings] == [(one.path, one.what) for one in real.findings]


async def test_again_changes_nothing_and_verify_is_green(take: Taker, made: Expected) -> None:
    first = await take(made.source)
    before = everything(take.db.path)
    second = await take(made.source)

    assert set(second.files) == {"unchanged"}
    assert sum(second.files.values()) == sum(first.files.values())
    assert everything(take.db.path) == before
    verified = await take.verify(made.source)
    assert (verified.standing, verified.exit_code, verified.differences) == ("GREEN", 0, [])


async def test_each_file_is_in_exactly_one_state(take: Taker, made: Expected) -> None:
    await take(made.source)
    assert await take.db.value("SELECT count(*) FROM import_files") == made.files
    assert await take.db.value("SELECT count(DISTINCT path) FROM import_files") == made.files


async def test_a_changed_source_updates_what_nobody_changed_here(take: Taker, made: Expected) -> None:
    await take(made.source)
    query, key = await change_one(take)
    yellow = await take.verify(made.source)
    assert (yellow.standing, yellow.exit_code) == ("YELLOW", 1)
    assert made.edit
    told = made.edit()
    report = await take(made.source)

    rows = content(take.db.path)
    assert told in "\n".join(row for table in ("plans", "knowledge", "memory_entries") for row in rows[table])
    assert await take.db.value(query, {"id": key}) in ("Ours", '"Ours"')
    assert report.files.get("imported", 0) >= 1
    assert "new" not in {name for counts in report.rows.values() for name, number in counts.items() if number}


async def change_one(take: Taker) -> tuple[str, str]:
    """Change a plan, or else knowledge, or else a fact; return the query of what was changed, and the id."""
    plan_id = await take.db.value("SELECT plan_id FROM plans WHERE description IS NOT NULL ORDER BY plan_id LIMIT 1")
    if plan_id:
        await take.ask("memory_plan", {"action": "update", "plan_id": plan_id, "description": "Ours", "agent": "me"})
        return "SELECT description FROM plans WHERE plan_id = :id", plan_id
    entry = await take.db.one("SELECT * FROM knowledge ORDER BY knowledge_id LIMIT 1")
    if entry:
        told = {name: entry[name] for name in ("workspace_id", "slug", "content")}
        await take.ask("memory_context", {"action": "knowledge_store", **told, "title": "Ours"})
        return "SELECT title FROM knowledge WHERE knowledge_id = :id", entry["knowledge_id"]
    fact = await take.db.one("SELECT * FROM memory_entries ORDER BY entry_id LIMIT 1")
    assert fact
    told = {name: fact[name] for name in ("workspace_id", "namespace", "key")}
    await take.ask("memory_context", {"action": "remember", **told, "value": "Ours"})
    return "SELECT value FROM memory_entries WHERE entry_id = :id", fact["entry_id"]


async def test_a_bad_part_costs_a_line_and_the_rest_comes_in(take: Taker, made: Expected) -> None:
    assert made.broken
    made.broken()
    report = await take(made.source)

    assert report.exit_code == 3
    assert any(finding.severity == "error" for finding in report.findings)
    assert {table: number for table, number in new_rows(report).items() if table in made.rows} == made.rows
    assert report.differences == []


async def test_another_copy_is_another_workspace_if_it_has_a_place(take: Taker, made: Expected, tmp_path: Path) -> None:
    await take(made.source)
    shutil.copytree(made.source, tmp_path / "copy")
    report = await take(tmp_path / "copy")

    is_same = made.is_placeless and not made.stays_put
    assert report.differences == []
    assert new_rows(report).get("steps", 0) == (0 if is_same else made.rows.get("steps", 0))
    number = made.rows["workspaces"] if is_same else 2
    assert await take.db.value("SELECT count(*) FROM workspaces") == number


async def test_it_goes_to_the_workspace_that_is_registered_there(take: Taker, made: Expected) -> None:
    registered = await take.ask("memory_workspace", {"action": "register", "workspace_path": str(made.source)})
    report = await take(made.source)

    own = {part.workspace_id for part in report.parts if part.workspace_id}
    assert own.isdisjoint({registered["workspace_id"]}) if made.is_placeless else own == {registered["workspace_id"]}
    assert new_rows(report).get("workspaces", 0) == (made.rows["workspaces"] if made.is_placeless else 0)
    assert set((await take(made.source)).files) == {"unchanged"}


async def test_links_and_odd_names_in_the_folder_stop_nothing(take: Taker, made: Expected, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jsonl"
    outside.write_text('{"id": "bd-outside", "title": "Secret plans", "status": "open", "priority": 1}\n')
    home = next(
        (path for path in sorted(made.source.iterdir()) if path.name.startswith(".") and path.is_dir()), made.source
    )
    (home / "link.jsonl").symlink_to(outside)
    (home / "circle").symlink_to(home)
    os.close(os.open(os.fsencode(home) + b"/n\xff\xe9me.txt", os.O_CREAT | os.O_WRONLY))
    report = await take(made.source)

    assert {table: number for table, number in new_rows(report).items() if table in made.rows} == made.rows
    assert "Secret plans" not in str(everything(take.db.path))
    assert set((await take(made.source)).files) == {"unchanged"}


async def test_deep_nesting_costs_a_line(take: Taker, made: Expected) -> None:
    home = next(
        (path for path in sorted(made.source.iterdir()) if path.name.startswith(".") and path.is_dir()), made.source
    )
    (home / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    (home / "deep.yaml").write_text("[" * 5_000 + "]" * 5_000)
    report = await take(made.source)
    assert {table: number for table, number in new_rows(report).items() if table in made.rows} == made.rows


@pytest.mark.parametrize("commit", [1, 3])
async def test_an_import_that_is_killed_leaves_nothing_to_see_and_the_next_completes_it(
    settings: Settings, made: Expected, commit: int
) -> None:
    words = [str(DYING), str(settings.data_root), str(made.source), str(commit), "after"]
    killed = await asyncio.to_thread(
        subprocess.run,
        [*script(words[0]), *words[1:]],
        timeout=60,
        check=False,
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY)},
    )
    assert killed.returncode == -signal.SIGKILL
    db = await open_store(settings)
    taker = Taker(settings, db)
    try:
        listed = await taker.ask("memory_workspace", {"action": "list"})
        assert listed["workspaces"] == []
        report = await taker(made.source)
        assert report.differences == []
        counts = {table: await db.value(f"SELECT count(*) FROM {table}") for table in made.rows}
        assert counts == made.rows
    finally:
        await taker.store.close()
        await db.close()


async def test_two_layouts_in_one_folder_are_one_report(take: Taker, tmp_path: Path, db: Database) -> None:
    chosen = sorted(GENERATORS)[:2]
    folder = tmp_path / "both"
    folder.mkdir()
    expected = [GENERATORS[chosen[0]](folder, 1)]
    if len(chosen) == 1:
        legacy_store.write(folder / "data", plans=1)
    else:
        expected.append(GENERATORS[chosen[1]](folder, 2))
    dry = await take(folder, dry_run=True)
    report = await take(folder)

    assert len(report.each) == 2
    assert len(report.payload()["layouts"]) == 2
    assert (dry.files, dry.rows) == (report.files, report.rows)
    assert (await take.verify(folder)).standing == "GREEN"
    only = await import_path(db, folder, Options(layout=expected[0].layout))
    assert (only.each, only.layout) == ([], expected[0].layout)
