"""Table `runs`: what was run, for whom, and how it ended."""

from collections.abc import Collection
from typing import Any

from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.models.base import encode, new_id
from server.models.terminal import RunRow


async def insert(tx: Transaction, *, workspace_id: str, kind: str, name: str, server: str, **more: Any) -> str:
    run_id = new_id("run")
    await tx.run(
        """
        INSERT INTO runs (run_id, workspace_id, kind, name, arguments, agent, session_id, allowed_by, server,
            started_at, created_at, updated_at)
        VALUES (:run_id, :workspace_id, :kind, :name, :arguments, :agent, :session_id, :allowed_by, :server, :now, :now,
            :now)
        """,
        {
            "run_id": run_id,
            "workspace_id": workspace_id,
            "kind": kind,
            "name": name,
            "server": server,
            "arguments": encode(more["arguments"]),
            "allowed_by": more["allowed_by"],
            "agent": tx.origin.agent,
            "session_id": tx.origin.session_id,
            "now": tx.now(),
        },
    )
    return run_id


async def finish(tx: Transaction, run_id: str, *, status: str, **how: Any) -> RunRow | None:
    """Store how a run ended; return None if that is known already."""
    row = await tx.one(
        """
        UPDATE runs SET status = :status, exit_code = :exit_code, ended_by = :ended_by, error = :error,
            stdout_bytes = :stdout_bytes, stderr_bytes = :stderr_bytes, finished_at = :now, updated_at = :now
        WHERE run_id = :run_id AND status = 'running' RETURNING *
        """,
        {
            "run_id": run_id,
            "status": status,
            **dict.fromkeys(("exit_code", "ended_by", "error", "stdout_bytes", "stderr_bytes")),
            **how,
            "now": tx.now(),
        },
    )
    return RunRow.of(row) if row else None


async def require(db: Reader, run_id: str) -> RunRow:
    """Return a run, or raise NotFound."""
    row = await db.one("SELECT * FROM runs WHERE run_id = :run_id", {"run_id": run_id})
    if row is None:
        raise await not_found(db, "run", run_id, table="runs", label="name")
    return RunRow.of(row)


async def servers(db: Reader) -> set[str]:
    """Return the servers that something runs under, as far as is known."""
    return {row[0] for row in await db.all("SELECT DISTINCT server FROM runs WHERE status = 'running'")}


async def lose(tx: Transaction, gone: Collection[str]) -> list[str]:
    """Note that what servers ran which are gone has ended with them, nobody knows how; return the ids of these runs."""
    rows = await tx.all(
        """
        UPDATE runs SET status = 'lost', finished_at = :now, updated_at = :now
        WHERE status = 'running' AND server IN (SELECT value FROM json_each(:gone)) RETURNING run_id
        """,
        {"gone": encode(sorted(gone)), "now": tx.now()},
    )
    return [row[0] for row in rows]
