"""Lists of what there is: sessions, messages, knowledge, ...: one table each, with its filters in the address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from server.db.search import identities
from server.errors import NotFound
from server.tools import TOOLS
from server.web import charts
from server.web.pages import live
from server.web.pages.forms import fields
from server.web.pages.visit import Visit
from server.web.rendering import label

ROWS = 100
KINDS = ("agent", "instruction", "skill")


@dataclass(frozen=True)
class Listing:
    """A list: the action that gives it, and what of its rows is shown."""

    tool: str
    action: str
    key: str
    columns: tuple[str, ...]
    title: str
    empty: str
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])  # else what may be sent
    sent: Mapping[str, Any] = field(default_factory=dict[str, Any])
    does: tuple[tuple[str, str, str], ...] = ()  # with a row: an action, and the name of its id
    makes: tuple[tuple[str, str], ...] = ()
    opens: tuple[str, str] = ("", "")  # the column that leads to what a row is of, and the name of its id
    edits: str = ""  # with a row: an action whose form is filled with it
    found: str = ""  # the kind that the search finds them as
    concerned: frozenset[str] = frozenset()  # types of events that change it, if these may be of other workspaces


OF_WORKSPACE: Mapping[str, Listing] = {
    "sessions": Listing(
        "memory_session", "list_sessions", "sessions",
        ("agent", "status", "plan_id", "started_at", "last_seen_at", "summary"), "Sessions",
        "No agent has worked here yet. A session starts when an agent calls memory_agent init.",
        {"status_filter": ("active", "completed", "orphaned"), "agent": ()},
        opens=("agent", "session_id"), found="session",
    ),
    "messages": Listing(
        "memory_session", "inbox", "messages",
        ("from_agent", "content", "priority", "plan_id", "created_at"), "Messages",
        "No message waits for this name.", {"agent": ()}, {"agent": "human"},
        (("acknowledge", "message_ids", "message_id"),), (("send_message", "Write to an agent"),),
        opens=("content", "message_id"), found="message",
    ),
    "reservations": Listing(
        "memory_session", "list_reservations", "reservations",
        ("path", "agent", "session_id", "reason", "expires_at"), "File reservations", "No file is reserved.",
        {"paths": ()},
    ),
    "knowledge": Listing(
        "memory_context", "knowledge_list", "knowledge",
        ("title", "slug", "category", "created_by_agent", "updated_at"), "Knowledge",
        "Nothing is noted yet. Agents store with memory_context knowledge_store what holds beyond one plan.",
        {"category": (), "tags": (), "include_superseded": ()},
        makes=(("knowledge_store", "Write an entry"),),
        opens=("title", "knowledge_id"), found="knowledge",
    ),
    "context": Listing(
        "memory_context", "list", "items",
        ("type", "parent_type", "parent_id", "bytes", "created_by", "updated_at"),
        "Context",
        "Nothing hangs on the workspace itself. Context of a plan stands on its page.", {"prefix": (), "tags": ()},
        opens=("type", "item_id"), found="context",
    ),
    "research": Listing(
        "memory_context", "list_research", "research",
        ("filename", "parent_type", "parent_id", "bytes", "created_by", "updated_at"), "Research",
        "No research is kept. Agents write it with memory_context append_research.",
        opens=("filename", "document_id"), found="research",
    ),
    "programs": Listing(
        "memory_program", "list", "programs",
        ("title", "status", "plans_done", "plans_total", "percent", "open_risks", "updated_at"),
        "Programs",
        "Plans that belong together can be made a program.", {"query": (), "include_archived": ()},
        makes=(("create", "New program"),), found="program",
        concerned=live.PROGRAMS,
        opens=("title", "program_id"),
    ),
    "scripts": Listing(
        "memory_plan", "list_build_scripts", "scripts",
        ("script_name", "script_command", "script_directory", "created_at"), "Build scripts",
        "No command is kept. Agents add them with memory_plan add_build_script.",
        does=(("delete_build_script", "script_id", "script_id"),), makes=(("add_build_script", "Keep a command"),),
        opens=("script_name", "script_id"),
    ),
    "trash": Listing(
        "memory_workspace", "trash", "trash",
        ("title", "entity_type", "deleted_by", "created_at", "expires_at"), "Trash",
        "Nothing was deleted in the last 30 days.", does=(("restore", "trash_id", "trash_id"),),
        opens=("title", "trash_id"),
    ),
    "history": Listing(
        "memory_workspace", "history", "history",
        ("timestamp", "summary", "agent", "plan_id", "tool", "action"), "History", "Nothing has happened yet.",
        {"agent": (), "since": (), "until": ()},
    ),
    "events": Listing(
        "memory_workspace", "events", "events",
        ("event_id", "timestamp", "type", "entity_id", "plan_id", "agent", "data"),
        "Events", "Nothing has happened yet.",
        {"types": (), "since_id": ()}, {"newest": True},
    ),
    "decisions": Listing(
        "memory_ledger", "list_decisions", "decisions",
        ("decision", "rationale", "decision_type", "agent", "plan_id", "made_at"), "Decisions",
        "Nothing is decided yet. Agents record with memory_ledger decide what was decided, and why.",
        {"agent": (), "decision_type": (), "since": ()},
        opens=("decision", "decision_id"), found="decision",
    ),
    "gates": Listing(
        "memory_ledger", "list_gates", "gates",
        ("gate_name", "status", "transition", "severity", "message", "plan_id", "agent", "recorded_at"),
        "Gates", "No gate was recorded.", {"status": ("passed", "failed", "skipped", "unknown"), "gate_name": ()},
        opens=("gate_name", "gate_id"),
    ),
    "runs": Listing(
        "memory_ledger", "list_runs", "runs",
        ("name", "kind", "status", "phase", "plan_id", "started_at", "finished_at", "error"), "Runs",
        "Nothing has run.", {"status": ("running", "done", "failed", "lost", "ended"), "kind": ()},
        opens=("name", "run_id"),
    ),
    "calls": Listing(
        "memory_ledger", "list_calls", "calls",
        ("tool", "success", "error", "duration_ms", "plan_id", "agent", "started_at"), "Tool calls",
        "No call was logged.", {"tool": (), "agent": (), "success": ()},
        opens=("tool", "call_id"),
    ),
    "changes": Listing(
        "memory_ledger", "list_changes", "changes",
        ("field", "old_value", "new_value", "external_id", "author", "plan_id", "changed_at"), "Changes of fields",
        "No other program told of any.", {"field": (), "since": ()},
        opens=("field", "change_id"),
    ),
    "artifacts": Listing(
        "memory_ledger", "list_artifacts", "artifacts",
        ("name", "artifact_type", "path", "branch", "url", "status", "plan_id", "updated_at"),
        "Artifacts", "No artifact is named.", {"artifact_type": (), "status": ()},
        opens=("name", "artifact_id"),
    ),
    "metrics": Listing(
        "memory_ledger", "list_metrics", "points",
        ("name", "value", "unit", "bucket", "category", "plan_id", "agent"), "Metrics",
        "No figure was recorded.", {"name": (), "since": ()},
        opens=("name", "point_id"),
    ),
    "progress": Listing(
        "memory_ledger", "list_progress", "progress",
        ("task_name", "percent", "status", "stale", "message", "plan_id", "agent", "updated_at"),
        "Long jobs", "No job told how far it is.", {"status": ()},
        opens=("task_name", "progress_id"),
    ),
    "budgets": Listing(
        "memory_ledger", "budgets", "budgets",
        ("unit", "plan_id", "spent", "max", "left", "hard", "warning"), "Budgets", "No plan has a budget.",
        {"over": ()},
        opens=("unit", "budget_id"),
    ),
    "agents": Listing(
        "memory_ledger", "list_agents", "agents",
        ("agent", "type", "status", "branch", "worktree", "current_step_id", "session_id", "last_activity_at"),
        "Agents", "No agent has worked here yet.", {"status": ()},
    ),
    "allowlist": Listing(
        "memory_terminal", "get_allowlist", "patterns", ("pattern", "allowed_by", "via", "since"), "Allowed programs",
        "No program runs without being asked about.", makes=(("update_allowlist", "Change the rules"),),
    ),
}  # fmt: skip
LIBRARY = Listing(
    "memory_library", "list", "",
    ("name", "description", "source", "category", "edited", "updated_at"), "Library",
    "There is none of this kind.", {"query": ()}, edits="update", concerned=live.LIBRARY,
)  # fmt: skip
FIRST = ("agents", "messages", "decisions", "knowledge", "programs", "history")  # what people look for most
TABS = {
    "first": {name: OF_WORKSPACE[name].title for name in FIRST},
    "more": {name: listing.title for name, listing in OF_WORKSPACE.items() if name not in FIRST},
}
# Tables that are of the server, and not of anybody's work.
INNER = (
    "seeds",
    "server_runs",
    "step_counts",
    "step_workers",
    "tools",
    "tool_actions",
    "tool_action_params",
    "web_sessions",
)
KIND_OF = {of.key: kind for kind, of in identities.IDENTITIES.items()}


async def of_workspace(visit: Visit) -> Response:
    """Show a list of a workspace."""
    name, home = visit.path("list"), visit.path("workspace")
    if name not in OF_WORKSPACE:
        raise NotFound(f"There is no list {name[:80]!r}. Lists: {', '.join(OF_WORKSPACE)}.")
    listing = OF_WORKSPACE[name]
    if name == "context":
        sent = {"parent_type": "workspace", "parent_id": home}
    else:
        sent = {**listing.sent, "workspace_id": home}
    return await _listed(visit, listing, sent, home=home, name=name)


async def library(visit: Visit) -> Response:
    """Show the agents, instructions or skills of the library."""
    kind = visit.path("kind")
    if kind not in KINDS:
        raise NotFound(f"The library has no {kind[:80]!r}. Kinds: {', '.join(KINDS)}.")
    return await _listed(visit, LIBRARY, {"kind": kind}, home=None, name=kind)


async def _listed(visit: Visit, listing: Listing, sent: Mapping[str, Any], *, home: str | None, name: str) -> Response:
    params = TOOLS[listing.tool].actions[listing.action].params
    filters = {one: visit.query(one) for one in listing.filters}
    asked = {**sent, **{one: fields.value_of(params[one], value) for one, value in filters.items() if value}}
    found = await visit.call(listing.tool, listing.action, **asked, limit=ROWS, cursor=visit.query("cursor"))
    key = listing.key or next(one for one in found if isinstance(found[one], list))
    rows: list[dict[str, Any]] = found[key]
    links = await _links(visit, [*rows, {"workspace_id": home}] if home else rows)
    return visit.page(
        "list.html",
        listing=listing,
        links=links,
        columns=[one for one in listing.columns if one == listing.opens[0] or any(one in row for row in rows)],
        rows=rows,
        filters=filters,
        ticked=[one for one in filters if params[one].default is False],
        offered={one: _offered(params[one].describe(), known) for one, known in listing.filters.items()},
        total=found.get("total", len(rows)),
        next_cursor=found.get("next_cursor"),
        home=home,
        name=name,
        kinds=KINDS,
        tabs=TABS,
        home_name=links.get(home or ""),
        shows=live.after(live.types(listing.concerned)) if listing.concerned else live.workspace(home or ""),
    )


def _offered(said: Mapping[str, Any], known: Sequence[str]) -> list[tuple[str, str]]:
    """Return what a filter can be, by what is sent and how it is called; nothing where that is any text."""
    if said["type"] == "boolean":
        return [("true", "yes"), ("false", "no")]
    return [(one, label(one)) for one in known or said.get("enum", ())]


async def _links(visit: Visit, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the ids in rows of what is still there, with what it is called: a log names things that are gone too."""
    wanted = {
        (kind, str(row[name]))
        for row in rows
        for name in row
        if name.endswith("_id") and (kind := kind_of(name) or str(row.get(f"{name[:-3]}_type", "")))
    }
    return await visit.labels(wanted)


def kind_of(name: str) -> str:
    """Return what an id is of, by its name, if that says so: `step_id` and `current_step_id` are of steps."""
    return next((kind for key, kind in KIND_OF.items() if name == key or name.endswith(f"_{key}")), "")


async def statistics(visit: Visit) -> Response:
    """Show what the database holds, and how the work of a workspace goes on: of the one named, else of the first."""
    stats = await visit.call("memory_workspace", "stats")
    homes = (await visit.call("memory_workspace", "list", limit=ROWS))["workspaces"]
    chosen = visit.query("workspace") or (homes[0]["workspace_id"] if homes else "")
    burndown = await visit.call("memory_plan", "burndown", workspace_id=chosen) if chosen else None
    today = (await visit.database()).now()[:10]
    return visit.page(
        "statistics.html",
        stats=stats,
        inner=INNER,
        homes=homes,
        chosen=chosen,
        burndown=burndown,
        burn=charts.burn(burndown, today) if burndown else None,
    )
