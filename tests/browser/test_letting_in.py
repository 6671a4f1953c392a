"""How a browser is let in and left out, and what works in it without scripts."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Invite, Start
from tests.browser.test_live_pages import asks_for_confirmation, boat, card, writes
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_link_lets_one_browser_in_by_its_button_and_not_by_being_looked_at(
    served: Served, invite: Invite
) -> None:
    link = await served.link()
    one, other = [await invite(served, is_let_in=False, may_lose=True) for _ in range(2)]
    outside = await one.open()
    await expect(outside.get_by_role("heading", level=1)).to_have_text("This browser is not let in")

    for _ in range(2):
        await outside.goto(link)
    await expect(outside.get_by_role("button", name="Let this browser in")).to_be_focused()
    await outside.keyboard.press("Enter")
    await expect(outside.get_by_role("heading", level=1)).to_have_text("Inbox")
    late = await other.context.new_page()
    await late.goto(link)
    await late.get_by_role("button").click()

    await expect(late.get_by_text("This link was used already")).to_be_visible()
    assert await other.context.cookies() == []


async def test_who_leaves_sees_no_page_any_more(served: Served, invite: Invite) -> None:
    person = await invite(served, may_lose=True)
    page = await person.open("/board")

    await page.get_by_role("button", name="Leave").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("This browser is not let in any more")
    again = await person.open("/board")

    await expect(again.get_by_role("heading", level=1)).to_have_text("This browser is not let in")


async def test_a_person_without_scripts_answers_confirms_and_changes(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    plan_id = await boat(agent)
    await asks_for_confirmation(agent, plan_id)
    await writes(agent, "Which wood?")
    person = await invite(served, java_script_enabled=False)
    page = await person.open()

    await card(page, "A boat").get_by_role("button", name="Confirm").click()
    await card(page, "Which wood?").get_by_role("textbox").fill("Oak")
    await card(page, "Which wood?").get_by_role("button", name="Answer").click()
    await expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()
    await page.get_by_role("navigation").get_by_role("link", name="Board").click()
    await page.get_by_role("link", name="A boat").click()
    await page.get_by_text("Actions", exact=True).click()
    await page.get_by_role("link", name="pause plan").click()
    await page.get_by_label("pause reason").select_option("deferred")
    await page.get_by_role("button", name="Pause plan").click()
    await expect(page.get_by_text("paused", exact=True).first).to_be_visible()
    await page.get_by_role("searchbox").first.fill("keel")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("link", name="Lay the keel")).to_be_visible()
    heard = await agent("memory_session", "inbox")
    assert [message["content"] for message in heard["messages"]] == ["Oak"]
