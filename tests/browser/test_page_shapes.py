"""Every page, as who hears it, who sees it badly and who holds it in one hand has it."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
import shown_stores
from playwright.async_api import CDPSession, Page, ViewportSize

from server.settings import Settings
from tests.browser.conftest import Invite
from tests.populated_store import answer, connected, populate
from tests.served import held, serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LOOKING = Path(__file__).with_name("looking.js").read_text(encoding="utf-8")
OPERATED = {
    "button",
    "link",
    "textbox",
    "searchbox",
    "combobox",
    "checkbox",
    "listbox",
    "spinbutton",
    "DisclosureTriangle",
}
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
NARROW = ViewportSize(width=390, height=844)
WIDE = ViewportSize(width=1280, height=800)
# Form pages are all made by one template: these have every kind of field.
FORMS = ("memory_plan/update", "memory_plan/create", "memory_plan/delete", "memory_steps/add", "memory_context/store")


async def paths_of(page: Page, home: str, known: list[dict[str, Any]]) -> list[str]:
    """Return the pages of what is stored: one of each kind, of each store that is about another trouble."""
    found = ["/", "/board", "/library/agent", "/library/skill", "/statistics", "/search", "/search?q=a", "/p/plan_none"]
    for one in known:
        work, plan = f"/w/{one['workspace_id']}", f"/p/{one['plan_id']}"
        await page.goto(f"{home}{work}")
        tabs = (
            await page.get_by_role("navigation", name="Workspace")
            .locator("a")
            .evaluate_all("(links) => links.map((link) => link.pathname)")
        )
        found += [*tabs, plan, f"{plan}/graph", f"/e/{one['session_id']}"]
        found += [f"/do/{name}?plan_id={one['plan_id']}" for name in FORMS if name != "memory_plan/create"]
    return [*found, "/do/memory_plan/create"]


async def unnamed(session: CDPSession) -> list[str]:
    """Return what a screen reader could only call by its kind."""
    tree = await session.send("Accessibility.getFullAXTree")
    return [
        f"{node['role']['value']} without a name"
        for node in tree["nodes"]
        if not node["ignored"]
        and node["role"]["value"] in OPERATED
        and not node.get("name", {}).get("value", "").strip()
    ]


async def outline(page: Page) -> list[str]:
    """Return what is wrong with the landmarks and headings of a page."""
    landmarks = {role: await page.get_by_role(role).count() for role in ("banner", "main", "contentinfo")}
    wrong = [f"{number} times {role}" for role, number in landmarks.items() if number != 1]
    levels: list[int] = await page.locator("h1, h2, h3, h4").evaluate_all(
        "(found) => found.filter((one) => !one.closest('.md, dialog')).map((one) => Number(one.tagName[1]))"
    )
    if levels.count(1) != 1 or levels[:1] != [1]:
        wrong.append(f"headings {levels}")
    wrong += [f"h{after} below h{before}" for before, after in pairwise(levels) if after > before + 1]
    ids: list[str] = await page.locator("[id]").evaluate_all("(found) => found.map((one) => one.id)")
    return wrong + [f"two of id {one}" for one in {one for one in ids if ids.count(one) > 1}]


async def test_every_page_is_named_legible_and_fits_a_phone(settings: Settings, tmp_path: Path, invite: Invite) -> None:
    for name in ("usual", "hostile", "unwieldy"):
        (tmp_path / name).mkdir()
    known = [await populate(settings.data_root, tmp_path / "usual")]
    async with connected(settings.data_root) as client:

        async def call(tool: str, action: str, **arguments: Any) -> dict[str, Any]:
            failed, found, _ = await answer(client, tool, {"action": action, **arguments})
            assert not failed, found
            return found

        known += [await shown_stores.hostile(call, tmp_path / "hostile")]
        known += [await shown_stores.unwieldy(call, tmp_path / "unwieldy")]
    async with held(serve(settings)) as served:
        person = await invite(served, may_lose=True)
        page = await person.open()
        session = await person.context.new_cdp_session(page)
        wrong: dict[str, list[str]] = {}
        for path in await paths_of(page, served.home, known):
            wrong[path] = await looked_at(page, session, f"{served.home}{path}")

    lines = [f"{path}: {what}" for path, found in wrong.items() for what in found]
    assert not lines, "\n".join(lines)


async def looked_at(page: Page, session: CDPSession, address: str) -> list[str]:
    """Return what is wrong with a page, at both widths and in both schemes."""
    await page.goto(address)
    await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    found = [*await outline(page), *await unnamed(session)]
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += [f"{scheme}: {what}" for what in await page.evaluate(LOOKING)]
    await page.set_viewport_size(NARROW)
    if (more := await page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
        found.append(f"{more} pixels wider than a phone")
    await page.set_viewport_size(WIDE)
    return found
