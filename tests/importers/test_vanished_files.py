"""Files that were imported and are gone: told, and what they brought stays until something else holds it."""

import shutil
from pathlib import Path

import pytest

from server.importers.report import ImportReport
from tests import legacy_store
from tests.importers import layouts
from tests.importers.conftest import Taker, states

TASK = "---\nid: task-{0}\ntitle: Task {0}\nstatus: To Do\ncreated_date: 2025-06-01\n---\nText\n"


@pytest.fixture
def backlog(project: Path) -> Path:
    folder = project / "backlog" / "tasks"
    folder.mkdir(parents=True)
    (project / "backlog" / "config.yml").write_text('project_name: "X"\nstatuses: ["To Do", "Done"]\n')
    for number in range(1, 4):
        (folder / f"task-{number} - Old.md").write_text(TASK.format(number))
    return folder


def told(report: ImportReport) -> dict[str, str]:
    return {one.path: one.severity for one in report.findings if "no longer there" in one.what}


async def steps(take: Taker) -> list[str]:
    return [row["external_id"] for row in await take.db.all("SELECT external_id FROM steps ORDER BY external_id")]


async def test_a_renamed_file_leaves_nothing_behind(take: Taker, project: Path, backlog: Path) -> None:
    await take(project)
    (backlog / "task-2 - Old.md").rename(backlog / "task-2 - New.md")
    yellow = await take.verify(project)
    assert (yellow.standing, len(yellow.differences)) == ("YELLOW", 2)
    dry = await take(project, dry_run=True)
    report = await take(project)

    assert told(dry) == told(report) == {"backlog/tasks/task-2 - Old.md": "info"}
    assert report.rows["steps"] == {"unchanged": 3}
    assert await take.db.value("SELECT count(*) FROM import_files WHERE path LIKE '%task-2%'") == 1
    assert await take.db.value("SELECT count(*) FROM import_rows WHERE path LIKE '%Old.md' AND path LIKE '%2%'") == 0
    assert (await take.verify(project)).standing == "GREEN"
    assert set((await take(project)).files) == {"unchanged"}


async def test_a_store_whose_only_file_was_renamed_is_as_it_was(take: Taker, project: Path) -> None:
    home = project / ".beads"
    home.mkdir()
    (home / "beads.jsonl").write_text('{"id": "bd-1", "title": "One", "status": "open", "priority": 1}\n')
    await take(project)
    (home / "beads.jsonl").rename(home / "issues.jsonl")
    assert told(await take(project)) == {".beads/beads.jsonl": "info"}
    assert (await take.verify(project)).standing == "GREEN"
    assert set((await take(project)).files) == {"unchanged"}


async def test_what_a_removed_file_brought_stays_and_is_told_each_time(
    take: Taker, project: Path, backlog: Path
) -> None:
    await take(project)
    (backlog / "task-2 - Old.md").unlink()
    for _ in range(2):
        report = await take(project)
        assert told(report) == {"backlog/tasks/task-2 - Old.md": "warning"}
        assert await steps(take) == ["task-1", "task-2", "task-3"]
        [difference] = (await take.verify(project)).differences
        assert (difference.path, difference.severity) == ("backlog/tasks/task-2 - Old.md", "warning")

    (backlog / "task-2 - Old.md").write_text(TASK.format(2))
    assert told(await take(project)) == {}
    assert (await take.verify(project)).standing == "GREEN"


async def test_a_file_that_went_with_what_it_brought_is_forgotten(take: Taker, project: Path, backlog: Path) -> None:
    await take(project)
    step_id = await take.db.value("SELECT step_id FROM steps WHERE external_id = 'task-2'")
    await take.ask("memory_steps", {"action": "delete", "step_id": step_id, "confirm": True})
    (backlog / "task-2 - Old.md").unlink()
    assert set(told(await take(project)).values()) == {"info"}
    assert told(await take(project)) == {}

    (backlog / "task-2 - Old.md").write_text(TASK.format(2))
    await take(project)
    assert await steps(take) == ["task-1", "task-3"]


async def test_a_part_of_a_store_or_a_copy_elsewhere_misses_no_file(
    take: Taker, project: Path, backlog: Path, root: Path, tmp_path: Path
) -> None:
    await take(root)
    assert told(await take(states(root)[0].parent)) == {}
    part = shutil.copytree(root, tmp_path / "copy")
    shutil.rmtree(next(part.glob(f"{legacy_store.WORKSPACE}/plans/plan_*")))
    assert told(await take(part)) == {}

    await take(project)
    assert told(await take(backlog.parent)) == {}


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("agent-hive", "memory-bank/progress.md"),
        ("backlog-md", "backlog/tasks/*-41 *.md"),
        ("burndown-chart", "profiles/*/queries/*/project_data.json"),
        ("task-master", ".taskmaster/reports/*.json"),
        ("vibe-agency", "docs/roadmap/*.json"),
    ],
)
async def test_every_layout_tells_of_a_file_that_is_gone(take: Taker, project: Path, name: str, file: str) -> None:
    made = layouts.generators()[name](project, 1)
    await take(made.source)
    gone = next(made.source.glob(file))
    gone.unlink()
    report = await take.verify(made.source)
    assert report.standing == "YELLOW"
    [told] = [one.path for one in report.differences if "no longer there" in one.what]
    assert str(gone).endswith(told)
