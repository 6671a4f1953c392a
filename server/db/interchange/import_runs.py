"""Table `import_runs`: which import is at work on what, and who may go on with one that was interrupted."""

import os
import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import anyio

from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict
from server.models.base import encode, new_id

SILENT_SECONDS = 60.0  # after which an import that wrote nothing is taken for dead
LOOK_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 600.0
OPEN = "coalesce(workspace_id, '') = :unit AND status = 'running'"


@dataclass
class Run:
    """One import of a workspace ("": of the store), from its first transaction to its last."""

    unit: str
    layout: str
    source: str
    holder: str = field(default_factory=lambda: f"{os.getpid()} {secrets.token_hex(6)}")
    run_id: str = ""


async def generation(db: Reader) -> tuple[int, str | None]:
    """Return what moves with every import that begins."""
    row = await db.one("SELECT count(*), max(run_id) FROM import_runs")
    return (row[0], row[1]) if row else (0, None)


async def is_open(db: Reader, units: Iterable[str]) -> bool:
    """Return whether an import of one of these was begun and not completed."""
    query = f"SELECT 1 FROM json_each(:units) u JOIN import_runs r ON {OPEN.replace(':unit', 'u.value')} LIMIT 1"
    return bool(await db.value(query, {"units": encode(list(units))}))


async def wait_for_others(db: Reader, unit: str) -> None:
    """Wait until nobody else is importing into a workspace."""
    with anyio.move_on_after(LONGEST_WAIT_SECONDS):
        while await _other(db, unit, ""):  # noqa: ASYNC110 - the row of another process is no event
            await anyio.sleep(LOOK_SECONDS)


async def _other(db: Reader, unit: str, holder: str) -> str | None:
    """Return the run of somebody else who is at work on a workspace now."""
    for row in await db.all(f"SELECT run_id, holder, written_at FROM import_runs WHERE {OPEN}", {"unit": unit}):
        if row["holder"] not in (None, holder) and _is_alive(row["holder"], row["written_at"], db.now()):
            return row["run_id"]
    return None


def _is_alive(holder: str, written_at: str, now: str) -> bool:
    silent = datetime.fromisoformat(now) - datetime.fromisoformat(written_at)
    if silent.total_seconds() > SILENT_SECONDS:
        return False
    if sys.platform == "win32":  # there `kill` asks nothing, it kills
        return True
    try:
        os.kill(int(holder.split(maxsplit=1)[0]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def begin(tx: Transaction, run: Run) -> None:
    """Take up a run: the one that was interrupted, if there is one. Raises Conflict if somebody is at it."""
    if await _other(tx, run.unit, run.holder):
        raise Conflict("Another import is at work on the same workspace.")
    values = {
        "unit": run.unit,
        "holder": run.holder,
        "layout": run.layout,
        "source": run.source,
        "now": tx.now(),
    }
    found = await tx.value(
        f"""
        UPDATE import_runs SET holder = :holder, layout = :layout, source_path = :source, written_at = :now
        WHERE {OPEN} RETURNING run_id
        """,
        values,
    )
    run.run_id = found or new_id("imp")
    if not found:
        await tx.run(
            """
            INSERT INTO import_runs (run_id, workspace_id, layout, source_path, status, started_at, holder, written_at)
            VALUES (:run_id, nullif(:unit, ''), :layout, :source, 'running', :now, :holder, :now)
            """,
            {**values, "run_id": run.run_id},
        )


async def go_on(tx: Transaction, run: Run) -> None:
    """Say that a run is alive. Raises Conflict if somebody took it over."""
    values = {"run_id": run.run_id, "holder": run.holder, "now": tx.now()}
    sql = "UPDATE import_runs SET written_at = :now WHERE run_id = :run_id AND holder = :holder RETURNING 1"
    if not await tx.value(sql, values):
        raise Conflict("Another import took over.")


async def let_go(tx: Transaction, run: Run) -> None:
    """Let somebody else go on with a run that failed."""
    await tx.run(
        "UPDATE import_runs SET holder = NULL WHERE run_id = :run_id AND holder = :holder",
        {"run_id": run.run_id, "holder": run.holder},
    )


async def complete(tx: Transaction, run: Run, report: str) -> None:
    """End a run, and show the workspace that it filled."""
    values = {"run_id": run.run_id, "report": report, "unit": run.unit, "now": tx.now()}
    await tx.run(
        """
        UPDATE import_runs SET status = 'completed', report = :report, completed_at = :now, holder = NULL,
            written_at = NULL
        WHERE run_id = :run_id
        """,
        values,
    )
    await tx.run("UPDATE workspaces SET importing = NULL WHERE workspace_id = :unit AND importing IS NOT NULL", values)
