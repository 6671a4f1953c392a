"""memory_plan import: Markdown files and texts become plans, and nothing outside of the workspace is read."""

import os
from pathlib import Path
from typing import Any

import pytest

from server.db.storage.connection import Database
from server.settings import ASSETS
from tests.conftest import Agent
from tests.tools.plan.test_memory_plan import counts, full

TEXT = """\
# Title
## Build
- [x] one
- [ ] two
  more about two
### Part
- [ ] three
## Ship
- [ ] four
## Build
- [ ] five
"""


async def bring_in(agent: Agent, workspace_id: str, **arguments: Any) -> dict[str, Any]:
    return await agent("memory_plan", "import", workspace_id=workspace_id, **arguments)


async def refused(agent: Agent, workspace_id: str, **arguments: Any) -> dict[str, Any]:
    return await agent.fails("memory_plan", "import", workspace_id=workspace_id, **arguments)


async def test_a_text_becomes_a_plan(agent: Agent, workspace_id: str) -> None:
    made = await bring_in(agent, workspace_id, content=TEXT, priority="high", category="quick_task")
    assert (made["title"], made["priority"], made["category"]) == ("Title", "high", "quick_task")
    assert (made["steps_done"], made["steps_total"], made["current_phase"]) == (1, 5, "Build")
    assert (made["first_open_step"]["index"], made["first_open_step"]["task"]) == (1, "two")
    assert [(p["name"], p["steps_total"]) for p in made["phases"]] == [("Build", 4), ("Ship", 1)]
    steps = (await full(agent, made["plan_id"]))["steps"]
    assert [(s["task"], s["phase"], s["status"]) for s in steps] == [
        ("one", "Build", "done"),
        ("two", "Build", "pending"),
        ("three", "Build", "pending"),
        ("four", "Ship", "pending"),
        ("five", "Build", "pending"),
    ]
    assert "completed_at" in steps[0]
    assert (steps[1]["notes"], steps[2]["section"]) == ("more about two", "Part")


async def test_a_file_is_read_by_either_path_and_stays_as_it_is(agent: Agent, workspace_id: str, project: Path) -> None:
    file = project / "docs" / "plan.md"
    file.parent.mkdir()
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("# Title\n", "").replace("\n", "\r\n").encode())
    before = file.read_bytes()
    made = await bring_in(agent, workspace_id, plan_file_path="docs/plan.md")
    assert (made["title"], made["source"], made["steps_total"]) == ("plan", "docs/plan.md", 5)
    again = await bring_in(agent, workspace_id, plan_file_path=str(file), title="Mine")
    assert again["title"] == "Mine"
    assert made["plan_id"] in again["warnings"][0]
    assert file.read_bytes() == before
    assert (await full(agent, made["plan_id"]))["source"] == "docs/plan.md"


async def test_the_demo_plan_is_imported(agent: Agent, workspace_id: str, project: Path) -> None:
    (project / "demo.md").write_bytes((ASSETS / "catalog" / "demo-plan.md").read_bytes())
    made = await bring_in(agent, workspace_id, plan_file_path="demo.md")
    assert (made["steps_done"], made["steps_total"]) == (1, 11)
    assert [p["name"] for p in made["phases"]] == [
        "Understand the present behaviour",
        "Build the dry run",
        "Release it",
    ]


async def test_steps_above_any_heading_have_a_phase_too(agent: Agent, workspace_id: str) -> None:
    made = await bring_in(agent, workspace_id, content="- [ ] a\n- [ ] b\n")
    assert (made["title"], [p["name"] for p in made["phases"]]) == ("Imported plan", ["Steps"])


async def test_what_is_outside_of_the_workspace_is_not_read(
    agent: Agent, workspace_id: str, project: Path, tmp_path: Path, db: Database
) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("- [ ] hidden", encoding="utf-8")
    sibling = project.with_name("project-two")
    sibling.mkdir()
    (sibling / "p.md").write_text("- [ ] hidden", encoding="utf-8")
    (project / "link.md").symlink_to(secret)
    (project / "folder").symlink_to(tmp_path)
    before = await counts(db)
    for path in (
        str(secret),
        "../secret.md",
        "link.md",
        "folder/secret.md",
        f"{project}/../secret.md",
        "../project-two/p.md",
    ):
        error = await refused(agent, workspace_id, plan_file_path=path)
        assert (path, error["code"]) == (path, "not_allowed")
        assert "content" in error["message"]
        assert "hidden" not in error["message"]
    assert await counts(db) == before


async def test_a_link_to_a_file_of_the_workspace_is_followed(agent: Agent, workspace_id: str, project: Path) -> None:
    (project / "real.md").write_text("- [ ] a", encoding="utf-8")
    (project / "link.md").symlink_to(project / "real.md")
    assert (await bring_in(agent, workspace_id, plan_file_path="link.md"))["source"] == "real.md"


async def test_what_cannot_be_read_says_why(agent: Agent, workspace_id: str, project: Path, db: Database) -> None:
    (project / "binary.md").write_bytes(b"\xff\xfe- [ ] a")
    (project / "nul.md").write_bytes(b"- [ ] a\0")
    (project / "big.md").write_bytes(b"- [ ] a\n" * 131_073)
    (project / "folder").mkdir()
    os.mkfifo(project / "pipe.md")
    before = await counts(db)
    for path, code in (
        ("missing.md", "not_found"),
        ("folder", "invalid_arguments"),
        ("pipe.md", "invalid_arguments"),
        ("binary.md", "invalid_arguments"),
        ("nul.md", "invalid_arguments"),
        ("big.md", "too_large"),
        ("~nobody-of-that-name/x.md", "not_found"),
        ("x" * 400, "not_found"),
    ):
        assert (path, (await refused(agent, workspace_id, plan_file_path=path))["code"]) == (path, code)
    assert await counts(db) == before


async def test_a_text_without_checkboxes_is_told_which_shapes_are_read(
    agent: Agent, workspace_id: str, db: Database
) -> None:
    before = await counts(db)
    for content in ("", "# Only\ntext", "- plain\n", "```\n- [ ] code\n```", "> - [ ] quoted"):
        error = await refused(agent, workspace_id, content=content)
        assert error["code"] == "invalid_arguments"
        assert "'- [ ] open'" in error["message"]
    assert await counts(db) == before


@pytest.mark.parametrize("given", [{}, {"content": "- [ ] a", "plan_file_path": "a.md"}])
async def test_one_source_is_needed_and_only_one(agent: Agent, workspace_id: str, given: dict[str, str]) -> None:
    assert (await refused(agent, workspace_id, **given))["code"] == "invalid_arguments"


async def test_over_long_lines_are_cut_and_kept_in_the_notes(agent: Agent, workspace_id: str) -> None:
    long = "word " * 3000
    made = await bring_in(agent, workspace_id, content=f"# {'t' * 900}\n## {'p' * 900}\n- [ ] {long}\n")
    assert len(made["title"]) == 500
    listed = await agent("memory_steps", "list", plan_id=made["plan_id"], detail="full", max_bytes=45_000)
    [step] = listed["steps"]
    assert (len(step["task"]), len(step["phase"]), step["task"][-1]) == (10_000, 500, "…")
    assert step["notes"] == long.strip()


async def test_more_steps_than_a_plan_takes_at_once_are_refused(agent: Agent, workspace_id: str) -> None:
    error = await refused(agent, workspace_id, content="- [ ] a\n" * 2001)
    assert error["code"] == "invalid_arguments"
    assert "2000" in error["message"]
    too_large = await refused(agent, workspace_id, content="- [ ] a\n" * 140_000)
    assert too_large["code"] == "too_large"


MARKED = "## P\n- [-] gone\n- [~] gone too\n- [/] begun\n  how far\n- [>] sent on\n- [?] open\n- [x] done\n- [?] too\n"


async def test_no_mark_of_a_checkbox_is_dropped_silently(agent: Agent, workspace_id: str) -> None:
    plan = await agent("memory_plan", "import", workspace_id=workspace_id, content=MARKED)
    steps = (await agent("memory_steps", "list", plan_id=plan["plan_id"], detail="full"))["steps"]
    assert [(step["task"], step["status"]) for step in steps] == [
        ("gone", "cancelled"),
        ("gone too", "cancelled"),
        ("begun", "pending"),
        ("sent on", "pending"),
        ("open", "pending"),
        ("done", "done"),
        ("too", "pending"),
    ]
    assert steps[2]["notes"] == "marked [/] where it was imported from\nhow far"
    assert "[>]" in steps[3]["notes"]
    assert "[?]" in steps[4]["notes"]
    [warning] = [text for text in plan["warnings"] if "mark" in text]
    assert warning.startswith("[?] is no known mark")
    assert warning.endswith("4, 6")


async def test_what_is_almost_a_checkbox_is_told(agent: Agent, workspace_id: str) -> None:
    made = await bring_in(agent, workspace_id, content="- [ ] a\n- [] b\n- [x]c\n")

    assert made["steps_total"] == 1
    assert "No steps, for a checkbox is '[ ] ' with its blanks: '[] b', '[x]c'" in made["warnings"]


async def test_the_markdown_of_a_plan_can_be_imported_again(agent: Agent, workspace_id: str) -> None:
    statuses = ["pending", "done", "cancelled", "active", "blocked", "failed"]
    new = [{"task": f"a {status} one", "phase": "Build", "status": status} for status in statuses]
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="There and back", steps=new)
    text = (await agent("memory_plan", "export_plan", plan_id=plan["plan_id"], format="markdown", max_bytes=40_000))[
        "content"
    ]
    again = await agent("memory_plan", "import", workspace_id=workspace_id, content=text)
    steps = (await agent("memory_steps", "list", plan_id=again["plan_id"], detail="full"))["steps"]
    told = {"pending": "pending", "done": "done", "cancelled": "cancelled"}
    assert [(step["task"], step["phase"]) for step in steps] == [(step["task"], "Build") for step in new]
    assert [step["status"] for step in steps] == [told.get(status, "pending") for status in statuses]
    assert all(status in step["notes"] for status, step in zip(statuses, steps, strict=True))
