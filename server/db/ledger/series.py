"""Table `metric_points` as series: what corrects what, spans of buckets, and figures by day and week."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from server.db.ledger import entries
from server.db.ledger.entries import LedgerFilter
from server.db.storage.connection import Reader, Transaction
from server.models.base import as_dict, encode
from server.models.buckets import week
from server.models.ledger import BucketSummary

SERIES = ("workspace_id", "parent_type", "parent_id", "name", "category", "bucket")
IS_WEEK = "t.bucket LIKE '____-W__'"
IS_DAY = "length(t.bucket) = 10"
FROM = f"""
    CASE WHEN {IS_WEEK} THEN t.bucket >= :from_week WHEN {IS_DAY} THEN t.bucket >= :from_day
    ELSE t.bucket >= :from_moment END
"""
BEFORE = f"""
    CASE WHEN {IS_WEEK} THEN t.bucket <= :last_week WHEN {IS_DAY} THEN t.bucket <= :last_day
    ELSE t.bucket < :before_moment END
"""
# The figures of a day, or of a week where they are kept by week.
BY_DAY = """
    SELECT name, category, day, count(*) AS count, count(value) AS valued, sum(value) AS total, min(value) AS min,
        max(value) AS max, max(CASE WHEN place = 1 THEN value END) AS last, max(unit) AS unit
    FROM (
        SELECT t.name, t.category, t.value, t.unit, substr(t.bucket, 1, 10) AS day,
            row_number() OVER (
                PARTITION BY t.name, t.category, substr(t.bucket, 1, 10) ORDER BY t.bucket DESC, t.recorded_at DESC
            ) AS place
        FROM metric_points{suffix} t WHERE {where}
    ) AS placed
    GROUP BY name, category, day ORDER BY day DESC, name, category
"""


async def add(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str | None]]:
    """Insert points; return the id of each and of the one before it in its bucket, which it corrects."""
    ids = await entries.add_many(tx, entries.POINTS, rows)
    keys = [[point_id, *(row[name] for name in SERIES)] for point_id, row in zip(ids, rows, strict=True)]
    same = " AND ".join(f"t.{name} = (k.value ->> {place})" for place, name in enumerate(SERIES, 1))
    found = await tx.all(
        f"""
        SELECT k.value ->> 0 AS newer, t.point_id AS older FROM json_each(:keys) k JOIN metric_points t ON {same}
        WHERE t.corrected_by IS NULL AND t.point_id <> k.value ->> 0
        """,
        {"keys": encode(keys)},
    )
    await tx.many(
        "UPDATE metric_points SET corrected_by = :newer WHERE point_id = :older",
        [{"newer": row["newer"], "older": row["older"]} for row in found],
    )
    corrected = {row["newer"]: row["older"] for row in found}
    return [(point_id, corrected.get(point_id)) for point_id in ids]


def span(since: str | None, until: str | None) -> tuple[list[str], dict[str, Any]]:
    """Return the conditions that buckets are in a span of time, whatever they are, and their values.

    The week that a span begins in belongs to it, and so does the day.
    """
    conditions, params = list[str](), dict[str, Any]()
    if since:
        conditions.append(FROM)
        params |= {"from_week": week(since), "from_day": since[:10], "from_moment": since}
    if until:
        last = date.fromisoformat(until[:10])
        if until[11:].startswith("00:00:00.000") and last > date.min:
            last -= timedelta(days=1)
        conditions.append(BEFORE)
        params |= {"last_week": week(last.isoformat()), "last_day": last.isoformat(), "before_moment": until}
    return conditions, params


async def summaries(
    db: Reader, wanted: LedgerFilter, *, width: str, after: Sequence[str | int] | None, limit: int
) -> tuple[list[BucketSummary], int]:
    """Return the figures of each series by day or week, newest first, and how many there are."""
    rows = await db.all(BY_DAY.format(suffix=wanted.suffix, where=wanted.where), wanted.parameters)
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in map(as_dict, rows):
        is_week = "W" in row["day"]
        name = row["day"] if is_week or width == "day" else week(row["day"])
        found.setdefault((name, row["name"], row["category"]), []).append(row)
    keys = sorted(found, key=lambda key: (key[1], key[2]))
    keys.sort(key=lambda key: key[0], reverse=True)
    behind = [key for key in keys if after is None or _is_behind(key, after)]
    return [_summary(key, found[key]) for key in behind[:limit]], len(keys)


def _is_behind(key: tuple[str, str, str], after: Sequence[str | int]) -> bool:
    bucket = str(after[0])
    return key[0] < bucket or (key[0] == bucket and (key[1], key[2]) > (str(after[1]), str(after[2])))


def _summary(key: tuple[str, str, str], days: Sequence[Mapping[str, Any]]) -> BucketSummary:
    """Put days together, the newest of which comes first."""
    valued = sum(day["valued"] for day in days)
    least = [day["min"] for day in days if day["min"] is not None]
    most = [day["max"] for day in days if day["max"] is not None]
    return BucketSummary(
        name=key[1],
        category=key[2],
        bucket=key[0],
        count=sum(day["count"] for day in days),
        last=days[0]["last"],
        mean=sum(day["total"] or 0 for day in days) / valued if valued else None,
        min=min(least) if least else None,
        max=max(most) if most else None,
        unit=next((day["unit"] for day in days if day["unit"]), None),
    )
