"""Context items, facts, sessions and hand-offs: what ends by itself, and what reading costs."""

import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from server.db.context import context_items, memories
from server.db.context.memories import Where
from server.db.plans import plans
from server.db.sessions import briefing, lineage, sessions
from server.db.storage.connection import Database, Reader
from server.db.storage.migrations import migrate
from server.db.storage.opening import open_database
from server.db.workspaces import workspaces
from server.errors import NotFound
from server.models.context import Parent
from server.settings import ASSETS, Settings

START = datetime(2030, 1, 1, tzinfo=UTC)
WORKSPACE = "ws_1"
FACTS = Where("workspace", WORKSPACE, WORKSPACE)


class Now:
    """A clock that stands until it is set."""

    moment = START

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def now() -> Now:
    return Now()


@pytest_asyncio.fixture
async def store(settings: Settings, now: Now) -> AsyncGenerator[Database]:
    """A store with one workspace and one plan, `plan_1`, whose time is `now`."""
    db = await open_database(settings.database, clock=now)
    await migrate(db, ASSETS / "migrations", allowed=True)
    async with db.transaction() as tx:
        await workspaces.insert(tx, path="/project", name="project", workspace_id=WORKSPACE)
        await plans.insert(tx, workspace_id=WORKSPACE, title="A", plan_id="plan_1")
    yield db
    await db.close()


def row(item_type: str, expires_at: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = dict.fromkeys(context_items.COLUMNS)
    return fields | {
        "item_id": f"item_{item_type}",
        "workspace_id": WORKSPACE,
        "parent_type": "plan",
        "parent_id": "plan_1",
        "type": item_type,
        "data": "{}",
        "tags": "[]",
        "expires_at": expires_at,
        "created_at": "2030-01-01T00:00:00.000Z",
        "updated_at": "2030-01-01T00:00:00.000Z",
        "version": 1,
    }


async def test_an_item_lives_to_the_moment_it_expires_and_not_longer(store: Database, now: Now) -> None:
    plan = Parent(parent_type="plan", parent_id="plan_1")
    async with store.transaction() as tx:
        await context_items.put(tx, [row("short", "2030-01-01T00:01:00.000Z"), row("long", None)])

    now.moment = START + timedelta(seconds=59.999)
    assert await context_items.find(store, plan, "short", workspace_id=None)
    now.moment = START + timedelta(seconds=60)
    assert await context_items.find(store, plan, "short", workspace_id=None) is None
    assert await context_items.find(store, plan, "long", workspace_id=None)
    rows, total = await context_items.list_(store, workspace_id=WORKSPACE, limit=10)
    assert ([one.type for one in rows], total) == (["long"], 1)
    slots = await context_items.slots(store, [("plan", "plan_1", "short")], workspace_id=None)
    assert slots["plan", "plan_1", "short"].item is None


async def test_a_fact_lives_to_the_moment_it_expires_and_not_longer(store: Database, now: Now) -> None:
    async with store.transaction() as tx:
        first = await memories.put(tx, FACTS, namespace="n", key="k", value="v", ttl_seconds=60)
    now.moment = START + timedelta(seconds=59.999)
    assert (await memories.require(store, FACTS, "n", "k")).value == "v"
    now.moment = START + timedelta(seconds=60)
    with pytest.raises(NotFound):
        await memories.require(store, FACTS, "n", "k")
    async with store.transaction() as tx:
        second = await memories.put(tx, FACTS, namespace="n", key="k", value="w", ttl_seconds=None)
    assert (second.version, second.created_at) == (1, "2030-01-01T00:01:00.000Z")
    assert second.entry_id != first.entry_id


SILENCE = 600


async def test_a_session_is_orphaned_after_its_time_of_silence(store: Database, now: Now) -> None:
    async with store.transaction() as tx:
        session = await sessions.insert(tx, workspace_id=WORKSPACE, agent="A", plan_id="plan_1", parent_session_id=None)
    now.moment = START + timedelta(seconds=SILENCE)
    assert (await sessions.get(store, session.session_id, SILENCE)).status == "active"
    now.moment += timedelta(milliseconds=1)
    assert (await sessions.get(store, session.session_id, SILENCE)).status == "orphaned"


async def an_item(db: Reader) -> None:
    await context_items.find(db, Parent(parent_type="plan", parent_id="plan_1"), "x", workspace_id=None)


async def a_slot(db: Reader) -> None:
    kinds = [(kind, "x", "t") for kind in context_items.PARENTS]
    await context_items.slots(db, kinds, workspace_id=WORKSPACE)


async def items_of_a_plan(db: Reader) -> None:
    parent = Parent(parent_type="plan", parent_id="plan_1")
    await context_items.list_(db, workspace_id=WORKSPACE, parent=parent, tags=["x"], limit=20)


async def items_of_a_workspace(db: Reader) -> None:
    await context_items.list_(db, workspace_id=WORKSPACE, limit=20)


async def facts(db: Reader) -> None:
    await memories.list_(db, FACTS, namespace=None, prefix="p", after=None, limit=20)


async def sessions_of_a_plan(db: Reader) -> None:
    await sessions.list_(
        db, workspace_id=WORKSPACE, plan_id="plan_1", status="active", agent="A", silence=SILENCE, after=None, limit=20
    )


async def sessions_of_a_workspace(db: Reader) -> None:
    await sessions.list_(
        db, workspace_id=WORKSPACE, plan_id=None, status=None, agent=None, silence=SILENCE, after=None, limit=20
    )


async def hand_offs(db: Reader) -> None:
    await lineage.page(db, "plan_1", after=None, limit=20)
    await lineage.last_to(db, "A", workspace_id=WORKSPACE, plan_id="plan_1")
    await lineage.passed_to(db, "A", workspace_id=WORKSPACE, plan_id=None)


async def what_is_around(db: Reader) -> None:
    await briefing.surroundings(db, workspace_id=WORKSPACE, plan_id="plan_1", agent="A", names=["A", "sess_1"])
    await briefing.surroundings(db, workspace_id=WORKSPACE, plan_id=None, agent="A", names=["A", "sess_1"])


READS = (
    an_item,
    a_slot,
    items_of_a_plan,
    items_of_a_workspace,
    facts,
    sessions_of_a_plan,
    sessions_of_a_workspace,
    hand_offs,
    what_is_around,
)


@pytest.mark.parametrize("read", READS, ids=lambda read: read.__name__)
async def test_reading_scans_no_table(store: Database, read: Callable[[Reader], Awaitable[None]]) -> None:
    tables = {found["name"] for found in await store.all("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    seen: list[str] = []
    batch = store.batch

    async def explained(*statements: Any) -> list[list[sqlite3.Row]]:
        for sql, params in statements:
            [steps] = await batch((f"EXPLAIN QUERY PLAN {sql}", params))
            seen.extend(step["detail"] for step in steps)
        return await batch(*statements)

    store.batch = explained
    await read(store)
    assert seen
    derived = {step.split()[1] for step in seen if step.startswith(("CO-ROUTINE", "MATERIALIZE"))}
    scanned = {step.split()[1] for step in seen if step.startswith("SCAN")} - derived
    assert not scanned & (tables | set("plsc"))
