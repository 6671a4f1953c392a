"""Stores to measure on, of a stated shape; part of `bench.py`.

They are written by the data-access layer, a workspace a transaction, with texts cut out of the content that ships, so
that words are as common in them as they are in prose.
"""

import random
import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import bench_ledger
import search_set

from server.db.audit import events
from server.db.context import context_items, knowledge, memories
from server.db.dependencies import dependencies
from server.db.plans import phases, plan_archive, plan_notes, plans
from server.db.programs import memberships, programs, risks
from server.db.search import index_upkeep
from server.db.sessions import lineage, messages, sessions
from server.db.steps import claims, file_edits, steps
from server.db.storage.connection import Database, Transaction
from server.db.workspaces import workspaces as workspaces_
from server.models.base import encode, new_id
from server.models.events import Event
from server.models.messages import NewMessage
from server.models.plans import NewPhase, Plan, Priority
from server.models.steps import NewStep, StepRow
from server.settings import ASSETS, Settings
from server.store import Store

PHASES, STEPS = 5, 20  # of a plan, and of a phase
CONTEXT, NOTES, SESSIONS = 5, 3, 3  # of a plan
KNOWLEDGE = 5  # entries of a workspace, and as many facts
EDITED = 4  # one done step in so many touched a file
ARCHIVED = 5  # one plan in so many
IN_PROGRAM = 4  # of the plans of a transaction
AT_ONCE = 20  # plans in a transaction
LEASE_SECONDS = 86_400
SEED = 20
QUERIES = search_set.FOLDER / "queries.toml"
PRIORITIES: tuple[Priority, ...] = ("low", "medium", "medium", "high", "critical")
T = TypeVar("T")
AGENTS = ("executor", "reviewer", "tester", "architect")


@dataclass(frozen=True)
class Shape:
    """So many workspaces of so many plans each, and one more with `crowd` plans."""

    workspaces: int
    plans: int
    crowd: int = 0

    @property
    def steps(self) -> int:
        return (self.workspaces * self.plans + self.crowd) * PHASES * STEPS


SMALL = Shape(50, 10)
LARGE = Shape(1000, 10, crowd=2000)


class Prose:
    """Sentences for plans, steps and notes, out of what ships and of the relevance set; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        rooms = [ASSETS / name for name in ("agents", "instructions", "skills")]
        files = [path for room in rooms for path in sorted(room.rglob("*.md"))]
        told = [path.read_text(encoding="utf-8") for path in files]
        told += [
            path.read_text(encoding="utf-8") for path in sorted(search_set.FOLDER.glob("*.toml")) if path != QUERIES
        ]
        self._words = re.findall(r"[\w'/.-]+", " ".join(told))
        self._random = random.Random(seed)

    def commonest(self, number: int) -> list[str]:
        """Return the words that occur most often."""
        return [word for word, _ in Counter(filter(str.isalpha, self._words)).most_common(number)]

    def words(self, least: int, most: int) -> str:
        count = self._random.randint(least, most)
        start = self._random.randrange(len(self._words) - count)
        return " ".join(self._words[start : start + count])

    def number(self, below: int) -> int:
        return self._random.randrange(below)

    def one(self, among: Sequence[T]) -> T:
        return self._random.choice(among)


def queries() -> list[str]:
    """Return what the relevance set asks."""
    asked: dict[str, dict[str, list[str]]] = tomllib.loads(QUERIES.read_text(encoding="utf-8"))
    return [query for of_project in asked.values() for query in of_project]


async def build(root: Path, shape: Shape) -> None:
    """Make the store in `root`. Commits need not survive a power failure here, so they are not waited for."""
    store = Store(Settings(data_root=root, synchronous="normal"))
    try:
        db = await store.open()
        prose = Prose(SEED)
        for number, count in enumerate([shape.plans] * shape.workspaces + [shape.crowd] * bool(shape.crowd)):
            await _workspace(db, prose, str(root / f"project-{number}"), count)
        await index_upkeep.merge(db)  # as a server does when it is idle
    finally:
        await store.close()


async def _workspace(db: Database, prose: Prose, path: str, count: int) -> None:
    async with db.transaction() as tx:
        workspace_id = (await workspaces_.insert(tx, path=path, name=Path(path).name)).workspace_id
        event = Event("workspace_registered", "workspace", workspace_id, workspace_id, summary=f"Registered {path}")
        events.record(tx, event)
        await _store(tx, prose, ("workspace", workspace_id), workspace_id, CONTEXT)
        await _know(tx, prose, workspace_id)
        await events.flush(tx)
    made: list[str] = []
    for start in range(0, count, AT_ONCE):
        async with db.transaction() as tx:
            tx.workspace_id = workspace_id
            for _ in range(start, min(start + AT_ONCE, count)):
                made.append(await _plan(tx, prose, workspace_id, made[-1:] if len(made) % 4 == 3 else []))
            for plan_id in made[start::ARCHIVED]:
                await plan_archive.archive(tx, plan_id)
            await _program(tx, prose, workspace_id, made[start : start + IN_PROGRAM])
            await events.flush(tx)


async def _program(tx: Transaction, prose: Prose, workspace_id: str, plan_ids: Sequence[str]) -> None:
    """Insert a program of those of the plans that are live; the last of them waits for the first."""
    program = await programs.insert(tx, workspace_id=workspace_id, title=prose.words(4, 10))
    live = [plan_id for plan_id in plan_ids if not (await plans.require(tx, plan_id)).archived_at]
    for plan_id in live:
        await memberships.add(tx, program.program_id, plan_id)
    if live[0] != live[-1]:
        await dependencies.add(tx, [(("plan", live[-1]), ("plan", live[0]))])
    for severity in ("low", "high"):
        await risks.insert(tx, program.program_id, title=prose.words(4, 10), severity=severity)


async def _plan(tx: Transaction, prose: Prose, workspace_id: str, after: Sequence[str]) -> str:
    """Insert one plan with all that hangs on it, as agents at work leave it. It waits for the plans `after`."""
    plan = await plans.insert(
        tx,
        workspace_id=workspace_id,
        title=prose.words(4, 10),
        description=prose.words(20, 60),
        category=prose.one(("feature", "bugfix", "refactor")),
        priority=prose.one(PRIORITIES),
        goals=[prose.words(5, 15)],
        success_criteria=[prose.words(5, 15)],
    )
    summary = f"Plan {plan.title!r} created with {PHASES * STEPS} steps"
    events.record(tx, Event("plan_created", "plan", plan.plan_id, workspace_id, plan.plan_id, summary=summary))
    names = [f"{number + 1}. {prose.words(1, 3)}" for number in range(PHASES)]
    await phases.insert_many(tx, plan.plan_id, [NewPhase(name=name) for name in names])
    done = prose.number(PHASES * STEPS)
    rows = await steps.insert_many(tx, plan.plan_id, _steps(prose, names, done))
    await dependencies.add(tx, [(("plan", plan.plan_id), ("plan", other)) for other in after], "informs")
    for row in rows[:done]:
        data = {"index": row.order_index, "status": "done"}
        events.record(tx, Event("step_updated", "step", row.step_id, plan_id=plan.plan_id, data=data))
    await _work(tx, prose, plan, rows, done)
    return plan.plan_id


def _steps(prose: Prose, names: Sequence[str], done: int) -> list[NewStep]:
    """Return steps of which each but the first of its phase may wait for one before it, and some for another one."""
    new: list[NewStep] = []
    for index in range(PHASES * STEPS):
        waits = {index - 1} if index % STEPS and prose.number(3) else set[int]()
        waits |= {prose.number(index)} if index and not prose.number(4) else set()
        new.append(
            NewStep(
                task=prose.words(6, 16),
                phase=names[index // STEPS],
                status="done" if index < done else "pending",
                notes=prose.words(10, 40) if index < done and not prose.number(3) else None,
                assignee=prose.one(AGENTS) if not prose.number(5) else None,
                depends_on=[*sorted(waits)],
            )
        )
    return new


async def _work(tx: Transaction, prose: Prose, plan: Plan, rows: Sequence[StepRow], done: int) -> None:
    opened = [await _session(tx, prose, plan) for _ in range(SESSIONS)]
    for session_id in opened[1:]:
        await sessions.complete(tx, session_id, prose.words(15, 40), [])
    if done < len(rows):
        await claims.take(tx, rows[done], opened[0], LEASE_SECONDS)
    for row in rows[:done:EDITED]:
        await file_edits.insert(
            tx,
            workspace_id=plan.workspace_id,
            plan_id=plan.plan_id,
            step_id=row.step_id,
            file_path=f"src/{prose.words(1, 1)}.py",
            previous_path=None,
            change_type="edit",
            notes=None,
        )
    await messages.insert(
        tx,
        NewMessage(
            workspace_id=plan.workspace_id,
            plan_id=plan.plan_id,
            thread_id=None,
            to_agent=prose.one(AGENTS),
            priority="medium",
            content=prose.words(9, 30),
        ),
    )
    for number in range(NOTES):
        kind = "instruction" if number == 0 else "info"
        await plan_notes.insert(tx, plan.plan_id, prose.words(10, 40), kind, prose.one(AGENTS) if number else None)
    await bench_ledger.fill(tx, prose, plan)
    await _store(tx, prose, ("plan", plan.plan_id), plan.workspace_id, CONTEXT)
    for row in rows[:: len(rows) // CONTEXT]:
        await _store(tx, prose, ("step", row.step_id), plan.workspace_id, 1)


async def _know(tx: Transaction, prose: Prose, workspace_id: str) -> None:
    where = memories.Where("workspace", workspace_id, workspace_id)
    for number in range(KNOWLEDGE):
        key, value = f"{number}-{prose.words(1, 1)}", encode(prose.words(5, 20))
        await memories.put(tx, where, namespace="default", key=key, value=value, ttl_seconds=None)
        values = {"slug": f"{number}", "title": prose.words(3, 8), "content": prose.words(100, 400)}
        await knowledge.put(tx, None, {"workspace_id": workspace_id, "category": "reference", **values})


async def _session(tx: Transaction, prose: Prose, plan: Plan) -> str:
    """Open a session that somebody handed the plan to."""
    agent, to_agent = prose.one(AGENTS), prose.one(AGENTS)
    session = await sessions.insert(
        tx, workspace_id=plan.workspace_id, agent=agent, plan_id=plan.plan_id, parent_session_id=None
    )
    tx.origin = replace(tx.origin, session_id=session.session_id, agent=agent)
    await lineage.insert(
        tx,
        workspace_id=plan.workspace_id,
        plan_id=plan.plan_id,
        session_id=session.session_id,
        from_agent=agent,
        to_agent=to_agent,
        reason=prose.words(10, 30),
        data=None,
        passed=(),
    )
    return session.session_id


async def _store(tx: Transaction, prose: Prose, parent: tuple[str, str], workspace_id: str, count: int) -> None:
    rows = [
        {
            "item_id": new_id("item"),
            "workspace_id": workspace_id,
            "parent_type": parent[0],
            "parent_id": parent[1],
            "type": f"findings-{number}",
            "data": encode({"text": prose.words(20, 60), "files": [prose.words(1, 1) for _ in range(5)]}),
            "tags": "[]",
            "created_by": prose.one(AGENTS),
            "expires_at": None,
            "created_at": tx.now(),
            "updated_at": tx.now(),
            "version": 1,
        }
        for number in range(count)
    ]
    await context_items.put(tx, rows)
