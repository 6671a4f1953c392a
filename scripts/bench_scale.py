"""Calls in one process on a small store and on one that is twenty times as large; part of `bench.py`.

Every kind of call is made some hundred times, each time about something else, in rounds. Its p99 is that of the best
round, since other work on the machine only ever adds to it. The large store takes some ten minutes to build and some
gigabytes while it is there.
"""

import asyncio
import json
import random
import re
import shutil
import sqlite3
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import bench_ledger
from bench_figures import Figure, sized, timed
from bench_store import AGENTS, LARGE, SEED, SMALL, STEPS, Prose, Shape, build, queries

from server.calls import offered, run
from server.db.gates import gates
from server.db.storage.driver import Connection, Statement
from server.db.storage.name_functions import FUNCTIONS
from server.errors import NotFound
from server.registry import Tool
from server.settings import DATABASE_NAME, Settings
from server.store import Store

ROUNDS = 3
READS, WRITES = 200, 50  # a round
LONGEST_SECONDS = 5  # a round, of calls that are far too slow
SAMPLE = 400  # things to ask about, of each kind
COMMON = 20  # words
WIDE = 200  # the largest page
OPENINGS = 20
SMALL_BAR_MS, LARGE_BAR_MS = 10, 20
OPEN_BAR = 1.2  # no worse, but for what the machine does besides
SHAPES = {"small": SMALL, "large": LARGE}
GROWING = frozenset({
    "plans", "phases", "steps", "plan_notes", "confirmations", "dependencies", "sessions", "lineage", "messages",
    "file_reservations", "checkpoints", "step_file_edits", "context_items", "research_documents", "knowledge",
    "memory_entries", "event_log", "update_log", "trash", "search_documents", "search_words",
    "requests", "programs", "program_plans", "program_workspace_links", "program_risks", "tool_calls", "decisions",
    "quality_gates", "metric_points", "task_progress", "runs", "artifacts", "budgets", "plan_terms", "agents",
    "approvals",
})  # fmt: skip
TABLE = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+(?:AS\s+)?(?!WHERE|JOIN|ON|SET|USING|ORDER|GROUP)(\w+))?")
SCAN = re.compile(r"SCAN (\w+)(?! VIRTUAL)")
# They go along an index as far as a limit allows: the newest ids of a table, and the first rows of each.
WALKS = frozenset({"plan get unknown", "steps get unknown", "workspace stats"})
BULKY = ("plan get full", "steps list 100")  # their statements are timed alone, too
SQL_BAR = 3
Json = dict[str, Any]
Give = Callable[[], Json]


@dataclass
class Things:
    """What there is to ask about: ids drawn by lot, of a workspace of the common size and of the crowded one."""

    rng: random.Random
    workspaces: list[str]
    crowd: str | None
    live: list[str]
    archived: list[str]
    steps: list[str]
    sessions: list[str]
    programs: list[str]
    held: list[tuple[str, str, str]]  # plan, step, and the session that holds it
    fresh: Iterator[int] = field(default_factory=count)

    def workspace(self) -> Json:
        return {"workspace_id": self.rng.choice(self.workspaces)}

    def plan(self) -> Json:
        return {"plan_id": self.rng.choice(self.live)}

    def program(self) -> Json:
        return {"program_id": self.rng.choice(self.programs)}

    def step(self) -> Json:
        return {"step_id": self.rng.choice(self.steps)}


@dataclass(frozen=True)
class Kind:
    """One kind of call. `give` returns the arguments of the next one; a write is made less often."""

    name: str
    tool: str
    action: str
    give: Give
    writes: bool = False
    unknown: bool = False  # it names what is not there
    after: Callable[[Json], tuple[str, Json]] | None = None  # what to do unmeasured with its arguments, to undo it

    def arguments(self) -> Json:
        return {"action": self.action, **self.give()}


@dataclass
class Timing:
    """Seconds of one kind of call, a list a round, the statements of one such call, and the bytes of its answer."""

    rounds: list[list[float]] = field(default_factory=list[list[float]])
    statements: list[Statement] = field(default_factory=list[Statement])
    bytes: int = 0

    @property
    def p50(self) -> float:
        return min(statistics.median(each) for each in self.rounds)

    @property
    def p99(self) -> float:
        return min(sorted(each)[int(len(each) * 0.99)] for each in self.rounds)


def things(path: Path) -> Things:
    db = sqlite3.connect(path)
    rng = random.Random(SEED)

    def some(sql: str) -> list[str]:
        found: list[str] = [row[0] for row in db.execute(sql)]
        return rng.sample(found, min(SAMPLE, len(found)))

    sizes = db.execute("SELECT workspace_id, count(*) FROM plans GROUP BY workspace_id ORDER BY 2 DESC").fetchall()
    crowd = sizes[0][0] if sizes[0][1] > 2 * sizes[-1][1] else None
    common = f"workspace_id <> '{crowd}'"
    live = some(f"SELECT plan_id FROM plans WHERE {common} ORDER BY plan_id")
    given = json.dumps(live)
    held = db.execute(
        "SELECT plan_id, step_id, claimed_by FROM steps WHERE plan_id IN (SELECT value FROM json_each(?))"
        " AND status = 'active' AND claimed_by LIKE 'sess%' ORDER BY 1",
        (given,),
    ).fetchall()
    found = Things(
        rng,
        workspaces=some(f"SELECT workspace_id FROM workspaces WHERE {common} ORDER BY 1"),
        crowd=crowd,
        live=live,
        archived=some(f"SELECT plan_id FROM plans_archive WHERE {common} ORDER BY plan_id"),
        steps=[
            row[0]
            for row in db.execute(
                "SELECT step_id FROM steps WHERE plan_id IN (SELECT value FROM json_each(?)) AND order_index = ?",
                (given, STEPS),
            )
        ],
        programs=some(f"SELECT program_id FROM programs WHERE {common} ORDER BY 1"),
        sessions=some(f"SELECT session_id FROM sessions WHERE {common} AND status = 'active' ORDER BY 1"),
        held=held,
    )
    db.close()
    return found


def every(got: Things) -> list[Kind]:
    """Return every kind of call to measure; those about a whole workspace once more for the crowded one."""
    return [*kinds(got), *crowded(got)]


def kinds(got: Things) -> list[Kind]:
    """Return the kinds that are the same at every size."""
    of_workspace = [
        Kind(name, tool, action, lambda more=more: {**got.workspace(), **more})
        for name, tool, action, more in IN_A_WORKSPACE
    ]
    of_plan = [
        Kind(name, tool, action, lambda more=more: {**got.plan(), **more}) for name, tool, action, more in OF_A_PLAN
    ]
    of_program = [
        Kind(name, tool, action, lambda more=more: {**got.program(), **more})
        for name, tool, action, more in OF_A_PROGRAM
    ]
    return [*everywhere(got), *of_workspace, *of_program, *sought(got), *of_plan, *of_things(got), *writes(got)]


def crowded(got: Things) -> list[Kind]:
    """Return the calls about a whole workspace once more, for the one with very many plans."""
    if not got.crowd:
        return []
    crowd = {"workspace_id": got.crowd}
    kinds = [Kind(n, tool, action, lambda more=more: {**crowd, **more}) for n, tool, action, more in CROWDED]
    kinds += sought(replace(got, workspaces=[got.crowd]))
    return [replace(kind, name=f"{kind.name}, crowd") for kind in kinds if " in all" not in kind.name]


def everywhere(got: Things) -> list[Kind]:
    return [
        Kind("workspace list", "memory_workspace", "list", dict[str, Any]),
        Kind("workspace list hierarchical", "memory_workspace", "list", lambda: {"hierarchical": True}),
        Kind("workspace stats", "memory_workspace", "stats", dict[str, Any]),
        Kind("library list", "memory_library", "list", lambda: {"kind": "skill"}),
    ]


IN_A_WORKSPACE: tuple[tuple[str, str, str, Json], ...] = (
    ("workspace info", "memory_workspace", "info", {}),
    ("workspace stats of one", "memory_workspace", "stats", {}),
    ("workspace history", "memory_workspace", "history", {}),
    ("workspace history of agent", "memory_workspace", "history", {"agent": "executor"}),
    ("workspace events", "memory_workspace", "events", {}),
    ("workspace events newest first", "memory_workspace", "events", {"newest": True}),
    ("workspace events of type", "memory_workspace", "events", {"types": ["plan_created"]}),
    ("workspace trash", "memory_workspace", "trash", {}),
    ("workspace attention", "memory_workspace", "attention", {}),
    ("workspace attention everywhere", "memory_workspace", "attention", {"everywhere": True}),
    ("plan burndown of workspace", "memory_plan", "burndown", {}),
    ("plan list", "memory_plan", "list", {}),
    ("plan list 200", "memory_plan", "list", {"limit": WIDE, "max_bytes": 45_000}),
    ("plan list active by priority", "memory_plan", "list", {"status": "active", "order": "priority"}),
    ("plan list query", "memory_plan", "list", {"query": "the plan"}),
    ("plan list all by title", "memory_plan", "list", {"include_archived": True, "order": "title"}),
    ("steps ready in workspace", "memory_steps", "ready", {}),
    ("what plans of a workspace wait for", "memory_steps", "ready", {"waiting": True}),
    ("context list in workspace", "memory_context", "list", {}),
    ("context list of steps", "memory_context", "list", {"parent_type": "step"}),
    ("context recall", "memory_context", "recall", {}),
    ("session timeline", "memory_session", "timeline", {}),
    ("session list", "memory_session", "list_sessions", {}),
    ("session list active", "memory_session", "list_sessions", {"status_filter": "active"}),
    ("session inbox", "memory_session", "inbox", {"agent": "executor"}),
    ("session reservations", "memory_session", "list_reservations", {}),
    ("session checkpoints", "memory_session", "list_checkpoints", {}),
    ("steps list_edits", "memory_steps", "list_edits", {}),
    ("program list", "memory_program", "list", {}),
    ("workspace approvals", "memory_workspace", "approvals", {}),
    ("plan list_build_scripts", "memory_plan", "list_build_scripts", {}),
    ("plan archive_old, told", "memory_plan", "archive_old", {"older_than_days": 1}),
    ("context knowledge_list", "memory_context", "knowledge_list", {}),
    ("context knowledge_get", "memory_context", "knowledge_get", {"slug": "1"}),
    ("library list_assigned", "memory_library", "list_assigned", {}),
    ("library match", "memory_library", "match", {"task": "the last session died in the middle of a step"}),
    *bench_ledger.OF_A_WORKSPACE,
)
SOUGHT: tuple[tuple[str, str, str, Json], ...] = (
    ("search", "memory_context", "search", {}),
    ("search in all", "memory_context", "search", {"scope": "all"}),
    ("search in all, archived too", "memory_context", "search", {"scope": "all", "include_archived": True}),
    ("plan search", "memory_plan", "search", {}),
    ("pull", "memory_context", "pull", {"limit": 5}),
)
CROWDED = (*IN_A_WORKSPACE, ("agent init without plan", "memory_agent", "init", {"agent": "executor"}))
OF_A_PLAN: tuple[tuple[str, str, str, Json], ...] = (
    ("plan get", "memory_plan", "get", {}),
    ("plan get full", "memory_plan", "get", {"detail": "full", "max_bytes": 45_000}),
    ("plan find", "memory_plan", "find", {}),
    ("plan list_notes", "memory_plan", "list_notes", {}),
    ("plan burndown", "memory_plan", "burndown", {}),
    ("plan get_plan_dependencies", "memory_plan", "get_plan_dependencies", {}),
    ("plan history", "memory_workspace", "history", {}),
    ("plan events", "memory_workspace", "events", {}),
    ("steps list", "memory_steps", "list", {}),
    ("steps list 100", "memory_steps", "list", {"limit": WIDE, "max_bytes": 45_000}),
    ("steps list pending", "memory_steps", "list", {"status": "pending", "assignee": "executor"}),
    ("steps ready in plan", "memory_steps", "ready", {}),
    ("steps get by index", "memory_steps", "get", {"step_index": STEPS}),
    ("context list of plan", "memory_context", "list", {}),
    ("context get", "memory_context", "get", {"type": "findings-1"}),
    ("session timeline of plan", "memory_session", "timeline", {}),
    ("session list of plan", "memory_session", "list_sessions", {}),
    ("agent get_lineage", "memory_agent", "get_lineage", {}),
    ("agent get_briefing", "memory_agent", "get_briefing", {"agent": "executor"}),
    ("agent validate", "memory_agent", "validate", {"agent": "executor"}),
    ("workspace approvals of plan", "memory_workspace", "approvals", {}),
    *bench_ledger.OF_A_PLAN,
)


def sought(got: Things) -> list[Kind]:
    """Return searches for what the relevance set asks, and for the words that are nearly everywhere."""
    sets = {"asked": queries(), "common": Prose(SEED).commonest(COMMON)}
    return [
        Kind(f"{name}, {kind}", tool, action, lambda more=more, among=among: _query(got, among, more))
        for name, tool, action, more in SOUGHT
        for kind, among in sets.items()
    ]


OF_A_PROGRAM: tuple[tuple[str, str, str, Json], ...] = (
    ("program get", "memory_program", "get", {}),
    ("program list_plans", "memory_program", "list_plans", {}),
    ("program get_dependencies", "memory_program", "get_dependencies", {}),
    ("program list_risks", "memory_program", "list_risks", {}),
)


def _query(got: Things, among: Sequence[str], more: Json) -> Json:
    return {**got.workspace(), "query": got.rng.choice(among), **more}


def of_things(got: Things) -> list[Kind]:
    return [
        Kind("plan get archived", "memory_plan", "get", lambda: {"plan_id": got.rng.choice(got.archived)}),
        Kind("plan find by start", "memory_plan", "find", lambda: {"plan_id": got.rng.choice(got.live)[:-3]}),
        Kind(
            "plan get unknown", "memory_plan", "get", lambda: {"plan_id": f"plan_{next(got.fresh):012}"}, unknown=True
        ),
        Kind("steps get", "memory_steps", "get", got.step),
        Kind(
            "steps get unknown", "memory_steps", "get", lambda: {"step_id": f"step_{next(got.fresh):012}"}, unknown=True
        ),
        Kind("session get", "memory_session", "get_session", lambda: {"session_id": got.rng.choice(got.sessions)}),
    ]


def writes(got: Things) -> list[Kind]:
    def agent() -> Json:
        return {"agent": f"{got.rng.choice(AGENTS)}-{next(got.fresh)}"}

    def asked() -> Json:
        return {"note": "seen", "request_id": f"request {next(got.fresh)}"}

    def back(arguments: Json) -> tuple[str, Json]:
        return "memory_plan", {"action": "unarchive", "plan_id": arguments["plan_id"]}

    def again(arguments: Json) -> tuple[str, Json]:
        return "memory_plan", {"action": "archive", "plan_id": arguments["plan_id"], "force": True}

    archived = chain.from_iterable(iter(lambda: got.archived, None))
    held = iter(got.held)
    live = chain.from_iterable(iter(lambda: got.live, None))
    item = {"data": {"result": "green", "files": ["a.py", "b.py"]}}
    made = [
        ("steps next, finish and claim", "memory_steps", "next", lambda: _finishing(next(held)), None),
        ("steps next, none", "memory_steps", "next", lambda: {**got.plan(), **agent(), "types": ["critical"]}, None),
        ("steps next, claim", "memory_steps", "next", lambda: {"plan_id": next(live), **agent()}, None),
        ("agent init", "memory_agent", "init", lambda: {**got.plan(), **agent()}, None),
        ("agent init without plan", "memory_agent", "init", lambda: {**got.workspace(), **agent()}, None),
        ("context store", "memory_context", "store", lambda: {**got.plan(), "type": "bench", **item, **agent()}, None),
        ("context store on step", "memory_context", "store", lambda: _on_step(got.step(), item), None),
        ("steps update", "memory_steps", "update", lambda: {**got.step(), "notes": "seen", "force": True}, None),
        ("plan note, request_id", "memory_plan", "add_note", lambda: {**got.plan(), **asked(), **agent()}, None),
        ("program add_plan", "memory_program", "add_plan", lambda: _joining(got), None),
        ("program auto_detect_risks", "memory_program", "auto_detect_risks", got.program, None),
        ("plan archive", "memory_plan", "archive", lambda: {"plan_id": next(live), "force": True}, back),
        ("plan unarchive", "memory_plan", "unarchive", lambda: {"plan_id": next(archived)}, again),
    ]
    return [Kind(name, tool, action, give, writes=True, after=after) for name, tool, action, give, after in made]


def _joining(got: Things) -> Json:
    return {**got.program(), **got.plan(), "force": True}


def _finishing(held: tuple[str, str, str]) -> Json:
    plan_id, step_id, session_id = held
    return {"plan_id": plan_id, "step_id": step_id, "session_id": session_id}


def _on_step(step: Json, item: Json) -> Json:
    return {"parent_type": "step", "parent_id": step["step_id"], "type": "bench", **item}


@asynccontextmanager
async def opened(root: Path) -> AsyncGenerator[Store]:
    store = Store(Settings(data_root=root))
    try:
        yield store
    finally:
        await store.close()


async def measure(root: Path, *, rounds: int = ROUNDS, only: str = "") -> dict[str, Timing]:
    """Return the timing of every kind of call on the store in `root`, by name, where `only` is part of the name."""
    got = things(root / DATABASE_NAME)
    wanted = [kind for kind in every(got) if only in kind.name]
    async with opened(root) as store:
        await store.open()
        return {kind.name: await _timing(store, kind, rounds) for kind in wanted}


async def _timing(store: Store, kind: Kind, rounds: int) -> Timing:
    tools, timing = offered(store.settings), Timing()
    timing.statements, timing.bytes = await _recorded(store, kind)
    for _ in range(rounds):
        took: list[float] = []
        while len(took) < (WRITES if kind.writes else READS) and sum(took) < LONGEST_SECONDS:
            arguments = kind.arguments()
            begun = time.perf_counter()
            await _answer(store, tools, kind, arguments)
            took.append(time.perf_counter() - begun)
            if kind.after:
                await run(store, tools, *kind.after(arguments))
        timing.rounds.append(took)
    return timing


async def _answer(store: Store, tools: Mapping[str, Tool], kind: Kind, arguments: Json) -> str:
    try:
        return await run(store, tools, kind.tool, arguments)
    except NotFound as error:
        if not kind.unknown:
            raise
        return str(error)


async def _recorded(store: Store, kind: Kind) -> tuple[list[Statement], int]:
    """Make a call once; return its statements and the bytes of its answer."""
    statements: list[Statement] = []
    plain = Connection.batch

    async def recording(self: Connection, *batch: Statement) -> Any:
        statements.extend(batch)
        return await plain(self, *batch)

    arguments, tools = kind.arguments(), offered(store.settings)
    with patch.object(Connection, "batch", recording):
        text = await _answer(store, tools, kind, arguments)
    if kind.after:
        await run(store, tools, *kind.after(arguments))
    return statements, len(text.encode())


async def opening(root: Path) -> list[float]:
    """Return the seconds that it takes to open the store in `root`, each time anew."""
    took: list[float] = []
    for _ in range(OPENINGS):
        begun = time.perf_counter()
        async with opened(root) as store:
            await store.open()
            took.append(time.perf_counter() - begun)
    return took


def explainer(path: Path) -> sqlite3.Connection:
    """Return a connection that understands all that ours are asked: it has their functions and temporary tables."""
    db = sqlite3.connect(path)
    for name, function in FUNCTIONS.items():
        db.create_function(name, 1, function, deterministic=True)
    db.execute(gates.TOUCHED)
    return db


def plan_of(db: sqlite3.Connection, statement: Statement) -> list[str]:
    """Return how SQLite finds the rows of a statement, a line a table."""
    sql, params = statement
    if sql.startswith(("PRAGMA", "BEGIN", "COMMIT")):
        return []
    given = params if isinstance(params, Mapping) else params[0]
    lines: list[str] = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", given)]
    return [line for line in lines if line.startswith(("SEARCH", "SCAN", "USE TEMP"))]


def scans_of(db: sqlite3.Connection, statement: Statement) -> list[str]:
    """Return those lines of the plan that go through a whole table that grows with use, or through an index of it."""
    named = {alias or table: table for table, alias in TABLE.findall(statement[0])}
    found = (SCAN.match(line) for line in plan_of(db, statement))
    return [one.string for one in found if one and named.get(one[1], one[1]).removesuffix("_archive") in GROWING]


def shares(path: Path) -> tuple[int, float]:
    """Return the size of a database file in bytes, and the share of it that indexes take (of the tables alone)."""
    db = sqlite3.connect(path)
    try:
        [(indexes, whole)] = db.execute(
            """
            SELECT sum(s.pgsize) FILTER (WHERE m.type = 'index'), sum(s.pgsize)
            FROM dbstat s LEFT JOIN sqlite_master m ON m.name = s.name WHERE s.aggregate = TRUE
            """
        )
    finally:
        db.close()
    return path.stat().st_size, indexes / whole


def figures(root: Path, sizes: Sequence[str]) -> Iterator[Figure]:
    """Build the stores one after the other, measure each, and delete it."""
    base: dict[str, Timing] = {}
    first: list[float] = []
    for size in sizes:
        place, shape = root / size, SHAPES[size]
        begun = time.perf_counter()
        asyncio.run(build(place, shape))
        yield Figure(f"{size}: build {shape.steps:,} steps", "s", time.perf_counter() - begun)
        yield from _of_file(size, place / DATABASE_NAME, shape)
        took = asyncio.run(opening(place))
        ratio = statistics.median(took) / statistics.median(first) if first else None
        bar = OPEN_BAR if first else None
        yield timed(
            f"{size}: open", took, 0.9, floor=statistics.median(first) if first else None, judged=ratio, bar=bar
        )
        timings = asyncio.run(measure(place))
        yield from _of_calls(size, place / DATABASE_NAME, timings, base)
        base, first = base or timings, first or took
        shutil.rmtree(place)


def _of_file(size: str, path: Path, shape: Shape) -> Iterator[Figure]:
    whole, share = shares(path)
    yield Figure(f"{size}: file", "MiB", whole / 2**20)
    yield Figure(f"{size}: file, per step", "bytes", whole / shape.steps)
    yield Figure(f"{size}: share of the indexes", "%", share * 100)


def _of_calls(size: str, path: Path, timings: Mapping[str, Timing], base: Mapping[str, Timing]) -> Iterator[Figure]:
    db = explainer(path)
    scans = 0
    for name, timing in timings.items():
        plans = dict.fromkeys(line for statement in timing.statements for line in plan_of(db, statement))
        scans += 0 if name in WALKS else sum(len(scans_of(db, statement)) for statement in timing.statements)
        small, p99 = base.get(name), timing.p99 * 1000
        yield Figure(
            f"{size}: {name}",
            "ms",
            timing.p50 * 1000,
            p99,
            floor=small.p99 * 1000 if small else None,
            judged=p99,
            ratio=timing.p99 / small.p99 if small else None,
            bar=LARGE_BAR_MS if size == "large" else SMALL_BAR_MS,
            details=tuple(plans),
        )
    for name in BULKY:
        yield _against_sql(f"{size}: {name}, x its SQL", timings[name].p50, sql_seconds(db, timings[name].statements))
    db.close()
    yield sized(f"{size}: scans of a growing table", "scans", scans, 0)


def sql_seconds(db: sqlite3.Connection, statements: Sequence[Statement]) -> float:
    """Return the seconds that reading takes by its statements alone, at the median."""
    took: list[float] = []
    for _ in range(READS):
        begun = time.perf_counter()
        for sql, params in statements:
            db.execute(sql, params).fetchall()
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


def _against_sql(name: str, seconds: float, floor: float) -> Figure:
    return Figure(name, "ms", seconds * 1000, floor=floor * 1000, judged=seconds / floor, bar=SQL_BAR)
