"""Table `step_counts`: how many steps of a plan came, went, were finished and opened again on a day.

They are counted as the events that tell of it are logged, so that nobody who asks goes through the log, and nothing is
lost when old events go.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from server.db.storage.connection import Reader, Transaction
from server.models.events import Event
from server.models.steps import CLOSED

COUNTS = ("added", "dropped", "finished", "reopened")
SUMS = ", ".join(f"sum({name}) AS {name}" for name in COUNTS)
DAY = 10  # characters of a time


@dataclass(frozen=True)
class StepScope:
    """The plans that are counted together: one, those of a program, or those of a workspace."""

    id: str
    kind: str = "plan"

    @property
    def where(self) -> str:
        return {
            "plan": "plan_id = :id",
            "program": "plan_id IN (SELECT plan_id FROM program_plans WHERE program_id = :id)",
            "workspace": "workspace_id = :id",
        }[self.kind]


@dataclass(frozen=True)
class StepHistory:
    """What happened on each day on which something did, oldest first, and how many steps are open now."""

    days: list[dict[str, Any]]
    open: int


def of_event(kind: str, data: Mapping[str, Any]) -> dict[str, int]:
    """Return what an event does to the number of open steps of its plan, by the name of the count."""
    if kind != "step_updated":
        return {"added": data.get("opened", 0), "dropped": data.get("dropped", 0)}
    if "to" not in data or "from" not in data:
        return {}
    was_closed, is_closed = data["from"] in CLOSED, data["to"] in CLOSED
    if was_closed == is_closed:
        return {}
    return {"reopened": 1} if was_closed else {"finished" if data["to"] == "done" else "dropped": 1}


async def add(tx: Transaction, logged: Iterable[Event]) -> None:
    """Count what events do that are logged now."""
    found: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    for event in logged:
        told = {name: number for name, number in of_event(event.type, event.data).items() if number}
        if event.plan_id and told:
            for name, number in told.items():
                found[event.plan_id][name] += number
    if found:
        day = tx.now()[:DAY]
        adding = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTS)
        await tx.many(
            f"""
            INSERT INTO step_counts (plan_id, day, {", ".join(COUNTS)})
            VALUES (:plan_id, :day, {", ".join(f":{name}" for name in COUNTS)})
            ON CONFLICT (plan_id, day) DO UPDATE SET {adding}
            """,
            [{"plan_id": plan_id, "day": day, **counts} for plan_id, counts in found.items()],
        )


async def history(db: Reader, scope: StepScope) -> StepHistory:
    """Return what happened to steps by day. The open steps of a plan that is archived went on the day of that."""
    counted = f"SELECT {{0}} FROM {{1}} AS p JOIN step_counts c ON c.plan_id = p.plan_id WHERE p.{scope.where}"
    names = f"c.day, {', '.join(f'c.{name}' for name in COUNTS)}"
    days, [row] = await db.batch(
        (
            f"""
            SELECT day, {SUMS} FROM (
                {counted.format(names, "plans")} UNION ALL {counted.format(names, "plans_archive")}
                UNION ALL SELECT substr(archived_at, 1, {DAY}), 0, open_steps, 0, 0 FROM plans_archive
                WHERE {scope.where} AND open_steps > 0
            ) AS counts GROUP BY day ORDER BY day
            """,
            {"id": scope.id},
        ),
        (f"SELECT coalesce(sum(open_steps), 0) AS open FROM plans WHERE {scope.where}", {"id": scope.id}),
    )
    return StepHistory([dict(day) for day in days], row["open"])
