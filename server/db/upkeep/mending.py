"""Mends what is stored wrongly. Every function is one change of the rows that the finding of its name is about."""

from datetime import UTC, datetime

from server.db.audit import events
from server.db.dependencies import dependencies
from server.db.plans.plans import COUNTED
from server.db.steps import claims
from server.db.storage.connection import Database, Transaction
from server.db.upkeep.consistency import RULES, WAITS, params
from server.db.upkeep.health import TIMES
from server.models.base import later, timestamp
from server.models.steps import StepRow

LONGEST_LEASE = 7 * 86_400
LEASES = ("steps", "file_reservations")


async def make_indexes_anew(tx: Transaction) -> None:
    await tx.run("REINDEX")


async def drop_broken_references(tx: Transaction) -> None:
    """Delete rows whose parent is gone, or let go of it where the schema does so too."""
    while broken := await tx.all("PRAGMA foreign_key_check"):
        for row in broken:
            keys = await tx.all(f"PRAGMA foreign_key_list({row['table']})")
            [key] = [one for one in keys if one["id"] == row["fkid"]]
            change = (
                f"UPDATE {row['table']} SET {key['from']} = NULL"
                if key["on_delete"] == "SET NULL"
                else f"DELETE FROM {row['table']}"
            )
            await tx.run(f"{change} WHERE rowid = :row", {"row": row["rowid"]})


async def delete_strays(tx: Transaction, name: str) -> None:
    """Delete the rows that hang on nothing."""
    for rule in RULES[name]:
        await tx.run(f"DELETE FROM {rule.table} AS {rule.alias} WHERE {rule.where}", params(tx))


async def release_ended_claims(tx: Transaction) -> None:
    """Give back the steps that sessions which are over still hold."""
    [rule] = RULES["ended-claims"]
    rows = await tx.all(
        f"SELECT t.*, p.name AS phase FROM steps AS t JOIN phases p ON p.phase_id = t.phase_id WHERE {rule.where}",
        params(tx),
    )
    await claims.release(tx, [StepRow.of(row) for row in rows], reason="its session is over")
    await events.flush(tx)


async def count_open_steps(tx: Transaction) -> None:
    for suffix in ("", "_archive"):
        counted = f"SELECT counted FROM ({COUNTED.format(suffix=suffix)}) AS c WHERE c.plan_id = plans{suffix}.plan_id"
        await tx.run(f"UPDATE plans{suffix} SET open_steps = ({counted}) WHERE open_steps IS NOT ({counted})")


async def count_waits(tx: Transaction) -> None:
    await tx.run(f"UPDATE steps AS t SET waits_for = {WAITS} WHERE t.waits_for <> {WAITS}")


async def refresh_dependencies(tx: Transaction) -> None:
    """Compare what everything waits for with how that stands."""
    [rule] = RULES["stale-dependencies"]
    rows = await tx.all(f"SELECT DISTINCT d.target_type, d.target_id {rule.source}", params(tx))
    await dependencies.refresh(tx, [(row[0], row[1]) for row in rows])


async def set_times_back(tx: Transaction) -> None:
    """Let what a clock wrote that ran ahead be written now, and shorten the leases that it gave."""
    now = timestamp(datetime.now(UTC))
    for table, column in TIMES:
        await tx.run(f"UPDATE {table} SET {column} = :now WHERE {column} > :now", {"now": now})
    for table in LEASES:
        await tx.run(
            f"UPDATE {table} SET lease_expires_at = :now WHERE lease_expires_at > :longest",
            {"now": now, "longest": later(now, LONGEST_LEASE)},
        )


async def in_one_transaction(db: Database, name: str) -> None:
    """Mend what a finding of this name is about."""
    async with db.transaction() as tx:
        if name in WORK:
            await WORK[name](tx)
        else:
            await delete_strays(tx, name)


WORK = {
    "damaged-indexes": make_indexes_anew,
    "foreign-keys": drop_broken_references,
    "ended-claims": release_ended_claims,
    "miscounted-plans": count_open_steps,
    "miscounted-waits": count_waits,
    "stale-dependencies": refresh_dependencies,
    "clock-ahead": set_times_back,
}
