"""Tables `plans` and `plans_archive`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.db.search.suggestions import not_found
from server.db.storage import rows
from server.db.storage.connection import Reader, Transaction
from server.db.storage.driver import Statement
from server.errors import Conflict, NotFound
from server.models.base import Columns, as_dict, encode, new_id
from server.models.plans import Plan, PlanBrief

LISTED = "plan_id, workspace_id, program_id, title, category, priority, created_at, updated_at, open_steps"
WEIGHT = "CASE priority WHEN 'critical' THEN 3 WHEN 'high' THEN 2 WHEN 'medium' THEN 1 ELSE 0 END"
ORDERS = {
    "updated": ("DESC", ("updated_at", "plan_id")),
    "created": ("DESC", ("created_at", "plan_id")),
    "priority": ("DESC", ("weight", "updated_at", "plan_id")),
    "title": ("ASC", ("folded", "plan_id")),
}
FILTERS = """
    workspace_id = :workspace_id
    AND (:category IS NULL OR category = :category)
    AND (:priority IS NULL OR priority = :priority)
    AND (:program_id IS NULL OR program_id = :program_id)
    AND (:query IS NULL OR instr(folded(title), folded(:query)) > 0)
    AND (:status IN ('any', 'archived') OR status = :status)
"""
OPEN_STEPS = "SELECT open_steps FROM plans WHERE plan_id = :plan_id"
TOTAL = "(SELECT count(*) FROM steps{suffix} WHERE plan_id = page.plan_id)"
# That an import does not still fill the workspace of a row of {0}.
IS_SHOWN = """
    NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.workspace_id = {0}.workspace_id AND w.importing IS NOT NULL)
"""
NEIGHBOURS = """
    SELECT dependency_id, source_id, target_id, dep_status FROM dependencies{suffix}
    WHERE {end}_type = 'plan' AND {end}_id = :plan_id AND source_type = 'plan' AND target_type = 'plan'
      AND dep_type = 'blocks'
"""
PHASE_AT = """
    (SELECT p.name FROM steps{suffix} s JOIN phases{suffix} p ON p.phase_id = s.phase_id
     WHERE page.open_steps > 0 AND s.plan_id = page.plan_id AND s.order_index = (
        SELECT min(order_index) FROM steps{suffix}
        WHERE plan_id = page.plan_id AND status IN ('pending', 'active', 'blocked', 'failed')))
"""
COUNTED = """
    SELECT plan_id, open_steps AS stored, (
        SELECT count(*) FROM steps{suffix} s WHERE s.plan_id = l.plan_id AND s.status NOT IN ('done', 'cancelled')
    ) AS counted FROM plans{suffix} l
"""


async def insert(tx: Transaction, *, workspace_id: str, title: str, **columns: Any) -> Plan:
    """Insert a plan. `columns` are further columns; lists and dicts become JSON."""
    values = {"plan_id": new_id("plan"), "workspace_id": workspace_id, "title": title, **columns}
    return Plan.of(await rows.insert(tx, "plans", values))


async def find(db: Reader, plan_id: str) -> Plan | None:
    """Return a plan, live or archived."""
    for table in ("plans", "plans_archive"):
        query = f"SELECT * FROM {table} WHERE plan_id = :plan_id AND {IS_SHOWN.format(table)}"
        row = await db.one(query, {"plan_id": plan_id})
        if row:
            return Plan.of(row)
    return None


async def require(db: Reader, plan_id: str) -> Plan:
    """Return a plan, live or archived, or raise NotFound."""
    if plan := await find(db, plan_id):
        return plan
    raise await missing(db, plan_id)


async def missing(db: Reader, plan_id: str) -> NotFound:
    """Return the error for an id that no plan has, live or archived."""
    shown = IS_SHOWN.format("plans")
    return await not_found(db, "plan", plan_id, table="plans", label="title", where=shown)


async def require_live(db: Reader, plan_id: str) -> Plan:
    """Return a plan that can be changed, or raise NotFound, or Conflict for an archived one."""
    plan = await require(db, plan_id)
    if plan.archived_at:
        raise archived(plan_id)
    return plan


def archived(plan_id: str) -> Conflict:
    """Return the error for changing an archived plan."""
    return Conflict(f"The plan {plan_id} is archived.").about("archived plan", plan_id=plan_id)


@dataclass(frozen=True)
class Filter:
    """Which plans of a workspace a list shows. The status `archived` stands for all archived ones."""

    workspace_id: str
    status: str | None = None
    category: str | None = None
    priority: str | None = None
    query: str | None = None
    program_id: str | None = None
    include_archived: bool = False

    @property
    def suffixes(self) -> list[str]:
        live = [] if self.status == "archived" else [""]
        return [*live, "_archive"] if self.include_archived or not live else live

    @property
    def params(self) -> dict[str, Any]:
        return {
            "workspace_id": self.workspace_id,
            "status": self.status or "any",
            "category": self.category,
            "priority": self.priority,
            "query": self.query,
            "program_id": self.program_id,
        }


async def page(
    db: Reader, wanted: Filter, *, order: str, after: Sequence[str | int] | None, limit: int
) -> tuple[list[tuple[PlanBrief, list[str | int]]], int]:
    """Return plans in an order of ORDERS, each with its place in the list, and how many match in all.

    `query` is part of the title; upper and lower case are alike for A to Z.
    """
    direction, keys = ORDERS[order]
    behind = {f"after_{n}": value for n, value in enumerate(after or ())}
    compared = f"({', '.join(keys)}) {'<' if direction == 'DESC' else '>'} ({', '.join(':' + name for name in behind)})"
    listing = f"""
        WITH page AS (
            SELECT * FROM ({" UNION ALL ".join(_listed(suffix) for suffix in wanted.suffixes)})
            {"WHERE " + compared if after else ""}
            ORDER BY {", ".join(f"{key} {direction}" for key in keys)} LIMIT :limit
        )
        {_progress(wanted.suffixes)}
        ORDER BY {", ".join(f"page.{key} {direction}" for key in keys)}
    """
    counts = " + ".join(f"(SELECT count(*) FROM plans{suffix} WHERE {FILTERS})" for suffix in wanted.suffixes)
    rows, [(total,)] = await db.batch(
        (listing, {**wanted.params, **behind, "limit": limit}), (f"SELECT {counts}", wanted.params)
    )
    return [(PlanBrief.of(with_done(row)), [row[key] for key in keys]) for row in rows], total


def _listed(suffix: str, where: str = FILTERS) -> str:
    status = "'archived' AS status, status AS last_status" if suffix else "status, NULL AS last_status"
    return f"""
        SELECT {LISTED}, {status}, {WEIGHT} AS weight, folded(title) AS folded FROM plans{suffix} WHERE {where}
    """


def _progress(suffixes: Sequence[str]) -> str:
    """Return the end of a query over `page`, a set of listed plans: how far each of them is."""
    total, phase = ([part.format(suffix=suffix) for suffix in suffixes] for part in (TOTAL, PHASE_AT))
    return f"""
        SELECT page.*, {" + ".join(total)} AS steps_total, coalesce({", ".join(phase)}, NULL) AS current_phase
        FROM page
    """


def with_done(row: Columns) -> dict[str, Any]:
    """Return a row of a plan with how many of its steps are done, from how many there are and how many are open."""
    return {**as_dict(row), "steps_done": row["steps_total"] - row["open_steps"]}


def of_program(program_id: str, *, after: Sequence[str | int] | None, limit: int) -> Statement:
    """Return the statement for the plans of a program in their order, live or archived, of any workspace."""
    where = f"plan_id IN (SELECT plan_id FROM program_plans WHERE program_id = :program_id) AND {IS_SHOWN}"
    both = " UNION ALL ".join(_listed(suffix, where.format(f"plans{suffix}")) for suffix in ("", "_archive"))
    order_index, plan_id = after or (-1, "")
    listing = f"""
        WITH page AS (
            SELECT l.*, m.order_index FROM ({both}) l
                JOIN program_plans m ON m.program_id = :program_id AND m.plan_id = l.plan_id
            WHERE (m.order_index, l.plan_id) > (:order_index, :after_id)
            ORDER BY m.order_index, l.plan_id LIMIT :limit
        )
        {_progress(("", "_archive"))}
        ORDER BY page.order_index, page.plan_id
    """
    return listing, {"program_id": program_id, "order_index": order_index, "after_id": plan_id, "limit": limit}


async def starting_with(db: Reader, prefix: str, *, limit: int) -> list[PlanBrief]:
    """Return plans of all workspaces, live or archived, whose id starts with `prefix`, in the order of their ids."""
    where = f"plan_id >= :prefix AND plan_id < :end AND {IS_SHOWN}"
    live, archived = (_listed(suffix, where.format(f"plans{suffix}")) for suffix in ("", "_archive"))
    rows = await db.all(
        f"""
        WITH page AS (SELECT * FROM ({live} UNION ALL {archived}) ORDER BY plan_id LIMIT :limit)
        {_progress(("", "_archive"))}
        ORDER BY page.plan_id
        """,
        {"prefix": prefix, "end": prefix + "\U0010ffff", "limit": limit},
    )
    return [PlanBrief.of(with_done(row)) for row in rows]


async def statuses(db: Reader, plan_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return id, title and status of those of the plans that exist, live or archived, by id."""
    rows = await db.all(
        """
        SELECT plan_id, title, status FROM plans WHERE plan_id IN (SELECT value FROM json_each(:ids))
        UNION ALL
        SELECT plan_id, title, 'archived' FROM plans_archive WHERE plan_id IN (SELECT value FROM json_each(:ids))
        """,
        {"ids": encode(list(plan_ids))},
    )
    return {row["plan_id"]: as_dict(row) for row in rows}


async def neighbours(db: Reader, plan_id: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the plans that a plan waits for over `blocks`, and those that wait for it, each with the state."""
    ends = ("source", "target")
    halves = [NEIGHBOURS.format(suffix=suffix, end=end) for suffix in ("", "_archive") for end in ends]
    rows = await db.all(" UNION ".join(halves) + " ORDER BY dependency_id", {"plan_id": plan_id})
    waits = {row["target_id"]: row["dep_status"] for row in rows if row["source_id"] == plan_id}
    return waits, {row["source_id"]: row["dep_status"] for row in rows if row["target_id"] == plan_id}


async def from_source(db: Reader, workspace_id: str, source: str) -> str | None:
    """Return the id of a live plan of the workspace that was imported from `source`, or None."""
    return await db.value(
        "SELECT plan_id FROM plans WHERE workspace_id = :workspace_id AND source = :source LIMIT 1",
        {"workspace_id": workspace_id, "source": source},
    )


async def update(tx: Transaction, plan_id: str, changes: Mapping[str, Any]) -> Plan:
    """Change columns of a plan, its version and its time."""
    return Plan.of(await rows.revise(tx, "plans", "plan_id", plan_id, changes))


async def reopen(tx: Transaction, plan_id: str) -> Plan | None:
    """Make a completed plan active again and return it, or None if it is not completed."""
    row = await tx.one(
        """
        UPDATE plans SET status = 'active', completed_at = NULL, updated_at = :now, version = version + 1
        WHERE plan_id = :plan_id AND status = 'completed' RETURNING *
        """,
        {"plan_id": plan_id, "now": tx.now()},
    )
    return Plan.of(row) if row else None


async def status_when_finished(db: Reader, plan_id: str) -> str | None:
    """Return the status of a live plan that has steps, none of them open; else None."""
    return await db.value(
        """
        SELECT status FROM plans p
        WHERE plan_id = :plan_id AND open_steps = 0 AND EXISTS (SELECT 1 FROM steps WHERE plan_id = p.plan_id)
        """,
        {"plan_id": plan_id},
    )


async def open_steps(db: Reader, plan_id: str) -> int:
    """Return how many steps of a live plan are open."""
    return await db.value(OPEN_STEPS, {"plan_id": plan_id})


@dataclass(frozen=True)
class Miscounted:
    """A plan whose number of open steps is stored wrongly."""

    plan_id: str
    stored: int | None
    counted: int


async def miscounted(db: Reader) -> list[Miscounted]:
    """Return the plans, live or archived, that have another number of open steps than is stored."""
    every = " UNION ALL ".join(COUNTED.format(suffix=suffix) for suffix in ("", "_archive"))
    rows = await db.all(f"SELECT * FROM ({every}) AS c WHERE stored IS NOT counted ORDER BY plan_id")
    return [Miscounted(**as_dict(row)) for row in rows]


async def touch(tx: Transaction, plan_id: str) -> None:
    """Note that something in the plan changed."""
    await tx.run("UPDATE plans SET updated_at = :now WHERE plan_id = :plan_id", {"plan_id": plan_id, "now": tx.now()})


def check_version(found: int, expected: int | None, what: str) -> None:
    """Raise Conflict when the caller edits another version than the one that is there."""
    if expected is not None and expected != found:
        raise Conflict(
            f"{what} has version {found}, not {expected}: it changed since you read it. Read it again.", version=found
        )
