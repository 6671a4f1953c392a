"""Table `check_findings`: what the last look of a server at the store found."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.db.storage.connection import Database, Reader
from server.models.base import as_dict

MOST = 50  # that are kept


async def store(db: Database, found: Sequence[Mapping[str, Any]]) -> None:
    """Put what was found now in the place of what was found before."""
    async with db.transaction() as tx:
        await tx.run("DELETE FROM check_findings")
        if found:
            await tx.many(
                """
                INSERT OR IGNORE INTO check_findings (name, what, severity, why, command, advice, found_at)
                VALUES (:name, :what, :severity, :why, :command, :advice, :now)
                """,
                [{**one, "now": tx.now()} for one in found[:MOST]],
            )


async def known(db: Reader) -> list[dict[str, Any]]:
    """Return what was found last, in the order in which it was told: errors first."""
    rows = await db.all("SELECT * FROM check_findings ORDER BY rowid")
    return [{name: value for name, value in as_dict(row).items() if value is not None} for row in rows]
