"""Table `phases`."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.db.ledger import tables as ledger
from server.db.storage import rows
from server.db.storage.connection import Reader, Transaction
from server.db.storage.driver import Record
from server.db.storage.rows import stored
from server.errors import NotFound
from server.models.base import as_dict, encode, new_id
from server.models.plans import NewPhase, Phase, PhaseCounts, PhaseProgress
from server.text.names import folded

BELONGS = {
    "phases": "phase_id = :phase_id",
    "confirmations": "phase_id = :phase_id",
    "dependencies": """
        (source_type = 'phase' AND source_id = :phase_id) OR (target_type = 'phase' AND target_id = :phase_id)
    """,
    "context_items": "parent_type = 'phase' AND parent_id = :phase_id",
    "research_documents": "parent_type = 'phase' AND parent_id = :phase_id",
    **ledger.of("phase", "(:phase_id)"),
}

# Counted once: SQLite would put each count in every place of its name.
PROGRESS = """
    WITH counted AS MATERIALIZED (
        SELECT p.phase_id, p.name, p.order_index AS "index", p.description,
            nullif(p.approval_required, 0) AS approval_required, p.success_criteria, p.required_agents,
            p.required_gates, p.external_id, p.objective, p.version, c.confirmed_by, c.via AS confirmed_via,
            (SELECT count(*) FROM steps{suffix} s WHERE s.phase_id = p.phase_id) AS steps_total,
            (SELECT count(*) FROM steps{suffix} s WHERE s.phase_id = p.phase_id AND s.status = 'pending') AS pending,
            (SELECT count(*) FROM steps{suffix} s
             WHERE s.phase_id = p.phase_id AND s.status IN ('done', 'cancelled')) AS steps_done
        FROM phases{suffix} p LEFT JOIN confirmations{suffix} c ON c.phase_id = p.phase_id AND c.plan_id = :plan_id
        WHERE p.plan_id = :plan_id
    )
    SELECT *, CASE WHEN pending = steps_total THEN 'pending' WHEN steps_done = steps_total THEN 'done' ELSE 'active' END
        AS status
    FROM counted ORDER BY "index"
"""


COUNTS = """
    SELECT p.plan_id AS plan_id, p.order_index AS order_index, p.name, count(s.step_id) AS steps_total,
        count(CASE WHEN s.status IN ('done', 'cancelled') THEN 1 END) AS steps_done
    FROM phases{suffix} p LEFT JOIN steps{suffix} s ON s.phase_id = p.phase_id
    WHERE p.plan_id IN (SELECT value FROM json_each(:ids))
    GROUP BY p.phase_id
"""


async def insert(tx: Transaction, plan_id: str, name: str, *, order_index: int, **columns: Any) -> Phase:
    """Insert a phase. The caller keeps `order_index` dense: 0-based, without gaps."""
    values = {"phase_id": new_id("phase"), "plan_id": plan_id, "name": name, "order_index": order_index, **columns}
    return Phase.of(await rows.insert(tx, "phases", values))


async def insert_many(tx: Transaction, plan_id: str, new: Sequence[NewPhase]) -> None:
    """Give a plan without phases these, in order."""
    left_out = {"steps"} if any(phase.required_gates for phase in new) else {"steps", "required_gates"}
    rows = [
        {
            "phase_id": new_id("phase"),
            "plan_id": plan_id,
            "order_index": index,
            **{name: getattr(phase, name) for name in NewPhase.model_fields if name not in left_out},
            "created_at": tx.now(),
            "updated_at": tx.now(),
        }
        for index, phase in enumerate(new)
    ]
    if rows:
        names, values = ", ".join(rows[0]), ", ".join(f":{name}" for name in rows[0])
        await tx.many(f"INSERT INTO phases ({names}) VALUES ({values})", map(stored, rows))


async def of_plan(db: Reader, plan_id: str, *, suffix: str = "") -> list[Phase]:
    """Return the phases of a plan in order; `suffix="_archive"` reads an archived one."""
    rows = await db.all(
        f"SELECT * FROM phases{suffix} WHERE plan_id = :plan_id ORDER BY order_index", {"plan_id": plan_id}
    )
    return [Phase.of(row) for row in rows]


async def count(db: Reader, plan_id: str) -> int:
    """Return how many phases a plan has: their indices have no gaps."""
    return await db.value(
        "SELECT coalesce(max(order_index) + 1, 0) FROM phases WHERE plan_id = :plan_id", {"plan_id": plan_id}
    )


async def names(db: Reader, plan_id: str, *, first: int = 0) -> dict[str, str]:
    """Return the names of the phases of a plan by id, in order, from an index on."""
    rows = await db.all(
        "SELECT phase_id, name FROM phases WHERE plan_id = :plan_id AND order_index >= :first ORDER BY order_index",
        {"plan_id": plan_id, "first": first},
    )
    return {row["phase_id"]: row["name"] for row in rows}


async def ensure(tx: Transaction, plan_id: str, wanted: Sequence[str]) -> dict[str, str]:
    """Return the phase id of each name, appending phases that the plan does not have yet."""
    present = await names(tx, plan_id)
    alike = {folded(name): phase_id for phase_id, name in reversed(present.items())}
    known = {name: phase_id for phase_id, name in present.items()}
    total = len(present)
    for name in dict.fromkeys(wanted):
        if name not in known and folded(name) not in alike:
            alike[folded(name)] = (await insert(tx, plan_id, name, order_index=total)).phase_id
            total += 1
        known[name] = known.get(name) or alike[folded(name)]
    return {name: known[name] for name in wanted}


def named(phases: Sequence[Phase], name: str) -> Phase | None:
    """Return the phase of this name, the one in this very spelling first."""
    alike = [phase for phase in phases if folded(phase.name) == folded(name)]
    return next((phase for phase in alike if phase.name == name), next(iter(alike), None))


def by_name_or_id(phases: Sequence[Phase], name_or_id: str) -> Phase | None:
    return named(phases, name_or_id) or next((phase for phase in phases if phase.phase_id == name_or_id), None)


async def require(db: Reader, plan_id: str, name_or_id: str, *, suffix: str = "") -> Phase:
    """Return a phase by its name or id, or raise NotFound with the names there are."""
    phases = await of_plan(db, plan_id, suffix=suffix)
    if found := by_name_or_id(phases, name_or_id):
        return found
    near = [{"phase_id": phase.phase_id, "name": phase.name} for phase in phases[:5]]
    raise NotFound(f"The plan {plan_id} has no phase {name_or_id[:80]!r}.", **({"near": near} if near else {}))


async def open_steps(db: Reader, phase_id: str) -> tuple[int, int]:
    """Return how many steps of a phase are open, and how many there are."""
    row = await db.one(
        """
        SELECT count(CASE WHEN status NOT IN ('done', 'cancelled') THEN 1 END), count(*)
        FROM steps WHERE phase_id = :phase_id
        """,
        {"phase_id": phase_id},
    )
    assert row is not None  # an aggregate gives one row
    return row[0], row[1]


async def counted(db: Reader, plan_id: str, *, suffix: str = "") -> list[Record]:
    """Return the phases of a plan in order, each with the count and state of its steps."""
    return await db.all(PROGRESS.format(suffix=suffix), {"plan_id": plan_id})


async def progress(db: Reader, plan_id: str, *, suffix: str = "") -> list[PhaseProgress]:
    return [PhaseProgress.of(row) for row in await counted(db, plan_id, suffix=suffix)]


async def counts(db: Reader, plan_ids: Sequence[str]) -> dict[str, list[PhaseCounts]]:
    """Return the phases of plans, live or archived, in order, by the id of the plan."""
    found: dict[str, list[PhaseCounts]] = {}
    every = " UNION ALL ".join(COUNTS.format(suffix=suffix) for suffix in ("", "_archive"))
    for row in await db.all(f"{every} ORDER BY plan_id, order_index", {"ids": encode(list(plan_ids))}):
        found.setdefault(row["plan_id"], []).append(PhaseCounts.of(row))
    return found


async def set_order(tx: Transaction, phase_ids: Sequence[str]) -> None:
    """Number phases 0, 1, 2, ... in this order."""
    await tx.many(
        """
        UPDATE phases SET order_index = :index, updated_at = :now
        WHERE phase_id = :phase_id AND order_index <> :index
        """,
        [{"phase_id": phase_id, "index": index, "now": tx.now()} for index, phase_id in enumerate(phase_ids)],
    )


async def update(tx: Transaction, phase_id: str, changes: Mapping[str, Any]) -> Phase:
    """Change columns of a phase, its version and its time."""
    return Phase.of(await rows.revise(tx, "phases", "phase_id", phase_id, changes))


async def group_steps(tx: Transaction, plan_id: str) -> None:
    """Number the steps of a plan so that they follow its phases; within a phase they keep their order."""
    await tx.run(
        """
        UPDATE steps SET order_index = n.position FROM (
            SELECT s.step_id, row_number() OVER (ORDER BY p.order_index, s.order_index, s.step_id) - 1 AS position
            FROM steps s JOIN phases p ON p.phase_id = s.phase_id WHERE s.plan_id = :plan_id
        ) AS n
        WHERE steps.step_id = n.step_id AND steps.order_index <> n.position
        """,
        {"plan_id": plan_id},
    )


async def collect(db: Reader, phase_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that go with a phase, besides its steps, by table, in an order in which they can be put back."""
    params = {"phase_id": phase_id}
    found = await db.batch(*((f"SELECT * FROM {table} WHERE {where}", params) for table, where in BELONGS.items()))
    return {table: [as_dict(row) for row in rows] for table, rows in zip(BELONGS, found, strict=True)}


async def move_steps(tx: Transaction, phase_id: str, to_phase_id: str) -> None:
    await tx.run(
        """
        UPDATE steps SET phase_id = :to_phase_id, updated_at = :now, version = version + 1
        WHERE phase_id = :phase_id
        """,
        {"phase_id": phase_id, "to_phase_id": to_phase_id, "now": tx.now()},
    )


async def delete(tx: Transaction, phase: Phase) -> None:
    """Delete a phase with its steps and close the gap in the order of the phases."""
    await tx.run("DELETE FROM phases WHERE phase_id = :phase_id", {"phase_id": phase.phase_id})
    await set_order(tx, [p.phase_id for p in await of_plan(tx, phase.plan_id)])
