"""Table `program_risks`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from server.db.search.suggestions import not_found
from server.db.storage import rows
from server.db.storage.connection import Reader, Transaction
from server.models.base import encode, new_id
from server.models.programs import FoundRisk, Risk

COLUMNS = "r.*, r.type AS risk_type, r.source_plan_id AS plan_id"
RANK = "CASE r.severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END"
FILTERS = """
    r.program_id = :program_id
    AND (:status IS NULL OR r.status = :status) AND (:severity IS NULL OR r.severity = :severity)
    AND (:risk_type IS NULL OR r.type = :risk_type) AND (:plan_id IS NULL OR r.source_plan_id = :plan_id)
"""
LISTING = f"""
    SELECT {COLUMNS}, {RANK} AS rank FROM program_risks r
    WHERE {FILTERS} AND (:rank IS NULL OR ({RANK}, r.risk_id) > (:rank, :risk_id))
    ORDER BY {RANK}, r.risk_id LIMIT :limit
"""
OPEN: Mapping[str, Any] = {
    "status": "identified", "severity": None, "risk_type": None, "plan_id": None, "rank": None, "risk_id": None,
    "limit": 100,
}  # fmt: skip


async def insert(tx: Transaction, program_id: str, **columns: Any) -> Risk:
    values = {"risk_id": new_id("risk"), "program_id": program_id, **columns}
    await rows.insert(tx, "program_risks", values)
    return await require(tx, values["risk_id"])


async def require(db: Reader, risk_id: str) -> Risk:
    """Return a risk, or raise NotFound."""
    row = await db.one(f"SELECT {COLUMNS} FROM program_risks r WHERE r.risk_id = :risk_id", {"risk_id": risk_id})
    if row is None:
        raise await not_found(db, "risk", risk_id, table="program_risks", label="title")
    return Risk.of(row)


async def page(
    db: Reader, program_id: str, *, after: Sequence[str | int] | None, limit: int, **wanted: str | None
) -> tuple[list[tuple[Risk, list[str | int]]], int]:
    """Return the risks of a program, the most severe first, each with its place, and how many match in all."""
    rank, risk_id = after or (None, None)
    filters = {"program_id": program_id, **wanted}
    rows, [(total,)] = await db.batch(
        (LISTING, {**filters, "rank": rank, "risk_id": risk_id, "limit": limit}),
        (f"SELECT count(*) FROM program_risks r WHERE {FILTERS}", filters),
    )
    return [(Risk.of(row), [row["rank"], row["risk_id"]]) for row in rows], total


async def update(tx: Transaction, risk_id: str, changes: Mapping[str, Any]) -> Risk:
    """Change columns of a risk, its version and its time."""
    await rows.revise(tx, "program_risks", "risk_id", risk_id, changes)
    return await require(tx, risk_id)


async def delete(tx: Transaction, risk_id: str) -> dict[str, Any]:
    """Delete a risk, which exists, and return its row."""
    row = await tx.one("DELETE FROM program_risks WHERE risk_id = :risk_id RETURNING *", {"risk_id": risk_id})
    assert row is not None
    return dict(row)


async def found(db: Reader, program_id: str) -> dict[str, Risk]:
    """Return the risks that were found in a program, by their keys."""
    rows = await db.all(
        f"SELECT {COLUMNS} FROM program_risks r WHERE r.program_id = :program_id AND r.found_key IS NOT NULL",
        {"program_id": program_id},
    )
    return {row["found_key"]: Risk.of(row) for row in rows}


async def put(tx: Transaction, program_id: str, new: Iterable[FoundRisk]) -> None:
    """Store risks that were found, under their keys.

    One that is there is told anew, and open again if it was resolved; how bad it is stays as somebody may have set it.
    """
    rows = [
        {
            "risk_id": new_id("risk"),
            "program_id": program_id,
            "found_key": risk.key,
            "title": risk.title,
            "description": risk.description,
            "type": risk.risk_type,
            "severity": risk.severity,
            "source_plan_id": risk.plan_id,
            "now": tx.now(),
        }
        for risk in new
    ]
    await tx.many(
        """
        INSERT INTO program_risks (risk_id, program_id, found_key, title, description, type, severity, source_plan_id,
            detected_by, created_at, updated_at)
        VALUES (:risk_id, :program_id, :found_key, :title, :description, :type, :severity, :source_plan_id,
            'auto', :now, :now)
        ON CONFLICT (program_id, found_key) DO UPDATE SET
            title = excluded.title, description = excluded.description,
            type = CASE status WHEN 'resolved' THEN excluded.type ELSE type END,
            severity = CASE status WHEN 'resolved' THEN excluded.severity ELSE severity END,
            status = CASE status WHEN 'resolved' THEN 'identified' ELSE status END,
            updated_at = excluded.updated_at, version = version + 1
        """,
        rows,
    )


async def resolve(tx: Transaction, risk_ids: Sequence[str]) -> None:
    """Note that what was found is no risk any more."""
    await tx.run(
        """
        UPDATE program_risks SET status = 'resolved', updated_at = :now, version = version + 1
        WHERE risk_id IN (SELECT value FROM json_each(:ids))
        """,
        {"ids": encode(list(risk_ids)), "now": tx.now()},
    )
