"""Pages that stay open while agents write: what they show, and what they leave alone."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Request, expect

from tests.browser.conftest import Again, Agent, Invite, Person, Start
from tests.conftest import ToolError
from tests.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHASES = [{"name": "Build", "approval_required": True, "steps": [{"task": "Lay the keel"}, {"task": "Plank it"}]}]
STATE = """(field) => [document.activeElement === field, field.value, field.selectionStart, field.selectionEnd,
  field.isSame === true, Math.round(field.getBoundingClientRect().top)]"""


async def boat(agent: Agent, title: str = "A boat", **more: Any) -> str:
    return (await agent("memory_plan", "create", title=title, phases=PHASES, **more))["plan_id"]


async def asks_for_confirmation(agent: Agent, plan_id: str) -> None:
    with pytest.raises(ToolError, match="gated"):
        await agent("memory_plan", "confirm", plan_id=plan_id, confirmation_scope="phase", confirm_phase="Build")


async def writes(agent: Agent, *contents: str) -> None:
    for content in contents:
        await agent("memory_session", "send_message", to_agent="human", content=content)


def card(page: Page, text: str) -> Locator:
    return page.get_by_role("article").filter(has_text=text)


def streams(person: Person) -> list[Request]:
    """Return a list that fills with the streams which the tabs of a person ask for."""
    found: list[Request] = []
    person.context.on("request", lambda asked: found.append(asked) if "/events" in asked.url else None)
    return found


async def test_an_agent_goes_on_when_the_person_confirms_in_the_inbox(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    plan_id = await boat(agent)
    person = await invite(served)
    page = await person.open()
    await expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()

    await asks_for_confirmation(agent, plan_id)
    latest = (await agent.reads("memory_workspace", "events", limit=1))["latest_id"]
    wanted = {"since_id": latest, "types": ["approval"], "wait_seconds": 25}
    waiting = asyncio.create_task(agent.reads("memory_workspace", "events", **wanted))
    await card(page, "A boat").get_by_role("button", name="Confirm").click()
    heard = await waiting
    step = await agent("memory_steps", "next", plan_id=plan_id)

    assert heard["events"]
    assert step["next"]["task"] == "Lay the keel"
    await expect(page.get_by_role("heading", name="Nothing needs you")).to_be_visible()
    await expect(page).to_have_title("Inbox · Project Memory")


async def test_two_people_see_what_an_agent_and_the_other_do(served: Served, invite: Invite, start: Start) -> None:
    agent = await start()
    plan_id = await boat(agent)
    one, other = await invite(served), await invite(served)
    inbox, plan = await one.open(), await other.open(f"/p/{plan_id}")

    await writes(agent, "Which wood?")
    await agent("memory_steps", "add", plan_id=plan_id, steps=[{"task": "Sail away"}])
    await expect(plan.get_by_text("Sail away")).to_be_visible()
    await expect(inbox).to_have_title("(1) Inbox · Project Memory")
    await plan.get_by_label("Note", exact=True).fill("Mind the tide")
    await plan.get_by_role("button", name="Add note").click()
    await expect(plan.get_by_text("Mind the tide").first).to_be_visible()
    board = await one.open(f"/p/{plan_id}")
    await expect(board.get_by_text("Mind the tide").first).to_be_visible()
    await agent("memory_plan", "update", plan_id=plan_id, title="A ship")

    for page in (plan, board):
        await expect(page.get_by_role("heading", level=1)).to_have_text("A ship")


async def test_a_page_catches_up_with_a_server_that_was_away_and_misses_nothing(
    served: Served, again: Again, invite: Invite, start: Start
) -> None:
    agent = await start()
    person = await invite(served, may_lose=True)
    page = await person.open("/board")
    hidden = await person.open("/")
    loads: list[str] = []
    page.on("load", lambda page: loads.append(page.url))
    await expect(page.locator("#live")).to_have_text("live")

    await served.stop()
    await expect(page.locator("#live")).to_have_text("not connected")
    await boat(agent, "Made while nobody looked")
    await writes(agent, "Nobody there?")
    await again(served)

    await expect(page.get_by_role("link", name="Made while nobody looked")).to_be_visible()
    await expect(card(hidden, "Nobody there?")).to_be_visible()
    await expect(page.locator("#live")).to_have_text("live")
    assert loads == []


async def test_what_a_person_types_stays_as_it_is_while_agents_write(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    await writes(agent, *(f"Question {n}" for n in range(8)))
    person = await invite(served)
    page = await person.open()
    note, half = (card(page, f"Question {n}").get_by_role("textbox") for n in (2, 6))
    await note.fill("Not yet sent")
    await half.fill("Half an answer")
    await half.evaluate("(field) => { field.isSame = true; field.setSelectionRange(5, 7); }")
    await half.evaluate("(field) => window.scrollBy(0, field.getBoundingClientRect().top - 300)")
    before = await half.evaluate(STATE)

    await writes(agent, *(f"More {n}" for n in range(3)))
    await agent("memory_session", "send_message", to_agent="human", content="At once!", priority="critical")
    await asks_for_confirmation(agent, await boat(agent))
    await expect(page).to_have_title("(13) Inbox · Project Memory")
    await expect(card(page, "At once!")).to_be_visible()

    *after, top = await half.evaluate(STATE)
    assert after == before[:-1] == [True, "Half an answer", 5, 7, True]
    assert abs(top - before[-1]) <= 2
    await expect(note).to_have_value("Not yet sent")
    await half.press("End")
    await page.keyboard.type(", and its end")
    await expect(half).to_have_value("Half an answer, and its end")


async def test_what_a_person_opened_and_chose_stays_so(served: Served, invite: Invite, start: Start) -> None:
    agent = await start()
    plan_id = await boat(agent)
    page = await (await invite(served)).open(f"/p/{plan_id}")
    step = page.get_by_role("listitem").filter(has_text="Lay the keel")
    await step.locator("summary").click()
    await step.get_by_label("Status").select_option("blocked")

    await agent("memory_steps", "insert", plan_id=plan_id, at_index=0, step={"task": "Buy wood"})
    await expect(page.get_by_text("Buy wood")).to_be_visible()

    await expect(step.get_by_label("Status")).to_have_value("blocked")
    await step.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("listitem").filter(has_text="Lay the keel").locator(".state")).to_have_text("blocked")


async def test_many_tabs_read_one_stream_and_another_goes_on_when_its_reader_closes(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    person = await invite(served)
    asked = streams(person)
    tabs = [await person.open() for _ in range(4)]
    for tab in tabs:
        await expect(tab.locator("#live")).to_have_text("live")

    await writes(agent, "First")
    for tab in tabs:
        await expect(card(tab, "First")).to_be_visible()
    followed = len(asked)
    async with person.context.expect_event("request", lambda request: "/events" in request.url):
        await tabs[0].close()
    await writes(agent, "Second")
    for tab in tabs[1:]:
        await expect(card(tab, "Second")).to_be_visible()

    assert followed == 1
    assert len(asked) == 2
    assert served.site.hub.followers == 1


async def test_a_page_is_renewed_though_agents_never_stop_to_write(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    page = await (await invite(served)).open("/")
    await expect(page.locator("#live")).to_have_text("live")
    is_seen = asyncio.Event()

    async def write_on() -> None:
        number = 0
        while not is_seen.is_set():
            number += 1
            await writes(agent, f"Question {number}")

    writing = asyncio.create_task(write_on())
    await expect(card(page, "Question 1").first).to_be_visible()
    is_seen.set()
    await writing


async def test_what_was_refused_stays_on_the_page_while_agents_write(
    served: Served, invite: Invite, start: Start
) -> None:
    agent = await start()
    plan_id = await boat(agent)
    person = await invite(served, may_lose=True)
    page = await person.open(f"/do/memory_plan/pause_plan?plan_id={plan_id}")
    await page.get_by_label("pause reason").select_option("deferred")
    await page.get_by_label("pause user notes").fill("A long thought")
    await agent("memory_plan", "archive", plan_id=plan_id, force=True)
    await page.get_by_role("button", name="Pause plan").click()
    await expect(page.get_by_role("alert")).to_be_visible()

    other = await person.open("/")
    await writes(agent, "Something new")
    await expect(card(other, "Something new")).to_be_visible()

    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_label("pause user notes")).to_have_value("A long thought")
