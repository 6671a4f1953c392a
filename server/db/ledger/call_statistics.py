"""Figures of tool calls."""

from collections.abc import Sequence

from server.db.ledger.entries import LedgerFilter
from server.db.storage.connection import Reader
from server.models.ledger import ToolStatistics

# The nearest rank: the smallest time that 95 % of the calls do not exceed.
BY_TOOL = """
    WITH ranked AS (
        SELECT t.tool, t.success, t.duration_ms,
            row_number() OVER (PARTITION BY t.tool ORDER BY t.duration_ms IS NULL, t.duration_ms) AS place,
            count(t.duration_ms) OVER (PARTITION BY t.tool) AS timed
        FROM tool_calls{suffix} t WHERE {where}
    ),
    counted AS (
        SELECT tool, count(*) AS calls, sum(success = 0) AS failures, avg(duration_ms) AS mean_ms,
            min(CASE WHEN place <= timed AND place * 100 >= timed * 95 THEN duration_ms END) AS p95_ms,
            max(duration_ms) AS max_ms
        FROM ranked GROUP BY tool
    )
"""


async def by_tool(
    db: Reader, wanted: LedgerFilter, *, after: Sequence[str | int] | None, limit: int
) -> tuple[list[ToolStatistics], int]:
    """Return the figures of each tool, those with most calls first, and how many tools there are."""
    calls, tool = after or (None, None)
    head = BY_TOOL.format(suffix=wanted.suffix, where=wanted.where)
    params = {**wanted.parameters, "after_calls": calls, "after_tool": tool, "limit": limit}
    rows, [(total,)] = await db.batch(
        (
            f"""
            {head} SELECT * FROM counted
            WHERE :after_calls IS NULL OR (-calls, tool) > (-:after_calls, :after_tool)
            ORDER BY calls DESC, tool LIMIT :limit
            """,
            params,
        ),
        (f"SELECT count(DISTINCT t.tool) FROM tool_calls{wanted.suffix} t WHERE {wanted.where}", wanted.parameters),
    )
    return [ToolStatistics.of(row) for row in rows], total
