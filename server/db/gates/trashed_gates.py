"""What a gate held when it was deleted: the gate holds it in the trash, and has to when it comes back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from server.db.audit.trash import HELD
from server.db.dependencies.dependencies import Node
from server.db.storage.connection import Reader, Transaction
from server.models.base import encode

STEPS = """
    SELECT r.value ->> 'step_id' FROM trash t, json_each(t.data) part, json_each(part.value) r
    WHERE t.trash_id = :trash_id AND part.key IN ('steps', 'steps_archive')
"""
HELD_BY = f"""
    SELECT s.value AS step_id, g.value AS gate_id
    FROM trash t, json_each(t.data, '$.{HELD}') h, json_each(h.value, '$.steps') s, json_each(h.value, '$.gates') g
    WHERE t.trash_id IN (SELECT value FROM json_each(:ids))
"""
# A gate that goes with its whole plan comes back before anything that went to the trash earlier can.
HOLDING = f"""
    SELECT DISTINCT g.value AS gate_id
    FROM json_each(:gone) gone JOIN trash t ON t.expires_at > :now AND instr(t.data, gone.value ->> 0) > 0
        AND t.plan_id IS NOT gone.value ->> 1,
        json_each(t.data, '$.{HELD}') h, json_each(h.value, '$.gates') g
    WHERE g.value = gone.value ->> 0
"""


async def remember(tx: Transaction, trash_ids: Sequence[str], held: Mapping[str, set[str]]) -> None:
    """Note with new entries of the trash which gates held which of their steps; `held` is by step."""
    for trash_id in trash_ids if held else ():
        groups: dict[frozenset[str], list[str]] = defaultdict(list)
        for (step_id,) in await tx.all(STEPS, {"trash_id": trash_id}):
            if gates := held.get(step_id):
                groups[frozenset(gates)].append(step_id)
        noted = [{"gates": sorted(gates), "steps": steps} for gates, steps in groups.items()]
        if noted:
            await tx.run(
                f"UPDATE trash SET data = json_set(data, '$.{HELD}', json(:noted)) WHERE trash_id = :trash_id",
                {"trash_id": trash_id, "noted": encode(noted)},
            )


async def held(db: Reader, trash_ids: Sequence[str]) -> dict[Node, set[str]]:
    """Return which gates held the steps of entries when they were deleted."""
    found: dict[Node, set[str]] = defaultdict(set)
    for row in await db.all(HELD_BY, {"ids": encode(list(trash_ids))}):
        found["step", row["step_id"]].add(row["gate_id"])
    return dict(found)


async def holding(tx: Transaction, gone: Mapping[str, str | None]) -> list[str]:
    """Return those gates that hold something in the trash; `gone` maps a gate to its plan, if that is gone as well."""
    rows = await tx.all(HOLDING, {"gone": encode([list(item) for item in gone.items()]), "now": tx.now()})
    return sorted(row["gate_id"] for row in rows)
