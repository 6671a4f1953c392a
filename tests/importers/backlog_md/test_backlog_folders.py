"""What becomes of the files of Backlog.md."""

import json
from pathlib import Path

import pytest

from server import importers
from server.db.search import identities
from server.errors import Ambiguous
from tests.importers.backlog_md.generator import CONFIG, OLD_BODY, task
from tests.importers.conftest import Taker


async def test_a_task_is_a_step_with_its_criteria_below_its_parent(take: Taker, tmp_path: Path) -> None:
    home = tmp_path / "backlog"
    task(home, "tasks", "BACK-1", status="Done")
    task(home, "tasks", "BACK-1.2", body=OLD_BODY, status="In Progress", assignee="['@ann']")
    await take(tmp_path)
    row = await take.db.one("SELECT * FROM steps WHERE external_id = 'BACK-1.2'")
    above = await take.db.one("SELECT * FROM steps WHERE external_id = 'BACK-1'")
    assert row
    assert above
    assert (row["parent_step_id"], row["status"], row["claimed_by"]) == (above["step_id"], "active", None)
    assert (above["status"], row["assignee"]) == ("done", "@ann")
    assert json.loads(row["acceptance_criteria"]) == ["It ran once for BACK-1.2"]
    assert json.loads(above["acceptance_criteria"]) == ["It runs for BACK-1", "It stops for BACK-1"]
    assert "<!--" not in above["notes"]
    assert json.loads(above["extra"])["backlog-md"]["acceptance_criteria"][0] == [True, "It runs for BACK-1"]


async def test_a_step_tells_its_id_there_and_its_criteria_wherever_it_is_shown_whole(
    take: Taker, tmp_path: Path
) -> None:
    task(tmp_path / "backlog", "tasks", "BACK-1", status="To Do", labels="[api, ui]")
    await take(tmp_path)
    row = await take.db.one("SELECT step_id, plan_id FROM steps")
    assert row
    said = {"external_id": "BACK-1", "acceptance_criteria": ["It runs for BACK-1", "It stops for BACK-1"]}
    one = await take.ask("memory_steps", {"action": "get", "step_id": row["step_id"]})
    assert {name: one.get(name) for name in said} == said
    assert one["origin"]["source_system"] == "backlog-md"
    assert one["origin"]["tags"] == ["api", "ui"]
    listed = await take.ask("memory_steps", {"action": "list", "plan_id": row["plan_id"], "detail": "full"})
    plan = await take.ask("memory_plan", {"action": "get", "plan_id": row["plan_id"], "detail": "full"})
    given = await take.ask("memory_steps", {"action": "next", "plan_id": row["plan_id"], "agent": "ada"})
    for shown in (listed["steps"][0], plan["steps"][0], given["next"]):
        assert {name: shown.get(name) for name in said} == said
    async with take.db.transaction() as tx:
        await tx.run("UPDATE plans SET external_id = 'there-7'")
    assert (await take.ask("memory_plan", {"action": "get", "plan_id": row["plan_id"]}))["external_id"] == "there-7"


async def test_a_step_names_no_parent_that_is_gone(take: Taker, tmp_path: Path) -> None:
    for name in ("BACK-1", "BACK-1.2"):
        task(tmp_path / "backlog", "tasks", name)
    await take(tmp_path)
    rows = await take.db.all("SELECT step_id FROM steps ORDER BY external_id")
    above, below = ({"step_id": row["step_id"]} for row in rows)
    told = await take.ask("memory_steps", {"action": "get", **below})
    assert told["origin"]["parent_step_id"] == above["step_id"]
    await take.ask("memory_steps", {"action": "delete", **above, "confirm": True, "agent": "ada"})
    told = await take.ask("memory_steps", {"action": "get", **below})
    assert "parent_step_id" not in told["origin"]


async def test_of_equal_ids_links_lead_to_the_task_that_is_still_there(take: Taker, tmp_path: Path) -> None:
    for where in ("archive/tasks", "completed", "tasks"):
        task(tmp_path / "backlog", where, "BACK-1", milestone=where)
    task(tmp_path / "backlog", "tasks", "BACK-2", dependencies="[BACK-1]")
    report = await take(tmp_path)
    target = "SELECT section FROM steps WHERE step_id = (SELECT target_id FROM dependencies)"
    assert await take.db.value(target) == "tasks"
    assert await take.db.value("SELECT count(*) FROM steps") == 4
    assert sum("another file has that id" in one.what for one in report.findings) == 2


async def test_no_command_of_a_task_is_run(take: Taker, tmp_path: Path) -> None:
    task(tmp_path / "backlog", "tasks", "BACK-1", onStatusChange=f"'touch {tmp_path}/ran'", status="Done")
    await take(tmp_path)
    assert not (tmp_path / "ran").exists()
    assert "touch" in await take.db.value("SELECT extra FROM steps")


async def test_the_last_status_of_the_configuration_is_done(take: Taker, tmp_path: Path) -> None:
    task(tmp_path / ".backlog", "tasks", "BACK-1", status="Shipped")
    (tmp_path / ".backlog" / "config.yml").write_text(CONFIG)
    await take(tmp_path)
    assert await take.db.value("SELECT status FROM steps") == "done"
    assert await take.db.value("SELECT status FROM plans") == "completed"


async def test_the_configuration_of_the_project_may_name_the_folder(take: Taker, tmp_path: Path) -> None:
    task(tmp_path / "docs" / "work", "tasks", "BACK-1")
    (tmp_path / "backlog.config.yml").write_text("backlog_directory: docs/work\n")
    await take(tmp_path)
    assert await take.db.value("SELECT external_id FROM steps") == "BACK-1"


def test_folders_of_others_and_outside_are_not_claimed(tmp_path: Path) -> None:
    recognise = importers.layout_of("backlog-md").recognise
    project = tmp_path / "project"
    (project / "backlog" / "tasks").mkdir(parents=True)
    (project / "backlog" / "tasks" / "notes.md").write_text("Mine\n")
    assert recognise(project) is None
    task(tmp_path / "other", "tasks", "BACK-1")
    for named in ("../other", str(tmp_path / "other")):
        (project / "backlog.config.yml").write_text(f"backlog_directory: {named}\n")
        assert recognise(project) is None


async def test_names_with_an_at_need_no_quotes(take: Taker, tmp_path: Path) -> None:
    home = tmp_path / "backlog"
    task(home, "tasks", "BACK-1", assignee="@ann", reporter="@bob: of ours", title="'@home'")
    task(home, "tasks", "BACK-2", assignee="[@bob, '@ann']")
    task(home, "tasks", "BACK-3", assignee="\n  - @eve\n  - '@ann'")
    report = await take(tmp_path)
    assert report.exit_code == 0
    rows = await take.db.all("SELECT task, assignee, extra FROM steps ORDER BY external_id")
    assert [row["assignee"] for row in rows] == ["@ann", "@bob", "@eve"]
    assert rows[0]["task"] == "@home"
    told = [json.loads(row["extra"])["backlog-md"] for row in rows]
    assert (told[0]["reporter"], told[1]["assignee"]) == ("@bob: of ours", ["@bob", "@ann"])


async def test_ids_in_links_are_compared_by_their_numbers_as_backlog_does(take: Taker, tmp_path: Path) -> None:
    home = tmp_path / "backlog"
    task(home, "tasks", "task-007")
    task(home, "tasks", "task-7.01", parent_task_id="7")
    task(home, "tasks", "task-8", dependencies="[TASK-7, 7.1]")
    task(home, "drafts", "draft-8")
    task(home, "tasks", "task-9", dependencies="task-7, task-8")
    report = await take(tmp_path)
    assert report.exit_code == 0
    rows = await take.db.all(
        "SELECT one.external_id AS a, other.external_id AS b FROM dependencies d "
        "JOIN steps one ON one.step_id = d.source_id JOIN steps other ON other.step_id = d.target_id"
    )
    assert {(row["a"], row["b"]) for row in rows} == {
        ("task-8", "task-007"), ("task-8", "task-7.01"), ("task-9", "task-007"), ("task-9", "task-8")
    }  # fmt: skip
    above = "SELECT p.external_id FROM steps s JOIN steps p ON p.step_id = s.parent_step_id"
    assert await take.db.value(above) == "task-007"


async def test_dates_of_older_versions_begin_with_the_day(take: Taker, tmp_path: Path) -> None:
    dates = ("04-06-25", "04/06/25", "04.06.25")
    for number, date in enumerate(dates, 1):
        task(tmp_path / "backlog", "tasks", f"BACK-{number}", created_date=f"'{date}'")
    await take(tmp_path)
    rows = await take.db.all("SELECT created_at, extra FROM steps ORDER BY external_id")
    assert {row["created_at"] for row in rows} == {"2025-06-04T00:00:00.000Z"}
    assert [json.loads(row["extra"])["backlog-md"]["created_date"] for row in rows] == [*dates]


async def test_a_status_with_its_icon_is_that_status(take: Taker, tmp_path: Path) -> None:
    task(tmp_path / "backlog", "tasks", "BACK-1", status="◒ In Progress")
    await take(tmp_path)
    assert await take.db.value("SELECT status FROM steps") == "active"


CODED = """
## Description

```sh
# no heading
## Acceptance Criteria
- [ ] #9 code
~~~
```

## Acceptance Criteria
<!-- AC:BEGIN -->
- [x] #1 One
### In detail
- [ ] #2 Two
~~~~
- [ ] code
~~~
~~~~
<!-- AC:END -->

## Notes
- [ ] no criterion
"""


async def test_criteria_are_those_of_their_section_and_no_code(take: Taker, tmp_path: Path) -> None:
    task(tmp_path / "backlog", "tasks", "BACK-1", body=CODED)
    await take(tmp_path)
    assert json.loads(await take.db.value("SELECT acceptance_criteria FROM steps")) == ["One", "Two"]


async def test_steps_stand_as_the_board_has_them(take: Taker, tmp_path: Path) -> None:
    places = {"BACK-1": 3000, "BACK-2": None, "BACK-3": 1000.5, "BACK-1.2": None, "BACK-10": None, "BACK-4": 1000}
    for name, ordinal in places.items():
        task(tmp_path / "backlog", "tasks", name, **({} if ordinal is None else {"ordinal": str(ordinal)}))
    await take(tmp_path)
    plan_id = await take.db.value("SELECT plan_id FROM plans")
    listed = await take.ask("memory_steps", {"action": "list", "plan_id": plan_id, "detail": "full"})
    names = [step["external_id"] for step in listed["steps"]]
    assert names == ["BACK-4", "BACK-3", "BACK-1", "BACK-1.2", "BACK-2", "BACK-10"]


async def test_an_id_is_found_in_any_case_unless_two_differ_in_that_alone(take: Taker, tmp_path: Path) -> None:
    for name in ("BACK-1", "BACK-2"):
        task(tmp_path / "backlog", "tasks", name)
    await take(tmp_path)
    for told in ("BACK-1", "back-1", "Back-1"):
        assert (await identities.named(take.db, told)).label == "Title of BACK-1"
    async with take.db.transaction() as tx:
        await tx.run("UPDATE steps SET external_id = 'back-1' WHERE external_id = 'BACK-2'")
    assert [(await identities.named(take.db, told)).label for told in ("BACK-1", "back-1")] == [
        "Title of BACK-1",
        "Title of BACK-2",
    ]
    with pytest.raises(Ambiguous):
        await identities.named(take.db, "Back-1")
