"""Pages ask for themselves anew after events that concern them, and whatever changes a page has such an event."""

import html
import re
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from server.db.audit import events
from server.db.audit.events import Feed
from server.models.base import encode
from server.models.events import LoggedEvent
from server.registry import Action
from server.settings import Settings
from tests.populated_store import PopulatedStore, answer, connected
from tests.served import serve
from tests.test_requests import WRITES, arguments, label, prepare
from tests.thoroughness import often

MAIN = re.compile(r'<main id="main"([^>]*)>(.*)</main>', re.DOTALL)
BY_ITSELF = re.compile(r"<time .*?</time>|<svg[^>]*timeline.*?</svg>", re.DOTALL)  # what changes as time goes by
LISTS = ("messages", "sessions", "knowledge", "decisions", "programs", "reservations", "trash", "history")


def concerns(main: str, event: LoggedEvent) -> bool:
    """Return whether a page asks anew after an event: what `concerns` of `page.js` says."""
    attributes = re.match(MAIN, main)
    assert attributes
    told = {name: html.unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', attributes[1])}
    if not told.keys() & {"types", "about"}:
        return True
    text = encode(event.model_dump(exclude_none=True))
    is_of_none = not event.workspace_id or (not event.plan_id and event.workspace_id == told.get("workspace"))
    return (
        event.type in told.get("types", "").split()
        or any(one in text for one in told.get("about", "").split())
        or ("about" in told and is_of_none)
        or any(f'id="{one}"' in main for one in (event.entity_id, event.session_id) if one)
    )


def paths(known: Mapping[str, Any]) -> list[str]:
    home, plan = f"/w/{known['workspace_id']}", f"/p/{known['plan_id']}"
    elsewhere = f"/w/{known['child_workspace_id']}"
    return [
        *("/", "/board", "/library/skill", home, elsewhere, f"{elsewhere}/programs", f"{home}/timeline"),
        *(f"{home}/{name}" for name in LISTS),
        *(plan, f"{plan}/graph", f"{plan}/timeline", f"/p/{known['plan_ids'][0]}", f"/p/{known['source_plan_id']}"),
        f"/g/{known['program_id']}",
    ]


async def mains(browser: httpx2.AsyncClient, known: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths(known):
        main = MAIN.search((await browser.get(path)).text)
        assert main
        found[path] = BY_ITSELF.sub("", main[0])
    return found


@pytest.mark.parametrize("action", WRITES[:: often(1, 12)], ids=label)
async def test_whatever_changes_a_page_has_an_event_that_concerns_it(action: Action, copy: PopulatedStore) -> None:
    async with connected(copy.data_root) as client, serve(Settings(data_root=copy.data_root)) as served:
        browser = await served.owner()
        before = await mains(browser, copy.arguments)
        db = await served.site.state.store.open()
        newest = await events.last_id(db)
        await prepare(client, copy, action)
        failed, told, _ = await answer(client, action.tool, arguments(copy, action, {}))
        after = await mains(browser, copy.arguments)
        heard = await events.after(db, Feed(), newest, limit=1000)

    assert not failed, told
    changed = [path for path in after if after[path] != before[path]]
    missed = [path for path in changed if not any(concerns(before[path], event) for event in heard)]
    assert not missed or not heard, (missed, [event.type for event in heard])


async def test_a_page_is_asked_for_after_what_it_shows_and_not_after_the_rest(copy: PopulatedStore) -> None:
    known = copy.arguments
    async with connected(copy.data_root) as client, serve(Settings(data_root=copy.data_root)) as served:
        pages = await mains(await served.owner(), known)
        db = await served.site.state.store.open()
        newest = await events.last_id(db)
        there = {"workspace_id": known["strange_workspace_id"], "agent": "tester"}
        await answer(
            client, "memory_plan", {"action": "create", "title": "Elsewhere", "steps": [{"task": "a"}], **there}
        )
        noted = {"action": "add_note", "plan_id": known["plan_ids"][1], "note": "n", "agent": "tester"}
        await answer(client, "memory_plan", noted)
        created, note = await events.after(db, Feed(), newest, limit=1000)

    home, plan = f"/w/{known['workspace_id']}", f"/p/{known['plan_id']}"
    after_the_first = {path for path, main in pages.items() if concerns(main, created)}
    after_the_note = {path for path, main in pages.items() if concerns(main, note)}
    programs = {f"{home}/programs", f"/w/{known['child_workspace_id']}/programs"}
    assert after_the_first == {"/", "/board"} | programs
    assert {home, f"{home}/trash"} < after_the_note
    assert not after_the_note & {"/", plan, "/library/skill", f"/w/{known['child_workspace_id']}"}
