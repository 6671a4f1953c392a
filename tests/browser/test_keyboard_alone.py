"""A day of somebody without a mouse."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Invite, Start
from tests.browser.test_live_pages import asks_for_confirmation, boat, card, writes
from tests.browser.walking import press_on, tab_to, type_in
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_person_confirms_and_answers(served: Served, invite: Invite, start: Start) -> None:
    agent = await start()
    plan_id = await boat(agent)
    await asks_for_confirmation(agent, plan_id)
    await writes(agent, "Which wood?")
    page = await (await invite(served)).open()

    await type_in(page, card(page, "A boat").get_by_role("textbox"), "But mind the tide")
    await press_on(page, card(page, "A boat").get_by_role("button", name="Confirm"))
    await expect(card(page, "A boat")).to_have_count(0)
    await type_in(page, card(page, "Which wood?").get_by_role("textbox"), "Oak")
    await press_on(page, card(page, "Which wood?").get_by_role("button", name="Answer"))
    await expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()

    [phase] = (await agent.reads("memory_plan", "get", plan_id=plan_id))["phases"]
    assert phase["confirmed_by"] == "human"
    [message] = (await agent("memory_session", "inbox"))["messages"]
    assert message["content"] == "Oak"


async def test_a_person_moves_a_plan_on_the_board_and_a_step_in_the_plan(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    for title in ("A boat", "A bridge"):
        await boat(agent, title)
    page = await (await invite(served)).open()

    await page.keyboard.press("g")
    await page.keyboard.press("b")
    await press_on(page, page.get_by_role("main").get_by_role("link", name="project", exact=True))
    await press_on(page, page.get_by_label("Actions of A boat"))
    await press_on(page, page.get_by_role("link", name="Pause", exact=True))
    await tab_to(page, page.get_by_label("pause reason"))
    await page.keyboard.type("def")
    await press_on(page, page.get_by_role("button", name="Pause plan"))
    paused = page.get_by_role("region", name="Paused")
    await expect(paused.get_by_role("link", name="A boat")).to_be_visible()
    await press_on(page, paused.get_by_role("link", name="A boat"))
    await press_on(page, page.locator("summary", has_text="Plank it"))
    await press_on(page, page.get_by_role("link", name="move", exact=True))
    await type_in(page, page.get_by_label("to index"), "0")
    await press_on(page, page.get_by_role("button", name="Move"))

    await expect(page.locator("li.step").first).to_contain_text("Plank it")


async def test_a_person_finds_a_decision(served: Served, invite: Invite, start: Start) -> None:
    agent = await start()
    plan_id = await boat(agent)
    for decision, why in (("We take oak", "Larch splits in the sun"), ("Nails, not screws", "They give way")):
        await agent("memory_ledger", "decide", plan_id=plan_id, decision=decision, rationale=why)
    page = await (await invite(served)).open()

    await page.keyboard.press("/")
    await page.keyboard.type("larch")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/search?q=larch")
    await page.keyboard.press("/")
    await page.keyboard.press("End")
    await page.keyboard.type(" splits")
    await expect(page).to_have_url(f"{served.home}/search?q=larch+splits&kind=")
    await expect(page.locator("#words")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", level=1)).to_contain_text("We take oak")
    await expect(page.get_by_text("Larch splits in the sun").first).to_be_visible()


async def test_a_person_sees_a_crash_and_takes_care_of_what_it_left(
    served: Served, invite: Invite, start: Start
) -> None:
    agent, other = await start(), await start("Reviewer")
    plan_id = (await agent("memory_plan", "create", title="A boat", steps=[{"task": "Lay the keel"}]))["plan_id"]
    await agent("memory_steps", "next", plan_id=plan_id, lease_seconds=1)
    page = await (await invite(served)).open()

    await agent.server.kill()
    while not (await other.reads("memory_workspace", "attention"))["totals"]["lost_leases"]:
        pass
    await other("memory_session", "send_message", to_agent="human", content="Builder does not answer")
    await expect(card(page, "Lay the keel")).to_contain_text("lease ran out")
    await expect(card(page, "Lay the keel")).to_contain_text("Builder")
    await press_on(page, card(page, "Lay the keel").get_by_role("button", name="Release"))
    await expect(card(page, "Lay the keel")).to_have_count(0)
    step = (await other("memory_steps", "next", plan_id=plan_id))["next"]
    await page.keyboard.press("g")
    await page.keyboard.press("b")
    await press_on(page, page.get_by_role("link", name="A boat"))

    assert step["task"] == "Lay the keel"
    await expect(page.locator("li.step")).to_contain_text("Reviewer")
    await expect(page.locator("li.step .state")).to_have_text("active")


async def test_the_keys_are_listed_and_the_list_is_closed_by_keys(served: Served, invite: Invite) -> None:
    page = await (await invite(served)).open()

    await page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard")
    await expect(keys).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(keys).to_be_hidden()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")

    await expect(page.locator("#main")).to_be_focused()


async def test_keys_work_at_an_address_whose_end_is_broken(served: Served, invite: Invite) -> None:
    page = await (await invite(served)).open("/board#%E0%A4%A")

    await page.keyboard.press("?")

    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


async def test_a_phone_shows_which_of_the_lists_is_open(served: Served, invite: Invite, start: Start) -> None:
    agent = await start()
    home = (await agent.reads("memory_workspace", "info"))["workspace_id"]
    person = await invite(served, viewport={"width": 390, "height": 844})
    for name in ("history", "knowledge", "trash"):
        page = await person.open(f"/w/{home}/{name}")
        tab = page.get_by_role("navigation", name="Workspace").locator("[aria-current]")
        await expect(tab).to_be_in_viewport(ratio=1)
        await page.close()
