"""Take the pictures that docs/serve.md shows, or, with `--all FOLDER`, one of every page to look at.

python scripts/screenshots.py                  # docs/pictures/*.png, from a small store
python scripts/screenshots.py --all /tmp/look  # every page, wide and narrow, light and dark, of four stores
python scripts/screenshots.py --all /tmp/look --store small --page plan
"""

import argparse
import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import bench_store
import chromium
import shown_stores
from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests know how to serve in this process

from server.models.base import timestamp  # noqa: E402
from server.settings import Settings  # noqa: E402
from tests.populated_store import answer, connected  # noqa: E402
from tests.served import Served, serve  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
OF_DOCS = (("inbox", "light"), ("board", "light"), ("plan", "light"), ("graph", "dark"))
SIZES = {"wide": (1280, 800), "narrow": (390, 844)}
SCHEMES = ("light", "dark")
HOURS = 30  # over which what was stored in a second is spread
OF_WORKSPACE = (
    "timeline", "agents", "sessions", "messages", "decisions", "knowledge", "context", "programs", "reservations",
    "scripts", "history", "events", "allowlist", "trash",
)  # fmt: skip


async def made(store: str, root: Path) -> dict[str, Any]:
    """Make a store, and return the ids that pages of it are about."""
    if store == "large":
        await bench_store.build(root / "data", bench_store.SMALL)  # 50,000 steps
        return _found(root / "data")
    if store == "empty":
        return {}
    async with connected(root / "data") as client:

        async def call(tool: str, action: str, **arguments: Any) -> dict[str, Any]:
            failed, found, _ = await answer(client, tool, {"action": action, **arguments})
            if failed:
                raise SystemExit(f"{tool} {action}: {found}")
            return found

        folder = root / "shop"
        folder.mkdir()
        fill = {"small": shown_stores.small, "unwieldy": shown_stores.unwieldy, "hostile": shown_stores.hostile}
        known = await fill[store](call, folder)
        if phase := known.get("phase"):  # an agent is refused, and asks for the person by that
            gate = {"plan_id": known["plan_id"], "confirmation_scope": "phase", "confirm_phase": phase}
            await answer(client, "memory_plan", {"action": "confirm", **gate, "session_id": known["session_id"]})
    _spread(root / "data")
    return known


def _found(data_root: Path) -> dict[str, Any]:
    with sqlite3.connect(Settings(data_root=data_root).database) as db:
        row = db.execute("SELECT workspace_id, plan_id FROM plans ORDER BY updated_at DESC LIMIT 1").fetchone()
    return {"workspace_id": row[0], "plan_id": row[1]}


def _spread(data_root: Path) -> None:
    """Spread the moments of what was stored over a day, as work takes it; those to come stay."""
    now = datetime.now(UTC)
    with sqlite3.connect(Settings(data_root=data_root).database) as db:
        first = datetime.fromisoformat(db.execute("SELECT min(created_at) FROM workspaces").fetchone()[0])
        scale = timedelta(hours=HOURS) / (now - first)

        def earlier(moment: str | float | None) -> str | float | None:
            if (
                not isinstance(moment, str)
                or "T" not in moment
                or not first <= (then := datetime.fromisoformat(moment)) <= now
            ):
                return moment
            return timestamp(now - (now - then) * scale)

        db.create_function("earlier", 1, earlier)
        for table, column in _moments(db):
            db.execute(f'UPDATE "{table}" SET "{column}" = earlier("{column}")')


def _moments(db: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [
        (table, column)
        for table in tables
        for (_, column, *_) in db.execute(f'PRAGMA table_info("{table}")')
        if column.endswith("_at") or column == "timestamp"
        if table not in ("server_runs", "web_sessions", "seeds")
    ]


def pages(known: dict[str, Any]) -> dict[str, str]:
    """Return the address of every page by a name for its picture."""
    found = {
        "inbox": "/",
        "board": "/board",
        "library": "/library/agent",
        "statistics": "/statistics",
        "search": "/search",
    }
    found["enter"] = "/enter?code=x"
    if not known:
        return found
    home, plan = f"/w/{known['workspace_id']}", f"/p/{known['plan_id']}"
    found |= {"workspace": home, "plan": plan, "graph": f"{plan}/graph", "found": "/search?q=a"}
    found |= {f"w-{name}": f"{home}/{name}" for name in OF_WORKSPACE}
    asked = f"plan_id={known['plan_id']}&back={plan}"
    for name in ("update", "pause_plan", "delete"):
        found[f"form-{name}"] = f"/do/memory_plan/{name}?{asked}"
    return found | {
        "form-create": f"/do/memory_plan/create?workspace_id={known['workspace_id']}",
        "missing": "/p/plan_none",
    }


@asynccontextmanager
async def let_in(browser: Browser, served: Served, scheme: str, size: str) -> AsyncGenerator[Page]:
    width, height = SIZES[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=cast(Any, scheme), locale="en-GB"
    )
    page = await context.new_page()
    await page.goto(await served.link())
    await page.get_by_role("button").click()
    await page.wait_for_url(f"{served.home}/")
    yield page
    await context.close()


async def take(page: Page, address: str, path: Path, *, is_whole: bool) -> None:
    """Take the picture of a page, without where on this machine it was made."""
    await page.goto(address)
    await page.evaluate("""() => { for (const one of document.querySelectorAll(".path"))
        one.textContent = "~/work/" + one.textContent.split("/").pop(); }""")
    await page.evaluate("document.fonts.ready")
    overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if overflow > 0:
        print(f"{path.name}: {overflow} pixels wider than the window")
    await page.screenshot(path=path, full_page=is_whole, animations="disabled")


async def look(folder: Path, stores: Sequence[str], wanted: Sequence[str]) -> None:
    """Take every page of some stores in every size and scheme."""
    async with async_playwright() as playwright:
        browser = await chromium.launch(playwright)
        for store in stores:
            with tempfile.TemporaryDirectory() as root:
                known = await made(store, Path(root))
                async with serve(Settings(data_root=Path(root) / "data")) as served:
                    for size in SIZES:
                        for scheme in SCHEMES:
                            async with let_in(browser, served, scheme, size) as page:
                                for name, path in pages(known).items():
                                    if not wanted or name in wanted:
                                        target = folder / f"{store}-{name}-{size}-{scheme}.png"
                                        await take(page, f"{served.home}{path}", target, is_whole=True)
        await browser.close()


async def for_docs(folder: Path) -> None:
    """Take the pictures that docs/ shows."""
    folder.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await chromium.launch(playwright)
        with tempfile.TemporaryDirectory() as root:
            known = await made("small", Path(root))
            async with serve(Settings(data_root=Path(root) / "data")) as served:
                for name, scheme in OF_DOCS:
                    async with let_in(browser, served, scheme, "wide") as page:
                        await take(page, f"{served.home}{pages(known)[name]}", folder / f"{name}.png", is_whole=False)
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", metavar="FOLDER", type=Path, help="take every page into a folder")
    parser.add_argument("--store", action="append", choices=("empty", "small", "unwieldy", "hostile", "large"))
    parser.add_argument("--page", action="append", default=[])
    asked = parser.parse_args()
    if asked.all:
        asked.all.mkdir(parents=True, exist_ok=True)
        asyncio.run(look(asked.all, asked.store or ("empty", "small", "unwieldy", "hostile", "large"), asked.page))
    else:
        asyncio.run(for_docs(PICTURES))


if __name__ == "__main__":
    main()
