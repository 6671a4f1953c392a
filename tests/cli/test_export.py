"""`export` on the command line."""

import json
import subprocess
from pathlib import Path

import pytest

from server.importers.run import Options, import_path
from server.models.documents import MANIFEST
from server.settings import PACKAGE, Settings
from server.store import open_store
from tests import legacy_store
from tests.e2e import commands
from tests.legacy_store import WORKSPACE, Files


@pytest.fixture
async def imported(settings: Settings, tmp_path: Path) -> Files:
    """The files of a store that was imported into the database of `settings`."""
    files = legacy_store.store(2, plans=3)
    db = await open_store(settings)
    await import_path(db, legacy_store.put(tmp_path / "source", files), Options())
    await db.close()
    return files


def export(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*commands.program(), "export", "--data-root", str(settings.data_root), *words],
        cwd=PACKAGE.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


async def test_everything_is_written_by_default(settings: Settings, imported: Files, tmp_path: Path) -> None:
    done = export(settings, "--json", str(tmp_path / "out"))

    assert (done.returncode, json.loads(done.stdout)["format"]) == (0, "json")
    assert (tmp_path / "out" / MANIFEST).is_file()


async def test_a_format_of_which_nothing_is_here_says_so(settings: Settings, imported: Files, tmp_path: Path) -> None:
    done = export(settings, "--format", "agent-hive", str(tmp_path / "out"))

    assert done.returncode == 0
    assert done.stdout.splitlines()[1].startswith("Nothing that is here goes into files of that format")


async def test_the_old_store_is_given_back(settings: Settings, imported: Files, tmp_path: Path) -> None:
    done = export(settings, "--format", "legacy", str(tmp_path / "out"))

    assert (done.returncode, done.stderr) == (0, "")
    assert "3 of them plans" in done.stdout
    assert legacy_store.read(tmp_path / "out") == imported
    assert "  2 entries of the history that no import brought" in done.stdout


async def test_a_folder_that_is_not_empty_needs_force(settings: Settings, imported: Files, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / WORKSPACE / "plans").mkdir(parents=True)
    (out / WORKSPACE / "plans" / "plan_old.json").write_text("{}", encoding="utf-8")
    refused = export(settings, "--format", "json", str(out))
    assert (refused.returncode, "not empty" in refused.stderr) == (1, True)

    done = export(settings, "--format", "json", "--force", "--json", str(out))
    told = json.loads(done.stdout)
    assert (told["format"], told["plans"], told["left_over"]) == ("json", 3, [f"{WORKSPACE}/plans/plan_old.json"])


async def test_one_plan_of_one_workspace_is_a_page(settings: Settings, imported: Files, tmp_path: Path) -> None:
    plan_id = next(path.split("/")[2] for path in imported if path.endswith("state.json") and "_archived" not in path)
    words = ("--format", "markdown", "--workspace", WORKSPACE, "--plan", plan_id)
    done = export(settings, *words, str(tmp_path / "out"))

    assert done.returncode == 0
    assert (tmp_path / "out" / f"{plan_id}.md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--plan", "plan_unknown"), "no plan 'plan_unknown'"),
        (("--workspace", "nowhere"), "nowhere"),
        (("--format", "xml"), "xml"),
    ],
)
async def test_what_does_not_exist_is_told(
    settings: Settings, imported: Files, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = export(settings, *words, str(tmp_path / "out"))

    assert done.returncode != 0
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_without_a_database_none_is_made(unused: Settings, tmp_path: Path) -> None:
    done = export(unused, str(tmp_path / "out"))

    assert (done.returncode, "no database" in done.stderr) == (2, True)
    assert not unused.data_root.exists()
