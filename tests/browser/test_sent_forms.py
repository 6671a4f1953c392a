"""What a person sends: not lost while the server is away or if it refuses, and not done twice."""

import asyncio
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Route, expect

from server.web.limits import BODY_BYTES
from tests.browser.conftest import Again, Agent, Invite, Start
from tests.browser.test_live_pages import boat, card, writes
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def notes(agent: Agent, plan_id: str) -> list[str]:
    return [one["note"] for one in (await agent.reads("memory_plan", "list_notes", plan_id=plan_id))["notes"]]


async def test_a_note_that_is_sent_to_a_server_that_is_away_stays_and_can_be_sent_again(
    served: Served, again: Again, invite: Invite, start: Start
) -> None:
    agent = await start()
    plan_id = await boat(agent)
    page = await (await invite(served, may_lose=True)).open(f"/p/{plan_id}")
    await page.get_by_label("Note", exact=True).fill("Mind the tide")
    await served.stop()

    await page.get_by_role("button", name="Add note").click()
    await expect(page.get_by_role("alert")).to_contain_text("What you typed is still here")
    await again(served)
    await expect(page.locator("#live")).to_have_text("live")
    await expect(page.get_by_label("Note", exact=True)).to_have_value("Mind the tide")
    await page.get_by_role("button", name="Add note").click()

    await expect(page.locator(".note")).to_contain_text("Mind the tide")
    assert await notes(agent, plan_id) == ["Mind the tide"]


async def test_what_was_done_though_its_answer_was_lost_is_not_done_twice(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    plan_id = await boat(agent)
    await writes(agent, "Which wood?")
    person = await invite(served, may_lose=True)
    plan, inbox = await person.open(f"/p/{plan_id}"), await person.open()

    async def lose(route: Route) -> None:
        headers = await route.request.all_headers()
        async with served.browser() as other:
            done = await other.post(
                urlsplit(route.request.url).path,
                content=route.request.post_data or "",
                headers={name: headers[name] for name in ("cookie", "content-type")},
            )
        assert done.status_code == 303
        await route.abort()

    await person.context.route("**/do/**", lose, times=1)
    await person.context.route("**/reply/**", lose, times=1)
    await plan.get_by_label("Note", exact=True).fill("Mind the tide")
    await card(inbox, "Which wood?").get_by_role("textbox").fill("Oak")
    for page, name in ((plan, "Add note"), (inbox, "Answer")):
        await page.get_by_role("button", name=name).click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await page.get_by_role("button", name=name).click()
        await expect(page.get_by_role("status")).to_be_visible()

    assert await notes(agent, plan_id) == ["Mind the tide"]
    heard = await agent("memory_session", "inbox")
    assert [message["content"] for message in heard["messages"]] == ["Oak"]


async def test_a_form_that_is_sent_twice_at_once_is_done_once(served: Served, invite: Invite, start: Start) -> None:
    agent = await start()
    plan_id = await boat(agent)
    page = await (await invite(served)).open(f"/p/{plan_id}")
    await page.get_by_label("Note", exact=True).fill("Mind the tide")

    await page.get_by_role("button", name="Add note").dblclick()
    await expect(page.get_by_role("status")).to_be_visible()

    assert await notes(agent, plan_id) == ["Mind the tide"]


async def test_what_is_refused_stays_in_its_form_with_the_reason_beside_it(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    plan_id = await boat(agent)
    page = await (await invite(served, may_lose=True)).open(f"/do/memory_steps/move?plan_id={plan_id}")
    await page.get_by_label("from index").fill("0")
    await page.get_by_label("to index").fill("seven")

    await page.get_by_role("button", name="Move").click()
    await expect(page.get_by_role("alert")).to_contain_text("to_index")
    await page.get_by_label("to index").fill("1")
    await page.get_by_role("button", name="Move").click()

    await expect(page.get_by_role("status")).to_have_text("Done: move.")


async def test_a_preview_leads_back_to_the_form_as_it_was(served: Served, invite: Invite, start: Start) -> None:
    agent = await start()
    plan_id = await boat(agent)
    page = await (await invite(served)).open(f"/do/memory_plan/delete?plan_id={plan_id}&back=/p/{plan_id}")
    await page.get_by_label("force").select_option("yes")

    await page.get_by_role("button", name="Show what it would do").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Delete: nothing is done yet")
    await page.go_back()
    await expect(page.get_by_label("force")).to_have_value("true")
    await page.get_by_role("button", name="Show what it would do").click()
    await page.get_by_role("button", name="Yes, delete").click()

    await expect(page.get_by_role("status")).to_contain_text("Done: delete.")
    await expect(page.get_by_role("heading", level=1)).to_have_text("project")
    await asyncio.gather(page.get_by_role("button", name="Undo").click(), page.wait_for_load_state())
    await expect(page.get_by_role("link", name="A boat")).to_be_visible()


async def test_what_is_too_large_is_said_to_be_and_stays(served: Served, invite: Invite, start: Start) -> None:
    plan_id = await boat(await start())
    page = await (await invite(served, may_lose=True)).open(f"/p/{plan_id}")
    await page.get_by_label("Note", exact=True).fill("x" * (BODY_BYTES + 1))

    await page.get_by_role("button", name="Add note").click()
    await expect(page.get_by_role("alert")).to_contain_text("at most 4194304 bytes")
    assert len(await page.get_by_label("Note", exact=True).input_value()) > BODY_BYTES
