"""Table `plan_notes`."""

from collections.abc import Sequence

from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.models.base import new_id
from server.models.plans import NoteType, PlanNote


async def insert(tx: Transaction, plan_id: str, note: str, note_type: NoteType, deliver_to: str | None) -> PlanNote:
    """Add a note in the name of the actor."""
    row = await tx.one(
        """
        INSERT INTO plan_notes (note_id, plan_id, note, note_type, deliver_to, added_by, created_at, updated_at)
        VALUES (:note_id, :plan_id, :note, :note_type, :deliver_to, :added_by, :now, :now)
        RETURNING *
        """,
        {
            "note_id": new_id("note"),
            "plan_id": plan_id,
            "note": note,
            "note_type": note_type,
            "deliver_to": deliver_to,
            "added_by": tx.origin.agent or tx.origin.actor,
            "now": tx.now(),
        },
    )
    assert row is not None  # RETURNING gives the row
    return PlanNote.of(row)


async def require(db: Reader, plan_id: str, note_id: str, *, suffix: str = "") -> PlanNote:
    """Return a note of a plan, or raise NotFound."""
    row = await db.one(
        f"SELECT * FROM plan_notes{suffix} WHERE note_id = :note_id AND plan_id = :plan_id",
        {"note_id": note_id, "plan_id": plan_id},
    )
    if row is None:
        where = "plan_id = :plan_id"
        raise await not_found(
            db, "note", note_id, table=f"plan_notes{suffix}", label="note", where=where, plan_id=plan_id
        )
    return PlanNote.of(row)


async def has(db: Reader, plan_id: str, note: str) -> bool:
    """Return whether a plan has a note of exactly these words."""
    found = await db.value(
        "SELECT EXISTS (SELECT 1 FROM plan_notes WHERE plan_id = :plan_id AND note = :note)",
        {"plan_id": plan_id, "note": note},
    )
    return bool(found)


async def page(
    db: Reader,
    plan_id: str,
    *,
    note_type: str | None,
    deliver_to: str | None,
    after: Sequence[str | int] | None,
    limit: int,
    suffix: str = "",
) -> tuple[list[PlanNote], int]:
    """Return notes of a plan, newest first, from behind (created_at, note_id) on, and how many match in all."""
    where = """
        plan_id = :plan_id AND (:note_type IS NULL OR note_type = :note_type)
        AND (:deliver_to IS NULL OR folded(deliver_to) = folded(:deliver_to))
    """
    created_at, note_id = after or (None, None)
    params = {
        "plan_id": plan_id,
        "note_type": note_type,
        "deliver_to": deliver_to,
        "created_at": created_at,
        "note_id": note_id,
        "limit": limit,
    }
    listing = f"""
        SELECT * FROM plan_notes{suffix}
        WHERE {where} AND (:created_at IS NULL OR (created_at, note_id) < (:created_at, :note_id))
        ORDER BY created_at DESC, note_id DESC LIMIT :limit
    """
    rows, [(total,)] = await db.batch(
        (listing, params), (f"SELECT count(*) FROM plan_notes{suffix} WHERE {where}", params)
    )
    return [PlanNote.of(row) for row in rows], total


async def waiting(db: Reader, plan_id: str, agent: str) -> list[PlanNote]:
    """Return the instructions that `agent` should see and nobody has acknowledged, oldest first.

    They are those for it and those for everybody.
    """
    rows = await db.all(
        """
        SELECT * FROM plan_notes
        WHERE plan_id = :plan_id AND note_type = 'instruction' AND acknowledged_at IS NULL
          AND (deliver_to IS NULL OR folded(deliver_to) = folded(:agent))
        ORDER BY created_at, note_id
        """,
        {"plan_id": plan_id, "agent": agent},
    )
    return [PlanNote.of(row) for row in rows]
