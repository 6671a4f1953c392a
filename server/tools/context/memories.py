"""memory_context: small facts under a key, kept until they expire or are forgotten."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events, trash
from server.db.context import memories
from server.db.context.memories import Where
from server.db.plans import plans
from server.db.search.scope import Scope
from server.db.storage.connection import Reader, Transaction
from server.errors import InvalidArguments
from server.models.context import AnyScope, Fact, Lifetime
from server.models.events import Event
from server.models.search import Query
from server.models.text import Id, Line, SomeText
from server.tools import context_rules, search_rules
from server.tools.common import CONFIRM, Call
from server.tools.context.items import Prefix
from server.tools.context.tool import TOOL
from server.tools.render import Page, reading

SCOPES = "facts: workspace|plan|agent|global; search: workspace|plan|program|linked|all"
For = Annotated[AnyScope, Field(description=SCOPES)]
DEFAULT = "default"


@TOOL.action()
async def remember(
    call: Call,
    *,
    key: Line,
    value: SomeText,
    namespace: Line | None = None,
    ttl_seconds: Lifetime | None = None,
    scope: For = "workspace",
    plan_id: Id | None = None,
) -> dict[str, Any]:
    """Keep a small fact under a key.

    In place of what is there. `scope` says whom it is for: workspace (default), plan (plan_id, or the plan of your
    session), agent (you, in this workspace, by your session's name or `agent`), global (every workspace). `namespace`
    (default "default") keeps keys apart. With ttl_seconds it vanishes then; without, it stays. Objects belong to store.

    Example: {"action":"remember","key":"test command","value":"./scripts/test"}
    """
    async with call.write() as tx:
        where = await _where(call, tx, scope, plan_id)
        workspace_id = await _home(call, tx, where)
        fact = await memories.put(
            tx, where, namespace=namespace or DEFAULT, key=key, value=value, ttl_seconds=ttl_seconds
        )
        _record(tx, "memory_remembered", fact, None)
        return {
            "key": fact.key,
            "workspace_id": workspace_id,
            "scope": scope,
            "namespace": fact.namespace,
            "version": fact.version,
            "expires_at": fact.expires_at,
        }


@TOOL.action(read_only=True, takes=("page", "actor"))
async def recall(
    call: Call,
    *,
    key: Line | None = None,
    prefix: Prefix | None = None,
    query: Query | None = None,
    namespace: Line | None = None,
    scope: For = "workspace",
    plan_id: Id | None = None,
) -> Fact | Page:
    """A fact by its key, those there are, or by words.

    With `key` the one of that namespace (default "default"); without, a list: of one namespace or of all, of keys that
    begin with `prefix` or all. The list shows 300 characters of a value, and `cut` where there is more. `query` finds
    facts by words, as search does, the best first. `scope` as in remember.

    Example: {"action":"recall","key":"test command"}
    """
    if query is not None:
        if key or prefix:
            raise InvalidArguments("'query' finds facts by words; 'key' and 'prefix' name them. Send one of them.")
        where = await _where(call, call.db, scope, plan_id)
        homes = [where.workspace_id] if where.workspace_id else None
        mine = Scope(homes, kinds=["memory"], subtype=namespace, parent=(where.scope, where.scope_id))
        return await search_rules.hits(call, query, mine)
    after = call.after("memories", 2)
    if key and (prefix or after):
        raise InvalidArguments("'key' names one fact; 'prefix' and 'cursor' belong to a list. Send one or the other.")
    where = await _where(call, call.db, scope, plan_id)
    if key:
        return await memories.require(call.db, where, namespace or DEFAULT, key)
    who = {"workspace_id": where.workspace_id, "plan_id": plan_id, "session_id": call.shared.session_id}
    whole = reading("memory_context recall", "namespace", "key", scope=scope, agent=call.shared.agent, **who)
    rows, total = await memories.list_(
        call.db,
        where,
        namespace=namespace,
        prefix=prefix or "",
        after=after,
        limit=call.shared.limit + 1,
    )
    return Page(
        "memories", rows, total, call.shared.limit, lambda row: [row.namespace, row.key], "memories", whole=whole
    )


@TOOL.action(destructive=True)
async def forget(
    call: Call,
    *,
    key: Line,
    namespace: Line | None = None,
    scope: For = "workspace",
    plan_id: Id | None = None,
    confirm: bool = False,
) -> dict[str, Any]:
    """Remove a fact to the trash; preview unless confirm.

    `namespace` and `scope` as in remember. memory_workspace restore brings it back.

    Example: {"action":"forget","key":"test command"}
    """
    async with call.write() as tx:
        where = await _where(call, tx, scope, plan_id)
        workspace_id = await _home(call, tx, where)
        fact = await memories.require(tx, where, namespace or DEFAULT, key)
        if not confirm:
            gone = fact.model_dump(include={"scope", "namespace", "key", "version", "updated_at"})
            return {"workspace_id": workspace_id, "preview": {"would_delete": gone, "hint": CONFIRM}}
        trash_id = await trash.put(
            tx,
            entity_type="memory",
            entity_id=fact.entry_id,
            title=f"{fact.namespace}: {fact.key}",
            workspace_id=workspace_id,
            plan_id=_plan_id(fact),
            rows={"memory_entries": [await memories.delete(tx, where, fact.namespace, fact.key)]},
        )
        _record(tx, "memory_forgotten", fact, f"forgot {fact.key!r} ({fact.namespace})")
        return {"key": fact.key, "workspace_id": workspace_id, "deleted": True, "trash_id": trash_id}


async def _where(call: Call, db: Reader, scope: AnyScope, plan_id: str | None) -> Where:
    """Return whom a fact is for."""
    if plan_id and scope != "plan":
        raise InvalidArguments(f"plan_id belongs to scope='plan', not to scope={scope!r}. Leave one of them out.")
    match scope:
        case "plan":
            named = _known(plan_id or await context_rules.own_plan(call, db), "plan_id")
            plan = await (plans.require_live if isinstance(db, Transaction) else plans.require)(db, named)
            return Where("plan", plan.plan_id, await call.workspace_id(db, plan.workspace_id))
        case "agent":
            named = _known(await context_rules.own_name(call, db), "session_id or agent")
            return Where("agent", named, await call.workspace_id(db))
        case "workspace":
            workspace_id = await call.workspace_id(db)
            return Where("workspace", workspace_id, workspace_id)
        case "global":
            return Where("global", "global", None)
        case _:
            raise InvalidArguments(f"A fact is for a workspace, plan, agent or global; scope={scope!r} is for search.")


async def _home(call: Call, tx: Transaction, where: Where) -> str | None:
    """Return the workspace whose log tells of a fact; for a global one that of its caller, if there is one."""
    tx.workspace_id = where.workspace_id or await call.told(tx) or await call.usual(tx)
    return tx.workspace_id


def _known(named: str | None, wanted: str) -> str:
    if named:
        return named
    raise InvalidArguments(f"Whose fact is it? Send {wanted}, or another scope.", missing=[wanted])


def _plan_id(fact: Fact) -> str | None:
    return fact.scope_id if fact.scope == "plan" else None


def _record(tx: Transaction, kind: str, fact: Fact, summary: str | None) -> None:
    data = {"scope": fact.scope, "namespace": fact.namespace, "key": fact.key}
    events.record(tx, Event(kind, "memory", fact.entry_id, plan_id=_plan_id(fact), summary=summary, data=data))
