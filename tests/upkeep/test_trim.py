"""`trim`: what has outlived its time goes, nothing else does, and whoever follows is told."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server import calls
from server.db.audit import event_feed
from server.db.gates import gates
from server.db.interchange import exports
from server.db.plans import step_counts
from server.db.plans.step_counts import StepScope
from server.db.shared_state import shared_settings
from server.db.storage.connection import Database
from server.db.storage.migrations import migrate
from server.db.storage.opening import open_database
from server.db.upkeep import outlived
from server.exporters import documents, folder
from server.exporters.mirror import Folder
from server.importers.run import Options, import_path
from server.jobs import mirroring
from server.jobs import trimming as job
from server.models.approvals import Word
from server.settings import ASSETS, DATABASE_NAME, Settings
from server.store import Store, open_store
from server.tools import TOOLS
from server.upkeep import trimming

ROOT = Path(__file__).resolve().parent.parent.parent
START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = 86_400


class ClockedStore(Store):
    """A store whose clock a test turns."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.now = START

    async def open(self) -> Database:
        if self._db is None:
            self._db = await open_database(self.settings.database, synchronous="off", clock=lambda: self.now)
            await migrate(self._db, ASSETS / "migrations")
            await gates.watch(self._db)
        return self._db

    def later(self, days: float) -> None:
        self.now += timedelta(days=days)

    async def call(self, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        return json.loads(await calls.run(self, TOOLS, tool, {"action": action, **arguments}))

    async def trim(self) -> dict[str, int]:
        return (await trimming.trim(await self.open(), self.settings)).rows


@pytest_asyncio.fixture
async def clocked(settings: Settings) -> AsyncGenerator[ClockedStore]:
    store = ClockedStore(settings)
    yield store
    await store.close()


@pytest_asyncio.fixture
async def home(clocked: ClockedStore, project: Path) -> str:
    return (await clocked.call("memory_workspace", "register", workspace_path=str(project)))["workspace_id"]


async def plan_of(store: ClockedStore, home: str, title: str, steps: int = 2) -> dict[str, Any]:
    phases = [{"name": "One", "steps": [{"task": f"{title} {number}"} for number in range(steps)]}]
    here = {"workspace_id": home, "agent": "tester"}
    return await store.call("memory_plan", "create", title=title, phases=phases, **here)


async def work_off(store: ClockedStore, plan_id: str, steps: int = 2) -> None:
    """Do the steps of a plan, and complete it."""
    here: dict[str, Any] = {"plan_id": plan_id, "agent": "tester"}
    for index in range(steps):
        for status in ("active", "done"):
            await store.call("memory_steps", "update", step_index=index, status=status, **here)
    plan = await store.call("memory_plan", "get", plan_id=plan_id)
    if plan["status"] != "completed":
        await store.call("memory_plan", "update", status="completed", **here)


def counts_of(day: str, **some: int) -> dict[str, Any]:
    return {"day": day, "added": 0, "dropped": 0, "finished": 0, "reopened": 0, **some}


async def ids(db: Database, table: str, column: str) -> set[Any]:
    return {row[0] for row in await db.all(f"SELECT {column} FROM {table}")}


async def test_a_year_of_daily_use_keeps_what_lives_and_stays_small(clocked: ClockedStore, home: str) -> None:
    db = await clocked.open()
    here = {"workspace_id": home, "agent": "tester"}
    first = await plan_of(clocked, home, "Never finished", steps=3)
    archived = await plan_of(clocked, home, "Archived")
    await clocked.call("memory_plan", "archive", plan_id=archived["plan_id"], **here)
    sizes: dict[int, int] = {}
    plans: list[str] = []
    for week in range(27):  # two of them at a time
        plan = await plan_of(clocked, home, f"Week {week}")
        plans.append(plan["plan_id"])
        await work_off(clocked, plan["plan_id"])
        await clocked.call("memory_context", "remember", key=f"fact {week}", value=str(week), scope="workspace", **here)
        await clocked.call(
            "memory_context",
            "remember",
            key=f"soon {week}",
            value=str(week),
            scope="workspace",
            ttl_seconds=DAY,
            **here,
        )
        sent = await clocked.call("memory_session", "send_message", to_agent="other", content=f"read {week}", **here)
        await clocked.call(
            "memory_session", "acknowledge", message_ids=[sent["message_id"]], workspace_id=home, agent="other"
        )
        await clocked.call("memory_session", "send_message", to_agent="other", content=f"unread {week}", **here)
        await clocked.call("memory_context", "forget", confirm=True, key=f"fact {week}", scope="workspace", **here)
        clocked.later(14)
        await clocked.trim()
        sizes[week] = await db.value("SELECT count(*) FROM event_log")

    assert {*plans, first["plan_id"]} == await ids(db, "plans", "plan_id")
    assert {archived["plan_id"]} == await ids(db, "plans_archive", "plan_id")
    assert await db.value("SELECT count(*) FROM steps") == 27 * 2 + 3
    assert await db.value("SELECT count(*) FROM messages WHERE content LIKE 'unread %'") == 27
    kept = await db.all("SELECT content FROM messages WHERE content LIKE 'read %' ORDER BY created_at")
    assert [row[0] for row in kept][-1] == "read 26"
    assert len(kept) == 90 // 14
    assert len(await db.all("SELECT 1 FROM trash")) == 30 // 14
    assert await db.value("SELECT count(*) FROM memory_entries") <= 1
    of_first = await db.value("SELECT count(*) FROM event_log WHERE plan_id = :id", {"id": first["plan_id"]})
    assert of_first == 1  # as many as there ever were
    young = (clocked.now - timedelta(days=180)).isoformat()
    old = await db.all("SELECT plan_id FROM event_log WHERE timestamp < :young", {"young": young})
    assert {row[0] for row in old} == {first["plan_id"]}
    assert max(sizes.values()) <= sizes[13] + 20  # no more than after half a year
    day = START.date().isoformat()
    assert (await step_counts.history(db, StepScope(plans[0]))).days == [counts_of(day, added=2, finished=2)]
    assert await db.value("SELECT count(*) FROM event_log WHERE plan_id = :id", {"id": plans[0]}) == 0


async def test_steps_that_are_added_finished_and_opened_again_stay_counted_when_their_events_go(
    clocked: ClockedStore, home: str
) -> None:
    db, here = await clocked.open(), {"agent": "tester"}
    plan_id = (await plan_of(clocked, home, "A plan"))["plan_id"]
    await work_off(clocked, plan_id)
    clocked.later(1)
    await clocked.call("memory_steps", "update", plan_id=plan_id, step_index=0, status="pending", **here)
    await clocked.call("memory_steps", "add", plan_id=plan_id, steps=[{"task": "c"}, {"task": "d"}], **here)
    for index in (0, 2, 3):
        await clocked.call("memory_steps", "update", plan_id=plan_id, step_index=index, status="done", **here)
    before = await step_counts.history(db, StepScope(plan_id))
    second = (START + timedelta(days=1)).date().isoformat()
    assert before.days == [
        counts_of(START.date().isoformat(), added=2, finished=2),
        counts_of(second, added=2, finished=3, reopened=1),
    ]

    await clocked.call("memory_plan", "update", plan_id=plan_id, status="completed", **here)
    clocked.later(200)
    await plan_of(clocked, home, "A newer one")
    assert (await clocked.trim())["event_log"] > 5

    assert await step_counts.history(db, StepScope(plan_id)) == before
    assert await clocked.trim() == {}
    assert await step_counts.history(db, StepScope(plan_id)) == before


async def test_who_follows_from_before_what_went_is_told_to_begin_anew(clocked: ClockedStore, home: str) -> None:
    plan_id = (await plan_of(clocked, home, "A plan"))["plan_id"]
    early = (await clocked.call("memory_workspace", "events", workspace_id=home, limit=1))["events"][0]["event_id"]
    await work_off(clocked, plan_id)
    clocked.later(200)
    await plan_of(clocked, home, "A newer one")
    assert (await clocked.trim())["event_log"]

    told = await clocked.call("memory_workspace", "events", workspace_id=home, since_id=early, wait_seconds=20)
    assert told["reset"]
    again = await clocked.call("memory_workspace", "events", workspace_id=home, since_id=told["latest_id"])
    assert "reset" not in again
    assert "reset" not in await clocked.call("memory_workspace", "events", workspace_id=home)


async def test_a_mirror_is_like_the_database_after_a_trim_however_far_behind_it_was(
    clocked: ClockedStore, home: str, tmp_path: Path
) -> None:
    db, here = await clocked.open(), {"workspace_id": home, "agent": "tester"}
    mirror = Folder(tmp_path / "mirror")
    sent = await clocked.call("memory_session", "send_message", to_agent="other", content="x", **here)
    await clocked.call(
        "memory_session", "acknowledge", message_ids=[sent["message_id"]], workspace_id=home, agent="other"
    )
    await clocked.call("memory_context", "remember", key="soon", value="1", scope="global", ttl_seconds=DAY, **here)
    plan_id = (await plan_of(clocked, home, "A plan"))["plan_id"]
    reached = await mirroring.follow(db, mirror, None, lambda: False)
    for days, is_behind in ((100, False), (300, True)):
        await work_off(clocked, plan_id)
        clocked.later(days)
        await plan_of(clocked, home, f"After {days}")
        if not is_behind:
            reached = await mirroring.follow(db, mirror, reached, lambda: False)
        assert await clocked.trim()
        reached = await mirroring.follow(db, mirror, None, lambda: False)
        assert [line async for line in mirroring.compare(db, mirror)] == []
    moment = await event_feed.moment(db)
    assert moment.trimmed > 0


async def test_what_came_with_an_import_stays_as_long_as_if_it_had_been_written_then(
    clocked: ClockedStore, home: str, tmp_path: Path
) -> None:
    here = {"workspace_id": home, "agent": "tester"}
    await work_off(clocked, (await plan_of(clocked, home, "A plan"))["plan_id"])
    await clocked.call("memory_context", "remember", key="a", value="1", scope="workspace", **here)
    await clocked.call("memory_context", "forget", confirm=True, key="a", scope="workspace", **here)
    sent = await clocked.call("memory_session", "send_message", to_agent="other", content="x", **here)
    await clocked.call(
        "memory_session", "acknowledge", message_ids=[sent["message_id"]], workspace_id=home, agent="other"
    )
    async with exports.snapshot(await clocked.open()) as reader:
        await folder.write(tmp_path / "out", documents.store(reader), format="json")
    other = ClockedStore(Settings(data_root=tmp_path / "other", synchronous="off"))
    other.now = START + timedelta(days=1000)
    db = await other.open()
    await import_path(db, tmp_path / "out", Options())
    events, updates = await ids(db, "event_log", "event_id"), await ids(db, "update_log", "log_id")
    own = [row[0] for row in await db.all("SELECT event_id FROM event_log WHERE data ->> 'layout' = 'documents'")]

    other.later(1)
    assert not (await other.trim()).keys() & {"trash", "messages", "event_log", "update_log"}
    other.later(40)
    assert "trash" in await other.trim()
    other.later(60)
    assert "messages" in await other.trim()
    other.later(2000)
    await other.call("memory_plan", "list", workspace_id=home)
    await other.trim()
    assert events - {*own} <= await ids(db, "event_log", "event_id")
    assert len(updates - await ids(db, "update_log", "log_id")) <= len(own)
    await other.close()


async def test_a_setting_says_how_long_and_never_means_never(clocked: ClockedStore, home: str) -> None:
    db = await clocked.open()
    await clocked.call(
        "memory_context", "remember", key="a", value="1", scope="workspace", workspace_id=home, agent="t"
    )
    async with db.transaction() as tx:
        await shared_settings.put(tx, "retention.trash", "90d", Word("terminal"))
        await shared_settings.put(tx, "retention.event_log", "never", Word("terminal"))
    await clocked.call(
        "memory_context", "forget", confirm=True, key="a", scope="workspace", workspace_id=home, agent="t"
    )

    clocked.later(89)
    assert "trash" not in await clocked.trim()
    [entry] = (await clocked.call("memory_workspace", "trash", workspace_id=home))["trash"]
    clocked.later(2)
    assert (await trimming.preview(db)).keys() == {"trash"}
    assert (await clocked.trim())["trash"] == 1
    clocked.later(5000)
    assert "event_log" not in await clocked.trim()
    assert entry["expires_at"].startswith("2030-04-01")


def log_of_old(root: Path, rows: int) -> None:
    """Fill the log with what happened long ago to nothing that is there."""
    db = sqlite3.connect(root / DATABASE_NAME)
    with db:
        db.executemany(
            """INSERT INTO event_log (timestamp, workspace_id, plan_id, type, entity_type, entity_id, data)
            VALUES (?, 'ws_old', 'plan_gone', 'step_updated', 'step', 's', '{"from":"active","to":"done"}')""",
            [(f"2020-01-{1 + number % 28:02}T00:00:00.000Z",) for number in range(rows)],
        )
    db.close()


async def test_agents_work_while_much_goes_and_a_follower_misses_nothing_of_theirs(
    settings: Settings, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_of_old(settings.data_root, 8_000)
    trimmer, worker = await open_store(settings), Store(settings)
    most: list[int] = []
    remove = outlived.remove

    async def counted(*args: Any) -> int:
        most.append(await remove(*args))
        return most[-1]

    monkeypatch.setattr(outlived, "remove", counted)
    home = (await call(worker, "memory_workspace", "register", workspace_path=str(project)))["workspace_id"]
    seen: list[int] = []

    async def work() -> None:
        for number in range(30):
            key = {"key": f"fact {number}", "value": str(number), "scope": "workspace"}
            await call(worker, "memory_context", "remember", workspace_id=home, agent="a", **key)

    async def follow() -> None:
        since = 0
        while len(seen) < 30:
            found = await call(
                worker, "memory_workspace", "events", workspace_id=home, since_id=since,
                types=["memory_remembered"], wait_seconds=5, limit=200,
            )  # fmt: skip
            assert "reset" not in found
            seen.extend(event["event_id"] for event in found["events"])
            since = seen[-1] if seen else since

    done, *_ = await asyncio.gather(trimming.trim(trimmer, settings), work(), follow())

    assert done.rows["event_log"] == 7_999  # the newest of a workspace stays
    assert max(most) == 1000
    assert seen == sorted(set(seen))
    db = await worker.open()
    assert await db.value("SELECT count(*) FROM memory_entries") == 30
    await worker.close()
    await trimmer.close()


async def call(store: Store, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
    return json.loads(await calls.run(store, TOOLS, tool, {"action": action, **arguments}))


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from server.db.upkeep import outlived
from server.settings import Settings
from server.store import open_store
from server.upkeep import trimming

remove, count = outlived._remove_entries, 0

async def dying(*args):
    global count
    count += 1
    rows = await remove(*args)
    if count == 3:
        await args[0].settle()
        os.kill(os.getpid(), signal.SIGKILL)
    return rows

async def main():
    settings = Settings(data_root=Path(sys.argv[1]), synchronous="off")
    db = await open_store(settings)
    outlived._remove_entries = dying
    await trimming.trim(db, settings)

asyncio.run(main())
"""


async def test_a_trim_that_is_killed_has_done_whole_transactions_and_the_next_one_goes_on(settings: Settings) -> None:
    log_of_old(settings.data_root, 5_000)
    words = [sys.executable, "-c", KILLED, str(settings.data_root)]
    done = await asyncio.to_thread(subprocess.run, words, check=False, timeout=60, cwd=ROOT, env=dict(os.environ))
    assert done.returncode < 0

    db = await open_store(settings)
    left = await db.value("SELECT count(*) FROM event_log WHERE workspace_id = 'ws_old'")
    assert left == 3_000
    assert [row[0] for row in await db.all("PRAGMA integrity_check")] == ["ok"]
    await trimming.trim(db, settings)
    assert await db.value("SELECT count(*) FROM event_log WHERE workspace_id = 'ws_old'") == 1  # the newest stays
    await db.close()


async def test_words_that_no_document_holds_are_forgotten(clocked: ClockedStore, home: str) -> None:
    db, here = await clocked.open(), {"workspace_id": home, "agent": "t", "scope": "workspace"}
    await clocked.call("memory_context", "remember", key="a", value="zyzzogeton quixotically", **here)
    await clocked.call("memory_context", "remember", key="b", value="quixotically", **here)
    await clocked.trim()
    assert {"zyzzogeton", "quixotically"} <= await ids(db, "search_words", "word")
    await clocked.call("memory_context", "forget", confirm=True, key="a", **here)

    assert (await clocked.trim())["search_words"] >= 1
    words = await ids(db, "search_words", "word")
    assert "zyzzogeton" not in words
    assert "quixotically" in words


async def test_one_process_of_many_trims_and_not_twice_a_day(
    clocked: ClockedStore, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "CALM_SECONDS", 0.01)
    db = await clocked.open()
    assert await trimming.is_due(db)
    await job.once(clocked)
    assert not await trimming.is_due(db)
    assert await trimming.trim_in_turn(db, clocked.settings) is None
    clocked.later(1.1)
    assert await trimming.is_due(db)


async def test_the_figures_say_what_goes_when(clocked: ClockedStore, home: str) -> None:
    stats = await clocked.call("memory_workspace", "stats")

    assert stats["retention"]["trash"]["kept_for"] == "30d"
    assert stats["retention"]["event_log"]["goes_from"].startswith("2030-06-30")


async def test_a_cached_value_is_gone_when_it_expires_and_is_trimmed_later(clocked: ClockedStore, home: str) -> None:
    db = await clocked.open()
    here = {"workspace_id": home}

    async def set_(key: str, **more: Any) -> str:
        told = await clocked.call("memory_ledger", "cache_set", key=key, payload={"of": key}, **more, **here)
        return told.get("expires_at", "")

    async def hits() -> dict[str, bool]:
        keys = ("brief", "renewed", "kept")
        return {key: (await clocked.call("memory_ledger", "cache_get", key=key, **here))["hit"] for key in keys}

    first = await set_("renewed", ttl_seconds=DAY)
    await set_("brief", ttl_seconds=DAY)
    await set_("kept")
    clocked.later(0.5)
    assert await set_("renewed", ttl_seconds=DAY) == first.replace("2030-01-02T00", "2030-01-02T12")
    assert await hits() == {"brief": True, "renewed": True, "kept": True}
    clocked.later(0.5)
    assert await hits() == {"brief": False, "renewed": True, "kept": True}
    clocked.later(0.5)
    assert await hits() == {"brief": False, "renewed": False, "kept": True}
    assert await db.value("SELECT count(*) FROM cache_entries") == 3
    clocked.later(30)

    assert (await clocked.trim())["cache_entries"] == 2
    assert await ids(db, "cache_entries", "key") == {"kept"}
    assert await hits() == {"brief": False, "renewed": False, "kept": True}
