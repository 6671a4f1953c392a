"""The scripts that take a database by its file, as processes."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from server.db.storage.migrations import load
from server.settings import ASSETS
from tests import legacy_store
from tests.e2e.conftest import ROOT, environment


def script(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *map(str, words)],
        env=environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return legacy_store.write(tmp_path_factory.mktemp("store"), plans=3, steps=4)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Path:
    """A database of any name that the store was migrated to."""
    file = tmp_path_factory.mktemp("made") / "anything.sqlite"
    done = script("migrate_json_to_sqlite", "--input", store, "--db", file)
    assert done.returncode in (0, 3), done.stderr + done.stdout
    return file


def test_a_dry_run_tells_the_same_counts_and_makes_nothing(store: Path, made: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    dry = script("migrate_json_to_sqlite", "--input", store, "--db", file, "--dry-run")
    assert list(tmp_path.iterdir()) == []
    real = script("migrate_json_to_sqlite", "--input", store, "--db", file)

    counts = [[line for line in done.stdout.splitlines() if line.startswith("  ")] for done in (dry, real)]
    assert counts[0] == counts[1] != []


def test_a_migrated_database_holds_the_plans_and_gives_the_files_back(store: Path, made: Path, tmp_path: Path) -> None:
    done = script("export_sqlite_to_json", "--db", made, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr

    before, after = legacy_store.read(store), legacy_store.read(tmp_path / "out")
    states = {path for path in before if path.endswith("state.json")}
    assert len(states) == 3
    assert {path: after.get(path) for path in states} == {path: before[path] for path in states}


def test_documents_are_there_for_the_asking(made: Path, tmp_path: Path) -> None:
    done = script("export_sqlite_to_json", "--db", made, "--output", tmp_path / "out", "--format", "json")

    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").glob("*/plans/*.json"))) == 3


def test_a_mission_is_of_one_format_alone(made: Path, tmp_path: Path) -> None:
    for told in (["--mission-uuid", "x", "--output", tmp_path / "out"], ["--output", tmp_path / "out.json"]):
        done = script("export_sqlite_to_json", "--db", made, "--format", "json", *told)
        assert (done.returncode, "a mission is a file of vibe-agency" in done.stderr) == (2, True)
    done = script("export_sqlite_to_json", "--db", made, "--format", "vibe-agency", "--output", tmp_path / "out.json")
    assert (done.returncode, done.stderr.strip()) == (2, "There are no missions.")
    assert list(tmp_path.glob("out*")) == []


def test_a_folder_that_is_not_empty_is_refused(made: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    done = script("export_sqlite_to_json", "--db", made, "--output", tmp_path)

    assert (done.returncode, "not empty" in done.stderr) == (2, True)


def test_a_schema_as_it_should_be(made: Path) -> None:
    before = made.read_bytes()
    done = script("validate_schema", "--db", made)
    lines = done.stdout.splitlines()

    assert done.returncode == 0, done.stdout
    assert lines[:2] == [f"schema version: {load(ASSETS / 'migrations')[-1].number}", "foreign keys: on"]
    assert lines[-1] == "differences: none"
    db = sqlite3.connect(made)
    columns = len(db.execute("SELECT * FROM plans").description)
    assert f"  plans: {columns} columns" in lines
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")]
    assert {f"  {name}" for name in names} <= set(lines)
    db.close()
    assert made.read_bytes() == before


def test_every_difference_of_a_schema_is_named(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "odd.db"
    with sqlite3.connect(made) as source, sqlite3.connect(file) as odd:
        source.backup(odd)
    odd.executescript(
        """
        DROP INDEX sessions_plan;
        CREATE TABLE extra (a);
        ALTER TABLE plan_notes ADD COLUMN more TEXT;
        DROP TRIGGER steps_deleted;
        DROP TABLE workspace_skills;
        PRAGMA user_version = 1;
        """
    )
    source.close()
    odd.close()
    done = script("validate_schema", "--db", file)

    newest = load(ASSETS / "migrations")[-1].number
    assert done.returncode == 1
    assert done.stdout[done.stdout.index("differences") :].splitlines() == [
        "differences: 6",
        f"  schema version: 1 instead of {newest}",
        "  table extra: not of this release",
        "  table plan_notes: column more: not of this release",
        "  table sessions: index sessions_plan: missing",
        "  table steps: trigger steps_deleted: missing",
        "  table workspace_skills: missing",
    ]


@pytest.mark.parametrize("name", ["export_sqlite_to_json", "validate_schema"])
def test_a_database_that_is_not_there_is_not_made(name: str, tmp_path: Path) -> None:
    output = ("--output", str(tmp_path / "out")) if name.startswith("export") else ()
    done = script(name, "--db", tmp_path / "no.db", *output)

    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []
