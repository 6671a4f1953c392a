"""memory_ledger: series of figures."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.ledger import entries, series
from server.db.storage.connection import Transaction
from server.errors import InvalidArguments, ProjectMemoryError
from server.models.base import as_dict
from server.models.events import Event
from server.models.evidence import NewPoint, ToldData, ToldLine
from server.models.ledger import Bucket, Number, Point
from server.models.text import Id, Line
from server.tools.common import Call, Detail
from server.tools.ledger.parameters import LedgerPlace, Since, also, listed, one, one_of, place, wanted
from server.tools.ledger.tool import TOOL
from server.tools.render import Page, Result

MOST_TOLD = 5
Points = Annotated[
    list[NewPoint],
    Field(min_length=1, max_length=1000, description="[{name, value, bucket?, unit?, category?, data?}]"),
]
Width = Annotated[Line, one_of("day", "week")]


@TOOL.action(takes=("request",))
async def record_metric(
    call: Call,
    *,
    name: ToldLine,
    value: Number,
    bucket: Bucket | None = None,
    unit: Line | None = None,
    category: Line | None = None,
    data: ToldData | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
) -> dict[str, Any]:
    """Add a figure to a series.

    Of a step, a plan or the workspace. bucket is a time, a day (2030-01-31) or an ISO week (2030-W05); now, unless you
    say so. Another figure for the same series and bucket corrects the one before, which stays and names it.

    Example: {"action":"record_metric","name":"coverage","value":87.5,"unit":"%","bucket":"2030-W05"}
    """
    new = NewPoint(name=name, value=value, bucket=bucket, unit=unit, category=category, data=data)
    async with call.write() as tx:
        where = await place(call, tx, plan_id, step_id)
        [(point_id, corrected)] = await _added(tx, [new], [where])
        about = {"name": name, "value": value}
        events.record(tx, Event("metric_recorded", "point", point_id, plan_id=where.plan_id, data=about))
        return {"point_id": point_id, **where.told, "bucket": new.bucket or tx.now(), "corrects": corrected}


@TOOL.action(takes=("request",))
async def record_metrics(call: Call, *, points: Points, plan_id: Id | None = None, step_id: Id | None = None) -> Result:
    """Add up to 1,000 figures: all or none.

    Each is described as in record_metric, with a step_id or plan_id of its own where it has one. Two for the same
    series need buckets of their own.

    Example: {"action":"record_metrics","points":[{"name":"coverage","value":87.5},{"name":"tests","value":412}]}
    """
    async with call.write(is_quick=False) as tx:
        where = await place(call, tx, plan_id, step_id)
        homes = await _homes(call, tx, points, where)
        _refuse_doubles(points, homes)
        made = await _added(tx, points, homes)
        names = sorted({point.name for point in points})
        home = ("plan", where.plan_id) if where.plan_id else ("workspace", where.workspace_id)
        data = {"points": len(made), "names": names[:20]}
        events.record(tx, Event("metrics_recorded", *home, plan_id=where.plan_id, data=data))
        corrected = sum(old is not None for _, old in made)
        parts = {**where.told, "recorded": len(made), "corrected": corrected, "point_ids": [new for new, _ in made]}
        return Result(parts, "memory_ledger action='list_metrics' lists them")


async def _homes(call: Call, tx: Transaction, points: Sequence[NewPoint], where: LedgerPlace) -> list[LedgerPlace]:
    """Return what each figure is about; every problem is told at once."""
    known: dict[tuple[str | None, str | None], LedgerPlace] = {(None, None): where}
    problems: list[str] = []
    for number, point in enumerate(points):
        named = (point.plan_id, point.step_id)
        if named not in known:
            try:
                known[named] = await place(call, tx, *named)
            except ProjectMemoryError as error:
                known[named] = where
                problems.append(f"points[{number}]: {error}")
    if problems:
        raise InvalidArguments(f"{' '.join(problems[:MOST_TOLD])} Nothing was recorded.", problems=problems[:25])
    return [known[point.plan_id, point.step_id] for point in points]


def _key(point: NewPoint, where: LedgerPlace) -> tuple[Any, ...]:
    return (where.plan_id, where.step_id, point.category or "", point.name, point.bucket)


def _refuse_doubles(points: Sequence[NewPoint], homes: Sequence[LedgerPlace]) -> None:
    seen: dict[tuple[Any, ...], int] = {}
    for number, (point, where) in enumerate(zip(points, homes, strict=True)):
        first = seen.setdefault(_key(point, where), number)
        if first != number:
            raise InvalidArguments(
                f"points[{first}] and points[{number}] are of the same series {point.name!r} and the same bucket "
                f"({point.bucket or 'now'}). Give each a bucket of its own. Nothing was recorded."
            )


async def _added(
    tx: Transaction, points: Sequence[NewPoint], homes: Sequence[LedgerPlace]
) -> list[tuple[str, str | None]]:
    """Insert points; return the id of each and of the one that it corrects."""
    rows = [
        {
            **where.parent,
            "category": point.category or "",
            "name": point.name,
            "bucket": point.bucket or tx.now(),
            "value": point.value,
            "unit": point.unit,
            "data": point.data or {},
            "recorded_at": tx.now(),
        }
        for point, where in zip(points, homes, strict=True)
    ]
    return await series.add(tx, rows)


@TOOL.action(read_only=True, takes=("page",))
async def list_metrics(
    call: Call,
    *,
    point_id: Id | None = None,
    name: ToldLine | None = None,
    category: Line | None = None,
    bucket: Width | None = None,
    since: Since | None = None,
    until: Since | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
    history: bool = False,
    detail: Detail = "brief",
) -> Page | Point:
    """Figures, or their summary by day or week.

    Of a step, a plan or the workspace, those recorded last first; since and until are about buckets. bucket=day
    or week puts the figures of each together: count, last, mean, min, max. history=true lists corrected ones too.
    detail=full adds data; point_id gives one whole.

    Example: {"action":"list_metrics","name":"coverage","bucket":"week","plan_id":"plan_1rqewqexykb7"}
    """
    if point_id:
        return Point.of(as_dict(await one(call, entries.POINTS, point_id)))
    found = await wanted(call, plan_id, step_id, by_parent=True, name=name, category=category)
    found = also(found, *series.span(since, until))
    if not history or bucket:
        found = also(found, ["t.corrected_by IS NULL"], {})
    if bucket:
        after = call.after("metrics", 3)
        rows, total = await series.summaries(call.db, found, width=bucket, after=after, limit=call.shared.limit + 1)
        extra = {"workspace_id": found.workspace_id}
        return Page(
            "metrics",
            rows,
            total,
            call.shared.limit,
            lambda row: [row.bucket, row.name, row.category],
            "metrics",
            extra,
        )
    return await listed(call, "points", entries.POINTS, Point, found, full=detail == "full")
