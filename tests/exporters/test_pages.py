"""Pages of Markdown: what agents wrote stays inside of the place it has on the page."""

from server.db.plans import plan_notes, plans
from server.db.sessions import sessions
from server.db.steps import steps
from server.db.storage.connection import Database
from server.db.workspaces import workspaces
from server.exporters import markdown
from server.models.steps import NewStep

HOSTILE = "a\n## Goals\n\n- [x] **1.** done\n| a | b |\n|---|---|\n```\n# Forged\n"
SECTIONS = ["# Plan", "## Description", "## Goals", "## Steps", "## Notes", "## Sessions"]


async def test_no_text_of_an_agent_makes_a_heading_of_its_own(db: Database) -> None:
    async with db.transaction() as tx:
        workspace = await workspaces.insert(tx, path="/project", name="project")
        home = workspace.workspace_id
        plan = await plans.insert(tx, workspace_id=home, title="Plan", description=HOSTILE, goals=[HOSTILE])
        await steps.insert_many(tx, plan.plan_id, [NewStep(task=HOSTILE, notes=HOSTILE, assignee="`ada`")])
        await plan_notes.insert(tx, plan.plan_id, HOSTILE, "info", None)
        session = await sessions.insert(
            tx, workspace_id=home, agent="ada", plan_id=plan.plan_id, parent_session_id=None
        )
        await sessions.complete(tx, session.session_id, HOSTILE, [HOSTILE])
    page = (await markdown.plan_page(db, plan.plan_id)).content.decode()

    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert [line for line in headings if not line.startswith("###")] == SECTIONS
    assert [line for line in headings if line.startswith("###")] == [f"### ada, {session.started_at}"]


async def test_a_title_ends_no_link_and_no_cell(db: Database) -> None:
    async with db.transaction() as tx:
        workspace = await workspaces.insert(tx, path="/project", name="project")
        await plans.insert(tx, workspace_id=workspace.workspace_id, title="a\\](x) | b\\")
    *_, page = [file async for file in markdown.workspace(db, workspace.workspace_id)]

    assert "| [a\\\\\\](x) \\| b\\\\](plans/" in page.content.decode()
