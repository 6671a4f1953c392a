"""What a page says of what was just done, and the button that undoes it."""

import html
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from server.tools import TOOLS
from server.web.pages.notices import RESTORE, UNDO
from tests.served import Served
from tests.web.test_dashboard_pages import plan_with_gate, read

FORM = re.compile(r'<div class="notice".*?<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
FIELD = re.compile(r'name="([^"]+)" value="([^"]*)"')


async def press_undo(browser: httpx2.AsyncClient, after: httpx2.Response) -> httpx2.Response:
    """Follow what an answer leads to, press Undo there, and return the page that follows."""
    page = await browser.get(after.headers["location"])
    form = FORM.search(page.text)
    assert form, page.text
    fields = {name: html.unescape(value) for name, value in FIELD.findall(form[2])}
    undone = await browser.post(html.unescape(form[1]), data=fields)
    assert undone.status_code == 303, undone.text
    return await browser.get(undone.headers["location"])


async def status(served: Served, found: dict[str, Any]) -> str:
    return (await read(served, found["token"], "memory_plan", "get", plan_id=found["plan_id"]))["status"]


async def test_a_confirmation_is_taken_back(served: Served, project: Path) -> None:
    found = await plan_with_gate(served, project)
    browser = await served.owner()
    yes = await browser.post(f"/answer/{found['approval_id']}", data={"answer": "yes", "back": "/"})
    before = await read(served, found["token"], "memory_plan", "get", plan_id=found["plan_id"])

    last = await press_undo(browser, yes)
    after = await read(served, found["token"], "memory_plan", "get", plan_id=found["plan_id"])

    assert "confirmed_by" in before["phases"][0]
    assert "confirmed_by" not in after["phases"][0]
    assert "Done: revoke." in last.text


@pytest.mark.parametrize(
    ("action", "fields", "is_then"),
    [("pause_plan", {"pause_reason": "deferred"}, "paused"), ("archive", {"force": "true"}, "archived")],
)
async def test_a_plan_that_was_put_away_comes_back(
    served: Served, project: Path, action: str, fields: dict[str, str], is_then: str
) -> None:
    found = await plan_with_gate(served, project)
    browser = await served.owner()
    sent = {**fields, "plan_id": found["plan_id"], "back": "/board?cursor=x#y"}
    done = await browser.post(f"/do/memory_plan/{action}", data=sent)
    between = await status(served, found)
    done.headers["location"] = done.headers["location"].replace("cursor=x&", "")

    await press_undo(browser, done)

    assert (between, await status(served, found)) == (is_then, "active")


async def test_what_was_deleted_is_restored(served: Served, project: Path) -> None:
    found = await plan_with_gate(served, project)
    browser = await served.owner()
    sent = {"plan_id": found["plan_id"], "force": "true", "confirm": "true", "back": "/board"}
    done = await browser.post("/do/memory_plan/delete", data=sent)
    gone = await browser.get(f"/p/{found['plan_id']}")

    await press_undo(browser, done)

    assert gone.status_code == 404
    assert (await browser.get(f"/p/{found['plan_id']}")).status_code == 200


async def test_an_answer_reaches_the_session_that_asked_and_clears_the_question(served: Served, project: Path) -> None:
    found = await plan_with_gate(served, project)
    me = {"agent": "Asker", "plan_id": found["plan_id"]}
    session = (await read(served, found["token"], "memory_agent", "init", **me))["session_id"]
    asked: dict[str, Any] = {}
    for content in ("Which nails?", "Which rope?"):
        asked[content] = await read(
            served, found["token"], "memory_session", "send_message", to_agent="human", content=content,
            session_id=session,
        )  # fmt: skip
    browser = await served.owner()
    fields = {"session": session, "agent": "Asker", "workspace_id": found["workspace_id"], "back": "/"}

    await browser.post(f"/reply/{asked['Which nails?']['message_id']}", data={**fields, "content": "Copper"})
    await read(served, found["token"], "memory_agent", "complete", session_id=session, summary="done")
    late = await browser.post(f"/reply/{asked['Which rope?']['message_id']}", data={**fields, "content": "Hemp"})
    inbox = await browser.get("/")
    heard = await read(
        served, found["token"], "memory_session", "inbox", workspace_id=found["workspace_id"], agent="Asker"
    )
    thread = await read(
        served, found["token"], "memory_session", "inbox", thread_id=asked["Which nails?"]["message_id"]
    )

    assert late.status_code == 303, late.text
    assert "Which nails?" not in inbox.text
    assert "Which rope?" not in inbox.text
    assert [one["content"] for one in thread["messages"]] == ["Which nails?", "Copper"]
    assert [one["content"] for one in heard["messages"]] == ["Hemp"]


@pytest.mark.parametrize("asked", ["did=x.y", "did=memory_plan", "did=%3Cscript%3E.a", "did=memory_plan.nothing"])
async def test_an_address_that_tells_of_nothing_shows_nothing(served: Served, asked: str) -> None:
    browser = await served.owner()

    page = await browser.get(f"/board?{asked}")

    assert page.status_code == 200
    assert 'class="notice"' not in page.text


def test_what_undoes_an_action_takes_what_it_is_given() -> None:
    for (tool, action), undo in UNDO.items():
        assert action in TOOLS[tool].actions
        assert {*undo.takes, *undo.also} <= TOOLS[undo.tool].actions[undo.action].params.keys()
        assert set(undo.takes) <= TOOLS[tool].actions[action].params.keys()
    assert set(RESTORE.takes) <= TOOLS[RESTORE.tool].actions[RESTORE.action].params.keys()
