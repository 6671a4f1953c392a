"""Whatever agents write, in whatever order: what is counted stays true, and who waits is told when it is free."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from server.calls import answer
from server.db.storage.connection import Database
from server.db.upkeep import consistency
from server.errors import ProjectMemoryError
from server.registry import Action, Param
from server.settings import DATABASE_NAME, Settings
from server.store import Store
from server.tools import TOOLS
from tests.populated_store import PopulatedStore
from tests.thoroughness import often

TOOLS_USED = ("memory_steps", "memory_plan", "memory_program", "memory_agent", "memory_ledger", "memory_workspace")
ELSEWHERE = {"merge", "migrate", "register", "export_pending", "generate_focused_workspace"}  # about folders
WRITES = [
    action
    for name in TOOLS_USED
    for action in TOOLS[name].actions.values()
    if not action.read_only and action.name not in ELSEWHERE
]
CALLS = often(3_000, usual=1_000)
LIKELY = {"workspace_id": 1.0, "confirm": 0.8, "force": 0.5, "step_id": 0.7, "plan_id": 0.7, "dry_run": 0.5}
NEVER = {"workspace_path", "session_id", "request_id", "expected_version", "claim_token", "cursor"}
AGENTS, NAMES = ("ada", "bob"), ("One", "Two", "Three")
WAITING = """
    SELECT DISTINCT source_type, source_id FROM dependencies WHERE dep_type = 'blocks' AND dep_status = 'pending'
"""
PLANS = """
    SELECT plan_id FROM steps WHERE :type = 'step' AND step_id = :id
    UNION SELECT plan_id FROM phases WHERE :type = 'phase' AND phase_id = :id
    UNION SELECT plan_id FROM plans WHERE (:type = 'plan' AND plan_id = :id) OR (:type = 'program' AND program_id = :id)
"""
Ids = dict[str, list[str]]


def harvest(ids: Ids, found: object, name: str = "") -> None:
    """Remember the ids that an answer tells."""
    if isinstance(found, dict):
        for key, value in found.items():
            harvest(ids, value, str(key))
    elif isinstance(found, list):
        for value in found:
            harvest(ids, value, name)
    elif isinstance(found, str) and name.removesuffix("s").endswith("_id"):
        ids.setdefault(name.removesuffix("s"), [])
        if found not in ids[name.removesuffix("s")]:
            ids[name.removesuffix("s")].append(found)


def value(draw: random.Random, ids: Ids, param: Param, example: Any) -> Any:
    name, schema = param.name, param.schema
    known = name if name in ids else next((one for one in ("plan_id", "program_id", "workspace_id") if one in name), "")
    if name in ("depends_on_plans", "source_plan_ids", "plan_ids"):
        found = draw.sample(ids["plan_id"], draw.randint(1, 2))
    elif name == "depends_on":
        found = draw.sample(ids["step_id"], draw.randint(0, 3))
    elif name.endswith("_id") and known in ids:
        found = draw.choice(ids[known][-20:])
    elif "agent" in name or name == "assignee":
        found = draw.choice(AGENTS)
    elif "phase" in name and schema["type"] == "string":
        found = draw.choice(NAMES)
    elif "enum" in schema:
        found = draw.choice(schema["enum"])
    elif schema["type"] == "boolean":
        found = draw.random() < LIKELY.get(name, 0.5)
    else:
        found = draw.randint(0, 5) if "index" in name and schema["type"] == "integer" else example
    return found


def arguments(draw: random.Random, ids: Ids, world: PopulatedStore, action: Action) -> dict[str, Any]:
    """Return a call of an action: what it needs and some of what it takes."""
    plausible = world.plausible(action)
    wanted = {"agent"} | {n for n in action.params if n in action.required or n in plausible or n in LIKELY}
    given = {"action": action.name}
    for name, param in action.params.items():
        is_given = name in action.required or (name in wanted and draw.random() < LIKELY.get(name, 0.8))
        drawn = value(draw, ids, param, plausible.get(name)) if is_given and name not in NEVER else None
        given |= {name: drawn} if drawn is not None else {}
    if "step_id" in given:  # it says which plan is meant, and which step
        given = {name: one for name, one in given.items() if name not in ("plan_id", "step_index", "from_index")}
    if any(name.endswith("_id") and name != "workspace_id" for name in given):
        given.pop("workspace_id", None)
    return given


def untold(db: sqlite3.Connection, before: set[Any], now: set[Any], last: int) -> Iterator[str]:
    """Yield what begins or ends to wait in a plan that no event since tells of."""
    told = {row[0] for row in db.execute("SELECT plan_id FROM event_log WHERE event_id > ?", (last,))}
    for kind, node in before ^ now:
        plans = {row[0] for row in db.execute(PLANS, {"type": kind, "id": node})}
        yield from (f"{kind} {node} of {plan}" for plan in plans - told)


async def faults(db: Database) -> list[str]:
    found = [f"{name}: {one}" for name in consistency.RULES for one in await consistency.strays(db, name)]
    found += [f"open steps: {one}" for one in await consistency.miscounted_plans(db)]
    return [*found, *(f"circle: {one}" for one in await consistency.circles(db))]


async def test_whatever_is_written_the_store_agrees_with_itself(copy: PopulatedStore) -> None:
    seed = random.randrange(2**32)
    draw, written, refused = random.Random(seed), 0, set[str]()
    store = Store(Settings(data_root=copy.data_root, synchronous="off"))
    ids: Ids = {}
    harvest(ids, copy.arguments)
    with closing(sqlite3.connect(copy.data_root / DATABASE_NAME)) as db:
        for table, key in (("plans", "plan_id"), ("steps", "step_id"), ("phases", "phase_id")):
            ids[key] = [row[0] for row in db.execute(f"SELECT {key} FROM {table}")]
        for number in range(CALLS):
            action = draw.choice(WRITES)
            call = arguments(draw, ids, copy, action)
            before = set(db.execute(WAITING).fetchall())
            [last] = db.execute("SELECT max(event_id) FROM event_log").fetchone()
            try:
                harvest(ids, await answer(store, action.tool, call))
                written += 1
            except ProjectMemoryError as error:
                refused.add(error.code)
            now = set(db.execute(WAITING).fetchall())
            assert [*untold(db, before, now, last), *await faults(await store.open())] == [], (seed, number, call)
    await store.close()
    assert written > CALLS / 5
    assert refused.isdisjoint({"internal", "storage", "busy"})
