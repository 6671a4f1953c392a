"""Pages ask for themselves anew after events that concern them, and whatever changes a page has such an event."""

import html
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from server.db.audit import events
from server.db.audit.events import Feed
from server.models.events import LoggedEvent
from server.registry import Action
from server.settings import Settings
from server.web.following import frame
from tests.populated_store import PopulatedStore, answer, connected
from tests.served import serve
from tests.test_requests import WRITES, arguments, label, prepare
from tests.thoroughness import often

MAIN = re.compile(r'<main id="main"([^>]*)>(.*)</main>', re.DOTALL)
BY_ITSELF = re.compile(r"<time .*?</time>|<svg[^>]*timeline.*?</svg>", re.DOTALL)  # what changes as time goes by
LISTS = ("messages", "sessions", "knowledge", "decisions", "programs", "reservations", "trash", "history")


def concerns(main: str, event: LoggedEvent) -> bool:
    """Return whether a page asks anew after an event: it says after which."""
    said = re.search(r'data-concerns="([^"]*)"', main)
    told = frame(event).decode().partition("\ndata: ")[2]
    return said is None or re.search(html.unescape(said[1]), told) is not None


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


async def test_the_inbox_and_the_board_are_asked_for_after_what_they_show(copy: PopulatedStore) -> None:
    known = copy.arguments
    plan_id, home, elsewhere = known["plan_ids"][1], known["workspace_id"], known["strange_workspace_id"]
    calls = {
        "said": (
            "memory_context",
            {"action": "store", "type": "t", "parent_type": "plan", "parent_id": plan_id, "data": {}},
        ),
        "called": ("memory_ledger", {"action": "log_call", "plan_id": plan_id, "tool": "x", "args": {}}),
        "reserved": ("memory_session", {"action": "reserve_files", "workspace_id": home, "paths": ["a.py"]}),
        "asked": (
            "memory_session",
            {"action": "send_message", "workspace_id": home, "to_agent": "human", "content": "?"},
        ),
        "noted": ("memory_plan", {"action": "add_note", "plan_id": plan_id, "note": "n"}),
    }
    heard: dict[str, list[LoggedEvent]] = {}
    async with connected(copy.data_root) as client, serve(Settings(data_root=copy.data_root)) as served:
        browser = await served.owner()
        work = {"action": "create", "title": "Work", "steps": [{"task": "a"}], "workspace_id": home, "agent": "tester"}
        _, plan, _ = await answer(client, "memory_plan", work)
        calls["claimed"] = ("memory_steps", {"action": "next", "plan_id": plan["plan_id"]})
        _, strange, _ = await answer(client, "memory_workspace", {"action": "info", "workspace_id": elsewhere})
        of_another = f"/board?query={quote(strange['path'])}"
        shown = {path: (await browser.get(path)).text for path in ("/", "/board", of_another, f"/w/{home}")}
        db = await served.site.state.store.open()
        for name, (tool, sent) in calls.items():
            newest = await events.last_id(db)
            failed, told, _ = await answer(client, tool, {**sent, "agent": "tester"})
            assert not failed, (name, told)
            heard[name] = await events.after(db, Feed(), newest, limit=1000)

    followed = {
        path: {name for name, found in heard.items() if any(concerns(page, event) for event in found)}
        for path, page in shown.items()
    }
    assert followed == {
        "/": {"asked"},
        "/board": {"claimed", "noted"},
        of_another: set(),
        f"/w/{home}": {"claimed", "noted", "asked"},
    }
    assert elsewhere in shown[of_another]


async def test_the_board_follows_a_lease_that_ran_out_and_lives_again(copy: PopulatedStore) -> None:
    step_id = copy.arguments["step_id"]
    holder = {"plan_id": copy.arguments["plan_id"], "agent": "tester"}
    async with connected(copy.data_root) as client, serve(Settings(data_root=copy.data_root)) as served:
        browser = await served.owner()
        db = await served.site.state.store.open()
        pages: list[str] = []
        followed: list[bool] = []
        for until in ("2020-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"):
            async with db.transaction() as tx:
                lapsed = {"until": until, "id": step_id}
                await tx.run("UPDATE steps SET lease_expires_at = :until WHERE step_id = :id", lapsed)
            pages.append((await browser.get("/board")).text)
            newest = await events.last_id(db)
            failed, told, _ = await answer(
                client, "memory_steps", {"action": "heartbeat", "step_id": step_id, **holder}
            )
            assert not failed, told
            [heard] = await events.after(db, Feed(), newest, limit=10)
            followed.append(concerns(pages[0], heard))

    assert step_id not in pages[0]
    assert step_id in pages[1]
    assert followed == [True, False]  # else every heartbeat of every agent would have the page asked for


async def test_a_plan_names_and_follows_what_its_steps_wait_for_in_another_workspace(copy: PopulatedStore) -> None:
    known = copy.arguments
    async with connected(copy.data_root) as client, serve(Settings(data_root=copy.data_root)) as served:

        async def call(tool: str, action: str, **arguments: Any) -> dict[str, Any]:
            failed, told, _ = await answer(client, tool, {"action": action, "agent": "tester", **arguments})
            assert not failed, told
            return told

        async def plan(home: str, task: str) -> tuple[str, str]:
            made = await call("memory_plan", "create", title=task, workspace_id=known[home], steps=[{"task": task}])
            _, listed, _ = await answer(client, "memory_steps", {"action": "list", "plan_id": made["plan_id"]})
            return made["plan_id"], listed["steps"][0]["step_id"]

        first, before = await plan("strange_workspace_id", "Lay the keel")
        then, after = await plan("workspace_id", "Step the mast")
        await call("memory_steps", "set_dependencies", step_id=after, depends_on=[before])
        browser = await served.owner()
        db = await served.site.state.store.open()
        pages = [(await browser.get(f"/p/{then}?step={after}")).text]
        home = (await browser.get(f"/w/{known['workspace_id']}")).text
        followed: list[bool] = []
        for action, tool, arguments in (
            ("update", "memory_steps", {"step_id": before, "task": "Lay the long keel"}),
            ("update", "memory_steps", {"step_id": before, "status": "done"}),
            ("archive", "memory_plan", {"plan_id": first}),
        ):
            newest = await events.last_id(db)
            await call(tool, action, **arguments)
            heard = await events.after(db, Feed(), newest, limit=1000)
            assert any(concerns(pages[-1], event) for event in heard), (action, arguments)
            followed.append(any(concerns(home, event) for event in heard))
            pages.append((await browser.get(f"/p/{then}?step={after}")).text)

    assert ["waits for another plan" in page for page in pages] == [True, True, False, False]
    assert followed == [False, True, False]  # the workspace says what is free to begin
    assert "Lay the keel" in pages[0]
    assert "Lay the long keel" in pages[1]
