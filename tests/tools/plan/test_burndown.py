"""memory_plan burndown: what became of steps by day and week, and when the last may be done."""

import asyncio
import json
import random
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from server.calls import run
from server.db.gates import gates
from server.db.plans import step_counts
from server.db.plans.step_counts import COUNTS, StepHistory
from server.db.storage.connection import Database
from server.db.storage.migrations import migrate
from server.db.storage.opening import open_database
from server.errors import ProjectMemoryError
from server.exporters import documents, folder
from server.importers.run import Options, import_path
from server.settings import ASSETS, Settings
from server.store import Store
from server.tools import TOOLS
from server.tools.rules import forecasts

MONDAY = datetime(2030, 1, 7, 9, tzinfo=UTC)
CLOSED = ("done", "cancelled")


class Calendar(Store):
    """A store whose day a test sets."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Settings(data_root=folder / "data", synchronous="off"))
        self.folder = folder
        self.now = MONDAY
        self.home = ""

    async def open(self) -> Database:
        if self._db is None:
            self._db = await open_database(self.settings.database, synchronous="off", clock=lambda: self.now)
            await migrate(self._db, ASSETS / "migrations")
            await gates.watch(self._db)
        return self._db

    async def begin(self) -> None:
        (self.folder / "project").mkdir()
        found = await self.call("memory_workspace", "register", workspace_path=str(self.folder / "project"))
        self.home = found["workspace_id"]

    async def call(self, tool: str, action: str, /, **arguments: Any) -> dict[str, Any]:
        sent = {"action": action, **({"workspace_id": self.home} if self.home else {}), **arguments}
        return json.loads(await run(self, TOOLS, tool, sent, whole=True))

    async def plan(self, *statuses: str) -> str:
        steps = [{"task": f"step {at}", "status": status} for at, status in enumerate(statuses)]
        made = await self.call("memory_plan", "create", title="P", category="quick_task", steps=steps)
        return made["plan_id"]

    async def set(self, plan_id: str, index: int, status: str) -> None:
        await self.call("memory_steps", "update", plan_id=plan_id, step_index=index, status=status)

    async def burndown(self, plan_id: str, **more: Any) -> dict[str, Any]:
        return await self.call("memory_plan", "burndown", plan_id=plan_id, **more)


@pytest_asyncio.fixture
async def calendar(tmp_path: Path) -> AsyncGenerator[Calendar]:
    made = Calendar(tmp_path)
    await made.begin()
    yield made
    await made.close()


def on(days: int) -> str:
    return (MONDAY + timedelta(days=days)).date().isoformat()


def counts(**some: int) -> dict[str, int]:
    return {**dict.fromkeys(COUNTS, 0), **some}


async def test_each_day_says_what_came_and_went_and_each_week_how_much_was_done(calendar: Calendar) -> None:
    plan_id = await calendar.plan("pending", "pending", "pending", "done")
    calendar.now += timedelta(days=1)
    await calendar.set(plan_id, 0, "done")
    await calendar.set(plan_id, 1, "cancelled")
    calendar.now += timedelta(days=8)
    await calendar.set(plan_id, 0, "pending")
    await calendar.call("memory_steps", "add", plan_id=plan_id, steps=[{"task": "late"}, {"task": "later"}])
    await calendar.call("memory_steps", "delete", plan_id=plan_id, step_index=5, confirm=True)

    found = await calendar.burndown(plan_id)

    assert (found["open"], found["before"]) == (3, 0)
    assert found["days"] == [
        {"day": on(9), "open": 3, **counts(added=2, dropped=1, reopened=1)},
        {"day": on(1), "open": 1, **counts(finished=1, dropped=1)},
        {"day": on(0), "open": 3, **counts(added=3)},
    ]
    assert found["weeks"] == [
        {"week": on(7), "open": 3, **counts(added=2, dropped=1, reopened=1)},
        {"week": on(0), "open": 1, **counts(added=3, dropped=1, finished=1)},
    ]
    assert len((await calendar.burndown(plan_id, weeks=1))["days"]) == 1
    assert found["forecast"]["unknown"].startswith("not enough data")


async def test_a_week_without_any_change_is_told_too(calendar: Calendar) -> None:
    plan_id = await calendar.plan("pending", "pending")
    calendar.now += timedelta(days=21)
    await calendar.set(plan_id, 0, "done")

    weeks = (await calendar.burndown(plan_id))["weeks"]

    assert [(week["week"], week["open"], week["finished"]) for week in weeks] == [
        (on(21), 1, 1), (on(14), 2, 0), (on(7), 2, 0), (on(0), 2, 0),
    ]  # fmt: skip


async def test_the_expected_end_is_a_range_and_the_same_for_who_asks_again(calendar: Calendar) -> None:
    plan_id = await calendar.plan(*["pending"] * 40)
    for day in range(20):
        if day % 2:
            await calendar.set(plan_id, day, "done")
        calendar.now += timedelta(days=1)

    found = (await calendar.burndown(plan_id))["forecast"]

    assert (found["finished_a_week"], found["from_days"]) == (3.5, 20)
    assert on(20 + 30) <= found["early"] < found["likely"] < found["late"] <= on(20 + 100)
    assert abs((date.fromisoformat(found["likely"]) - date.fromisoformat(on(20 + 60))).days) <= 6
    assert (await calendar.burndown(plan_id))["forecast"] == found


async def test_a_plan_that_is_done_or_stands_still_has_no_expected_end(calendar: Calendar) -> None:
    done = await calendar.plan("done")
    still = await calendar.plan("pending")
    calendar.now += timedelta(days=60)

    assert (await calendar.burndown(done))["forecast"] == {"unknown": "no step is open"}
    assert (await calendar.burndown(still))["forecast"]["unknown"].endswith("there are 0 in 28")


def test_work_that_would_take_years_is_not_simulated() -> None:
    days = [{"day": on(0), **counts(added=9_000)}, {"day": on(1), **counts(finished=6)}]

    found = forecasts.burndown(StepHistory(days, 8_994), date.fromisoformat(on(20)), weeks=4, seed="p").forecast

    assert found == {"finished_a_week": 2.1, "from_days": 20, "unknown": "more than 366 days at this pace"}


async def test_a_program_and_a_workspace_add_their_plans_up_and_leave_out_what_is_put_away(calendar: Calendar) -> None:
    one, other = await calendar.plan("pending", "pending"), await calendar.plan("pending", "done", "pending")
    await calendar.plan("pending")
    program = (await calendar.call("memory_program", "create", title="Both"))["program_id"]
    for plan_id in (one, other):
        await calendar.call("memory_program", "add_plan", program_id=program, plan_id=plan_id)
    calendar.now += timedelta(days=1)
    await calendar.set(one, 0, "done")
    await calendar.call("memory_plan", "archive", plan_id=other)

    both = await calendar.call("memory_plan", "burndown", program_id=program)
    everything = await calendar.call("memory_plan", "burndown")

    assert both["program_id"] == program
    assert both["days"] == [
        {"day": on(1), "open": 1, **counts(finished=1, dropped=2)}, {"day": on(0), "open": 4, **counts(added=4)}
    ]  # fmt: skip
    assert (everything["open"], everything["before"], everything["days"][0]["open"]) == (2, 0, 2)
    assert "program_id" not in everything


async def test_steps_that_were_there_before_anything_was_counted_are_told_as_such(calendar: Calendar) -> None:
    plan_id = await calendar.plan("pending", "pending", "pending")
    async with (await calendar.open()).transaction() as tx:
        await tx.run("DELETE FROM step_counts")  # as after an import of files that know no days
    calendar.now += timedelta(days=2)
    await calendar.set(plan_id, 0, "done")

    found = await calendar.burndown(plan_id)

    assert (found["before"], found["open"]) == (3, 2)
    assert [day["open"] for day in found["days"]] == [2]


async def test_what_was_counted_goes_with_an_export_and_comes_with_an_import(
    calendar: Calendar, tmp_path: Path
) -> None:
    plan_id = await calendar.plan("pending", "pending")
    calendar.now += timedelta(days=1)
    await calendar.set(plan_id, 0, "done")
    expected = await calendar.burndown(plan_id)
    await folder.write(tmp_path / "out", documents.store(await calendar.open()), format="json")
    (tmp_path / "there").mkdir()
    there = Calendar(tmp_path / "there")
    there.now = calendar.now

    await import_path(await there.open(), tmp_path / "out", Options())
    found = await there.burndown(plan_id)
    await import_path(await there.open(), tmp_path / "out", Options())

    assert await there.burndown(plan_id) == found == expected
    await there.close()


async def test_a_plan_that_goes_to_the_trash_takes_its_days_along_and_brings_them_back(calendar: Calendar) -> None:
    plan_id = await calendar.plan("pending", "pending")
    expected = await calendar.burndown(plan_id)
    gone = await calendar.call("memory_plan", "delete", plan_id=plan_id, confirm=True)
    assert await (await calendar.open()).value("SELECT count(*) FROM step_counts") == 0

    await calendar.call("memory_workspace", "restore", trash_id=gone["trash_id"])

    assert await calendar.burndown(plan_id) == expected


# Whatever is done to steps


def plain(events: list[Mapping[str, Any]]) -> Counter[tuple[str, str, str]]:
    """The same numbers from the log alone, told in another way than the server counts."""
    found = Counter[tuple[str, str, str]]()
    for event in events:
        data, place = json.loads(event["data"]), (event["plan_id"], event["timestamp"][:10])
        found[*place, "added"] += data.get("opened", 0)
        found[*place, "dropped"] += data.get("dropped", 0)
        if event["type"] == "step_updated" and "to" in data:
            before, after = data["from"], data["to"]
            found[*place, "finished"] += before not in CLOSED and after == "done"
            found[*place, "dropped"] += before not in CLOSED and after == "cancelled"
            found[*place, "reopened"] += before in CLOSED and after not in CLOSED
    return +found


async def anything(calendar: Calendar, plans: list[str], dice: random.Random) -> None:
    """Do something to the steps of one of the plans."""
    plan_id, index = dice.choice(plans), dice.randrange(4)
    here: dict[str, Any] = {"plan_id": plan_id}
    one = {**here, "step_index": index}
    status = dice.choice(("pending", "done", "blocked", "failed", "cancelled", "done"))
    trash = await (await calendar.open()).all("SELECT trash_id FROM trash WHERE entity_type <> 'plan'")
    phase = dice.choice("AB")
    kinds: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("memory_steps", "update", {**one, "status": status}),
        ("memory_steps", "update", {**one, "status": status}),
        ("memory_steps", "add", {**here, "steps": [{"task": "x", "status": status, "phase": phase}]}),
        ("memory_steps", "insert", {**here, "at_index": 0, "step": {"task": "y", "phase": phase}}),
        ("memory_steps", "delete", {**one, "confirm": True, "force": True}),
        ("memory_steps", "replace",
         {**here, "replacement_steps": [{"task": "x"}, {"task": str(dice.random())}], "confirm": True, "force": True}),
        ("memory_plan", "consolidate",
         {**here, "step_indices": [index, index + 1], "consolidated_task": "z", "confirm": True, "force": True}),
        ("memory_plan", "delete_phase", {**here, "phase": phase, "confirm": True, "force": True}),
        ("memory_plan", "merge_plans", {"target_plan_id": plan_id, "source_plan_ids": [dice.choice(plans)]}),
        ("memory_plan", "clone_plan", {**here, "reset_steps": dice.random() < 0.5}),
        ("memory_agent", "init", {"agent": "ada", **here}),
        ("memory_steps", "claim", {**one, "agent": "ada"}),
        ("memory_agent", "complete", {"agent": "ada", "summary": "done"}),
        ("memory_plan", "update", {**here, "status": "completed", "force": True}),
        ("memory_plan", "archive", {**here, "force": True}),
        ("memory_plan", "unarchive", here),
        ("memory_workspace", "restore", {"trash_id": trash[0][0] if trash else "none"}),
    )  # fmt: skip
    tool, action, sent = dice.choice(kinds)
    assert action in TOOLS[tool].actions, (tool, action)
    with suppress(ProjectMemoryError):
        found = await calendar.call(tool, action, **sent)
        if action == "clone_plan":
            plans.append(found["plan_id"])


async def played(folder: Path, seed: int) -> None:
    calendar = Calendar(folder)
    await calendar.begin()
    dice = random.Random(seed)
    plans = [await calendar.plan("pending", "done", "blocked"), await calendar.plan("pending", "cancelled")]
    for _ in range(40):
        await anything(calendar, plans, dice)
        calendar.now += timedelta(hours=dice.randrange(30))
    db = await calendar.open()
    stored = await db.all("SELECT * FROM step_counts")
    open_now = {row[0]: row[1] for row in await db.all("SELECT plan_id, open_steps FROM plans")}
    open_now |= {row[0]: row[1] for row in await db.all("SELECT plan_id, open_steps FROM plans_archive")}
    net = Counter[str]()
    for row in stored:
        net[row["plan_id"]] += row["added"] + row["reopened"] - row["finished"] - row["dropped"]
    events = await db.all("SELECT * FROM event_log WHERE plan_id IS NOT NULL")
    told = {(row["plan_id"], row["day"], name): row[name] for row in stored for name in COUNTS if row[name]}
    await calendar.close()

    assert told == dict(plain([dict(event) for event in events]))
    assert {plan_id: net[plan_id] for plan_id in open_now} == open_now


@settings(max_examples=12)
@given(st.integers(0, 10**6))
def test_whatever_is_done_the_days_add_up_to_what_is_open_and_to_what_the_log_says(seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(played(Path(name), seed))


def test_an_event_that_does_nothing_to_the_number_of_open_steps_counts_nothing() -> None:
    assert step_counts.of_event("step_updated", {"from": "done", "to": "cancelled"}) == {}
    assert step_counts.of_event("step_updated", {"changed": ["notes"]}) == {}
