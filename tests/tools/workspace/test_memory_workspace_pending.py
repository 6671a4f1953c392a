"""memory_workspace export_pending: all that is still to be done, as a page."""

from pathlib import Path

import pytest

from tests.conftest import Agent

WS, PLAN, STEPS = "memory_workspace", "memory_plan", "memory_steps"
SAIL = [
    {"task": "hoist", "phase": "Harbour", "status": "done"},
    {"task": "cast off\nboth lines", "phase": "Harbour", "notes": "mind the tide", "assignee": "ada"},
    {"task": "steer", "phase": "Sea", "depends_on": [1]},
]


async def filled(agent: Agent, workspace_id: str) -> list[str]:
    here = {"workspace_id": workspace_id}
    made = [await agent(PLAN, "create", **here, title=title, steps=SAIL) for title in ("Sail", "Sail again", "Sunk")]
    await agent(PLAN, "archive", plan_id=made[2]["plan_id"], force=True)
    await agent(PLAN, "create", **here, title="Done", steps=SAIL[:1])
    return [plan["plan_id"] for plan in made]


async def test_open_steps_are_told_by_plan_and_phase(agent: Agent, workspace_id: str) -> None:
    plan_ids = await filled(agent, workspace_id)

    told = await agent(WS, "export_pending", workspace_id=workspace_id)

    assert (told["plans_included"], told["total_pending_steps"]) == (2, 4)
    lines = told["content"].splitlines()
    assert [line for line in lines if line.startswith("#")] == [
        "# Open steps of project",
        *("## Sail", "### Harbour", "### Sea"),
        *("## Sail again", "### Harbour", "### Sea"),
    ]
    assert [line for line in lines if line.startswith("- [")] == ["- [ ] **2.** cast off", "- [ ] **3.** steer"] * 2
    assert "  both lines" in lines
    assert "  - notes: mind the tide" in lines
    assert any("for ada" in line for line in lines)
    assert sum("waits for step 2" in line for line in lines) == 2
    assert any(plan_ids[0] in line for line in lines)
    assert plan_ids[2] not in told["content"]


async def test_the_page_is_written_to_a_file_of_the_project_and_replaced_only_by_force(
    agent: Agent, workspace_id: str, project: Path
) -> None:
    await filled(agent, workspace_id)
    here = {"workspace_id": workspace_id}
    content = (await agent(WS, "export_pending", **here))["content"]

    written = await agent(WS, "export_pending", **here, output_filename="pending-steps.md")
    again = await agent.fails(WS, "export_pending", **here, output_filename="pending-steps.md")
    forced = await agent(WS, "export_pending", **here, output_filename="pending-steps.md", force=True)

    assert (project / "pending-steps.md").read_text(encoding="utf-8") == content
    assert again["code"] == "conflict"
    assert {**written, "unchanged": True} == forced
    assert written["total_pending_steps"] == 4
    assert "content" not in written


@pytest.mark.parametrize(
    "name", ["../out.md", "/etc/out.md", ".git/out.md", ".projectmemory/out.md", "out.sh", "link/a.md"]
)
async def test_no_file_is_written_elsewhere(
    agent: Agent, workspace_id: str, project: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project / "link").symlink_to(tmp_path / "elsewhere")

    refused = await agent.fails(WS, "export_pending", workspace_id=workspace_id, output_filename=name)

    assert refused["code"] == "not_allowed"
    assert list((tmp_path / "elsewhere").iterdir()) == []
