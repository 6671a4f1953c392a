"""What becomes of the tags of Task Master."""

import json
from pathlib import Path
from typing import Any

from server import importers
from tests.importers.conftest import Taker
from tests.importers.task_master.generator import subtask, task, write


async def links(take: Taker) -> set[tuple[str, str]]:
    rows = await take.db.all(
        "SELECT one.external_id AS a, other.external_id AS b FROM dependencies d "
        "JOIN steps one ON one.step_id = d.source_id JOIN steps other ON other.step_id = d.target_id"
    )
    return {(row["a"], row["b"]) for row in rows}


async def test_a_number_in_a_subtask_is_the_one_beside_it_and_that_is_told(take: Taker, tmp_path: Path) -> None:
    parts = [subtask(1), subtask(2, dependencies=[1]), subtask(3, dependencies=["1.2", 4])]
    write(tmp_path / ".taskmaster/tasks/tasks.json", {"master": {"tasks": [task(1, subtasks=parts), task(4)]}})
    report = await take(tmp_path)
    assert await links(take) == {("1.2", "1.1"), ("1.3", "1.2"), ("1.3", "4")}
    told = {one.json_path.removeprefix("$.master.tasks[0].subtasks"): one.what for one in report.findings}
    assert "it may mean 1.1 or the task 1" in told["[1].dependencies[0]"]
    assert "taken for the task" in told["[2].dependencies[1]"]


async def test_subtasks_are_below_their_task_and_found_by_their_number(take: Taker, tmp_path: Path) -> None:
    write(tmp_path / "tasks/tasks.json", {"tasks": [task(5, subtasks=[subtask(2, status="in-progress")])]})
    report = await take(tmp_path)
    assert report.exit_code == 0
    query = "SELECT p.external_id, s.status, s.claimed_by FROM steps s JOIN steps p ON p.step_id = s.parent_step_id"
    row = await take.db.one(query)
    assert row
    assert tuple(row) == ("5", "active", None)
    assert await take.db.value("SELECT title FROM plans") == "master"
    where = {"workspace_path": str(tmp_path)}
    found: Any = await take.ask("memory_context", {"action": "search", "query": "5.2", **where})
    assert "Part 2" in str(found)


async def test_the_newer_file_counts(take: Taker, tmp_path: Path) -> None:
    write(tmp_path / "tasks/tasks.json", {"tasks": [task(1)]})
    write(tmp_path / ".taskmaster/tasks/tasks.json", {"master": {"tasks": [task(2)]}})
    report = await take(tmp_path)
    assert report.files == {"imported": 1, "skipped": 1}
    assert await take.db.value("SELECT external_id FROM steps") == "2"


def test_tasks_of_others_are_not_claimed(tmp_path: Path) -> None:
    recognise = importers.layout_of("task-master").recognise
    for value in ({"tasks": [{"label": "build"}]}, [1], {"version": "2.0.0", "tasks": "x"}, {"a": {"tasks": 1}}):
        write(tmp_path / "tasks/tasks.json", value)
        assert recognise(tmp_path) is None


async def test_a_tag_that_is_gone_leaves_its_plan_whole_and_is_told(take: Taker, tmp_path: Path) -> None:
    one = {"id": 1, "title": "One", "status": "done", "dependencies": [], "subtasks": []}
    tag = {"tasks": [one, one | {"id": 2, "title": "Two", "status": "pending", "dependencies": [1]}]}
    file = tmp_path / ".taskmaster" / "tasks" / "tasks.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"master": tag, "old": tag}))
    await take(tmp_path)
    counts = ("plans", "phases", "steps", "dependencies")
    before = [await take.db.value(f"SELECT count(*) FROM {table}") for table in counts]
    file.write_text(json.dumps({"master": {"tasks": [one]}}))
    report = await take(tmp_path)

    told = [one for one in report.findings if "no longer in the file; it stays here" in one.what]
    assert [one.severity for one in told] == ["warning"]
    assert [one["title"] for one in await take.db.all("SELECT title FROM plans ORDER BY title")] == ["master", "old"]
    after = [await take.db.value(f"SELECT count(*) FROM {table}") for table in counts]
    assert [was - now for was, now in zip(before, after, strict=True)] == [0, 0, 1, 1]  # the task that master lost
    assert set((await take(tmp_path)).files) == {"unchanged"}


async def test_numbers_with_a_point_are_numbers_of_tasks(take: Taker, tmp_path: Path) -> None:
    parts = [subtask(1), {**subtask(2), "id": 2.2, "dependencies": [2.1]}]
    tasks = [{**task(1), "id": 1.0}, task(2, subtasks=parts, dependencies=[1.0])]
    write(tmp_path / ".taskmaster/tasks/tasks.json", {"master": {"tasks": tasks}})
    report = await take(tmp_path)
    assert report.exit_code == 0
    assert await links(take) == {("2", "1"), ("2.2", "2.1")}


async def test_what_a_task_waits_for_may_be_no_list(take: Taker, tmp_path: Path) -> None:
    tasks = [task(1), task(2), task(3, dependencies="1, 2"), task(4, dependencies=3), task(5, dependencies={"a": 1})]
    write(tmp_path / ".taskmaster/tasks/tasks.json", {"master": {"tasks": tasks}})
    report = await take(tmp_path)
    assert await links(take) == {("3", "1"), ("3", "2"), ("4", "3")}
    told = [one.json_path for one in report.findings if one.severity == "warning"]
    assert told == ["$.master.tasks[4].dependencies"]


async def test_subtasks_of_subtasks_are_steps_below_them(take: Taker, tmp_path: Path) -> None:
    deep = subtask(1, subtasks=[subtask(1), subtask(2, dependencies=[1])])
    write(tmp_path / ".taskmaster/tasks/tasks.json", {"master": {"tasks": [task(5, subtasks=[deep, subtask(2)])]}})
    await take(tmp_path)
    rows = await take.db.all("SELECT external_id FROM steps ORDER BY order_index")
    assert [row["external_id"] for row in rows] == ["5", "5.1", "5.1.1", "5.1.2", "5.2"]
    assert await links(take) == {("5.1.2", "5.1.1")}


async def test_the_complexity_report_of_older_versions_is_beside_its_plan(take: Taker, tmp_path: Path) -> None:
    write(tmp_path / "tasks/tasks.json", {"tasks": [task(1)]})
    write(tmp_path / "scripts/task-complexity-report.json", {"complexityAnalysis": [{"taskId": 1}]})
    write(tmp_path / "scripts/other.json", {"not": "ours"})
    report = await take(tmp_path)
    assert report.files == {"imported": 2}
    assert "taskId" in str(await take.db.value("SELECT data FROM context_items"))


async def test_a_step_that_no_answer_holds_whole_is_as_it_was(take: Taker, tmp_path: Path) -> None:
    tasks = [task(1, details="word " * 20_000), task(2)]
    write(tmp_path / ".taskmaster/tasks/tasks.json", {"master": {"tasks": tasks}})
    assert list((await take(tmp_path)).differences) == []
    assert (await take.verify(tmp_path)).standing == "GREEN"
