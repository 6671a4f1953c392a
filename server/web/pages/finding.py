"""Finding things: the one search, and anything that has an id."""

from typing import Any, cast

from starlette.responses import RedirectResponse, Response

from server.db.search import identities
from server.models.base import encode
from server.models.search import ID_NAMES
from server.protocol import reading
from server.web.pages import live
from server.web.pages.visit import Visit
from server.web.rendering import path_of, query

KINDS = tuple(kind for kind in ID_NAMES if kind != "action")  # the others are in the store
LIBRARY = ("agent", "instruction", "skill")
PAGES = {"plan": "p", "workspace": "w", "program": "g"}  # what has a page of its own
# What a person may do to a thing: the action, what it is called, and its arguments with the columns they are in.
DOES: dict[str, list[tuple[str, str, str, dict[str, str]]]] = {
    "step": [
        ("memory_steps", "update", "Change", {"step_id": "step_id"}),
        ("memory_steps", "set_dependencies", "Set what it waits for", {"step_id": "step_id"}),
    ],
    "context_item": [
        ("memory_context", "store", "Change",
         {name: name for name in ("type", "parent_type", "parent_id", "workspace_id")}),
    ],
    "knowledge": [
        ("memory_context", "knowledge_store", "Change", {"slug": "slug", "workspace_id": "workspace_id"}),
    ],
    "message": [
        ("memory_session", "send_message", "Write back",
         {"to_agent": "from_agent", "thread_id": "message_id", "workspace_id": "workspace_id"}),
    ],
    "session": [
        ("memory_session", "send_message", "Write to it", {"to_agent": "session_id", "workspace_id": "workspace_id"}),
    ],
}  # fmt: skip


async def search(visit: Visit) -> Response:
    """Show what has the words that are asked for; an id leads to the thing itself."""
    words, kind, archived = visit.query("q"), visit.query("kind"), visit.query("archived")
    found: dict[str, Any] = {"hits": [], "total": 0}
    if words:
        found = await visit.call(
            "memory_context", "search", query=words, scope="all", types=[kind] if kind in KINDS else None,
            include_archived=True if archived else None, limit=50, cursor=visit.query("cursor"),
        )  # fmt: skip
    hits = [{**hit, "href": _address(hit)} for hit in found["hits"] if hit["kind"] in KINDS]
    return visit.page(
        "search.html", words=words, kind=kind, archived=archived, kinds=KINDS, found={**found, "hits": hits}
    )


def _address(hit: dict[str, Any]) -> str | None:
    """Return where a hit can be seen whole, if it has an id of its own."""
    if hit["kind"] == "plan":
        return path_of("p", hit["plan_id"])
    if hit["kind"] in LIBRARY:
        return f"/library/{hit['kind']}?{query({'query': hit.get('title', '')})}"
    if found := hit.get(ID_NAMES[hit["kind"]]):
        return path_of("e", found)
    return path_of("p", hit["plan_id"]) if hit.get("plan_id") else None


async def entity(visit: Visit) -> Response:
    """Show one thing whole, whatever it is; what has a page of its own is shown there.

    What an id is of is read from the database itself, as `show` does: actions take ids of kinds that the caller knows.
    """
    db = await visit.database()
    one = await identities.named(db, visit.path("id"))
    if one.kind in PAGES:
        return RedirectResponse(path_of(PAGES[one.kind], one.id), status_code=303)
    found = await reading.whole(visit.site.state.store, db, one, visit.caller)
    row = await identities.row(db, one)
    around = [(kind, row[f"{kind}_id"]) for kind in ("workspace", "plan") if row.get(f"{kind}_id")]
    return visit.page(
        "entity.html",
        thing=one,
        found=_inner(found, one.kind),
        names=await visit.labels(around),
        does=[
            (tool, action, name, {param: row[column] for param, column in takes.items() if row.get(column)})
            for tool, action, name, takes in DOES.get(one.kind, ())
        ],
        plan_id=row.get("plan_id"),
        workspace_id=row.get("workspace_id"),
        shows=live.workspace(row["workspace_id"]) if row.get("workspace_id") else {},
    )


def _inner(found: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return what an answer is about, if it is wrapped in one name; what was deleted leads nowhere."""
    if kind == "trash":
        return {name: value if isinstance(value, str | int) else encode(value) for name, value in found.items()}
    inner = found.get(kind)
    return cast(dict[str, Any], inner) if isinstance(inner, dict) else found
