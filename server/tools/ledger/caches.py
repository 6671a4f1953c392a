"""memory_ledger: values for a while, each for a configuration."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events
from server.db.ledger import caches
from server.db.storage.connection import Reader, Transaction
from server.errors import InvalidArguments
from server.models.events import Event
from server.models.text import Data, Id, Line
from server.tools import context_rules
from server.tools.common import Call
from server.tools.ledger.parameters import one_of, place, wanted
from server.tools.ledger.tool import TOOL

YEAR = 365 * 86_400
Lasts = Annotated[int, Field(ge=1, le=YEAR)]
CacheScope = Annotated[
    Line, one_of("workspace", "plan", "step", "agent"), Field(description="workspace|plan|step|agent")
]


@TOOL.action()
async def cache_set(
    call: Call,
    *,
    key: Line,
    payload: Data | None = None,
    ttl_seconds: Lasts | None = None,
    config_hash: Line | None = None,
    scope: CacheScope | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
) -> dict[str, Any]:
    """Keep a value that can be made anew.

    Under a key, in place of what is there: of the workspace, or of a plan or step that you name, or of you
    (scope=agent). With ttl_seconds it is gone then. config_hash says what it was made with: cache_get with another one
    does not find it. Unlike facts it is never found by search.

    Example: {"action":"cache_set","key":"coverage","payload":{"total":87.5},"ttl_seconds":3600,"config_hash":"9f2c"}
    """
    async with call.write() as tx:
        parent = await _parent(call, tx, scope, plan_id, step_id)
        value = {"key": key, "payload": payload or {}, "config_hash": config_hash}
        row = await caches.put(tx, parent, value, ttl_seconds)
        data = {"key": key, "expires_at": row.expires_at}
        events.record(tx, Event("cache_set", "entry", row.entry_id, plan_id=parent["plan_id"], data=data))
        return {"key": key, **_told(parent), "expires_at": row.expires_at}


@TOOL.action(read_only=True, takes=("actor",))
async def cache_get(
    call: Call,
    *,
    key: Line,
    config_hash: Line | None = None,
    scope: CacheScope | None = None,
    plan_id: Id | None = None,
    step_id: Id | None = None,
) -> dict[str, Any]:
    """The value of a key, if it is there.

    `hit` says whether it is: not expired, and made with this config_hash if you send one.

    Example: {"action":"cache_get","key":"coverage","config_hash":"9f2c"}
    """
    parent, suffix = await _readable(call, scope, plan_id, step_id)
    found = await caches.find(call.db, parent, key, suffix=suffix)
    told = {"key": key, **_told(parent)}
    if found is None or (config_hash is not None and found.config_hash != config_hash):
        return {**told, "hit": False}
    more = {"config_hash": found.config_hash, "expires_at": found.expires_at, "updated_at": found.updated_at}
    return {**told, "hit": True, "payload": found.payload, **more}


@TOOL.action()
async def cache_clear(
    call: Call, *, key: Line, scope: CacheScope | None = None, plan_id: Id | None = None, step_id: Id | None = None
) -> dict[str, Any]:
    """Drop the value of a key.

    Of the same place as in cache_set. What is not there any more is no error: `cleared` tells how many went.

    Example: {"action":"cache_clear","key":"coverage"}
    """
    async with call.write() as tx:
        parent = await _parent(call, tx, scope, plan_id, step_id)
        gone = await caches.delete(tx, parent, key)
        for entry_id in gone:
            events.record(tx, Event("cache_cleared", "entry", entry_id, plan_id=parent["plan_id"], data={"key": key}))
        return {"key": key, **_told(parent), "cleared": len(gone)}


def _told(parent: dict[str, Any]) -> dict[str, Any]:
    return {"workspace_id": parent["workspace_id"], "scope": parent["parent_type"], "plan_id": parent["plan_id"]}


async def _parent(
    call: Call, tx: Transaction, scope: str | None, plan_id: str | None, step_id: str | None
) -> dict[str, Any]:
    """Return what a value belongs to."""
    scope = _scope(scope, plan_id, step_id)
    if scope == "plan":
        named = plan_id or await context_rules.own_plan(call, tx)
        return (await place(call, tx, _known(named, "plan_id"), None)).parent
    if scope == "step":
        return (await place(call, tx, plan_id, step_id)).parent
    return await _of_nobody_else(call, tx, scope)


async def _readable(
    call: Call, scope: str | None, plan_id: str | None, step_id: str | None
) -> tuple[dict[str, Any], str]:
    """Like `_parent`, for what is archived too; and the suffix of its table."""
    scope = _scope(scope, plan_id, step_id)
    if scope not in ("plan", "step"):
        return await _of_nobody_else(call, call.db, scope), ""
    plan_id = plan_id or (None if step_id else _known(await context_rules.own_plan(call, call.db), "plan_id"))
    found = await wanted(call, plan_id, step_id)
    plan_id = found.values["plan_id"]
    parent = {"parent_type": scope, "parent_id": step_id if scope == "step" else plan_id}
    return {"workspace_id": found.workspace_id, "plan_id": plan_id, **parent}, found.suffix


async def _of_nobody_else(call: Call, db: Reader, scope: str) -> dict[str, Any]:
    """Return the workspace, or the agent that calls."""
    workspace_id = await call.workspace_id(db)
    if scope == "workspace":
        owner = workspace_id
    else:
        owner = _known(await context_rules.own_name(call, db), "session_id or agent")
    return {"workspace_id": workspace_id, "plan_id": None, "parent_type": scope, "parent_id": owner}


def _scope(scope: str | None, plan_id: str | None, step_id: str | None) -> str:
    meant = "step" if step_id else "plan" if plan_id else None
    if scope and meant and scope != meant and not (scope == "step" and meant == "plan"):
        raise InvalidArguments(f"scope={scope!r} takes no {meant}_id. Leave one of them out.")
    if scope == "step" and not step_id:
        raise InvalidArguments("scope='step' needs step_id.", missing=["step_id"])
    return scope or meant or "workspace"


def _known(named: str | None, missing: str) -> str:
    if named:
        return named
    raise InvalidArguments(f"Whose value is it? Send {missing}, or another scope.", missing=[missing])
