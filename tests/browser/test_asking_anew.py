"""When a page that stays open asks for itself anew: after what concerns it, and not after the rest."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Invite, Start
from tests.browser.test_live_pages import boat, card
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STEPS = 65  # of each of two phases: both together are more than a page shows at once
PHASES = [{"name": name, "steps": [{"task": f"{name} {n}"} for n in range(STEPS)]} for name in ("Hull", "Sail")]


def asked_for(page: Page) -> list[str]:
    """Return a list that fills with the addresses that the scripts of a page ask for."""
    found: list[str] = []
    page.on("request", lambda asked: found.append(asked.url) if asked.resource_type == "fetch" else None)
    return found


async def test_a_plan_is_asked_for_after_its_own_events_alone(
    served: Served, invite: Invite, start: Start, tmp_path: Path
) -> None:
    agent = await start()
    plan_id = await boat(agent)
    (tmp_path / "elsewhere").mkdir()
    home = {"workspace_path": str(tmp_path / "elsewhere")}
    await agent.server("memory_workspace", "register", **home)
    person = await invite(served)
    plan, inbox = await person.open(f"/p/{plan_id}"), await person.open()
    asked = asked_for(plan)
    await plan.bring_to_front()
    await expect(plan.locator("#live")).to_have_text("live")

    for number in range(3):
        told = {"to_agent": "human", "content": f"Question {number}", "agent": "Stranger", **home}
        await agent.server("memory_plan", "create", title=f"Plan {number}", agent="Stranger", **home)
        await agent.server("memory_session", "send_message", **told)
        await expect(card(inbox, f"Question {number}")).to_be_visible()
    before = list(asked)
    await agent("memory_plan", "update", plan_id=plan_id, title="A ship")
    await expect(plan.get_by_role("heading", level=1)).to_have_text("A ship")

    assert before == []
    assert len(asked) == 1


async def test_a_plan_that_was_deleted_is_not_shown_on(served: Served, invite: Invite, start: Start) -> None:
    agent = await start()
    plan_id = await boat(agent)
    page = await (await invite(served, may_lose=True)).open(f"/p/{plan_id}")
    await expect(page.locator("#live")).to_have_text("live")

    await agent("memory_plan", "delete", plan_id=plan_id, confirm=True, force=True)

    await expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is here")


async def test_a_phase_unfolds_where_it_stands_and_shows_what_changes_in_it(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    plan = await agent("memory_plan", "create", title="A long boat", phases=PHASES)
    sail = await agent.reads("memory_steps", "list", plan_id=plan["plan_id"], phase="Sail", limit=1)
    step_id = sail["steps"][0]["step_id"]
    page = await (await invite(served)).open(f"/p/{plan['plan_id']}")
    asked = asked_for(page)
    await expect(page.get_by_text("Hull 0", exact=True)).to_be_visible()
    assert await page.get_by_text("Sail 0", exact=True).count() == 0

    await page.locator("summary", has_text=f"{STEPS} steps").click()
    step = page.locator(f"#{step_id}")
    await expect(step).to_contain_text("Sail 0")
    await step.locator("summary").click()
    await step.get_by_label("Add a note").fill("Half a thought")
    await agent("memory_steps", "update", step_id=step_id, status="blocked", append_notes="No cloth")
    await expect(step.locator(".state")).to_have_text("blocked")

    await expect(step.get_by_label("Add a note")).to_have_value("Half a thought")
    assert [url for url in asked if "part=" in url]
    await step.get_by_role("button", name="Save").click()
    await expect(page.locator(f"#{step_id}")).to_contain_text("Half a thought")
    read: dict[str, Any] = await agent.reads("memory_steps", "get", step_id=step_id)
    assert "Half a thought" in str(read)


async def test_a_link_to_a_step_of_a_folded_phase_leads_to_it(served: Served, invite: Invite, start: Start) -> None:
    agent = await start()
    plan = await agent("memory_plan", "create", title="A long boat", phases=PHASES)
    sail = await agent.reads("memory_steps", "list", plan_id=plan["plan_id"], phase="Sail", limit=50)
    step_id = sail["steps"][-1]["step_id"]

    page = await (await invite(served)).open(f"/p/{plan['plan_id']}#{step_id}")

    await expect(page.locator(f"#{step_id} > details")).to_have_attribute("open", "")
    await expect(page.locator(f"#{step_id}")).to_be_in_viewport()


async def test_a_step_that_is_open_stays_so_and_follows_whatever_becomes_of_it(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    plan_id = await boat(agent)
    step_id = (await agent.reads("memory_steps", "list", plan_id=plan_id, limit=1))["steps"][0]["step_id"]
    page = await (await invite(served)).open(f"/p/{plan_id}")
    step = page.locator(f"#{step_id}")
    await step.locator("summary").click()
    await step.get_by_label("Add a note").fill("Half a thought")

    for status, note in (("blocked", "No wood"), ("pending", "Wood came"), ("failed", "It is wet"), ("pending", "Dry")):
        await agent("memory_steps", "update", step_id=step_id, status=status, append_notes=note)
        await expect(step.locator(".state")).to_have_text(status)
        await expect(step.get_by_text(note)).to_be_visible()
        await expect(step.get_by_label("Add a note")).to_have_value("Half a thought")

    await step.get_by_role("button", name="Save").click()
    await expect(page.locator(f"#{step_id}").get_by_text("Half a thought")).to_be_visible()
