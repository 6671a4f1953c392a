"""memory_workspace: what happened, what was deleted and can come back, and how much there is."""

from typing import Annotated, Any

from pydantic import Field

from server.db.audit import events, restore, trash
from server.db.audit.events import EventFilter
from server.db.plans import plans
from server.db.storage.connection import Reader
from server.db.storage.list_totals import COUNTED
from server.db.upkeep import outlived
from server.db.workspaces import stats
from server.errors import InvalidArguments
from server.models.events import ENTITIES, TYPES, Event, LoggedEvent, LoggedUpdate, types_of
from server.models.steps import OPEN
from server.models.text import Id, Index, Lines, Moment
from server.models.workspaces import Stats
from server.registry import MOST_PROBLEMS, NAME_SHOWN, nearest
from server.tools import plan_progress
from server.tools.common import Agent, Call, Detail
from server.tools.project_files import file_changes, trashed_files
from server.tools.render import Page, reading
from server.tools.workspace.tool import TOOL

Wait = Annotated[float, Field(ge=0, le=25, description="seconds to wait for the first one")]
Types = Annotated[Lines, Field(description="event types, or entities: step")]
RESET = "events up to {0} are gone: read anew what you follow, then go on from latest_id"
EVENT_TYPES = [{"type": type_, "entities": list(about), "means": means} for type_, (about, means) in TYPES.items()]


@TOOL.action(read_only=True, takes=("page",))
async def history(
    call: Call,
    *,
    plan_id: Id | None = None,
    agent: Agent | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    log_id: Index | None = None,
) -> Page | LoggedUpdate:
    """What was done, in words, newest first.

    plan_id, agent (whose work), since and until (times; until is not included) narrow it. Deleted plans keep theirs.
    log_id gives one entry whole.

    Example: {"action":"history","plan_id":"plan_1rqewqexykb7","since":"2030-01-31"}
    """
    limit = call.shared.limit
    workspace_id = await _workspace_of(call, plan_id)
    if log_id is not None:
        return await events.require_update(call.db, workspace_id, log_id)
    after = call.after("history", 1)
    rows, total = await events.history(
        call.db,
        workspace_id=workspace_id,
        plan_id=plan_id,
        agent=agent,
        since=since,
        until=until,
        before_id=int(after[0]) if after else None,
        limit=limit + 1,
    )
    if not rows and plan_id:
        await _require_known(call.db, plan_id)
    rows = [row.model_copy(update={"workspace_id": None}) for row in rows]
    extra = {"workspace_id": workspace_id}
    whole = reading("memory_workspace history", "log_id", **extra)
    return Page("history", rows, total, limit, lambda row: [row.log_id], "history", extra, COUNTED, whole)


@TOOL.action(read_only=True, takes=("page",), lists={"event_types": EVENT_TYPES})
async def events_(
    call: Call,
    *,
    since_id: Index = 0,
    types: Types | None = None,
    plan_id: Id | None = None,
    wait_seconds: Wait = 0,
    event_id: Index | None = None,
    newest: bool = False,
) -> Page | LoggedEvent:
    """Every change after an event id, oldest first.

    To follow what happens, begin with the latest_id of an answer (limit=1 is enough), then pass the event_id of the
    last event you got. While there is a next_cursor, there are more already. Nothing new is an empty list. With
    wait_seconds (at most 25) it answers as soon as any process has written something that matches. types are those of
    event_types (help lists them with their meaning) or entities, each for all types about it: ["step"] is every change
    of steps. event_id gives one event whole, in pieces if need be (`next_offset`). Old events go with time: `reset`
    tells that some after since_id are gone. newest=true begins with the newest, for who looks back.

    Example: {"action":"events","since_id":1234,"types":["step"],"wait_seconds":20}
    """
    limit = call.shared.limit
    workspace_id = await _workspace_of(call, plan_id)
    if event_id is not None:
        return await events.require(call.db, workspace_id, event_id)
    after = call.after(_listing(newest), 1)
    after_id = int(after[0]) if after else since_id
    wanted_types = await _known_types(call.db, workspace_id, types or [])
    gone = await outlived.newest_trimmed(call.db, workspace_id)
    is_behind = 0 < (since_id if newest else after_id) < gone
    if wait_seconds and not is_behind:
        with call.waits.at_most(wait_seconds):
            await events.wait_for(
                call.db, EventFilter(workspace_id, since_id if newest else after_id, wanted_types, plan_id)
            )
    latest = await events.latest(call.db, workspace_id, limit=1)  # first, so that nothing can slip between
    wanted = EventFilter(workspace_id, since_id, wanted_types, plan_id)
    begin = after_id if after or not newest else (latest[0].event_id if latest else 0) + 1
    rows, total = await events.page(call.db, wanted, after_id=begin, limit=limit + 1, newest=newest)
    if not rows and plan_id and not since_id:
        await _require_known(call.db, plan_id)
    rows = [row.model_copy(update={"workspace_id": None}) for row in rows]
    extra: dict[str, Any] = {"workspace_id": workspace_id, "latest_id": latest[0].event_id if latest else 0}
    extra |= {"reset": RESET.format(gone)} if is_behind else {}
    whole = reading("memory_workspace events", "event_id", workspace_id=workspace_id)
    return Page("events", rows, total, limit, lambda row: [row.event_id], _listing(newest), extra, COUNTED, whole)


def _listing(newest: bool) -> str:
    """Return the name of the list that a cursor is of: one of the other order would lead elsewhere."""
    return "events, newest first" if newest else "events"


async def _known_types(db: Reader, workspace_id: str, named: list[str]) -> list[str]:
    """Return the types that a filter means, or refuse those that are neither declared nor in the log."""
    wanted = types_of(named)
    strange = [name for name in wanted if name not in TYPES]
    unknown = sorted(set(strange) - await events.logged_types(db, workspace_id, strange)) if strange else []
    if unknown:
        near = {name: nearest(name, (*TYPES, *ENTITIES)) for name in unknown}
        told = [f"{name[:NAME_SHOWN]!r}{f' (did you mean {like!r}?)' if like else ''}" for name, like in near.items()]
        raise InvalidArguments(
            f"There is no event type {', '.join(told[:MOST_PROBLEMS])}. memory_workspace action='help' topic='events' "
            f"lists them; all about an entity: {', '.join(sorted(ENTITIES))}."
        )
    return wanted


async def _workspace_of(call: Call, plan_id: str | None) -> str:
    """Return the workspace of the call. A deleted plan cannot tell its own any more, but the logs still know it."""
    plan = await plans.find(call.db, plan_id) if plan_id else None
    return await call.workspace_id(call.db, plan.workspace_id if plan else None)


async def _require_known(db: Reader, plan_id: str) -> None:
    """Tell an empty log from one that nobody could have written."""
    await plans.require(db, plan_id)


@TOOL.action(read_only=True, takes=("page",))
async def trash_(call: Call) -> Page:
    """What was deleted and can come back, newest first.

    Everything stays until its expires_at, 30 days after it was deleted unless a setting says otherwise; restore takes
    its trash_id.

    Example: {"action":"trash"}
    """
    limit = call.shared.limit
    workspace_id = await call.workspace_id(call.db)
    after = call.after("trash", 2)
    rows, total = await trash.list_(call.db, workspace_id, after=after, limit=limit + 1)
    rows = [row.model_copy(update={"workspace_id": None}) for row in rows]
    extra = {"workspace_id": workspace_id}
    return Page("trash", rows, total, limit, lambda row: [row.created_at, row.trash_id], "trash", extra)


@TOOL.action(takes=("request", "force"), then=file_changes.carry_out)
async def restore_(call: Call, *, trash_id: Id) -> dict[str, Any]:
    """Bring back what was deleted, with its ids.

    All of it or nothing: a conflict says what is in its place now, or which parent is gone or archived. Steps return
    to their old index, and later ones move up. Dependencies on what is in the trash too come back with it; those on
    what no longer exists, and what expired meanwhile, are left out, with a warning. A file comes back where it was; if
    somebody changed what is there now, only with force=true, and that goes to the trash.

    Example: {"action":"restore","trash_id":"trash_1rqewqexykb7"}
    """
    file = await trashed_files.ready(call, trash_id)
    async with call.write(is_quick=False) as tx:
        entry = await trash.take(tx, trash_id)
        workspace_id = await (call.workspace_id(tx, entry.workspace_id) if entry.workspace_id else call.told(tx))
        tx.workspace_id = workspace_id
        warnings = await (trashed_files.put_back(call, tx, file, entry) if file else restore.put_back(tx, entry.data))
        data: dict[str, Any] = {"trash_id": trash_id}
        if entry.plan_id and entry.entity_type != "plan":
            await plans.touch(tx, entry.plan_id)
            if opened := sum(step["status"] in OPEN for step in entry.data.get("steps", ())):
                await plan_progress.reopen(tx, entry.plan_id)
                data["opened"] = opened
        events.record(
            tx,
            Event(
                f"{entry.entity_type}_restored",
                "plan" if entry.entity_type == "steps" else entry.entity_type,
                entry.entity_id,
                workspace_id=workspace_id,
                plan_id=entry.plan_id,
                summary=f"Restored {entry.entity_type} {entry.title}",
                data=data,
            ),
        )
    return {
        "workspace_id": workspace_id,
        "plan_id": entry.plan_id,
        "entity_type": entry.entity_type,
        "entity_id": entry.entity_id,
        "title": entry.title,
        "restored": {table: len(rows) for table, rows in entry.data.items()},
        "warnings": warnings,
    }


@TOOL.action(read_only=True)
async def stats_(call: Call, *, detail: Detail = "brief") -> Stats:
    """Row counts, sizes, schema version, oldest claim, trash.

    Of the whole database; workspace_id or workspace_path narrows rows, claim and trash to one workspace. A table of
    more than 10,000 rows is told as "10000+"; detail=full counts them all. What expired is not counted. expiring tells
    by table how much of it there still is, which may go for good, and when the next expires; the oldest trash goes
    from trash.may_go_from on. retention tells how long something is kept, and when the oldest of a log may go.
    crash_check is there once a server left without signing off: problems is what the whole database was found to have
    then, none if it is sound. warnings are there when it is larger than the setting warn_size.

    Example: {"action":"stats"}
    """
    return await stats.of_database(call.db, await call.told(call.db), exact=detail == "full")
