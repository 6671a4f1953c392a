"""Tables `steps` and `steps_archive`: rows, order and dependencies between them. Claims are in `claims`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import Edge
from server.db.ledger import budgets
from server.db.plans import phases, plans
from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.db.storage.driver import Statement
from server.db.storage.name_functions import same
from server.db.storage.rows import stored
from server.errors import InvalidArguments, NotFound
from server.models.base import encode, new_id, shown
from server.models.budgets import BudgetRow
from server.models.plans import Plan
from server.models.steps import OPEN, USUAL_TYPE, NewStep, StepOrigin, StepRow

SELECT = "SELECT s.*, p.name AS phase FROM steps{suffix} s JOIN phases{suffix} p ON p.phase_id = s.phase_id"
# The columns of a step in a list.
BRIEF = f"""
    s.step_id, s.order_index AS "index", p.name AS phase, s.task, s.status, nullif(s.type, '{USUAL_TYPE}') AS type,
    s.assignee, s.claimed_by, s.lease_expires_at
"""
# The columns of a step that is shown whole.
WHOLE = f"""
    {BRIEF}, nullif(s.section, '') AS section, nullif(s.priority, '') AS priority, s.notes, s.completed_at,
    s.completed_by, s.version,
    nullif(s.requires_validation, 0) AS requires_validation,
    nullif(s.requires_confirmation, 0) AS requires_confirmation, nullif(s.required_gates, '[]') AS required_gates,
    s.external_id, nullif(s.acceptance_criteria, '[]') AS acceptance_criteria, s.due_at,
    nullif((
        SELECT json_group_array(d.target_id) FROM dependencies{{suffix}} d
        WHERE d.source_type = 'step' AND d.source_id = s.step_id AND d.target_type = 'step' AND d.dep_type = 'blocks'
    ), '[]') AS depends_on
"""
SHOWN = {
    "requires_validation": bool, "requires_confirmation": bool,
    "required_gates": json.loads, "acceptance_criteria": json.loads, "depends_on": json.loads,
}  # fmt: skip
DEFAULT_PHASE = "Steps"
OPEN_AND_FREE = [status for status in OPEN if status != "active"]
IS_AWAITED = """
    EXISTS (SELECT 1 FROM dependencies WHERE target_type = 'step' AND target_id = s.step_id)
    OR EXISTS (SELECT 1 FROM dependencies WHERE target_type = 'phase' AND target_id = s.phase_id)
"""
COLUMNS = (
    "step_id", "plan_id", "phase_id", "order_index", "section", "task", "type", "status", "assignee", "notes",
    "requires_validation", "requires_confirmation", "requires_user_confirmation", "completed_at", "completed_by",
    "created_at", "updated_at",
)  # fmt: skip


async def of_plan(db: Reader, plan_id: str, *, suffix: str = "") -> list[StepRow]:
    """Return all steps of a plan in order; `suffix="_archive"` reads an archived one."""
    rows = await db.all(
        SELECT.format(suffix=suffix) + " WHERE s.plan_id = :plan_id ORDER BY s.order_index", {"plan_id": plan_id}
    )
    return [StepRow.of(row) for row in rows]


async def find(db: Reader, step_id: str) -> tuple[StepRow, str] | None:
    """Return a step and the suffix of the table that has it, live ones first."""
    for suffix in ("", "_archive"):
        row = await db.one(SELECT.format(suffix=suffix) + " WHERE s.step_id = :step_id", {"step_id": step_id})
        if row:
            return StepRow.of(row), suffix
    return None


async def origin(db: Reader, step_id: str, *, suffix: str) -> StepOrigin | None:
    """Return what a step says of where it came from, if it was not made here; no parent that is gone."""
    columns = ", ".join(f"s.{name}" for name in StepOrigin.model_fields if name != "parent_step_id")
    row = await db.one(
        f"""
        SELECT {columns}, p.step_id AS parent_step_id
        FROM steps{suffix} s LEFT JOIN steps{suffix} p ON p.step_id = s.parent_step_id
        WHERE s.step_id = :step_id AND s.source_system IS NOT NULL
        """,
        {"step_id": step_id},
    )
    return StepOrigin.of(row) if row else None


async def require(db: Reader, step_id: str) -> StepRow:
    """Return a live step by its id, or raise NotFound."""
    row = await db.one(SELECT.format(suffix="") + " WHERE s.step_id = :step_id", {"step_id": step_id})
    if row is None:
        raise await _missing(db, step_id)
    return StepRow.of(row)


async def _missing(db: Reader, step_id: str) -> NotFound:
    return await not_found(db, "step", step_id, table="steps", label="task")


async def require_with_plan(
    db: Reader, step_id: str | None, plan_id: str | None, index: int | None
) -> tuple[StepRow, Plan]:
    """Return a live step, named by its id or by plan and index, and its plan, or raise NotFound.

    The step tells whether anything waits for it.
    """
    params = {"step_id": step_id, "plan_id": plan_id, "index": index}
    which = "s.step_id = :step_id" if step_id else "s.plan_id = :plan_id AND s.order_index = :index"
    of_step = "(SELECT plan_id FROM steps WHERE step_id = :step_id)" if step_id else ":plan_id"
    step, plan = await db.batch(
        (f"SELECT *, {IS_AWAITED} AS is_awaited FROM ({SELECT.format(suffix='')} WHERE {which}) s", params),
        (f"SELECT * FROM plans WHERE plan_id = {of_step}", params),
    )
    if step and plan:
        return StepRow.of(step[0]), Plan.of(plan[0])
    if step_id:
        raise await _missing_or_archived(db, step_id)
    await plans.require_live(db, plan_id or "")
    return await require_at(db, plan_id or "", index or 0), Plan.of(plan[0])


async def _missing_or_archived(db: Reader, step_id: str) -> Exception:
    archived = await find(db, step_id)
    if archived is None:
        return await _missing(db, step_id)
    return plans.archived(archived[0].plan_id)


async def require_at(db: Reader, plan_id: str, index: int, *, suffix: str = "") -> StepRow:
    """Return the step at an index of a plan that exists, or raise NotFound."""
    row = await db.one(
        SELECT.format(suffix=suffix) + " WHERE s.plan_id = :plan_id AND s.order_index = :index",
        {"plan_id": plan_id, "index": index},
    )
    if row is None:
        total = await count(db, plan_id)
        has = f"its steps have the indices 0 to {total - 1}" if total else "it has no steps"
        raise NotFound(f"The plan {plan_id} has no step at index {index}: {has}.")
    return StepRow.of(row)


async def by_ids(db: Reader, step_ids: Iterable[str]) -> dict[str, StepRow]:
    """Return those of the live steps that exist, by id."""
    rows = await db.all(
        SELECT.format(suffix="") + " WHERE s.step_id IN (SELECT value FROM json_each(:ids))",
        {"ids": encode(list(step_ids))},
    )
    return {row["step_id"]: StepRow.of(row) for row in rows}


async def of_phase(db: Reader, phase_id: str) -> list[StepRow]:
    """Return all steps of a phase in order."""
    rows = await db.all(
        SELECT.format(suffix="") + " WHERE s.phase_id = :phase_id ORDER BY s.order_index", {"phase_id": phase_id}
    )
    return [StepRow.of(row) for row in rows]


async def between(db: Reader, plan_id: str, first: int, last: int) -> list[StepRow]:
    """Return the steps of a plan that have these indices, in order."""
    rows = await db.all(
        SELECT.format(suffix="")
        + " WHERE s.plan_id = :plan_id AND s.order_index BETWEEN :first AND :last ORDER BY s.order_index",
        {"plan_id": plan_id, "first": first, "last": last},
    )
    return [StepRow.of(row) for row in rows]


async def left_behind(db: Reader, plan_id: str, index: int, *, limit: int) -> list[int]:
    """Return the indices of steps before an index that are open and nobody is at work on, the first of them."""
    each = """
        SELECT * FROM (
            SELECT order_index FROM steps WHERE plan_id = :plan_id AND status = '{}' AND order_index < :index
            ORDER BY order_index LIMIT :limit
        )
    """
    rows = await db.all(
        " UNION ALL ".join(map(each.format, OPEN_AND_FREE)) + " ORDER BY order_index LIMIT :limit",
        {"plan_id": plan_id, "index": index, "limit": limit},
    )
    return [row["order_index"] for row in rows]


async def count(db: Reader, plan_id: str, *, suffix: str = "") -> int:
    """Return how many steps a plan has: their indices have no gaps."""
    return await db.value(
        f"SELECT coalesce(max(order_index) + 1, 0) FROM steps{suffix} WHERE plan_id = :plan_id", {"plan_id": plan_id}
    )


async def insert_many(tx: Transaction, plan_id: str, new: Sequence[NewStep], *, at: int | None = None) -> list[StepRow]:
    """Insert steps in order, at index `at` or at the end, and return them.

    Phases that the plan lacks are appended; a step without a phase joins the one before it. `depends_on` names step
    ids or indices of the plan as it is after the insertion.
    """
    at = await count(tx, plan_id) if at is None else at
    around = await between(tx, plan_id, max(at - 1, 0), max(at - 1, 0))
    phase_names = _phases_of(new, around[0].phase if around else DEFAULT_PHASE)
    phase_ids = await phases.ensure(tx, plan_id, phase_names)
    await _shift(tx, plan_id, at, len(new))
    rows = [
        _row(tx, plan_id, phase_ids[name], at + i, step)
        for i, (step, name) in enumerate(zip(new, phase_names, strict=True))
    ]
    columns = (*COLUMNS, *(("required_gates",) if any(step.required_gates for step in new) else ()))
    await tx.many(
        f"INSERT INTO steps ({', '.join(columns)}) VALUES ({', '.join(':' + name for name in columns)})", rows
    )
    ids = [row["step_id"] for row in rows]
    waits = await _resolved(tx, plan_id, {step_id: step.depends_on for step_id, step in zip(ids, new, strict=True)})
    await dependencies.add(tx, _edges(waits))
    await _refresh_around(tx, phase_ids.values())
    return await between(tx, plan_id, at, at + len(new) - 1)


def _phases_of(new: Sequence[NewStep], last: str) -> list[str]:
    """Return the phase name of each new step: its own, else that of the step before it."""
    names: list[str] = []
    for step in new:
        last = step.phase or last
        names.append(last)
    return names


def _row(tx: Transaction, plan_id: str, phase_id: str, index: int, step: NewStep) -> dict[str, Any]:
    closed = step.status == "done"
    values = {name: getattr(step, name) for name in (*COLUMNS, "required_gates") if name in NewStep.model_fields}
    return stored(
        {
            **values,
            "step_id": new_id("step"),
            "plan_id": plan_id,
            "phase_id": phase_id,
            "order_index": index,
            "completed_at": tx.now() if closed else None,
            "completed_by": tx.origin.actor if closed else None,
            "created_at": tx.now(),
            "updated_at": tx.now(),
        }
    )


async def _shift(tx: Transaction, plan_id: str, at: int, by: int) -> None:
    await tx.run(
        "UPDATE steps SET order_index = order_index + :by WHERE plan_id = :plan_id AND order_index >= :at",
        {"plan_id": plan_id, "at": at, "by": by},
    )


async def _refresh_around(tx: Transaction, phase_ids: Iterable[str]) -> None:
    """New open steps reopen the phases they join."""
    await dependencies.refresh(tx, [("phase", phase_id) for phase_id in dict.fromkeys(phase_ids)])


def _edges(waits: Mapping[str, Sequence[str]]) -> list[Edge]:
    return [(("step", step_id), ("step", target)) for step_id, targets in waits.items() for target in targets]


async def _resolved(db: Reader, plan_id: str, wanted: Mapping[str, Sequence[int | str]]) -> dict[str, list[str]]:
    """Return for each step the ids of those that are named for it, each once."""
    named = list(dict.fromkeys(name for names in wanted.values() for name in names))
    ids = dict(zip(named, await resolve(db, plan_id, named, wanted), strict=True)) if named else {}
    return {step_id: list(dict.fromkeys(ids[name] for name in names)) for step_id, names in wanted.items()}


async def resolve(
    db: Reader, plan_id: str, named: Sequence[int | str], wanted: Mapping[str, Sequence[int | str]] | None = None
) -> list[str]:
    """Return the step ids that ids and indices name; every one that names nothing is told at once.

    `wanted` says which steps would wait for them: one that would wait for itself is told, too.
    """
    names = encode([str(name) for name in named])
    by_index, by_id = await db.batch(
        (
            """
            SELECT order_index, step_id FROM steps
            WHERE plan_id = :plan_id AND order_index IN (SELECT CAST(value AS INTEGER) FROM json_each(:names))
            """,
            {"names": names, "plan_id": plan_id},
        ),
        ("SELECT step_id FROM steps WHERE step_id IN (SELECT value FROM json_each(:names))", {"names": names}),
    )
    known = {row["step_id"]: row["step_id"] for row in by_id}
    known |= {str(row["order_index"]): row["step_id"] for row in by_index}
    if unknown := sorted({str(name) for name in named} - known.keys()):
        alone = [step_id for step_id, names in (wanted or {}).items() if step_id in {known.get(str(n)) for n in names}]
        told = f" {', '.join(alone)} cannot wait for itself." if alone else ""
        raise InvalidArguments(
            f"depends_on names {', '.join(unknown)}: no step id, and no index of the plan's "
            f"{await count(db, plan_id)} steps.{told}"
        )
    return [known[str(name)] for name in named]


async def set_dependencies(
    tx: Transaction, plan_id: str, wanted: Mapping[str, Sequence[int | str]]
) -> tuple[dict[str, list[str]], bool]:
    """Make the named steps all that these steps of a plan wait for; return their ids, and whether any are new."""
    found = await _resolved(tx, plan_id, wanted)
    before = await dependencies.waits_of(tx, "step", wanted, target_type="step")
    changed = {step_id: ids for step_id, ids in found.items() if set(ids) != set(before.get(step_id, ()))}
    await dependencies.clear(tx, [("step", step_id) for step_id in changed], "step")
    await dependencies.add(tx, _edges(changed))
    return found, bool(changed)


async def update(tx: Transaction, step_id: str, changes: Mapping[str, Any]) -> StepRow:
    """Change columns of a step that exists, its version and its time."""
    return StepRow.of((await tx.batch(updating(tx, step_id, changes)))[0][0])


def updating(tx: Transaction, step_id: str, changes: Mapping[str, Any]) -> Statement:
    """Return the statement of `update`, for a batch; its one row is the step as it is then."""
    assignments = "".join(f"{name} = :{name}, " for name in changes)
    return (
        f"""
        UPDATE steps SET {assignments}updated_at = :updated_at, version = version + 1 WHERE step_id = :step_id
        RETURNING *, (SELECT name FROM phases WHERE phase_id = steps.phase_id) AS phase
        """,
        {**stored(changes), "step_id": step_id, "updated_at": tx.now()},
    )


async def reopen(tx: Transaction, step_id: str) -> None:
    """Make a step pending, so that what stands against it can be asked for."""
    await tx.run("UPDATE steps SET status = 'pending' WHERE step_id = :step_id", {"step_id": step_id})


async def delete(tx: Transaction, step_ids: Sequence[str], plan_id: str) -> None:
    """Delete steps and close the gaps in the order. What waits for them is freed by the caller's refresh."""
    rows = await tx.all(
        "DELETE FROM steps WHERE step_id IN (SELECT value FROM json_each(:ids)) RETURNING order_index",
        {"ids": encode(list(step_ids))},
    )
    if rows:
        await _close_gaps(tx, plan_id, min(row["order_index"] for row in rows))


async def _close_gaps(tx: Transaction, plan_id: str, first: int) -> None:
    """Number the steps of a plan from the first gap on without another one, in their order."""
    await tx.run(
        """
        UPDATE steps SET order_index = n.position FROM (
            SELECT step_id, :first + row_number() OVER (ORDER BY order_index, step_id) - 1 AS position
            FROM steps WHERE plan_id = :plan_id AND order_index >= :first
        ) AS n
        WHERE steps.step_id = n.step_id AND steps.order_index <> n.position
        """,
        {"plan_id": plan_id, "first": first},
    )


async def set_order(tx: Transaction, plan_id: str, step_ids: Sequence[str], *, first: int = 0) -> None:
    """Put steps of a plan into this order, from an index on: all that are there, up to the last of them."""
    await tx.run(
        """
        WITH n (place, step_id) AS MATERIALIZED (SELECT key + :first, value FROM json_each(:ids))
        UPDATE steps SET order_index = n.place FROM n
        WHERE steps.step_id = n.step_id AND +steps.plan_id = :plan_id AND steps.order_index <> n.place
        """,
        {"ids": encode(list(step_ids)), "plan_id": plan_id, "first": first},
    )


async def page(
    db: Reader,
    plan_id: str,
    *,
    whole: bool,
    status: str | None,
    phase_id: str | None,
    assignee: str | None,
    after: Sequence[str | int] | None,
    limit: int,
    suffix: str = "",
) -> tuple[list[dict[str, Any]], int]:
    """Return steps of a plan as results tell them, from behind (index, step_id) on, and how many match in all."""
    where = "s.plan_id = :plan_id"
    where += " AND s.status = :status" if status else ""
    where += " AND s.phase_id = :phase_id" if phase_id else ""
    where += f" AND {same('s.assignee', 'assignee', assignee)}" if assignee else ""
    params = {
        "plan_id": plan_id,
        "status": status,
        "phase_id": phase_id,
        "assignee": assignee,
        "after": after[0] if after else -1,
        "after_id": after[1] if after else None,
        "limit": limit,
    }
    columns = (WHOLE if whole else BRIEF).format(suffix=suffix)
    behind = f"SELECT order_index FROM steps{suffix} WHERE step_id = :after_id"  # it may have moved since
    listing = f"""
        SELECT {columns} FROM steps{suffix} s JOIN phases{suffix} p ON p.phase_id = s.phase_id
        WHERE {where} AND s.order_index > coalesce(({behind}), :after) ORDER BY s.order_index LIMIT :limit
    """
    rows, [(total,)] = await db.batch(
        (listing, params), (f"SELECT count(*) FROM steps{suffix} s WHERE {where}", params)
    )
    return shown(rows, SHOWN), total


@dataclass(frozen=True)
class Outlook:
    """What a caller that gets a step should know: what it waits for, which steps it was given past, what is left."""

    depends_on: list[str]
    passed_by: list[tuple[str, int]]  # id and index of steps before it that wait for nothing but a confirmation
    remaining: int
    budgets: list[BudgetRow]  # those to be warned of


async def outlook(db: Reader, plan_id: str, step: StepRow | None) -> Outlook:
    """Return what is ahead in a plan, for the one who is given `step` or nothing."""
    params = {"plan_id": plan_id, "step_id": step and step.step_id, "index": step.order_index if step else -1}
    waits, passed, [(remaining,)], alerting = await db.batch(
        (
            """
            SELECT target_id FROM dependencies
            WHERE source_type = 'step' AND source_id = :step_id AND target_type = 'step' AND dep_type = 'blocks'
            ORDER BY dependency_id
            """,
            params,
        ),
        (
            """
            SELECT step_id, order_index FROM steps s
            WHERE plan_id = :plan_id AND status = 'pending' AND waits_for = 0 AND order_index < :index
              AND type = 'critical' AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.step_id = s.step_id)
            ORDER BY order_index LIMIT 5
            """,
            params,
        ),
        (plans.OPEN_STEPS, params),
        (budgets.ALERTING_OF_PLAN, params),
    )
    return Outlook(
        [row["target_id"] for row in waits],
        [(row["step_id"], row["order_index"]) for row in passed],
        remaining,
        [BudgetRow.of(row) for row in alerting],
    )
