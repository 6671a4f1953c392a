"""`import` on the command line: what it takes, what it leaves alone, and how it says that there is nothing."""

import json
import os
from pathlib import Path

import pytest

from server.cli.stores.import_ import meant
from server.importers.run import nothing_at
from server.settings import Settings
from tests import legacy_store
from tests.importers.conftest import Taker
from tests.importers.test_processes import command

WORKSPACE = legacy_store.WORKSPACE


@pytest.fixture
def bare(tmp_path: Path) -> Settings:
    """A data root without a database."""
    return Settings(data_root=tmp_path / "new", synchronous="off")


@pytest.fixture
def plan(root: Path) -> Path:
    return next((root / WORKSPACE / "plans").glob("plan_*"))


def test_nothing_to_import_makes_no_database_and_says_why(
    bare: Settings, root: Path, plan: Path, tmp_path: Path
) -> None:
    (tmp_path / "deep" / "er" / "empty").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_text("x")
    (tmp_path / "deep" / "plan.md").write_text("# Plan\n- [ ] step\n")
    (tmp_path / "events" / "one").mkdir(parents=True)
    (tmp_path / "theirs" / ".taskmaster" / "tasks").mkdir(parents=True)
    (tmp_path / "theirs" / ".taskmaster" / "tasks" / "tasks.json").write_text('{"tasks": []}')
    expected = {
        tmp_path / "deep" / "er" / "nowhere": "there is nothing at this path",
        tmp_path / "deep" / "er" / "empty": "an empty folder",
        tmp_path / "deep" / "er" / "file": "a file; give the folder",
        tmp_path / "deep" / "plan.md": "memory_plan, action='import' with plan_file_path",
        plan / "state.json": f"Did you mean {plan}?",
        plan.parent: f"Did you mean {root / WORKSPACE}?",
        root / "workspace-registry.json": f"Did you mean {root}?",
        root / "events": "neither a data root",
        tmp_path / "events": "a store of agent-hive, backlog-md, beads",
        tmp_path / "theirs" / ".taskmaster" / "tasks": f"Did you mean {tmp_path / 'theirs' / '.taskmaster'}?",
    }
    for path, told in expected.items():
        why = nothing_at(path)
        assert why
        assert told in why.what
    run = command(bare, "import", str(root / "events"), "--json")
    found = json.loads(run.stdout)
    assert (run.returncode, run.stderr, found["result"]) == (2, "", "nothing")
    assert "neither a data root" in found["lines"][0]["what"]
    assert not bare.database.exists()


def test_verify_without_a_database_makes_none_and_compares_nothing(bare: Settings, root: Path) -> None:
    run = command(bare, "verify", str(root))
    assert (run.returncode, "no database" in run.stderr) == (2, True)
    assert not bare.database.exists()


def test_verify_of_nothing_says_that_nothing_was_compared(settings: Settings, tmp_path: Path) -> None:
    run = command(settings, "verify", str(tmp_path / "nowhere"))
    assert run.returncode == 2
    assert run.stdout.startswith("Nothing was compared.")


def test_a_dry_run_makes_no_database_and_leaves_one_as_it_is(bare: Settings, root: Path) -> None:
    dry = command(bare, "import", str(root), "--dry-run", "--json", "--read-only")
    assert not bare.database.exists()
    done = command(bare, "import", str(root), "--json")
    before = bare.database.read_bytes(), bare.database.stat().st_mtime_ns
    again = command(bare, "import", str(root), "--dry-run", "--json")

    told, real = json.loads(dry.stdout), json.loads(done.stdout)
    assert (told["files"], told["rows"]) == (real["files"], real["rows"])
    assert set(json.loads(again.stdout)["files"]) == {"unchanged"}
    assert (bare.database.read_bytes(), bare.database.stat().st_mtime_ns) == before


def test_a_read_only_import_writes_nothing(bare: Settings, root: Path) -> None:
    run = command(bare, "import", str(root), "--read-only")

    assert run.returncode == 2
    assert "--read-only" in run.stdout
    assert not bare.database.exists()


def test_a_report_that_cannot_be_written_is_said_before_anything_is_done(bare: Settings, root: Path) -> None:
    run = command(bare, "import", str(root), "--report", str(root / "no folder" / "report.json"))

    assert run.returncode == 2
    assert "cannot be written" in run.stderr
    assert not bare.database.exists()


@pytest.mark.parametrize("spelled", ["{root}/", "{root}/../old", "{root}/events/..", "{plans}/..", "link", "~/old"])
async def test_a_path_in_any_spelling(
    take: Taker, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    monkeypatch.setenv("HOME" if os.name == "posix" else "USERPROFILE", str(tmp_path))
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    path = spelled.format(root=root, plans=root / WORKSPACE / "plans").replace("link", str(tmp_path / "link"))
    await take(root)

    report = await take(meant(Path(path)))
    assert report.source in {str(root), str(root / WORKSPACE)}
    assert set(report.files) == {"unchanged"}
    assert report.files["unchanged"] >= 40
