"""Tables `plans` and `plans_archive`."""

from collections.abc import Mapping
from typing import Any

from server.db.connection import Reader, Transaction
from server.db.near import not_found
from server.errors import Conflict
from server.models.base import encode, new_id
from server.models.plans import Plan

LISTER = "memory_plan action='list'"


async def insert(tx: Transaction, *, workspace_id: str, title: str, **columns: Any) -> Plan:
    """Insert a plan. `columns` are further columns; lists and dicts become JSON."""
    values = {"plan_id": new_id("plan"), "workspace_id": workspace_id, "title": title, **columns}
    values |= {"created_at": tx.now(), "updated_at": tx.now()}
    names = ", ".join(values)
    row = await tx.one(
        f"INSERT INTO plans ({names}) VALUES ({', '.join(':' + name for name in values)}) RETURNING *", stored(values)
    )
    assert row is not None  # RETURNING gives the row
    return Plan.of(row)


async def find(db: Reader, plan_id: str) -> Plan | None:
    """Return a plan, live or archived."""
    for table in ("plans", "plans_archive"):
        row = await db.one(f"SELECT * FROM {table} WHERE plan_id = :plan_id", {"plan_id": plan_id})
        if row:
            return Plan.of(row)
    return None


async def require(db: Reader, plan_id: str) -> Plan:
    """Return a plan, live or archived, or raise NotFound."""
    if plan := await find(db, plan_id):
        return plan
    raise await not_found(db, "plan", plan_id, table="plans", label="title", lister=LISTER)


async def require_live(db: Reader, plan_id: str) -> Plan:
    """Return a plan that can be changed, or raise NotFound, or Conflict for an archived one."""
    plan = await require(db, plan_id)
    if plan.archived_at:
        raise Conflict(
            f"The plan {plan_id} is archived. memory_plan action='unarchive' plan_id={plan_id!r} brings it back."
        )
    return plan


async def update(tx: Transaction, plan_id: str, changes: Mapping[str, Any]) -> Plan:
    """Change columns of a plan, its version and its time."""
    assignments = "".join(f"{name} = :{name}, " for name in changes)
    row = await tx.one(
        f"""
        UPDATE plans SET {assignments}updated_at = :updated_at, version = version + 1
        WHERE plan_id = :plan_id RETURNING *
        """,
        {**stored(changes), "plan_id": plan_id, "updated_at": tx.now()},
    )
    assert row is not None  # the caller required the plan in this transaction
    return Plan.of(row)


async def touch(tx: Transaction, plan_id: str) -> None:
    """Note that something in the plan changed."""
    await tx.run("UPDATE plans SET updated_at = :now WHERE plan_id = :plan_id", {"plan_id": plan_id, "now": tx.now()})


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return column values as SQLite stores them: lists and dicts as JSON, booleans as 0 and 1."""
    return {name: _stored(value) for name, value in values.items()}


def _stored(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return encode(value) if isinstance(value, list | tuple | dict) else value


def check_version(found: int, expected: int | None, what: str) -> None:
    """Raise Conflict when the caller edits another version than the one that is there."""
    if expected is not None and expected != found:
        raise Conflict(
            f"{what} has version {found}, not {expected}: it changed since you read it. Read it again.", version=found
        )
