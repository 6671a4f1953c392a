"""Table `server_runs`: which servers wrote, and how they left."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from server.db.storage.connection import Reader, Transaction
from server.db.storage.driver import Statement, connected
from server.models.base import encode, later
from server.models.workspaces import CrashCheck

LIFETIME_SECONDS = 30 * 86_400
MOST_REMOVED = 20  # old ones that a new one takes along


@dataclass(frozen=True)
class Unfinished:
    """A server that did not sign off, as far as the table knows, and who took it upon itself to look after that."""

    name: str
    checked_by: str | None


def registration(name: str, pid: int, version: str, now: str) -> list[Statement]:
    """Return what registers a server, and removes a few that are long gone."""
    old = {"old": later(now, -LIFETIME_SECONDS), "most": MOST_REMOVED}
    return [
        (
            """
            DELETE FROM server_runs WHERE name IN (
                SELECT name FROM server_runs WHERE started_at < :old ORDER BY started_at LIMIT :most
            )
            """,
            old,
        ),
        (
            """
            INSERT INTO server_runs (name, pid, version, started_at) VALUES (:name, :pid, :version, :now)
            ON CONFLICT (name) DO NOTHING
            """,
            {"name": name, "pid": pid, "version": version, "now": now},
        ),
    ]


async def is_registered(db: Reader, name: str) -> bool:
    return bool(await db.value("SELECT 1 FROM server_runs WHERE name = :name", {"name": name}))


async def sign_off(tx: Transaction, name: str) -> None:
    await tx.run("UPDATE server_runs SET ended_at = :now WHERE name = :name", {"now": tx.now(), "name": name})


async def sign_off_all(database: Path, now: str) -> None:
    """Sign off the servers in a copy that was looked over: they ran when it was made, and never had it open."""
    async with connected(database) as connection:
        sql = "UPDATE server_runs SET ended_at = :now WHERE ended_at IS NULL AND checked_at IS NULL"
        await connection.batch((sql, {"now": now}))


async def unfinished(db: Reader) -> list[Unfinished]:
    """Return the servers that run, and those that left without signing off and nobody has looked after."""
    rows = await db.all("SELECT name, checked_by FROM server_runs WHERE ended_at IS NULL AND checked_at IS NULL")
    return [Unfinished(row["name"], row["checked_by"]) for row in rows]


async def take_over(tx: Transaction, names: Collection[str], by: str) -> None:
    """Note who looks the database over because of servers that left without signing off."""
    await tx.run(
        "UPDATE server_runs SET checked_by = :by WHERE name IN (SELECT value FROM json_each(:names))",
        {"by": by, "names": encode(list(names))},
    )


async def looked_over(tx: Transaction, by: str, problems: list[str]) -> None:
    """Keep what was found."""
    await tx.run(
        """
        UPDATE server_runs SET checked_at = :now, problems = :problems
        WHERE ended_at IS NULL AND checked_at IS NULL AND checked_by = :by
        """,
        {"now": tx.now(), "problems": encode(problems), "by": by},
    )


async def last_check(db: Reader) -> CrashCheck | None:
    """Return what the last look at the database found that a server left without signing off was the reason for."""
    row = await db.one(
        """
        SELECT checked_at, pid, started_at, problems FROM server_runs WHERE checked_at IS NOT NULL
        ORDER BY checked_at DESC LIMIT 1
        """
    )
    return CrashCheck.of(row) if row else None
