"""Table `confirmations`: the word of a human on a phase or a step, bound to the thing itself and not to its place."""

from server.db.storage.connection import Reader, Transaction
from server.models.approvals import Word
from server.models.base import new_id
from server.models.plans import Confirmation
from server.models.steps import StepRow


async def confirm(tx: Transaction, kind: str, entity_id: str, plan_id: str, word: Word) -> Confirmation:
    """Confirm a step or phase; a confirmation that it has already is replaced."""
    column = f"{kind}_id"
    values = {
        "confirmation_id": new_id("conf"),
        "plan_id": plan_id,
        column: entity_id,
        "confirmed_by": word.by,
        **word.columns,
        "created_at": tx.now(),
    }
    renewed = ("confirmed_by", *word.columns, "created_at")
    row = await tx.one(
        f"""
        INSERT INTO confirmations ({", ".join(values)}) VALUES ({", ".join(f":{name}" for name in values)})
        ON CONFLICT ({column}) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in renewed)}
        RETURNING *
        """,
        values,
    )
    assert row is not None  # RETURNING gives the row
    return Confirmation.of(row)


async def of_plan(db: Reader, plan_id: str, *, suffix: str = "") -> list[Confirmation]:
    """Return the confirmations of a plan's phases and steps, oldest first."""
    rows = await db.all(
        f"SELECT * FROM confirmations{suffix} WHERE plan_id = :plan_id ORDER BY created_at, confirmation_id",
        {"plan_id": plan_id},
    )
    return [Confirmation.of(row) for row in rows]


async def of_step(db: Reader, step_id: str, *, suffix: str = "") -> Confirmation | None:
    row = await db.one(f"SELECT * FROM confirmations{suffix} WHERE step_id = :step_id", {"step_id": step_id})
    return Confirmation.of(row) if row else None


async def of_phase(db: Reader, phase_id: str) -> Confirmation | None:
    row = await db.one("SELECT * FROM confirmations WHERE phase_id = :phase_id", {"phase_id": phase_id})
    return Confirmation.of(row) if row else None


async def revoke(tx: Transaction, confirmation_id: str) -> None:
    await tx.run("DELETE FROM confirmations WHERE confirmation_id = :id", {"id": confirmation_id})


async def drop_for_step(tx: Transaction, step: StepRow) -> None:
    """Drop what was said about a step that is open again, and about its phase."""
    await tx.run(
        "DELETE FROM confirmations WHERE step_id = :step_id OR phase_id = :phase_id",
        {"step_id": step.step_id, "phase_id": step.phase_id},
    )
